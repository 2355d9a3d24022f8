"""`python -m sandbox faults`: break a visit at each of its calls and print what came of it."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from chalicelib import telemetry
from sandbox.faults.lab import Lab
from sandbox.faults.matrix import WHOLE, Share, run
from sandbox.faults.printing import LEGEND, render, render_summary
from sandbox.faults.situations import SITUATIONS


def main(argv: Sequence[str]) -> int:
    """Print the matrix of each situation; 0 if every case is good."""
    parser = argparse.ArgumentParser(prog="python -m sandbox faults", description="Every call, every fault.")
    parser.add_argument("situations", nargs="*", metavar="SITUATION", help=f"of {', '.join(SITUATIONS)}; none: all")
    parser.add_argument(
        "--all", action="store_true", help="each call meets each way of failing, not only one of the four in turn"
    )
    parser.add_argument(
        "--share", type=Share.parse, default=WHOLE, metavar="PARTS:TEXT", help="one share of the cells, chosen by TEXT"
    )
    options = parser.parse_args(argv)
    unknown = [name for name in options.situations if name not in SITUATIONS]
    if unknown:
        parser.error(f"{unknown[0]!r} is no situation; there are {', '.join(SITUATIONS)}")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    telemetry.logger.setLevel(logging.CRITICAL)
    out = sys.stdout
    print(LEGEND, file=out)
    with Lab() as lab:  # takes standard output from the functions
        matrices = []
        for name in options.situations or SITUATIONS:
            matrices.append(run(lab, SITUATIONS[name], thorough=options.all, share=options.share))
            print(render(matrices[-1]), file=out, flush=True)
    bad = sum(len(matrix.bad) for matrix in matrices)
    number = sum(len(matrix.cases) for matrix in matrices)
    print(f"\n{render_summary(matrices)}", file=out)
    print(f"\n{number} cells, {bad or 'none'} bad, {_processor_seconds():.0f} s of processor time.", file=out)
    return 1 if bad else 0


def _processor_seconds() -> float:
    """Of this process and of the branches."""
    return sum(os.times()[:4])
