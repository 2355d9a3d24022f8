"""What importing the adapters may cost, and how little of the kubernetes package they may need."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import chalicelib.adapters
from tests.adapters.cluster_helpers import named, page
from tests.adapters.wire import ScriptedServer

ROOT = Path(__file__).parents[2]
ADAPTERS = sorted(
    path.stem for path in Path(chalicelib.adapters.__file__).parent.glob("*.py") if path.stem != "__init__"
)
HEAVY = {"boto3", "botocore", "kubernetes", "urllib3", "pydantic", "requests", "yaml", "http.client"}
KEPT = (
    "client/configuration.py",
    "client/exceptions.py",
    "client/rest.py",
    "utils/_retry_base.py",
    "utils/keepalive.py",
    "utils/retry.py",
)
"""The modules of the kubernetes package that the deployed zip keeps."""


def python(code: str, *path: Path) -> str:
    """Run *code* in a new interpreter that looks for modules in *path* first."""
    environment = {"PYTHONPATH": ":".join(str(folder) for folder in (*path, ROOT)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_every_adapter_imports_no_client() -> None:
    """A function pays for the clients it uses, on first use; the import alone costs nearly nothing."""
    imports = "\n".join(f"import chalicelib.adapters.{name}" for name in ADAPTERS)
    loaded = set(json.loads(python(f"import json, sys\n{imports}\nprint(json.dumps(sorted(sys.modules)))")))
    assert loaded & HEAVY == set()


@pytest.fixture
def stripped(tmp_path: Path) -> Path:
    """The kubernetes package as the zip has it: six modules, and packages that say nothing."""
    spec = find_spec("kubernetes")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    whole = Path(spec.submodule_search_locations[0])
    for name in KEPT:
        target = tmp_path / "kubernetes" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((whole / name).read_bytes())
    for package in ("", "client", "utils"):
        (tmp_path / "kubernetes" / package / "__init__.py").touch()
    return tmp_path


def test_six_modules_of_the_kubernetes_package_are_enough(stripped: Path, server: ScriptedServer) -> None:
    """A whole list works with the stripped package, so the zip need not carry 100 MB of models."""
    server.will(page(named("a"), more="t"), page(named("b")))
    code = f"""
import sys
from chalicelib.adapters.cluster import KubernetesApi
from chalicelib.adapters.cluster_wire import ClusterWire
api = KubernetesApi(ClusterWire({server.url!r}, lambda *, force=False: "t"))
print([node.name for node in api.fetch_nodes()])
import kubernetes
assert kubernetes.__file__.startswith({str(stripped)!r}), kubernetes.__file__
"""
    assert python(code, stripped) == "['a', 'b']\n"
