"""Kubernetes objects in all their forms, as snapshot values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.cluster_parse import (
    canonical,
    parse_cpic,
    parse_egress_ip,
    parse_node,
)
from chalicelib.adapters.errors import Unreachable
from chalicelib.domain.snapshot import Cpic, EgressIp, EgressIpConfig, EgressIpSpec, Node, Unreadable

GOOD = [{"interface": "eni-1", "ifaddr": {"ipv4": "10.0.128.0/18"}, "capacity": {"ipv4": 14, "ipv6": 15}}]
SUBNET = IPv4Network("10.0.128.0/18")


def node(**changes: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "ip-10-0-128-9",
            "uid": "u-1",
            "creationTimestamp": "2026-03-01T12:00:00Z",
            "labels": {
                "k8s.ovn.org/egress-assignable": "",
                "topology.kubernetes.io/zone": "eu-central-1a",
                "node.kubernetes.io/instance-type": "m5.xlarge",
                "hypershift.openshift.io/nodePool": "prod-egress",
            },
            "annotations": {
                "cloud.network.openshift.io/egress-ipconfig": json.dumps(GOOD),
                "k8s.ovn.org/host-cidrs": '["10.0.128.9/18"]',
                "k8s.ovn.org/node-primary-ifaddr": '{"ipv4":"10.0.128.9/18"}',
                "k8s.ovn.org/node-subnets": '{"default":["10.128.0.0/23"]}',
            },
        },
        "spec": {"providerID": "aws:///eu-central-1a/i-0123456789abcdef0"},
        "status": {
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.31.6"},
        },
        **changes,
    }


def metadata(**changes: Any) -> dict[str, Any]:
    return {"metadata": {**node()["metadata"], **changes}}


def test_a_whole_node() -> None:
    """Every attribute of a node comes from the place the platform writes it to."""
    assert parse_node(node()) == Node(
        name="ip-10-0-128-9",
        created_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        ready=True,
        assignable="",
        zone="eu-central-1a",
        instance_id="i-0123456789abcdef0",
        instance_type="m5.xlarge",
        egress_config=EgressIpConfig("eni-1", SUBNET, 14, 15),
        host_addresses=(IPv4Address("10.0.128.9"),),
        networked=True,
        pool="prod-egress",
        kubelet="v1.31.6",
    )


def test_whose_a_node_is() -> None:
    """Our mark beside the label, and Karpenter's label, come from the node's labels; absent they say nothing."""
    labels = {"egress-keeper/assignable-by": "egress-keeper", "karpenter.sh/nodepool": "general"}
    marked, plain = parse_node(node(**metadata(labels=labels))), parse_node(node())
    assert (marked.marked, marked.autonode) == (True, "general")
    assert (plain.marked, plain.autonode) == (False, None)


def test_a_node_that_just_registered() -> None:
    """A Node object is there minutes before its labels, annotations, conditions and instance: each is None."""
    bare = {"metadata": {"name": "new", "creationTimestamp": "2026-03-01T12:00:00Z"}}
    assert parse_node(bare) == Node(
        name="new",
        created_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        ready=False,
        assignable=None,
        zone=None,
        instance_id=None,
        instance_type=None,
        egress_config=Unreadable("annotation is missing"),
        host_addresses=None,
        networked=False,
    )


NO_ZONE_LABEL = metadata(labels={})


@pytest.mark.parametrize(
    ("changes", "attribute", "expected"),
    [
        pytest.param(NO_ZONE_LABEL, "zone", "eu-central-1a", id="zone from providerID"),
        pytest.param({**NO_ZONE_LABEL, "spec": {}}, "zone", None, id="no zone anywhere"),
        pytest.param({**NO_ZONE_LABEL, "spec": {"providerID": "aws:////i-0a"}}, "zone", None, id="empty zone"),
        pytest.param({"spec": {"providerID": "aws:///i-0a"}}, "instance_id", "i-0a", id="providerID without zone"),
        pytest.param({"spec": {}}, "instance_id", None, id="no providerID"),
        pytest.param({"spec": {"providerID": "gce://p/z/i-0a"}}, "instance_id", None, id="another cloud"),
        pytest.param({"spec": {"providerID": 7}}, "instance_id", None, id="providerID a number"),
        pytest.param(
            metadata(labels={"k8s.ovn.org/egress-assignable": "false"}), "assignable", "false", id="label value"
        ),
        pytest.param({"status": {}}, "ready", False, id="no conditions"),
        pytest.param(
            {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, "ready", False, id="Unknown"
        ),
        pytest.param({"status": {"conditions": [7, None]}}, "ready", False, id="conditions of another kind"),
        pytest.param(
            {"spec": {"taints": [{"key": "node.cloudprovider.kubernetes.io/uninitialized", "effect": "NoSchedule"}]}},
            "uninitialized",
            True,
            id="uninitialized",
        ),
        pytest.param({"spec": {"taints": [{"key": "other"}]}}, "uninitialized", False, id="another taint"),
        pytest.param(metadata(deletionTimestamp="2026-03-01T12:00:00Z"), "deleting", True, id="deleting"),
        pytest.param(metadata(annotations={"k8s.ovn.org/node-subnets": "{}"}), "networked", False, id="half networked"),
        pytest.param(metadata(annotations=None), "networked", False, id="annotations null"),
        pytest.param(
            metadata(creationTimestamp="2026-03-01T14:00:00.5+02:00"),
            "created_at",
            datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC),
            id="another time zone",
        ),
    ],
)
def test_node_forms(changes: dict[str, Any], attribute: str, expected: object) -> None:
    """A form that differs from the usual changes the attribute it is about, as told."""
    assert getattr(parse_node(node(**changes)), attribute) == expected


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        pytest.param(7, "an object without a name", id="number"),
        pytest.param({}, "an object without a name", id="empty"),
        pytest.param({"metadata": {"name": ""}}, "an object without a name", id="empty name"),
        pytest.param({"metadata": {"name": "n1"}}, "n1", id="no creation time"),
        pytest.param({"metadata": {"name": "n1", "creationTimestamp": "yesterday"}}, "n1", id="no moment"),
    ],
)
def test_an_object_without_identity_makes_the_list_unknown(raw: Any, named: str) -> None:
    """What cannot be a node is not left out, which would look like a smaller cluster: it raises, naming the object."""
    with pytest.raises(Unreachable, match="cannot understand " + named) as raised:
        parse_node(raw)
    assert raised.value.operation == "list nodes"


KUBECTL = {
    "manager": "kubectl-edit",
    "operation": "Update",
    "fieldsV1": {"f:spec": {"f:egressIPs": {}}, "f:metadata": {"f:annotations": {".": {}, "f:note": {}}}},
}
KEEPER = {
    "manager": "egress-keeper",
    "operation": "Apply",
    "fieldsV1": {
        "f:metadata": {"f:labels": {"f:egress-keeper/policy": {}, "f:app.kubernetes.io/managed-by": {}}},
        "f:spec": {"f:egressIPs": {}, "f:namespaceSelector": {"f:matchLabels": {"f:team": {}}}},
    },
}
OVN = {
    "manager": "ovnkube-control-plane-7",
    "operation": "Update",
    "fieldsV1": {"f:status": {".": {}, "f:items": {}}, "f:metadata": {"f:annotations": {"f:k8s.ovn.org/mark": {}}}},
}


def egress_ip(*managed: Any, **changes: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "demo", "uid": "u-7", "labels": {"b": "2", "a": "1"}, "managedFields": list(managed)},
        "spec": {
            "egressIPs": ["10.0.128.200", "10.0.128.201"],
            "namespaceSelector": {"matchLabels": {"team": "x", "env": "prod"}},
        },
        "status": {"items": [{"egressIP": "10.0.128.200", "node": "n1"}]},
        **changes,
    }


def test_a_whole_egress_ip() -> None:
    """Spec in canonical form, status as claimed, our own fields and everybody else's apart."""
    assert parse_egress_ip(egress_ip(KEEPER, KUBECTL, OVN)) == EgressIp(
        name="demo",
        uid="u-7",
        labels={"a": "1", "b": "2"},
        spec=EgressIpSpec(
            addresses=("10.0.128.200", "10.0.128.201"),
            namespace_selector='{"matchLabels":{"env":"prod","team":"x"}}',
            pod_selector=None,
        ),
        items=(("10.0.128.200", "n1"),),
        owned_fields=frozenset(
            {
                ".metadata.labels.egress-keeper/policy",
                ".metadata.labels.app.kubernetes.io/managed-by",
                ".spec.egressIPs",
                ".spec.namespaceSelector.matchLabels.team",
            }
        ),
        other_managers={".spec.egressIPs": "kubectl-edit"},
    )


