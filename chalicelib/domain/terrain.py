"""The snapshot, indexed for the questions that planning asks: whose is this address, which subnet is it in.

Derived values only, computed once a plan so that planning stays near-linear in nodes and addresses. No answer depends
on the order in which the adapters listed things.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from chalicelib.domain.actions import (
    LABEL_MANAGED_BY,
    LARGEST_RANGE,
    OWNER,
    TAG_CLUSTER,
    TAG_HELD_PREFIX,
    TAG_POLICY_PREFIX,
)
from chalicelib.domain.addresses import AddressCount, RangeIndex
from chalicelib.domain.capacity import CapacityReport, NodeCapacity
from chalicelib.domain.pools import OcmView
from chalicelib.domain.snapshot import (
    Cpic,
    EgressIp,
    EgressIpConfig,
    Instance,
    Interface,
    Known,
    Node,
    Reservation,
    Selected,
    Snapshot,
    Subnet,
    Unknown,
)
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.tried import Tried, cycled
from chalicelib.domain.wished_pools import wished_pools

JOINING_TIME = timedelta(minutes=25)
"""How long a new node may take: the platform's own patience (machine health check: 20 minutes HCP, 25 classic)."""

LEAVING_TIME = timedelta(minutes=10)
"""How long a node may be on its way out, or away for a restart: a replaced one is gone after about 3 minutes, one that
is upgraded in place (classic) is back after about 5."""

FAILOVER_TIME = timedelta(minutes=2)
"""How long OpenShift's own tests give an address to be somewhere else."""

REPLACING_TIME = timedelta(minutes=15)
"""How long a node that fell silent may be there: the machine health check gives it up after 8 minutes (HCP) or 10
(classic); then it is drained, and gone within about 3."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The sections of a snapshot that planning needs, all of them known, and those that it can do without."""

    taken_at: datetime
    nodes: tuple[Node, ...]
    egress_ips: tuple[EgressIp, ...]
    cpics: tuple[Cpic, ...]
    instances: tuple[Instance, ...]
    subnets: tuple[Subnet, ...]
    interfaces: tuple[Interface, ...]
    reservations: tuple[Reservation, ...]
    limits: Known[Mapping[str, int]] = field(default_factory=dict)
    ocm: Known[OcmView] | None = None
    selected: Known[Selected] | None = None


def all_known(snapshot: Snapshot) -> Observed | None:
    """The sections, or None where one of them could not be read.

    One unreadable section stops every change: which address is free, covered or carried is a question to all of them
    at once. The address limits of the instance types only cross-check the annotation, and may be missing; so may OCM,
    on which no address depends.
    """
    nodes, egress_ips, cpics = snapshot.nodes, snapshot.egress_ips, snapshot.cpics
    instances, subnets = snapshot.instances, snapshot.subnets
    interfaces, reservations = snapshot.interfaces, snapshot.reservations
    if isinstance(nodes, Unknown) or isinstance(egress_ips, Unknown) or isinstance(cpics, Unknown):
        return None
    if isinstance(instances, Unknown) or isinstance(subnets, Unknown):
        return None
    if isinstance(interfaces, Unknown) or isinstance(reservations, Unknown):
        return None
    return Observed(
        snapshot.taken_at,
        nodes,
        egress_ips,
        cpics,
        instances,
        subnets,
        interfaces,
        reservations,
        snapshot.limits,
        snapshot.ocm,
        snapshot.selected,
    )


