"""Accidents that nothing heals but the tool or a person, each with what a message about it has to name.

Belongs here: one function an accident, and what tells whether it is still the case. Does not belong here: what the tool
calls it; a message counts by what it names, not by its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from random import Random

from bench.continuity.clusters import Shape, pool_of
from bench.continuity.timelines import Site, Step, joining_pace

PROMPT_SECONDS = 240.0
"""Somebody must hear so soon of what need not be waited for: it settles in a minute, and visits come each minute."""

TRIED_SECONDS = 600.0 + PROMPT_SECONDS
"""The same where the cloud network controller still tries."""

JOINS_SECONDS = 1500.0 + PROMPT_SECONDS
"""The same where it could yet join: nodes have the health check's patience until they are 25 minutes old."""


@dataclass(frozen=True)
class Broken:
    """One accident.

    Attributes:
        steps: The last one completes it; from then on it is broken.
        names: What a message about it names: one of these, in its subject or summary. Known once it has happened.
        still: Whether it is the case now, read off the platform, not off the tool.
        known_seconds: How soon after the last step people must have heard of it where it stays broken.
    """

    steps: tuple[Step, ...]
    names: Callable[[Site], frozenset[str]]
    still: Callable[[Site], bool]
    known_seconds: float = PROMPT_SECONDS
    name: str = ""

    @property
    def at(self) -> float:
        """When it is broken."""
        return self.steps[-1].at


Accident = Callable[[Random, Shape, float], Broken]


class _Noted:
    """What an accident noted when it happened, for each of the sites on which its story is played."""

    def __init__(self) -> None:
        self._by_site: dict[int, tuple[str, ...]] = {}

    def note(self, site: Site, *names: str) -> None:
        self._by_site[id(site)] = names

    def first(self, site: Site) -> str:
        return self._by_site[id(site)][0]

    def names(self, site: Site) -> frozenset[str]:
        return frozenset(self._by_site.get(id(site), ()))


def _of_address(
    at: float, do: Callable[[Site, str, str], None], which: float, known_seconds: float = PROMPT_SECONDS
) -> Broken:
    """Something is done about an address that serves: to its policy, and to it."""
    noted = _Noted()

    def happen(site: Site) -> None:
        pairs = sorted((name, address) for name, served in site.rosa.serving().items() for address in served)
        name, address = pairs[int(which * len(pairs))]
        noted.note(site, address, f"EgressIP {name}")
        do(site, name, address)

    return Broken(
        (Step(at, happen),),
        noted.names,
        lambda site: not _serves(site, noted.first(site)),
        known_seconds,
    )


def _serves(site: Site, address: str) -> bool:
    return any(address in served for served in site.rosa.serving().values())


def _lost_in_ec2(draw: Random, _shape: Shape, at: float) -> Broken:
    """Somebody unassigns an address in EC2: the cluster looks healthy."""
    return _of_address(at, lambda site, _name, address: site.rosa.accidents.take_address(address), draw.random())


def _held_by_others(draw: Random, _shape: Shape, at: float) -> Broken:
    """An interface of somebody else has an address, for good."""

    def take(site: Site, _name: str, address: str) -> None:
        site.rosa.accidents.take_address(address)
        site.rosa.accidents.hold(address)

    return _of_address(at, take, draw.random())


def _status_lost(draw: Random, _shape: Shape, at: float) -> Broken:
    """Somebody replaces an EgressIP without its status."""
    return _of_address(at, lambda site, name, _address: site.rosa.accidents.put_without_status(name), draw.random())


def _cpic_deleted(draw: Random, _shape: Shape, at: float) -> Broken:
    """Somebody deletes a CloudPrivateIPConfig."""
    return _of_address(
        at, lambda site, _name, address: site.rosa.accidents.delete_cpic(address), draw.random(), TRIED_SECONDS
    )


def _taken_out(draw: Random, _shape: Shape, at: float) -> Broken:
    """Somebody takes an address out of an EgressIP."""

    def edit(site: Site, name: str, address: str) -> None:
        kept = [a for a in site.rosa.world.objects.egress_ips[name].spec if a != address]
        site.rosa.accidents.edit_addresses(name, *kept)

    return _of_address(at, edit, draw.random())


def _object_gone(draw: Random, _shape: Shape, at: float) -> Broken:
    """Somebody deletes an EgressIP."""
    return _of_object(at, lambda site, name: site.rosa.accidents.delete_object(name), _is_gone, draw.random())


