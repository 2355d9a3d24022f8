"""What each node, subnet and zone can carry, carries, and could still carry after losing a node.

The annotation of the cloud network controller is a ceiling, not what is left, and it is recomputed only on node add and
taint change; OVN-Kubernetes misreads it besides. So this is our own arithmetic: the annotation, checked against EC2,
less the CPICs. Every node gets a row, in whatever state it is; nothing here decides what to do about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from chalicelib.domain.addresses import AddressCount, aws_reserved
from chalicelib.domain.snapshot import (
    Cpic,
    EgressIp,
    EgressIpConfig,
    Interface,
    Known,
    Node,
    Reservation,
    Snapshot,
    Subnet,
    Unknown,
)

UNKNOWN_ZONE = "unknown"


@dataclass(frozen=True, slots=True)
class NodeCapacity:
    """One node's row.

    Attributes:
        capacity: Egress addresses it may carry, never negative; the lower of annotation and EC2's own numbers.
        announced: `capacity.ipv4` of the annotation; None where it gives none.
        by_ec2: Addresses per interface of the type less those on the interface that are no egress addresses; None
            where EC2 could not be asked or does not know the instance.
        carried: Distinct egress addresses the cluster wants on it; None where CPICs could not be read.
        leaving: Addresses still on it while the cluster wants them elsewhere: they take a slot until released.
        eligible: OVN-Kubernetes would place addresses here.
        reasons: Why not, in words; empty where eligible.
        notes: What is odd and does not make it ineligible.
    """

    node: str
    zone: str
    subnet: IPv4Network | None
    capacity: int
    announced: int | None
    by_ec2: int | None
    carried: int | None
    leaving: int
    labelled: bool
    eligible: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def headroom(self) -> int | None:
        """Addresses it could take now; negative where it carries more than it may."""
        return None if self.carried is None else self.capacity - self.carried - self.leaving


@dataclass(frozen=True, slots=True)
class GroupCapacity:
    """The sum over eligible nodes of a subnet, a zone or the cluster.

    Attributes:
        headroom_after_loss: Headroom once any one node (the largest) is lost and its addresses moved to the rest of
            their subnet; negative means addresses would go unserved. The worst subnet counts.
        free_addresses: Addresses EC2 can still give to nodes and interfaces: what it calls available less what
            explicit reservations hold back. None where it could not be read, or no EC2 subnet is known.
    """

    name: str
    nodes: int
    eligible: int
    capacity: int
    carried: int | None
    headroom: int | None
    headroom_after_loss: int | None
    free_addresses: int | None


@dataclass(frozen=True, slots=True)
class CapacityReport:
    """Rows by node, subnet (by CIDR) and zone, sorted by name, and the cluster's sum."""

    nodes: tuple[NodeCapacity, ...]
    subnets: tuple[GroupCapacity, ...]
    zones: tuple[GroupCapacity, ...]
    cluster: GroupCapacity


def report_capacity(observed: Snapshot) -> Known[CapacityReport]:
    """Work out the whole report. Unknown only where the nodes themselves could not be read."""
    if isinstance(observed.nodes, Unknown):
        return observed.nodes
    carried = _carried_by_node(observed.cpics, observed.egress_ips)
    leaving = _leaving_by_node(observed.cpics)
    by_ec2 = _ec2_capacity_by_node(observed)
    instances = observed.instances
    state_by_id = None if isinstance(instances, Unknown) else {instance.id: instance.state for instance in instances}
    rows = tuple(
        _node_row(
            node,
            instance_trouble="" if state_by_id is None else _instance_trouble(node, state_by_id),
            by_ec2=by_ec2.get(node.name),
            carried=None if carried is None else carried.get(node.name, 0),
            leaving=leaving.get(node.name, 0),
        )
        for node in sorted(observed.nodes, key=lambda node: node.name)
    )
    free = free_for_nodes(observed.subnets, observed.interfaces, observed.reservations)
    subnets = _subnet_rows(rows, free)
    zones = _zone_rows(rows, subnets, _zone_by_cidr(rows, observed.subnets))
    return CapacityReport(rows, tuple(row for _, row in sorted(subnets.items())), zones, _fold("cluster", rows, zones))


def eligibility(node: Node) -> tuple[str, ...]:
    """Why OVN-Kubernetes would not place an IPv4 egress address on this node, in words; empty if it would.

    The rules are those of the cluster manager (observed): label key present, Ready, and the three annotations.
    Cordons and taints do not matter to it.
    """
    config = node.egress_config
    checks = (
        (node.assignable is None, "label k8s.ovn.org/egress-assignable is missing"),
        (not node.ready, "not Ready"),
        (node.deleting, "is being deleted"),
        (not isinstance(config, EgressIpConfig), getattr(config, "why", "")),
        (isinstance(config, EgressIpConfig) and config.subnet is None, "its interface has no IPv4 subnet"),
        (not node.networked, "OVN-Kubernetes has not set up its network yet"),
        (node.uninitialized, "the cloud controller has not taken it up yet"),
    )
    return tuple(why for failed, why in checks if failed)


