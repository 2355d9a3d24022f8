"""What is unpacked where a function runs: our deployment.zip, the naive package, and what Lambda's runtime brings.

The naive package holds what `pip install --target` puts there for its two requirements, taken from this environment,
without bytecode, as Chalice and `zip -r` leave it. The runtime holds awslambdaric and boto3 with bytecode.
"""

from __future__ import annotations

import compileall
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from py_compile import PycInvalidationMode

PROJECT = Path(__file__).resolve().parent.parent
BUILD = PROJECT / "build" / "bench"
OURS = PROJECT / "build" / "package" / "deployment.zip"
NAIVE = Path(__file__).parent / "naive"
RUNTIME = ("awslambdaric", "boto3")
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A directory that a function runs from, and the size of the zip it came from or would be."""

    directory: Path
    zipped_bytes: int


def our_package() -> Unpacked:
    """Our zip, built with `python -m tools.package` where it is missing, older than the code, or for another Python."""
    if not OURS.exists() or _is_older_than_the_code(OURS) or not _is_for_this_python(OURS):
        subprocess.run([sys.executable, "-m", "tools.package"], cwd=PROJECT, check=True, capture_output=True)
    directory = _emptied(BUILD / "ours")
    with zipfile.ZipFile(OURS) as archive:
        archive.extractall(directory)
    return Unpacked(directory, OURS.stat().st_size)


def naive_package() -> Unpacked:
    """The naive functions with their requirements, without bytecode."""
    directory = _emptied(BUILD / "naive")
    names = (NAIVE / "requirements.txt").read_text(encoding="utf-8").split()
    for found in closure(names):
        copy_files(found, directory)
    shutil.copy(NAIVE / "app.py", directory)
    archive = BUILD / "naive.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(directory.rglob("*")):
            packed.write(file, file.relative_to(directory))
    return Unpacked(directory, archive.stat().st_size)


def precompiled(package: Unpacked) -> Unpacked:
    """The same package with bytecode beside every module; the size is still that without."""
    directory = BUILD / f"{package.directory.name}-precompiled"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(package.directory, directory)
    _compile(directory)
    return Unpacked(directory, package.zipped_bytes)


def lambda_runtime() -> Path:
    """The runtime client and boto3, with bytecode: what is in Lambda's own directories."""
    directory = _emptied(BUILD / "runtime")
    for found in closure(RUNTIME):
        copy_files(found, directory)
    _compile(directory)
    return directory


def closure(requirements: Iterable[str]) -> list[Distribution]:
    """The installed distributions that *requirements* come to, each once, with those that they require.

    Raises:
        PackageNotFoundError: One of the named requirements is not installed.
    """
    found: dict[str, Distribution] = {}
    for requirement in requirements:
        _collect(requirement, found)
    return [found[name] for name in sorted(found)]


def copy_files(found: Distribution, directory: Path) -> None:
    """Copy what the distribution installed, commands and bytecode apart."""
    for file in found.files or ():
        path = PurePosixPath(file)
        if ".." in path.parts or "__pycache__" in path.parts:
            continue
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(found.locate_file(file)), target)


def _collect(requirement: str, found: dict[str, Distribution]) -> None:
    matched = REQUIREMENT.match(requirement)
    if matched is None:
        return
    name, extras = matched[1].lower().replace("_", "-"), frozenset(filter(None, (matched[2] or "").split(",")))
    key = f"{name}[{','.join(sorted(extras))}]" if extras else name
    if key in found:
        return
    found[key] = distribution(name)
    for needed in _required(found[key], extras):
        try:
            _collect(needed, found)
        except PackageNotFoundError:
            continue  # a marker that does not hold here: an older Python, another system


def _required(found: Distribution, extras: frozenset[str]) -> Iterator[str]:
    """Its requirements without an extra, and those of *extras*."""
    for requirement in found.requires or ():
        text, _, marker = requirement.partition(";")
        named = re.search(r"extra\s*==\s*[\"']([^\"']+)[\"']", marker)
        if named is None or named[1] in extras:
            yield text


def _compile(directory: Path) -> None:
    compileall.compile_dir(directory, quiet=2, workers=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


def _emptied(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def _is_older_than_the_code(archive: Path) -> bool:
    sources = [PROJECT / "app.py", PROJECT / "requirements.txt", *(PROJECT / "chalicelib").rglob("*.py")]
    return max(source.stat().st_mtime for source in sources) > archive.stat().st_mtime


def _is_for_this_python(archive: Path) -> bool:
    """Bytecode and compiled modules carry the version in their names."""
    tag = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
    with zipfile.ZipFile(archive) as opened:
        return any(tag in name for name in opened.namelist())
