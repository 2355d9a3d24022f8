"""False alarms and missed ones, counted over random lives: `python -m bench.continuity.alarms [--lives N]`.

The tool only watches (`mode: observe`), so that what heals by itself can be seen to. A message is *needless* where
nothing was broken that stayed broken: no address was out for longer than the platform takes to heal by itself, and no
accident had happened that nothing heals. An outage is *missed* where it lasted longer than that, and nobody was told
of anything while it could still be called prompt.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from statistics import median

from bench.continuity.lives import Life, broken_life, healthy_life
from bench.continuity.playing import CONTROLLERS, RELEASES, cluster_at_rest
from bench.continuity.timelines import Site
from chalicelib.domain.spec import Mode
from sandbox.timing import Ec2Timing
from sandbox.virtual import Interval

LIVES = 200

HEALS_SECONDS = 600.0
"""The cloud network controller gives up after 5.5 minutes, 8 where EC2 throttles it: who is out longer stays out."""

PROMPT_SECONDS = 120.0
"""Somebody must hear of it so soon after it can be known that it will not heal: two visits."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One life: messages that nobody needed, outages that nobody heard of, how soon people heard of the accident."""

    names: tuple[str, ...]
    messages: int
    needless: tuple[str, ...]
    missed: tuple[str, ...]
    told_after: tuple[float, ...]


def judge(life: Life, seed: int) -> Judged:
    """Play one life with a tool that only watches, and judge what it said."""
    draw = Random(f"cluster of a life {seed}")
    keeper = cluster_at_rest(
        draw.choice(RELEASES), draw.choice(CONTROLLERS), Ec2Timing(20.0, draw.uniform(20.0, 90.0)), draw
    )
    keeper.wishes(replace(keeper.desired, mode=Mode.OBSERVE))
    rosa, begin = keeper.rosa, keeper.rosa.now
    site = Site(rosa, keeper)
    addresses = [(name, address) for name, served in rosa.serving().items() for address in served]
    for step in life.steps:
        keeper.run(begin + step.at)
        step.happen(site)
    end = begin + life.end
    keeper.run(end)
    told = [
        (when, subject)
        for when, outcome in keeper.outcomes
        for subject in (outcome.bulletin.sent if outcome.bulletin else ())
        if when >= begin and not subject.startswith("RESOLVED")
    ]
    outages = [gap for name, address in addresses for gap in rosa.history.not_serving(name, address, begin, end)]
    broken_at = None if life.broken_at is None else begin + life.broken_at
    lasting = [gap for gap in outages if gap.seconds > HEALS_SECONDS]
    return Judged(
        life.names,
        len(told),
        tuple(subject for when, subject in told if not _needed(when, lasting, broken_at)),
        tuple(_unheard(lasting, broken_at, [when for when, _ in told])),
        tuple(_delays(broken_at, [when for when, _ in told])),
    )


def _needed(when: float, lasting: Sequence[Interval], broken_at: float | None) -> bool:
    return (broken_at is not None and when >= broken_at) or any(gap.since <= when <= gap.until for gap in lasting)


def _unheard(lasting: Sequence[Interval], broken_at: float | None, told: Sequence[float]) -> list[str]:
    """Outages that lasted, and the accident itself, of which nobody heard in time."""
    moments = [(gap.since, f"an address is out for {gap.seconds:.0f} s") for gap in lasting]
    if broken_at is not None:
        moments.append((broken_at, "the accident"))
    limit = HEALS_SECONDS + PROMPT_SECONDS
    return [what for since, what in moments if not any(since <= when <= since + limit for when in told)]


def _delays(broken_at: float | None, told: Sequence[float]) -> list[float]:
    after = [when - broken_at for when in told if broken_at is not None and when >= broken_at]
    return after[:1]


def main(argv: Sequence[str] | None = None) -> int:
    """Play, count, print; 1 where anything was needless or missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.continuity.alarms", description="False and missed alarms.")
    parser.add_argument("--lives", type=int, default=LIVES, help=f"of each kind (default: {LIVES})")
    options = parser.parse_args(argv)
    if options.lives < 1:
        parser.error(f"--lives: {options.lives} is too few; allowed is 1 or more")
    began = time.perf_counter()
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        healthy = list(pool.map(_healthy, range(options.lives), chunksize=4))
        broken = list(pool.map(_broken, range(options.lives), chunksize=4))
    print("\n".join([*_report("healthy", healthy), *_report("broken", broken)]))
    delays = [seconds for judged in broken for seconds in judged.told_after]
    if delays:
        print(
            f"After an accident people heard of it within {median(delays):.0f} s (median), {max(delays):.0f} s (worst)."
        )
    print(f"{time.perf_counter() - began:.0f} s.")
    return 1 if any(judged.needless or judged.missed for judged in (*healthy, *broken)) else 0


def _healthy(seed: int) -> Judged:
    return judge(healthy_life(seed), seed)


def _broken(seed: int) -> Judged:
    return judge(broken_life(seed), seed)


def _report(kind: str, lives: Sequence[Judged]) -> list[str]:
    needless = [subject for judged in lives for subject in judged.needless]
    missed = [(judged.names[-1], what) for judged in lives for what in judged.missed]
    with_needless = sum(bool(judged.needless) for judged in lives)
    with_missed = sum(bool(judged.missed) for judged in lives)
    lines = [
        f"{len(lives)} {kind} lives, {sum(j.messages for j in lives)} messages:",
        f"  needless: {len(needless)} messages in {with_needless} lives ({with_needless / len(lives):.1%} of them)",
        f"  missed:   {len(missed)} outages in {with_missed} lives ({with_missed / len(lives):.1%} of them)",
    ]
    kinds = Counter(subject.rsplit(": ", 1)[-1] for subject in needless)
    lines += [f"    needless: {number} × {what}" for what, number in kinds.most_common(8)]
    lines += [f"    missed: {number} × {name}: {what}" for (name, what), number in Counter(missed).most_common(8)]
    return lines


if __name__ == "__main__":
    sys.exit(main())
