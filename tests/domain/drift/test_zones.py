"""A zone without a node: on its way for the first time, or lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network

import pytest

from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.planning import plan
from chalicelib.domain.remembered import Memo, Remembered
from chalicelib.domain.snapshot import EgressIpConfig, Node, Snapshot
from chalicelib.domain.spec import PoolSpec
from tests import factories as make
from tests.domain.reading import A, B, finding, found
from tests.factories import known

DESIRED = make.cluster(make.policy("ns", A, B))
FIRST = make.instance("a", 1, launched_at=make.NOW - timedelta(minutes=1))
ELSEWHERE = make.snapshot("b")


def patience(observed: Snapshot) -> int:
    return finding(plan(observed, DESIRED), Kind.NO_ELIGIBLE_NODE).patience_seconds


def test_a_zone_that_waits_for_its_first_node_has_time() -> None:
    """Nothing was promised of it yet, and a new node may take 25 minutes."""
    instances = (*known(ELSEWHERE.instances), FIRST)
    assert patience(make.snapshot("b", instances=instances)) == 25 * 60


def test_a_zone_that_lost_its_nodes_while_one_joins_has_the_time_of_a_failover() -> None:
    """The node before went a moment too early: often that is over when people would be reading of it."""
    there = make.snapshot("b", instances=(*known(ELSEWHERE.instances), make.instance("a"), FIRST))
    nodes = (*known(there.nodes), make.node("a", ready=False))
    assert patience(make.snapshot("b", instances=known(there.instances), nodes=nodes)) == 2 * 60


def test_a_zone_whose_address_was_asked_for_has_no_more_than_the_time_of_a_failover() -> None:
    """Its pods count on it: that they leave by another address meanwhile is news."""
    instances = (*known(ELSEWHERE.instances), FIRST)
    assert patience(make.snapshot("b", instances=instances, egress_ips=(make.egress_ip("ns", A, B),))) == 2 * 60


def test_a_zone_that_lost_its_nodes_and_gets_none_is_told_at_once() -> None:
    """Nothing is on its way that would end it."""
    there = make.snapshot("ab")
    nodes = tuple(replace(node, ready=node.zone != make.zone_name("a")) for node in known(there.nodes))
    assert patience(replace(there, nodes=nodes)) == 0


def test_an_address_of_a_zone_has_as_much_time_as_its_zone() -> None:
    """So that both are told in one message."""
    instances = (*known(ELSEWHERE.instances), FIRST)
    out = plan(make.snapshot("b", instances=instances, egress_ips=(make.egress_ip("ns", A, B),)), DESIRED)
    assert {f.patience_seconds for f in out.findings if f.group == "zone eu-central-1a"} == {2 * 60}
    assert len([f for f in out.findings if f.group == "zone eu-central-1a"]) == 2


# Nodes of a lost zone


def lost(nodes: int) -> Snapshot:
    """Zone a is lost; it has this many nodes, the first without its annotation, the others not Ready."""
    there = make.snapshot("ab", nodes)
    return replace(there, nodes=tuple(_lost(node) for node in known(there.nodes)))


def _lost(node: Node) -> Node:
    if node.name == "node-a0":
        return replace(node, egress_config=make.unreadable())
    return replace(node, ready=node.zone != make.zone_name("a"))


def test_a_lost_zone_says_what_ails_its_nodes() -> None:
    """They are no findings of their own: one cause is one thing to read."""
    planned = plan(lost(2), DESIRED)
    zone = finding(planned, Kind.NO_ELIGIBLE_NODE)
    assert zone.evidence[3:] == ("node-a0: annotation is missing", "node-a1: not Ready")
    assert not found(planned, Kind.NODE_UNUSABLE)


def test_a_lost_zone_names_the_nodes_of_its_pools_that_lost_their_label() -> None:
    """Not those of other pools: they were never meant to carry."""
    there = make.snapshot("ab")
    nodes = tuple(replace(n, assignable=None) if n.zone == make.zone_name("a") else n for n in known(there.nodes))
    other = make.node("a", 5, assignable=None)
    observed = replace(
        there,
        nodes=(*nodes, other),
        instances=(*known(there.instances), make.instance("a", 5, pool="workers")),
    )
    listed = make.cluster(make.policy("ns", A, B), machine_pools=(PoolSpec("egress-a"), PoolSpec("egress-b")))
    evidence = finding(plan(observed, listed), Kind.NO_ELIGIBLE_NODE).evidence[3:]
    assert evidence == ("node-a0: label k8s.ovn.org/egress-assignable is missing",)


def test_a_lost_zone_says_how_to_make_a_ready_node_carry() -> None:
    """For a node that lacks nothing but the annotation, and for no other."""
    (first, *commands, last) = finding(plan(lost(2), DESIRED), Kind.NO_ELIGIBLE_NODE).todo.split("\n")
    assert commands == ["oc adm cordon node-a0", "oc adm uncordon node-a0"]
    assert first.startswith("The cloud network controller")
    assert last.startswith("Bring a Ready, labelled node of machine pool egress-a back.")


@pytest.mark.parametrize(("nodes", "said", "last"), [(8, 8, "node-a7: not Ready"), (11, 9, "and 3 more nodes")])
def test_a_long_list_of_nodes_is_cut(nodes: int, said: int, last: str) -> None:
    """Eight are enough to see what they have in common."""
    evidence = finding(plan(lost(nodes), DESIRED), Kind.NO_ELIGIBLE_NODE).evidence[3:]
    assert (len(evidence), evidence[-1]) == (said, last)


def test_a_node_that_people_know_of_is_not_over_when_its_zone_is_lost() -> None:
    """Its finding goes on, counted to the zone: to leave it out would tell people that it is well again."""
    (before,) = found(plan(one_out("node-a1"), DESIRED), Kind.NODE_UNUSABLE)
    memo = Memo(make.NOW - timedelta(minutes=30), make.NOW - timedelta(minutes=1), told="warning")
    memory = Remembered({before.fingerprint(DESIRED.name): memo})
    (still,) = found(plan(lost(2), DESIRED, memory), Kind.NODE_UNUSABLE)
    assert (still.subject, still.group) == ("node node-a1", "zone eu-central-1a")


def test_a_node_that_nobody_heard_of_is_told_with_its_zone() -> None:
    """It was out for a while already, and might have been back soon."""
    (before,) = found(plan(one_out("node-a1"), DESIRED), Kind.NODE_UNUSABLE)
    memo = Memo(make.NOW - timedelta(minutes=3), make.NOW - timedelta(minutes=1))
    assert not found(plan(lost(2), DESIRED, Remembered({before.fingerprint(DESIRED.name): memo})), Kind.NODE_UNUSABLE)


def test_a_node_of_a_zone_that_nobody_wants_is_told_by_itself() -> None:
    """No finding about the zone says so."""
    elsewhere = make.cluster(make.policy("ns", B))
    assert len(found(plan(lost(2), elsewhere), Kind.NODE_UNUSABLE)) == 2


@pytest.mark.parametrize(("minutes", "noted"), [(9, 0), (10, 1), (24, 1), (25, 0)])
def test_a_node_is_noted_when_it_has_had_the_time_that_most_need(minutes: int, noted: int) -> None:
    """Fifteen minutes later, grown up, it will have been out for as long as people are not told of it."""
    young = make.node("a", 1, ready=False, created_at=make.NOW - timedelta(minutes=minutes))
    alive = make.snapshot("ab")
    assert len(plan(replace(alive, nodes=(*known(alive.nodes), young)), DESIRED).notes) == noted


def test_a_node_of_a_zone_whose_subnet_has_changed_is_told_by_itself() -> None:
    """That finding says where the nodes are now, not what ails them."""
    there = make.snapshot("ab")
    moved = IPv4Network("10.10.110.0/24")
    new = make.subnet("a", id="subnet-new", cidr=moved)
    nodes = tuple(
        replace(n, ready=False, egress_config=EgressIpConfig("eni-new", moved, 14)) if n.name == "node-a0" else n
        for n in known(there.nodes)
    )
    at_home = (i for i in known(there.instances) if i.id != "i-a0")
    instances = (*at_home, make.instance("a", subnet_id="subnet-new"))
    observed = replace(
        there,
        nodes=nodes,
        instances=instances,
        subnets=(*known(there.subnets), new),
        egress_ips=(make.egress_ip("ns", A, B),),
    )
    planned = plan(observed, DESIRED)
    assert finding(planned, Kind.SUBNET_CHANGED).group == "zone eu-central-1a"
    assert finding(planned, Kind.NODE_UNUSABLE).group == "nodes in eu-central-1a"


def test_since_when_a_young_node_is_out_is_remembered() -> None:
    """A note, that nobody is shown: it may come up yet. Not where its zone is lost, and tells of it."""
    young = make.node("a", 1, ready=False, created_at=make.NOW - timedelta(minutes=15))
    alive = make.snapshot("ab")
    (note,) = plan(replace(alive, nodes=(*known(alive.nodes), young)), DESIRED).notes
    assert (note.kind, note.subject, note.severity) == (Kind.NODE_UNUSABLE, "node node-a1", Severity.INFO)
    gone = lost(1)
    assert plan(replace(gone, nodes=(*known(gone.nodes), young)), DESIRED).notes == ()


def test_a_young_node_that_grows_up_and_is_out_has_been_out_before() -> None:
    """The same finding, and therefore counted from when it was seen first."""
    nodes = [make.node("a", 1, ready=False, created_at=make.NOW - timedelta(minutes=m)) for m in (15, 25)]
    alive = make.snapshot("ab")
    young, grown_up = (plan(replace(alive, nodes=(*known(alive.nodes), node)), DESIRED) for node in nodes)
    (finding,) = found(grown_up, Kind.NODE_UNUSABLE)
    assert not found(young, Kind.NODE_UNUSABLE)
    assert finding.fingerprint("demo") == young.notes[0].fingerprint("demo")


def one_out(name: str) -> Snapshot:
    there = make.snapshot("ab", 2)
    return replace(there, nodes=tuple(replace(n, ready=n.name != name) for n in known(there.nodes)))
