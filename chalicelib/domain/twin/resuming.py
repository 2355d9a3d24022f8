"""A world from what can be observed of a cluster: both programs as if they had been running for long.

Belongs here: what a cluster manager and a CNCC must know, given the objects that are there. Does not belong here: how
the objects were observed.

Not everything can be seen from outside. Where it decides something it is an argument (`retrying`); for the rest this is
what the programs know after an undisturbed life: an address is allocated where its status item or its CPIC says (the
status, where the two would put two addresses of one object on a node: the program never keeps such a pair), an
operation is pending while its CPIC is not where it should be, every eligible node has been found reachable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from chalicelib.domain.twin.addressing import canonical
from chalicelib.domain.twin.allocator import Allocator, EgressNode
from chalicelib.domain.twin.behaviours import Behaviours
from chalicelib.domain.twin.cluster_manager import ClusterManager, Stage, started
from chalicelib.domain.twin.cncc import Cncc
from chalicelib.domain.twin.ec2 import Plane
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.turn import Operation, Pending
from chalicelib.domain.twin.values import Assigned, Cpic, Node, Objects
from chalicelib.domain.twin.workqueue import WorkQueue
from chalicelib.domain.twin.world import World


def resumed(
    objects: Objects, plane: Plane, behaviours: Behaviours, *, now: float = 0.0, retrying: Collection[str] = ()
) -> World:
    """The world of those objects, quiet except for CPICs that are in transit.

    Args:
        now: Where its time begins, in seconds.
        retrying: Addresses whose failed CPIC is still being retried, and will be at once; CNCC has given up the others.
            About six minutes after the first failure it has; before that either may be true.
    """
    return World(
        behaviours,
        objects=objects,
        plane=plane,
        now=now,
        manager=_manager(objects, behaviours, now),
        cncc=_cncc(objects, retrying),
    )


def _manager(objects: Objects, behaviours: Behaviours, now: float) -> ClusterManager:
    allocations: dict[str, dict[str, str]] = {}
    pending: Pending = Table()
    for name, egress_ip in objects.egress_ips.in_order():
        for address, claimed in egress_ip.status:
            allocations.setdefault(claimed, {})[address] = name
    claims = {(node, owner): address for node, here in allocations.items() for address, owner in here.items()}
    for address, cpic in objects.cpics.in_order():
        if cpic.owner is None or not _listed(objects, cpic, cpic.owner):
            continue
        if claims.get((cpic.spec_node, cpic.owner), address) == address:
            allocations.setdefault(cpic.spec_node, {})[address] = cpic.owner
        operation = _under_way(cpic)
        if operation is not None:
            pending = pending.put(cpic.owner, (*pending.get(cpic.owner, ()), (address, operation)))
    nodes = [node for _, node in objects.nodes.in_order()]
    cache = Allocator.of(
        [_entry(node, allocations.get(node.name, {}), behaviours) for node in nodes if _taken_up(node)], nodes
    )
    marks = Table((name, e.mark) for name, e in objects.egress_ips.items() if e.mark is not None)
    manager = replace(started(now), stage=Stage.RUNNING, cache=cache, pending=pending, marks=marks)
    return replace(manager, next_mark=max(marks.values(), default=manager.next_mark - 1) + 1)


def _taken_up(node: Node) -> bool:
    return node.egress_config is not None and node.primary_ifaddr and node.pod_subnets


def _entry(node: Node, allocations: Mapping[str, str], behaviours: Behaviours) -> EgressNode:
    """A node as the cache has it. Allocations are forgotten on nodes that lose label or readiness."""
    assert node.egress_config is not None  # noqa: S101 - it was taken up
    assignable = node.labelled and (node.host_cidrs is not None or behaviours.silent_abort)
    able = assignable and node.ready
    return EgressNode(
        node.name,
        node.egress_config,
        assignable,
        ready=node.ready,
        reachable=able,
        allocations=tuple(sorted(allocations.items())) if able else (),
    )


def _listed(objects: Objects, cpic: Cpic, owner: str) -> bool:
    egress_ip = objects.egress_ips.get(owner)
    return egress_ip is not None and cpic.address in map(canonical, egress_ip.spec)


def _under_way(cpic: Cpic) -> Operation | None:
    if cpic.deleting:
        return Operation(delete=cpic.spec_node)
    if cpic.assigned is Assigned.TRUE and cpic.status_node == cpic.spec_node:
        return None
    left = cpic.status_node if cpic.status_node not in ("", cpic.spec_node) else ""
    return Operation(add=cpic.spec_node, delete=left)


def _cncc(objects: Objects, retrying: Collection[str]) -> Cncc:
    in_transit = [
        address
        for address, cpic in objects.cpics.in_order()
        if (cpic.assigned is Assigned.FALSE and address in retrying)
        or cpic.assigned in (None, Assigned.UNKNOWN)
        or (cpic.assigned is Assigned.TRUE and (cpic.deleting or cpic.status_node != cpic.spec_node))
    ]
    without_config = [name for name, node in objects.nodes.in_order() if node.egress_config is None]
    return Cncc(cpics=WorkQueue(ready=tuple(in_transit)), nodes=WorkQueue(ready=tuple(without_config)))
