"""What was really the case in a life, moment by moment, whatever the tool thought of it.

Belongs here: conditions read off the platform's own record: addresses out, nodes that can't carry, zones that are
empty, short or without a spare; and how long each may last before it is no healthy transition any more. Does not belong
here: anything of the product's diagnosis, which is what is judged by this.

| condition | heals by itself within | because |
| --- | --- | --- |
| an address is out | 600 s | the cloud network controller tries for 5.5 minutes, 8 where EC2 throttles it |
| a policy has no address that serves | 120 s | OpenShift's own tests allow that for a failover |
| a zone has no node that can carry | 60 s | nothing is on its way there; a lost zone must be known within a minute |
| a node can't carry | 15 min | the health check waits for 8 to 10 minutes, then the node leaves within 3 |
| a node can't carry that came less than 25 min ago | until then | the health check's patience with new ones |
| a zone is short | 600 s | addresses are out |
| a zone has no spare | 20 min | the health check's 10 minutes, and 7 for the new node to join |

A zone that has a spare for less than two minutes did not get one: nothing that failed meanwhile could have moved there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv4Network

from chalicelib.domain.twin.values import UNINITIALIZED_TAINT, Node, NodeChange
from sandbox.virtual import Interval, VirtualRosa

ADDRESS_HEALS = 600.0
POLICY_HEALS = 120.0
ZONE_HEALS = 60.0
NODE_HEALS = 900.0
NEW_NODE_HEALS = 1500.0
SHORT_HEALS = 600.0
SPARE_HEALS = 1200.0
SPARE_COUNTS = 120.0


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that was not as it should be, for a while.

    Attributes:
        what: "address", "policy", "node", "zone empty", "zone short" or "zone without spare".
        names: What a message about it names, one of them: an address, a node, "zone" and its name.
        heals_seconds: How long it may last in a healthy life.
        within: Its zone and its EgressIP; a message that names one of these tells of it too.
    """

    what: str
    names: frozenset[str]
    span: Interval
    heals_seconds: float
    within: frozenset[str] = frozenset()

    @property
    def critical(self) -> bool:
        """Traffic leaves by the wrong address: a message that says so is right about it."""
        return self.what not in ("node", "zone without spare")

    @property
    def lasted(self) -> bool:
        """It lasted longer than anything that heals by itself."""
        return self.span.seconds > self.heals_seconds


