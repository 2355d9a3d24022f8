"""`python -m sandbox`: the sandbox from a terminal. Dispatch only, and `up`, which keeps a cluster running to play with
by hand.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from sandbox.aws import AwsSandbox, Ec2Timing
from sandbox.rosa import Rosa, RosaTiming, Scenario, ScenarioError, load_scenario

_ELSEWHERE = {
    "replay": ("sandbox.replay", "run recorded traces of the real controllers against the model"),
    "demo": ("sandbox.demo", "the product at work on a sandbox cluster, narrated"),
}
_PACES = {"immediate": RosaTiming(), "brisk": RosaTiming.brisk(), "realistic": RosaTiming.realistic()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in _ELSEWHERE:
        module = importlib.import_module(_ELSEWHERE[arguments[0]][0])
        return int(module.main(arguments[1:]) or 0)
    options = _parser().parse_args(arguments)
    try:
        scenario = Scenario() if options.scenario is None else load_scenario(options.scenario)
    except ScenarioError as error:
        print(error, file=sys.stderr)
        return 2
    return up(scenario, _PACES[options.pace], options.port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A small ROSA on loopback.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("up", help="run a cluster until interrupted; use kubectl, oc and aws on it")
    run.add_argument("--scenario", type=Path, metavar="FILE", help="YAML; default: HCP, three zones, two nodes each")
    run.add_argument("--pace", choices=sorted(_PACES), default="brisk", help="how fast nodes come and go")
    run.add_argument("--port", type=int, default=0, help="port of the cluster API; default: any free one")
    for name, (_module, description) in _ELSEWHERE.items():
        commands.add_parser(name, help=description, add_help=False)
    return parser


def up(scenario: Scenario, pace: RosaTiming, port: int = 0) -> int:
    """Keep a cluster of *scenario* running until SIGINT or SIGTERM; prints how to reach it, one shell line each."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    timing = Ec2Timing(running_after_seconds=1.0, terminated_after_seconds=3.0)
    with (
        tempfile.TemporaryDirectory(prefix="sandbox-") as directory,
        AwsSandbox(region=scenario.region, timing=timing) as aws,
        Rosa(scenario, aws, timing=pace, port=port) as rosa,
    ):
        path = Path(directory) / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(rosa.kubeconfig(), encoding="utf-8")
        print(describe(rosa, path), flush=True)
        stop.wait()
    return 0


def describe(rosa: Rosa, kubeconfig: Path) -> str:
    """What runs, as comments, and the `export` lines by which `kubectl`, `oc` and `aws` reach it."""
    scenario = rosa.scenario
    machines = [f"#   {pool.name}: {len(rosa.pool_machines(pool.name))} machines" for pool in scenario.all_pools]
    exports = {**rosa.aws.environment(), "KUBECONFIG": str(kubeconfig)}
    return "\n".join(
        [
            f"# {scenario.name} ({scenario.flavour}), OCM id {scenario.cluster_id}, infra id {scenario.infra_id}",
            f"# cluster API {rosa.api_url}, AWS {rosa.aws.endpoint_url}, VPC {rosa.machines.vpc_id}",
            *machines,
            *(f"export {name}={shlex.quote(value)}" for name, value in exports.items()),
            f"# ends with Ctrl-C or: kill {os.getpid()}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
