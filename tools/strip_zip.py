"""Turn the zip that Chalice built into the one that is deployed: what is needed, precompiled, same bytes each time.

Lambda's code directory is read-only and Chalice ships no bytecode, so without this step every cold start would compile
every module. What is needed is `tools.runtime_files`' decision.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools.runtime_files import EMPTIED, is_needed

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold; a real one would differ from build to build
TASK_ROOT = "/var/task"  # where Lambda unpacks the zip


@dataclass(frozen=True, slots=True)
class Contents:
    """Sizes of a finished zip, in bytes.

    Attributes:
        zipped: The file as it is uploaded.
        unzipped: What Lambda unpacks.
        unzipped_by_entry: The same by top-level entry.
    """

    zipped: int
    unzipped: int
    unzipped_by_entry: dict[str, int]


def unpack_needed(source: Path, task_root: Path) -> None:
    """Unpack the files of the zip *source* that the functions need into the directory *task_root*.

    Raises:
        UnknownFileError: The zip holds something nobody has decided about.
    """
    with zipfile.ZipFile(source) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith("/") or not is_needed(name):
                continue
            target = task_root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"" if name in EMPTIED else archive.read(name))


def precompile(task_root: Path) -> None:
    """Write bytecode beside every module of *task_root*.

    The kind is "unchecked hash": a time-stamped one would be taken for stale, because the zip's dates are not the
    files', and be compiled again at every start. The sources stay (a fifth of the zip) so that a traceback shows
    lines. One fresh process with a fixed hash seed makes the same bytes each time.
    """
    command = [sys.executable, "-m", "compileall", "-q", "-f", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    subprocess.run(
        [*command, "-s", str(task_root), "-p", TASK_ROOT, str(task_root)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )


def pack(task_root: Path, target: Path) -> Contents:
    """Zip the directory *task_root* as *target*: sorted, one date, one mode, so that equal files give equal bytes."""
    sizes: Counter[str] = Counter()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(file for file in task_root.rglob("*") if file.is_file()):
            name = path.relative_to(task_root).as_posix()
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix: the mode below counts; Lambda's user must be able to read every file
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=9)
            sizes[PurePosixPath(name).parts[0]] += path.stat().st_size
    return Contents(zipped=target.stat().st_size, unzipped=sizes.total(), unzipped_by_entry=dict(sizes))
