"""Runs one pipeline and says how long it took and how much memory each process needed at its peak.

A script for `python -I -S`, standard library only: a process starts out with the memory peak of its parent, so the
parent must be small. Reads {"stages": [[argv, environment], …], "output": path}, prints {"seconds", "peak_kb"}.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    order = json.load(sys.stdin)
    began = time.perf_counter()
    running: list[subprocess.Popen[bytes]] = []
    source = None
    with Path(order["output"]).open("wb") as output:
        for index, (argv, environment) in enumerate(order["stages"]):
            last = index == len(order["stages"]) - 1
            process = subprocess.Popen(
                argv,
                env=environment,
                stdin=source or subprocess.DEVNULL,
                stdout=output if last else subprocess.PIPE,
                close_fds=True,
            )
            if source is not None:
                source.close()
            source = process.stdout
            running.append(process)
        usages = [(process, *os.wait4(process.pid, 0)[1:]) for process in running]
    seconds = time.perf_counter() - began
    failed = False
    for process, status, _ in usages:
        process.returncode = os.waitstatus_to_exitcode(status)
        failed = failed or process.returncode != 0
    print(json.dumps({"seconds": seconds, "peak_kb": [usage.ru_maxrss for _, _, usage in usages]}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
