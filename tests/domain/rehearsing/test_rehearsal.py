"""What the rehearsal expects and objects to, and what planning makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.actions import ApplyEgressIp, DeleteEgressIp, LabelNode
from chalicelib.domain.findings import Kind
from chalicelib.domain.guard import UnsafePlan, refuse_if_unsafe
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.rehearsed_planning import plan_rehearsed
from chalicelib.domain.rehearsing import runs
from chalicelib.domain.rehearsing.rehearsal import Expectation, Rehearsal, rehearse
from chalicelib.domain.rehearsing.runs import WAYS, Start, Touched, runs_of
from chalicelib.domain.rehearsing.twinning import done, is_failing, twin_of
from chalicelib.domain.snapshot import EgressIpConfig, EgressIpSpec, Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.terrain import all_known
from chalicelib.domain.twin.behaviours import Variant, possible_variants
from chalicelib.domain.twin.exploring import advance_every_way
from chalicelib.domain.twin.resuming import resumed
from tests import factories as make
from tests.domain.strategies import clusters, fleets, healthy_clusters
from tests.factories import known

A, B = "10.10.100.100", "10.10.100.101"


def apply(name: str, *addresses: str, before: tuple[str, ...] | None = None, **changes: Any) -> ApplyEgressIp:
    old = None if before is None else EgressIpSpec(before, make.NAMESPACES, None)
    made = ApplyEgressIp(name, old, EgressIpSpec(addresses, make.NAMESPACES, None), {}, False, (name,), "test")
    return replace(made, **changes)


def serving(*addresses: str, on: str = "a0", **changes: Any) -> Snapshot:
    """One node a zone; an EgressIP "ns" whose addresses all serve from one node."""
    zone, number = on[0], int(on[1])
    interfaces = [make.interface(z, 0) for z in "abc" if z != zone]
    return make.snapshot(
        egress_ips=(make.egress_ip("ns", *addresses, items=dict.fromkeys(addresses, f"node-{on}")),),
        cpics=tuple(make.cpic(address, f"node-{on}") for address in addresses),
        interfaces=(make.interface(zone, number, *addresses), *interfaces),
        **changes,
    )


def rehearsed(observed: Snapshot, *actions: Any) -> Rehearsal:
    found = rehearse(actions, observed)
    assert found is not None
    return found


def small(zone: str, number: int, capacity: int, ipv6: int) -> Any:
    config = EgressIpConfig(f"eni-{zone}{number}", IPv4Network(make.ZONES[zone]), capacity, ipv6)
    return make.node(zone, number, egress_config=config, instance_type="t3.small")


def test_a_creation_is_expected_on_the_nodes_that_the_platform_may_choose() -> None:
    """The reader of a plan sees where each address will be, all equally loaded nodes of its zone included."""
    found = rehearsed(make.snapshot(nodes_per_zone=2), apply("ns", A, "10.10.150.100"))
    assert found.expectations == (
        Expectation("ns", A, "", ("node-a0", "node-a1"), False, ""),
        Expectation("ns", "10.10.150.100", "", ("node-b0", "node-b1"), False, ""),
    )
    assert found.objections == ()


def test_nothing_is_rehearsed_that_the_platform_does_not_notice() -> None:
    """Reservations and tags change nothing about egress, and an empty plan even less."""
    observed = make.snapshot()
    reserved = [a for a in plan(observed, make.cluster(make.policy(per_zone=1))).actions if "EgressIP" not in a.summary]
    assert reserved
    assert rehearse(reserved, observed) is None
    assert rehearse((), observed) is None


def test_a_snapshot_with_a_gap_is_not_rehearsed() -> None:
    """Then there is no plan either."""
    assert rehearse((apply("ns", A),), make.snapshot(cpics=Unknown("CPICs", "503", "cluster API"))) is None


def test_an_address_that_jams_a_node_is_objected_to_with_the_behaviour_that_does_it() -> None:
    """Most releases take the IPv6 number for the limit and place one address too many; EC2 refuses it for good."""
    addresses = [f"10.10.100.{n}" for n in range(100, 104)]
    observed = make.snapshot(
        "a",
        nodes=(small("a", 0, 3, 4),),
        instances=(make.instance("a", 0, type="t3.small"),),
        limits={"t3.small": 4},
    )
    actions = [apply(f"ns{n}", address) for n, address in enumerate(addresses)]
    (objection,) = rehearsed(observed, *actions).objections
    assert (objection.kind, objection.policy, objection.address, objection.adds) == ("jams", "ns3", addresses[3], True)
    assert "capacity_alias" in objection.sentence
    assert "PrivateIpAddressLimitExceeded" in objection.sentence
    assert "1.1" not in objection.behaviours.partition(" with")[0]


def test_the_smallest_of_equally_loaded_nodes_is_the_one_that_is_tried() -> None:
    """The platform may choose it, so the plan must stand it."""
    observed = make.snapshot(
        "a",
        nodes=(make.node("a", 0), small("a", 1, 0, 4)),
        instances=(make.instance("a", 0), make.instance("a", 1, type="t3.small")),
        interfaces=(make.interface("a", 0), make.interface("a", 1, "10.10.100.20", "10.10.100.21", "10.10.100.22")),
        limits={"m5.xlarge": 15, "t3.small": 4},
    )
    (objection,) = rehearsed(observed, apply("ns", A)).objections
    assert objection.kind == "jams"
    assert "node-a1" in objection.why


def test_the_limit_of_an_unknown_instance_type_is_taken_from_the_annotation() -> None:
    """Limits are the one section that a plan can do without."""
    observed = make.snapshot("a", nodes=(small("a", 0, 1, 4),), limits=Unknown("limits", "denied", "EC2"))
    found = rehearsed(observed, apply("p", A), apply("q", B))
    assert [(o.kind, o.policy) for o in found.objections] == [("jams", "q")]


def test_an_address_that_stops_serving_is_objected_to_with_the_action_to_blame() -> None:
    """Two addresses of one object on one node serve; any update of the object makes the platform drop one of them."""
    observed = serving(A, B)
    found = rehearsed(observed, LabelNode("node-b0", (), "test"), apply("ns", A, B, before=(A, B), labels={"x": "y"}))
    assert {(o.kind, o.policy, o.position, o.adds) for o in found.objections} == {("loses", "ns", 1, False)}


def test_what_a_large_addition_costs_on_the_way_is_objected_to() -> None:
    """Additions are decided without the whole twin only where the platform takes nothing away on their occasion."""
    more = [apply(f"more{n}", f"10.10.150.{100 + n}") for n in range(runs.MANY + 1)]
    found = rehearsed(serving(A, B), apply("ns", A, B, before=(A, B), labels={"x": "y"}), *more)
    assert {(o.kind, o.policy, o.position) for o in found.objections} == {("loses", "ns", 0)}


def test_what_the_plan_takes_away_is_no_objection() -> None:
    """The fleet file asks for it; how much of it may go unattended is for the guard to say."""
    found = rehearsed(serving(A), DeleteEgressIp("ns", "uid-ns", EgressIpSpec((A,), "{}", None), ("ns",), "gone"))
    assert found.objections == ()
    assert found.expectations == (Expectation("ns", A, "node-a0", (), False, "the plan takes it out"),)


def test_a_replacement_is_expected_to_serve() -> None:
    """It takes the place that the old address leaves."""
    found = rehearsed(serving(A), apply("ns", B, before=(A,)))
    assert found.objections == ()
    assert [(e.address, e.nodes) for e in found.expectations] == [(A, ()), (B, ("node-a0",))]


OLD_WITHOUT_HOST_CIDRS = make.node("c", 0, host_addresses=None)


def test_a_replacement_that_would_not_serve_is_held_and_the_old_address_kept() -> None:
    """While any node lacks host-cidrs the platform gives up new assignments, after it has taken the old address off."""
    observed = serving(A, nodes=(make.node("a", 0), make.node("b", 0), OLD_WITHOUT_HOST_CIDRS))
    (objection,) = rehearsed(observed, apply("ns", B, before=(A,))).objections
    assert objection.kind == "leaves"
    assert "silent_abort" in objection.behaviours

    planned = plan_rehearsed(observed, make.cluster(make.policy("ns", B)))
    assert not [action for action in planned.actions if isinstance(action, ApplyEgressIp | DeleteEgressIp)]
    assert [a.address for a in planned.allocations if a.held] == [make.policy("ns", B).addresses[0]]
    (finding,) = (f for f in planned.findings if f.kind is Kind.PLAN_REFUSED)
    assert "silent_abort" in finding.summary
    assert (finding.impact, finding.patience_seconds) == ("Egress goes on as it is.", 600)
    assert any(what.what == f"remove {A} from EgressIP ns" for what in planned.withheld)


def test_an_action_that_does_harm_is_left_out_and_the_others_stay() -> None:
    """One object whose update would cost an address must not hold up the rest of the plan."""
    observed = serving(A, B)
    wish = make.cluster(make.policy("ns", A, B, pods=make.PODS), make.policy("other", "10.10.150.100"))
    planned = plan_rehearsed(observed, wish)
    assert [a.name for a in planned.actions if isinstance(a, ApplyEgressIp)] == ["other"]
    assert any(w.what.startswith("apply EgressIP ns") for w in planned.withheld)
    assert [f.kind for f in planned.findings if "stop serving" in f.summary] == [Kind.PLAN_REFUSED]
    assert all(not f.repaired_by.startswith("apply EgressIP ns") for f in planned.findings)
    assert planned.rehearsal is not None
    assert planned.rehearsal.objections == ()


def test_the_guard_refuses_what_still_ends_badly_and_a_person_may_approve_it() -> None:
    """Where no single action is to blame, none can be left out."""
    observed = serving(A, B)
    action = apply("ns", A, B, before=(A, B), labels={"x": "y"})
    planned = Plan("demo", actions=(action,), rehearsal=rehearse((action,), observed))
    with pytest.raises(UnsafePlan, match="would stop serving") as refusal:
        refuse_if_unsafe(planned, observed, make.cluster())
    refuse_if_unsafe(planned, observed, make.cluster(), approved=refusal.value.digest)


def test_an_address_that_nobody_can_have_does_not_keep_nodes_from_their_label() -> None:
    """A zone's nodes lost their labels, and one of the waiting addresses is in use elsewhere: the others come back,
    however many nodes it takes before the first of them serves.
    """
    theirs = make.egress_ip("theirs", "10.10.100.1", labels={}, owned_fields=frozenset())
    nodes = tuple(make.node("a", number, assignable=None) for number in range(8))
    observed = make.snapshot(
        "a",
        nodes=nodes,
        instances=tuple(make.instance("a", number) for number in range(8)),
        interfaces=(*(make.interface("a", number) for number in range(8)), make.interface("a", 9, B)),
        egress_ips=(make.egress_ip("ns", A), make.egress_ip("taken", B), theirs),
    )
    for desired in (make.cluster(), make.cluster(make.policy("ns", A), make.policy("taken", B))):
        planned = plan_rehearsed(
            replace(observed, egress_ips=observed.egress_ips if desired.policies else (theirs,)), desired
        )
        assert {a.node for a in planned.actions if isinstance(a, LabelNode)} == {node.name for node in nodes}
        assert planned.rehearsal is not None
        assert planned.rehearsal.objections == ()
    assert planned.rehearsal is not None
    failing = {e.address: e.why for e in planned.rehearsal.expectations}
    assert "reserved address range" in failing["10.10.100.1"]
    assert "move is not allowed" in failing[B]


@pytest.mark.parametrize("other", [(), (A,)])
def test_an_apply_that_only_makes_its_own_address_fail_is_objected_to(other: tuple[str, ...]) -> None:
    """Waiting is better than failing, unless an address of the object that waits too gets to serve."""
    observed = make.snapshot(
        egress_ips=(make.egress_ip("ns", B, *other),),
        interfaces=(*(make.interface(zone) for zone in "abc"), make.interface("a", 9, B)),
        nodes=(*(make.node(zone) for zone in "abc"), make.node("a", 1)),
        instances=(*(make.instance(zone) for zone in "abc"), make.instance("a", 1)),
    )
    observed = replace(observed, interfaces=(*known(observed.interfaces), make.interface("a", 1)))
    kick = apply("ns", B, *other, before=(B, *other), labels={"kick": "1"})
    found = rehearsed(observed, LabelNode("node-b0", (), "test"), kick)
    assert [(o.kind, o.address, o.position) for o in found.objections] == ([] if other else [("jams", B, 1)])


@pytest.mark.parametrize(
    ("kubelet", "expected"),
    [(None, {"4.15", "4.20", "main"}), ("v1.31.6", {"4.18", "4.19", "4.20", "4.21"}), ("v1.34.2", {"4.21"})],
)
def test_the_cloud_controllers_version_is_told_by_the_kubelets(kubelet: str | None, expected: set[str]) -> None:
    """A kubelet may be three minors behind the control plane, and never before it."""
    observed = make.snapshot("a", nodes=(make.node("a", 0, kubelet=kubelet),))
    versions = rehearsed(observed, apply("ns", A)).versions
    assert expected <= set(versions.partition("OpenShift ")[2].split(", "))


@pytest.mark.parametrize("age_minutes", [1, 60])
def test_a_failure_that_may_be_retried_still_is_tried_both_ways(age_minutes: int) -> None:
    """CNCC's give-up cannot be seen; a plan must be right in either case."""
    changed = make.NOW - timedelta(minutes=age_minutes)
    failed = make.cpic(A, "node-a0", assigned="False", message="limit", changed_at=changed)
    observed = make.snapshot(egress_ips=(make.egress_ip("ns", A),), cpics=(failed,))
    found = rehearsed(observed, apply("other", "10.10.150.100"))
    assert found.runs == (8 if age_minutes == 1 else 4)


