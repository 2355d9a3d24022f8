"""What the adapter tests talk to: a scripted server, or the sandbox's AWS with the standard variables set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.adapters.aws import Aws
from sandbox.aws import AwsSandbox
from tests.adapters.wire import FakeTime, ScriptedServer, running


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    yield from running()


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture(scope="package")
def _aws_running() -> Iterator[AwsSandbox]:
    with AwsSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def aws_sandbox(_aws_running: AwsSandbox, monkeypatch: pytest.MonkeyPatch) -> AwsSandbox:
    """The sandbox's AWS, empty, reached as any SDK reaches it: by the environment alone."""
    _aws_running.reset()
    for name, value in _aws_running.environment().items():
        monkeypatch.setenv(name, value)
    return _aws_running


@pytest.fixture(scope="package")
def _aws_scripted() -> Iterator[ScriptedServer]:
    yield from running()


@pytest.fixture
def aws_script(_aws_scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """A scripted server in the place of all of AWS."""
    _aws_scripted.reset()
    for name, value in {
        "AWS_ENDPOINT_URL": _aws_scripted.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "secret-key-of-the-test",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return _aws_scripted


@pytest.fixture(scope="package")
def aws() -> Aws:
    """Clients for `aws_script` that try once. Shared, because building an EC2 client takes longer than most tests."""
    return Aws(attempts=1)
