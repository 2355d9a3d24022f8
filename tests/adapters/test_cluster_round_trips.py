"""The cluster adapter against the sandbox's API server: what was written is read back, and refusals are real ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.adapters.cluster import KubernetesApi
from chalicelib.adapters.errors import Conflict, Denied, NotFound
from chalicelib.domain.snapshot import EgressIpSpec
from sandbox.kube import Fault, KubeCluster, KubeServer
from tests.adapters.cluster_helpers import Token, api
from tests.adapters.wire import FakeTime

SPEC = EgressIpSpec(("10.0.0.9",), '{"matchLabels":{"team":"x"}}', None)
LABELS = {"egress-keeper/policy": "demo"}
OURS = {".metadata.labels.egress-keeper/policy", ".spec.egressIPs", ".spec.namespaceSelector.matchLabels.team"}


@pytest.fixture
def cluster() -> KubeCluster:
    return KubeCluster(tokens={"second-token": "system:serviceaccount:keeper:keeper"})


@pytest.fixture
def kube(cluster: KubeCluster, time: FakeTime) -> Iterator[KubernetesApi]:
    """An adapter whose first token the server does not know: the one it asks for anew is good."""
    with KubeServer(cluster) as server:
        yield api(server.url, time, token=Token())


def make_node(cluster: KubeCluster, name: str) -> None:
    cluster.create("nodes", {"metadata": {"name": name}}, manager="kubelet")


def test_what_is_applied_is_read_back_as_ours(cluster: KubeCluster, kube: KubernetesApi) -> None:
    """Created by apply, with exactly the fields that were sent; our ownership is visible in the reading."""
    kube.apply_egress_ip("demo", SPEC, LABELS, force=False)
    [found] = kube.fetch_egress_ips()
    assert (found.name, found.spec, found.labels, found.items) == ("demo", SPEC, LABELS, ())
    assert set(found.owned_fields) == OURS
    assert found.other_managers == {}
    assert found.uid == cluster.get("egressips", "demo")["metadata"]["uid"]


def test_what_is_no_longer_applied_goes_away(kube: KubernetesApi) -> None:
    """A selector or label that we named before and name no more is removed by the server: it was ours alone."""
    kube.apply_egress_ip("demo", EgressIpSpec(("10.0.0.9",), "{}", '{"matchLabels":{"run":"x"}}'), LABELS, force=False)
    kube.apply_egress_ip("demo", SPEC, {"egress-keeper/kick": "1"}, force=False)
    [found] = kube.fetch_egress_ips()
    assert (found.spec, found.labels) == (SPEC, {"egress-keeper/kick": "1"})


def test_an_apply_leaves_ovn_kubernetes_fields_alone(cluster: KubeCluster, kube: KubernetesApi) -> None:
    """Status and mark, once written by OVN-Kubernetes, survive every further apply."""
    kube.apply_egress_ip("demo", SPEC, LABELS, force=False)
    cluster.patch(
        "egressips",
        "demo",
        {
            "metadata": {"annotations": {"k8s.ovn.org/egressip-mark": "50000"}},
            "status": {"items": [{"egressIP": "10.0.0.9", "node": "n1"}]},
        },
        manager="ovnkube-control-plane",
    )
    kube.apply_egress_ip("demo", SPEC, {**LABELS, "egress-keeper/kick": "1"}, force=True)
    assert kube.fetch_egress_ips()[0].items == (("10.0.0.9", "n1"),)
    assert cluster.get("egressips", "demo")["metadata"]["annotations"] == {"k8s.ovn.org/egressip-mark": "50000"}


def test_a_hand_edit_is_a_conflict_until_forced(cluster: KubeCluster, kube: KubernetesApi) -> None:
    """Who edited which field is told, in the error and in the reading; force takes the field back."""
    kube.apply_egress_ip("demo", SPEC, LABELS, force=False)
    cluster.patch("egressips", "demo", {"spec": {"egressIPs": ["10.0.0.66"]}}, manager="kubectl-edit")
    with pytest.raises(Conflict) as raised:
        kube.apply_egress_ip("demo", SPEC, LABELS, force=False)
    assert raised.value.managers == {".spec.egressIPs": "kubectl-edit"}
    [edited] = kube.fetch_egress_ips()
    assert edited.other_managers == {".spec.egressIPs": "kubectl-edit"}
    assert ".spec.egressIPs" not in edited.owned_fields
    kube.apply_egress_ip("demo", SPEC, LABELS, force=True)
    assert kube.fetch_egress_ips()[0].spec == SPEC


def test_only_the_object_that_was_seen_is_deleted(cluster: KubeCluster, kube: KubernetesApi) -> None:
    """A namesake with another uid stays; the right one goes, and going again is no error."""
    kube.apply_egress_ip("demo", SPEC, LABELS, force=False)
    uid = kube.fetch_egress_ips()[0].uid
    with pytest.raises(Conflict):
        kube.delete_egress_ip("demo", "another-uid")
    kube.delete_egress_ip("demo", uid)
    assert kube.fetch_egress_ips() == ()
    kube.delete_egress_ip("demo", uid)


def test_a_node_gets_its_label_and_keeps_the_rest(cluster: KubeCluster, kube: KubernetesApi) -> None:
    """The label is there afterwards, beside those of others."""
    make_node(cluster, "n1")
    cluster.patch("nodes", "n1", {"metadata": {"labels": {"a": "b"}}}, manager="kubelet")
    kube.label_node("n1", {"k8s.ovn.org/egress-assignable": ""})
    assert kube.fetch_nodes()[0].assignable == ""
    assert cluster.get("nodes", "n1")["metadata"]["labels"] == {"a": "b", "k8s.ovn.org/egress-assignable": ""}


def test_labelling_never_makes_a_node(cluster: KubeCluster, kube: KubernetesApi, time: FakeTime) -> None:
    """A node that is gone, even between the two requests, is not created by its label."""
    with pytest.raises(NotFound):
        kube.label_node("n1", {"a": "b"})
    make_node(cluster, "n1")
    cluster.faults.add(Fault(path="nodes/n1", method="PATCH", status=503, times=1))
    time.meanwhile = lambda: cluster.delete("nodes", "n1")  # it goes during the pause before the repeat
    with pytest.raises(Conflict):
        kube.label_node("n1", {"a": "b"})
    assert cluster.list("nodes") == []


def test_many_nodes_are_read_in_pages(cluster: KubeCluster, kube: KubernetesApi) -> None:
    """Pages of a hundred, all of them, by a server that means its limits."""
    for number in range(205):
        make_node(cluster, f"n{number:03}")
    cluster.requests.clear()
    assert [node.name for node in kube.fetch_nodes()] == [f"n{number:03}" for number in range(205)]
    served = [record for record in cluster.requests.matching("GET", "nodes") if record.status == 200]
    assert [record.query.get("limit") for record in served] == ["100"] * 3
    assert {record.user_agent for record in served} == {"egress-keeper"}


def test_a_list_survives_compaction(cluster: KubeCluster, kube: KubernetesApi) -> None:
    """etcd forgets the list's moment between two pages: the list starts again and is whole."""
    for number in range(150):
        make_node(cluster, f"n{number:03}")
    cluster.faults.add(Fault(path="nodes", query="continue", status=410, times=1))
    assert len(kube.fetch_nodes()) == 150


