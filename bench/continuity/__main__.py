"""`python -m bench.continuity [--seeds N] [--markdown] [TIMELINE…]`: play the stories, print the table."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from bench.continuity.playing import Played, play
from bench.continuity.summary import YARDSTICK_SECONDS, Line, markdown, render, summarise
from bench.continuity.timelines import TIMELINES, Timeline

SEEDS = 30


def main(argv: Sequence[str] | None = None) -> int:
    """Play and print; 1 where a run with the tool ends worse than the same run without."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.continuity",
        description="The same troubles with the tool and without, on virtual time (docs/benchmarks.md).",
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"stories of each kind (default: {SEEDS})")
    parser.add_argument("--markdown", action="store_true", help="print the table for a page")
    names = ", ".join(timeline.name for timeline in TIMELINES)
    parser.add_argument("timelines", metavar="TROUBLE", nargs="*", help=f"{names} (default: all)")
    options = parser.parse_args(argv)
    by_name = {timeline.name: timeline for timeline in TIMELINES}
    if unknown := [name for name in options.timelines if name not in by_name]:
        parser.error(f"{', '.join(unknown)}: no such trouble; there are {names}")
    if options.seeds < 1:
        parser.error(f"--seeds: {options.seeds} is too few; allowed is 1 or more")
    began = time.perf_counter()
    lines: list[Line] = []
    worse = 0
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        for timeline in [by_name[name] for name in options.timelines] or TIMELINES:
            print(f"playing {timeline.name}: {timeline.about} …", file=sys.stderr, flush=True)
            played = list(pool.map(partial(_play, timeline.name), range(options.seeds)))
            lines += summarise(timeline.name, played)
            worse += sum(_ends_worse(*pair) for pair in played)
    print(markdown(lines) if options.markdown else render(lines))
    print(
        f"\nMedian / worst of {options.seeds} seeds. Fail-open: no address of the policy serves, pods leave with their"
        f" nodes' addresses.\nYardstick: OpenShift's tests allow {YARDSTICK_SECONDS:.0f} s for a failover."
        f" Writes and messages are of the tool, in a whole run.\n{worse} runs end worse with the tool than without."
        f" {time.perf_counter() - began:.0f} s."
    )
    return 1 if worse else 0


def _play(name: str, seed: int) -> tuple[Played, Played]:
    return play(_timeline(name), seed)


def _timeline(name: str) -> Timeline:
    return next(timeline for timeline in TIMELINES if timeline.name == name)


def _ends_worse(ours: Played, alone: Played) -> bool:
    pairs = zip(ours.policies, alone.policies, strict=True)
    return any(a.correct_after_seconds is None and b.correct_after_seconds is not None for a, b in pairs)


if __name__ == "__main__":
    sys.exit(main())
