"""The server under test: the simulator, or a real one where KUBE_CONTRACT_URL names it.

`python -m conformance` starts a real one and sets the variables. A server of other making must have the two CRDs and
OpenShift's admission policy, and needs KUBE_CONTRACT_TOKEN (a cluster administrator), KUBE_CONTRACT_CONTROL_PLANE_TOKEN
(OVN-Kubernetes' service account), KUBE_CONTRACT_NOBODY_TOKEN (a user without any rights), KUBE_CONTRACT_CA (PEM file)
and KUBE_CONTRACT_ETCD (the URL of its etcd).
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from sandbox.kube import KubeCluster, KubeServer, kubeconfig, make_certificates
from sandbox.kube.admission import CONTROL_PLANE_USER
from tests.sandbox.kube.client import ADMIN, CONTROL_PLANE, NOBODY, Api

_TOKENS = {ADMIN: "admin-token", CONTROL_PLANE: "ovn-token", NOBODY: "nobody-token"}

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Target:
    """A server to hold to the contract; `forget` makes it forget all history, as etcd does every few minutes."""

    url: str
    ca_file: Path
    tokens: Mapping[str, str]
    forget: Callable[[], None]


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The real server where there is one, else the simulator."""
    if url := os.environ.get("KUBE_CONTRACT_URL"):
        tokens = {
            ADMIN: os.environ["KUBE_CONTRACT_TOKEN"],
            CONTROL_PLANE: os.environ["KUBE_CONTRACT_CONTROL_PLANE_TOKEN"],
            NOBODY: os.environ["KUBE_CONTRACT_NOBODY_TOKEN"],
        }
        etcd = os.environ["KUBE_CONTRACT_ETCD"]
        yield Target(url, Path(os.environ["KUBE_CONTRACT_CA"]), tokens, lambda: _compact(etcd))
        return
    users = {ADMIN: "kube:admin", CONTROL_PLANE: CONTROL_PLANE_USER, NOBODY: "nobody"}
    cluster = KubeCluster(tokens={_TOKENS[role]: user for role, user in users.items()})
    cluster.faults.deny(user="nobody")
    directory = tmp_path_factory.mktemp("tls")
    files, authority = make_certificates(directory)
    (directory / "ca.pem").write_text(authority)
    with KubeServer(cluster, tls=files) as server:
        yield Target(server.url, directory / "ca.pem", _TOKENS, cluster.compact)


def _compact(etcd_url: str) -> None:
    """As API servers do it: by the key in which they tell each other what is compacted, and then in etcd."""
    with urllib3.PoolManager(retries=False, timeout=10.0) as pool:

        def ask(what: str, body: Mapping[str, object]) -> dict[str, Any]:
            answer = pool.request("POST", f"{etcd_url}/v3/kv/{what}", body=json.dumps(body))
            assert answer.status == 200, answer.data
            return dict(answer.json())

        revision = ask("range", {"key": _encoded("compact_rev_key")})["header"]["revision"]
        ask("put", {"key": _encoded("compact_rev_key"), "value": _encoded(revision)})
        ask("compaction", {"revision": revision, "physical": True})


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="session")
def _server(target: Target) -> Iterator[Api]:
    client = Api(target.url, target.tokens, str(target.ca_file))
    yield client
    client.close()


@pytest.fixture
def api(_server: Api) -> Iterator[Api]:
    """The server, left as it was found."""
    yield _server
    _server.clean_up()


@pytest.fixture(scope="session")
def _kubectl_files(target: Target, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """kubectl, its configuration and its cache of what the server serves."""
    program = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not on PATH, and KUBECTL names none: the server is not checked with it")
    directory = tmp_path_factory.mktemp("kubectl")
    config = directory / "kubeconfig"
    config.write_text(kubeconfig(target.url, target.tokens[ADMIN], target.ca_file.read_text()))
    return program, config, directory / "cache"


@pytest.fixture
def kubectl(_kubectl_files: tuple[str, Path, Path]) -> Kubectl:
    """Runs kubectl against the server as its administrator."""
    program, config, cache = _kubectl_files

    def run(
        *arguments: str, stdin: object = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, f"--kubeconfig={config}", f"--cache-dir={cache}", *arguments],
            input=None if stdin is None else yaml.safe_dump(stdin),
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


@pytest.fixture
def cluster() -> KubeCluster:
    """A fresh simulated cluster that lets everybody in."""
    return KubeCluster()


@pytest.fixture
def served(cluster: KubeCluster) -> Iterator[Api]:
    """The fresh simulated cluster over HTTP."""
    with KubeServer(cluster) as server:
        client = Api(server.url, {ADMIN: "anything"})
        yield client
        client.close()
