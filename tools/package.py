"""Build what is deployed: `python -m tools.package` leaves sam.yaml and deployment.zip in build/package.

Chalice makes both from app.py, .chalice/config.json, the policy files and .chalice/infrastructure.yaml; then the zip is
stripped and precompiled, and the template rewritten without YAML aliases. The Lambda runtime is the Python that runs
this. The network is used for the packages that requirements.txt locks, and for nothing else.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.check_imports import MissingImportError, check_imports
from tools.runtime_files import UnknownFileError
from tools.strip_zip import Contents, pack, precompile, unpack_needed

PROJECT = Path(__file__).resolve().parent.parent
RUNTIMES = ((3, 11), (3, 12), (3, 13))
BUDGET_BYTES = 15_000_000  # a third of what Lambda takes in a direct upload; a cold start loads it all
ANY_REGION = "us-east-1"  # Chalice wants a region even where the template holds none; its partition is what matters


OFFLINE = {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONDONTWRITEBYTECODE": "1"}
"""Chalice calls nothing in AWS; it need not look for credentials, nor leave bytecode behind."""


class PackagingError(Exception):
    """The package could not be built, or must not be deployed; the message says why."""


@dataclass(frozen=True, slots=True)
class Package:
    """What was built."""

    template: Path
    archive: Path
    contents: Contents


def build_package(project: Path, out: Path, stage: str) -> Package:
    """Build the template and the zip of *project* for *stage* into the directory *out*, replacing older ones.

    Raises:
        PackagingError: Wrong Python, Chalice failed, a dependency has no wheel for Lambda, a file is missing, or the
            zip is over the budget.
    """
    if sys.version_info[:2] not in RUNTIMES:
        raise PackagingError("this Python is no Lambda runtime that egress-keeper supports: use 3.11, 3.12 or 3.13")
    with tempfile.TemporaryDirectory() as work:
        staged, generated, task_root = Path(work, "project"), Path(work, "out"), Path(work, "task")
        copy_sources(project, staged)
        run_chalice(staged, generated, stage)
        try:
            unpack_needed(generated / "deployment.zip", task_root)
            check_imports(task_root)
        except (UnknownFileError, MissingImportError) as error:
            raise PackagingError(str(error)) from error
        precompile(task_root)
        out.mkdir(parents=True, exist_ok=True)
        template, archive = out / "sam.yaml", out / "deployment.zip"
        write_template(generated / "sam.yaml", template)
        contents = pack(task_root, archive)
    if contents.zipped > BUDGET_BYTES:
        raise PackagingError(f"deployment.zip has {contents.zipped} bytes; the budget is {BUDGET_BYTES}")
    return Package(template, archive, contents)


def copy_sources(project: Path, staged: Path) -> None:
    """Copy what Chalice reads. In a copy it cannot take along caches, or leave its own behind in the checkout."""
    staged.mkdir()
    shutil.copy(project / "app.py", staged)
    shutil.copy(project / "requirements.txt", staged)
    shutil.copytree(project / "chalicelib", staged / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
    (staged / ".chalice").mkdir()
    for file in sorted((project / ".chalice").glob("*.*")):
        if file.is_file():
            shutil.copy(file, staged / ".chalice")


def run_chalice(staged: Path, out: Path, stage: str) -> None:
    """Run `chalice package` with the merge template.

    Raises:
        PackagingError: It failed, or it reported dependencies without a wheel (for which it does not fail).
    """
    command = [sys.executable, "-c", "from chalice.cli import main; main()", "package", "--stage", stage]
    done = subprocess.run(
        [*command, "--merge-template", ".chalice/infrastructure.yaml", str(out)],
        cwd=staged,
        env={"AWS_DEFAULT_REGION": ANY_REGION, **os.environ, **OFFLINE},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or "Could not install dependencies" in done.stdout:
        raise PackagingError(f"chalice package failed:\n{done.stdout}{done.stderr}")


def write_template(source: Path, target: Path) -> None:
    """Write the template *source* as *target* without YAML aliases: Chalice emits some, CloudFormation takes none."""
    template = yaml.safe_load(source.read_text(encoding="utf-8"))
    text = yaml.dump(template, Dumper=PlainDumper, sort_keys=True, width=120, allow_unicode=True)
    target.write_text(text, encoding="utf-8")


class PlainDumper(yaml.SafeDumper):
    """Writes a value that occurs twice twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Never refer back to an earlier value."""
        return True


def render_report(package: Package) -> str:
    """Return sizes as text, largest top-level entries first."""
    contents = package.contents
    zipped = f"{contents.zipped / 1e6:.1f} MB zipped (budget {BUDGET_BYTES / 1e6:.0f})"
    unzipped = f"{contents.unzipped / 1e6:.1f} MB unzipped"
    runtime = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    by_size = sorted(contents.unzipped_by_entry.items(), key=lambda entry: (-entry[1], entry[0]))
    entries = [f"  {size / 1e6:6.2f} MB  {name}" for name, size in by_size]
    return "\n".join([str(package.template), f"{package.archive}: {zipped}, {unzipped}, {runtime}", *entries])


def main(arguments: list[str] | None = None) -> int:
    """Build, and print what was built; 1 when the package must not be deployed."""
    parser = argparse.ArgumentParser(prog="python -m tools.package", description="Build sam.yaml and deployment.zip.")
    parser.add_argument("--stage", choices=("dev", "prod"), default="prod", help="stage of .chalice/config.json")
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / "package", help="where the two files go")
    options = parser.parse_args(arguments)
    try:
        package = build_package(PROJECT, options.out, options.stage)
    except PackagingError as error:
        print(error, file=sys.stderr)
        return 1
    print(render_report(package))
    return 0


if __name__ == "__main__":
    sys.exit(main())
