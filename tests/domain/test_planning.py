from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

import pytest

from chalicelib.domain.actions import LabelNode
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import EgressIpConfig, Snapshot, Unknown
from chalicelib.domain.terrain import JOINING_TIME
from tests import factories as make
from tests.domain.reading import found
from tests.domain.world import converge, settle
from tests.factories import known

A, B, C = "10.10.100.253", "10.10.150.253", "10.10.200.253"
DESIRED = make.cluster(make.policy("ns", A, B, C))
YOUNG = make.NOW - timedelta(minutes=3)
UNKNOWN = Unknown("subnet CIDR reservations", "503 Service Unavailable", "EC2")


def with_node(**changes: Any) -> Snapshot:
    """Three healthy nodes, and a second one in zone a that is like this."""
    observed = make.snapshot()
    more = make.node("a", 1, **changes)
    return replace(
        observed,
        nodes=(*known(observed.nodes), more),
        instances=(*known(observed.instances), make.instance("a", 1, launched_at=more.created_at)),
        interfaces=(*known(observed.interfaces), make.interface("a", 1)),
    )


# What can't be read


DISPENSABLE = ("taken_at", "limits", "ocm", "selected")


@pytest.mark.parametrize("section", [f.name for f in fields(Snapshot) if f.name not in DISPENSABLE])
def test_one_unknown_section_stops_every_change(section: str) -> None:
    """Whatever it is: no action, one finding that says what, why and whose, and nothing else is guessed at."""
    changes: dict[str, Any] = {section: UNKNOWN}
    planned = plan(replace(make.snapshot(), **changes), DESIRED)
    assert (planned.actions, planned.allocations, planned.verdicts) == ((), (), ())
    (finding,) = planned.findings
    assert finding.kind is Kind.SECTION_UNKNOWN
    assert finding.summary == "Subnet CIDR reservations could not be read: 503 Service Unavailable."
    assert finding.cause == "EC2 does not answer"
    (withheld,) = planned.withheld
    assert withheld.what == "every change"


def test_unknown_address_limits_are_only_said() -> None:
    """They merely cross-check the annotation, so planning goes on without them."""
    planned = plan(make.snapshot(limits=UNKNOWN), DESIRED)
    assert planned.actions
    assert len(found(planned, Kind.SECTION_UNKNOWN)) == 1


def test_sections_of_one_system_are_one_cause() -> None:
    """When EC2 does not answer at all, people get one message."""
    other = replace(UNKNOWN, what="subnets")
    planned = plan(make.snapshot(reservations=UNKNOWN, subnets=other), DESIRED)
    assert len({finding.group for finding in planned.findings}) == 1
    assert len({finding.subject for finding in planned.findings}) == 2


# Labels on nodes


def test_hosted_nodes_of_the_pools_are_labelled() -> None:
    """HCP applies pool labels once, at birth: an existing node gets the label from us."""
    planned = plan(with_node(assignable=None), make.cluster())
    assert planned.actions == (LabelNode("node-a1", (), "machine pool egress-a is to carry egress addresses"),)
    (finding,) = found(planned, Kind.NODE_LABEL_MISSING)
    assert (finding.repaired_by, finding.todo) == ("label node node-a1 k8s.ovn.org/egress-assignable", "")


def test_classic_nodes_are_left_to_the_pool() -> None:
    """On classic an operator labels nodes, and a label set by hand makes it take that label from their siblings."""
    planned = plan(with_node(assignable=None, pool=None), make.cluster())
    assert planned.actions == ()
    (finding,) = found(planned, Kind.NODE_LABEL_MISSING)
    assert "Never label the node by hand" in finding.todo


