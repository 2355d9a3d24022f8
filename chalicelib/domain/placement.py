"""Which address belongs to which policy: kept, found again, listed, or chosen; and which may be asked for now.

An address once given stays given: what the object or a reservation's tags remember comes first. A new address must
pass every check before it is allocated, and is *held* (reserved, but not asked for in the cluster) while its subnet has
no room for it: OVN-Kubernetes would place it beyond a node's capacity and then jam.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network

from chalicelib.domain.addresses import aws_reserved, clear_blocks
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.plan import Allocation, Withheld
from chalicelib.domain.snapshot import EgressIp, Interface, Reservation, Snapshot, Subnet
from chalicelib.domain.spec import PolicySpec
from chalicelib.domain.terrain import Terrain, is_our_object, networks, parse_address, tagged_addresses

JOINING_TIME = timedelta(minutes=25)
"""How long a new node may take: the platform's own patience (machine health check: 20 minutes HCP, 25 classic)."""

FAIL_OPEN = "Until it is assigned, pods that should leave by it leave with their node's address."


@dataclass
class Placement:
    """What placing found. `blocks` are ranges to reserve for chosen addresses, by subnet id."""

    allocations: list[Allocation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)
    blocks: dict[str, list[IPv4Network]] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)
    """Policies of which something wanted could not be placed: nothing may be taken away from them meanwhile."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one policy has and wants: `given` addresses in order of preference, and how they came to us."""

    policy: PolicySpec
    given: tuple[IPv4Address, ...]
    present: frozenset[IPv4Address]
    source: str


def place(terrain: Terrain, snapshot: Snapshot) -> Placement:
    """Allocate addresses to all policies, those already given first, so that no new choice can collide with them."""
    return _Placer(terrain, snapshot).run()


