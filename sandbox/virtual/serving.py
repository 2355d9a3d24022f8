"""Which address serves from which node, moment by moment, and when a policy failed open.

Belongs here: the reading of a twin's world and the record over time. Does not belong here: why an address does not
serve (`chalicelib.domain.verdicts`, whose definition of serving this is; a test holds the two together).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from chalicelib.domain.twin.values import Assigned, Cpic
from chalicelib.domain.twin.world import World

Served: TypeAlias = frozenset[tuple[str, str]]
"""(address, node) pairs."""

_Test: TypeAlias = Callable[[Served], bool]


def serving(world: World) -> dict[str, dict[str, str]]:
    """Node by address by EgressIP, of the addresses that serve: object, CPIC and network interface agree."""
    node_by_instance = {node.instance: name for name, node in world.objects.nodes.items()}
    found: dict[str, dict[str, str]] = {}
    for name, egress_ip in world.objects.egress_ips.items():
        found[name] = {}
        for address, claimed in egress_ip.status:
            cpic = world.objects.cpics.get(address)
            if address not in egress_ip.spec or cpic is None or not _agrees(cpic, name, claimed):
                continue
            interface = world.plane.holders.get(address)
            instance = world.plane.owners.get(interface or "")
            if node_by_instance.get(instance or "") == claimed:
                found[name][address] = claimed
    return found


def _agrees(cpic: Cpic, owner: str, claimed: str) -> bool:
    healthy = cpic.assigned is Assigned.TRUE and cpic.spec_node == cpic.status_node and not cpic.deleting
    return healthy and cpic.owner in (None, owner) and cpic.spec_node == claimed


@dataclass(frozen=True, slots=True)
class Interval:
    """Seconds of virtual time, from one to the other."""

    since: float
    until: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.until - self.since


@dataclass
class History:
    """What served when. Every moment of a run is kept, also those without length: a blink is no failover.

    Attributes:
        moments: By EgressIP: (time, what served from then on). An object that is not there serves nothing.
    """

    moments: dict[str, list[tuple[float, Served]]] = field(default_factory=dict)

    def note(self, now: float, served: Mapping[str, Mapping[str, str]]) -> None:
        """What serves now; only what differs from before is kept."""
        for name in {*self.moments, *served}:
            pairs = frozenset(served.get(name, {}).items())
            kept = self.moments.setdefault(name, [])
            if not kept or kept[-1][1] != pairs:
                kept.append((now, pairs))

    def fail_open(self, egress_ip: str, since: float, until: float) -> tuple[Interval, ...]:
        """When the EgressIP had no serving address at all, so that its pods left with their nodes' addresses."""
        return self._times(egress_ip, since, until, lambda served: not served)

    def fail_open_seconds(self, egress_ip: str, since: float, until: float) -> float:
        """How long in all."""
        return sum(interval.seconds for interval in self.fail_open(egress_ip, since, until))

    def not_serving(self, egress_ip: str, address: str, since: float, until: float) -> tuple[Interval, ...]:
        """When one address did not serve for this EgressIP."""
        return self._times(egress_ip, since, until, lambda served: all(a != address for a, _ in served))

    def served_since(self, egress_ip: str, moment: float) -> list[Served]:
        """What served at the moment and after it, change by change; within one moment too."""
        kept = self.moments.get(egress_ip, [])
        since = [(at, served) for at, served in kept if at >= moment]
        if since and since[0][0] == moment:
            return [served for _, served in since]
        before = [served for at, served in kept if at < moment]
        return [*(before[-1:] or [frozenset()]), *(served for _, served in since)]

    def _times(self, egress_ip: str, since: float, until: float, holds: _Test) -> tuple[Interval, ...]:
        kept = [(float("-inf"), frozenset[tuple[str, str]]()), *self.moments.get(egress_ip, [])]
        ends = [at for at, _ in kept[1:]] + [float("inf")]
        found: list[Interval] = []
        for (start, served), end in zip(kept, ends, strict=True):
            inside = Interval(max(start, since), min(end, until))
            if inside.seconds <= 0 or not holds(served):
                continue
            if found and found[-1].until == inside.since:
                inside = Interval(found.pop().since, inside.until)
            found.append(inside)
        return tuple(found)
