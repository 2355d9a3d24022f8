"""The cluster in process: what controllers of the sandbox and other tests rely on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from sandbox.kube import ApiError, KubeCluster
from tests.sandbox.kube.client import cloud_ip, egress_ip, node

MARK = "k8s.ovn.org/egressip-mark"

Seen = list[tuple[str, str, str, str]]


def recorder(cluster: KubeCluster) -> Seen:
    """Every change as (type, plural, name, version), from now on."""
    seen: Seen = []

    def note(kind: str, plural: str, obj: Mapping[str, Any]) -> None:
        seen.append((kind, plural, obj["metadata"]["name"], obj["metadata"]["resourceVersion"]))

    cluster.subscribe(note)
    return seen


def test_what_is_read_is_a_copy(cluster: KubeCluster) -> None:
    """Changing an answer, or what was written, changes nothing in the cluster."""
    config = egress_ip("web", "10.0.1.5")
    created = cluster.create("egressips", config, manager="test")
    config["spec"]["egressIPs"].append("10.0.1.6")
    created["spec"]["egressIPs"].append("10.0.1.7")
    cluster.get("egressips", "web")["spec"]["egressIPs"].append("10.0.1.8")
    cluster.list("egressips")[0]["spec"]["egressIPs"].append("10.0.1.9")
    assert cluster.get("egressips", "web")["spec"]["egressIPs"] == ["10.0.1.5"]


def test_a_patch_stays_the_callers(cluster: KubeCluster) -> None:
    """Nothing of a patch is shared with the stored object."""
    cluster.create("egressips", egress_ip("web", "10.0.1.5"), manager="test")
    patch = {"spec": {"egressIPs": ["10.0.1.6"]}}
    cluster.patch("egressips", "web", patch, manager="test")
    patch["spec"]["egressIPs"].append("10.0.1.7")
    assert cluster.get("egressips", "web")["spec"]["egressIPs"] == ["10.0.1.6"]


def test_unchecked_parts_are_copied_too(cluster: KubeCluster) -> None:
    """What the type does not describe is no back door."""
    affinity = {"nodeAffinity": {"a": "b"}}
    spec = {"containers": [{"name": "c", "image": "i"}], "affinity": affinity}
    cluster.create("pods", {"metadata": {"name": "p"}, "spec": spec}, manager="test")
    affinity["nodeAffinity"]["a"] = "changed"
    assert cluster.get("pods", "p")["spec"]["affinity"] == {"nodeAffinity": {"a": "b"}}


def test_every_verb_works_in_process(cluster: KubeCluster) -> None:
    """Merge patch by mapping, JSON patch by list, replace, status by subresource, delete."""
    cluster.create("cloudprivateipconfigs", cloud_ip("10.0.1.5", "n1"), manager="ovn")
    cluster.patch("cloudprivateipconfigs", "10.0.1.5", {"spec": {"node": "n2"}}, manager="ovn")
    add = [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]
    patched = cluster.patch("cloudprivateipconfigs", "10.0.1.5", add, manager="ovn")
    assert (patched["spec"], patched["metadata"]["labels"]) == ({"node": "n2"}, {"a": "b"})
    status = {"status": {"node": "n2", "conditions": []}}
    written = cluster.patch("cloudprivateipconfigs", "10.0.1.5", status, manager="cncc", subresource="status")
    assert written["status"] == status["status"]
    written["spec"]["node"] = "n3"
    replaced = cluster.replace("cloudprivateipconfigs", "10.0.1.5", written, manager="ovn")
    assert replaced["spec"] == {"node": "n3"}
    cluster.delete("cloudprivateipconfigs", "10.0.1.5")
    with pytest.raises(ApiError) as refused:
        cluster.get("cloudprivateipconfigs", "10.0.1.5")
    assert (refused.value.code, refused.value.reason) == (404, "NotFound")


def test_an_egress_ip_has_no_status_endpoint_in_process_either(cluster: KubeCluster) -> None:
    """The same 404 as over HTTP."""
    cluster.create("egressips", egress_ip("web"), manager="test")
    with pytest.raises(ApiError, match="not found"):
        cluster.patch("egressips", "web", {"status": {"items": []}}, manager="ovn", subresource="status")


def test_namespaced_objects_default_to_the_default_namespace(cluster: KubeCluster) -> None:
    """The argument wins over the object, the object over the default; lists span all namespaces unless told."""
    cluster.create("namespaces", {"metadata": {"name": "team"}}, manager="test")
    cluster.create("secrets", {"metadata": {"name": "a"}}, manager="test")
    cluster.create("secrets", {"metadata": {"name": "b", "namespace": "team"}}, manager="test")
    cluster.create("secrets", {"metadata": {"name": "c"}}, manager="test", namespace="team")
    assert cluster.get("secrets", "a")["metadata"]["namespace"] == "default"
    assert [secret["metadata"]["name"] for secret in cluster.list("secrets")] == ["a", "b", "c"]
    assert [secret["metadata"]["name"] for secret in cluster.list("secrets", "team")] == ["b", "c"]


def test_deleting_a_namespace_empties_it(cluster: KubeCluster) -> None:
    """As the namespace controller of a real cluster does; others keep their objects."""
    cluster.create("namespaces", {"metadata": {"name": "team"}}, manager="test")
    cluster.create("secrets", {"metadata": {"name": "mine"}}, manager="test", namespace="team")
    cluster.create("secrets", {"metadata": {"name": "other"}}, manager="test")
    cluster.delete("namespaces", "team")
    assert [secret["metadata"]["name"] for secret in cluster.list("secrets")] == ["other"]


def test_in_process_writers_may_set_the_mark(cluster: KubeCluster) -> None:
    """They stand for OVN-Kubernetes' control plane; creating with the mark is refused even so."""
    cluster.create("egressips", egress_ip("web"), manager="test")
    marked = {"metadata": {"annotations": {MARK: "50000"}}}
    assert cluster.patch("egressips", "web", marked, manager="ovn")["metadata"]["annotations"] == {MARK: "50000"}
    with pytest.raises(ApiError, match="cannot be created"):
        cluster.create(
            "egressips", {**egress_ip("bad"), "metadata": {"name": "bad", **marked["metadata"]}}, manager="x"
        )