@pytest.mark.parametrize(
    "changes",
    [
        {"assignable": "false"},
        {"assignable": None, "deleting": True},
        {"assignable": None, "uninitialized": True},
        {"assignable": None, "instance_id": "i-other-pool"},
        {"assignable": None, "instance_id": None},
    ],
)
def test_other_nodes_are_not_labelled(changes: dict[str, Any]) -> None:
    """Labelled already, on its way in or out, or in no pool of the fleet file."""
    assert not found(plan(with_node(**changes), make.cluster()), Kind.NODE_LABEL_MISSING)


@pytest.mark.parametrize(("created_at", "settles"), [(YOUNG, True), (make.NOW - JOINING_TIME, False)])
def test_a_missing_label_is_told_at_once_of_a_grown_up_node(created_at: Any, settles: bool) -> None:
    """A node that is just joining may still get it; one that has been there for long will not."""
    (finding,) = found(plan(with_node(assignable=None, created_at=created_at), make.cluster()), Kind.NODE_LABEL_MISSING)
    assert finding.settles is settles


# Nodes that can't carry


def test_a_labelled_node_that_carries_nothing_is_a_finding() -> None:
    """With every reason, once the platform's own patience is over."""
    observed = with_node(ready=False, egress_config=make.unreadable())
    (finding,) = found(plan(observed, make.cluster()), Kind.NODE_UNUSABLE)
    assert finding.summary.endswith("can't carry any: not Ready; annotation is missing.")
    assert finding.group == "nodes in eu-central-1a"


@pytest.mark.parametrize("changes", [{"created_at": YOUNG}, {"deleting": True}, {"assignable": None, "pool": None}])
def test_young_leaving_and_unlabelled_nodes_are_none(changes: dict[str, Any]) -> None:
    """What is on its way in or out, or not meant for egress, is nobody's trouble."""
    observed = with_node(**{"ready": False, "host_addresses": None, **changes})
    unusable = found(plan(observed, make.cluster()), Kind.NODE_UNUSABLE)
    assert [f.subject for f in unusable if f.subject.startswith("node ")] == []


def test_any_grown_up_node_without_host_cidrs_is_critical() -> None:
    """It stops new assignments and failovers in the whole cluster, labelled or not."""
    (finding,) = found(plan(with_node(host_addresses=None, assignable=None, pool=None), DESIRED), Kind.NODE_UNUSABLE)
    assert finding.severity is Severity.CRITICAL
    assert finding.subject == "host-cidrs of node node-a1"


# Capacity


def test_a_zone_without_nodes() -> None:
    """Critical, with how many addresses of whom are without a place."""
    observed = make.snapshot("bc")
    planned = plan(replace(observed, instances=(*known(observed.instances), make.instance("a"))), DESIRED)
    (finding,) = found(planned, Kind.NO_ELIGIBLE_NODE)
    assert finding.subject == "zone eu-central-1a (10.10.100.0/24)"
    assert "1 is wanted there (ns)" in finding.summary
    assert "capacity: 0" in finding.evidence


def test_more_addresses_of_a_policy_than_nodes() -> None:
    """Each needs a node of its own."""
    (finding,) = found(
        plan(make.snapshot("a"), make.cluster(make.policy("ns", A, "10.10.100.20"))), Kind.CAPACITY_SHORTFALL
    )
    assert "ns wants 2 addresses there, each needs a node of its own, and 1 can carry one" in finding.summary


def test_more_addresses_than_the_nodes_carry() -> None:
    """Capacity that shrinks under addresses that are there is a shortfall too."""
    two = make.cluster(make.policy("p", "10.10.100.20"), make.policy("q", "10.10.100.21"))
    rested = converge(make.snapshot("a"), two)
    small = make.node(egress_config=EgressIpConfig("eni-a0", IPv4Network("10.10.100.0/24"), 1))
    (finding,) = found(plan(replace(rested, nodes=(small,)), two), Kind.CAPACITY_SHORTFALL)
    assert "2 addresses are wanted there and its nodes can carry 1" in finding.summary
    assert finding.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("nodes", "policies", "spare"),
    [(1, 1, False), (2, 1, True), (2, 14, True), (2, 15, False), (3, 15, True)],
)
def test_room_after_losing_one_node(nodes: int, policies: int, spare: bool) -> None:
    """A warning where the rest of the zone could not take over, by nodes and by capacity."""
    desired = make.cluster(*(make.policy(f"p{n}", f"10.10.100.{n}") for n in range(20, 20 + policies)))
    rested = converge(make.snapshot("a", nodes), desired)
    warnings = found(plan(rested, desired), Kind.CAPACITY_NO_SPARE)
    assert bool(warnings) is not spare
    assert all(finding.severity is Severity.WARNING for finding in warnings)