class Terrain:
    """Indexes over one complete observation. Immutable after construction."""

    def __init__(self, observed: Observed, desired: ClusterSpec, capacity: CapacityReport) -> None:
        self.observed = observed
        self.desired = desired
        self.capacity = capacity
        self.subnet_by_id: Mapping[str, Subnet] = {subnet.id: subnet for subnet in observed.subnets}
        self._subnets = RangeIndex((subnet.cidr, subnet) for subnet in observed.subnets)
        self.interface_by_address: Mapping[IPv4Address, Interface] = {
            address: interface
            for interface in sorted(observed.interfaces, key=lambda interface: interface.id)
            for address in interface.addresses
        }
        self.host_by_address: Mapping[IPv4Address, str] = {
            address: node.name
            for node in sorted(observed.nodes, key=lambda node: node.name)
            for address in node.host_addresses or ()
        }
        self.cpic_by_address: Mapping[str, Cpic] = {cpic.address: cpic for cpic in observed.cpics}
        self.egress_ip_by_name: Mapping[str, EgressIp] = {eip.name: eip for eip in observed.egress_ips}
        self.instance_by_id: Mapping[str, Instance] = {instance.id: instance for instance in observed.instances}
        self.node_by_name: Mapping[str, Node] = {node.name: node for node in observed.nodes}
        self.node_by_instance: Mapping[str, Node] = {
            node.instance_id: node for node in observed.nodes if node.instance_id
        }
        self.cycles: Mapping[str, Mapping[str, Tried]] = {
            eip.name: cycled(eip, observed.taken_at) for eip in observed.egress_ips if is_our_object(eip)
        }
        """Cycles of addresses, under way or done, by EgressIP of ours and address."""
        self.objects_by_address: Mapping[str, tuple[str, ...]] = _objects_by_address(observed.egress_ips)
        self.reservations_by_subnet: Mapping[str, tuple[Reservation, ...]] = _by_subnet(observed.reservations)
        self._reservations = {
            subnet_id: RangeIndex((reservation.cidr, reservation) for reservation in listed)
            for subnet_id, listed in self.reservations_by_subnet.items()
        }
        ours = [reservation for reservation in observed.reservations if self.is_ours(reservation)]
        self._recorded = _recorded(ours, (TAG_POLICY_PREFIX, TAG_HELD_PREFIX))
        self._asked_before = _recorded(ours, (TAG_POLICY_PREFIX,))
        self._eligible = _eligible_by_cidr(capacity)
        self.used = frozenset(_used(self))
        """Addresses that an EgressIP, a CPIC or a network interface has, whoever's."""
        self._used = AddressCount(self.used)
        self.wished = wished_pools(desired.machine_pools, self.subnet_by_id, hosted=self.hosted)
        self.pool_names = frozenset(wish.name for wish in self.wished)
        """Pools whose nodes are to carry egress addresses, by their names in OCM."""
        ids = self._labelled_subnets() | self._pool_subnets()
        self.carrying_subnets: Mapping[str, Subnet] = {
            subnet.id: subnet
            for subnet in sorted(observed.subnets, key=lambda subnet: (subnet.zone, subnet.cidr))
            if subnet.id in ids
        }
        """Subnets that carry or are about to: with labelled nodes, or with instances of the fleet file's pools."""
        self.renewed = frozenset(_young(self, or_carrying=True))
        """Subnets with a young machine of the pools, whether or not it carries addresses by now."""
        self.joining = frozenset(_young(self, or_carrying=False))
        """Subnets in which a young machine of the pools can't carry addresses yet."""
        self.blinding = tuple(sorted(_blinding(self)))
        """Young nodes, of whatever pool, without host-cidrs: until they have it, OVN-Kubernetes drops assignments."""
        self.unsteady = frozenset(cidr for cidr in self.joining | set(_faltering(self)) if self.eligible_in(cidr))
        """Subnets in which a node is joining, leaving, not Ready or gone: what they lack may come by itself. Not one
        that has no other node: it is lost."""
        self.block_prefix = max(desired.block_prefix, LARGEST_RANGE)

    @property
    def hosted(self) -> bool:
        """HCP or classic: as OCM says; without it, by the label that HCP alone puts on nodes."""
        view = self.observed.ocm
        return view.cluster.hosted if isinstance(view, OcmView) else any(node.pool for node in self.observed.nodes)

    def subnet_of(self, address: IPv4Address) -> Subnet | None:
        """The subnet that contains the address; subnets of a VPC never overlap."""
        return self._subnets.find(address)

    def homes_of(self, egress_ip: EgressIp) -> Mapping[IPv4Network, int]:
        """How many addresses the object lists in each subnet."""
        parsed = (parse_address(text) for text in egress_ip.spec.addresses)
        subnets = (self.subnet_of(address) for address in parsed if address is not None)
        return Counter(subnet.cidr for subnet in subnets if subnet is not None)

    def reservation_of(self, address: IPv4Address, subnet_id: str) -> Reservation | None:
        """The reservation that covers the address, whoever's. EC2 lets no two of a subnet overlap."""
        index = self._reservations.get(subnet_id)
        return index.find(address) if index is not None else None

    def is_reserved(self, block: IPv4Network, subnet_id: str) -> bool:
        """Whether a reservation, whoever's, overlaps the range."""
        index = self._reservations.get(subnet_id)
        return index is not None and index.overlaps(block)

    def is_ours(self, reservation: Reservation) -> bool:
        """Made by us for this cluster, by its tags."""
        return reservation.tags.get(TAG_CLUSTER) == self.desired.name

    def recorded_in_tags(self, policy: str) -> tuple[IPv4Address, ...]:
        """Addresses that our reservations remember for a policy, in address order."""
        return self._recorded.get(policy, ())

    def asked_before(self, policy: str) -> bool:
        """Whether the policy has asked the cluster for an address before: its tags say more than that some are held."""
        return bool(self._asked_before.get(policy))

    def is_out(self, policy: str, address: IPv4Address | str) -> bool:
        """Whether a cycle has taken the address out of the policy's EgressIP, and it is still out."""
        out = str(address) in self.cycles.get(policy, ())
        return out and str(address) not in self.egress_ip_by_name[policy].spec.addresses

    def is_carried(self, policy: str, address: str) -> bool:
        """Whether the address has a healthy CPIC that is this EgressIP's."""
        cpic = self.cpic_by_address.get(address)
        return cpic is not None and cpic.healthy and cpic.owner == policy

    def in_use(self, network: IPv4Network) -> bool:
        """Whether an EgressIP, a CPIC or a network interface has an address in the range."""
        return self._used.within(network) > 0

    def eligible_in(self, cidr: IPv4Network) -> tuple[NodeCapacity, ...]:
        """Nodes that OVN-Kubernetes would place addresses of that subnet on."""
        return self._eligible.get(cidr, ())

    def pools_in(self, cidr: IPv4Network | None) -> str:
        """The fleet file's machine pools that have instances in a subnet, in words."""
        names = {
            instance.pool
            for instance in self.observed.instances
            if instance.pool in self.pool_names
            and (subnet := self.subnet_by_id.get(instance.subnet_id)) is not None
            and subnet.cidr == cidr
        }
        return f"machine pool {' or '.join(sorted(map(str, names)))}" if names else "the machine pool of its zone"

    def is_to_carry(self, subnet: Subnet) -> bool:
        """Whether a machine pool of the fleet file is to be made there; by its zone alone where that has none yet."""
        zones = {there.zone for there in self.carrying_subnets.values()}
        return any(
            subnet.id in pool.subnets or (subnet.zone in pool.zones and subnet.zone not in zones)
            for pool in self.wished
            if pool.creation is not None
        )

    def _labelled_subnets(self) -> frozenset[str]:
        cidrs = {
            node.egress_config.subnet
            for node in self.observed.nodes
            if node.assignable is not None and isinstance(node.egress_config, EgressIpConfig)
        }
        return frozenset(subnet.id for subnet in self.observed.subnets if subnet.cidr in cidrs)

    def _pool_subnets(self) -> frozenset[str]:
        return frozenset(
            instance.subnet_id
            for instance in self.observed.instances
            if instance.pool in self.pool_names and instance.subnet_id in self.subnet_by_id
        )


