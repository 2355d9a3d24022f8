"""EgressIP objects and reservations that are not as the fleet file has them."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.adapters.errors import Conflict
from tests import factories as make
from tests.alert_situations.night import A, B, C, Night, for_policy
from tests.alert_situations.objections import wants
from tests.fakes import assign_all


def spec_edited() -> Night:
    night = Night()
    night.cluster.edit("ns", A, B, "10.10.200.99")
    return night.watch()


def spec_garbled() -> Night:
    """A slip of the hand: OVN-Kubernetes gives up on the whole object."""
    night = Night()
    night.cluster.edit("ns", A, B, C, "10.10.200.2533")
    return night.watch()


def object_missing() -> Night:
    night = Night()
    del night.cluster.egress_ips["ns"]
    assign_all(night.cluster, night.ec2)
    return night.watch()


def object_foreign() -> Night:
    night = Night()
    others = {".spec.egressIPs": "kubectl-create"}
    night.cluster.egress_ips["other"] = make.egress_ip("other", "10.10.200.9", labels={}, other_managers=others)
    night.desired = replace(night.desired, policies=(*night.desired.policies, make.policy("other", "10.10.100.77")))
    return night.watch()


def selector_overlap() -> Night:
    """Somebody else's object selects the same namespace, with fewer pods."""
    night = Night()
    there = make.egress_ip("team-b", "10.10.100.77", labels={})
    spec = replace(there.spec, namespace_selector=make.NAMESPACES, pod_selector=make.PODS)
    night.cluster.egress_ips["team-b"] = replace(there, spec=spec)
    return night.watch()


def selector_overlap_by_labels() -> Night:
    """Nothing in common in words; one namespace has both labels."""
    night = for_policy(A, B, C)
    night.settle()
    there = make.egress_ip("team-b", "10.10.100.77", labels={})
    legacy = '{"matchLabels":{"team":"legacy"}}'
    night.cluster.egress_ips["team-b"] = replace(there, spec=replace(there.spec, namespace_selector=legacy))
    night.cluster.namespaces["demo-egress-ns"] = {
        "kubernetes.io/metadata.name": "demo-egress-ns", "team": "legacy",
    }  # fmt: skip
    return night.watch()


def field_conflict() -> Night:
    """The fleet file changes, and a GitOps controller holds the list."""
    night = wants(C)
    error = Conflict("cluster API", "apply EgressIP", "conflict", {".spec.egressIPs": "argocd"})
    night.cluster.fail("apply_egress_ip", error)
    return night.watch()


def selector_narrowed() -> Night:
    night = Night()
    there = night.cluster.egress_ips["ns"]
    narrowed = '{"matchLabels":{"env":"prod","kubernetes.io/metadata.name":"demo-egress-ns"}}'
    night.cluster.egress_ips["ns"] = replace(
        there,
        spec=replace(there.spec, namespace_selector=narrowed),
        other_managers={".spec.namespaceSelector.matchLabels.env": "kubectl-edit"},
    )
    return night.watch()


def reservation_missing() -> Night:
    night = Night()
    del night.ec2.reservations[f"scr-{A}/32"]
    return night.watch()
