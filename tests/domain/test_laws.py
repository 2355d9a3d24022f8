"""Laws of planning, over random clusters, fleets and neighbours."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.actions import (
    TAG_CLUSTER,
    ApplyEgressIp,
    AssignAddress,
    DeleteEgressIp,
    LabelNode,
    ReleaseReservation,
    ReserveCidr,
    TagReservation,
)
from chalicelib.domain.addresses import aws_reserved
from chalicelib.domain.capacity import CapacityReport, report_capacity
from chalicelib.domain.findings import Kind
from chalicelib.domain.plan import Plan, plain
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.terrain import is_our_object
from tests import factories as make
from tests.domain.strategies import clusters, fleets, healthy_clusters
from tests.domain.world import ConflictError, apply_plan, converge, serving, settle
from tests.factories import known

laws = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@laws
@given(clusters, fleets)
def test_applying_and_planning_again_comes_to_rest(observed: Snapshot, desired: ClusterSpec) -> None:
    """Applied and settled often enough, every plan ends in a plan without actions, from whatever state."""
    converge(observed, desired)


@laws
@given(clusters, fleets, st.data())
def test_a_plan_cut_short_anywhere_is_finished_by_the_next(
    observed: Snapshot, desired: ClusterSpec, data: st.DataObject
) -> None:
    """Whichever prefix of a plan was applied, whether or not the platform has caught up, planning goes on to rest."""
    planned = plan(observed, desired)
    cut = apply_plan(observed, planned, first=data.draw(st.integers(0, len(planned.actions))))
    converge(settle(cut) if data.draw(st.booleans()) else cut, desired)


@laws
@given(clusters, fleets, st.randoms(use_true_random=False))
def test_order_of_observation_does_not_matter(observed: Snapshot, desired: ClusterSpec, chance: random.Random) -> None:
    """The same world listed in another order gives the same plan, byte for byte, and the same digest."""
    sections: dict[str, Any] = {
        field.name: tuple(chance.sample(value, len(value)))
        for field in fields(observed)
        if isinstance(value := getattr(observed, field.name), tuple)
    }
    policies = tuple(chance.sample(desired.policies, len(desired.policies)))
    first = plan(observed, desired)
    second = plan(replace(observed, **sections), replace(desired, policies=policies))
    assert json.dumps(plain(first)) == json.dumps(plain(second))
    assert first.digest == second.digest


@laws
@given(clusters, fleets)
def test_no_address_is_given_twice(observed: Snapshot, desired: ClusterSpec) -> None:
    """Every address has one policy, whatever objects, tags and fleet file say together."""
    count = Counter(allocation.address for allocation in plan(observed, desired).allocations)
    assert [address for address, times in count.items() if times > 1] == []


@laws
@given(clusters, fleets)
def test_what_is_asked_for_is_nobody_elses(observed: Snapshot, desired: ClusterSpec) -> None:
    """An address that a plan adds is not AWS's, no host's, on no interface, in no other object or foreign range."""
    planned = plan(observed, desired)
    subnets = {subnet.id: subnet.cidr for subnet in known(observed.subnets)}
    hosts = {address for node in known(observed.nodes) for address in node.host_addresses or ()}
    taken = {address for interface in known(observed.interfaces) for address in interface.addresses}
    carried = {(cpic.owner, IPv4Address(cpic.address)) for cpic in known(observed.cpics)}
    for action in planned.actions:
        if not isinstance(action, ApplyEgressIp):
            continue
        elsewhere = {a for e in known(observed.egress_ips) if e.name != action.name for a in e.spec.addresses}
        for text in action.adds:
            address = IPv4Address(text)
            (home,) = (cidr for cidr in subnets.values() if address in cidr)
            assert address not in aws_reserved(home)
            assert address not in hosts
            assert address not in taken or (action.name, address) in carried
            assert text not in elsewhere
            over = [r for r in known(observed.reservations) if address in r.cidr and r.tags.get(TAG_CLUSTER) != "demo"]
            assert all(r.cidr.prefixlen == 32 and r.type == "explicit" and not r.tags for r in over)


@laws
@given(clusters, fleets)
def test_nothing_unowned_is_touched(observed: Snapshot, desired: ClusterSpec) -> None:
    """Objects, reservations and nodes that are not ours stay as they are, and people's own tags too."""
    objects = {eip.name: eip for eip in known(observed.egress_ips)}
    reservations = {reservation.id: reservation for reservation in known(observed.reservations)}
    nodes = {node.name: node for node in known(observed.nodes)}
    for action in plan(observed, desired).actions:
        match action:
            case ApplyEgressIp():
                assert action.name in {policy.name for policy in desired.policies}
                assert action.name not in objects or is_our_object(objects[action.name])
            case DeleteEgressIp():
                assert is_our_object(objects[action.name])
                assert action.name not in {policy.name for policy in desired.policies}
            case TagReservation():
                assert reservations[action.reservation_id].tags[TAG_CLUSTER] == desired.name
                assert all(key.startswith("egress-keeper/") for key in (*action.write, *action.remove))
            case ReleaseReservation():
                assert reservations[action.reservation_id].tags[TAG_CLUSTER] == desired.name
            case LabelNode():
                assert nodes[action.node].assignable is None
                assert nodes[action.node].pool is not None
            case AssignAddress():
                raise AssertionError("without a memory nothing has settled")
            case ReserveCidr():
                assert not any(action.cidr.overlaps(r.cidr) for r in known(observed.reservations))