class Record:
    """What the nodes of a cluster could carry from one moment on. To be made at the beginning of a life."""

    def __init__(self, rosa: VirtualRosa) -> None:
        self._rosa = rosa
        self._begin = rosa.now
        self._nodes = dict(rosa.world.objects.nodes.items())
        self._changes = len(rosa.told.changes)
        self._ends = len(rosa.told.instances)
        self._asked = {name: e.spec for name, e in rosa.world.objects.egress_ips.items()}
        self._zones = {zone.name: zone.cidr for zone in rosa.facts.zones.values()}

    def conditions(self) -> tuple[Condition, ...]:
        """Everything since then, in no particular order."""
        end = self._rosa.now
        zones = tuple(self._of_zones(end))
        return (*self._of_policies(end), *zones, *self._of_nodes(end))

    def _of_policies(self, end: float) -> Iterator[Condition]:
        history = self._rosa.history
        for name, addresses in self._asked.items():
            for gap in history.fail_open(name, self._begin, end):
                yield Condition("policy", frozenset(addresses), gap, POLICY_HEALS, self._zones_of(addresses))
            for address in addresses:
                for gap in history.not_serving(name, address, self._begin, end):
                    within = self._zones_of([address]) | {f"EgressIP {name}"}
                    yield Condition("address", frozenset({address}), gap, ADDRESS_HEALS, within)

    def _zones_of(self, addresses: Iterable[str]) -> frozenset[str]:
        known = [IPv4Address(address) for address in addresses]
        return frozenset(
            f"zone {zone}" for zone, cidr in self._zones.items() if any(address in cidr for address in known)
        )

    def _of_zones(self, end: float) -> Iterator[Condition]:
        for zone, cidr in self._zones.items():
            here = [sum(IPv4Address(a) in cidr for a in spec) for spec in self._asked.values()]
            demand, most = sum(here), max(here, default=0)
            if not demand:
                continue

            def empty(rooms: Sequence[int]) -> bool:
                return not rooms

            def short(rooms: Sequence[int], most: int = most, demand: int = demand) -> bool:
                return most > len(rooms) or demand > sum(rooms)

            def no_spare(rooms: Sequence[int], most: int = most, demand: int = demand) -> bool:
                return most > len(rooms) - 1 or demand > sum(rooms) - max(rooms, default=0)

            inside = {a for spec in self._asked.values() for a in spec if IPv4Address(a) in cidr}
            for what, holds, heals, names in (
                ("zone empty", empty, ZONE_HEALS, inside),
                ("zone short", short, SHORT_HEALS, set[str]()),
                ("zone without spare", no_spare, SPARE_HEALS, set[str]()),
            ):
                apart = SPARE_COUNTS if holds is no_spare else 0.0
                for gap in _joined(self._spans(end, self._rooms_hold(cidr, holds)), apart):
                    yield Condition(what, frozenset({f"zone {zone}", *names}), gap, heals)

    @staticmethod
    def _rooms_hold(cidr: IPv4Network, holds: Callable[[Sequence[int]], bool]) -> Callable[[dict[str, Node]], bool]:
        def check(nodes: dict[str, Node]) -> bool:
            return holds([_room(node) for node in nodes.values() if _carries(node) and _is_in(node, cidr)])

        return check

    def _of_nodes(self, end: float) -> Iterator[Condition]:
        """Nodes that are there and can't carry, whether they lack the label or anything else."""
        later = (name for _, name, _ in self._moments())
        for name in sorted({*self._nodes, *later}):
            zone = frozenset({f"zone {self._rosa.life.machine_of(name).zone}"})
            gaps = self._spans(end, partial(_lies_idle, name))
            grown = -math.inf if name in self._nodes or not gaps else gaps[0].since + NEW_NODE_HEALS
            for gap in gaps:
                yield Condition("node", frozenset({name}), gap, max(NODE_HEALS, grown - gap.since), zone)

    def _moments(self) -> list[tuple[float, str, Node | None]]:
        """When a node was another than before: what it was then. One whose machine has ended carries nothing any more,
        whatever the cluster believes of it, until it is deleted; another may come by that name.
        """
        told, machines = self._rosa.told, self._rosa.facts.machines
        there = dict(self._nodes)
        happened: list[tuple[float, NodeChange | str]] = [
            *((at, change) for at, change in told.changes[self._changes :] if isinstance(change, NodeChange)),
            *(
                (at, machines[machine].node)
                for at, machine, state in told.instances[self._ends :]
                if state == "shutting-down"
            ),
        ]
        ended: set[str] = set()
        found = []
        for at, what in sorted(happened, key=lambda one: one[0]):
            if isinstance(what, str):
                ended |= {what} & there.keys()
                name, node = what, there.get(what)
            else:
                changed = what.new or what.old
                assert changed is not None, "a change has a before or an after"
                name, node = changed.name, what.new
            if node is None:
                there.pop(name, None)
                ended.discard(name)
            else:
                there[name] = replace(node, ready=False) if name in ended else node
            found.append((at, name, there.get(name)))
        return found

    def _spans(self, end: float, holds: Callable[[dict[str, Node]], bool]) -> list[Interval]:
        """When something held of the nodes. What did at the beginning has since the cluster stands, at time zero."""
        nodes = dict(self._nodes)
        found: list[Interval] = []
        since = 0.0 if holds(nodes) else None
        for at, name, node in self._moments():
            if node is not None:
                nodes[name] = node
            else:
                nodes.pop(name, None)
            if holds(nodes):
                since = at if since is None else since
            elif since is not None:
                found.append(Interval(since, at))
                since = None
        return [gap for gap in [*found, *([Interval(since, end)] if since is not None else [])] if gap.seconds > 0]


def _joined(gaps: Iterable[Interval], apart: float) -> list[Interval]:
    """The same intervals, in their order, with those made one that lie no further apart than that."""
    found: list[Interval] = []
    for gap in gaps:
        if found and gap.since - found[-1].until < apart:
            found[-1] = Interval(found[-1].since, gap.until)
        else:
            found.append(gap)
    return found


def _lies_idle(name: str, nodes: dict[str, Node]) -> bool:
    return name in nodes and not _carries(nodes[name])


def _carries(node: Node) -> bool:
    """Whether OVN-Kubernetes would put an address there."""
    networked = bool(node.host_cidrs) and node.primary_ifaddr and node.egress_config is not None
    away = any(key == UNINITIALIZED_TAINT for key, _ in node.taints)
    return node.labelled and node.ready and networked and not away


def _room(node: Node) -> int:
    return (node.egress_config.capacity_ipv4 or 0) if node.egress_config else 0


def _is_in(node: Node, cidr: IPv4Network) -> bool:
    return node.egress_config is not None and str(node.egress_config.subnet) == str(cidr)