class _Placer:
    """One run over all policies; keeps what is spoken for and how much room each subnet has left."""

    def __init__(self, terrain: Terrain, snapshot: Snapshot) -> None:
        self.terrain = terrain
        self.out = Placement()
        self.policies = sorted(terrain.desired.policies, key=lambda policy: policy.name)
        self.wishes = {policy.name: self._wish(policy) for policy in self.policies}
        self.spoken_for = self._spoken_for()
        self._candidates: dict[str, Iterator[IPv4Address]] = {}
        self.demand = self._demand()
        self.per_object: Counter[tuple[str, str]] = Counter()
        self.joining = _joining_node(terrain, snapshot)

    def run(self) -> Placement:
        for policy in self.policies:
            wish = self.wishes[policy.name]
            for address in wish.given:
                if address in wish.present:
                    self._keep(wish, address)
        for policy in self.policies:
            wish = self.wishes[policy.name]
            for address in wish.given:
                if address not in wish.present:
                    self._add_given(wish, address)
            if policy.per_zone is not None:
                self._choose_missing(wish, policy.per_zone)
        self.out.allocations.sort(key=lambda a: (a.policy, a.address))
        return self.out

    # What is there already

    def _wish(self, policy: PolicySpec) -> _Wish:
        egress_ip = self.terrain.egress_ip_by_name.get(policy.name)
        ours = egress_ip if egress_ip is not None and is_our_object(egress_ip) else None
        in_object = tuple(_parsed(ours))
        if policy.per_zone is None:
            return _Wish(policy, policy.addresses, frozenset(in_object), "fleet")
        recorded = self.terrain.recorded_in_tags(policy.name)
        trusted = ours is not None and (".spec.egressIPs" in ours.owned_fields or not recorded)
        known = dict.fromkeys([*(in_object if trusted else ()), *recorded])
        kept = self._at_most_per_zone(list(known), policy.per_zone, frozenset(in_object))
        return _Wish(policy, kept, frozenset(in_object), "object" if trusted and not recorded else "reservation")

    def _at_most_per_zone(
        self, known: list[IPv4Address], per_zone: int, present: frozenset[IPv4Address]
    ) -> tuple[IPv4Address, ...]:
        """Of more addresses than wanted in a zone, keep those that serve, then those in the object, then the lowest."""

        def preference(address: IPv4Address) -> tuple[bool, bool, IPv4Address]:
            cpic = self.terrain.cpic_by_address.get(str(address))
            return (cpic is None or not cpic.healthy, address not in present, address)

        count: Counter[str] = Counter()
        kept = []
        for address in sorted(known, key=preference):
            subnet = self.terrain.subnet_of(address)
            if subnet is None:
                continue
            count[subnet.zone] += 1
            if count[subnet.zone] <= per_zone:
                kept.append(address)
        return tuple(sorted(kept))

    def _spoken_for(self) -> frozenset[IPv4Address]:
        """Addresses that no choice may take: listed by an object, remembered for a policy, or in the fleet file."""
        spoken = {a for text in self.terrain.objects_by_address if (a := parse_address(text))}
        for reservation in self.terrain.observed.reservations:
            if self.terrain.is_ours(reservation):
                spoken.update(a for addresses in tagged_addresses(reservation).values() for a in addresses)
        for wish in self.wishes.values():
            spoken.update(wish.given)
        return frozenset(spoken)

    def _demand(self) -> Counter[str]:
        """Distinct egress addresses asked for in each subnet, less those that this plan takes away."""
        wanted: set[IPv4Address] = set()
        for egress_ip in self.terrain.observed.egress_ips:
            wish = self.wishes.get(egress_ip.name) if is_our_object(egress_ip) else None
            wanted.update(a for a in _parsed(egress_ip) if wish is None or a in wish.given)
        wanted.update(a for c in self.terrain.observed.cpics if (a := parse_address(c.address)) and c.owner is None)
        return Counter(subnet.id for address in wanted if (subnet := self.terrain.subnet_of(address)))

    # Addresses in the object

    def _keep(self, wish: _Wish, address: IPv4Address) -> None:
        subnet = self.terrain.subnet_of(address)
        if (problem := self._problem(wish.policy, address, subnet, present=True)) is not None:
            self.out.findings.append(problem)
        zone = subnet.zone if subnet else "unknown"
        self.per_object[wish.policy.name, subnet.id if subnet else ""] += 1
        self.out.allocations.append(
            Allocation(wish.policy.name, address, subnet.id if subnet else "", zone, wish.source)
        )

    # Addresses the object does not have yet

    def _add_given(self, wish: _Wish, address: IPv4Address) -> None:
        subnet = self.terrain.subnet_of(address)
        problem = self._problem(wish.policy, address, subnet, present=False)
        if problem is not None or subnet is None:
            if problem is not None:
                self.out.findings.append(problem)
                self.out.withheld.append(Withheld(f"{address} for {wish.policy.name}", problem.summary))
            self.out.incomplete.add(wish.policy.name)
            return
        self._allocate(wish.policy, address, subnet, wish.source)

    def _choose_missing(self, wish: _Wish, per_zone: int) -> None:
        have = Counter(subnet.zone for address in wish.given if (subnet := self.terrain.subnet_of(address)))
        for zone, subnet in self._subnet_by_zone().items():
            for _ in range(per_zone - have[zone]):
                address = self._choose(subnet)
                if address is None:
                    self._no_free_address(wish.policy, subnet)
                    break
                self._allocate(wish.policy, address, subnet, "chosen")

    def _allocate(self, policy: PolicySpec, address: IPv4Address, subnet: Subnet, source: str) -> None:
        held = self._why_not_now(policy, subnet)
        if held:
            self.out.incomplete.add(policy.name)
            self.out.withheld.append(Withheld(f"{address} for {policy.name}", held))
        else:
            self.per_object[policy.name, subnet.id] += 1
            self.demand[subnet.id] += 1
        self.out.allocations.append(Allocation(policy.name, address, subnet.id, subnet.zone, source, held))

    def _why_not_now(self, policy: PolicySpec, subnet: Subnet) -> str:
        """Why this subnet can't take one more address of this policy now; empty if it can."""
        rows = self.terrain.eligible_in(subnet.cidr)
        if not rows:
            return f"no node in {subnet.zone} ({subnet.cidr}) can carry it yet"
        if self.per_object[policy.name, subnet.id] >= len(rows):
            return (
                f"one node carries at most one address of an EgressIP, and {subnet.zone} has {len(rows)} eligible"
                f" {'node' if len(rows) == 1 else 'nodes'} for {self.per_object[policy.name, subnet.id] + 1}"
            )
        smallest = min(row.capacity for row in rows)
        if self.demand[subnet.id] >= len(rows) * smallest:
            return (
                f"{subnet.zone} is asked for {self.demand[subnet.id]} addresses already; its {len(rows)} eligible nodes"
                f" take {smallest} each at most (the smallest counts: the platform fills them evenly and overruns it)"
            )
        if self.joining:
            return (
                f"node {self.joining} is joining and has no host-cidrs yet: until then the platform drops assignments"
            )
        return ""

    # Choosing

    def _subnet_by_zone(self) -> dict[str, Subnet]:
        """The subnet of each zone that new addresses go to: the one with most eligible nodes, then by id."""
        best: dict[str, Subnet] = {}

        def rank(subnet: Subnet) -> tuple[int, str]:
            return (-len(self.terrain.eligible_in(subnet.cidr)), subnet.id)

        for subnet in sorted(self.terrain.carrying_subnets.values(), key=rank):
            best.setdefault(subnet.zone, subnet)
        return dict(sorted(best.items()))

    def _choose(self, subnet: Subnet) -> IPv4Address | None:
        """The next address of the subnet that is nobody's, or None."""
        if subnet.id not in self._candidates:
            self._candidates[subnet.id] = self._free_in(subnet)
        return next(self._candidates[subnet.id], None)

    def _free_in(self, subnet: Subnet) -> Iterator[IPv4Address]:
        """Free addresses in our ranges of the subnet, then in new ranges, each announced before its first address."""
        taken = self._taken_in(subnet)
        there = self.terrain.reservations_by_subnet.get(subnet.id, ())
        for block in sorted(r.cidr for r in there if self.terrain.is_ours(r)):
            yield from (address for address in block if address not in taken)
        prefix = self.terrain.desired.block_prefix
        for block in clear_blocks(subnet.cidr, prefix, taken=taken, barred=networks(there)):
            self.out.blocks.setdefault(subnet.id, []).append(block)
            yield from block

    def _taken_in(self, subnet: Subnet) -> set[IPv4Address]:
        taken = set(aws_reserved(subnet.cidr))
        taken |= {address for address in self.spoken_for if address in subnet.cidr}
        taken |= {address for address in self.terrain.host_by_address if address in subnet.cidr}
        taken |= {a for text in self.terrain.cpic_by_address if (a := parse_address(text)) and a in subnet.cidr}
        for interface in self.terrain.observed.interfaces:
            if interface.subnet_id == subnet.id:
                taken.update(interface.addresses)
                taken.update(address for prefix in interface.prefixes for address in prefix)
        return taken

    def _no_free_address(self, policy: PolicySpec, subnet: Subnet) -> None:
        self.out.incomplete.add(policy.name)
        why = f"subnet {subnet.id} ({subnet.cidr}) has no address left that could be reserved"
        self.out.withheld.append(Withheld(f"an address in {subnet.zone} for {policy.name}", why))
        self.out.findings.append(
            Finding(
                Kind.CAPACITY_SHORTFALL,
                f"policy {policy.name} in {subnet.zone}",
                Severity.CRITICAL,
                f"Policy {policy.name} gets no address in {subnet.zone}: {why}.",
                impact=FAIL_OPEN,
                todo="Free addresses in the subnet, or give the zone's machine pool another subnet.",
                cause=f"shortfall {subnet.zone}",
            )
        )

    # Checks

    def _problem(
        self, policy: PolicySpec, address: IPv4Address, subnet: Subnet | None, *, present: bool
    ) -> Finding | None:
        """The first thing that speaks against this address, or None."""
        carrying = self.terrain.carrying_subnets
        if subnet is None or (policy.per_zone is None and subnet.id not in carrying):
            return self._outside(policy, address, list(carrying.values()))
        if address in aws_reserved(subnet.cidr):
            return self._against(
                Kind.ADDRESS_RESERVED_BY_AWS,
                policy,
                address,
                f"{address} is one of the five addresses that AWS keeps of {subnet.cidr} (the first four and the last)",
                f"Choose another address of {subnet.cidr} in the fleet file.",
            )
        if (host := self.terrain.host_by_address.get(address)) is not None:
            return self._against(
                Kind.ADDRESS_IS_HOST,
                policy,
                address,
                f"{address} is an address of the host {host} itself",
                f"Choose another address; `oc get node {host} -o yaml` shows it in k8s.ovn.org/host-cidrs.",
            )
        others = [n for n in self.terrain.objects_by_address.get(str(address), ()) if n != policy.name]
        if others:
            return self._against(
                Kind.ADDRESS_DUPLICATE,
                policy,
                address,
                f"{address} is also listed by EgressIP {', '.join(others)}; only one of them is served",
                f"Remove it from one of them: `oc get egressip {others[0]} -o yaml`.",
            )
        interface = self.terrain.interface_by_address.get(address)
        if not present and interface is not None and not self._carried_for(policy, address):
            return self._against(
                Kind.ADDRESS_TAKEN,
                policy,
                address,
                f"{address} is on network interface {interface.id} ({_holder(interface, self.terrain)})",
                "Choose another address, or free it: "
                f"`aws ec2 describe-network-interfaces --network-interface-ids {interface.id}`.",
            )
        return self._reservation_problem(policy, address, subnet)

    def _carried_for(self, policy: PolicySpec, address: IPv4Address) -> bool:
        cpic = self.terrain.cpic_by_address.get(str(address))
        return cpic is not None and cpic.owner == policy.name

    def _reservation_problem(self, policy: PolicySpec, address: IPv4Address, subnet: Subnet) -> Finding | None:
        reservation = self.terrain.reservation_of(address, subnet.id)
        if reservation is None or self.terrain.is_ours(reservation) or usable_as_it_is(reservation):
            return None
        return self._against(
            Kind.RESERVATION_FOREIGN,
            policy,
            address,
            f"{address} lies under reservation {reservation.id} ({reservation.cidr}, {reservation.type}),"
            f" which is not ours{_owner_note(reservation)}",
            f"Choose another address, or delete that reservation if nobody needs it: "
            f"`aws ec2 delete-subnet-cidr-reservation --subnet-cidr-reservation-id {reservation.id}`.",
        )

    def _outside(self, policy: PolicySpec, address: IPv4Address, carrying: list[Subnet]) -> Finding:
        allowed = ", ".join(f"{subnet.zone}: {subnet.cidr}" for subnet in carrying) or "none"
        return self._against(
            Kind.ADDRESS_OUTSIDE,
            policy,
            address,
            f"{address} is in no subnet of a node that may carry it (allowed are {allowed})",
            "Correct the address in the fleet file, or label a machine pool in its subnet.",
        )

    @staticmethod
    def _against(kind: Kind, policy: PolicySpec, address: IPv4Address, fact: str, todo: str) -> Finding:
        return Finding(
            kind,
            f"address {address} of {policy.name}",
            Severity.CRITICAL,
            f"{fact}.",
            impact=FAIL_OPEN,
            todo=todo,
        )


