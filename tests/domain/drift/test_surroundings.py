"""What is odd around the addresses: told, never touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.planning import plan
from chalicelib.domain.remembered import Remembered
from chalicelib.domain.snapshot import EgressIpConfig, Snapshot
from chalicelib.domain.verdicts import LONGEST_TRANSIT
from tests import factories as make
from tests.domain.reading import foreign
from tests.domain.world import converge
from tests.factories import known

A, B = "10.10.100.253", "10.10.150.253"
STRAY = "10.10.100.77"
DESIRED = make.cluster(make.policy("ns", A, B))
HEALTHY = converge(make.snapshot(nodes_per_zone=2), DESIRED)
VOUCHED = Remembered(vouched=True)


def told(observed: Snapshot, kind: Kind) -> list[Finding]:
    """Findings of that kind; whatever is told, nothing is changed on account of it."""
    planned = plan(observed, DESIRED, VOUCHED)
    assert planned.actions == ()
    return [finding for finding in planned.findings if finding.kind is kind]


def with_interface(number: int = 0, **changes: Any) -> Snapshot:
    made = tuple(replace(i, **changes) if i.id == f"eni-a{number}" else i for i in known(HEALTHY.interfaces))
    return replace(HEALTHY, interfaces=made)


def test_a_healthy_cluster_has_none_of_it() -> None:
    """Nothing is odd where all is as it should be."""
    assert plan(HEALTHY, DESIRED, VOUCHED).findings == ()


def test_d15_an_address_that_nothing_asks_for_is_told() -> None:
    """Somebody's, or left by a node that was deleted before its instance: they look alike, so it stays."""
    there = (make.host("a", 0), IPv4Address(A), IPv4Address(STRAY))
    (found,) = told(with_interface(addresses=there), Kind.ADDRESS_LEFTOVER)
    assert found.subject == f"address {STRAY} on eni-a0"
    assert found.severity is Severity.WARNING
    assert "unassign-private-ip-addresses --region eu-central-1 --network-interface-id eni-a0" in found.todo
    assert found.patience_seconds == 600


def test_d15_an_interface_of_somebody_else_may_hold_what_it_likes() -> None:
    """Only those that carry egress addresses are looked at."""
    theirs = make.interface("a", 9, STRAY, id="eni-x", instance_id=None)
    assert told(replace(HEALTHY, interfaces=(*known(HEALTHY.interfaces), theirs)), Kind.ADDRESS_LEFTOVER) == []


@pytest.mark.parametrize(
    ("tags", "hosted", "untagged"),
    [
        (("true", "true"), True, []),
        (("true", ""), True, ["interface eni-a1"]),
        (("true", ""), False, []),
        (("", ""), True, []),
    ],
)
def test_d10_an_interface_without_the_tag_is_told_before_it_fails(
    tags: tuple[str, str], hosted: bool, untagged: list[str]
) -> None:
    """On HCP, and where other interfaces of the cluster have it: else the controller's role is another one."""
    values = {"eni-a0": tags[0], "eni-a1": tags[1]}
    interfaces = tuple(
        replace(i, tags={"red-hat-managed": values[i.id]} if values.get(i.id) else {}) if i.id in values else i
        for i in known(HEALTHY.interfaces)
    )
    nodes = tuple(replace(n, pool=n.pool if hosted else None) for n in known(HEALTHY.nodes))
    found = told(replace(HEALTHY, interfaces=interfaces, nodes=nodes), Kind.INTERFACE_UNTAGGED)
    assert [f.subject for f in found] == untagged


@pytest.mark.parametrize(
    ("announced", "severity"),
    [(14, None), (15, Severity.WARNING), (13, None), (-1, Severity.INFO), (None, Severity.INFO)],
)
def test_d27_an_annotation_that_promises_too_much_is_told(announced: int | None, severity: Severity | None) -> None:
    """EC2's own number is 14; what promises less than that does no harm."""
    config = EgressIpConfig("eni-c1", IPv4Network(make.ZONES["c"]), announced)
    nodes = tuple(replace(n, egress_config=config) if n.name == "node-c1" else n for n in known(HEALTHY.nodes))
    found = told(replace(HEALTHY, nodes=nodes), Kind.CAPACITY_ODD)
    assert [(f.subject, f.severity) for f in found] == ([("node node-c1", severity)] if severity else [])


@pytest.mark.parametrize(
    ("changes", "told_as"),
    [
        ({"owner": "gone"}, "is left over: gone does not list its address"),
        ({"owner": None}, "is left over"),
        ({"deleting": True, "deleted_at": make.NOW - LONGEST_TRANSIT * 2}, "its address is not released"),
        ({"deleting": True, "deleted_at": make.NOW - timedelta(seconds=30)}, ""),
    ],
)
def test_d13_an_assignment_that_nobody_asks_for_is_told(changes: dict[str, Any], told_as: str) -> None:
    """Left over from a deleted EgressIP, or stuck in its deletion; neither is ours to delete."""
    observed = replace(HEALTHY, cpics=(*known(HEALTHY.cpics), make.cpic(STRAY, "node-a1", **changes)))
    found = told(observed, Kind.CPIC_STALE)
    assert [f.subject for f in found] == ([f"CloudPrivateIPConfig {STRAY}"] if told_as else [])
    assert all(told_as in f.summary for f in found)


