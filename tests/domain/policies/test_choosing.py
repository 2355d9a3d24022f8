"""New addresses: which subnet they come from, and which are free there."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from chalicelib.domain.actions import ReserveCidr, TagReservation
from chalicelib.domain.findings import Kind
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import EgressIpConfig
from tests import factories as make
from tests.domain.reading import finding
from tests.domain.world import converge
from tests.factories import known


def test_chosen_addresses_come_one_a_zone_from_one_block_each() -> None:
    """`per_zone` takes the next free addresses of a /28 near the top of each zone's subnet, recorded in tags."""
    planned = plan(make.snapshot(), make.cluster(make.policy("ns", per_zone=1)))
    assert [action.summary for action in planned.actions] == [
        "reserve 10.10.100.224/28 in subnet-a",
        "reserve 10.10.150.224/28 in subnet-b",
        "reserve 10.10.200.224/28 in subnet-c",
        "create EgressIP ns: +10.10.100.224 +10.10.150.224 +10.10.200.224",
    ]
    made = planned.actions[0]
    assert isinstance(made, ReserveCidr)
    assert made.tags == make.tags(ns="10.10.100.224")
    assert {a.source for a in planned.allocations} == {"chosen"}


def test_a_second_policy_shares_the_block() -> None:
    """A block holds the addresses of many policies; its tags say whose is which."""
    first = converge(make.snapshot(), make.cluster(make.policy("ns", per_zone=1)))
    planned = plan(first, make.cluster(make.policy("ns", per_zone=1), make.policy("pod", per_zone=1)))
    recorded = [a for a in planned.actions if isinstance(a, TagReservation)]
    assert [dict(a.write) for a in recorded] == [
        {"egress-keeper/policy/pod": f"10.10.{third}.225"} for third in (100, 150, 200)
    ]
    assert not any(isinstance(a, ReserveCidr) for a in planned.actions)


def test_the_subnet_with_most_eligible_nodes_is_chosen() -> None:
    """A zone may have several subnets: new addresses go where they have most nodes to move to."""
    second = make.subnet("a", id="subnet-a2", cidr=IPv4Network("10.10.101.0/24"))
    node = make.node("a", 5, egress_config=EgressIpConfig("eni-a5", second.cidr, 14))
    observed = make.snapshot("a", subnets=(make.subnet("a"), second))
    more = tuple(
        replace(node, name=f"node-a{n}", instance_id=f"i-a{n}", host_addresses=(IPv4Address(f"10.10.101.{n}"),))
        for n in (5, 6)
    )
    instances = (*known(observed.instances), make.instance("a", 5), make.instance("a", 6))
    planned = plan(
        replace(observed, nodes=(*known(observed.nodes), *more), instances=instances),
        make.cluster(make.policy("ns", per_zone=1)),
    )
    assert [a.subnet_id for a in planned.allocations] == ["subnet-a2"]


def test_an_exhausted_subnet_is_a_shortfall() -> None:
    """Where no address can be reserved any more, the policy goes on without, and people hear of it."""
    full = make.interface("a", 9, id="eni-x", instance_id=None, prefixes=(IPv4Network("10.10.100.0/24"),), addresses=())
    observed = make.snapshot()
    planned = plan(
        replace(observed, interfaces=(*known(observed.interfaces), full)), make.cluster(make.policy("ns", per_zone=1))
    )
    assert "no address left that could be reserved" in finding(planned, Kind.CAPACITY_SHORTFALL).summary
    assert {a.zone for a in planned.allocations} == {"eu-central-1b", "eu-central-1c"}
    assert ("an address in eu-central-1a for ns") in {w.what for w in planned.withheld}


def test_a_block_beyond_a_28_is_never_made() -> None:
    """A wish for larger blocks is cut to /28: a tag value and the tags of a reservation hold no more."""
    planned = plan(make.snapshot(), make.cluster(make.policy("ns", per_zone=1), block_prefix=24))
    assert {a.cidr.prefixlen for a in planned.actions if isinstance(a, ReserveCidr)} == {28}
