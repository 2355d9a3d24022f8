"""Which address belongs to which policy: kept, found again, listed, or chosen; and which may be asked for now.

An address once given stays given: what the object or a reservation's tags remember comes first. A new address must
pass every check (`objections`) before it is allocated, and is *held* (reserved, but not asked for in the cluster) while
its subnet has no room for it (`room`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from typing import TypeAlias

from chalicelib.domain.addresses import aws_reserved, clear_blocks
from chalicelib.domain.findings import FAIL_OPEN, Finding, Kind, Severity
from chalicelib.domain.plan import Allocation, Withheld
from chalicelib.domain.policies.objections import home_or_objection, object_to_present
from chalicelib.domain.policies.room import Room
from chalicelib.domain.snapshot import Cpic, EgressIp, Subnet
from chalicelib.domain.spec import PolicySpec
from chalicelib.domain.terrain import Terrain, is_our_object, parse_address

LONGEST_CYCLE = timedelta(minutes=10)
"""So long may a CPIC take to go once its address is out of the list; usually it is seconds."""

Holds: TypeAlias = Mapping[tuple[str, str], str]
"""Why not to ask for an address yet, by (policy, address)."""
NO_HOLDS: Holds = {}


@dataclass
class Placement:
    """What placing found.

    Attributes:
        asked_in: Addresses asked for in each subnet once the plan is applied, whoever asks, by subnet id.
        waiting_in: Addresses wanted in each subnet and not among these: not asked for yet, and nothing is left of them
            from earlier, as of one that a cycle has taken out and that is still being released.
        short: Why a subnet has no room for something wanted there, by subnet id.
        incomplete: Policies of which something wanted could not be placed: nothing may be taken from them meanwhile.
    """

    allocations: list[Allocation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)
    asked_in: Counter[str] = field(default_factory=Counter)
    waiting_in: Counter[str] = field(default_factory=Counter)
    short: dict[str, str] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one policy has and wants.

    Attributes:
        given: Addresses that belong to it already: listed in the fleet file, or found again.
        present: Those that its object lists now.
        out: Those that a cycle has taken out of it, to be put back.
        blocked: Why nothing can be asked for in its name; empty where it can.
    """

    policy: PolicySpec
    given: tuple[IPv4Address, ...]
    present: frozenset[IPv4Address]
    out: frozenset[IPv4Address] = frozenset()
    blocked: str = ""


def place(terrain: Terrain, holds: Holds = NO_HOLDS) -> Placement:
    """Allocate addresses to all policies, those already given first, so that no new choice can collide with them.

    Args:
        holds: Addresses that may not be asked for yet although they could be placed, and why.

    An address that a policy gives up makes room for its replacement, unless it has to stay because something of that
    policy could not be placed. That is known only afterwards: then all is placed again without that room.
    """
    staying: frozenset[str] = frozenset()
    while True:
        placer = _Placer(terrain, staying, holds)
        placement = placer.run()
        if not placer.giving_up & placement.incomplete:
            return placement
        staying |= placement.incomplete


