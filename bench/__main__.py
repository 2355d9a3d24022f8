"""`python -m bench [--quick] [--json FILE] [LINE…]`: measure, print tables and machine facts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from bench.machine import machine_facts
from bench.results import Result, as_json, render

LINES: Mapping[str, str] = {
    "capacity": "bench.capacity",
    "planning": "bench.planning",
    "rehearsal": "bench.rehearsal",
    "visit": "bench.visits",
    "cold-start": "bench.cold_start",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the lines that are asked for, all by default; 1 where an aim was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Compare with what a user would do instead (docs/benchmarks.md)."
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer repetitions: a minute in all")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write everything there too")
    parser.add_argument("lines", metavar="LINE", nargs="*", help=f"{', '.join(LINES)} (default: all)")
    options = parser.parse_args(argv)
    if unknown := [name for name in options.lines if name not in LINES]:
        parser.error(f"{', '.join(unknown)}: no such line; there are {', '.join(LINES)}")
    facts = machine_facts()
    results = []
    for name in options.lines or LINES:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        results.append(_measure(name)(quick=options.quick))
    print("\n\n".join([_facts(facts), *map(render, results)]))
    if options.json:
        options.json.write_text(as_json(results, facts) + "\n", encoding="utf-8")
    missed = [row for result in results for row in result.rows if row.met is False]
    return 1 if missed else 0


def _measure(name: str) -> Callable[..., Result]:
    """Imported only when asked for: a line needs no more of the machine than it uses."""
    measure: Callable[..., Result] = import_module(LINES[name]).measure
    return measure


def _facts(facts: Mapping[str, str]) -> str:
    return "\n".join(["Machine", *[f"  {name}: {value}" for name, value in facts.items()]])


if __name__ == "__main__":
    sys.exit(main())
