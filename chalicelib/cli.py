"""The command line: the same use cases as the functions, from a terminal.

Documents go to standard output (tables, or JSON with `--json`), progress and errors to standard error. Exit codes:
0 all as desired, 2 differences or findings, 3 refused by the guard or not approved, 1 could not be done, 130 broken
off.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from chalicelib import cli_pools, cli_silence, cli_what_if, text
from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.approving import Approval
from chalicelib.domain.findings import Severity
from chalicelib.fleet import FleetError
from chalicelib.problems import BadInput, NoSuchThing
from chalicelib.settings import SettingsError, read_settings
from chalicelib.usecases import documents
from chalicelib.usecases.visit import Look, Outcome, Outside, visit
from chalicelib.usecases.work import pace_of
from chalicelib.wiring import DIGEST, Runtime

AS_DESIRED, FAILED, DIFFERENT, REFUSED, BROKEN_OFF = 0, 1, 2, 3, 130

DESCRIPTION = "Keeps the egress addresses of ROSA clusters assigned, reserved and true."
EPILOG = (
    "exit codes: 0 all as desired; 2 differences or findings; 3 refused by the guard or not approved; "
    "1 could not be done; 130 broken off. "
    "AWS is reached with the usual variables (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL)."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command says of one cluster."""

    document: Mapping[str, Any]
    code: int


