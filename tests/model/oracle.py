"""What is possible: the best assignment that nodes allow, by maximum flow, and nothing of the product's own.

A node carries at most one address of an EgressIP, no more than its capacity in all, and only addresses of its subnet.
Where the nodes of a subnet differ, each counts as the smallest: the platform fills them evenly and past their capacity.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TypeAlias

from sandbox.virtual import VirtualRosa

Demand: TypeAlias = tuple[str, str]
"""(EgressIP, address)."""

AWS_KEEPS = 4
"""The first four addresses of a subnet, and its last."""


@dataclass(frozen=True)
class Carrier:
    """A node that the platform gives addresses to, and how many it can have in all."""

    node: str
    subnet: IPv4Network
    capacity: int


def carriers(rosa: VirtualRosa, *, even: bool = True) -> list[Carrier]:
    """The nodes that can carry.

    Args:
        even: Each counts as the smallest of its subnet; otherwise each for itself.
    """
    plane, found = rosa.world.plane, []
    cpics = {
        (cpic.address, node)
        for cpic in rosa.world.objects.cpics.values()
        for node in (cpic.spec_node, cpic.status_node)
    }
    for name, node in sorted(rosa.world.objects.nodes.items()):
        config = node.egress_config
        if config is None or config.subnet is None or not (node.labelled and node.ready and node.pod_subnets):
            continue
        instance = plane.instances.get(node.instance)
        interface = plane.interfaces.get(instance.interface or "") if instance is not None else None
        if instance is None or interface is None or instance.releases_at is not None:
            continue
        others = sum((address, name) not in cpics for address in interface.addresses)
        limits = [plane.limits[instance.type][0] - others]
        if config.capacity_ipv4 is not None:
            limits.append(config.capacity_ipv4)
        found.append(Carrier(name, IPv4Network(config.subnet), max(0, min(limits))))
    if not even:
        return found
    smallest = {subnet: min(c.capacity for c in found if c.subnet == subnet) for subnet in {c.subnet for c in found}}
    return [Carrier(c.node, c.subnet, smallest[c.subnet]) for c in found]


def can_be_had(rosa: VirtualRosa, egress_ip: str, address: str) -> bool:
    """Whether the address is the EgressIP's to have: in a subnet, nobody else's, kept by neither AWS nor a stranger."""
    parsed = IPv4Address(address)
    cidr = next((z.cidr for z in rosa.facts.zones.values() if parsed in z.cidr), None)
    if cidr is None or int(parsed) - int(cidr.network_address) < AWS_KEEPS or parsed == cidr.broadcast_address:
        return False
    if any(address in there.spec for name, there in rosa.world.objects.egress_ips.items() if name != egress_ip):
        return False
    if (interface := rosa.world.plane.holders.get(address)) is not None:
        cpic = rosa.world.objects.cpics.get(address)
        nodes = {cpic.spec_node, cpic.status_node} if cpic is not None else set()
        instances = {there.instance for name, there in rosa.world.objects.nodes.items() if name in nodes}
        if rosa.world.plane.owners.get(interface) not in instances:
            return False  # a stranger's interface, or left behind on one of the cluster's: not for us to take
    return not any(
        parsed in there.cidr and not there.tags and (there.type != "explicit" or there.cidr.num_addresses > 1)
        for there in rosa.facts.reservations.values()
    )


def most(demands: Collection[Demand], nodes: Collection[Carrier]) -> int:
    """How many of the demands can be served at once: maximum flow, by augmenting paths."""
    edges = _network(demands, nodes)
    flow = 0
    while (path := _augmenting(edges)) is not None:
        for tail, head in path:
            edges[tail][head] -= 1
            edges.setdefault(head, {}).setdefault(tail, 0)
            edges[head][tail] += 1
        flow += 1
    return flow


def _network(demands: Collection[Demand], nodes: Collection[Carrier]) -> dict[object, dict[object, int]]:
    """Source → address → (EgressIP, node) → node → sink; the middle edges carry one each."""
    edges: dict[object, dict[object, int]] = {"source": {}, "sink": {}}
    for egress_ip, address in sorted(demands):
        edges["source"]["address", egress_ip, address] = 1
        for carrier in nodes:
            if IPv4Address(address) in carrier.subnet:
                pair = ("pair", egress_ip, carrier.node)
                edges.setdefault(("address", egress_ip, address), {})[pair] = 1
                edges.setdefault(pair, {})["node", carrier.node] = 1
    for carrier in nodes:
        edges.setdefault(("node", carrier.node), {})["sink"] = carrier.capacity
    return edges


def _augmenting(edges: Mapping[object, Mapping[object, int]]) -> list[tuple[object, object]] | None:
    """A shortest path from source to sink with something left on each edge, or None."""
    came_from: dict[object, object] = {"source": None}
    ahead: deque[object] = deque(["source"])
    while ahead:
        tail = ahead.popleft()
        for head, left in edges.get(tail, {}).items():
            if left > 0 and head not in came_from:
                came_from[head] = tail
                ahead.append(head)
    if "sink" not in came_from:
        return None
    path: list[tuple[object, object]] = []
    end: object = "sink"
    while (tail := came_from[end]) is not None:
        path.append((tail, end))
        end = tail
    return path
