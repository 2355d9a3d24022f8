"""`python -m sandbox drift`: play one drift by hand and print what a person would see of it."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import textwrap
from collections.abc import Sequence

from chalicelib import telemetry
from sandbox.drift import DRIFTS
from sandbox.drift.performing import Performance, Seen, bring_to_rest, perform
from sandbox.drift.sides import read_sides
from sandbox.stage import Stage


def main(argv: Sequence[str]) -> int:
    """Play the drifts that are named, or list them all; 0 if every address serves at the end of each."""
    parser = argparse.ArgumentParser(prog="python -m sandbox drift", description="Play a drift of the catalogue.")
    parser.add_argument("numbers", nargs="*", metavar="D", help="which; none: list them")
    options = parser.parse_args(argv)
    unknown = [number for number in options.numbers if number not in DRIFTS]
    if unknown:
        parser.error(f"{unknown[0]!r} is no drift; there are {', '.join(DRIFTS)}")
    if not options.numbers:
        for drift in DRIFTS.values():
            print(f"{drift.number:12}  {drift.condition}")
        return 0
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    telemetry.logger.setLevel(logging.CRITICAL)
    return max(play(number) for number in options.numbers)


def play(number: str) -> int:
    """Play one on a stage of its own and print it."""
    drift = DRIFTS[number]
    print(f"{'=' * 118}\n{drift.number}: {drift.condition}\n{'=' * 118}")
    with Stage(drift.scenario, drift.policies, ocm=drift.ocm) as stage:
        with contextlib.redirect_stdout(io.StringIO()):
            bring_to_rest(stage)
            stage.put_fleet(stage.default_fleet.replace("enforce", drift.mode))
            performance = perform(stage, drift)
        show(performance, stage)
    return 0 if set(performance.after) == set(performance.wanted) else 1


def show(performance: Performance, stage: Stage) -> None:
    """What happened, what the visits said and did, what people read, where the addresses stand."""
    _paragraph("What happened", performance.play.told)
    stretches = {
        "before": performance.before,
        "with the drift": performance.broken,
        "after the tool was alone with it": performance.left_alone,
        "at the end": performance.after,
    }
    print("  serving: " + ", ".join(f"{len(serving)} {when}" for when, serving in stretches.items()))
    _stretch(f"The tool alone, {performance.drift.minutes} min", performance.alone)
    _stretch("After it was ended", performance.ended)
    sides = read_sides(stage, *sorted(performance.play.addresses)).values()
    _paragraph("Where it stands", [str(side) for side in sides])


def _stretch(title: str, seen: Seen) -> None:
    findings = [
        f"{f['severity']} {f['kind']}: {f['summary']}" + (f" → {f['repaired_by']}" if f["repaired_by"] else "")
        for f in seen.findings.values()
    ]
    _paragraph(f"{title}: findings", findings)
    _paragraph(f"{title}: applied", seen.applied)
    _paragraph(f"{title}: failed", seen.failed)
    for mail in seen.mail:
        print(textwrap.indent(f"Subject: {mail.subject}\n\n{mail.body}{'-' * 60}", "    | "))


def _paragraph(title: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"{title}:")
        print("\n".join(f"  {line}" for line in lines))
