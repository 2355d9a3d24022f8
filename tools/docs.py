"""The outputs shown in README and docs, made by the program itself on the sandbox, so that they can't grow old.

A block of a page that begins with `<!-- output: NAME -->` holds the output NAME below it, fenced.
`python -m tools.docs` writes them anew; with `--check` it only says which differ (the tests do that). Ids that differ
from run to run are replaced by short ones.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from chalicelib import cli, telemetry, text
from sandbox.demo import POLICIES, SCENARIO
from sandbox.stage import Stage, fleet_text

PROJECT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "docs/visit.md", "docs/what-if.md")
WHAT_IF = ("--lose-zone", "eu-central-1c", "--scale", "egress-a=1")
BLOCK = re.compile(r"(<!-- output: ([a-z-]+) -->\n```[a-z]*\n)(.*?)(```\n)", re.DOTALL)
CLUSTER = SCENARIO.name
SHORT_IDS = (
    (re.compile(r"subnet-[0-9a-f]{17}"), "subnet-{}"),
    (re.compile(r"\bi-[0-9a-f]{17}"), "i-{}"),
    (re.compile(r"eni-[0-9a-f]{17}"), "eni-{}"),
    (re.compile(r"scr-[0-9a-f]{17}"), "scr-{}"),
    (re.compile(r"(?<=digest )[0-9a-f]{12}"), "4f1c9a7be203"),
    (
        re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        "6f3a1c52-0000-4000-8000-00000000000{}",
    ),
    (re.compile(r"http://127\.0\.0\.1:[0-9]+"), "https://api.payments.abcd.p3.openshiftapps.com:443"),
)


def main(argv: Sequence[str]) -> int:
    """Write the pages anew, or with `--check` say which are out of date (exit code 1)."""
    outputs = make_outputs()
    stale = [page for page in PAGES if updated(page, outputs) != (PROJECT / page).read_text(encoding="utf-8")]
    if "--check" in argv:
        print(
            "\n".join(f"{page} is out of date: run python -m tools.docs" for page in stale) or "The pages are current."
        )
        return 1 if stale else 0
    for page in stale:
        (PROJECT / page).write_text(updated(page, outputs), encoding="utf-8")
        print(f"{page} updated")
    return 0


def make_outputs() -> Mapping[str, str]:
    """Play the main job on the sandbox and return every output by name."""
    telemetry.logger.setLevel(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), Stage(SCENARIO, POLICIES) as stage:
            return {name: shorten(output) for name, output in _play(stage).items()}
    finally:
        telemetry.logger.setLevel(logging.INFO)


def shorten(output: str) -> str:
    """Replace ids that differ from run to run, the same id always by the same short one."""
    for pattern, short in SHORT_IDS:
        numbers: dict[str, int] = {}

        def replace(found: re.Match[str], numbers: dict[str, int] = numbers, short: str = short) -> str:
            return short.format(numbers.setdefault(found.group(), len(numbers) + 1))

        output = pattern.sub(replace, output)
    return "\n".join(line.rstrip() for line in output.splitlines()) + "\n"


def _play(stage: Stage) -> dict[str, str]:
    base = f"/clusters/{CLUSTER}"
    outputs = {"fleet": stage.default_fleet, "plan": text.plan_text(_part(stage, f"{base}/plan"))}
    stage.plumbing.tick_schedules()
    stage.run_for(120)
    stage.plumbing.invocations.clear()
    stage.rosa.scale_pool("egress-c", 2)
    stage.run_for(90)
    outputs["event"] = json.dumps(next(r.event for r in stage.plumbing.invocations if r.function == "intake"), indent=2)
    outputs["joining"] = text.visit_text(_last_visit(stage))
    outputs["capacity"] = text.capacity_text(_part(stage, f"{base}/capacity"))
    stage.run_for(1500)
    outputs["addresses"] = text.addresses_table(_part(stage, f"{base}/drift"))
    outputs["what-if"] = _command(stage, "what-if", *WHAT_IF)
    stage.read_mail()
    edited = ["10.10.100.253", "10.10.150.77", "10.10.200.253"]
    stage.rosa.kube.patch("egressips", "demo-egress-ns", {"spec": {"egressIPs": edited}}, manager="kubectl-edit")
    stage.plumbing.tick_schedules()
    stage.run_for(60)
    (mail, *_) = stage.read_mail()
    outputs["alert"] = f"Subject: {mail.subject}\n\n{mail.body}"
    return outputs


def _command(stage: Stage, *arguments: str) -> str:
    """What the command line prints on this stage."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()):
        (Path(folder) / "token").write_text(next(iter(stage.rosa.tokens)), encoding="utf-8")
        fleet = Path(folder) / "fleet.yaml"
        fleet.write_text(fleet_text(SCENARIO, stage.rosa.api_url, POLICIES, token="file:token"), encoding="utf-8")  # noqa: S106 - a place, not a secret
        before = dict(os.environ)
        os.environ.update(stage.aws.environment())
        try:
            cli.main([*arguments, "--fleet", str(fleet)])
        finally:
            os.environ.clear()
            os.environ.update(before)
    return out.getvalue()


def _part(stage: Stage, path: str) -> dict[str, Any]:
    return dict(stage.documents(path)["clusters"][0])


def _last_visit(stage: Stage) -> dict[str, Any]:
    run = stage.documents(f"/clusters/{CLUSTER}/runs")["runs"][0]
    return dict(stage.documents(f"/runs/{run['run_id']}")["visit"]["clusters"][0])


def updated(page: str, outputs: Mapping[str, str]) -> str:
    """The page with every block filled in."""

    def fill(block: re.Match[str]) -> str:
        return f"{block.group(1)}{outputs[block.group(2)]}{block.group(4)}"

    return BLOCK.sub(fill, (PROJECT / page).read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
