from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network

from chalicelib.domain.actions import ApplyEgressIp, ReserveCidr
from chalicelib.domain.findings import Kind
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import EgressIpConfig
from tests import factories as make
from tests.domain.reading import A, B, C, applied, finding, foreign, held, with_nodes
from tests.domain.world import apply_plan, converge, settle
from tests.factories import known


def test_one_address_of_an_object_a_node() -> None:
    """With one eligible node a zone, the second address waits: reserved, recorded as held, and said."""
    planned = plan(make.snapshot(), make.cluster(make.policy("ns", per_zone=2)))
    assert [len(addresses) for addresses in applied(planned).values()] == [3]
    assert set(held(planned).values()) == {
        f"a node carries at most one address of an EgressIP, and the only eligible node in eu-central-1{zone}"
        " has one of ns already"
        for zone in "abc"
    }
    made = [a.tags for a in planned.actions if isinstance(a, ReserveCidr)]
    assert made[0] == make.tags(ns="10.10.100.224") | {"egress-keeper/held/ns": "10.10.100.225"}


def test_held_addresses_are_asked_for_when_a_node_comes() -> None:
    """The address that was reserved is the one that is used, and nobody is told that an object is missing."""
    desired = make.cluster(make.policy("ns", "10.10.100.9"))
    waiting = converge(with_nodes(nodes=(), instances=(make.instance(),)), desired)
    assert waiting.egress_ips == ()
    assert known(waiting.reservations)[0].tags == {**make.tags(), "egress-keeper/held/ns": "10.10.100.9"}
    ready = replace(waiting, nodes=(make.node(),))
    planned = plan(ready, desired)
    assert [a.summary for a in planned.actions] == [
        "record on reservation 10.10.100.9/32: ns = 10.10.100.9, no longer ns (held)",
        "create EgressIP ns: +10.10.100.9",
    ]
    assert Kind.OBJECT_MISSING not in {f.kind for f in planned.findings}


def test_demand_never_passes_nodes_times_the_smallest_capacity() -> None:
    """The platform fills nodes evenly and past their capacity, so the smallest of them counts for all."""
    observed = with_nodes(("a", 0), ("a", 1), capacity=2)
    small = make.node("a", 1, egress_config=EgressIpConfig("eni-a1", IPv4Network(make.ZONES["a"]), 1))
    desired = make.cluster(*(make.policy(f"p{n}", f"10.10.100.{n}") for n in range(20, 23)))
    planned = plan(replace(observed, nodes=(known(observed.nodes)[0], small)), desired)
    assert sorted(applied(planned)) == ["p20", "p21"]
    assert "take 2 at most (1 each" in held(planned)["10.10.100.22"]
    assert "1 each" in finding(planned, Kind.CAPACITY_SHORTFALL).summary


def test_the_node_that_would_be_chosen_must_have_room() -> None:
    """A second address of an object must go to another node: if that is full, it waits although the zone has room."""
    desired = make.cluster(*(make.policy(f"p{n}", f"10.10.100.{n}") for n in (20, 21)))
    full = converge(with_nodes(("a", 0), capacity=2), desired)
    second = with_nodes(("a", 0), ("a", 1), capacity=2)
    grown = replace(
        full,
        nodes=second.nodes,
        instances=second.instances,
        interfaces=(*known(full.interfaces), make.interface("a", 1)),
    )
    planned = plan(grown, make.cluster(*desired.policies, make.policy("q", "10.10.100.30", "10.10.100.31")))
    assert applied(planned)["q"] == ("10.10.100.30",)
    assert held(planned) == {
        "10.10.100.31": "node node-a0, which OVN-Kubernetes would choose for it, has 2 of 2 addresses already"
    }


def test_other_peoples_addresses_take_room_too() -> None:
    """A foreign EgressIP counts like ours, and the shortfall is told."""
    observed = settle(with_nodes(("a", 0), capacity=1, egress_ips=(foreign("x", "10.10.100.40"),)))
    planned = plan(observed, make.cluster(make.policy("ns", "10.10.100.41")))
    assert applied(planned) == {}
    assert "2 addresses are wanted there and its nodes can carry 1" in finding(planned, Kind.CAPACITY_SHORTFALL).summary


def test_an_address_wanted_by_two_takes_room_once() -> None:
    """Two foreign EgressIPs with the same address need one place, for one of them is served."""
    twice = (foreign("x", "10.10.100.40"), foreign("y", "10.10.100.40"))
    observed = settle(with_nodes(("a", 0), capacity=2, egress_ips=twice))
    assert applied(plan(observed, make.cluster(make.policy("ns", "10.10.100.41")))) == {"ns": ("10.10.100.41",)}