@pytest.mark.parametrize(
    ("managed", "owned", "others"),
    [
        pytest.param([], set(), {}, id="none"),
        pytest.param(["x", None], set(), {}, id="of another kind"),
        pytest.param([{"manager": "egress-keeper", "operation": "Apply"}], set(), {}, id="no fields"),
        pytest.param(
            [{**KEEPER, "operation": "Update"}],
            set(),
            {
                ".metadata.labels.app.kubernetes.io/managed-by": "egress-keeper",
                ".metadata.labels.egress-keeper/policy": "egress-keeper",
                ".spec.egressIPs": "egress-keeper",
                ".spec.namespaceSelector.matchLabels.team": "egress-keeper",
            },
            id="our name, but not an apply",
        ),
        pytest.param(
            [KUBECTL, {**KUBECTL, "manager": "argocd"}], set(), {".spec.egressIPs": "argocd, kubectl-edit"}, id="shared"
        ),
        pytest.param(
            [{"manager": "m", "operation": "Update", "fieldsV1": {"f:spec": {"f:podSelector": {".": {}}}}}],
            set(),
            {".spec.podSelector": "m"},
            id="an empty map is a leaf",
        ),
        pytest.param(
            [{"manager": "m", "operation": "Update", "fieldsV1": {"f:spec": {"f:egressIPs": {'v:"10.0.0.1"': {}}}}}],
            set(),
            {'.spec.egressIPs["10.0.0.1"]': "m"},
            id="a member of a set",
        ),
    ],
)
def test_field_ownership(managed: list[Any], owned: set[str], others: dict[str, str]) -> None:
    """Only what server-side apply holds under our name is ours; annotations and status of others do not matter."""
    parsed = parse_egress_ip(egress_ip(*managed))
    assert (set(parsed.owned_fields), dict(parsed.other_managers)) == (owned, others)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"spec": {"podSelector": {}}}, EgressIpSpec((), "{}", "{}"), id="empty pod selector"),
        pytest.param(
            {"spec": {"podSelector": {"matchLabels": {"run": "x"}}}},
            EgressIpSpec((), "{}", '{"matchLabels":{"run":"x"}}'),
            id="pod selector",
        ),
        pytest.param({"spec": None}, EgressIpSpec((), "{}", None), id="no spec"),
        pytest.param({"spec": {"egressIPs": None}}, EgressIpSpec((), "{}", None), id="addresses null"),
        pytest.param({"spec": {"egressIPs": ["", "x"]}}, EgressIpSpec(("", "x"), "{}", None), id="not addresses"),
    ],
)
def test_egress_ip_specs(changes: dict[str, Any], expected: EgressIpSpec) -> None:
    """The schema admits nearly everything in a spec; it is taken as written."""
    assert parse_egress_ip(egress_ip(**changes)).spec == expected


