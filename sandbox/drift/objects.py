"""Drifts of EgressIP objects: D17 to D21, D28, and the status of D11 and D12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.drift.catalogue import LISTED, POLICIES, POLICY, Drift
from sandbox.drift.play import Play

THIRD = (
    "      - name: third-policy",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: third}}",
    "        addresses: [10.10.150.200]",
)


def duplicate(play: Play) -> None:
    """D17: somebody lists one of our addresses in an object of their own."""
    play.subject = f"address {LISTED} of {POLICY}"
    play.create_egress_ip("legacy-partner", [LISTED], {"team": "legacy"})


def duplicate_gone(play: Play) -> None:
    """D17: and deletes it."""
    play.delete_egress_ip("legacy-partner")


def listed_twice(play: Play) -> None:
    """D17: an edit leaves one address in the object twice."""
    play.subject = f"EgressIP {POLICY}"
    play.edit(POLICY, {"egressIPs": ["10.10.100.253", "10.10.150.253", LISTED, LISTED]})


def host_address(play: Play) -> None:
    """D18: the address leaks into host-cidrs of the node that carries it (ovn-kubernetes issue 5966)."""
    node = play.node_of(LISTED)
    play.subject = f"address {LISTED} of {POLICY}"
    play.found["node"] = node
    own = play.stage.rosa.kube.get("nodes", node)["metadata"]["annotations"]["k8s.ovn.org/host-cidrs"]
    play.found["host-cidrs"] = own
    leaked = own.replace("]", f', "{LISTED}/32"]')
    play.annotate_node(node, "k8s.ovn.org/host-cidrs", leaked, manager="ovnkube-node")


def host_clean(play: Play) -> None:
    """D18: ovnkube-node writes the annotation anew."""
    play.annotate_node(play.found["node"], "k8s.ovn.org/host-cidrs", play.found["host-cidrs"], manager="ovnkube-node")


def invalid_entry(play: Play) -> None:
    """D19: an edit with a typo; OVN-Kubernetes does nothing more for the whole object."""
    play.subject = f"EgressIP {POLICY}"
    play.edit(POLICY, {"egressIPs": ["10.10.100.253", "10.10.150.253", LISTED, "10.10.200.2533"]})


def spec_edited(play: Play) -> None:
    """D20: somebody takes an address out of our object."""
    play.subject = f"EgressIP {POLICY}"
    play.addresses = {LISTED}
    play.edit(POLICY, {"egressIPs": ["10.10.100.253", "10.10.150.253"]})


def spec_put_back(play: Play) -> None:
    """D20: the one who edited puts it back, where the tool only watches."""
    play.edit(POLICY, {"egressIPs": ["10.10.100.253", "10.10.150.253", LISTED]})


def overlap(play: Play) -> None:
    """D21: somebody else's EgressIP selects the same namespaces."""
    play.subject = f"EgressIP {POLICY}"
    play.create_egress_ip("legacy-partner", ["10.10.200.60"], {"kubernetes.io/metadata.name": "demo-egress-ns"})


def overlap_by_labels(play: Play) -> None:
    """D21: a namespace has the labels of both selectors, which have nothing in common."""
    play.subject = f"EgressIP {POLICY}"
    kube = play.stage.rosa.kube
    play.note("$ oc create namespace demo-egress-ns; oc label namespace demo-egress-ns team=legacy; oc run app …")
    name = {"kubernetes.io/metadata.name": "demo-egress-ns", "team": "legacy"}
    kube.create("namespaces", {"metadata": {"name": "demo-egress-ns", "labels": name}}, manager="kubectl-create")
    pod = {"metadata": {"name": "app", "labels": {"run": "app"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    kube.create("pods", pod, manager="kubectl-run", namespace="demo-egress-ns")
    play.create_egress_ip("legacy-partner", ["10.10.200.60"], {"team": "legacy"})


def status_replaced(play: Play) -> None:
    """D11: `oc replace` with a file that has no status; OVN-Kubernetes never writes it again."""
    play.subject = f"address {LISTED} of {POLICY}"
    play.addresses = {"10.10.100.253", "10.10.150.253", LISTED}
    play.note(f"$ oc replace -f {POLICY}.yaml    # exported earlier, without its status")
    # What a PUT without status comes to: the object has no status subresource that would keep it.
    lost = [{"op": "remove", "path": "/status"}]
    play.stage.rosa.kube.patch("egressips", POLICY, lost, manager="kubectl-replace")


def claim_without_backing(play: Play) -> None:
    """D12: the CPIC is deleted by hand while the cluster manager is down: the status goes on claiming."""
    play.subject = f"address {LISTED} of {POLICY}"
    play.addresses = {LISTED}
    play.note("ovnkube-control-plane is down")
    play.stage.controllers.stop_manager()
    play.note(f"$ oc delete cloudprivateipconfig {LISTED}")
    play.stage.rosa.kube.delete("cloudprivateipconfigs", LISTED)
    play.unseen(30)


def manager_back(play: Play) -> None:
    """D12: the cluster manager starts again, and makes good what its objects claim."""
    play.note("ovnkube-control-plane starts again")
    play.stage.controllers.restart_manager()


def annotations_lost(play: Play) -> None:
    """D28: a person annotates a new object of ours before OVN-Kubernetes has marked it: the first mark erases that."""
    play.subject = "EgressIP third-policy"
    kube = play.stage.rosa.kube

    def annotate(kind: str, plural: str, obj: Mapping[str, Any]) -> None:
        if (kind, plural, obj["metadata"]["name"]) == ("ADDED", "egressips", "third-policy"):
            unsubscribe()
            play.note("$ oc annotate egressip third-policy owner=payments    # before OVN-Kubernetes has marked it")
            note = {"metadata": {"annotations": {"owner": "payments"}}}
            kube.patch("egressips", "third-policy", note, manager="kubectl-annotate")

    unsubscribe = kube.subscribe(annotate)
    play.note("fleet file: a third policy")
    play.put_policies(*POLICIES, *THIRD)
    play.minutes(3)


DRIFTS = (
    Drift("D11", "status lost, CPIC healthy", status_replaced, minutes=12),
    Drift("D12", "status claims an address that no CPIC backs", claim_without_backing, manager_back),
    Drift("D17", "an address is in two EgressIPs", duplicate, duplicate_gone),
    Drift("D17-own", "an address is in the object twice", listed_twice),
    Drift("D18", "an egress address counts as a host's", host_address, host_clean),
    Drift("D19", "an entry of the spec is invalid", invalid_entry),
    Drift("D20", "the spec was edited by hand", spec_edited),
    Drift(
        "D20-observe", "the spec was edited by hand, in mode observe", spec_edited, spec_put_back,
        mode="observe", shared=False,
    ),
    Drift("D21", "pods are matched by two EgressIPs", overlap, duplicate_gone),
    Drift(
        "D21-labels", "pods are matched by two EgressIPs whose selectors have nothing in common",
        overlap_by_labels, duplicate_gone, shared=False,
    ),
    Drift("D28", "an object of ours lost its annotations", annotations_lost, shared=False),
)  # fmt: skip