def test_before_openshift_4_22_there_is_no_policy() -> None:
    """Anybody may do anything with the mark."""
    cluster = KubeCluster(openshift_admission=False)
    config = egress_ip("web")
    config["metadata"]["annotations"] = {MARK: "50000"}
    cluster.create("egressips", config, manager="test")
    cleared = cluster.patch("egressips", "web", {"metadata": {"annotations": None}}, manager="test")
    assert "annotations" not in cleared["metadata"]


def test_times_come_from_the_clock() -> None:
    """Creation and ownership are stamped by it, to the second."""
    cluster = KubeCluster(clock=lambda: 1_700_000_000.9)
    meta = cluster.apply("egressips", egress_ip("web"), manager="keeper")["metadata"]
    assert (meta["creationTimestamp"], meta["managedFields"][0]["time"]) == ("2023-11-14T22:13:20Z",) * 2


def test_subscribers_see_every_commit_once_in_order(cluster: KubeCluster) -> None:
    """Writes that change nothing are no commits; a deletion has a version of its own."""
    seen = recorder(cluster)
    cluster.create("nodes", node("n1"), manager="kubelet")
    cluster.apply("egressips", egress_ip("web"), manager="keeper")
    cluster.apply("egressips", egress_ip("web"), manager="keeper")
    cluster.delete("egressips", "web")
    kinds = [(kind, plural, name) for kind, plural, name, _ in seen]
    assert kinds == [("ADDED", "nodes", "n1"), ("ADDED", "egressips", "web"), ("DELETED", "egressips", "web")]
    versions = [int(version) for *_, version in seen]
    assert versions == list(range(versions[0], versions[0] + 3))
    assert cluster.resource_version == versions[-1]


def test_a_subscriber_may_write(cluster: KubeCluster) -> None:
    """Its own changes follow the one it reacts to; other subscribers never see them the wrong way round."""

    def react(kind: str, plural: str, obj: Mapping[str, Any]) -> None:
        if (kind, plural) == ("ADDED", "egressips"):
            cluster.create("cloudprivateipconfigs", cloud_ip(obj["spec"]["egressIPs"][0], "n1"), manager="ovn")

    cluster.subscribe(react)
    seen = recorder(cluster)
    cluster.create("egressips", egress_ip("web", "10.0.1.5"), manager="test")
    assert [(plural, name) for _, plural, name, _ in seen] == [
        ("egressips", "web"),
        ("cloudprivateipconfigs", "10.0.1.5"),
    ]


def test_subscribers_are_called_outside_the_lock(cluster: KubeCluster) -> None:
    """Another thread can read while a subscriber is at work."""
    read: list[int] = []

    def read_elsewhere(_kind: str, _plural: str, _obj: Mapping[str, Any]) -> None:
        thread = threading.Thread(target=lambda: read.append(len(cluster.list("egressips"))))
        thread.start()
        thread.join(timeout=5)

    cluster.subscribe(read_elsewhere)
    cluster.create("egressips", egress_ip("web"), manager="test")
    assert read == [1]


def test_after_unsubscribing_nothing_comes(cluster: KubeCluster) -> None:
    """And unsubscribing twice is no error."""
    seen: list[str] = []
    unsubscribe = cluster.subscribe(lambda kind, _plural, _obj: seen.append(kind))
    unsubscribe()
    unsubscribe()
    cluster.create("egressips", egress_ip("web"), manager="test")
    assert seen == []


def test_concurrent_writers_lose_nothing(cluster: KubeCluster) -> None:
    """Every write has its version, and subscribers see them all in order."""
    seen = recorder(cluster)

    def write(writer: int) -> None:
        for index in range(20):
            cluster.create("egressips", egress_ip(f"web-{writer}-{index}"), manager="test")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = [int(version) for *_, version in seen]
    assert len(versions) == 80
    assert versions == sorted(versions)
    assert len(cluster.list("egressips")) == 80


def test_an_unknown_resource_is_404(cluster: KubeCluster) -> None:
    """In process too."""
    with pytest.raises(ApiError) as refused:
        cluster.list("deployments")
    assert refused.value.code == 404