@pytest.mark.parametrize("status", [None, {}, {"items": None}, {"items": [7]}])
def test_no_status_is_nothing_assigned(status: Any) -> None:
    """An EgressIP that nobody has assigned yet has no items, in whatever form that is said."""
    assert parse_egress_ip(egress_ip(status=status)).items == ()


def test_an_egress_ip_without_uid_is_not_understood() -> None:
    """Deleting needs the uid; an object without one is not what an API server sends."""
    with pytest.raises(Unreachable, match="cannot understand demo"):
        parse_egress_ip({"metadata": {"name": "demo"}})


def test_a_cpic_at_work() -> None:
    """A CPIC says where the address should be, where it is, and what became of it."""
    raw = {
        "metadata": {
            "name": "10.0.128.200",
            "annotations": {"k8s.ovn.org/egressip-owner-ref": "demo"},
            "deletionTimestamp": "2026-03-01T12:05:00Z",
        },
        "spec": {"node": "n2"},
        "status": {
            "node": "n1",
            "conditions": [
                {
                    "type": "Assigned",
                    "status": "False",
                    "reason": "CloudResponseError",
                    "message": "Error processing cloud release request, err: x",
                    "lastTransitionTime": "2026-03-01T12:00:00Z",
                }
            ],
        },
    }
    assert parse_cpic(raw) == Cpic(
        address="10.0.128.200",
        spec_node="n2",
        status_node="n1",
        assigned="False",
        reason="CloudResponseError",
        message="Error processing cloud release request, err: x",
        owner="demo",
        deleting=True,
        changed_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        deleted_at=datetime(2026, 3, 1, 12, 5, tzinfo=UTC),
    )


def test_a_cpic_just_created() -> None:
    """Before the cloud network controller has seen it, a CPIC has neither status nor owner to speak of."""
    fresh = parse_cpic({"metadata": {"name": "fc00.0000.0000.0000.0000.0000.0000.0001"}, "spec": {"node": "n1"}})
    assert fresh == Cpic("fc00.0000.0000.0000.0000.0000.0000.0001", "n1", "", None, "", "", None)


def test_a_cpic_with_an_odd_time_is_still_a_cpic() -> None:
    """One unreadable time must not make every address of the cluster unknown."""
    raw = {
        "metadata": {"name": "10.0.0.1"},
        "status": {"conditions": [{"type": "Assigned", "lastTransitionTime": "x"}]},
    }
    assert parse_cpic(raw).changed_at is None


@given(st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=5), max_size=3), max_size=5))
def test_canonical_selectors_do_not_depend_on_order(selector: dict[str, list[str]]) -> None:
    """The same selector is the same text, however its keys were ordered, and reads back as itself."""
    reordered = dict(reversed(selector.items()))
    assert canonical(selector) == canonical(reordered)
    assert json.loads(canonical(selector)) == selector
