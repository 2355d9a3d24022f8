"""Worlds made from what can be observed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.twin import outside
from chalicelib.domain.twin.behaviours import Behaviours
from chalicelib.domain.twin.resuming import resumed
from chalicelib.domain.twin.turn import Operation
from chalicelib.domain.twin.values import Assigned
from chalicelib.domain.twin.world import World, advance, settle
from sandbox.replay import Way, empty_world
from sandbox.replay_actions import Zones
from sandbox.replay_playing import play
from sandbox.replay_recording import read
from tests.domain.twin.clusters import (
    applied,
    assigned,
    carried,
    cluster,
    cpic,
    denied,
    edited,
    free,
    held,
    kicked,
    settled,
    status,
    with_node,
)
from tests.domain.twin.test_recordings import RECORDINGS, TRACES


def observed(world: World, **options: Any) -> World:
    """What is left of a world when only its objects and EC2 are known."""
    return resumed(world.objects, world.plane, world.behaviours, now=world.now, **options)


def healthy(world: World) -> bool:
    """Everything asked for is there, and nothing else."""
    serving = {a: n for e in world.objects.egress_ips.values() for a, n in e.status}
    return (
        all(len(e.spec) == len(e.status) for e in world.objects.egress_ips.values())
        and {a: c.status_node for a, c in world.objects.cpics.items() if c.assigned is Assigned.TRUE} == serving
        and len(world.objects.cpics) == len(serving)
    )


ON_MASTER = [path for path in RECORDINGS if path.parent == TRACES]


@pytest.mark.parametrize("path", ON_MASTER, ids=lambda path: path.stem)
def test_a_healthy_cluster_is_resumed_with_what_its_programs_knew(path: Path) -> None:
    """Allocations, host addresses and usable nodes are those of the cluster manager that had been running all along.

    On master; release 1.1 can leave an address allocated to two nodes, which nobody sees from outside.
    """
    recording = read(path)
    way = Way(settle(empty_world(recording))[0], {})
    for step in recording.steps:
        played = play(way.world, way.failing, step, Zones(recording.zones))
        way = Way(played.world, played.failing)
        if way.world.manager is not None and healthy(way.world):
            again = observed(way.world)
            assert again.manager is not None
            for part in ("placed", "hosts", "usable", "without_host_cidrs"):
                assert getattr(again.manager.cache, part) == getattr(way.world.manager.cache, part), (step.line, part)


def test_a_healthy_cluster_stays_as_it_is() -> None:
    """Nothing is due, and a kick moves nothing."""
    world = assigned(assigned(cluster("a1", "a2", "b1"), "web", "10.0.1.100", "10.0.2.100"), "db", "10.0.1.101")
    again = observed(world)
    assert settle(again) == (again, ())
    assert kicked(again, "web").objects.cpics == world.objects.cpics


def test_it_goes_on_as_before() -> None:
    """Losing a node after resuming ends as losing it before."""
    world = with_node(assigned(cluster("a1", "b1"), "web", "10.0.1.100", "10.0.2.100"), "a2")
    world = edited(observed(world), "a1", ready=False)
    assert status(world, "web") == {"10.0.1.100": "a2", "10.0.2.100": "b1"}
    assert status(edited(world, "b1", labelled=False), "web") == {"10.0.1.100": "a2"}


def test_a_move_that_is_under_way_is_finished() -> None:
    """A CPIC in transit is worked on at once, and its address gets into the status."""
    world = with_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a2")
    world, _, _ = outside.put_node(replace(world, cncc=None), replace(world.objects.nodes["a1"], ready=False))
    world = settled(observed(settle(world)[0]))
    assert (status(world, "web"), carried(world, "a2")) == ({"10.0.1.100": "a2"}, ["10.0.1.100"])


def test_a_deletion_that_is_under_way_is_finished() -> None:
    """And then the owner is served anew."""
    world = denied(assigned(cluster("a1"), "web", "10.0.1.100"), "UnassignPrivateIpAddresses")
    world = settled(outside.delete_cpic(world, "10.0.1.100")[0])
    world = observed(outside.heal_calls(world), retrying={"10.0.1.100"})
    assert world.manager is not None
    assert world.manager.pending["web"] == (("10.0.1.100", Operation(delete="a1")),)
    assert status(settled(world), "web") == {"10.0.1.100": "a1"}


@pytest.mark.parametrize("retrying", [True, False], ids=["retrying", "given up"])
def test_whether_a_failure_is_still_retried_is_told(retrying: bool) -> None:
    """It cannot be seen from outside, and decides whether the cleared cause is enough."""
    world = free(settled(applied(held(cluster("a1"), "10.0.1.100"), "web", "10.0.1.100")))
    world = observed(world, retrying={"10.0.1.100"} if retrying else ())
    assert (cpic(settled(world), "10.0.1.100").assigned is Assigned.TRUE) is retrying


def test_a_node_without_annotation_gets_one() -> None:
    """CNCC is at it."""
    world = cluster("a1")
    bare, _, _ = outside.put_node(
        replace(world, manager=None, cncc=None), replace(world.objects.nodes["a1"], egress_config=None)
    )
    again, _ = advance(observed(bare), bare.now + 1)
    assert again.objects.nodes["a1"].egress_config == world.objects.nodes["a1"].egress_config


def test_a_stale_cpic_belongs_to_nobody() -> None:
    """Its owner is gone or does not list it: no allocation, so that another object may be told it can have the node."""
    world = assigned(cluster("a1"), "web", "10.0.1.100")
    objects = replace(world.objects, egress_ips=world.objects.egress_ips.drop("web"))
    again = resumed(objects, world.plane, Behaviours())
    assert again.manager is not None
    assert (len(again.manager.cache.placed), settle(again)[1]) == (0, ())
