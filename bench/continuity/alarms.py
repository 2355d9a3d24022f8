"""False alarms and missed ones, counted over random lives: `python -m bench.continuity.alarms [--lives N]`.

Each life is drawn with its cluster and with a mode: `observe`, so that what heals by itself can be seen to, or
`enforce`, as deployed. A life in `enforce` is played without the tool as well: that says what would have healed anyway.

A message is *needless* where nothing that it names was really the case for longer than a healthy cluster takes to get
over it (`truth`), with the tool or without, and where no accident that nothing heals has touched what it names; or
where it says that traffic is concerned, and it was not. An outage, or an accident, is *missed* where it lasted and no
message named it in time. Whatever the tool calls things is not asked.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from statistics import median

from bench.continuity.breaking import PROMPT_SECONDS
from bench.continuity.clusters import at_rest
from bench.continuity.lives import Life, broken_life, healthy_life
from bench.continuity.timelines import Site
from bench.continuity.truth import Condition, Record
from chalicelib.domain.findings import Severity
from chalicelib.domain.spec import Mode
from chalicelib.domain.telling.messages import Alert, Occasion
from chalicelib.usecases.visit import Pace
from sandbox.virtual import PACE, Keeper

LIVES = 200

OVER_SECONDS = 60.0
"""A message may come so long after its matter is over: it was decided on what the visit before had seen."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message: when, its subject, how bad it says it is, and what each of its findings says (subject, summary)."""

    when: float
    subject: str
    critical: bool
    findings: tuple[str, ...]

    def names(self, names: Iterable[str]) -> bool:
        """Whether one of its findings names one of these. Addresses are matched whole: .25 is not .253."""
        return any(_names(finding, name) for name in names for finding in self.findings)


def _names(text: str, name: str) -> bool:
    return name in text and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\d)", text) is not None


@dataclass(frozen=True, slots=True)
class Judged:
    """One life: messages that nobody needed, what nobody heard of, how soon people heard of the accident."""

    names: tuple[str, ...]
    mode: Mode
    messages: int
    needless: tuple[str, ...]
    missed: tuple[str, ...]
    told_after: tuple[float, ...]


def judge(life: Life, seed: int, pace: Pace = PACE) -> Judged:
    """Play one life with visits at that pace, and judge what was said in it."""
    keeper = at_rest(life.shape, Random(f"cluster of a life {seed}"))
    alone = Site(keeper.rosa.fork())
    rosa = keeper.rosa.fork()
    watching = replace(keeper.fork(rosa), pace=pace, desired=replace(life.shape.spec, mode=life.mode))
    watched = Site(rosa, watching)
    begin = rosa.now
    conditions = _play(watched, life)
    by_themselves = conditions if life.mode is Mode.OBSERVE else _play(alone, life)
    said = list(_said(watching, watched.messages_before))
    ends = list(_said(watching, watched.messages_before, ends=True))
    broken_at = None if life.broken is None else begin + life.broken.at
    accident = frozenset[str]() if life.broken is None else life.broken.names(watched)
    needed = [c for c in (*conditions, *by_themselves) if c.lasted]
    return Judged(
        life.names,
        life.mode,
        len(said),
        tuple(
            message.subject
            for message in said
            if not _is_needed(message, needed) and not _is_about(message, accident, broken_at)
        ),
        (*_unheard(conditions, said, ends), *_accident_unheard(life, watched, broken_at, said)),
        tuple(_delays(said, accident, broken_at)),
    )


def _play(site: Site, life: Life) -> tuple[Condition, ...]:
    record, begin = Record(site.rosa), site.rosa.now
    until = site.keeper.run if site.keeper is not None else site.rosa.run
    for step in life.steps:
        until(begin + step.at)
        step.happen(site)
    until(begin + life.end)
    return record.conditions()


def _said(keeper: Keeper, before: int, *, ends: bool = False) -> Iterator[Said]:
    """Messages of a life in their order: those that tell of something, or of its end."""
    alerts = iter(keeper.alerts.sent[before:])
    for when, outcome in keeper.outcomes:
        for _ in outcome.bulletin.sent if outcome.bulletin else ():
            alert = next(alerts)
            if all(item.occasion is Occasion.RESOLVED for item in alert.told) is ends:
                critical = alert.attributes["severity"] == Severity.CRITICAL
                yield Said(when, alert.subject, critical, _findings(alert))


