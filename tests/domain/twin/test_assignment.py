"""Which node gets which address."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.twin.behaviours import Behaviours, behaviours_of
from chalicelib.domain.twin.choices import every_outcome
from chalicelib.domain.twin.values import EgressConfig, Objects
from chalicelib.domain.twin.world import settle
from tests.domain.twin.clusters import (
    applied,
    assigned,
    cluster,
    edited,
    empty,
    events,
    kicked,
    settled,
    status,
    with_node,
)

MASTER, OLDEST = behaviours_of("master"), behaviours_of("1.1")


@pytest.mark.parametrize(
    ("behaviours", "placed"),
    [pytest.param(MASTER, 4, id="alias: the IPv6 number"), pytest.param(OLDEST, 3, id="1.1: the IPv4 number")],
)
def test_how_many_addresses_a_small_node_is_given(behaviours: Behaviours, placed: int) -> None:
    """With the alias the last number in the annotation is the limit, so that EC2 refuses the surplus."""
    world = with_node(settled(empty(behaviours)), "a1", kind="t3.small")
    assert world.objects.nodes["a1"].egress_config == EgressConfig("eni-a1", "10.0.1.0/24", 3, 4)
    for number in range(1, 6):
        world = assigned(world, f"e{number}", f"10.0.1.{100 + number}")
    assert len(world.objects.cpics) == placed
    assert sum(len(e.status) for e in world.objects.egress_ips.values()) == 3


@pytest.mark.parametrize(
    ("behaviours", "capacity", "room"),
    [
        (MASTER, (1, 3), 3),
        (MASTER, (3, 1), 1),
        (MASTER, (2, None), 2),
        (MASTER, (14, 0), 0),
        (MASTER, (None, None), 6),
        (OLDEST, (1, 3), 1),
        (OLDEST, (0, 15), 0),
        (OLDEST, (None, 0), 6),
    ],
)
def test_capacity_as_each_release_reads_it(
    behaviours: Behaviours, capacity: tuple[int | None, int | None], room: int
) -> None:
    """Last number for all (alias), or each family its own; a missing number is no limit."""
    world = cluster("a1", behaviours=behaviours)
    world = edited(world, "a1", egress_config=EgressConfig("eni-a1", "10.0.1.0/24", *capacity))
    for number in range(6):
        world = assigned(world, f"e{number}", f"10.0.1.{100 + number}")
    assert len(world.objects.cpics) == room


def test_one_address_of_an_object_per_node() -> None:
    """The second address waits, however much room the node has, until there is a second node."""
    world = assigned(cluster("a1"), "web", "10.0.1.100", "10.0.1.101")
    assert len(status(world, "web")) == 1
    assert events(world, "web") == {"UnassignedRequest": 1, "NoMatchingNodeFound": 1}
    world = with_node(world, "a2")
    assert sorted(status(world, "web").values()) == ["a1", "a2"]


def test_the_least_loaded_node_comes_first_whatever_its_size() -> None:
    """Counts are absolute: a nearly full small node attracts the next address before a large one with room."""
    world = with_node(settled(empty()), "a1", kind="m5.large")
    for number in range(3):
        world = assigned(world, f"e{number}", f"10.0.1.{100 + number}")
    world = with_node(world, "a2", kind="t3.nano")
    world = assigned(assigned(world, "x", "10.0.1.110"), "y", "10.0.1.111")
    assert world.objects.cpics["10.0.1.110"].spec_node == "a2"
    assert world.objects.cpics["10.0.1.111"].spec_node == "a2"
    assert status(world, "y") == {}


def test_ties_and_the_order_of_addresses_are_choices() -> None:
    """Two addresses and two equal nodes of a zone can pair either way, and no other way."""
    world = applied(cluster("a1", "a2"), "web", "10.0.1.100", "10.0.1.101")
    outcomes = {tuple(sorted(status(after, "web").items())) for after, _ in every_outcome(lambda c: settle(world, c))}
    assert outcomes == {
        (("10.0.1.100", "a1"), ("10.0.1.101", "a2")),
        (("10.0.1.100", "a2"), ("10.0.1.101", "a1")),
    }


@pytest.mark.parametrize(("behaviours", "least"), [(MASTER, 2), (behaviours_of("1.2"), 0)])
def test_a_host_address_is_never_assigned(behaviours: Behaviours, least: int) -> None:
    """In releases up to 1.2 it also ends the pass: which of the others are served is chance, down to none."""
    world = applied(cluster("a1", "b1", "c1", behaviours=behaviours), "web", "10.0.1.11", "10.0.2.60", "10.0.3.60")
    ways = [after for after, _ in every_outcome(lambda choose: settle(world, choose))]
    assert min(len(status(after, "web")) for after in ways) == least
    assert max(len(status(after, "web")) for after in ways) == 2
    assert all(events(after, "web")["EgressIPConflict"] for after in ways)
    assert not any("10.0.1.11" in after.objects.cpics for after in ways)


def test_the_first_object_keeps_an_address_that_two_want() -> None:
    """The other one is refused with an event, and is served at once when the address is given up."""
    world = assigned(assigned(cluster("a1"), "one", "10.0.1.100"), "two", "10.0.1.100")
    assert (status(world, "one"), status(world, "two")) == ({"10.0.1.100": "a1"}, {})
    assert events(world, "two") == {"UnsupportedRequest": 1, "NoMatchingNodeFound": 1}
    world = assigned(world, "one")
    assert (status(world, "one"), status(world, "two")) == ({}, {"10.0.1.100": "a1"})


def test_a_node_without_host_cidrs_stops_everything_silently() -> None:
    """Any node, in any zone, labelled or not: no assignment, no event, until a trigger after the annotation."""
    world = with_node(cluster("a1"), "b1", labelled=False, host_cidrs=False)
    world = assigned(world, "web", "10.0.1.100")
    assert (status(world, "web"), events(world, "web"), len(world.objects.cpics)) == ({}, {}, 0)
    world = settled(edited(world, "b1", host_cidrs=("10.0.2.11/24",)), seconds=40)
    assert status(world, "web") == {}
    assert status(kicked(world, "web"), "web") == {"10.0.1.100": "a1"}


def test_a_failover_meets_the_silent_abort() -> None:
    """The address is released although a healthy peer exists, and stays down."""
    world = with_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a2")
    world = edited(with_node(world, "c1", labelled=False, host_cidrs=False), "a1", ready=False)
    assert (status(world, "web"), world.objects.cpics.get("10.0.1.100")) == ({}, None)


def test_later_releases_leave_out_only_the_node_itself() -> None:
    """Without silent_abort a labelled node without host-cidrs is not assignable, and the others serve."""
    world = cluster("a1", behaviours=behaviours_of("later"))
    world = with_node(with_node(world, "a2", host_cidrs=False), "b1", labelled=False, host_cidrs=False)
    world = assigned(world, "web", "10.0.1.100", "10.0.1.101")
    assert list(status(world, "web").values()) == ["a1"]
    world = edited(world, "a2", host_cidrs=("10.0.1.12/24",))
    assert sorted(status(world, "web").values()) == ["a1", "a2"]
    world = edited(world, "a2", host_cidrs=None)
    assert list(status(world, "web").values()) == ["a1"]


def test_an_unparsable_entry_stops_the_object() -> None:
    """What is assigned stays; valid additions wait until the entry is gone."""
    world = assigned(cluster("a1", "b1"), "web", "10.0.1.100")
    world = assigned(world, "web", "10.0.1.100", "10.0.2.100", "10.0.1.300")
    assert status(world, "web") == {"10.0.1.100": "a1"}
    assert set(events(world, "web")) == {"InvalidEgressIP"}
    world = assigned(world, "web", "10.0.1.100", "10.0.2.100")
    assert status(world, "web") == {"10.0.1.100": "a1", "10.0.2.100": "b1"}


def test_nobody_is_ever_evicted_for_room() -> None:
    """A capacity that falls below what a node carries moves nothing."""
    world = assigned(cluster("a1", "a2"), "web", "10.0.1.100")
    node = status(world, "web")["10.0.1.100"]
    config = world.objects.nodes[node].egress_config
    assert config is not None
    world = kicked(edited(world, node, egress_config=replace(config, capacity_ipv4=0, capacity_ipv6=0)), "web")
    assert status(world, "web") == {"10.0.1.100": node}


def test_ipv6_goes_to_the_ipv6_subnet() -> None:
    """Families have their own subnets; with the alias they share one limit."""
    world = cluster("a1")
    config = EgressConfig("eni-a1", "10.0.1.0/24", 14, 1, "fd00:1::/64")
    world = edited(world, "a1", egress_config=config)
    world = applied(world, "six", "fd00:1::7")
    world, _ = settle(replace(world, cncc=None))
    assert world.objects.cpics["fd00:1::7"].spec_node == "a1"
    world, _ = settle(applied(world, "four", "10.0.1.100"))
    assert isinstance(world.objects, Objects)
    assert "10.0.1.100" not in world.objects.cpics
