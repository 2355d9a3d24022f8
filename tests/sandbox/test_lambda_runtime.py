from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.lambda_runtime import LambdaProcess, PackageInvoker
from sandbox.plumbing import FunctionError, FunctionSpec

HANDLERS = """
import os, sys, time
calls = 0

def echo(event, context):
    global calls
    calls += 1
    print("called", flush=True)
    return {"event": event, "calls": calls, "name": context.function_name, "memory": context.memory_limit_in_mb,
            "left": context.get_remaining_time_in_millis(),
            "own": os.environ["OWN"], "endpoint": os.environ["ENDPOINT"]}

def fails(event, context):
    raise ValueError("no good")

def slow(event, context):
    time.sleep(event["seconds"])
    return "done"

def leaves(event, context):
    os._exit(3)
"""


@pytest.fixture
def function(tmp_path: Path) -> Iterator[Callable[[str], LambdaProcess]]:
    (tmp_path / "handlers.py").write_text(HANDLERS, encoding="utf-8")
    started: list[LambdaProcess] = []

    def make(handler: str) -> LambdaProcess:
        spec = FunctionSpec("tiny", f"handlers.{handler}", timeout_seconds=1, memory_mb=256, environment={"OWN": "1"})
        started.append(LambdaProcess(tmp_path, spec, {"ENDPOINT": "http://127.0.0.1:1"}))
        return started[-1]

    yield make
    for process in started:
        process.close()


def test_first_run_is_cold_and_the_next_is_warm(function: Callable[[str], LambdaProcess]) -> None:
    """One process serves one invocation after the other and keeps its
    globals; the handler sees context and environment.
    """
    echo = function("echo")
    first, second = echo.invoke({"n": 1}), echo.invoke({"n": 2})
    assert (first["event"], first["calls"], second["event"], second["calls"]) == ({"n": 1}, 1, {"n": 2}, 2)
    assert (first["name"], first["memory"], first["own"], first["endpoint"]) == (
        "tiny",
        "256",
        "1",
        "http://127.0.0.1:1",
    )
    assert 0 < second["left"] <= 1000
    assert [run.cold for run in echo.runs] == [True, False]
    assert echo.runs[1].duration_seconds < echo.runs[0].duration_seconds
    assert (echo.runs[1].peak_memory_kb or 0) > 5_000
    echo.close()
    assert list(echo.log).count("called") == 2


def test_error_of_the_handler_has_type_message_and_trace(function: Callable[[str], LambdaProcess]) -> None:
    """What the handler raised arrives, and the process stays warm."""
    fails = function("fails")
    for _ in range(2):
        with pytest.raises(FunctionError) as error:
            fails.invoke({})
        assert (error.value.error_type, error.value.message) == ("ValueError", "no good")
        assert "handlers.py" in error.value.trace
    assert [run.cold for run in fails.runs] == [True, False]


@pytest.mark.parametrize(
    ("handler", "error_type"), [("missing", "Runtime.HandlerNotFound"), ("leaves", "Runtime.ExitError")]
)
def test_function_that_cannot_start_or_exits(
    function: Callable[[str], LambdaProcess], handler: str, error_type: str
) -> None:
    """An unknown handler and a process that ends by itself are told apart; neither hangs."""
    with pytest.raises(FunctionError) as error:
        function(handler).invoke({})
    assert error.value.error_type == error_type


def test_function_is_killed_at_its_deadline_and_starts_anew(function: Callable[[str], LambdaProcess]) -> None:
    """A run that takes longer than the time-out is ended, and the next one is cold."""
    slow = function("slow")
    with pytest.raises(FunctionError, match=r"Sandbox\.Timedout: Task timed out after 1\.00 seconds"):
        slow.invoke({"seconds": 30})
    assert slow.invoke({"seconds": 0}) == "done"
    assert [run.cold for run in slow.runs] == [True, True]


def test_package_is_unpacked_and_removed(tmp_path: Path) -> None:
    """A zip runs as it is; every function has its own process; nothing stays behind."""
    package = tmp_path / "deployment.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handlers.py", HANDLERS)
    invoker = PackageInvoker(package, {"ENDPOINT": "x", "OWN": "1"})
    spec = FunctionSpec("tiny", "handlers.echo")
    try:
        assert invoker.invoke(spec, {"n": 1})["event"] == {"n": 1}
        root = invoker._task_root
        assert root.exists()
    finally:
        invoker.close()
    assert not root.exists()