@laws
@given(clusters, fleets)
def test_new_reservations_are_well_formed(observed: Snapshot, desired: ClusterSpec) -> None:
    """Ranges lie in their subnet, overlap nothing, leave AWS's addresses out, and their tags fit EC2's limits."""
    made = [action for action in plan(observed, desired).actions if isinstance(action, ReserveCidr)]
    subnets = {subnet.id: subnet.cidr for subnet in known(observed.subnets)}
    for index, action in enumerate(made):
        home = subnets[action.subnet_id]
        assert action.cidr.subnet_of(home)
        assert action.cidr.prefixlen >= 28
        assert not any(address in action.cidr for address in aws_reserved(home))
        assert not any(action.cidr.overlaps(other.cidr) for other in made[:index])
        assert all(len(value) <= 256 and len(key) <= 128 for key, value in action.tags.items())
        assert len(action.tags) <= 50


@laws
@given(clusters, fleets)
def test_a_reservation_in_use_is_never_released(observed: Snapshot, desired: ClusterSpec) -> None:
    """Object gone, then CPIC gone, then the address off every interface: only then may a range go."""
    used = {IPv4Address(address) for eip in known(observed.egress_ips) for address in eip.spec.addresses}
    used |= {IPv4Address(cpic.address) for cpic in known(observed.cpics)}
    used |= {address for interface in known(observed.interfaces) for address in interface.addresses}
    for action in plan(observed, desired).actions:
        if isinstance(action, ReleaseReservation):
            assert not any(address in action.cidr for address in used)


@laws
@given(clusters, fleets)
def test_additions_fit_the_nodes(observed: Snapshot, desired: ClusterSpec) -> None:
    """One address of an object a node, no subnet beyond nodes × smallest capacity, and no node of it beyond its own."""
    report = report_capacity(observed)
    assert isinstance(report, CapacityReport)
    planned = plan(observed, desired)
    applied = [action for action in planned.actions if isinstance(action, ApplyEgressIp)]
    after = {eip.name: set(eip.spec.addresses) for eip in known(observed.egress_ips)}
    after.update({action.name: set(action.after.addresses) for action in applied})
    for subnet in known(observed.subnets):
        rows = [row for row in report.nodes if row.eligible and row.subnet == subnet.cidr]
        added = {a for action in applied for a in action.adds if IPv4Address(a) in subnet.cidr}
        if added:
            asked = {a for listed in after.values() for a in listed if _inside(a, subnet.cidr)}
            assert len(asked) <= len(rows) * min(row.capacity for row in rows)
        for action in applied:
            if any(IPv4Address(a) in subnet.cidr for a in action.adds):
                assert sum(1 for a in action.after.addresses if _inside(a, subnet.cidr)) <= len(rows)
    full_before = {c.address for c in known(observed.cpics) if "LimitExceeded" in c.message}
    settled = settle(apply_plan(observed, planned))
    added = {a for action in applied for a in action.adds}
    assert not {c.address for c in known(settled.cpics) if "LimitExceeded" in c.message} & added - full_before


def _inside(text: str, cidr: IPv4Network) -> bool:
    return IPv4Address(text) in cidr


@laws
@given(clusters, fleets, st.data())
def test_blindness_changes_nothing(observed: Snapshot, desired: ClusterSpec, data: st.DataObject) -> None:
    """With a section unknown there is no action at all, and the section is a finding."""
    sections = ["nodes", "egress_ips", "cpics", "instances", "subnets", "interfaces", "reservations"]
    unknown = data.draw(st.lists(st.sampled_from(sections), min_size=1, unique=True))
    blind_to: dict[str, Any] = {name: Unknown(name, "503 Service Unavailable", "EC2") for name in unknown}
    blind = replace(observed, **blind_to)
    planned = plan(blind, desired)
    assert planned.actions == ()
    assert {f.subject for f in planned.findings if f.kind is Kind.SECTION_UNKNOWN} == set(unknown)
    assert len(planned.withheld) == len(unknown)