def usable_as_it_is(reservation: Reservation) -> bool:
    """A reservation somebody made by hand for exactly one address, as guides say: it protects it just as well.

    It is used and never touched: no tag of ours, no release.
    """
    return reservation.type == "explicit" and reservation.cidr.prefixlen == 32 and not _keeper_tags(reservation)


def _keeper_tags(reservation: Reservation) -> bool:
    return any(key.startswith("egress-keeper/") for key in reservation.tags)


def _owner_note(reservation: Reservation) -> str:
    owner = reservation.tags.get("egress-keeper/cluster")
    if owner:
        return f" (it belongs to cluster {owner})"
    return f" (description: {reservation.description!r})" if reservation.description else ""


def _holder(interface: Interface, terrain: Terrain) -> str:
    if interface.instance_id in terrain.instance_ids:
        return f"{interface.holder or interface.instance_id}, a node of this cluster, where nothing asks for it"
    return interface.holder or "holder not named"


def _parsed(egress_ip: EgressIp | None) -> Iterator[IPv4Address]:
    texts = dict.fromkeys(egress_ip.spec.addresses) if egress_ip is not None else ()
    return (address for text in texts if (address := parse_address(text)) is not None)


def _joining_node(terrain: Terrain, snapshot: Snapshot) -> str:
    """A young node without host-cidrs, whose presence makes every assignment of the moment be dropped silently."""
    young = snapshot.taken_at - JOINING_TIME
    names = [n.name for n in terrain.observed.nodes if n.host_addresses is None and n.created_at > young]
    return min(names, default="")
