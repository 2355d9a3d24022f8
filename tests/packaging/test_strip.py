"""What the packaging keeps, drops, checks and writes, on small trees; no download."""

from __future__ import annotations

import importlib.util
import re
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.generated import PROJECT
from tools.check_imports import MissingImportError, check_imports
from tools.runtime_files import DROPPED, EMPTIED, KEPT, UnknownFileError, is_needed
from tools.strip_zip import pack, precompile, unpack_needed

DISTRIBUTIONS = {
    "attrs": {"attr", "attrs"},
    "aws-lambda-powertools": {"aws_lambda_powertools"},
    "python-dateutil": {"dateutil"},
    "pyyaml": {"yaml", "_yaml"},
    "six": {"six.py"},
    "typing-extensions": {"typing_extensions.py"},
    "websocket-client": {"websocket"},
}
"""Distributions whose top-level entries are not called as they are."""


def write_tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def write_zip(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("app.py", True),
        ("chalicelib/domain/spec.py", True),
        ("chalicelib/__pycache__/settings.cpython-311.pyc", False),
        ("kubernetes/client/rest.py", True),
        ("kubernetes/client/models/v1_pod.py", False),
        ("kubernetes/client/__init__.py", True),
        ("aiohttp/client.py", False),
        ("requests/api.py", False),
        ("botocore/session.py", False),
        ("urllib3-2.8.0.dist-info/METADATA", False),
        ("jmespath-1.1.0.data/scripts/jp.py", False),
        ("pydantic/v1/main.py", False),
        ("pydantic/main.py", True),
        ("pydantic_core/_pydantic_core.pyi", False),
        ("certifi/cacert.pem", True),
    ],
)
def test_decision_for_a_file(path: str, needed: bool) -> None:
    """Run-time files stay; caches, stubs, metadata and what only dropped parts need go."""
    assert is_needed(path) is needed


def test_unknown_package_stops_the_packaging() -> None:
    """A new dependency is decided about by a person: silently kept it may break the budget, dropped the functions."""
    with pytest.raises(UnknownFileError, match="numpy"):
        is_needed("numpy/__init__.py")


def test_tables_decide_about_everything_that_is_locked() -> None:
    """Each distribution of requirements.txt is kept or dropped, and nothing is both."""
    names = re.findall(r"^([a-z0-9-]+)==", (PROJECT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    entries = {entry for name in names for entry in DISTRIBUTIONS.get(name, {name.replace("-", "_")})}
    assert entries - set(KEPT) - set(DROPPED) == set()
    assert set(KEPT) & set(DROPPED) == set()


def test_unpacking_empties_package_files(tmp_path: Path) -> None:
    """The official client's package files import all of it; here they are there, with nothing in them."""
    source = write_zip(
        tmp_path / "in.zip",
        {"kubernetes/__init__.py": "import kubernetes.client", "kubernetes/client/rest.py": "X = 1", "six.py": ""},
    )
    unpack_needed(source, tmp_path / "task")
    files = {path.relative_to(tmp_path / "task").as_posix(): path for path in (tmp_path / "task").rglob("*.py")}
    assert sorted(files) == ["kubernetes/__init__.py", "kubernetes/client/rest.py"]
    assert files["kubernetes/__init__.py"].read_text(encoding="utf-8") == ""
    assert all(name.startswith("kubernetes/") for name in EMPTIED)


def test_bytecode_is_used_without_a_look_at_the_source(tmp_path: Path) -> None:
    """Lambda sees a source with the zip's date: bytecode that compares dates would be compiled again at each start."""
    write_tree(tmp_path, {"chalicelib/one.py": "VALUE = 1"})
    precompile(tmp_path)
    (bytecode,) = tmp_path.rglob("*.pyc")
    assert bytecode.relative_to(tmp_path).as_posix() == f"chalicelib/__pycache__/one.{sys.implementation.cache_tag}.pyc"
    content = bytecode.read_bytes()
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(content[4:8], "little") == 0b01  # hash-based, not checked (PEP 552)
    assert b"/var/task/chalicelib/one.py" in content
    assert str(tmp_path).encode() not in content


def test_equal_files_give_equal_bytes(tmp_path: Path) -> None:
    """Dates, modes and the order in which files were written do not show: a changed zip means changed content."""
    first = write_tree(tmp_path / "a", {"app.py": "A = {'x', 'y'}", "chalicelib/one.py": "VALUE = 'one'"})
    second = write_tree(tmp_path / "b", {"chalicelib/one.py": "VALUE = 'one'", "app.py": "A = {'x', 'y'}"})
    (second / "app.py").chmod(0o700)
    for root in (first, second):
        precompile(root)
    contents = pack(first, tmp_path / "a.zip")
    assert contents == pack(second, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert contents.zipped == (tmp_path / "a.zip").stat().st_size
    assert contents.unzipped == sum(contents.unzipped_by_entry.values())


def test_every_file_is_readable_by_lambdas_user(tmp_path: Path) -> None:
    """A mode taken from a careful umask would make the function fail with a permission error."""
    root = write_tree(tmp_path / "a", {"app.py": ""})
    (root / "app.py").chmod(0o600)
    pack(root, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        (entry,) = archive.infolist()
    assert stat.filemode(entry.external_attr >> 16) == "-rw-r--r--"
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_imports_inside_functions_count(tmp_path: Path) -> None:
    """A module that only a rare path imports would otherwise be missed first in production."""
    root = write_tree(
        tmp_path,
        {
            "app.py": "import json\ndef rare():\n    from absent_package import thing\n",
            "chalicelib/__init__.py": "",
            "chalicelib/one.py": "import dateutil\nfrom json import decoder, loads\n",
        },
    )
    with pytest.raises(MissingImportError) as caught:
        check_imports(root)
    assert str(caught.value).startswith("absent_package thing: ModuleNotFoundError")
    assert "\n" not in str(caught.value)


def test_name_that_a_module_lacks_is_missed(tmp_path: Path) -> None:
    """An emptied package file has no names: taking one from it is found."""
    files = {"app.py": "from kubernetes.client import ApiClient", "kubernetes/__init__.py": ""}
    root = write_tree(tmp_path, files | {"kubernetes/client/__init__.py": "", "chalicelib/__init__.py": ""})
    with pytest.raises(MissingImportError, match=re.escape("kubernetes.client ApiClient")):
        check_imports(root)


def test_what_only_type_checkers_import_is_not_needed(tmp_path: Path) -> None:
    """Such imports never run."""
    root = write_tree(
        tmp_path,
        {
            "app.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import absent_package\n",
            "chalicelib/__init__.py": "",
        },
    )
    check_imports(root)


def test_development_packages_do_not_hide_a_gap(tmp_path: Path) -> None:
    """What is installed here but neither packed nor in the Lambda runtime counts as missing."""
    root = write_tree(tmp_path, {"app.py": "import pytest", "chalicelib/__init__.py": ""})
    with pytest.raises(MissingImportError, match="pytest"):
        check_imports(root)