def _selector_edited(draw: Random, _shape: Shape, at: float) -> Broken:
    """Somebody widens what namespaces an EgressIP is for."""

    def edit(site: Site, name: str) -> None:
        site.rosa.accidents.edit_selector(name, "team", "theirs")

    return _of_object(at, edit, lambda site, name: "theirs" in _selectors(site, name), draw.random())


def _is_gone(site: Site, name: str) -> bool:
    return name not in site.rosa.world.objects.egress_ips


def _selectors(site: Site, name: str) -> str:
    there = site.rosa.world.objects.egress_ips.get(name)
    return "theirs" if there is None else there.selectors


def _of_object(at: float, do: Callable[[Site, str], None], still: Callable[[Site, str], bool], which: float) -> Broken:
    noted = _Noted()

    def happen(site: Site) -> None:
        objects = sorted(site.rosa.world.objects.egress_ips)
        name = objects[int(which * len(objects))]
        noted.note(site, name)
        do(site, name)

    return Broken((Step(at, happen),), noted.names, lambda site: still(site, noted.first(site)))


def _wanted_zone(site: Site, shape: Shape, which: float) -> str:
    """A zone that addresses are wished for in."""
    zones = sorted({zone for zone in shape.sizes if any(_addresses_in(site, zone))})
    return zones[int(which * len(zones))]


def _addresses_in(site: Site, zone: str) -> Iterator[str]:
    cidr = site.rosa.facts.zones[zone].cidr
    for there in site.rosa.world.objects.egress_ips.values():
        yield from (address for address in there.spec if IPv4Address(address) in cidr)


def _zone_gone(draw: Random, shape: Shape, at: float) -> Broken:
    """A zone fails and stays away."""
    noted, which = _Noted(), draw.random()

    def lose(site: Site) -> None:
        zone = _wanted_zone(site, shape, which)
        noted.note(site, f"zone {zone}", *_addresses_in(site, zone))
        site.rosa.accidents.lose_zone(zone)

    return Broken((Step(at, lose),), noted.names, lambda _site: True)


def _labels_gone(draw: Random, shape: Shape, at: float) -> Broken:
    """All nodes of a zone lose their label."""
    noted, which = _Noted(), draw.random()

    def unlabel(site: Site) -> None:
        zone = _wanted_zone(site, shape, which)
        nodes = [machine.node for machine in site.rosa.life.machines(pool_of(zone))]
        noted.note(site, f"zone {zone}", *nodes, *_addresses_in(site, zone))
        for node in nodes:
            site.rosa.accidents.unlabel(node)

    return Broken((Step(at, unlabel),), noted.names, lambda site: _unlabelled(site, noted.names(site)))


def _label_gone(draw: Random, shape: Shape, at: float) -> Broken:
    """One node loses its label: nothing is out, but it carries no more."""
    noted, zone, which = _Noted(), draw.choice(sorted(shape.sizes)), draw.random()

    def unlabel(site: Site) -> None:
        machines = site.rosa.life.machines(pool_of(zone))
        node = machines[int(which * len(machines))].node
        noted.note(site, node)
        site.rosa.accidents.unlabel(node)

    return Broken((Step(at, unlabel),), noted.names, lambda site: _unlabelled(site, noted.names(site)))


def _unlabelled(site: Site, names: frozenset[str]) -> bool:
    nodes = site.rosa.world.objects.nodes
    return any(name in nodes and not nodes[name].labelled for name in names)


def _node_stays_away(draw: Random, shape: Shape, at: float) -> Broken:
    """A node is not ready, and nobody replaces it (no health check, or it gave up on too many)."""
    noted, zone, which = _Noted(), draw.choice(sorted(shape.sizes)), draw.random()

    def fall(site: Site) -> None:
        machines = site.rosa.life.machines(pool_of(zone))
        node = machines[int(which * len(machines))].node
        noted.note(site, node, *([f"zone {zone}"] if len(machines) == 1 else []))  # with its only node a zone is lost
        site.rosa.accidents.not_ready(node)

    return Broken((Step(at, fall),), noted.names, lambda _site: True, JOINS_SECONDS)


