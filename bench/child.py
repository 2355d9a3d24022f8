"""A server in a process of its own: it says one line when it is ready, and ends when its standard input does.

So its work and memory are not the measured ones', and it cannot outlive whoever started it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def child(module: str, *arguments: str) -> Iterator[str]:
    """Run `python -m module` and yield the line it printed.

    Raises:
        RuntimeError: It ended without one.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process has no pipes")
        try:
            line = process.stdout.readline().strip()
            if not line:
                raise RuntimeError(f"{module} {' '.join(arguments)} did not start")
            yield line
        finally:
            process.stdin.close()


def serve_until_told(line: str) -> None:
    """In the child: say *line*, then wait for the end."""
    print(line, flush=True)
    sys.stdin.read()
