"""The server under test: the simulator, or a real one where KUBE_CONTRACT_URL names it.

A real server must have the two CRDs and OpenShift's admission policy, and needs KUBE_CONTRACT_TOKEN (a cluster
administrator), KUBE_CONTRACT_CONTROL_PLANE_TOKEN (OVN-Kubernetes' service account) and KUBE_CONTRACT_CA (PEM file).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sandbox.kube import KubeCluster, KubeServer
from sandbox.kube.admission import CONTROL_PLANE_USER
from tests.sandbox.kube.client import ADMIN, CONTROL_PLANE, Api

_TOKENS = {ADMIN: "admin-token", CONTROL_PLANE: "ovn-token"}


@pytest.fixture(scope="session")
def _server() -> Iterator[Api]:
    url = os.environ.get("KUBE_CONTRACT_URL")
    if url:
        tokens = {
            ADMIN: os.environ["KUBE_CONTRACT_TOKEN"],
            CONTROL_PLANE: os.environ["KUBE_CONTRACT_CONTROL_PLANE_TOKEN"],
        }
        real = Api(url, tokens, os.environ["KUBE_CONTRACT_CA"])
        yield real
        real.close()
        return
    cluster = KubeCluster(tokens={_TOKENS[ADMIN]: "kube:admin", _TOKENS[CONTROL_PLANE]: CONTROL_PLANE_USER})
    with KubeServer(cluster) as server:
        simulated = Api(server.url, _TOKENS)
        yield simulated
        simulated.close()


@pytest.fixture
def api(_server: Api) -> Iterator[Api]:
    """The server, left as it was found."""
    yield _server
    _server.clean_up()


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
