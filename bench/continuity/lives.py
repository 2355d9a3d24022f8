"""Random lives of a cluster: what befalls healthy ones.

Belongs here: the draws of events that every cluster goes through and that the platform ends by itself. Does not belong
here: accidents that nothing heals (`breaking`), the cluster before them (`clusters`), the judgement of what was told
(`alarms`). A life of zone outages has messages in it that people need: what was really the case decides (`truth`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from bench.continuity.breaking import BROKEN, Broken
from bench.continuity.clusters import Shape, draw_shape, pool_of
from bench.continuity.timelines import Site, Step, joining_pace, retire, surge
from chalicelib.domain.spec import Mode
from sandbox.rosa.timing import RosaTiming

CALM_SECONDS = 900.0
"""Between one event and the next: what the platform does by itself is mostly done by then."""

OVERLAPS = 1 / 4
"""How often an event begins while the one before is under way."""

JUDGED_SECONDS = 2100.0
"""A life goes on this long after its last step: longer than a new node may take, so that nothing is left open."""

Happening = Callable[[Random, Shape, float], list[Step]]
"""Draws the steps of one event that begins at a moment."""


@dataclass(frozen=True)
class Life:
    """One drawn life.

    Attributes:
        mode: Whether the tool only watches, so that what heals by itself can be seen to, or repairs as well.
        steps: In the order of time, the first at 0.
        names: What they are, for people.
        broken: The accident at its end that nothing heals; None in a healthy life.
    """

    shape: Shape
    mode: Mode
    steps: tuple[Step, ...]
    names: tuple[str, ...]
    broken: Broken | None = None

    @property
    def end(self) -> float:
        """When everything has had its time."""
        return self.steps[-1].at + JUDGED_SECONDS


def joins_within(pace: RosaTiming) -> float:
    """Seconds from the launch of a machine until its node carries."""
    return 20.0 + pace.registers_seconds + 25.0 + pace.networked_seconds + 20.0


def _zone(draw: Random, shape: Shape) -> str:
    return draw.choice(sorted(shape.sizes))


def _failover(draw: Random, shape: Shape, at: float) -> list[Step]:
    """An instance dies; the health check replaces it."""
    zone, pace, released = _zone(draw, shape), joining_pace(draw), draw.uniform(20.0, 90.0)

    def die(site: Site) -> None:
        if machines := site.rosa.life.machines(pool_of(zone)):
            site.rosa.accidents.terminate(machines[0].node, release_after_seconds=released)

    return [Step(at, die), Step(at + draw.uniform(30.0, 300.0), surge(pool_of(zone), pace))]


def _replaced(draw: Random, shape: Shape, at: float) -> list[Step]:
    """A node falls silent; after 8 minutes (HCP), or 10 (classic), the health check gives it up for a new one."""
    zone, index, pace = _zone(draw, shape), draw.randrange(5), joining_pace(draw)
    silent = draw.random() < 1 / 2
    fallen: dict[int, str] = {}

    def fall(site: Site) -> None:
        machines = site.rosa.life.machines(pool_of(zone))
        machine = machines[index % len(machines)]
        fallen[id(site)] = machine.id
        site.rosa.accidents.not_ready(machine.node, silent=silent)

    def replace_it(site: Site) -> None:
        there = site.rosa.facts.machines[fallen[id(site)]]
        if not there.leaving:
            site.rosa.life.leave(there.id, pace)
            surge(pool_of(zone), pace)(site)

    return [Step(at, fall), Step(at + draw.choice((480.0, 600.0)), replace_it)]


def _rolling(draw: Random, shape: Shape, at: float) -> list[Step]:
    """A pool is upgraded: each node replaced, new before old."""
    zone, pace = _zone(draw, shape), joining_pace(draw)
    steps = []
    for _ in range(shape.sizes[zone]):
        left = at + joins_within(pace) + draw.uniform(5.0, 60.0)
        steps += [Step(at, surge(pool_of(zone), pace)), Step(left, retire(pool_of(zone), pace))]
        at = left + draw.uniform(30.0, 140.0)
    return steps


def _old_first(draw: Random, shape: Shape, at: float) -> list[Step]:
    """A pool is upgraded without a node more (HCP, maxUnavailable): the old one goes, then a new one comes."""
    zone, pace = _zone(draw, shape), joining_pace(draw)
    steps = []
    for _ in range(shape.sizes[zone]):
        launched = at + pace.drain_seconds + draw.uniform(5.0, 60.0)
        steps += [Step(at, retire(pool_of(zone), pace)), Step(launched, surge(pool_of(zone), pace))]
        at = launched + joins_within(pace) + draw.uniform(10.0, 120.0)
    return steps


def _in_place(draw: Random, shape: Shape, at: float) -> list[Step]:
    """A pool is upgraded in place: one node after the other reboots (classic)."""
    zone = _zone(draw, shape)
    steps = []
    for index in range(shape.sizes[zone]):
        away = at + draw.uniform(30.0, 120.0)
        steps += [
            Step(at, _on_machine(zone, index, lambda site, node: site.rosa.accidents.cordon(node))),
            Step(away, _on_machine(zone, index, lambda site, node: site.rosa.accidents.not_ready(node, silent=True))),
            Step(away + draw.uniform(90.0, 300.0), _on_machine(zone, index, _back)),
        ]
        at = steps[-1].at + draw.uniform(30.0, 120.0)
    return steps


def _back(site: Site, node: str) -> None:
    site.rosa.accidents.ready(node)
    site.rosa.accidents.uncordon(node)


def _on_machine(zone: str, index: int, do: Callable[[Site, str], None]) -> Callable[[Site], None]:
    def happen(site: Site) -> None:
        if machines := site.rosa.life.machines(pool_of(zone)):
            do(site, machines[index % len(machines)].node)

    return happen


def _scale_out_and_in(draw: Random, shape: Shape, at: float) -> list[Step]:
    """A pool grows and shrinks again."""
    zone, pace, more = _zone(draw, shape), joining_pace(draw), draw.randint(1, 3)
    size = shape.sizes[zone]
    return [
        Step(at, lambda site: site.rosa.scale_pool(pool_of(zone), size + more, timing=pace)),
        Step(at + draw.uniform(400.0, 1200.0), lambda site: site.rosa.scale_pool(pool_of(zone), size, timing=pace)),
    ]


def _shifted(draw: Random, shape: Shape, at: float) -> list[Step]:
    """A pool grows by new nodes and loses its oldest ones, as an autoscaler leaves it: addresses must move."""
    zone, pace, more = _zone(draw, shape), joining_pace(draw), draw.randint(1, 2)
    grown = shape.sizes[zone] + more
    later = at + joins_within(pace) + draw.uniform(60.0, 600.0)
    return [
        Step(at, lambda site: site.rosa.scale_pool(pool_of(zone), grown, timing=pace)),
        *(Step(later + 20.0 * number, retire(pool_of(zone), pace)) for number in range(more)),
    ]


def _blink(draw: Random, shape: Shape, at: float) -> list[Step]:
    """A node is not ready for a moment."""
    zone, index, silent = _zone(draw, shape), draw.randrange(5), draw.random() < 1 / 2
    down = _on_machine(zone, index, lambda site, node: site.rosa.accidents.not_ready(node, silent=silent))
    up = _on_machine(zone, index, lambda site, node: site.rosa.accidents.ready(node))
    return [Step(at, down), Step(at + draw.uniform(5.0, 300.0), up)]


def _zone_blinks(draw: Random, shape: Shape, at: float) -> list[Step]:
    """A zone is unreachable for less than a minute."""
    return _zone_away(_zone(draw, shape), at, draw.uniform(5.0, 55.0))


def _zone_returns(draw: Random, shape: Shape, at: float) -> list[Step]:
    """A zone is lost for minutes, and is back: people must hear of it, and of nothing more than it."""
    return _zone_away(_zone(draw, shape), at, draw.uniform(60.0, 1800.0))


def _zone_away(zone: str, at: float, lasts: float) -> list[Step]:
    return [
        Step(at, lambda site: site.rosa.accidents.lose_zone(zone)),
        Step(at + lasts, lambda site: site.rosa.accidents.restore_zone(zone)),
    ]


def _restarts(draw: Random, _shape: Shape, at: float) -> list[Step]:
    """Either controller, or both, starts anew after a pause: seconds, or a minute while the control plane upgrades."""
    steps = []
    for stop, start in draw.sample(
        [
            (lambda s: s.rosa.accidents.stop_manager(), lambda s: s.rosa.accidents.restart_manager()),
            (lambda s: s.rosa.accidents.stop_cncc(), lambda s: s.rosa.accidents.restart_cncc()),
        ],
        k=draw.randint(1, 2),
    ):
        steps += [Step(at, stop), Step(at + draw.uniform(1.0, 60.0), start)]
    return steps


HEALTHY: dict[str, Happening] = {
    "failover": _failover,
    "node replaced by the health check": _replaced,
    "rolling upgrade": _rolling,
    "rolling upgrade, old node first": _old_first,
    "upgrade in place": _in_place,
    "scale-out and scale-in": _scale_out_and_in,
    "new nodes for old": _shifted,
    "a node blinks": _blink,
    "a zone blinks": _zone_blinks,
    "a zone is lost and returns": _zone_returns,
    "controllers restart": _restarts,
}


def healthy_life(seed: int) -> Life:
    """Two to four events that clusters go through."""
    draw = Random(f"healthy life {seed}")
    shape, mode = draw_shape(draw), draw.choice((Mode.OBSERVE, Mode.ENFORCE))
    steps, names = _events(draw, shape, draw.randint(2, 4))
    return Life(shape, mode, tuple(steps), tuple(names))


def broken_life(seed: int) -> Life:
    """Up to two such events, then one accident that nothing heals."""
    draw = Random(f"broken life {seed}")
    shape, mode = draw_shape(draw), draw.choice((Mode.OBSERVE, Mode.ENFORCE))
    steps, names = _events(draw, shape, draw.randint(0, 2))
    at = steps[-1].at + CALM_SECONDS if steps else 0.0
    name = draw.choice(sorted(BROKEN))
    broken = replace(BROKEN[name](draw, shape, at), name=name)
    return Life(shape, mode, (*steps, *broken.steps), (*names, name), broken)


def _events(draw: Random, shape: Shape, count: int) -> tuple[list[Step], list[str]]:
    steps: list[Step] = []
    names: list[str] = []
    at = 0.0
    for _ in range(count):
        if steps:
            calm = steps[-1].at + draw.uniform(CALM_SECONDS, 2 * CALM_SECONDS)
            at = at + draw.uniform(0.0, 600.0) if draw.random() < OVERLAPS else calm
        name = draw.choice(sorted(HEALTHY))
        steps = sorted([*steps, *HEALTHY[name](draw, shape, at)], key=lambda step: step.at)
        names.append(name)
    return steps, names
