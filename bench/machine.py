"""Facts of the machine and of the programs that were measured; a number without them means nothing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("kubernetes", "boto3", "aws-lambda-powertools", "chalice", "pydantic", "moto", "awslambdaric", "jq")
PROGRAMS = {
    "kubectl": ("version", "--client"),
    "jq": ("--version",),
    "curl": ("--version",),
}


def machine_facts() -> dict[str, str]:
    """CPU, cores, memory, system, Python and the versions of what takes part."""
    facts = {
        "CPU": _cpu(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    facts.update({name: found for name in PACKAGES if (found := _package(name))})
    facts.update({name: found for name, arguments in PROGRAMS.items() if (found := _program(name, arguments))})
    return facts


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _program(name: str, arguments: tuple[str, ...]) -> str:
    found = shutil.which(name)
    if found is None:
        return ""
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False, timeout=20)
    lines = done.stdout.strip().splitlines()
    return lines[0].removeprefix("Client Version: ").split(" (")[0] if lines else ""
