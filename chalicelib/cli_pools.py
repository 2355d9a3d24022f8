"""The commands of the command line that take their time: `wait` and `release`.

They look again and again, say on standard error how far things are, and may be broken off at any moment: the one writes
nothing, the other's every step is finished by the next run.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Mapping
from typing import Any

from chalicelib import text
from chalicelib.domain.plan import Plan
from chalicelib.problems import BadInput
from chalicelib.usecases import documents
from chalicelib.usecases.observe import observe
from chalicelib.usecases.releasing import Released, release
from chalicelib.usecases.visit import Outside
from chalicelib.usecases.waiting import Patience, wait
from chalicelib.wiring import Runtime

DURATION = re.compile(r"([0-9]{1,6})([smh]?)")
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def duration(value: str) -> float:
    """Seconds of "90", "90s", "15m" or "2h"."""
    found = DURATION.fullmatch(value)
    if not found:
        raise argparse.ArgumentTypeError(f"{value[:80]!r} is no time; allowed are such as 90s, 15m and 2h")
    return float(int(found[1]) * SECONDS[found[2]])


def add_arguments(command: argparse.ArgumentParser, name: str) -> None:
    """The options of *name*."""
    default = "15m" if name == "release" else "30m"
    command.add_argument("--timeout", metavar="TIME", type=duration, default=duration(default),
                         help=f"give up after this (default: {default})")  # fmt: skip
    command.add_argument("--interval", metavar="TIME", type=duration, default=10.0,
                         help="pause between two looks (default: 10s)")  # fmt: skip
    if name == "wait":
        command.add_argument("--pool", metavar="NAME", action="append", default=[],
                             help="a machine pool; may be repeated (default: all of the fleet file)")  # fmt: skip
    else:
        command.add_argument("--yes", action="store_true", help="carry out the plan without asking for its digest")


def ask_wait(runtime: Runtime, name: str, arguments: argparse.Namespace) -> tuple[Mapping[str, Any], bool]:
    """Wait for pools of one cluster; the document, and whether all of them can carry."""
    desired, outside = _outside(runtime, name)
    waited = wait(
        desired,
        lambda: observe(desired, outside.cluster, outside.ec2, outside.clock(), outside.ocm),
        arguments.pool,
        _patience(arguments),
        _say,
    )
    return documents.wait_document(desired, waited), waited.complete


def ask_release(runtime: Runtime, name: str, arguments: argparse.Namespace) -> tuple[Mapping[str, Any], Released]:
    """Give everything of one cluster back, if that is approved."""
    desired, outside = _outside(runtime, name)

    def approve(plan: Plan) -> bool:
        if arguments.approve is not None and arguments.approve != plan.digest:
            raise BadInput(f"--approve: {arguments.approve} is another plan's digest; this plan's is {plan.digest}")
        approved = bool(arguments.yes or arguments.approve)
        if approved and not arguments.json:  # otherwise the document shows it
            print(text.release_plan_text(documents.actions_document(plan)), file=sys.stderr)
        return approved

    released = release(desired, outside, approve, _patience(arguments), _say)
    return documents.release_document(desired, released), released


def _outside(runtime: Runtime, name: str) -> tuple[Any, Outside]:
    desired, adapters = runtime.cluster(name), runtime.adapters
    return desired, Outside(adapters.cluster(desired), adapters.ec2(desired), runtime.clock, ocm=adapters.ocm(desired))


def _patience(arguments: argparse.Namespace) -> Patience:
    return Patience(arguments.timeout, arguments.interval, time.monotonic, time.sleep)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
