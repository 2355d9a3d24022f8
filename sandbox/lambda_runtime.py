"""Lambda, as far as a function can tell: a process under AWS's own
runtime client (awslambdaric), driven through the Runtime API.

Faithful to the packaged application: import of the handler by name, JSON in and out, error and init-error formats, the
deadline, cold and warm starts, memory. Not covered: IAM, VPC, a read-only file system, the CPU share of a memory size.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.lambda_api import RuntimeApi, Task
from sandbox.plumbing.invoking import FunctionError
from sandbox.plumbing.wiring import FunctionSpec

_INIT_SECONDS = 60.0
"""Lambda gives a function ten seconds, on a machine of its own. Here it shares one: that it starts is checked, how fast
is measured (`bench.cold_start`).
"""


@dataclass(frozen=True)
class Run:
    """How one invocation went, beside its answer."""

    cold: bool
    """A process was started for it."""
    duration_seconds: float
    """From the request to the answer, start of the process included."""
    peak_memory_kb: int | None
    """VmHWM of the process so far; None where /proc does not tell."""


class LambdaProcess:
    """One execution environment of one function: started by the first invocation, kept warm, killed at a deadline.

    *task_root* is the unpacked package. *paths* are further directories to import from (a side directory with
    awslambdaric); *python* is the interpreter, which must be of the version that the package was built for.
    """

    def __init__(
        self,
        task_root: Path,
        function: FunctionSpec,
        environment: Mapping[str, str],
        *,
        paths: Sequence[Path] = (),
        python: str = sys.executable,
    ) -> None:
        self._task_root = task_root
        self._function = function
        self._environment = environment
        self._paths = paths
        self._python = python
        self._process: subprocess.Popen[str] | None = None
        self._api: RuntimeApi | None = None
        self._reader: threading.Thread | None = None
        self.log: deque[str] = deque(maxlen=2_000)
        """The last lines that the function wrote."""
        self.runs: deque[Run] = deque(maxlen=1_000)

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Run the function once. Raises FunctionError: its own,
        `Runtime.…` when it cannot start or exits, `Sandbox.Timedout`.
        """
        begun = time.perf_counter()
        cold = self._api is None
        api = self._api or self._start()
        spare = _INIT_SECONDS if cold else 0.0
        task = api.submit(event, time.time() + self._function.timeout_seconds + spare)
        try:
            self._wait(api, task, begun + spare, cold=cold)
        finally:
            self.runs.append(Run(cold, time.perf_counter() - begun, self._peak_memory_kb()))
            if not task.done.is_set():
                self.close()
        if task.error is not None:
            raise _function_error(task.error)
        return json.loads(task.answer) if task.answer else None

    def close(self) -> None:
        """Kill the process, if there is one. The next invocation starts cold."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._reader is not None:
            self._reader.join()
            self._reader = None
        if self._api is not None:
            self._api.close()
            self._api = None

    def _wait(self, api: RuntimeApi, task: Task, init_ends: float, *, cold: bool) -> None:
        """Return when *task* is done; raise when the function cannot start, exits, or is out of time."""
        timeout = self._function.timeout_seconds
        started: float | None = None
        while not task.done.wait(0.002):
            now = time.perf_counter()
            if api.failed_to_start.is_set():
                raise _function_error(api.init_error or {})
            if self._process is None or self._process.poll() is not None:
                raise FunctionError(
                    "Runtime.ExitError", f"RequestId: {task.request_id} Error: Runtime exited", "\n".join(self.log)
                )
            if started is None and task.taken.is_set():
                started = now
            if started is None and cold and now > init_ends:
                raise FunctionError("Sandbox.Timedout", f"Init timed out after {_INIT_SECONDS:.2f} seconds")
            if started is not None and now > started + timeout:
                raise FunctionError("Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds")

    def _start(self) -> RuntimeApi:
        name = self._function.name
        region = self._environment.get("AWS_REGION", "eu-central-1")
        self._api = RuntimeApi(f"arn:aws:lambda:{region}:123456789012:function:{name}")
        python_path = os.pathsep.join(str(path) for path in [self._task_root, *self._paths])
        environment = {
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": python_path,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "_HANDLER": self._function.handler,
            "LAMBDA_TASK_ROOT": str(self._task_root),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "sandbox",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            **self._function.environment,
            **self._environment,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
        }
        self._process = subprocess.Popen(
            [self._python, "-m", "awslambdaric", self._function.handler],
            env=environment,
            cwd=self._task_root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._reader.start()
        return self._api

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                self.log.append(line.rstrip("\n"))

    def _peak_memory_kb(self) -> int | None:
        if self._process is None:
            return None
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
        return None


class PackageInvoker:
    """An `Invoker` that runs every function from the deployed package, each in its own process.

    *package* is `deployment.zip` or a directory with its content.
    *environment* is added to each function's own (endpoints, credentials).
    """

    def __init__(
        self,
        package: Path,
        environment: Mapping[str, str],
        *,
        paths: Sequence[Path] = (),
        python: str = sys.executable,
    ) -> None:
        self._unpacked: tempfile.TemporaryDirectory[str] | None = None
        self._task_root = package
        if package.is_file():
            self._unpacked = tempfile.TemporaryDirectory(prefix="sandbox-package-")
            self._task_root = Path(self._unpacked.name)
            with zipfile.ZipFile(package) as archive:
                archive.extractall(self._task_root)
        self._environment = environment
        self._paths = paths
        self._python = python
        self._processes: dict[str, LambdaProcess] = {}

    def invoke(self, function: FunctionSpec, event: Mapping[str, Any]) -> Any:
        """Run *function* for *event* in its process, started or warm."""
        return self.process(function).invoke(event)

    def process(self, function: FunctionSpec) -> LambdaProcess:
        """The process of *function*, for its log and its runs."""
        if function.name not in self._processes:
            self._processes[function.name] = LambdaProcess(
                self._task_root, function, self._environment, paths=self._paths, python=self._python
            )
        return self._processes[function.name]

    def close(self) -> None:
        """End every process and remove what was unpacked."""
        for process in self._processes.values():
            process.close()
        self._processes.clear()
        if self._unpacked is not None:
            self._unpacked.cleanup()
            self._unpacked = None


def _function_error(reported: Mapping[str, Any]) -> FunctionError:
    """The error as the runtime client reports it; the trace comes as a list of lines."""
    trace = reported.get("stackTrace") or []
    return FunctionError(
        str(reported.get("errorType", "Runtime.Unknown")), str(reported.get("errorMessage", "")), "".join(trace)
    )