def _node_row(
    node: Node, *, instance_trouble: str, by_ec2: int | None, carried: int | None, leaving: int
) -> NodeCapacity:
    config = node.egress_config if isinstance(node.egress_config, EgressIpConfig) else None
    announced = config.capacity_ipv4 if config else None
    reasons, notes = eligibility(node), []
    if instance_trouble:
        reasons += (instance_trouble,)
    if node.zone is None:
        notes.append("its zone is not known")
    if node.assignable not in (None, "", "true"):
        notes.append(f"label value {node.assignable!r} counts all the same: only the key matters")
    if node.host_addresses is None:
        notes.append("has no host-cidrs yet: until then every new assignment in the cluster waits")
    if config and announced is None:
        notes.append("the annotation has no capacity.ipv4 (older controllers leave out a 0)")
    elif announced is not None and announced < 0:
        notes.append(f"announces {announced}: its interface holds more addresses than it may")
    if announced is not None and by_ec2 is not None and by_ec2 != announced:
        notes.append(f"announces {announced}, by EC2's numbers it is {by_ec2}")
    usable = [number for number in (announced, by_ec2) if number is not None] if announced is not None else [0]
    return NodeCapacity(
        node=node.name,
        zone=node.zone or UNKNOWN_ZONE,
        subnet=config.subnet if config else None,
        capacity=max(0, min(usable)),
        announced=announced,
        by_ec2=by_ec2,
        carried=carried,
        leaving=leaving,
        labelled=node.assignable is not None,
        eligible=not reasons,
        reasons=reasons,
        notes=tuple(notes),
    )


def _instance_trouble(node: Node, state_by_id: Mapping[str, str]) -> str:
    """Why EC2 could put no address on the node, in words; empty if it could."""
    if node.instance_id is None:
        return "has no providerID yet"
    if node.instance_id not in state_by_id:
        return f"EC2 does not list its instance {node.instance_id}"
    state = state_by_id[node.instance_id]
    return "" if state in ("pending", "running") else f"its instance {node.instance_id} is {state}"


def _carried_by_node(
    cpics: Known[tuple[Cpic, ...]], egress_ips: Known[tuple[EgressIp, ...]]
) -> Mapping[str, int] | None:
    """Addresses the cluster wants on each node: by CPIC and by status claim, whichever says more."""
    if isinstance(cpics, Unknown):
        return None
    wanted = Counter(cpic.spec_node for cpic in cpics if _is_ipv4(cpic.address))
    if isinstance(egress_ips, Unknown):
        return wanted
    claims = {(node, address) for eip in egress_ips for address, node in eip.items if _is_ipv4(address)}
    claimed = Counter(node for node, _ in claims)
    return {node: max(wanted[node], claimed[node]) for node in {*wanted, *claimed}}


def _leaving_by_node(cpics: Known[tuple[Cpic, ...]]) -> Mapping[str, int]:
    if isinstance(cpics, Unknown):
        return {}
    return Counter(
        cpic.status_node
        for cpic in cpics
        if _is_ipv4(cpic.address) and cpic.status_node and cpic.status_node != cpic.spec_node
    )


def _is_ipv4(address: str) -> bool:
    """IPv6 addresses do not take from an interface's IPv4 limit. In CPIC names their groups are joined by dots."""
    return ":" not in address and address.count(".") == 3


def _ec2_capacity_by_node(observed: Snapshot) -> Mapping[str, int]:
    """Limit of the instance type less the addresses on the egress interface that belong to no CPIC of the node.

    The same formula as the cloud network controller's (its `getInstanceCapacity`), on fresh numbers; and a delegated
    prefix takes one of the limit's places, which that controller does not see.
    """
    nodes, instances, interfaces = observed.nodes, observed.instances, observed.interfaces
    limits, cpics = observed.limits, observed.cpics
    if isinstance(nodes, Unknown) or isinstance(instances, Unknown) or isinstance(interfaces, Unknown):
        return {}
    if isinstance(limits, Unknown) or isinstance(cpics, Unknown):
        return {}
    egress: dict[str, set[str]] = {}
    for cpic in cpics:
        for name in {cpic.spec_node, cpic.status_node}:
            egress.setdefault(name, set()).add(cpic.address)
    by_id = {instance.id: instance for instance in instances}
    interface_by_id = {interface.id: interface for interface in interfaces}
    found: dict[str, int] = {}
    for node in nodes:
        instance = by_id.get(node.instance_id or "")
        interface = interface_by_id.get(instance.interface_id or "") if instance else None
        if instance is None or interface is None or instance.type not in limits:
            continue
        own = egress.get(node.name, set())
        others = sum(1 for address in interface.addresses if str(address) not in own) + len(interface.prefixes)
        found[node.name] = limits[instance.type] - others
    return found