def test_room_for_each_of_a_policys_addresses_after_losing_one_node() -> None:
    """Two addresses of one policy need two nodes: with two there is no spare, however much capacity they have."""
    desired = make.cluster(make.policy("ns", A, "10.10.100.20"))
    planned = plan(converge(make.snapshot("a", 2), desired), desired)
    assert len(found(planned, Kind.CAPACITY_NO_SPARE)) == 1


def test_a_zone_without_a_spare_waits_for_what_may_come_by_itself() -> None:
    """A node that failed is given up after ten minutes, its successor takes as long to join; egress works."""
    desired = make.cluster(make.policy("p", "10.10.100.20"))
    rested = converge(make.snapshot("a", 1), desired)
    assert found(plan(rested, desired), Kind.CAPACITY_NO_SPARE)[0].patience_seconds == 25 * 60


def test_a_zone_whose_node_is_gone_waits_for_its_successor() -> None:
    """Nothing shows that one is to come but that the object lists more addresses there than there are nodes."""
    desired = make.cluster(make.policy("ns", A, "10.10.100.20", "10.10.150.20"))
    rested = converge(make.snapshot("ab", 2), desired)
    assert not isinstance(rested.nodes, Unknown)
    less = tuple(node for node in rested.nodes if node.name != "node-a0")
    (short,) = found(plan(replace(rested, nodes=less), desired), Kind.CAPACITY_SHORTFALL)
    assert short.patience_seconds == 10 * 60


def test_a_silent_node_of_a_zone_that_lives_is_waited_for() -> None:
    """The machine health check replaces it."""
    desired = make.cluster(make.policy("ns", A, "10.10.150.20"))
    rested = converge(make.snapshot("ab", 2), desired)
    assert not isinstance(rested.nodes, Unknown)
    one = tuple(replace(node, ready=node.name != "node-a0") for node in rested.nodes)
    (single,) = found(plan(replace(rested, nodes=one), desired), Kind.NODE_UNUSABLE)
    assert (single.group, single.patience_seconds) == ("nodes in eu-central-1a", 15 * 60)


@pytest.mark.parametrize(("available", "short"), [(8, False), (7, True)])
def test_a_subnet_without_room_for_nodes(available: int, short: bool) -> None:
    """Told before nodes can't be replaced there."""
    subnets = (make.subnet("a", available=available), make.subnet("b"), make.subnet("c"))
    findings = found(plan(make.snapshot(subnets=subnets), make.cluster()), Kind.SUBNET_NEARLY_FULL)
    assert bool(findings) is short


def test_a_long_list_of_policies_is_cut() -> None:
    """A message stays readable when a zone of a thousand policies is lost."""
    desired = make.cluster(*(make.policy(f"p{n:03}", f"10.10.100.{n}") for n in range(20, 60)))
    observed = replace(make.snapshot("b"), instances=(make.instance("a"),))
    (finding,) = found(plan(observed, desired), Kind.NO_ELIGIBLE_NODE)
    assert finding.summary.endswith("(p020, p021, p022, p023, p024, p025, p026, p027 and 32 more).")


# What moves


