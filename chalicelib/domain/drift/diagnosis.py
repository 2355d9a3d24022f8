"""From what was seen to findings: what is wrong with zones and nodes, what it means, what a person can do.

Reads nodes and capacity; decides nothing about changes. Findings about single addresses are `address_findings`; whether
and when people are told is `usecases.tell`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.domain.capacity import NodeCapacity
from chalicelib.domain.findings import Finding, Kind, Severity, some_of
from chalicelib.domain.plan import Allocation
from chalicelib.domain.policies.placement import Placement
from chalicelib.domain.snapshot import EgressIpConfig, Instance, Node, Subnet
from chalicelib.domain.terrain import JOINING_TIME, LEAVING_TIME, REPLACING_TIME, Terrain
from chalicelib.domain.verdicts import State, Verdict

MIN_FREE_ADDRESSES = 8
"""A subnet with fewer free addresses than this can hardly take a rolling replacement of its nodes."""


def diagnose_capacity(terrain: Terrain, placement: Placement) -> Iterator[Finding]:
    """Zones that can't carry what they are asked for, or could not after losing one node."""
    by_subnet: dict[str, list[Allocation]] = {}
    for allocation in placement.allocations:
        if allocation.subnet_id:
            by_subnet.setdefault(allocation.subnet_id, []).append(allocation)
    for subnet_id, here in sorted(by_subnet.items()):
        subnet = terrain.subnet_by_id[subnet_id]
        asked, short = placement.asked_in[subnet_id], placement.short.get(subnet_id, "")
        demand = _Demand(subnet, here, asked, short)
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
        short: Why something more that is wanted has no room there; empty where all has.
    """

    subnet: Subnet
    allocations: list[Allocation]
    asked: int
    short: str

    @property
    def total(self) -> int:
        """Addresses that the cluster would be asked for if there were room."""
        return self.asked + sum(1 for allocation in self.allocations if allocation.held)

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
            todo=f"Bring a Ready, labelled node of {terrain.pools_in(cidr)} back; the capacity report says of each node"
            " why it can't. The addresses are then assigned by themselves.",
            cause=f"zone {zone}",
            evidence=evidence,
            patience_seconds=_seconds(JOINING_TIME) if _being_set_up(terrain, demand) else 0,
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
            patience_seconds=_seconds(LEAVING_TIME) if cidr in terrain.unsteady else 0,
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
            patience_seconds=_seconds(JOINING_TIME),
        )


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


def diagnose_nodes(terrain: Terrain, placement: Placement) -> Iterator[Finding]:
    """Labelled nodes that have had time enough and still can't carry anything, and nodes that block all others.

    Those of a zone that is wanted and has no other node are told with their zone, at once.
    """
    wanted = {allocation.zone for allocation in placement.allocations}
    ripe = terrain.observed.taken_at - JOINING_TIME
    for row, node in zip(terrain.capacity.nodes, sorted(terrain.observed.nodes, key=lambda n: n.name), strict=True):
        if node.created_at > ripe or node.deleting:
            continue
        if node.assignable is not None and not row.eligible:
            lives = _zone_lives(terrain, row)
            waits = lives or row.zone not in wanted
            yield Finding(
                Kind.NODE_UNUSABLE,
                f"node {node.name}",
                Severity.WARNING,
                f"Node {node.name} ({row.zone}) is labelled for egress and can't carry any: {'; '.join(row.reasons)}.",
                impact="Its zone has one node less for egress addresses.",
                todo=_todo_for(node),
                cause=f"nodes in {row.zone}" if lives else f"zone {row.zone}",
                patience_seconds=_seconds(REPLACING_TIME) if waits and _comes_and_goes(row, node) else 0,
            )
        if node.host_addresses is None:
            yield Finding(
                Kind.NODE_UNUSABLE,
                f"host-cidrs of node {node.name}",
                Severity.CRITICAL,
                f"Node {node.name} has no usable annotation k8s.ovn.org/host-cidrs.",
                impact="Addresses that serve go on serving. While it is missing, OVN-Kubernetes drops every new"
                " assignment and every failover in the cluster, without an event.",
                todo="See why ovnkube-node does not run there (Look). This starts it anew; if that does not help,"
                " replace the node:\noc -n openshift-ovn-kubernetes delete pod -l app=ovnkube-node --field-selector"
                f" spec.nodeName={node.name}",
            )


def _seconds(time: timedelta) -> int:
    return round(time.total_seconds())


def _todo_for(node: Node) -> str:
    """What a person can do about a labelled node that can carry nothing."""
    if node.ready and not isinstance(node.egress_config, EgressIpConfig):
        return (
            "The cloud network controller writes the annotation when the node's taints change; no address moves:\n"
            f"oc adm cordon {node.name}\noc adm uncordon {node.name}"
        )
    return "See what keeps it from being Ready, or its instance from running (Look), and replace it if it stays so."


def _zone_lives(terrain: Terrain, row: NodeCapacity) -> bool:
    return any(other.eligible for other in terrain.capacity.nodes if other.zone == row.zone)


def _comes_and_goes(row: NodeCapacity, node: Node) -> bool:
    """Whether the node may just be on its way out, away for a restart, or about to be given up for a new one."""
    return not node.ready or any("instance" in reason for reason in row.reasons)


def what_moves(terrain: Terrain, verdicts: tuple[Verdict, ...]) -> tuple[str, ...]:
    """Why the cluster is worth another look soon: nodes coming and going, addresses in transit. Sorted, no repeats."""
    moving = {f"{v.address} is on its way ({v.cpic})" for v in verdicts if v.state is State.MOVING}
    moving |= {f"{v.address} is out of EgressIP {v.policy} for a cycle" for v in verdicts if v.state is State.CYCLING}
    moving |= {f"{cpic.address} is being released" for cpic in terrain.observed.cpics if cpic.deleting}
    moving |= {f"EgressIP {eip.name} is being deleted" for eip in terrain.observed.egress_ips if eip.deleting}
    row_by_node = {row.node: row for row in terrain.capacity.nodes}
    for instance in terrain.observed.instances:
        if instance.pool in terrain.pool_names:
            node = terrain.node_by_instance.get(instance.id)
            moving |= _moving_instance(terrain, instance, row_by_node[node.name] if node else None)
    return tuple(sorted(moving))


def _moving_instance(terrain: Terrain, instance: Instance, row: NodeCapacity | None) -> set[str]:
    """Why an instance of the pools is not at rest, if it is not. `row` is its node's, None where it is no node."""
    if instance.state in ("shutting-down", "stopping"):
        return {f"instance {instance.id} ({instance.pool}) is {instance.state}"}
    young = instance.launched_at > terrain.observed.taken_at - JOINING_TIME
    if not young or instance.state not in ("pending", "running"):
        return set()
    if row is None:
        return {f"instance {instance.id} ({instance.pool}) is {instance.state} and no node yet"}
    return set() if row.eligible else {f"node {row.node} ({instance.pool}) is joining: {'; '.join(row.reasons)}"}