def free_for_nodes(
    subnets: Known[tuple[Subnet, ...]],
    interfaces: Known[tuple[Interface, ...]],
    reservations: Known[tuple[Reservation, ...]],
) -> Mapping[IPv4Network, int]:
    """Addresses EC2 can still hand out by itself, by subnet CIDR; empty where any of the three is unknown.

    AvailableIpAddressCount still contains the addresses that explicit reservations hold back and nobody uses yet
    (VPC User Guide, "Subnet CIDR reservations"): a subnet can look free and refuse to launch a node.
    """
    if isinstance(subnets, Unknown) or isinstance(interfaces, Unknown) or isinstance(reservations, Unknown):
        return {}
    explicit: dict[str, list[IPv4Network]] = {}
    for reservation in reservations:
        if reservation.type == "explicit":
            explicit.setdefault(reservation.subnet_id, []).append(reservation.cidr)
    used: dict[str, set[IPv4Address]] = {}
    for interface in interfaces:
        here = used.setdefault(interface.subnet_id, set())
        here.update(interface.addresses, *interface.prefixes)
    free: dict[IPv4Network, int] = {}
    for subnet in subnets:
        counted = AddressCount(used.get(subnet.id, set()) | aws_reserved(subnet.cidr))
        held_back = sum(cidr.num_addresses - counted.within(cidr) for cidr in explicit.get(subnet.id, ()))
        free[subnet.cidr] = subnet.available - held_back
    return free


def _zone_by_cidr(rows: Iterable[NodeCapacity], subnets: Known[tuple[Subnet, ...]]) -> Mapping[IPv4Network, str]:
    """Zone of each subnet: as EC2 says, else as the nodes in it say."""
    zones = {row.subnet: row.zone for row in rows if row.subnet is not None}
    if not isinstance(subnets, Unknown):
        zones.update({subnet.cidr: subnet.zone for subnet in subnets})
    return zones


def _subnet_rows(
    rows: tuple[NodeCapacity, ...], free: Mapping[IPv4Network, int]
) -> Mapping[IPv4Network, GroupCapacity]:
    by_cidr: dict[IPv4Network, list[NodeCapacity]] = {}
    for row in rows:
        if row.subnet is not None:
            by_cidr.setdefault(row.subnet, []).append(row)
    found: dict[IPv4Network, GroupCapacity] = {}
    for cidr, here in by_cidr.items():
        eligible = [row for row in here if row.eligible]
        capacity = sum(row.capacity for row in eligible)
        carried = _sum(row.carried for row in here)
        leaving = sum(row.leaving for row in eligible)
        largest = max((row.capacity for row in eligible), default=0)
        on_eligible = _sum(row.carried for row in eligible)
        found[cidr] = GroupCapacity(
            name=str(cidr),
            nodes=len(here),
            eligible=len(eligible),
            capacity=capacity,
            carried=carried,
            headroom=None if on_eligible is None else capacity - on_eligible - leaving,
            headroom_after_loss=None if carried is None else capacity - largest - carried,
            free_addresses=free.get(cidr),
        )
    return found


def _zone_rows(
    rows: tuple[NodeCapacity, ...],
    subnets: Mapping[IPv4Network, GroupCapacity],
    zone_by_cidr: Mapping[IPv4Network, str],
) -> tuple[GroupCapacity, ...]:
    names = {row.zone for row in rows} | {zone_by_cidr[cidr] for cidr in subnets}
    return tuple(
        _fold(
            name,
            tuple(row for row in rows if row.zone == name),
            [group for cidr, group in sorted(subnets.items()) if zone_by_cidr[cidr] == name],
        )
        for name in sorted(names)
    )


def _fold(name: str, rows: tuple[NodeCapacity, ...], parts: Iterable[GroupCapacity]) -> GroupCapacity:
    """Sum the parts; nodes without a subnet count as nodes, and the worst part decides what a loss would leave."""
    parts = tuple(parts)
    after_loss = [part.headroom_after_loss for part in parts]
    return GroupCapacity(
        name=name,
        nodes=len(rows),
        eligible=sum(part.eligible for part in parts),
        capacity=sum(part.capacity for part in parts),
        carried=_sum(row.carried for row in rows),
        headroom=_sum(part.headroom for part in parts),
        headroom_after_loss=None if None in after_loss else min((n for n in after_loss if n is not None), default=0),
        free_addresses=_sum(part.free_addresses for part in parts),
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    """The sum, or None as soon as one number is unknown."""
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total