def is_our_object(egress_ip: EgressIp) -> bool:
    """Made by us, by its label. The field manager alone would not do: a hand edit takes fields away from it."""
    return egress_ip.labels.get(LABEL_MANAGED_BY) == OWNER


def tagged_addresses(
    reservation: Reservation, prefixes: tuple[str, ...] = (TAG_POLICY_PREFIX, TAG_HELD_PREFIX)
) -> Mapping[str, tuple[IPv4Address, ...]]:
    """Addresses that a reservation of ours records, by policy. What people garbled in a tag is passed over."""
    found: dict[str, set[IPv4Address]] = {}
    for key, value in sorted(reservation.tags.items()):
        for prefix in prefixes:
            if key.startswith(prefix):
                parsed = (parse_address(text) for text in value.split())
                inside = {a for a in parsed if a is not None and a in reservation.cidr}
                found.setdefault(key.removeprefix(prefix), set()).update(inside)
    return {policy: tuple(sorted(addresses)) for policy, addresses in found.items()}


@lru_cache(maxsize=1 << 16)
def parse_address(text: str) -> IPv4Address | None:
    """An IPv4 address, or None for anything else (IPv6, CIDR, garbage).

    Remembered, because one plan asks for each address about ten times, and parsing is what it would spend its time on.
    """
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def _objects_by_address(egress_ips: tuple[EgressIp, ...]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for egress_ip in sorted(egress_ips, key=lambda egress_ip: egress_ip.name):
        for address in dict.fromkeys(egress_ip.spec.addresses):
            found.setdefault(address, []).append(egress_ip.name)
    return {address: tuple(names) for address, names in found.items()}


def _used(terrain: Terrain) -> Iterable[IPv4Address]:
    yield from terrain.interface_by_address
    for interface in terrain.observed.interfaces:
        for prefix in interface.prefixes:
            yield from prefix
    for text in (*terrain.objects_by_address, *terrain.cpic_by_address):
        if (address := parse_address(text)) is not None:
            yield address


def _faltering(terrain: Terrain) -> Iterable[IPv4Network]:
    """Where a node is there and can't carry; and where one is missing, to go by what objects of ours list: they were
    given an address only when there was a node for it.
    """
    for row in terrain.capacity.nodes:
        if row.labelled and not row.eligible and row.subnet is not None:
            yield row.subnet
    for there in filter(is_our_object, terrain.observed.egress_ips):
        for home, listed in terrain.homes_of(there).items():
            if listed > len(terrain.eligible_in(home)):
                yield home


def _blinding(terrain: Terrain) -> Iterable[str]:
    young = terrain.observed.taken_at - JOINING_TIME
    return (n.name for n in terrain.observed.nodes if n.host_addresses is None and n.created_at > young)


def _young(terrain: Terrain, *, or_carrying: bool) -> Iterable[IPv4Network]:
    young = terrain.observed.taken_at - JOINING_TIME
    carrying = {row.node for row in terrain.capacity.nodes if row.eligible}
    for instance in terrain.observed.instances:
        node = terrain.node_by_instance.get(instance.id)
        joins = instance.launched_at > young and (or_carrying or node is None or node.name not in carrying)
        lives = instance.state in ("pending", "running")
        if instance.pool in terrain.pool_names and joins and lives and instance.subnet_id in terrain.subnet_by_id:
            yield terrain.subnet_by_id[instance.subnet_id].cidr


def _recorded(reservations: Iterable[Reservation], prefixes: tuple[str, ...]) -> Mapping[str, tuple[IPv4Address, ...]]:
    found: dict[str, set[IPv4Address]] = {}
    for reservation in reservations:
        for policy, addresses in tagged_addresses(reservation, prefixes).items():
            found.setdefault(policy, set()).update(addresses)
    return {policy: tuple(sorted(addresses)) for policy, addresses in found.items()}


def _eligible_by_cidr(capacity: CapacityReport) -> Mapping[IPv4Network, tuple[NodeCapacity, ...]]:
    found: dict[IPv4Network, list[NodeCapacity]] = {}
    for row in capacity.nodes:
        if row.eligible and row.subnet is not None:
            found.setdefault(row.subnet, []).append(row)
    return {cidr: tuple(rows) for cidr, rows in found.items()}


def _by_subnet(reservations: tuple[Reservation, ...]) -> Mapping[str, tuple[Reservation, ...]]:
    found: dict[str, list[Reservation]] = {}
    for reservation in reservations:
        found.setdefault(reservation.subnet_id, []).append(reservation)
    return {subnet_id: tuple(listed) for subnet_id, listed in found.items()}
