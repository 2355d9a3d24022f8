"""Placing: which address of each policy is allocated, and which may be asked for now.

A new address must pass every check (`objections`) before it is allocated, and is *held* (reserved, but not asked for in
the cluster) while its subnet has no room for it (`room`), or while it has to wait for what passes by itself. Does not
belong here: whose an address is (`owning`), and which free one comes next (`choosing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from typing import TypeAlias

from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.plan import Allocation, Withheld
from chalicelib.domain.policies.choosing import Choosing
from chalicelib.domain.policies.objections import home_or_objection, object_to_present
from chalicelib.domain.policies.owning import Wish, listed_addresses, owners, read_wishes, wanted_twice
from chalicelib.domain.policies.room import Room
from chalicelib.domain.snapshot import Cpic, Subnet
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
        wishes = read_wishes(terrain)
        self.owner_by_address = owners(terrain, wishes)
        self.wishes = {wish.policy.name: self._without_lost(wish) for wish in wishes}
        self.room = Room(terrain, self._asked())
        self.out.asked_in = self.room.asked_in
        self.choosing = Choosing(terrain, self.owner_by_address)
        self.joining = _joining_node(terrain)

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

    def _without_lost(self, wish: Wish) -> Wish:
        """The wish less addresses that belong to another policy; for listed ones, somebody must correct the file."""
        name = wish.policy.name
        lost = [address for address in wish.given if self.owner_by_address[address] != name]
        if wish.policy.per_zone is None:
            for address in lost:
                self._leave_out(wish, address, wanted_twice(wish.policy, address, self.owner_by_address[address]))
        return replace(wish, given=tuple(address for address in wish.given if address not in lost))

    def _asked(self) -> dict[str, list[IPv4Address]]:
        """Addresses that stay asked for, by EgressIP: of our policies' those that are still wished, of others all."""
        asked: dict[str, list[IPv4Address]] = {}
        for egress_ip in self.terrain.observed.egress_ips:
            keeps = not is_our_object(egress_ip) or egress_ip.name in self.staying
            wish = None if keeps else self.wishes.get(egress_ip.name)
            listed = list(listed_addresses(egress_ip))
            asked[egress_ip.name] = [address for address in listed if wish is None or address in wish.given]
            if asked[egress_ip.name] != listed:
                self.giving_up.add(egress_ip.name)
        unlisted = (c for c in self.terrain.observed.cpics if c.address not in self.terrain.objects_by_address)
        asked[""] = [address for cpic in unlisted if (address := parse_address(cpic.address)) is not None]
        return asked

    # Addresses given earlier, or listed in the fleet file

    def _keep(self, wish: Wish, address: IPv4Address) -> None:
        """An address in the object stays allocated, whatever speaks against it: it may serve."""
        if (objection := object_to_present(self.terrain, wish.policy, address)) is not None:
            self.out.findings.append(objection)
        subnet = self.terrain.subnet_of(address)
        where = (subnet.id, subnet.zone) if subnet is not None else ("", "unknown")
        self.out.allocations.append(Allocation(wish.policy.name, address, *where, self._source(wish, address)))

    def _add_given(self, wish: Wish, address: IPv4Address) -> None:
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

    def _being_cycled(self, wish: Wish, address: IPv4Address) -> str:
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

    def _leave_out(self, wish: Wish, address: IPv4Address, objection: Finding) -> None:
        self.out.incomplete.add(wish.policy.name)
        self.out.findings.append(objection)
        self.out.withheld.append(Withheld(f"{address} for {wish.policy.name}", objection.summary))

    def _allocate(self, wish: Wish, address: IPv4Address, subnet: Subnet, *, held: str = "") -> None:
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

    def _append(self, wish: Wish, address: IPv4Address, subnet: Subnet, *, held: str) -> None:
        source = self._source(wish, address)
        self.out.allocations.append(Allocation(wish.policy.name, address, subnet.id, subnet.zone, source, held))
        if held and address not in self.room.asked:
            self.out.waiting_in[subnet.id] += 1

    def _source(self, wish: Wish, address: IPv4Address) -> str:
        if wish.policy.per_zone is None:
            return "fleet"
        if address in self.terrain.recorded_in_tags(wish.policy.name):
            return "reservation"
        return "object" if address in wish.given else "chosen"

    # Choosing

    def _choose_missing(self, wish: Wish, per_zone: int) -> None:
        have = Counter(subnet.zone for address in wish.given if (subnet := self.terrain.subnet_of(address)))
        for zone, subnet in self.choosing.subnet_by_zone.items():
            for _ in range(per_zone - have[zone]):
                address = self.choosing.next_in(subnet)
                if address is None:
                    self._no_free_address(wish.policy, subnet)
                    break
                self._allocate(wish, address, subnet)

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


def _joining_node(terrain: Terrain) -> str:
    """Why nothing may be added while a young node has no host-cidrs; empty where there is none.

    Its presence makes OVN-Kubernetes drop every assignment of the moment silently, in all zones.
    """
    if not terrain.blinding:
        return ""
    first = terrain.blinding[0]
    return f"node {first} is joining and has no host-cidrs yet: until then OVN-Kubernetes drops new assignments"
