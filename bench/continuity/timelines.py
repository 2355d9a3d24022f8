"""What happens to a cluster, and when: seven kinds of trouble, each drawn anew from a seed.

Belongs here: the stories. Does not belong here: the platform, which is the twin's; what the tool does about it.

Every story begins on a cluster at rest with three policies: `one` (a single address, in the first zone), `three` (one
address a zone, listed) and `chosen` (one address a zone, chosen by the tool). Releases of OVN-Kubernetes and of the
cloud network controller are drawn too, and so is how long EC2 keeps the addresses of an instance that ended: mostly
20 to 90 s, one time in eight longer than the cloud network controller retries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from random import Random

from chalicelib.domain.spec import ClusterSpec, PolicySpec
from sandbox.rosa.timing import RosaTiming
from sandbox.timing import Ec2Timing
from sandbox.virtual import GUIDE_ZONES, Keeper, VirtualRosa

A, B, C = GUIDE_ZONES
ONE = "10.10.100.253"
THREE = ("10.10.100.252", "10.10.150.252", "10.10.200.252")
LATE = "10.10.100.251"

ORDINARY = "workers"
"""A machine pool without the egress label, three nodes in the first zone."""

WORKED_OUT_SECONDS = 330.0
"""After so long the cloud network controller has given up on a failed assignment."""


@dataclass
class Site:
    """One cluster in a story; `keeper` is None where nobody watches it."""

    rosa: VirtualRosa
    keeper: Keeper | None = None
    held: str = ""
    messages_before: int = 0

    def __post_init__(self) -> None:
        """What was told before the story does not count."""
        self.messages_before = len(self.keeper.alerts.sent) if self.keeper else 0


@dataclass(frozen=True)
class Step:
    """Something that happens, so many seconds after the story has begun."""

    at: float
    happen: Callable[[Site], None]


@dataclass(frozen=True)
class Timeline:
    """One kind of story.

    Attributes:
        draw: The steps of one story.
        late: Policy that is wished for during the story, or None.
    """

    name: str
    about: str
    draw: Callable[[Random], list[Step]]
    late: PolicySpec | None = None


def policy(name: str, *addresses: str, per_zone: int | None = None) -> PolicySpec:
    """A policy for the namespace of its name."""
    selector = f'{{"matchLabels":{{"kubernetes.io/metadata.name":"{name}"}}}}'
    return PolicySpec(name, selector, None, tuple(map(IPv4Address, addresses)), per_zone)


POLICIES = (policy("one", ONE), policy("three", *THREE), policy("chosen", per_zone=1))


def ec2_pace(draw: Random) -> Ec2Timing:
    """How long instances take, and their addresses to come free."""
    slow = draw.random() < 1 / 8
    return Ec2Timing(20.0, draw.uniform(WORKED_OUT_SECONDS, 600.0) if slow else draw.uniform(20.0, 90.0))


def joining_pace(draw: Random) -> RosaTiming:
    """How long nodes take to join and to leave."""
    usual = RosaTiming.realistic()
    return replace(
        usual,
        registers_seconds=draw.uniform(100.0, 240.0),
        networked_seconds=draw.uniform(20.0, 120.0),
        drain_seconds=draw.uniform(20.0, 90.0),
    )


def _scale_out(draw: Random) -> list[Step]:
    """Three more nodes join in one zone, of the egress pool or of an ordinary one; meanwhile a node elsewhere fails."""
    pace = joining_pace(draw)
    pool = draw.choice(("egress-a", ORDINARY))
    joins = 20.0 + pace.registers_seconds
    fails = draw.uniform(joins, joins + 15.0 + 10.0 + pace.networked_seconds)
    return [
        Step(0.0, lambda site: site.rosa.scale_pool(pool, 6, timing=pace)),
        Step(fails, lambda site: site.rosa.accidents.terminate(serving_node(site.rosa, THREE[1]))),
    ]


def _rolling(draw: Random) -> list[Step]:
    """Every node is replaced, one after the other: first the new one, then the old one goes."""
    pace = joining_pace(draw)
    joins = 20.0 + pace.registers_seconds + 15.0 + 10.0 + pace.networked_seconds + 20.0
    steps: list[Step] = []
    at = 0.0
    for pool in ("egress-a", "egress-b", "egress-c"):
        for _ in range(3):
            steps.append(Step(at, surge(pool, pace)))
            steps.append(Step(at + joins + draw.uniform(5.0, 60.0), retire(pool, pace)))
            at += joins + draw.uniform(90.0, 200.0)
    return steps


def surge(pool: str, pace: RosaTiming) -> Callable[[Site], None]:
    """One more machine in the pool."""
    return lambda site: site.rosa.scale_pool(pool, len(site.rosa.life.machines(pool)) + 1, timing=pace)


def retire(pool: str, pace: RosaTiming) -> Callable[[Site], None]:
    """The oldest machine of the pool leaves."""

    def happen(site: Site) -> None:
        site.rosa.life.leave(site.rosa.life.machines(pool)[0].id, pace)
        site.rosa.settle()

    return happen


def _late_policy(draw: Random) -> list[Step]:
    """A policy is made while a node joins that OVN-Kubernetes has not annotated yet."""
    pace = joining_pace(draw)
    registers = 20.0 + pace.registers_seconds
    wished = draw.uniform(registers + 1.0, registers + 24.0 + pace.networked_seconds)
    return [
        Step(0.0, lambda site: site.rosa.scale_pool("egress-b", 4, timing=pace)),
        Step(wished, _wish(policy("late", LATE))),
    ]


def _wish(late: PolicySpec) -> Callable[[Site], None]:
    """With the tool the fleet file changes; without, a person applies the object."""

    def happen(site: Site) -> None:
        if site.keeper is not None:
            site.keeper.wishes(replace(site.keeper.desired, policies=(*site.keeper.desired.policies, late)))
        else:
            site.rosa.accidents.make_object(late.name, *map(str, late.addresses))

    return happen


def _given_up(draw: Random) -> list[Step]:
    """EC2 denies assignments for longer than the platform retries, and a node fails meanwhile."""
    heals = 30.0 + draw.uniform(WORKED_OUT_SECONDS + 20.0, 900.0)
    return [
        Step(0.0, lambda site: site.rosa.accidents.refuse("AssignPrivateIpAddresses")),
        Step(30.0, lambda site: site.rosa.accidents.terminate(serving_node(site.rosa, ONE))),
        Step(heals, lambda site: site.rosa.accidents.accept()),
    ]


def _taken(draw: Random) -> list[Step]:
    """An interface of somebody else takes an address, and gives it back later."""

    def take(site: Site) -> None:
        site.rosa.accidents.take_address(ONE)
        site.held = site.rosa.accidents.hold(ONE)

    return [
        Step(0.0, take),
        Step(draw.uniform(200.0, 1500.0), lambda site: site.rosa.accidents.let_go(site.held)),
    ]


def _unlabelled(draw: Random) -> list[Step]:
    """The guide's command drops labels: all nodes of one zone lose theirs, one after the other."""

    def take(index: int) -> Callable[[Site], None]:
        def happen(site: Site) -> None:
            site.rosa.accidents.unlabel(site.rosa.life.machines("egress-a")[index].node)

        return happen

    return [Step(draw.uniform(0.0, 60.0), take(index)) for index in range(3)]


