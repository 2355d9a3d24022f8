"""`python -m conformance [run|up|programs]`: build what is missing, start a real API server, check on it, stop it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

from conformance.platform import PROJECT, find_platform
from conformance.programs import NoPrograms, Programs, find_programs
from conformance.server import NotStarted, running

CONTRACT = ("tests/sandbox/kube",)
PRODUCT = ("tests/conformance", "tests/e2e/test_main_job.py", "tests/e2e/test_other_writers.py")
DRIFTS = ("tests/e2e/drift",)
"""One drift of each family; with the server of `up` all of them can be played (`pytest -m slow tests/e2e/drift`)."""


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 when every check passed, 1 when one failed, 2 when there is nothing to check with."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped on the way out
    command, *rest = arguments or ["run"]
    try:
        programs = find_programs(os.environ)
        if command == "up":
            return _up(programs)
        print(f"Programs: {programs.origin}", flush=True)
        if command == "programs":
            return 0
        return _run(programs, rest)
    except (NoPrograms, NotStarted) as error:
        print(error, file=sys.stderr)
        return 2


def _run(programs: Programs, pytest_arguments: Sequence[str]) -> int:
    """The contract on simulator and server with the same kubectl, then the product on the server."""
    platform = find_platform()
    print(f"Types: {platform.origin}", flush=True)
    kubectl = {"KUBECTL": str(programs.kubectl)}
    print("1. The contract of the cluster API on the simulator", flush=True)
    code = _pytest(CONTRACT, kubectl, ["-k", "contract", *pytest_arguments])
    with running(programs, platform) as server:
        print(f"2. The same contract on the real server, {server.url}", flush=True)
        code = max(code, _pytest(CONTRACT, server.environment(), ["-k", "contract", *pytest_arguments]))
        print("3. The product on the real server", flush=True)
        code = max(code, _pytest(PRODUCT, server.environment(), pytest_arguments))
        print("4. Drifts on the real server", flush=True)
        code = max(code, _pytest(DRIFTS, server.environment(), ["-m", "not slow", *pytest_arguments]))
    return 1 if code else 0


def _pytest(paths: Sequence[str], variables: Mapping[str, str], more: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *paths, *more]
    # A server that somebody aims tests at by hand is not the one that is checked here.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KUBE_CONTRACT_")}
    return subprocess.run(command, cwd=PROJECT, env={**inherited, **variables}, check=False).returncode


def _up(programs: Programs) -> int:
    """Keep a server running to aim tests at by hand; prints the `export` lines for that."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    platform = find_platform()
    with running(programs, platform) as server:
        print(f"# types: {platform.origin}")
        for name, value in server.environment().items():
            print(f"export {name}={shlex.quote(value)}")
        print(f"# ends with Ctrl-C or: kill {os.getpid()}", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
