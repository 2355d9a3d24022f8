"""A cluster over HTTP with the verbs of the one in process: the same answers, and nobody acts on stale objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.kube import ApiError, KubeCluster, KubeServer, RemoteCluster, make_certificates
from tests.sandbox.kube.client import cloud_ip, egress_ip, node


@pytest.fixture
def remote(cluster: KubeCluster, tmp_path: Path) -> Iterator[RemoteCluster]:
    files, authority = make_certificates(tmp_path)
    with KubeServer(cluster, tls=files) as server, RemoteCluster(server.url, "anything", authority) as client:
        yield client


@pytest.fixture
def heard(remote: RemoteCluster) -> list[tuple[str, str, str]]:
    """(type, plural, name) of every change that a subscriber was told of."""
    events: list[tuple[str, str, str]] = []
    remote.subscribe(lambda kind, plural, obj: events.append((kind, plural, obj["metadata"]["name"])))
    return events


def test_every_verb_gives_what_it_gives_in_process(cluster: KubeCluster, remote: RemoteCluster) -> None:
    """Objects of both are the same, kind and version included."""
    remote.create("egressips", egress_ip("web", "10.0.1.5"), manager="test")
    remote.create("nodes", node("n1"), manager="kubelet")
    remote.patch("nodes", "n1", {"status": {"phase": "Running"}}, manager="kubelet", subresource="status")
    remote.patch("egressips", "web", [{"op": "add", "path": "/metadata/labels", "value": {"a": "1"}}], manager="test")
    remote.apply("egressips", {"metadata": {"name": "web", "labels": {"a": "2"}}}, manager="other", force=True)
    assert remote.get("egressips", "web") == cluster.get("egressips", "web")
    assert remote.list("nodes") == cluster.list("nodes")
    assert remote.list("namespaces") == cluster.list("namespaces")
    event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Node", "name": "n1"}}
    remote.create("events", event, manager="test", namespace="default")
    assert remote.list("events", "default") == cluster.list("events", "default")
    remote.delete("egressips", "web")
    assert cluster.list("egressips") == []


def test_refusals_are_the_same_exceptions(remote: RemoteCluster) -> None:
    """With code, reason and causes."""
    with pytest.raises(ApiError, match="not found") as caught:
        remote.get("egressips", "web")
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")
    remote.apply("egressips", egress_ip("web", "10.0.1.5"), manager="one")
    with pytest.raises(ApiError) as conflict:
        remote.apply("egressips", egress_ip("web", "10.0.1.6"), manager="two")
    assert [cause.field for cause in conflict.value.causes] == [".spec.egressIPs"]


def test_a_write_returns_after_subscribers_have_heard_of_it(
    remote: RemoteCluster, heard: list[tuple[str, str, str]]
) -> None:
    """A stepped timeline must not go on before its controllers know what is there; a write of nothing is none."""
    remote.create("egressips", egress_ip("web", "10.0.1.5"), manager="test")
    remote.patch("egressips", "web", {"metadata": {"labels": {"a": "1"}}}, manager="test")
    remote.patch("egressips", "web", {"metadata": {"labels": {"a": "1"}}}, manager="test")
    remote.delete("egressips", "web")
    assert heard == [(kind, "egressips", "web") for kind in ("ADDED", "MODIFIED", "DELETED")]


def test_the_last_finalizer_takes_the_object_along(remote: RemoteCluster, heard: list[tuple[str, str, str]]) -> None:
    """The answer to that write names no version under which it went."""
    kept: dict[str, Any] = cloud_ip("10.0.1.5", "n1")
    kept["metadata"]["finalizers"] = ["example.com/keep"]
    remote.create("cloudprivateipconfigs", kept, manager="test")
    remote.delete("cloudprivateipconfigs", "10.0.1.5")
    remote.patch("cloudprivateipconfigs", "10.0.1.5", {"metadata": {"finalizers": []}}, manager="test")
    assert [kind for kind, _, _ in heard] == ["ADDED", "MODIFIED", "DELETED"]


def test_what_others_wrote_is_heard_of_when_settled(
    cluster: KubeCluster, remote: RemoteCluster, heard: list[tuple[str, str, str]]
) -> None:
    """In the order of the writes, whatever their kinds."""
    cluster.create("nodes", node("n1"), manager="kubelet")
    cluster.create("egressips", egress_ip("web", "10.0.1.5"), manager="test")
    cluster.create("cloudprivateipconfigs", cloud_ip("10.0.1.5", "n1"), manager="test")
    cluster.delete("egressips", "web")
    remote.settle()
    assert heard == [
        ("ADDED", "nodes", "n1"),
        ("ADDED", "egressips", "web"),
        ("ADDED", "cloudprivateipconfigs", "10.0.1.5"),
        ("DELETED", "egressips", "web"),
    ]


def test_one_who_ended_hears_nothing(remote: RemoteCluster) -> None:
    """As in process."""
    heard: list[str] = []
    end = remote.subscribe(lambda kind, _plural, _obj: heard.append(kind))
    end()
    remote.create("nodes", node("n1"), manager="kubelet")
    assert heard == []