class Parser(argparse.ArgumentParser):
    """argparse ends with 2 on a wrong argument; here 2 means differences, so it is 1."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end."""
        self.exit(FAILED, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = parser().parse_args(argv)
    try:
        return _run(arguments)
    except (FleetError, SettingsError, BadInput, NoSuchThing, AdapterError) as error:
        print(f"egress-keeper: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("egress-keeper: broken off; what was done is whole, and the next run goes on from there", file=sys.stderr)
        return BROKEN_OFF
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED


def parser() -> Parser:
    """All commands and their arguments."""
    made = Parser(prog="egress-keeper", description=DESCRIPTION, epilog=EPILOG)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for name, summary in (
        ("capacity", "what nodes, subnets and zones can carry, carry, and could after losing a node"),
        ("plan", "what a visit would change, and why; changes nothing"),
        ("drift", "one verdict per address across cluster and AWS; changes nothing"),
        ("apply", "carry out the plan"),
        ("visit", "one complete visit: carry out the plan and tell people, as the functions do"),
        ("wait", "wait until machine pools can carry egress addresses, saying how far they are; changes nothing"),
        ("release", "give back all that is ours on a cluster in mode observe: EgressIPs, reservations, labels"),
        ("what-if", "which addresses would serve, and from where, if nodes or zones were lost, and the like"),
        ("validate", "check the fleet file"),
    ):
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        command.add_argument("--fleet", metavar="FILE", help="fleet file, a path or s3://… (default: KEEPER_FLEET)")
        command.add_argument("--json", action="store_true", help="print JSON (docs/schemas) instead of tables")
        if name != "validate":
            command.add_argument("--cluster", metavar="NAME", help="one cluster of the fleet (default: all)")
        if name in ("wait", "release"):
            cli_pools.add_arguments(command, name)
        if name in ("plan", "drift", "apply", "visit"):
            command.add_argument(
                "--settled",
                action="store_true",
                help="what is wrong has been so for more than a minute: remedies need not wait for a second visit",
            )
        if name == "what-if":
            cli_what_if.add_options(command)
        if name in ("apply", "visit", "release"):
            command.add_argument("--approve", metavar="DIGEST", type=_digest, help="approve exactly the plan so named")
    cli_silence.add_commands(commands)
    return made


def _digest(value: str) -> str:
    if not DIGEST.fullmatch(value):
        raise argparse.ArgumentTypeError(f"{value[:80]!r} is no digest; allowed are 12 hexadecimal digits")
    return value


def _run(arguments: argparse.Namespace) -> int:
    settings = read_settings(os.environ, need=())
    if arguments.fleet:
        settings = replace(settings, fleet=arguments.fleet)
    if not settings.fleet:
        raise BadInput("--fleet: is missing; give a path or s3://… there or in KEEPER_FLEET")
    runtime = Runtime(settings)
    if arguments.command == "validate":
        return _validate(runtime, as_json=arguments.json)
    if arguments.command in cli_silence.COMMANDS:
        cli_silence.run(runtime, arguments)
        return AS_DESIRED
    names = [runtime.cluster(arguments.cluster).name] if arguments.cluster else list(runtime.fleet.clusters)
    if getattr(arguments, "approve", None) and len(names) > 1:
        raise BadInput("--approve: names one plan; give --cluster too")
    if arguments.command == "release" and not arguments.cluster:
        raise BadInput("--cluster: is missing; a release is of one cluster, named")
    command = COMMANDS[arguments.command]
    answers = []
    for name in names:
        print(f"{arguments.command}: reading {name} …", file=sys.stderr)
        answers.append(command.ask(runtime, name, arguments))
    if arguments.json:
        print(json.dumps(documents.envelope(arguments.command, [answer.document for answer in answers]), indent=2))
    else:
        print("\n".join(command.render(answer.document) for answer in answers), end="")
    return _worst(answer.code for answer in answers)


def _worst(codes: Any) -> int:
    """Could not be done before refused before different."""
    there = set(codes)
    return next((code for code in (FAILED, REFUSED, DIFFERENT) if code in there), AS_DESIRED)


def _validate(runtime: Runtime, *, as_json: bool) -> int:
    fleet = runtime.fleet
    listed = [
        {"cluster": c.name, "region": c.region, "mode": c.mode.value, "policies": [p.name for p in c.policies]}
        for c in fleet.clusters.values()
    ]
    if as_json:
        print(json.dumps(documents.envelope("validate", listed), indent=2))
    else:
        rows = [(c["cluster"], c["region"], c["mode"], ", ".join(c["policies"])) for c in listed]
        print(text.table(("CLUSTER", "REGION", "MODE", "POLICIES"), rows))
        print(f"\n{runtime.settings.fleet} is valid.")
    return AS_DESIRED


def _ask_capacity(runtime: Runtime, name: str, arguments: argparse.Namespace) -> Answer:
    seen = _look(runtime, name, arguments)
    return Answer(documents.capacity_document(seen), FAILED if seen.observed.unknown() else AS_DESIRED)


def _ask_plan(runtime: Runtime, name: str, arguments: argparse.Namespace) -> Answer:
    seen = _look(runtime, name, arguments)
    return Answer(documents.plan_document(seen), _code_of_look(seen))


def _ask_drift(runtime: Runtime, name: str, arguments: argparse.Namespace) -> Answer:
    seen = _look(runtime, name, arguments)
    code = _code_of_look(seen)
    return Answer(documents.drift_document(seen), DIFFERENT if code == REFUSED else code)


def _ask_apply(runtime: Runtime, name: str, arguments: argparse.Namespace) -> Answer:
    return _visit(runtime, name, arguments, tell_people=False)


def _ask_visit(runtime: Runtime, name: str, arguments: argparse.Namespace) -> Answer:
    return _visit(runtime, name, arguments, tell_people=True)


def _ask_wait(runtime: Runtime, name: str, arguments: argparse.Namespace) -> Answer:
    document, complete = cli_pools.ask_wait(runtime, name, arguments)
    return Answer(document, AS_DESIRED if complete else DIFFERENT)


def _ask_release(runtime: Runtime, name: str, arguments: argparse.Namespace) -> Answer:
    document, released = cli_pools.ask_release(runtime, name, arguments)
    if released.complete:
        return Answer(document, AS_DESIRED)
    if released.applied is None and released.plan.actions:
        return Answer(document, REFUSED)
    return Answer(document, FAILED if released.failed or released.applied is None else DIFFERENT)


def _ask_what_if(runtime: Runtime, name: str, arguments: argparse.Namespace) -> Answer:
    seen = _look(runtime, name, arguments)
    found = cli_what_if.answer(seen, arguments)
    if isinstance(found, cli_what_if.Unanswered):
        missing = "; ".join(f"{u.what} could not be read ({u.source}: {u.why})" for u in found.unknown)
        raise BadInput(f"what-if: cannot be told for {name}: {missing}")
    return Answer(cli_what_if.document_of(seen, found), DIFFERENT if found.lost else AS_DESIRED)


def _look(runtime: Runtime, name: str, arguments: argparse.Namespace) -> Look:
    seen = runtime.look(name, settled=getattr(arguments, "settled", False))
    assert isinstance(seen, Look)  # noqa: S101 - the wiring's lazy imports hide the type
    return seen


def _visit(runtime: Runtime, name: str, arguments: argparse.Namespace, *, tell_people: bool) -> Answer:
    """What earlier visits remember is read wherever there is a table: remedies wait until a finding has settled."""
    desired = runtime.cluster(name)
    adapters, settings = runtime.adapters, runtime.settings
    can_tell = tell_people and bool(settings.table and settings.topic_arn)
    if tell_people and not can_tell:
        print("visit: nobody is told: KEEPER_TABLE and KEEPER_TOPIC_ARN are not set", file=sys.stderr)
    outside = Outside(
        adapters.cluster(desired),
        adapters.ec2(desired),
        runtime.clock,
        memory=adapters.memory if can_tell or (settings.table and not tell_people) else None,
        alerts=adapters.alerts if can_tell else None,
        ocm=adapters.ocm(desired),
        token=adapters.token(desired),
    )
    started = runtime.clock()
    outcome = visit(
        desired,
        outside,
        pace_of(settings),
        run_id=f"{name}.cli.{started:%Y%m%dT%H%M%S}",
        approval=Approval(arguments.approve, started) if arguments.approve else None,
        settled=arguments.settled,
        runbooks=settings.runbooks,
    )
    return Answer(documents.visit_document(outcome), _code_of_visit(outcome))


def _code_of_look(seen: Look) -> int:
    if seen.observed.unknown():
        return FAILED
    if seen.refusal is not None:
        return REFUSED
    told = [finding for finding in seen.findings if finding.severity is not Severity.INFO]
    return DIFFERENT if seen.planned.actions or told or seen.planned.moving else AS_DESIRED


def _code_of_visit(outcome: Outcome) -> int:
    """As desired means: nothing had to change or all of it took, and nothing is left for anyone to do."""
    if outcome.look.refusal is not None:
        return REFUSED
    if outcome.status == "failed":
        return FAILED
    done = {action.summary for action in outcome.report.applied} if outcome.report else set()
    left = [f for f in outcome.findings if f.severity is not Severity.INFO and f.repaired_by not in done]
    undone = outcome.report is None and outcome.look.planned.actions
    return DIFFERENT if left or undone else AS_DESIRED


@dataclass(frozen=True, slots=True)
class Command:
    """How a command asks, and how its document reads."""

    ask: Callable[[Runtime, str, argparse.Namespace], Answer]
    render: Callable[[Mapping[str, Any]], str]


COMMANDS: Mapping[str, Command] = {
    "capacity": Command(_ask_capacity, text.capacity_text),
    "plan": Command(_ask_plan, text.plan_text),
    "drift": Command(_ask_drift, text.drift_text),
    "apply": Command(_ask_apply, text.visit_text),
    "visit": Command(_ask_visit, text.visit_text),
    "wait": Command(_ask_wait, text.wait_text),
    "release": Command(_ask_release, text.release_text),
    "what-if": Command(_ask_what_if, text.what_if_text),
}
