"""From what was seen to findings: what is wrong, what it means, what a person can do.

Reads verdicts, nodes and capacity; decides nothing about changes. Whether and when people are told is `usecases.tell`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.capacity import CapacityReport, NodeCapacity
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.placement import FAIL_OPEN, JOINING_TIME
from chalicelib.domain.plan import Allocation
from chalicelib.domain.snapshot import Snapshot, Subnet
from chalicelib.domain.terrain import Terrain
from chalicelib.domain.verdicts import State, Verdict

MIN_FREE_ADDRESSES = 8
"""A subnet with fewer free addresses than this can hardly take a rolling replacement of its nodes."""

_HEADLINE = {
    State.UNASSIGNED: (Kind.ADDRESS_UNASSIGNED, "is listed by the EgressIP and assigned to no node"),
    State.FAILED: (Kind.ASSIGNMENT_FAILED, "could not be put on its node's network interface"),
    State.STATUS_LOST: (Kind.STATUS_LOST, "is on its node, but the EgressIP's status does not say so"),
    State.STATUS_UNBACKED: (Kind.STATUS_UNBACKED, "is claimed in the EgressIP's status, but nothing carries it"),
    State.EC2_MISSING: (Kind.EC2_ADDRESS_MISSING, "is assigned in the cluster, but no network interface has it"),
    State.ELSEWHERE: (Kind.EC2_ADDRESS_MISSING, "is assigned in the cluster, but another network interface has it"),
    State.STALE_CPIC: (Kind.CPIC_STALE, "is held by a CloudPrivateIPConfig left over from another EgressIP"),
}

_TODO = {
    State.UNASSIGNED: "`oc get events -n default --field-selector involvedObject.kind=EgressIP`; changing any label of"
    " the EgressIP makes OVN-Kubernetes look again.",
    State.FAILED: "Remove the cause that the message names. The platform gives up after about 6 minutes; then take the"
    " address out of the EgressIP, wait until its CloudPrivateIPConfig is gone, and put it back.",
    State.STATUS_LOST: "Take the address out of the EgressIP, wait until its CloudPrivateIPConfig is gone, put it"
    " back.",
    State.STATUS_UNBACKED: "Take the address out of the EgressIP and put it back.",
    State.EC2_MISSING: "Assign it again to the same interface, or take it out of the EgressIP and put it back; the"
    " cloud network controller never looks again by itself.",
    State.ELSEWHERE: "Find out what that interface is; the address can come back only when it is free.",
    State.STALE_CPIC: "Take the address out of the EgressIP and put it back, twice if its status stays empty.",
}


def diagnose_addresses(verdicts: tuple[Verdict, ...]) -> Iterator[Finding]:
    """One finding for each address that should serve and does not; movement alone is none."""
    for verdict in verdicts:
        if verdict.state not in _HEADLINE:
            continue
        kind, headline = _HEADLINE[verdict.state]
        yield Finding(
            kind,
            f"address {verdict.address} of {verdict.policy}",
            Severity.CRITICAL,
            f"{verdict.address} ({verdict.policy}, {verdict.zone}) {headline}.",
            impact=FAIL_OPEN,
            todo=_TODO[verdict.state],
            evidence=(
                f"status.items: {verdict.claimed_node or 'no node'}",
                f"CloudPrivateIPConfig: {verdict.cpic}",
                f"network interface: {verdict.interface or 'none'}"
                + (f" ({verdict.interface_node})" if verdict.interface_node else ""),
                f"reservation: {verdict.reservation or 'none'}",
            ),
        )


def diagnose_capacity(
    terrain: Terrain, allocations: tuple[Allocation, ...], report: CapacityReport
) -> Iterator[Finding]:
    """Zones that can't carry what they are asked for, or could not after losing one node."""
    by_subnet: dict[str, list[Allocation]] = {}
    for allocation in allocations:
        if allocation.subnet_id:
            by_subnet.setdefault(allocation.subnet_id, []).append(allocation)
    for subnet_id, here in sorted(by_subnet.items()):
        subnet = terrain.subnet_by_id[subnet_id]
        yield from _diagnose_subnet(_Demand(subnet, here), terrain.eligible_in(subnet.cidr))
    for group in report.subnets:
        if group.free_addresses is not None and group.free_addresses < MIN_FREE_ADDRESSES:
            yield Finding(
                Kind.SUBNET_NEARLY_FULL,
                f"subnet {group.name}",
                Severity.WARNING,
                f"Subnet {group.name} has {group.free_addresses} addresses left for nodes.",
                impact="New nodes may fail to launch (InsufficientFreeAddressesInSubnet); a replacement needs room.",
                todo="Free addresses there. EC2 shows more as available: it counts what explicit reservations hold.",
            )


@dataclass(frozen=True, slots=True)
class _Demand:
    """What the policies want of one subnet."""

    subnet: Subnet
    allocations: list[Allocation]

    @property
    def total(self) -> int:
        return len({allocation.address for allocation in self.allocations})

    @property
    def largest_policy(self) -> tuple[str, int]:
        """The policy with most addresses here, and how many: each needs a node of its own."""
        count = Counter(allocation.policy for allocation in self.allocations)
        return max(sorted(count.items()), key=lambda item: item[1])