@given(healthy_clusters, st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.data())
@settings(max_examples=12)
def test_the_decisions_alone_come_out_as_the_whole_twin(observed: Snapshot, zones: list[str], data: Any) -> None:
    """For additions to a cluster at rest the short run says exactly what the long one does."""
    known = all_known(observed)
    assert known is not None
    start = Start(*twin_of(known, observed.limits), frozenset())
    if not start.calm:
        return
    actions = []
    for number, zone in enumerate(zones):
        places = data.draw(st.lists(st.sampled_from((3, 10, 11, 226, 230, 231)), min_size=1, max_size=3, unique=True))
        actions.append(apply(f"new{number}", *(str(IPv4Network(make.ZONES[zone])[place]) for place in places)))
    touched = Touched.by(actions)
    variants = data.draw(st.lists(st.sampled_from(possible_variants()), min_size=2, max_size=2, unique=True))
    way = data.draw(st.sampled_from(WAYS))
    whole = [runs._run_whole(start, v.behaviours, way, actions, touched) for v in variants]
    decided = [runs._run_decisions(start, v.behaviours, way, actions) for v in variants]
    short = [run for run in decided if run is not None]
    assert [(r.serving, set(r.failed), r.lost) for r in short] == [(r.serving, set(r.failed), r.lost) for r in whole]
    # A run that stands for a variant must have come out the same under it.
    for run in runs_of(start, variants, way, actions, touched):
        alike = [w.serving for w, v in zip(whole, variants, strict=True) if run.stands_for(v.behaviours)]
        assert all(found == run.serving for found in alike)