@laws
@given(healthy_clusters, fleets, st.data())
def test_an_unchanged_wish_never_costs_a_serving_address(
    observed: Snapshot, desired: ClusterSpec, data: st.DataObject
) -> None:
    """However nodes, memories and objects suffer, no plan takes what serves from a policy whose wish is the same."""
    rested = converge(observed, desired)
    before = serving(rested)
    kept = {a.address for a in plan(rested, desired).allocations}
    hurt = settle(data.draw(damages(rested)))
    for action in plan(hurt, desired).actions:
        if isinstance(action, ApplyEgressIp):
            lost = set(action.removes) & before.get(action.name, set())
            assert not {address for address in lost if IPv4Address(address) in kept}, action.reason
        if isinstance(action, DeleteEgressIp):
            assert action.name not in {policy.name for policy in desired.policies}


@laws
@given(healthy_clusters, fleets, st.data())
def test_one_memory_is_enough(observed: Snapshot, desired: ClusterSpec, data: st.DataObject) -> None:
    """Objects deleted, or reservations deleted, or tags wiped, or zones without nodes: the same addresses come back.

    Only what lies under somebody else's reservation has no second memory.
    """
    rested = converge(observed, desired)
    before = serving(rested)
    loss = data.draw(st.sampled_from(["objects", "reservations", "tags", "nodes"]))
    names = {policy.name for policy in desired.policies}
    ours = {e.name for e in known(rested.egress_ips) if e.name in names and is_our_object(e)}
    match loss:
        case "objects":
            hurt = replace(rested, egress_ips=tuple(e for e in known(rested.egress_ips) if e.name not in ours))
        case "reservations":
            hurt = replace(
                rested, reservations=tuple(r for r in known(rested.reservations) if r.tags.get(TAG_CLUSTER) != "demo")
            )
        case "tags":
            tags = [
                {k: v for k, v in r.tags.items() if not k.startswith("egress-keeper/policy")}
                for r in known(rested.reservations)
            ]
            hurt = replace(
                rested,
                reservations=tuple(replace(r, tags=t) for r, t in zip(known(rested.reservations), tags, strict=True)),
            )
        case _:
            hurt = replace(rested, nodes=(), instances=(), interfaces=())
    again = {(a.policy, str(a.address)) for a in plan(converge(settle(hurt), desired), desired).allocations}
    kept = plan(rested, desired).allocations
    blocks = [r.cidr for r in known(rested.reservations) if r.tags.get(TAG_CLUSTER) == "demo"]
    protected = [a for a in kept if a.policy in ours and any(a.address in block for block in blocks)]
    assert {(a.policy, str(a.address)) for a in protected if str(a.address) in before.get(a.policy, ())} <= again


@st.composite
def damages(draw: st.DrawFn, observed: Snapshot) -> Snapshot:
    """What happens to a cluster: nodes go or lose their label, memories are lost, people edit objects."""
    gone = draw(st.sets(st.sampled_from([n.name for n in known(observed.nodes)] or [""])))
    how = draw(st.sampled_from(["label", "ready", "deleted"]))
    nodes = tuple(
        replace(n, assignable=None) if how == "label" else replace(n, ready=False) if how == "ready" else n
        for n in known(observed.nodes)
        if n.name not in gone or how != "deleted"
    )
    changed = tuple(n if n.name in gone else o for n, o in zip(nodes, known(observed.nodes), strict=False))
    observed = replace(observed, nodes=nodes if how == "deleted" else changed)
    if draw(st.booleans()):
        observed = replace(observed, reservations=())
    elif draw(st.booleans()):
        bare = tuple(
            replace(r, tags={TAG_CLUSTER: "demo"}) if TAG_CLUSTER in r.tags else r for r in known(observed.reservations)
        )
        observed = replace(observed, reservations=bare)
    if draw(st.booleans()):
        extra = draw(st.sampled_from(["10.10.100.77", "10.10.150.77", "not an address"]))
        observed = replace(
            observed,
            egress_ips=tuple(
                replace(
                    e,
                    spec=replace(e.spec, addresses=(*e.spec.addresses, extra)),
                    owned_fields=e.owned_fields - {".spec.egressIPs"},
                    other_managers={**e.other_managers, ".spec.egressIPs": "kubectl-edit"},
                )
                for e in known(observed.egress_ips)
            ),
        )
    return observed


def test_the_world_objects_to_an_unforced_apply_over_anothers_value() -> None:
    """The API server would refuse it, and so must the world in which the laws above are tried."""
    edited = make.egress_ip("ns", "10.10.100.253", other_managers={".spec.egressIPs": "kubectl-edit"})
    action = ApplyEgressIp(
        "ns", edited.spec, replace(edited.spec, addresses=("10.10.100.9",)), {}, force=False, policies=(), reason=""
    )
    with pytest.raises(ConflictError):
        apply_plan(replace(make.snapshot(), egress_ips=(edited,)), Plan("demo", (action,)))