def _diagnose_subnet(demand: _Demand, eligible: tuple[NodeCapacity, ...]) -> Iterator[Finding]:
    zone, cidr = demand.subnet.zone, demand.subnet.cidr
    policies = ", ".join(sorted({allocation.policy for allocation in demand.allocations}))
    policy, most = demand.largest_policy
    capacity = sum(row.capacity for row in eligible)
    spare = capacity - max((row.capacity for row in eligible), default=0)
    evidence = (f"eligible nodes: {len(eligible)}", f"capacity: {capacity}", f"addresses wanted: {demand.total}")
    if not eligible:
        yield Finding(
            Kind.NO_ELIGIBLE_NODE,
            f"zone {zone}",
            Severity.CRITICAL,
            f"No node in {zone} ({cidr}) can carry an egress address; {demand.total} are wanted ({policies}).",
            impact="Pods of these policies leave by other zones' addresses, or by their node's where there is none.",
            todo=f"See that a labelled machine pool has a Ready node in {zone}: `egress-keeper capacity` says why not.",
            cause=f"zone {zone}",
            evidence=evidence,
        )
    elif most > len(eligible) or demand.total > capacity:
        why = (
            f"{policy} has {most} addresses there, one a node, and {len(eligible)} nodes are eligible"
            if most > len(eligible)
            else f"{demand.total} addresses are wanted and the nodes can carry {capacity}"
        )
        yield Finding(
            Kind.CAPACITY_SHORTFALL,
            f"zone {zone} ({cidr})",
            Severity.CRITICAL,
            f"Zone {zone} is short of capacity: {why}.",
            impact=FAIL_OPEN,
            todo="Scale the machine pool of that zone, or ask for fewer addresses there.",
            cause=f"shortfall {zone}",
            evidence=evidence,
        )
    elif most > len(eligible) - 1 or demand.total > spare:
        yield Finding(
            Kind.CAPACITY_NO_SPARE,
            f"zone {zone} ({cidr})",
            Severity.WARNING,
            f"Zone {zone} has no spare: after losing one node it could not carry all of its {demand.total} addresses.",
            impact="Egress works; it will not in this zone when a node fails or is replaced, until another is there.",
            todo="Give the zone's machine pool one more node.",
            cause="no spare capacity",
            evidence=evidence,
        )


def diagnose_nodes(terrain: Terrain, snapshot: Snapshot) -> Iterator[Finding]:
    """Labelled nodes that have had time enough and still can't carry anything, and nodes that block all others."""
    ripe = snapshot.taken_at - JOINING_TIME
    for row, node in zip(terrain.capacity.nodes, sorted(terrain.observed.nodes, key=lambda n: n.name), strict=True):
        if node.created_at > ripe or node.deleting:
            continue
        if node.assignable is not None and not row.eligible:
            yield Finding(
                Kind.NODE_UNUSABLE,
                f"node {node.name}",
                Severity.WARNING,
                f"Node {node.name} ({row.zone}) is labelled for egress and can't carry any: {'; '.join(row.reasons)}.",
                impact="Its zone has one node less for egress addresses.",
                todo=f"`oc describe node {node.name}`; `oc get node {node.name} -o yaml | grep egress-ipconfig`.",
                cause=f"nodes in {row.zone}",
            )
        if node.host_addresses is None:
            yield Finding(
                Kind.NODE_UNUSABLE,
                f"host-cidrs of node {node.name}",
                Severity.CRITICAL,
                f"Node {node.name} has no annotation k8s.ovn.org/host-cidrs.",
                impact="While that is so, OVN-Kubernetes drops every new assignment and failover in the cluster,"
                " without an event.",
                todo=f"See why ovnkube-node does not run there (`oc -n openshift-ovn-kubernetes get pods -o wide`),"
                f" or remove the node {node.name}.",
            )


def what_moves(terrain: Terrain, snapshot: Snapshot, verdicts: tuple[Verdict, ...]) -> tuple[str, ...]:
    """Why the cluster is worth another look soon: nodes coming and going, addresses in transit. Sorted, no repeats."""
    moving = {f"{v.address} is on its way ({v.cpic})" for v in verdicts if v.state is State.MOVING}
    pools = {pool.name for pool in terrain.desired.machine_pools}
    node_by_instance = {node.instance_id: node for node in terrain.observed.nodes if node.instance_id}
    row_by_node = {row.node: row for row in terrain.capacity.nodes}
    for instance in terrain.observed.instances:
        if instance.pool not in pools:
            continue
        node = node_by_instance.get(instance.id)
        row = row_by_node.get(node.name) if node else None
        if instance.state in ("pending", "running") and instance.launched_at > snapshot.taken_at - JOINING_TIME:
            if node is None or row is None:
                moving.add(f"instance {instance.id} ({instance.pool}) is {instance.state}; it is no node yet")
            elif not row.eligible:
                moving.add(f"node {node.name} ({instance.pool}) is joining: {'; '.join(row.reasons)}")
        elif instance.state in ("shutting-down", "stopping"):
            moving.add(f"instance {instance.id} ({instance.pool}) is {instance.state}")
    return tuple(sorted(moving))
