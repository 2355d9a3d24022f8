"""Import, from an unpacked deployment zip, everything that our code in it names; nothing else is on the path.

Every import statement counts, those inside functions too, so a module that only one rare path needs is not missed.
The check runs in a bare interpreter (no site-packages), which sees the zip's files, the standard library and the few
packages that the Lambda runtime brings. Run as a script this file is that interpreter's program, so it imports only
the standard library.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "dateutil", "six")
"""What the Lambda runtime for Python brings and our zip does not: boto3 and what only boto3 needs."""


class MissingImportError(Exception):
    """The zip lacks something that our code imports; the message lists every such import."""


def check_imports(task_root: Path) -> None:
    """Import all that app.py and chalicelib under *task_root* may ever import.

    Raises:
        MissingImportError: Something could not be imported.
    """
    with tempfile.TemporaryDirectory() as runtime:
        link_packages(Path(runtime), RUNTIME_PACKAGES)
        program = [sys.executable, "-I", "-S", "-B", __file__, str(task_root), runtime]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingImportError(done.stdout.strip() or done.stderr.strip())


def link_packages(directory: Path, names: tuple[str, ...]) -> None:
    """Make the running interpreter's packages *names* importable from *directory*, and no others."""
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise MissingImportError(f"{name} is not installed here")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (directory / source.name).symlink_to(source)


def failed_imports(task_root: Path) -> list[str]:
    """Try every import of our code under *task_root*, and each of its modules; return what went wrong, one a line."""
    sources = [task_root / "app.py", *sorted((task_root / "chalicelib").rglob("*.py"))]
    wanted = {(module_name(source.relative_to(task_root)), "") for source in sources}
    for source in sources:
        wanted.update(imports_of(ast.parse(source.read_text(encoding="utf-8"))))
    return [problem for module, name in sorted(wanted) if (problem := try_import(module, name))]


def module_name(path: Path) -> str:
    """Return the dotted name of the module at the relative *path*."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield module and imported name ("" for the module itself) of every import under *node*.

    Imports for type checkers only are left out. Relative imports are too: what they name is a module of ours anyway.
    """
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from ((node.module, alias.name) for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from imports_of(child)


def try_import(module: str, name: str) -> str:
    """Import *module*, and *name* from it; return "" or what went wrong."""
    try:
        loaded = importlib.import_module(module)
        if name and not hasattr(loaded, name):
            importlib.import_module(f"{module}.{name}")
    except Exception as error:  # noqa: BLE001 - a module that fails in any way at import is what is looked for
        return f"{module} {name}: {type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    root, runtime_directory = sys.argv[1:]
    sys.path[:] = [root, *sys.path, runtime_directory]
    problems = failed_imports(Path(root))
    print("\n".join(problems))
    sys.exit(1 if problems else 0)
