"""Random lives of a cluster: what befalls healthy ones, and what leaves one broken.

Belongs here: the draws. Does not belong here: the judgement of what was told (`alarms`).

A healthy life is a sequence of things that every cluster goes through and that the platform heals by itself. A broken
one is a healthy one with one accident at its end that nothing heals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bench.continuity.timelines import A, B, C, Site, Step, joining_pace, retire, serving_node, surge
from sandbox.virtual import VirtualRosa

ZONES = (A, B, C)
CALM_SECONDS = 900.0
"""Between one event and the next: what the platform does by itself is done by then."""

Happening = Callable[[Random, float], list[Step]]
"""Draws the steps of one event that begins at a moment."""


@dataclass(frozen=True)
class Life:
    """One drawn life.

    Attributes:
        steps: In the order of time, the first at 0.
        names: What they are, for people.
        broken_at: When the accident happens that nothing heals; None in a healthy life.
        broken: Addresses that do not serve from then on.
    """

    steps: tuple[Step, ...]
    names: tuple[str, ...]
    broken_at: float | None = None

    @property
    def end(self) -> float:
        """When everything has had its time."""
        return self.steps[-1].at + 2 * CALM_SECONDS


def _pool(zone: str) -> str:
    return f"egress-{zone[-1]}"


def _failover(draw: Random, at: float) -> list[Step]:
    """An instance dies; the machine health check replaces it."""
    zone, pace = draw.choice(ZONES), joining_pace(draw)

    def die(site: Site) -> None:
        machine = draw_machine(site.rosa, zone)
        site.rosa.accidents.terminate(machine, release_after_seconds=draw.uniform(20.0, 90.0))

    return [Step(at, die), Step(at + draw.uniform(60.0, 300.0), surge(_pool(zone), pace))]


def _rolling(draw: Random, at: float) -> list[Step]:
    """A pool is upgraded: each node replaced, new before old."""
    zone, pace = draw.choice(ZONES), joining_pace(draw)
    joins = 20.0 + pace.registers_seconds + 25.0 + pace.networked_seconds + 20.0
    steps = []
    for _ in range(3):
        steps += [
            Step(at, surge(_pool(zone), pace)),
            Step(at + joins + draw.uniform(5.0, 60.0), retire(_pool(zone), pace)),
        ]
        at += joins + draw.uniform(90.0, 200.0)
    return steps


def _in_place(draw: Random, at: float) -> list[Step]:
    """A pool is upgraded in place: one node after the other reboots (classic)."""
    zone = draw.choice(ZONES)
    steps = []
    for index in range(3):
        steps += [
            Step(at, _on_machine(zone, index, lambda site, node: site.rosa.accidents.cordon(node))),
            Step(at + 60.0, _on_machine(zone, index, lambda site, node: site.rosa.accidents.not_ready(node))),
            Step(at + 60.0 + draw.uniform(90.0, 300.0), _on_machine(zone, index, _back)),
        ]
        at += 460.0
    return steps


def _back(site: Site, node: str) -> None:
    site.rosa.accidents.ready(node)
    site.rosa.accidents.uncordon(node)


def _on_machine(zone: str, index: int, do: Callable[[Site, str], None]) -> Callable[[Site], None]:
    return lambda site: do(site, site.rosa.life.machines(_pool(zone))[index].node)


def _scale_out_and_in(draw: Random, at: float) -> list[Step]:
    """A pool grows and shrinks again."""
    zone, pace, more = draw.choice(ZONES), joining_pace(draw), draw.randint(1, 3)
    return [
        Step(at, lambda site: site.rosa.scale_pool(_pool(zone), 3 + more, timing=pace)),
        Step(at + draw.uniform(600.0, 900.0), lambda site: site.rosa.scale_pool(_pool(zone), 3, timing=pace)),
    ]


def _blink(draw: Random, at: float) -> list[Step]:
    """A node is not ready for a moment."""
    zone, index = draw.choice(ZONES), draw.randrange(3)
    return [
        Step(at, _on_machine(zone, index, lambda site, node: site.rosa.accidents.not_ready(node))),
        Step(
            at + draw.uniform(5.0, 120.0), _on_machine(zone, index, lambda site, node: site.rosa.accidents.ready(node))
        ),
    ]


def _zone_blinks(draw: Random, at: float) -> list[Step]:
    """A zone is unreachable for less than a minute."""
    zone = draw.choice(ZONES)
    return [
        Step(at, lambda site: site.rosa.accidents.lose_zone(zone)),
        Step(at + draw.uniform(5.0, 55.0), lambda site: site.rosa.accidents.restore_zone(zone)),
    ]


def _restarts(draw: Random, at: float) -> list[Step]:
    """Either controller, or both, starts anew after a short pause."""
    steps = []
    for stop, start in draw.sample(
        [
            (lambda s: s.rosa.accidents.stop_manager(), lambda s: s.rosa.accidents.restart_manager()),
            (lambda s: s.rosa.accidents.stop_cncc(), lambda s: s.rosa.accidents.restart_cncc()),
        ],
        k=draw.randint(1, 2),
    ):
        steps += [Step(at, stop), Step(at + draw.uniform(1.0, 45.0), start)]
    return steps


HEALTHY: dict[str, Happening] = {
    "failover": _failover,
    "rolling upgrade": _rolling,
    "upgrade in place": _in_place,
    "scale-out and scale-in": _scale_out_and_in,
    "a node blinks": _blink,
    "a zone blinks": _zone_blinks,
    "controllers restart": _restarts,
}


def _taken_from_ec2(draw: Random, at: float) -> list[Step]:
    """Somebody unassigns an address in EC2: the cluster looks healthy."""
    address = draw.choice(("one", "three"))
    return [Step(at, lambda site: site.rosa.accidents.take_address(an_address(site.rosa, address)))]


def _held_by_others(_draw: Random, at: float) -> list[Step]:
    """An interface of somebody else has an address, for good."""

    def take(site: Site) -> None:
        address = an_address(site.rosa, "one")
        site.rosa.accidents.take_address(address)
        site.rosa.accidents.hold(address)

    return [Step(at, take)]


def _status_lost(_draw: Random, at: float) -> list[Step]:
    """Somebody replaces an EgressIP without its status."""
    return [Step(at, lambda site: site.rosa.accidents.put_without_status("three"))]


def _zone_gone(draw: Random, at: float) -> list[Step]:
    """A zone fails and stays away."""
    zone = draw.choice(ZONES)
    return [Step(at, lambda site: site.rosa.accidents.lose_zone(zone))]


def _labels_gone(draw: Random, at: float) -> list[Step]:
    """All nodes of a zone lose their label."""
    zone = draw.choice(ZONES)
    return [Step(at, _on_machine(zone, i, lambda site, node: site.rosa.accidents.unlabel(node))) for i in range(3)]


def _object_gone(_draw: Random, at: float) -> list[Step]:
    """Somebody deletes an EgressIP."""
    return [Step(at, lambda site: site.rosa.accidents.delete_object("chosen"))]


def _given_up(_draw: Random, at: float) -> list[Step]:
    """EC2 denies assignments for good, and a node fails."""

    def die(site: Site) -> None:
        site.rosa.accidents.terminate(serving_node(site.rosa, an_address(site.rosa, "one")))

    return [Step(at, lambda site: site.rosa.accidents.refuse("AssignPrivateIpAddresses")), Step(at + 30.0, die)]


BROKEN: dict[str, Happening] = {
    "address lost in EC2": _taken_from_ec2,
    "address held by others": _held_by_others,
    "status lost": _status_lost,
    "zone gone": _zone_gone,
    "labels gone": _labels_gone,
    "object gone": _object_gone,
    "EC2 denies": _given_up,
}


def healthy_life(seed: int) -> Life:
    """Two to four events that clusters go through, with time to heal in between."""
    draw = Random(f"healthy life {seed}")
    steps, names = _events(draw, draw.randint(2, 4))
    return Life(tuple(steps), tuple(names))


def broken_life(seed: int) -> Life:
    """Up to two such events, then one accident that nothing heals."""
    draw = Random(f"broken life {seed}")
    steps, names = _events(draw, draw.randint(0, 2))
    at = steps[-1].at + CALM_SECONDS if steps else 0.0
    name = draw.choice(sorted(BROKEN))
    accident = BROKEN[name](draw, at)
    return Life((*steps, *accident), (*names, name), broken_at=accident[-1].at)


def _events(draw: Random, count: int) -> tuple[list[Step], list[str]]:
    steps: list[Step] = []
    names = []
    for _ in range(count):
        name = draw.choice(sorted(HEALTHY))
        at = steps[-1].at + draw.uniform(CALM_SECONDS, 2 * CALM_SECONDS) if steps else 0.0
        steps += sorted(HEALTHY[name](draw, at), key=lambda step: step.at)
        names.append(name)
    return steps, names


def draw_machine(rosa: VirtualRosa, zone: str) -> str:
    """The node of the oldest machine of a zone's pool."""
    return rosa.life.machines(_pool(zone))[0].node


def an_address(rosa: VirtualRosa, policy: str) -> str:
    """The first address that a policy is served by now, or the first of its object."""
    served = sorted(rosa.serving().get(policy, {}))
    return served[0] if served else rosa.world.objects.egress_ips[policy].spec[0]