def test_an_address_that_is_leaving_a_node_still_takes_its_place() -> None:
    """Until EC2 has released it there, nothing else fits on the node."""
    observed = with_nodes(("a", 0), ("a", 1), capacity=1, egress_ips=(foreign("x", "10.10.100.40"),))
    moving = make.cpic("10.10.100.40", "node-a1", owner="x", status_node="node-a0", assigned="Unknown")
    planned = plan(replace(observed, cpics=(moving,)), make.cluster(make.policy("ns", "10.10.100.41")))
    assert "has 1 of 1 addresses already" in held(planned)["10.10.100.41"]


def test_what_nobody_lists_takes_room_until_it_is_gone() -> None:
    """A stale CPIC holds its place on the node."""
    stale = make.cpic("10.10.100.40", owner="gone")
    observed = with_nodes(("a", 0), capacity=1, cpics=(stale,))
    assert applied(plan(observed, make.cluster(make.policy("ns", "10.10.100.41")))) == {}


def test_nothing_is_added_while_a_node_joins() -> None:
    """Any young node without host-cidrs, in whatever zone, makes the platform drop new assignments without a word."""
    joining = make.node("c", 1, host_addresses=None, created_at=make.NOW - timedelta(minutes=3), assignable=None)
    observed = make.snapshot()
    planned = plan(replace(observed, nodes=(*known(observed.nodes), joining)), make.cluster(make.policy("ns", A)))
    assert applied(planned) == {}
    assert held(planned)[A].startswith("node node-c1 is joining")
    assert not {f.kind for f in planned.findings} & {Kind.CAPACITY_SHORTFALL, Kind.NODE_UNUSABLE}


def test_a_node_that_never_gets_host_cidrs_does_not_hold_up_the_rest_for_ever() -> None:
    """After the platform's own patience the node is a finding of its own, and additions go ahead."""
    broken = make.node("c", 1, host_addresses=None, assignable=None)
    observed = make.snapshot()
    planned = plan(replace(observed, nodes=(*known(observed.nodes), broken)), make.cluster(make.policy("ns", A)))
    assert applied(planned) == {"ns": (A,)}
    assert "drops every new assignment" in finding(planned, Kind.NODE_UNUSABLE).impact


# Replacing


def test_a_replacement_is_made_at_once_where_it_has_a_place() -> None:
    """The old address makes room for the new one: on a full zone too, replacing is one apply."""
    rested = converge(with_nodes(("a", 0), capacity=1), make.cluster(make.policy("ns", "10.10.100.20")))
    planned = plan(rested, make.cluster(make.policy("ns", "10.10.100.21")))
    assert applied(planned) == {"ns": ("10.10.100.21",)}
    (action,) = (a for a in planned.actions if isinstance(a, ApplyEgressIp))
    assert action.reason.endswith("the platform removes before it adds")


def test_nothing_is_taken_away_while_its_replacement_has_no_place() -> None:
    """The address in the object stays until all that is wanted instead can be asked for."""
    rested = converge(make.snapshot(), make.cluster(make.policy("ns", A)))
    planned = plan(rested, make.cluster(make.policy("ns", "10.10.100.3")))
    assert applied(planned) == {}
    assert f"remove {A} from EgressIP ns" in {w.what for w in planned.withheld}


def test_an_address_that_stays_makes_no_room() -> None:
    """What can't be given up yet is counted, so that another policy is not put in its place."""
    rested = converge(with_nodes(("a", 0), capacity=1), make.cluster(make.policy("ns", "10.10.100.20")))
    desired = make.cluster(make.policy("ns", "10.10.100.3"), make.policy("other", "10.10.100.21"))
    assert applied(plan(rested, desired)) == {}


def test_what_is_no_address_goes_even_then() -> None:
    """OVN-Kubernetes ignores an object with one bad entry: it serves nobody and is dropped, whatever waits."""
    there = make.egress_ip("ns", A, "10.10.100.256")
    planned = plan(make.snapshot(egress_ips=(there,)), make.cluster(make.policy("ns", A, "10.10.100.3")))
    assert applied(planned) == {"ns": (A,)}


def test_applied_and_settled_a_fresh_fleet_is_at_rest() -> None:
    """Listed and chosen policies on a healthy cluster need exactly one plan."""
    desired = make.cluster(make.policy("ns", A, B, C), make.policy("pod", per_zone=2))
    observed = make.snapshot(nodes_per_zone=3)
    again = plan(settle(apply_plan(observed, plan(observed, desired))), desired)
    assert (again.actions, again.withheld, again.findings) == ((), (), ())
    assert {v.state.value for v in again.verdicts} == {"serving"}