_PAIR = st.lists(st.sampled_from((A, B, "10.10.100.102")), min_size=1, max_size=2, unique=True)


@given(st.tuples(st.integers(0, 2), st.integers(0, 2)), _PAIR, _PAIR, st.sampled_from(possible_variants()))
@settings(max_examples=10)
def test_no_choice_of_the_platform_ends_worse_than_rehearsed(
    capacities: tuple[int, int], one: list[str], other: list[str], variant: Variant
) -> None:
    """Whatever nodes and orders it picks, with every race of one step: no failure that no objection has named."""
    kinds = [f"t{capacity}" for capacity in capacities]
    observed = make.snapshot(
        "a",
        nodes=tuple(small("a", n, capacity, capacity + 1) for n, capacity in enumerate(capacities)),
        instances=tuple(make.instance("a", n, type=kind) for n, kind in enumerate(kinds)),
        interfaces=(make.interface("a", 0), make.interface("a", 1)),
        limits={kind: capacity + 1 for kind, capacity in zip(kinds, capacities, strict=True)},
    )
    actions = [apply("p", *one), apply("q", *(a for a in other if a not in one))]
    known = all_known(observed)
    assert known is not None
    worlds = [resumed(*twin_of(known, observed.limits), variant.behaviours)]
    for action in actions:
        worlds = [done(world, action) for world in worlds]
    ends = advance_every_way(worlds, 600.0, delays=1).worlds
    failed = {a for world in ends for a, cpic in world.objects.cpics.items() if is_failing(cpic)}
    if failed:
        assert rehearsed(observed, *actions).objections