def _findings(alert: Alert) -> tuple[str, ...]:
    return tuple(f"{item.document['subject']}: {item.document['summary']}" for item in alert.told)


def _is_needed(message: Said, conditions: Iterable[Condition]) -> bool:
    return any(
        c.span.since <= message.when <= c.span.until + OVER_SECONDS
        and (c.critical or not message.critical)
        and message.names(c.names)
        for c in conditions
    )


def _is_about(message: Said, names: frozenset[str], broken_at: float | None) -> bool:
    return broken_at is not None and message.when >= broken_at and message.names(names)


def _delays(said: Iterable[Said], names: frozenset[str], broken_at: float | None) -> list[float]:
    """How long after the accident somebody first heard of it, if ever."""
    after = [message.when - broken_at for message in said if broken_at is not None and message.names(names)]
    return [seconds for seconds in after if seconds >= 0.0][:1]


def _unheard(conditions: Iterable[Condition], said: Sequence[Said], ends: Sequence[Said]) -> Iterator[str]:
    """What lasted and was named by no message in time. A policy is told by its addresses, a zone's lack of room too.

    What was told earlier, and not yet told as over when it happened again, is known.
    """
    for condition in conditions:
        limit = condition.span.since + condition.heals_seconds + PROMPT_SECONDS
        if condition.what in ("address", "zone empty", "node") and condition.span.until > limit:
            names = condition.names | condition.within
            told = [m.when for m in said if m.when <= limit and m.names(names)]
            over = [m.when for m in ends if m.when <= condition.span.since and m.names(names)]
            if not told or told[-1] < max([*over, -math.inf]):
                yield f"{condition.what} {min(condition.names)} for {condition.span.seconds:.0f} s"


def _accident_unheard(life: Life, site: Site, broken_at: float | None, said: Sequence[Said]) -> Iterator[str]:
    """The accident, where it is still the case at the end and no message named it in time."""
    if life.broken is not None and broken_at is not None and life.broken.still(site):
        names, limit = life.broken.names(site), broken_at + life.broken.known_seconds
        if not any(broken_at <= message.when <= limit and message.names(names) for message in said):
            yield "the accident"


def main(argv: Sequence[str] | None = None) -> int:
    """Play, count, print; 1 where anything was needless or missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.continuity.alarms", description="False and missed alarms.")
    parser.add_argument("--lives", type=int, default=LIVES, help=f"of each kind (default: {LIVES})")
    parser.add_argument("--from", dest="first", type=int, default=0, help="number of the first life (default: 0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: one a processor)")
    options = parser.parse_args(argv)
    if options.lives < 1:
        parser.error(f"--lives: {options.lives} is too few; allowed is 1 or more")
    began = time.perf_counter()
    seeds = range(options.first, options.first + options.lives)
    with ProcessPoolExecutor(max_workers=options.workers) as pool:
        healthy = list(pool.map(_healthy, seeds, chunksize=4))
        broken = list(pool.map(_broken, seeds, chunksize=4))
    print("\n".join([*_report("healthy", healthy, seeds), *_report("broken", broken, seeds)]))
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


def _report(kind: str, lives: Sequence[Judged], seeds: Sequence[int]) -> list[str]:
    needless = [subject for judged in lives for subject in judged.needless]
    missed = [(judged.names[-1], what) for judged in lives for what in judged.missed]
    with_needless = sum(bool(judged.needless) for judged in lives)
    with_missed = sum(bool(judged.missed) for judged in lives)
    enforcing = sum(judged.mode is Mode.ENFORCE for judged in lives)
    lines = [
        f"{len(lives)} {kind} lives, {enforcing} of them in enforce, {sum(j.messages for j in lives)} messages:",
        f"  needless: {len(needless)} messages in {with_needless} lives ({with_needless / len(lives):.1%} of them)",
        f"  missed:   {len(missed)} outages in {with_missed} lives ({with_missed / len(lives):.1%} of them)",
    ]
    kinds = Counter(subject.rsplit(": ", 1)[-1] for subject in needless)
    lines += [f"    needless: {number} × {what}" for what, number in kinds.most_common(8)]
    lines += [f"    missed: {number} × {name}: {what}" for (name, what), number in Counter(missed).most_common(8)]
    wrong = [f"{seed}" for seed, judged in zip(seeds, lives, strict=True) if judged.needless or judged.missed]
    return [*lines, *([f"    lives: {', '.join(wrong[:20])}"] if wrong else [])]


if __name__ == "__main__":
    sys.exit(main())
