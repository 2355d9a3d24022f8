"""A handful of checks with the real kubectl, where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.kube import KubeCluster, KubeServer, kubeconfig, make_certificates
from tests.sandbox.kube.client import egress_ip, node

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not on PATH: the simulator is not checked with it"
)

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def kubectl(cluster: KubeCluster, tmp_path: Path) -> Iterator[Kubectl]:
    """Runs kubectl against the cluster, over HTTPS: it sends no token over plain HTTP."""
    files, authority = make_certificates(tmp_path)
    with KubeServer(cluster, tls=files) as server:
        config = tmp_path / "kubeconfig"
        config.write_text(kubeconfig(server.url, "anything", authority))

        def run(*arguments: str, stdin: object = None) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["kubectl", f"--kubeconfig={config}", f"--cache-dir={tmp_path / 'cache'}", *arguments],
                input=None if stdin is None else yaml.safe_dump(stdin),
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )

        yield run


def test_get_prints_the_columns_of_the_crd(cluster: KubeCluster, kubectl: Kubectl) -> None:
    """By short name."""
    cluster.create("egressips", egress_ip("web", "10.0.1.5"), manager="test")
    lines = kubectl("get", "eip").stdout.splitlines()
    assert lines[0].split("  ")[0] == "NAME"
    assert "ASSIGNED EGRESSIPS" in lines[0]
    assert lines[1].split() == ["web", "10.0.1.5"]


def test_apply_reports_conflicts_and_forces_through_them(cluster: KubeCluster, kubectl: Kubectl) -> None:
    """Server-side."""
    config = egress_ip("web", "10.0.1.5")
    apply = ("apply", "--server-side", "-f", "-")
    assert "serverside-applied" in kubectl(*apply, stdin=config).stdout
    cluster.patch("egressips", "web", {"spec": {"egressIPs": ["10.0.1.7"]}}, manager="editor")
    refused = kubectl(*apply, stdin=config)
    assert 'conflict with "editor" using k8s.ovn.org/v1: .spec.egressIPs' in refused.stderr
    assert kubectl(*apply, "--force-conflicts", stdin=config).returncode == 0
    assert cluster.get("egressips", "web")["spec"]["egressIPs"] == ["10.0.1.5"]


def test_client_side_apply_changes_what_it_created(cluster: KubeCluster, kubectl: Kubectl) -> None:
    """Custom and core kinds; the second time by a patch."""
    for config in (egress_ip("web", "10.0.1.5"), egress_ip("web", "10.0.1.6")):
        assert kubectl("apply", "-f", "-", stdin=config).stderr == ""
    assert cluster.get("egressips", "web")["spec"]["egressIPs"] == ["10.0.1.6"]
    for labels in ({"a": "1"}, {"a": "2"}):
        assert kubectl("apply", "-f", "-", stdin=node("n1", labels=labels)).stderr == ""
    assert cluster.get("nodes", "n1")["metadata"]["labels"] == {"a": "2"}


def test_labels_are_set_and_objects_described_and_deleted(cluster: KubeCluster, kubectl: Kubectl) -> None:
    """The everyday commands of the guide the product replaces."""
    cluster.create("nodes", node("n1"), manager="kubelet")
    assert kubectl("label", "node", "n1", "k8s.ovn.org/egress-assignable=").stdout.strip() == "node/n1 labeled"
    assert cluster.get("nodes", "n1")["metadata"]["labels"] == {"k8s.ovn.org/egress-assignable": ""}
    cluster.create("egressips", egress_ip("web", "10.0.1.5"), manager="test")
    described = kubectl("describe", "eip", "web").stdout
    assert "10.0.1.5" in described
    assert kubectl("delete", "eip", "web").returncode == 0
    assert cluster.list("egressips") == []


def test_a_token_is_created_and_works(cluster: KubeCluster, kubectl: Kubectl) -> None:
    """kubectl sends these bodies as protobuf."""
    assert kubectl("create", "namespace", "team").returncode == 0
    assert kubectl("create", "serviceaccount", "keeper", "--namespace=team").returncode == 0
    assert kubectl("create", "secret", "generic", "s", "--from-literal=a=b").returncode == 0
    assert cluster.get("secrets", "s")["data"] == {"a": "Yg=="}
    token = kubectl("create", "token", "keeper", "--namespace=team", "--duration=20m").stdout.strip()
    assert cluster.tokens.user_of(f"Bearer {token}") == "system:serviceaccount:team:keeper"


def test_unknown_members_are_refused_by_default(kubectl: Kubectl) -> None:
    """kubectl asks for strict validation."""
    refused = kubectl("create", "-f", "-", stdin=egress_ip("web", "10.0.1.5", foo=1))
    assert 'unknown field "spec.foo"' in refused.stderr


def test_objects_come_out_as_they_are(cluster: KubeCluster, kubectl: Kubectl) -> None:
    """-o json, owners included."""
    cluster.create("nodes", node("n1"), manager="kubelet")
    shown = json.loads(kubectl("get", "node", "n1", "-o", "json", "--show-managed-fields").stdout)
    assert shown == cluster.get("nodes", "n1")