def _never_networked(draw: Random, shape: Shape, at: float) -> Broken:
    """A new node never gets OVN-Kubernetes' annotations: from then on every new assignment is dropped."""
    noted, zone, pace = _Noted(), draw.choice(sorted(shape.sizes)), joining_pace(draw)

    def join(site: Site) -> None:
        noted.note(site, site.rosa.accidents.join_without_network(pool_of(zone), zone, pace).node)

    return Broken((Step(at, join),), noted.names, lambda _site: True, JOINS_SECONDS + 300.0)


def _denied(draw: Random, _shape: Shape, at: float) -> Broken:
    """EC2 denies assignments for good, and a node that serves fails."""
    return _fails_while(at, draw, lambda site: site.rosa.accidents.refuse("AssignPrivateIpAddresses"), TRIED_SECONDS)


def _no_cncc(draw: Random, _shape: Shape, at: float) -> Broken:
    """The cloud network controller stays down, and a node that serves fails."""
    return _fails_while(at, draw, lambda site: site.rosa.accidents.stop_cncc(), TRIED_SECONDS)


def _no_manager(draw: Random, _shape: Shape, at: float) -> Broken:
    """OVN-Kubernetes' cluster manager stays down, and a node that serves fails."""
    return _fails_while(at, draw, lambda site: site.rosa.accidents.stop_manager(), TRIED_SECONDS)


def _fails_while(at: float, draw: Random, before: Callable[[Site], None], known_seconds: float) -> Broken:
    def die(site: Site, _name: str, address: str) -> None:
        node = next(served[address] for served in site.rosa.serving().values() if address in served)
        before(site)
        site.rosa.accidents.terminate(node)

    return _of_address(at, die, draw.random(), known_seconds)


def _asked_twice(draw: Random, _shape: Shape, at: float) -> Broken:
    """Somebody applies an EgressIP of their own with an address of ours."""
    noted, which = _Noted(), draw.random()

    def make(site: Site) -> None:
        addresses = sorted(address for served in site.rosa.serving().values() for address in served)
        address = addresses[int(which * len(addresses))]
        noted.note(site, address)
        site.rosa.accidents.make_object("theirs", address)

    return Broken((Step(at, make),), noted.names, lambda _site: True)


def _left_on_node(draw: Random, shape: Shape, at: float) -> Broken:
    """Somebody puts an address that nobody asks for on a node's interface."""
    noted, zone = _Noted(), draw.choice(sorted(shape.sizes))

    def put(site: Site) -> None:
        cidr = site.rosa.facts.zones[zone].cidr
        hosts = {machine.address for machine in site.rosa.facts.machines.values()}
        address = next(a for n in range(199, 100, -1) if (a := str(cidr.network_address + n)) not in hosts)
        noted.note(site, address)
        site.rosa.accidents.put_address(site.rosa.life.machines(pool_of(zone))[0].node, address)

    return Broken((Step(at, put),), noted.names, lambda _site: True, JOINS_SECONDS)


def _reservation_gone(draw: Random, _shape: Shape, at: float) -> Broken:
    """Somebody deletes a reservation of ours."""
    noted, which = _Noted(), draw.random()

    def delete(site: Site) -> None:
        reservations = sorted(site.rosa.facts.reservations.values(), key=lambda there: there.id)
        there = reservations[int(which * len(reservations))]
        noted.note(site, str(there.cidr), *(str(address) for address in there.cidr))
        site.rosa.accidents.delete_reservation(there.id)

    def still(site: Site) -> bool:
        lost = noted.first(site)
        return all(str(there.cidr) != lost for there in site.rosa.facts.reservations.values())

    return Broken((Step(at, delete),), noted.names, still)


BROKEN: dict[str, Accident] = {
    "address lost in EC2": _lost_in_ec2,
    "address held by others": _held_by_others,
    "status lost": _status_lost,
    "CloudPrivateIPConfig deleted": _cpic_deleted,
    "address taken out": _taken_out,
    "object gone": _object_gone,
    "selector edited": _selector_edited,
    "zone gone": _zone_gone,
    "labels gone": _labels_gone,
    "one label gone": _label_gone,
    "node stays away": _node_stays_away,
    "node never networked": _never_networked,
    "EC2 denies, a node fails": _denied,
    "no CNCC, a node fails": _no_cncc,
    "no cluster manager, a node fails": _no_manager,
    "address asked for twice": _asked_twice,
    "address left on a node": _left_on_node,
    "reservation gone": _reservation_gone,
}
