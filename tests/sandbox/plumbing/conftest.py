"""One sandbox for all tests of this folder, and on it the tiny application, plumbed anew for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.aws import AwsSandbox
from sandbox.plumbing import InProcessInvoker, Plumbing, create_resources, read_wiring
from sandbox.timeline import SteppedTimeline
from tests.sandbox.plumbing.tiny import TEMPLATE, behaviour, make_app, seen


@pytest.fixture(scope="package")
def running() -> Iterator[AwsSandbox]:
    with AwsSandbox(SteppedTimeline()) as sandbox:
        yield sandbox


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "infrastructure.yaml"
    path.write_text(TEMPLATE, encoding="utf-8")
    return path


@pytest.fixture
def plumbing(running: AwsSandbox, template: Path) -> Iterator[Plumbing]:
    running.reset()
    seen.clear()
    behaviour.clear()
    app = make_app()
    resources = create_resources(running, template, {"Bucket": "fleet"})
    invoker = InProcessInvoker(app, running.environment())
    tiny = Plumbing(app, running, resources, read_wiring(app, resources), invoker)
    yield tiny
    tiny.stop()
