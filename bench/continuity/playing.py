"""One story, played twice from the same moment: with visits as deployed, and without anybody watching.

Belongs here: the run and what is measured of it. Does not belong here: what happens (`timelines`), the table
(`summary`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from bench.continuity.timelines import ORDINARY, POLICIES, A, Site, Step, Timeline, ec2_pace, wished
from chalicelib.domain.spec import ApiSpec, ClusterSpec, PoolSpec, SecretRef
from chalicelib.domain.twin.behaviours import behaviours_of
from sandbox.timing import Ec2Timing
from sandbox.virtual import GUIDE_ZONES, Chance, Interval, Keeper, VirtualRosa, egress_pools, pool

HOUR = 3600.0
RELEASES = ("1.1", "1.2", "1.3", "master")
CONTROLLERS = ("4.18", "main")
INFRA_ID = "demo-x7k2p"
WISHED = 1 + 3 + 3
"""Addresses of the three policies."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of one policy in one story.

    Attributes:
        fail_open_seconds: How long it had no serving address at all: its pods left with their nodes' addresses.
        correct_after_seconds: From the first moment that one of its addresses did not serve until all serve for good;
            0 where none ever stopped, None where the hour was not enough.
    """

    policy: str
    fail_open_seconds: float
    correct_after_seconds: float | None


@dataclass(frozen=True, slots=True)
class Played:
    """One story with the tool or without: its policies, and what the tool did and said."""

    policies: tuple[Measured, ...]
    writes: int = 0
    messages: int = 0
    visits: int = 0


def cluster_spec() -> ClusterSpec:
    """What is wished for at the beginning of every story."""
    api = ApiSpec("https://api.demo.example:443", SecretRef(env="TOKEN"))
    pools = tuple(PoolSpec(f"egress-{zone[-1]}") for zone in GUIDE_ZONES)
    return ClusterSpec("demo", "eu-central-1", INFRA_ID, api, POLICIES, pools)


def at_rest(timeline: Timeline, seed: int) -> Keeper:
    """A cluster on which the wishes have come true, its releases and its chance drawn from the seed."""
    draw = Random(f"cluster {timeline.name} {seed}")
    return cluster_at_rest(draw.choice(RELEASES), draw.choice(CONTROLLERS), ec2_pace(draw), draw)


def cluster_at_rest(release: str, controller: str, pace: Ec2Timing, draw: Random) -> Keeper:
    """A cluster with three labelled nodes a zone on which the wishes have come true.

    A node may have been given one of the addresses before the tool could reserve it; then another cluster is drawn.
    """
    while True:
        rosa = VirtualRosa(
            (*egress_pools(replicas=3), pool(ORDINARY, A, replicas=3, egress=False)),
            infra_id=INFRA_ID,
            behaviours=behaviours_of(release, controller),
            ec2_timing=pace,
            choose=Chance(draw.randrange(1 << 32)),
        )
        keeper = Keeper(rosa, cluster_spec())
        keeper.run(600.0)
        if sum(map(len, rosa.serving().values())) == WISHED:
            return keeper


def play(timeline: Timeline, seed: int) -> tuple[Played, Played]:
    """The story with the tool, and the same one without."""
    keeper = at_rest(timeline, seed)
    steps = sorted(timeline.draw(Random(f"story {timeline.name} {seed}")), key=lambda step: step.at)
    watched = keeper.rosa.fork()
    alone = keeper.rosa.fork()
    addresses = {name: tuple(sorted(served)) for name, served in keeper.rosa.serving().items()}
    if timeline.late is not None:
        addresses[timeline.late.name] = tuple(map(str, timeline.late.addresses))
    return (
        _play(Site(watched, keeper.fork(watched)), timeline, steps, addresses),
        _play(Site(alone), timeline, steps, addresses),
    )


def _play(site: Site, timeline: Timeline, steps: Sequence[Step], addresses: Mapping[str, tuple[str, ...]]) -> Played:
    begin = site.rosa.now
    for step in steps:
        _run(site, begin + step.at)
        step.happen(site)
    end = begin + max(HOUR, steps[-1].at + HOUR / 2)
    _run(site, end)
    names = [policy.name for policy in wished(timeline, cluster_spec())]
    late = begin + steps[-1].at if timeline.late is not None else begin
    policies = tuple(
        _measure(site.rosa, name, addresses[name], late if timeline.late and name == timeline.late.name else begin, end)
        for name in names
    )
    if site.keeper is None:
        return Played(policies)
    writes = len(site.rosa.cluster.writes) + len(site.rosa.ec2.writes)
    return Played(policies, writes, len(site.keeper.alerts.sent) - site.messages_before, len(site.keeper.outcomes))


def _run(site: Site, until: float) -> None:
    if site.keeper is not None:
        site.keeper.run(until)
    else:
        site.rosa.run(until)


def _measure(rosa: VirtualRosa, name: str, addresses: Sequence[str], begin: float, end: float) -> Measured:
    history = rosa.history
    gaps: list[Interval] = [gap for a in addresses for gap in history.not_serving(name, a, begin, end)]
    if any(gap.until >= end for gap in gaps):
        correct = None
    else:
        correct = max((gap.until for gap in gaps), default=0.0) - min((gap.since for gap in gaps), default=0.0)
    return Measured(name, history.fail_open_seconds(name, begin, end), correct)
