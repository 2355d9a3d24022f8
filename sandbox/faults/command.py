"""`python -m sandbox faults`: break a visit at each of its calls and print what came of it."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from chalicelib import telemetry
from sandbox.faults.calls import Trouble
from sandbox.faults.lab import Lab
from sandbox.faults.matrix import Matrix, every_matrix
from sandbox.faults.situations import SITUATIONS

LEGEND = """\
A number: so many visits until the world was as if nothing had happened (1: the visit that came back by itself).
+ people got a message twice   - it was repaired before anybody could be told   . does not apply   BAD see below"""


def main(argv: Sequence[str]) -> int:
    """Print the matrix of each situation; 0 if every case is good."""
    parser = argparse.ArgumentParser(prog="python -m sandbox faults", description="Every call, every fault.")
    parser.add_argument("situations", nargs="*", metavar="SITUATION", help=f"of {', '.join(SITUATIONS)}; none: all")
    parser.add_argument(
        "--all", action="store_true", help="each call meets each way of failing, not only one of the four in turn"
    )
    options = parser.parse_args(argv)
    unknown = [name for name in options.situations if name not in SITUATIONS]
    if unknown:
        parser.error(f"{unknown[0]!r} is no situation; there are {', '.join(SITUATIONS)}")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    telemetry.logger.setLevel(logging.CRITICAL)
    out = sys.stdout
    with Lab() as lab:  # takes standard output from the functions
        chosen = [SITUATIONS[name] for name in options.situations or SITUATIONS]
        matrices = []
        for matrix in every_matrix(lab, chosen, thorough=options.all):
            matrices.append(matrix)
            print(render(matrix), file=out, flush=True)
    bad = [case for matrix in matrices for case in matrix.bad]
    number = sum(len(matrix.cases) for matrix in matrices)
    print(f"{number} cases, {len(bad)} bad. {LEGEND}", file=out)
    return 1 if bad else 0


def render(matrix: Matrix) -> str:
    """One situation as a table, and its bad cases in words."""
    columns = [trouble for trouble in Trouble if any(case.trouble is trouble for case in matrix.cases)]
    cells = {(case.call, case.trouble): str(case) for case in matrix.cases}
    width = max((len(str(call)) for call in matrix.reference.calls), default=0)
    lines = [f"\n{matrix.reference.situation.name}", " " * width + "  " + "  ".join(columns)]
    lines += [
        str(call).ljust(width)
        + "  "
        + "  ".join(cells.get((call, trouble), ".").ljust(len(trouble)) for trouble in columns)
        for call in matrix.reference.calls
    ]
    lines += [f"BAD {case.call}, {case.trouble}: {'; '.join(case.problems)}" for case in matrix.bad]
    return "\n".join(line.rstrip() for line in lines)