def test_ipv6_assignments_are_not_ours_to_judge() -> None:
    """Their names are not the addresses that objects list."""
    there = make.cpic("fc00.f853.0ccd.e793.0000.0000.0000.0054", "node-a1", owner="v6")
    assert told(replace(HEALTHY, cpics=(*known(HEALTHY.cpics), there)), Kind.CPIC_STALE) == []


WIDE, NARROW = '{"matchLabels":{"team":"a"}}', '{"matchLabels":{"env":"x","team":"a"}}'
EXPRESSION = '{"matchExpressions":[{"key":"team","operator":"In","values":["a"]}]}'


@pytest.mark.parametrize(
    ("namespaces", "pods", "subject"),
    [
        (make.NAMESPACES, None, "EgressIP ns and EgressIP theirs"),
        (make.NAMESPACES, make.PODS, "EgressIP theirs and EgressIP ns"),
        ("{}", None, "EgressIP ns and EgressIP theirs"),
        (WIDE, None, ""),
        (EXPRESSION, make.PODS, ""),
    ],
)
def test_d21_an_overlap_is_told_from_the_selectors_alone(namespaces: str, pods: str | None, subject: str) -> None:
    """Where one demands all that the other does, its pods are the other's too: the narrower one is named first."""
    theirs = foreign("theirs")
    theirs = replace(theirs, spec=replace(theirs.spec, namespace_selector=namespaces, pod_selector=pods))
    found = told(replace(HEALTHY, egress_ips=(*known(HEALTHY.egress_ips), theirs)), Kind.SELECTOR_OVERLAP)
    assert [f.subject for f in found] == ([subject] if subject else [])


def test_d21_objects_of_others_may_overlap_among_themselves() -> None:
    """Nothing of ours is concerned."""
    spec = replace(foreign("x").spec, namespace_selector=WIDE)
    both = [replace(foreign(name), spec=spec) for name in ("x", "y")]
    both[1] = replace(both[1], spec=replace(spec, namespace_selector=NARROW))
    assert told(replace(HEALTHY, egress_ips=(*known(HEALTHY.egress_ips), *both)), Kind.SELECTOR_OVERLAP) == []


def test_d16_d26_addresses_whose_nodes_went_to_another_subnet_are_told() -> None:
    """The zone has egress nodes, but not where the address can be carried: no node to come will help."""
    moved = IPv4Network("10.10.99.0/24")
    there = make.subnet("a", id="subnet-new", cidr=moved)
    nodes = tuple(
        replace(n, egress_config=EgressIpConfig(f"eni-{n.name}", moved, 14)) if n.name.startswith("node-a") else n
        for n in known(HEALTHY.nodes)
    )
    instances = tuple(
        replace(i, subnet_id="subnet-new") if i.zone.endswith("a") else i for i in known(HEALTHY.instances)
    )
    observed = replace(HEALTHY, subnets=(*known(HEALTHY.subnets), there), nodes=nodes, instances=instances)
    (found,) = told(observed, Kind.SUBNET_CHANGED)
    assert found.subject == "zone eu-central-1a (10.10.100.0/24)"
    assert str(moved) in found.summary
    assert f"{A} of ns" in found.summary


def test_d25_a_reservation_made_anew_is_adopted_without_a_word() -> None:
    """Only its id differs: no record of ours names one."""
    anew = tuple(replace(r, id=f"{r.id}-again") for r in known(HEALTHY.reservations))
    planned = plan(replace(HEALTHY, reservations=anew), DESIRED)
    assert (planned.actions, planned.findings) == ((), ())


def test_d08_a_move_is_no_finding() -> None:
    """An address that serves from another node than before is what failover is for."""
    (there,) = known(HEALTHY.egress_ips)
    before = dict(there.items)[A]
    other = "node-a1" if before == "node-a0" else "node-a0"
    at = {A: other, B: dict(there.items)[B]}
    cpics = tuple(replace(c, spec_node=at[c.address], status_node=at[c.address]) for c in known(HEALTHY.cpics))
    on = {f"eni-{node.removeprefix('node-')}": address for address, node in at.items()}
    interfaces = tuple(
        replace(i, addresses=(i.addresses[0], *([IPv4Address(on[i.id])] if i.id in on else [])))
        for i in known(HEALTHY.interfaces)
    )
    moved = replace(HEALTHY, egress_ips=(replace(there, items=tuple(at.items())),), cpics=cpics, interfaces=interfaces)
    planned = plan(moved, DESIRED, VOUCHED)
    assert (planned.actions, planned.findings) == ((), ())
