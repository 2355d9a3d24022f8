"""What is odd around the egress addresses and breaks nothing yet: leftovers, tags, numbers, assignments of the dead.

Reads interfaces, CloudPrivateIPConfigs and capacity. Nothing here is repaired: none of it is ours, or certain enough.
Does not belong here: addresses of policies (`address_findings`), zones and nodes that can't carry (`zones`, `nodes`).
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.domain.capacity import NodeCapacity
from chalicelib.domain.drift.nodes import renewal
from chalicelib.domain.findings import Finding, Kind, Severity, seconds
from chalicelib.domain.healing.treatment import MANAGED_TAG
from chalicelib.domain.snapshot import Cpic, Interface, Node
from chalicelib.domain.terrain import JOINING_TIME, LEAVING_TIME, Terrain, parse_address
from chalicelib.domain.verdicts import LONGEST_TRANSIT


def diagnose_surroundings(terrain: Terrain) -> Iterator[Finding]:
    """All of it; each by subject once."""
    yield from _stale_assignments(terrain)
    interface_by_id = {interface.id: interface for interface in terrain.observed.interfaces}
    ripe = terrain.observed.taken_at - JOINING_TIME
    of_nodes: list[tuple[Node, NodeCapacity, Interface]] = []
    for row, node in zip(terrain.capacity.nodes, sorted(terrain.observed.nodes, key=lambda n: n.name), strict=True):
        instance = terrain.instance_by_id.get(node.instance_id or "")
        interface = interface_by_id.get((instance.interface_id if instance else None) or "")
        if interface is not None and row.labelled and row.eligible and node.created_at <= ripe:
            of_nodes.append((node, row, interface))
    for node, row, interface in of_nodes:
        yield from _leftovers(terrain, node, interface)
        if not _in_transit(terrain, interface):
            yield from _odd_capacity(node, row)
    yield from _untagged(terrain, [(node, interface) for node, _, interface in of_nodes])


def _stale_assignments(terrain: Terrain) -> Iterator[Finding]:
    """CloudPrivateIPConfigs that nobody asks for any more, or that can't be released. One that a policy of ours waits
    for is told with its address.
    """
    now = terrain.observed.taken_at
    for cpic in sorted(terrain.observed.cpics, key=lambda cpic: cpic.address):
        stuck = cpic.deleted_at is not None and cpic.deleted_at < now - LONGEST_TRANSIT
        orphaned = not cpic.deleting and cpic.address not in terrain.objects_by_address
        if not (stuck or orphaned) or parse_address(cpic.address) is None or _comes_back(terrain, cpic):
            continue
        owner = cpic.owner or "an EgressIP that it does not name"
        why = (
            "is being deleted and its address is not released"
            if stuck
            else f"is left over: {owner} does not list its address"
        )
        yield Finding(
            Kind.CPIC_STALE,
            f"CloudPrivateIPConfig {cpic.address}",
            Severity.WARNING,
            f"CloudPrivateIPConfig {cpic.address} on node {cpic.status_node or cpic.spec_node} {why}.",
            impact="None for now. The address takes a place on the node's interface, and nobody else can have it.",
            todo="If the cloud network controller runs, the condition below says what EC2 refuses. Never remove the"
            " finalizer: the address would stay on the interface."
            if stuck
            else f"If nobody needs the address, this releases it:\noc delete cloudprivateipconfig {cpic.address}",
            evidence=(
                f"owner: {cpic.owner or 'none'}",
                f"condition: {cpic.assigned or 'none'} {cpic.message}".rstrip(),
            ),
        )


def _comes_back(terrain: Terrain, cpic: Cpic) -> bool:
    return any(terrain.is_out(policy, cpic.address) for policy in terrain.cycles)


def _leftovers(terrain: Terrain, node: Node, interface: Interface) -> Iterator[Finding]:
    """Secondary addresses that no CloudPrivateIPConfig accounts for. A foreign one, or left by a node that was deleted
    before its instance: they look alike, so nothing is taken off.
    """
    for address in interface.addresses[1:]:
        if str(address) in terrain.cpic_by_address or str(address) in terrain.objects_by_address:
            continue
        yield Finding(
            Kind.ADDRESS_LEFTOVER,
            f"address {address} on {interface.id}",
            Severity.WARNING,
            f"{address} is on the network interface of node {node.name}, and nothing in the cluster asks for it.",
            impact="None for now. It takes the place of an egress address there, and OVN-Kubernetes may not know that.",
            todo="Find out who put it there (CloudTrail, AssignPrivateIpAddresses). If nobody needs it, take it off:\n"
            f"aws ec2 unassign-private-ip-addresses --region {terrain.desired.region}"
            f" --network-interface-id {interface.id} --private-ip-addresses {address}",
            cause=f"interface {interface.id}",
            patience_seconds=seconds(LEAVING_TIME),
        )


def _in_transit(terrain: Terrain, interface: Interface) -> bool:
    """Whether one of its addresses is on its way here or away: then the numbers of two reads need not agree."""
    cpics = (terrain.cpic_by_address.get(str(address)) for address in interface.addresses)
    return any(cpic is not None and not cpic.healthy for cpic in cpics)


def _odd_capacity(node: Node, row: NodeCapacity) -> Iterator[Finding]:
    """An annotation that promises more than EC2 has, or nothing that makes sense: OVN-Kubernetes goes by it."""
    announced, by_ec2 = row.announced, row.by_ec2
    too_much = announced is not None and by_ec2 is not None and announced > by_ec2
    if not (too_much or announced is None or announced < 0):
        return
    says = "announces no IPv4 capacity" if announced is None else f"announces room for {announced} egress addresses"
    yield Finding(
        Kind.CAPACITY_ODD,
        f"node {node.name}",
        Severity.WARNING if too_much else Severity.INFO,
        f"Node {node.name} {says}; by EC2's numbers it is {'not known' if by_ec2 is None else by_ec2}.",
        impact="None for now: plans go by the lower number. OVN-Kubernetes may place more there than fits.",
        todo=renewal([node], "works the number out anew"),
        cause=f"interface {getattr(node.egress_config, 'interface', node.name)}",
        patience_seconds=seconds(LEAVING_TIME),
    )


def _untagged(terrain: Terrain, of_nodes: list[tuple[Node, Interface]]) -> Iterator[Finding]:
    """HCP: interfaces without the tag that the controller's role asks for, where others of the cluster have it.

    Where none has it the role is another, without that condition, or every assignment fails and says so itself.
    """
    known = [(node, interface) for node, interface in of_nodes if interface.tags is not None]
    tagged = [node for node, interface in known if (interface.tags or {}).get(MANAGED_TAG) == "true"]
    if not terrain.hosted or not tagged:
        return
    for node, interface in known:
        if (interface.tags or {}).get(MANAGED_TAG) != "true":
            yield Finding(
                Kind.INTERFACE_UNTAGGED,
                f"interface {interface.id}",
                Severity.WARNING,
                f"The network interface {interface.id} of node {node.name} lacks the tag {MANAGED_TAG}=true.",
                impact="None for what serves there now. The cloud network controller may neither put an address on it"
                " nor take one off.",
                todo="Find out who took it off (CloudTrail, DeleteTags), and put it back:\naws ec2 create-tags"
                f" --region {terrain.desired.region} --resources {interface.id} --tags Key={MANAGED_TAG},Value=true",
                cause=f"tag {MANAGED_TAG}",
            )
