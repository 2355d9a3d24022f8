"""`python -m sandbox`: the sandbox from a terminal. Dispatch only,
and `up`, which keeps a cluster running to play with by hand.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.rosa import ScenarioError, load_scenario
from sandbox.up import DEFAULT, PACES, up

_ELSEWHERE = {
    "replay": ("sandbox.replay", "run recorded traces of the real controllers against the model"),
    "drift": ("sandbox.drift.command", "play one of the drifts D1 to D28 and print what a person sees of it"),
    "faults": ("sandbox.faults.command", "break a visit at each of its calls and print what comes of it"),
    "demo": ("sandbox.demo", "the product at work on a sandbox cluster, narrated"),
    "pools": ("sandbox.pool_scene", "a machine pool gets one more label: by the product, and by the guide"),
    "incident": ("sandbox.incident", "one bad night, told, with a picture"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in _ELSEWHERE:
        module = importlib.import_module(_ELSEWHERE[arguments[0]][0])
        return int(module.main(arguments[1:]) or 0)
    options = _parser().parse_args(arguments)
    try:
        scenario = DEFAULT if options.scenario is None else load_scenario(options.scenario)
    except ScenarioError as error:
        print(error, file=sys.stderr)
        return 2
    return up(scenario, PACES[options.pace], options.port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A small ROSA on loopback.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("up", help="run a cluster until interrupted; use kubectl, oc and aws on it")
    run.add_argument(
        "--scenario", type=Path, metavar="FILE", help="YAML; default: HCP, three zones, two labelled nodes each"
    )
    run.add_argument("--pace", choices=sorted(PACES), default="brisk", help="how fast nodes come and go")
    run.add_argument("--port", type=int, default=0, help="port of the cluster API; default: any free one")
    for name, (_module, description) in _ELSEWHERE.items():
        commands.add_parser(name, help=description, add_help=False)
    return parser


if __name__ == "__main__":
    sys.exit(main())