def _zone_lost(draw: Random) -> list[Step]:
    """A zone falls silent and comes back."""
    lasts = draw.uniform(120.0, 1200.0)
    return [
        Step(0.0, lambda site: site.rosa.accidents.lose_zone(A)),
        Step(lasts, lambda site: site.rosa.accidents.restore_zone(A)),
    ]


def serving_node(rosa: VirtualRosa, address: str) -> str:
    """The node that serves an address now, or any node of its zone."""
    for served in rosa.serving().values():
        if address in served:
            return served[address]
    return rosa.life.machines("egress-a")[0].node


TIMELINES = (
    Timeline("scale-out", "3 → 6 nodes in one zone; a node elsewhere fails while they join", _scale_out),
    Timeline("rolling", "all 9 nodes replaced, new before old", _rolling),
    Timeline("late policy", "a policy is made while a node joins", _late_policy, policy("late", LATE)),
    Timeline("given up", "EC2 denies for longer than the platform retries", _given_up),
    Timeline("taken", "a foreign interface takes an address, gives it back", _taken),
    Timeline("unlabelled", "every node of a zone loses the label", _unlabelled),
    Timeline("zone lost", "a zone falls silent and comes back", _zone_lost),
)


def wished(timeline: Timeline, cluster: ClusterSpec) -> Iterator[PolicySpec]:
    """The policies that must serve at the end of the story."""
    yield from cluster.policies
    if timeline.late is not None:
        yield timeline.late
