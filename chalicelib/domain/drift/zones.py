"""What is wrong with zones: those that can't carry what they are asked for, or could not after losing one node.

Reads capacity; decides nothing about changes. Does not belong here: single nodes (`nodes`), single addresses
(`address_findings`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.domain.drift.nodes import renewal, wants_renewal
from chalicelib.domain.findings import Finding, Kind, Severity, seconds, some_of
from chalicelib.domain.plan import Allocation
from chalicelib.domain.policies.placement import Placement
from chalicelib.domain.snapshot import Subnet
from chalicelib.domain.terrain import FAILOVER_TIME, JOINING_TIME, LEAVING_TIME, Terrain

MIN_FREE_ADDRESSES = 8
"""A subnet with fewer free addresses than this can hardly take a rolling replacement of its nodes."""

MOST_NODES = 8
"""A zone that is lost says of so many of its nodes what ails them."""


def diagnose_zones(terrain: Terrain, placement: Placement) -> Iterator[Finding]:
    """Zones that can't carry what they are asked for, or could not after losing one node."""
    by_subnet: dict[str, list[Allocation]] = {}
    for allocation in placement.allocations:
        if allocation.subnet_id:
            by_subnet.setdefault(allocation.subnet_id, []).append(allocation)
    for subnet_id, here in sorted(by_subnet.items()):
        subnet = terrain.subnet_by_id[subnet_id]
        asked, waiting = placement.asked_in[subnet_id], placement.waiting_in[subnet_id]
        demand = _Demand(subnet, here, asked, waiting, placement.short.get(subnet_id, ""))
        if successors := _successors(terrain, subnet):
            yield _subnet_changed(demand, successors)
            continue
        yield from _diagnose_subnet(terrain, demand)
    for group in terrain.capacity.subnets:
        if group.free_addresses is not None and group.free_addresses < MIN_FREE_ADDRESSES:
            yield Finding(
                Kind.SUBNET_NEARLY_FULL,
                f"subnet {group.name}",
                Severity.WARNING,
                f"Subnet {group.name} has {group.free_addresses} addresses left for nodes.",
                impact="Egress works. New nodes may fail to launch there (InsufficientFreeAddressesInSubnet), and an"
                " address whose node fails then has nowhere to go.",
                todo="Free addresses there. EC2 shows more as available: it counts those that reservations hold back.",
            )


def _successors(terrain: Terrain, subnet: Subnet) -> list[Subnet]:
    """Where the egress nodes of its zone are, if none is, or is to come, in the subnet itself; else none."""
    if subnet.id in terrain.carrying_subnets or terrain.is_to_carry(subnet):
        return []
    return [other for other in terrain.carrying_subnets.values() if other.zone == subnet.zone]


def _subnet_changed(demand: _Demand, successors: list[Subnet]) -> Finding:
    zone, cidr = demand.subnet.zone, demand.subnet.cidr
    now = some_of(str(other.cidr) for other in successors)
    addresses = some_of(sorted(f"{allocation.address} of {allocation.policy}" for allocation in demand.allocations))
    return Finding(
        Kind.SUBNET_CHANGED,
        f"zone {zone} ({cidr})",
        Severity.CRITICAL,
        f"The egress nodes of {zone} are in another subnet now ({now}); {addresses} can be carried in {cidr} only.",
        impact="Pods of these policies leave by other zones' addresses, or by their node's where there is none.",
        todo=f"Give the machine pool its nodes in {cidr} back, or choose addresses of {now} in the fleet file and tell"
        " the partners who let the old ones in.",
        cause=f"zone {zone}",
        evidence=(f"addresses there: {len(demand.allocations)}", f"egress nodes are in: {now}"),
    )


@dataclass(frozen=True, slots=True)
class _Demand:
    """What is wanted of one subnet.

    Attributes:
        asked: Addresses that the cluster is asked for there once the plan is applied, other people's included.
        waiting: Addresses that it would be asked for besides, if there were room.
        short: Why something more that is wanted has no room there; empty where all has.
    """

    subnet: Subnet
    allocations: list[Allocation]
    asked: int
    waiting: int
    short: str

    @property
    def total(self) -> int:
        """Addresses that the cluster would be asked for if there were room."""
        return self.asked + self.waiting

    @property
    def largest_policy(self) -> tuple[str, int]:
        """The policy with most addresses here, and how many: each needs a node of its own."""
        count = Counter(allocation.policy for allocation in self.allocations)
        return max(sorted(count.items()), key=lambda item: item[1])