def test_an_answer_lost_after_the_write_is_asked_again(cluster: KubeCluster, kube: KubernetesApi) -> None:
    """The server applied and the connection broke: the repeat changes nothing and succeeds."""
    cluster.faults.add(Fault(path="egressips/demo", method="PATCH", drop=True, after_commit=True, times=1))
    kube.apply_egress_ip("demo", SPEC, LABELS, force=False)
    assert len(kube.fetch_egress_ips()) == 1
    cluster.faults.add(Fault(path="egressips/demo", method="DELETE", truncate=True, after_commit=True, times=1))
    kube.delete_egress_ip("demo", cluster.get("egressips", "demo")["metadata"]["uid"])
    assert kube.fetch_egress_ips() == ()


def test_a_missing_permission_is_denied(cluster: KubeCluster, kube: KubernetesApi) -> None:
    """RBAC's refusal is told in its own words."""
    cluster.faults.deny("list", "nodes")
    with pytest.raises(Denied, match=r"403: .*nodes"):
        kube.fetch_nodes()


def test_an_apply_to_a_version_that_has_passed_is_refused(kube: KubernetesApi) -> None:
    """An address is taken out of the object that was looked at, and of no later one, even by force."""
    kube.apply_egress_ip("demo", SPEC, LABELS, force=False)
    [seen] = kube.fetch_egress_ips()
    without = EgressIpSpec((), SPEC.namespace_selector, None)
    cycling = {**LABELS, "egress-keeper/cycle-10.0.0.9": "status-lost.1.20260301T120000Z"}
    kube.apply_egress_ip("demo", without, cycling, force=False, version=seen.version)
    [out] = kube.fetch_egress_ips()
    assert (out.spec.addresses, out.labels) == ((), cycling)
    assert ".metadata.labels.egress-keeper/cycle-10.0.0.9" in out.owned_fields
    with pytest.raises(Conflict) as raised:
        kube.apply_egress_ip("demo", SPEC, LABELS, force=True, version=seen.version)
    assert raised.value.managers == {}
