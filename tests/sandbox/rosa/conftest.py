"""One sandbox for all tests of this folder, emptied before each; a small cluster of either flavour on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.aws import AwsSandbox
from sandbox.rosa import Rosa
from sandbox.timeline import SteppedTimeline
from tests.sandbox.rosa.clusters import CLASSIC, SMALL


@pytest.fixture(scope="package")
def running() -> Iterator[AwsSandbox]:
    with AwsSandbox(SteppedTimeline()) as sandbox:
        yield sandbox


@pytest.fixture
def aws(running: AwsSandbox) -> Iterator[AwsSandbox]:
    running.reset()
    yield running
    running._subscribers.clear()
    running.timing.running_after_seconds = running.timing.terminated_after_seconds = 0


@pytest.fixture
def rosa(aws: AwsSandbox) -> Iterator[Rosa]:
    with Rosa(SMALL, aws) as cluster:
        yield cluster


@pytest.fixture
def classic(aws: AwsSandbox) -> Iterator[Rosa]:
    with Rosa(CLASSIC, aws) as cluster:
        yield cluster
