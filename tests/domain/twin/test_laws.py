"""Laws of the twin, looked for in random clusters, faults and remedies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.twin import outside
from chalicelib.domain.twin.behaviours import OVNK_RELEASES, behaviours_of
from chalicelib.domain.twin.ec2 import Ec2Error, Interface
from chalicelib.domain.twin.values import Assigned
from chalicelib.domain.twin.world import (
    World,
    advance,
    next_timer,
    settle,
    start_cncc,
    start_manager,
    stop_cncc,
    stop_manager,
)
from tests.domain.twin.clusters import applied, cluster, kicked, settled, status, unchanged, with_node

NODES = ("a1", "a2", "b1")
NAMES = ("web", "db")
ADDRESSES = ("10.0.1.100", "10.0.1.101", "10.0.2.100", "10.0.1.11")
DENIED = Ec2Error("UnauthorizedOperation", "no", 403)

Action = Callable[[World], World]

nodes, names, addresses = (st.sampled_from(values) for values in (NODES, NAMES, ADDRESSES))
_START = {release: with_node(cluster("a1", "b1", behaviours=behaviours_of(release)), "a2") for release in OVNK_RELEASES}


def _node(world: World, name: str, **fields: Any) -> World:
    node = world.objects.nodes.get(name)
    return outside.put_node(world, replace(node, **fields))[0] if node else world


def _hold(world: World, address: str) -> World:
    if address in world.plane.holders or "foreign" in world.plane.interfaces:
        return world
    return outside.hold_address(world, Interface("foreign", "a", (address,)))


def _release(world: World) -> World:
    return outside.release_interface(world, "foreign") if "foreign" in world.plane.interfaces else world


gentle: st.SearchStrategy[Action] = st.one_of(
    st.builds(
        lambda name, listed: lambda w: applied(w, name, *listed), names, st.lists(addresses, max_size=3, unique=True)
    ),
    st.builds(lambda name: lambda w: outside.delete_egress_ip(w, name)[0], names),
    st.builds(lambda name, yes: lambda w: _node(w, name, labelled=yes), nodes, st.booleans()),
    st.builds(lambda name, yes: lambda w: _node(w, name, ready=yes), nodes, st.booleans()),
    st.builds(lambda name: lambda w: outside.label_egress_ip(w, name, {"x": str(w.now)})[0], names),
    st.builds(lambda seconds: lambda w: advance(w, w.now + seconds)[0], st.sampled_from([0.0, 7.0, 60.0, 400.0])),
)
rough: st.SearchStrategy[Action] = st.one_of(
    gentle,
    st.builds(lambda name: lambda w: outside.delete_node(w, name)[0], nodes),
    st.builds(lambda name: lambda w: outside.terminate_instance(w, f"i-{name}", release_after_seconds=9), nodes),
    st.builds(lambda name: lambda w: _node(w, name, host_cidrs=None), nodes),
    st.builds(lambda address: lambda w: _hold(w, address), addresses),
    st.just(_release),
    st.builds(lambda address: lambda w: outside.delete_cpic(w, address)[0], addresses),
    st.builds(lambda address, node: lambda w: outside.edit_cpic_node(w, address, node)[0], addresses, nodes),
    st.builds(lambda name: lambda w: outside.put_egress_ip_without_status(w, name)[0], names),
    st.builds(
        lambda op: lambda w: outside.fail_calls(w, op, DENIED),
        st.sampled_from(["AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "DescribeInstances"]),
    ),
    st.just(outside.heal_calls),
    st.sampled_from([start_manager, stop_manager, start_cncc, stop_cncc]),
)
releases = st.sampled_from(sorted(OVNK_RELEASES))


def _played(release: str, actions: list[Action]) -> World:
    world = _START[release]
    for action in actions:
        world, _ = settle(action(world))
    return world


@settings(max_examples=60, deadline=None)
@given(releases, st.lists(rough, max_size=12))
def test_same_inputs_same_outputs(release: str, actions: list[Action]) -> None:
    """The model is a function: playing the same again gives the same world, timers and all."""
    assert _played(release, actions) == _played(release, actions)


@settings(max_examples=120, deadline=None)
@given(releases, st.lists(rough, max_size=12))
def test_what_always_holds(release: str, actions: list[Action]) -> None:
    """EC2 keeps its invariants, and a world is quiet after it settled."""
    world = _played(release, actions)
    plane = world.plane
    held = Counter(address for interface in plane.interfaces.values() for address in interface.addresses)
    assert all(count == 1 for count in held.values())
    assert dict(plane.holders.items()) == {a: i.id for i in plane.interfaces.values() for a in i.addresses}
    assert all(len(interface.addresses) <= 15 for interface in plane.interfaces.values())
    assert settle(world) == (world, ())
    timer = next_timer(world)
    assert timer is None or timer >= world.now


@settings(max_examples=120, deadline=None)
@given(releases, st.lists(gentle, max_size=12))
def test_what_holds_while_nobody_meddles(release: str, actions: list[Action]) -> None:
    """No address of one object twice on a node, no host address, and every claim of a status is on that interface."""
    world = _played(release, actions)
    for egress_ip in world.objects.egress_ips.values():
        claims = dict(egress_ip.status)
        assert len(set(claims.values())) == len(claims)
        assert "10.0.1.11" not in claims
        for address, node in claims.items():
            assert address in world.plane.interfaces[f"eni-{node}"].addresses
            assert world.objects.cpics[address].assigned is Assigned.TRUE


@settings(max_examples=60, deadline=None)
@given(releases, st.lists(gentle, max_size=10), names)
def test_a_kick_on_a_healthy_object_moves_nothing(release: str, actions: list[Action], name: str) -> None:
    """Whatever happened before."""
    world = settled(_played(release, actions), seconds=400)
    seen = world.objects.egress_ips.get(name)
    if seen is not None and set(status(world, name)) == set(seen.spec):
        assert unchanged(world, kicked(world, name))


@settings(max_examples=60, deadline=None)
@given(releases, st.lists(gentle, max_size=10))
def test_waiting_does_not_matter_once_nothing_is_failing(release: str, actions: list[Action]) -> None:
    """A settled cluster without failures stays as it is for an hour."""
    world = settled(_played(release, actions), seconds=400)
    assert unchanged(world, settled(world, seconds=3600))