def _diagnose_subnet(terrain: Terrain, demand: _Demand) -> Iterator[Finding]:
    eligible = terrain.eligible_in(demand.subnet.cidr)
    zone, cidr = demand.subnet.zone, demand.subnet.cidr
    policy, most = demand.largest_policy
    capacity = sum(row.capacity for row in eligible)
    spare = capacity - max((row.capacity for row in eligible), default=0)
    evidence = (
        f"eligible nodes: {len(eligible)}",
        f"capacity: {capacity}",
        f"addresses wanted: {demand.total}"
        + (
            f", {ours} of them by policies of the fleet file"
            if (ours := len(demand.allocations)) < demand.total
            else ""
        ),
    )
    if not eligible:
        policies = some_of(sorted({allocation.policy for allocation in demand.allocations}))
        yield Finding(
            Kind.NO_ELIGIBLE_NODE,
            f"zone {zone} ({cidr})",
            Severity.CRITICAL,
            f"No node in {zone} ({cidr}) can carry an egress address;"
            f" {demand.total} {'is' if demand.total == 1 else 'are'} wanted there ({policies}).",
            impact="Pods of these policies leave by other zones' addresses, or by their node's where there is none.",
            todo=_todo_for_lost(terrain, demand.subnet),
            cause=f"zone {zone}",
            evidence=(*evidence, *_ailing_nodes(terrain, zone)),
            patience_seconds=seconds(_time_without_nodes(terrain, demand)),
        )
    elif short := _shortfall(demand, len(eligible), capacity, policy, most):
        yield Finding(
            Kind.CAPACITY_SHORTFALL,
            f"zone {zone} ({cidr})",
            Severity.CRITICAL,
            f"Zone {zone} is short of capacity: {short}.",
            impact="Addresses without room are on no node: pods that should leave by them leave by the policy's other"
            " addresses, or, where none serves, with their nodes' own.",
            todo=f"Scale up {terrain.pools_in(cidr)}, or ask for fewer addresses in {zone}.",
            cause=f"shortfall {zone}",
            evidence=evidence,
            patience_seconds=seconds(LEAVING_TIME) if cidr in terrain.unsteady else 0,
        )
    elif most > len(eligible) - 1 or demand.total > spare:
        yield Finding(
            Kind.CAPACITY_NO_SPARE,
            f"zone {zone} ({cidr})",
            Severity.WARNING,
            f"Zone {zone} has no spare: after losing one node it could not carry all of its {demand.total} addresses.",
            impact="Egress works. When a node there fails or is replaced, some addresses are down until another is up.",
            todo=f"Give {terrain.pools_in(cidr)} one more node in {zone}.",
            cause="no spare capacity",
            evidence=evidence,
            # Nothing shows, between a node that is gone and its successor, that one is to come, and then it has to
            # join: twenty minutes in all, more where a second one goes meanwhile. Egress works all the while.
            patience_seconds=seconds(JOINING_TIME),
        )


def lost_zones(terrain: Terrain, placement: Placement) -> frozenset[str]:
    """Zones that are wanted and have no node that can carry: one finding tells of each, and of all nodes in it."""
    wanted = {allocation.subnet_id for allocation in placement.allocations if allocation.subnet_id}
    subnets = [terrain.subnet_by_id[subnet_id] for subnet_id in wanted]
    alive = {row.zone for row in terrain.capacity.nodes if row.eligible}
    return frozenset(s.zone for s in subnets if s.zone not in alive and not _successors(terrain, s))


def _todo_for_lost(terrain: Terrain, subnet: Subnet) -> str:
    back = (
        f"Bring a Ready, labelled node of {terrain.pools_in(subnet.cidr)} back. The addresses are then assigned by"
        " themselves."
    )
    renewable = [node for node in terrain.observed.nodes if node.zone == subnet.zone and wants_renewal(node)]
    return f"{renewal(renewable[:MOST_NODES])}\n{back}" if renewable else back


def _ailing_nodes(terrain: Terrain, zone: str) -> list[str]:
    """What ails each node of a zone that is lost: of those that are labelled, or are to be."""
    of_pools = (terrain.node_by_instance.get(i.id) for i in terrain.observed.instances if i.pool in terrain.pool_names)
    meant = {node.name for node in of_pools if node is not None}
    rows = [row for row in terrain.capacity.nodes if row.zone == zone and (row.labelled or row.node in meant)]
    said = [f"{row.node}: {'; '.join(row.reasons)}" for row in rows[:MOST_NODES]]
    return [*said, *([f"and {more} more nodes"] if (more := len(rows) - MOST_NODES) > 0 else [])]


def _time_without_nodes(terrain: Terrain, demand: _Demand) -> timedelta:
    """A zone whose first nodes are on their way has what these may take; one that lost all but a node that joins, what
    a failover may take: it often needs no more, when the node before it went a moment too early.
    """
    if _being_set_up(terrain, demand):
        return JOINING_TIME
    return FAILOVER_TIME if demand.subnet.cidr in terrain.joining else timedelta()


def _being_set_up(terrain: Terrain, demand: _Demand) -> bool:
    """Whether its first nodes are on their way, and nothing was asked of it before that could be out meanwhile."""
    subnet = demand.subnet
    ripe = terrain.observed.taken_at - JOINING_TIME
    created_at = {node.name: node.created_at for node in terrain.observed.nodes}
    lost = any(
        row.labelled and row.subnet == subnet.cidr and created_at[row.node] <= ripe for row in terrain.capacity.nodes
    )
    new = all(allocation.held for allocation in demand.allocations)
    return new and not lost and (terrain.is_to_carry(subnet) or subnet.cidr in terrain.joining)


def _shortfall(demand: _Demand, nodes: int, capacity: int, policy: str, most: int) -> str:
    """Why the zone can't carry all of it, in words; empty if it can."""
    if most > nodes:
        return f"{policy} wants {most} addresses there, each needs a node of its own, and {nodes} can carry one"
    if demand.total > capacity:
        return f"{demand.total} addresses are wanted there and its nodes can carry {capacity}"
    return demand.short