@pytest.mark.parametrize(
    ("observed", "moving"),
    [
        (make.snapshot(), ()),
        (with_node(created_at=YOUNG), ()),
        (
            with_node(created_at=YOUNG, ready=False, networked=False),
            ("node node-a1 (egress-a) is joining: not Ready; OVN-Kubernetes has not set up its network yet",),
        ),
        (with_node(ready=False), ()),
        (
            make.snapshot(
                instances=(*known(make.snapshot().instances), make.instance("a", 5, launched_at=YOUNG, state="pending"))
            ),
            ("instance i-a5 (egress-a) is pending and no node yet",),
        ),
        (
            make.snapshot(instances=(*known(make.snapshot().instances), make.instance("a", 5, state="shutting-down"))),
            ("instance i-a5 (egress-a) is shutting-down",),
        ),
        (make.snapshot(instances=(*known(make.snapshot().instances), make.instance("a", 5, pool="other"))), ()),
        (
            make.snapshot(
                instances=(*known(make.snapshot().instances), make.instance("a", 5, launched_at=YOUNG, state="stopped"))
            ),
            (),
        ),
    ],
)
def test_what_moves(observed: Snapshot, moving: tuple[str, ...]) -> None:
    """Instances of the pools that come or go, and nothing else, are worth another look soon."""
    assert plan(observed, make.cluster()).moving == moving


def test_addresses_in_transit_move() -> None:
    """An address between two nodes is worth another look, and no finding."""
    rested = converge(make.snapshot(nodes_per_zone=2), DESIRED)
    cpics = tuple(
        replace(c, assigned="Unknown", status_node="", spec_node="node-a1") if c.address == A else c
        for c in known(rested.cpics)
    )
    planned = plan(replace(rested, cpics=cpics), DESIRED)
    assert planned.moving == (f"{A} is on its way (Unknown on node-a1)",)
    assert planned.findings == ()


# The plan as a whole


def test_others_are_named_in_order() -> None:
    """A finding that names several objects names them the same way, however they were listed."""
    others = tuple(make.egress_ip(name, A, labels={}) for name in ("zeta", "alpha"))
    one, two = (plan(make.snapshot(egress_ips=listed), DESIRED) for listed in (others, others[::-1]))
    assert one == two
    assert "by EgressIP alpha, zeta," in found(one, Kind.ADDRESS_DUPLICATE)[0].summary


def test_the_worst_comes_first() -> None:
    """Findings are sorted by severity, and a cause comes before its effects."""
    observed = replace(settle(with_node(ready=False)), reservations=())
    planned = plan(observed, make.cluster(make.policy("ns", A, "10.99.0.9")))
    ranks = [list(Severity).index(finding.severity) for finding in planned.findings]
    assert ranks == sorted(ranks)
    assert len(ranks) > 2
    lost = plan(replace(converge(make.snapshot(), DESIRED), nodes=(), cpics=()), DESIRED)
    assert [finding.kind for finding in lost.findings][0::3] == [Kind.NO_ELIGIBLE_NODE, Kind.STATUS_UNBACKED]


def test_actions_come_in_the_order_of_safety() -> None:
    """Release, reserve, record, label, apply, delete: room first, protection before use, service before clearing up."""
    rested = converge(make.snapshot(), make.cluster(make.policy("old", per_zone=1)))
    unused = make.reservation("10.10.100.16/28")
    observed = replace(
        rested,
        reservations=(*known(rested.reservations), unused),
        nodes=(*known(rested.nodes), make.node("b", 1, assignable=None)),
        instances=(*known(rested.instances), make.instance("b", 1)),
    )
    planned = plan(observed, make.cluster(make.policy("ns", A), make.policy("p", "10.10.100.239")))
    order = [type(action).__name__ for action in planned.actions]
    assert list(dict.fromkeys(order)) == [
        "ReleaseReservation",
        "ReserveCidr",
        "TagReservation",
        "LabelNode",
        "ApplyEgressIp",
        "DeleteEgressIp",
    ]