class _Placer:
    """One run over all policies; keeps what is spoken for and how much room each subnet has left.

    Args:
        staying: Policies that give nothing up, whatever they want now.

    Attributes:
        giving_up: Policies that do: their objects list addresses that they want no more.
    """

    def __init__(self, terrain: Terrain, staying: frozenset[str], holds: Holds) -> None:
        self.terrain = terrain
        self.staying = staying
        self.holds = holds
        self.giving_up: set[str] = set()
        self.out = Placement()
        wishes = [self._wish(policy) for policy in sorted(terrain.desired.policies, key=lambda policy: policy.name)]
        self.owner_by_address = self._owner_by_address(wishes)
        self.wishes = {wish.policy.name: self._without_lost(wish) for wish in wishes}
        self.room = Room(terrain, self._asked())
        self.out.asked_in = self.room.asked_in
        self.candidates: dict[str, Iterator[IPv4Address]] = {}
        self.joining = _joining_node(terrain)
        self.subnet_by_zone = self._subnet_by_zone()

    def run(self) -> Placement:
        for wish in self.wishes.values():
            for address in wish.given:
                if address in wish.present:
                    self._keep(wish, address)
        # What is to come back takes its place before anything new can.
        for coming_back in (True, False):
            for wish in self.wishes.values():
                for address in wish.given:
                    if address not in wish.present and (address in wish.out) is coming_back:
                        self._add_given(wish, address)
        for wish in self.wishes.values():
            if wish.policy.per_zone is not None and not wish.blocked:
                self._choose_missing(wish, wish.policy.per_zone)
        self.out.allocations.sort(key=lambda a: (a.policy, a.address))
        return self.out

    # What belongs to whom

    def _wish(self, policy: PolicySpec) -> _Wish:
        there = self.terrain.egress_ip_by_name.get(policy.name)
        ours = there is not None and is_our_object(there)
        blocked = "" if there is None or ours else f"an EgressIP {policy.name} exists that is not ours"
        in_object = tuple(_parsed(there)) if there is not None and ours else ()
        out = self._out_of(policy.name)
        if policy.per_zone is None:
            return _Wish(policy, tuple(dict.fromkeys(policy.addresses)), frozenset(in_object), out, blocked)
        recorded = self.terrain.recorded_in_tags(policy.name)
        edited = there is not None and ".spec.egressIPs" not in there.owned_fields and bool(recorded)
        # A list somebody edited is no wish of ours; but what serves in it, where nothing else is remembered, is kept.
        found = tuple(a for a in in_object if self._serves(policy.name, a) or not (edited or self._is_kept_by_aws(a)))
        trusted, others = (recorded, found) if edited else (found, recorded)
        trusted = (*trusted, *sorted(out))
        known = dict.fromkeys((*trusted, *others))
        # Stable: among equals the order of the list decides, and people append to it.
        ranked = sorted(known, key=lambda a: (a not in trusted, not self._serves(policy.name, a)))
        given = self._at_most(policy.per_zone, ranked, policy.name)
        return _Wish(policy, given, frozenset(in_object), out, blocked)

    def _out_of(self, policy: str) -> frozenset[IPv4Address]:
        cycles = self.terrain.cycles.get(policy, ())
        parsed = (parse_address(text) for text in cycles if self.terrain.is_out(policy, text))
        return frozenset(address for address in parsed if address is not None)

    def _at_most(self, per_zone: int, ranked: list[IPv4Address], policy: str) -> tuple[IPv4Address, ...]:
        """The first *per_zone* of each zone. One whose subnet is gone counts nowhere, and stays while it serves."""
        count: Counter[str] = Counter()
        kept = []
        for address in ranked:
            subnet = self.terrain.subnet_of(address)
            if subnet is None:
                if self._serves(policy, address):
                    kept.append(address)
                continue
            count[subnet.zone] += 1
            if count[subnet.zone] <= per_zone:
                kept.append(address)
        return tuple(sorted(kept))

    def _serves(self, policy: str, address: IPv4Address) -> bool:
        return self.terrain.is_carried(policy, str(address))

    def _is_kept_by_aws(self, address: IPv4Address) -> bool:
        subnet = self.terrain.subnet_of(address)
        return subnet is not None and address in aws_reserved(subnet.cidr)

    def _owner_by_address(self, wishes: list[_Wish]) -> dict[IPv4Address, str]:
        """One owner for each address: where it serves, else where the object lists it, else who comes first by name."""
        owner: dict[IPv4Address, str] = {}
        ranked = sorted(
            (
                not self._serves(wish.policy.name, address),
                address not in wish.present and address not in wish.out,
                wish.policy.name,
                address,
            )
            for wish in wishes
            for address in wish.given
        )
        for _, _, policy, address in ranked:
            owner.setdefault(address, policy)
        return owner

    def _without_lost(self, wish: _Wish) -> _Wish:
        """The wish less addresses that belong to another policy; for listed ones, somebody must correct the file."""
        name = wish.policy.name
        lost = [address for address in wish.given if self.owner_by_address[address] != name]
        if wish.policy.per_zone is None:
            for address in lost:
                self._leave_out(wish, address, _wanted_twice(wish.policy, address, self.owner_by_address[address]))
        return replace(wish, given=tuple(address for address in wish.given if address not in lost))

    def _asked(self) -> dict[str, list[IPv4Address]]:
        """Addresses that stay asked for, by EgressIP: of our policies' those that are still wished, of others all."""
        asked: dict[str, list[IPv4Address]] = {}
        for egress_ip in self.terrain.observed.egress_ips:
            keeps = not is_our_object(egress_ip) or egress_ip.name in self.staying
            wish = None if keeps else self.wishes.get(egress_ip.name)
            listed = list(_parsed(egress_ip))
            asked[egress_ip.name] = [address for address in listed if wish is None or address in wish.given]
            if asked[egress_ip.name] != listed:
                self.giving_up.add(egress_ip.name)
        unlisted = (c for c in self.terrain.observed.cpics if c.address not in self.terrain.objects_by_address)
        asked[""] = [address for cpic in unlisted if (address := parse_address(cpic.address)) is not None]
        return asked

    # Addresses given earlier, or listed in the fleet file

    def _keep(self, wish: _Wish, address: IPv4Address) -> None:
        """An address in the object stays allocated, whatever speaks against it: it may serve."""
        if (objection := object_to_present(self.terrain, wish.policy, address)) is not None:
            self.out.findings.append(objection)
        subnet = self.terrain.subnet_of(address)
        where = (subnet.id, subnet.zone) if subnet is not None else ("", "unknown")
        self.out.allocations.append(Allocation(wish.policy.name, address, *where, self._source(wish, address)))

    def _add_given(self, wish: _Wish, address: IPv4Address) -> None:
        waits = wish.blocked or self._being_cycled(wish, address) or self._on_its_way(wish.policy.name, address)
        found = home_or_objection(self.terrain, wish.policy, address, awaited=bool(waits))
        if not isinstance(found, Finding):
            if address in wish.out and not waits and self.terrain.is_carried(wish.policy.name, str(address)):
                self._append(wish, address, found, held=self.joining)  # its place was never given up
            else:
                self._allocate(wish, address, found, held=waits)
            return
        self._leave_out(wish, address, found)
        subnet = self.terrain.subnet_of(address)
        recorded = self.terrain.recorded_in_tags(wish.policy.name)
        if subnet is not None and (address in recorded or address in wish.out):
            # Given once: its reservation and its record stay until it can be had again.
            self._append(wish, address, subnet, held=found.summary)

    def _being_cycled(self, wish: _Wish, address: IPv4Address) -> str:
        """Why an address that a cycle has taken out can't be put back yet; empty if it can, or was not taken out."""
        others = [n for n in self.terrain.objects_by_address.get(str(address), ()) if n != wish.policy.name]
        if address not in wish.out or others:
            return ""
        since = self.terrain.cycles[wish.policy.name][str(address)].at
        cpic = self.terrain.cpic_by_address.get(str(address))
        if cpic is not None and not self._is_overlooked(cpic, since):
            return f"it is being cycled: taken out at {since:%H:%M:%S} UTC, until its CloudPrivateIPConfig is gone"
        if str(address) in dict(self.terrain.egress_ip_by_name[wish.policy.name].items):
            return f"it is being cycled: taken out at {since:%H:%M:%S} UTC, until the status no longer claims it"
        return ""

    def _is_overlooked(self, cpic: Cpic, since: datetime) -> bool:
        """Whether OVN-Kubernetes has forgotten to release an address that a cycle took out: it never will by itself.

        It gives up a pass at the first CPIC it may not touch, and then knows no more what it was to release. Put back,
        the address is allocated again, and the next cycle releases it.
        """
        return not cpic.deleting and since <= self.terrain.observed.taken_at - LONGEST_CYCLE

    def _on_its_way(self, policy: str, address: IPv4Address) -> str:
        """Why an address will be free without anybody's help; empty if it is free, or needs help."""
        others = [n for n in self.terrain.objects_by_address.get(str(address), ()) if n != policy]
        if others and all(self._gives_up(name, address) for name in others):
            return f"EgressIP {', '.join(others)} has it until this plan has been applied"
        cpic = self.terrain.cpic_by_address.get(str(address))
        if not others and cpic is not None and cpic.deleting:
            return f"it is still being released on node {cpic.status_node or cpic.spec_node}"
        return ""

    def _gives_up(self, egress_ip: str, address: IPv4Address) -> bool:
        wish = self.wishes.get(egress_ip)
        ours = is_our_object(self.terrain.egress_ip_by_name[egress_ip])
        return ours and (wish is None or address not in wish.given)

    def _leave_out(self, wish: _Wish, address: IPv4Address, objection: Finding) -> None:
        self.out.incomplete.add(wish.policy.name)
        self.out.findings.append(objection)
        self.out.withheld.append(Withheld(f"{address} for {wish.policy.name}", objection.summary))

    def _allocate(self, wish: _Wish, address: IPv4Address, subnet: Subnet, *, held: str = "") -> None:
        """Give it to the policy, and ask for it now if nothing speaks against that."""
        name = wish.policy.name
        held = held or self.holds.get((name, str(address)), "")
        if not held and (lacking := self.room.why_none(name, subnet)):
            self.out.short.setdefault(subnet.id, lacking)
            held = lacking
        held = held or self.joining
        if held:
            self.out.incomplete.add(name)
            self.out.withheld.append(Withheld(f"{address} for {name}", held))
        else:
            self.room.take(name, subnet)
        self._append(wish, address, subnet, held=held)

    def _append(self, wish: _Wish, address: IPv4Address, subnet: Subnet, *, held: str) -> None:
        source = self._source(wish, address)
        self.out.allocations.append(Allocation(wish.policy.name, address, subnet.id, subnet.zone, source, held))
        if held and address not in self.room.asked:
            self.out.waiting_in[subnet.id] += 1

    def _source(self, wish: _Wish, address: IPv4Address) -> str:
        if wish.policy.per_zone is None:
            return "fleet"
        if address in self.terrain.recorded_in_tags(wish.policy.name):
            return "reservation"
        return "object" if address in wish.given else "chosen"

    # Choosing

    def _choose_missing(self, wish: _Wish, per_zone: int) -> None:
        have = Counter(subnet.zone for address in wish.given if (subnet := self.terrain.subnet_of(address)))
        for zone, subnet in self.subnet_by_zone.items():
            for _ in range(per_zone - have[zone]):
                address = self._choose(subnet)
                if address is None:
                    self._no_free_address(wish.policy, subnet)
                    break
                self._allocate(wish, address, subnet)

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
        if subnet.id not in self.candidates:
            self.candidates[subnet.id] = self._free_in(subnet)
        return next(self.candidates[subnet.id], None)

    def _free_in(self, subnet: Subnet) -> Iterator[IPv4Address]:
        """Free addresses in our ranges of the subnet, then in ranges that are still to be reserved."""
        taken = self._taken_in(subnet)
        there = self.terrain.reservations_by_subnet.get(subnet.id, ())
        for block in sorted(r.cidr for r in there if self.terrain.is_ours(r)):
            yield from (address for address in block if address not in taken)
        barred = [reservation.cidr for reservation in there]
        for block in clear_blocks(subnet.cidr, self.terrain.block_prefix, taken=taken, barred=barred):
            yield from block

    def _taken_in(self, subnet: Subnet) -> frozenset[IPv4Address]:
        """Addresses that no choice may take: on an interface or host, listed anywhere, a policy's already, or AWS's."""
        hosts = self.terrain.host_by_address
        return aws_reserved(subnet.cidr).union(self.terrain.used, self.owner_by_address, hosts)

    def _no_free_address(self, policy: PolicySpec, subnet: Subnet) -> None:
        self.out.incomplete.add(policy.name)
        why = f"subnet {subnet.id} ({subnet.cidr}) has no address left that could be reserved"
        self.out.withheld.append(Withheld(f"an address in {subnet.zone} for {policy.name}", why))
        self.out.findings.append(
            Finding(
                Kind.CAPACITY_SHORTFALL,
                f"policy {policy.name} in {subnet.zone}",
                Severity.CRITICAL,
                f"Policy {policy.name} gets no further address in {subnet.zone}: {why}.",
                impact="Its pods leave by the addresses that it has, or, where none serves, with their nodes' own.",
                todo="Free addresses in the subnet, or make a machine pool in another subnet of the zone.",
                cause=f"shortfall {subnet.zone}",
            )
        )


def _wanted_twice(policy: PolicySpec, address: IPv4Address, owner: str) -> Finding:
    return Finding(
        Kind.ADDRESS_DUPLICATE,
        f"address {address} of {policy.name}",
        Severity.CRITICAL,
        f"{address} is wanted by policy {policy.name}, but it belongs to policy {owner}.",
        impact=FAIL_OPEN,
        todo="Name another address for one of the two in the fleet file; an address serves one policy only.",
    )


def _parsed(egress_ip: EgressIp) -> Iterator[IPv4Address]:
    texts = dict.fromkeys(egress_ip.spec.addresses)
    return (address for text in texts if (address := parse_address(text)) is not None)


def _joining_node(terrain: Terrain) -> str:
    """Why nothing may be added while a young node has no host-cidrs; empty where there is none.

    Its presence makes OVN-Kubernetes drop every assignment of the moment silently, in all zones.
    """
    if not terrain.blinding:
        return ""
    first = terrain.blinding[0]
    return f"node {first} is joining and has no host-cidrs yet: until then OVN-Kubernetes drops new assignments"