@given(clusters, fleets)
@settings(max_examples=20)
def test_a_rehearsed_plan_is_the_same_again_and_has_no_objection_left(observed: Snapshot, desired: ClusterSpec) -> None:
    """Whatever is there and wanted: every objection is held, left out or was none, and the outcome is a function."""
    planned = plan_rehearsed(observed, desired)
    assert planned == plan_rehearsed(observed, desired)
    assert planned.rehearsal is None or planned.rehearsal.objections == ()


def test_what_people_garbled_does_not_stop_a_rehearsal() -> None:
    """Lists, claims and names that are no addresses, nodes that are not there: they are somebody else's trouble."""
    observed = make.snapshot(
        egress_ips=(
            make.egress_ip("odd", "10.10.100.300", "x", "10.10.100.77", items={"x": "node-a0", "10.10.100.77": "gone"}),
            make.egress_ip("v6", "fd00::7", items={"fd00::7": "node-b0"}),
        ),
        cpics=(
            make.cpic("not-an-address", "node-a0"),
            make.cpic("fd00.0000.0000.0000.0000.0000.0000.0007", "node-b0", owner="v6"),
            make.cpic("10.10.150.77", "gone", owner=None, assigned=None),
        ),
        instances=(make.instance("a", 0, interface_id=None), make.instance("b", 0)),
    )
    found = rehearsed(observed, apply("ns", A, "10.10.150.100"), apply("odd", "10.10.100.78", before=("x",)))
    assert {(e.policy, e.address) for e in found.expectations} >= {("ns", A), ("ns", "10.10.150.100")}
