"""What is wrong with single nodes: labelled for egress and able to carry nothing, or in the way of all others.

Reads nodes and capacity; decides nothing about changes. Also why a cluster is worth another look soon. Does not belong
here: zones (`zones`), what is odd and breaks nothing (`surroundings`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from chalicelib.domain.capacity import NodeCapacity
from chalicelib.domain.findings import Finding, Kind, Severity, seconds
from chalicelib.domain.remembered import Remembered
from chalicelib.domain.snapshot import EgressIpConfig, Instance, Node
from chalicelib.domain.terrain import JOINING_TIME, REPLACING_TIME, Terrain
from chalicelib.domain.verdicts import State, Verdict


def diagnose_nodes(terrain: Terrain, lost: Collection[str], memory: Remembered) -> Iterator[Finding]:
    """Labelled nodes that have had time enough and still can't carry anything, and nodes that block all others.

    One that has not had it yet is a note, as soon as that could make a difference: since when it is so, for what it
    would be told as later.

    Args:
        lost: Zones that are told as lost. That tells of their nodes too; one that people know of already goes on
            being told: it is not over.
    """
    ripe = terrain.observed.taken_at - JOINING_TIME
    noted = ripe + REPLACING_TIME  # not before: each new node passes through this, and a note is a write
    for row, node in zip(terrain.capacity.nodes, sorted(terrain.observed.nodes, key=lambda n: n.name), strict=True):
        if node.deleting:
            continue
        grown_up = node.created_at <= ripe
        if node.assignable is not None and not row.eligible and node.created_at <= noted:
            finding = _unusable(row, node, grown_up=grown_up, of_lost_zone=row.zone in lost)
            memo = memory.memo(finding.fingerprint(terrain.desired.name))
            if row.zone not in lost or (memo is not None and memo.told):
                yield finding
        if node.host_addresses is None and grown_up:
            yield _blinding(node)


def _unusable(row: NodeCapacity, node: Node, *, grown_up: bool, of_lost_zone: bool) -> Finding:
    away = not of_lost_zone and _comes_and_goes(row, node)
    return Finding(
        Kind.NODE_UNUSABLE,
        f"node {node.name}",
        Severity.WARNING if grown_up else Severity.INFO,
        f"Node {node.name} ({row.zone}) is labelled for egress and can't carry any: {'; '.join(row.reasons)}.",
        impact="Its zone has one node less for egress addresses.",
        todo=renewal([node])
        if wants_renewal(node)
        else "See what keeps it from being Ready, or its instance from running (Look), and replace it if it stays so.",
        cause=f"{'zone' if of_lost_zone else 'nodes in'} {row.zone}",
        patience_seconds=seconds(REPLACING_TIME) if away else 0,
    )


def _blinding(node: Node) -> Finding:
    return Finding(
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


def wants_renewal(node: Node) -> bool:
    """Whether the node lacks nothing but the annotation that the cloud network controller writes."""
    return node.assignable is not None and node.ready and not isinstance(node.egress_config, EgressIpConfig)


def renewal(nodes: Iterable[Node], what: str = "writes the annotation") -> str:
    """What makes the cloud network controller look at nodes again, in words and as commands to paste."""
    lines = [f"The cloud network controller {what} when the node's taints change; no address moves:"]
    for node in nodes:
        lines += [f"oc adm cordon {node.name}", f"oc adm uncordon {node.name}"]
    return "\n".join(lines)


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
