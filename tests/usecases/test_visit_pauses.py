"""When a visit comes back: soon for what is about to happen, ever later for the rest, and in the end not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chalicelib.usecases.visit import MOST_REVISITS
from tests import factories
from tests.worlds import ADDRESSES, World


def test_revisits_back_off_and_end() -> None:
    """Pauses double up to a quarter of an hour; then the schedule is enough."""
    world = World()
    pauses = []
    for attempt in range(MOST_REVISITS + 1):
        outcome = World().visit(attempt=attempt)
        pauses.append(outcome.revisit_in)
    seconds = [pause.total_seconds() for pause in pauses if pause is not None]
    assert seconds == [20, 40, 80, 160, 320, 640, 900, 900]
    assert pauses[-1] is None
    assert world.writes == []


def test_a_node_that_joins_holds_back_its_address_and_brings_the_visit_back() -> None:
    """An address is asked for when a node can carry it, and reserved from the start."""
    world = World(start=factories.snapshot())
    young = factories.NOW - timedelta(minutes=2)
    name = "node-c0"
    world.cluster.nodes[name] = replace(world.cluster.nodes[name], ready=False, created_at=young)
    world.ec2.instances["i-c0"] = replace(world.ec2.instances["i-c0"], launched_at=young)
    first = world.visit()
    assert world.cluster.egress_ips["ns"].spec.addresses == tuple(ADDRESSES)[:2]
    assert len(world.ec2.reservations) == 3
    assert any("joining" in item for item in first.look.planned.moving)
    assert first.revisit_in is not None
    world.cluster.nodes[name] = replace(world.cluster.nodes[name], ready=True)
    world.visit()
    assert world.cluster.egress_ips["ns"].spec.addresses == tuple(ADDRESSES)


def test_while_an_address_waits_for_a_node_visits_do_not_back_off() -> None:
    """What waits for a moment is asked for soon after it; each doubled pause would be time without the address."""
    young = factories.NOW - timedelta(minutes=2)
    pauses = []
    for attempt in (*range(1, 4), MOST_REVISITS):
        world = World(start=factories.snapshot())
        node = world.cluster.nodes["node-c0"]
        world.cluster.nodes["node-c0"] = replace(node, ready=False, host_addresses=None, created_at=young)
        world.ec2.instances["i-c0"] = replace(world.ec2.instances["i-c0"], launched_at=young)
        pauses.append(world.visit(attempt=attempt).revisit_in)
    assert pauses == [*3 * [timedelta(seconds=20)], None]
