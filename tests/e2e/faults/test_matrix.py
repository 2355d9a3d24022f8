"""Every call of a visit, every fault: nothing is done on a partial view, nothing foreign is touched, the next visit
ends where an undisturbed one would have, and nobody is told twice without reason.

One test a situation, so that two processes share them. What is printed is read when one fails.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
import yaml

from chalicelib import adapters
from sandbox.faults.calls import CallName, Trouble
from sandbox.faults.lab import Lab
from sandbox.faults.matrix import Share, cells, refer, run
from sandbox.faults.printing import render
from sandbox.faults.situations import SITUATIONS

PROJECT = Path(__file__).resolve().parents[3]
SHARE = Share.parse(os.environ.get("KEEPER_FAULTS_SHARE", ""))

LONGEST_FIRST = sorted(SITUATIONS, key=lambda name: name != "remedies")
"""So that the other process has something to do meanwhile."""

OCM_CALLS = {
    "POST token",
    "GET cluster",
    "GET node_pools",
    "GET node_pools/*",
    "PATCH node_pools/*",
    "POST node_pools",
}
"""Of a hosted cluster; a classic one's have another word in the path and are otherwise the same code."""

VERBS = {"list": "GET {}", "get": "GET {}/*", "patch": "PATCH {}/*", "delete": "DELETE {}/*"}
"""How the verbs of a role are asked on the wire; `create` is what RBAC asks for the PATCH of a new object, too."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.long
@pytest.mark.parametrize("name", LONGEST_FIRST)
def test_every_fault_at_every_call_ends_well(lab: Lab, name: str) -> None:
    """Whatever happens at whichever call, the world ends as if nothing had happened, and people hear of it.

    A message may come twice where nobody can know whether it was sent or who remembers it, and only there.
    """
    matrix = run(lab, SITUATIONS[name], share=SHARE)
    sys.stderr.write(render(matrix))  # the lab has standard output
    assert [f"{case.call}, {case.trouble}: {case.problems}" for case in matrix.bad] == []
    told_of_kills = SITUATIONS[name].told_of_kills
    for case in matrix.cases:
        assert len(set(case.repeated)) == len(case.repeated), f"{case.call}, {case.trouble}: {case.repeated}"
        blind = case.call.what == "Query"  # repairs do not wait for the memory of who was told
        assert blind or not case.unheard, f"{case.call}, {case.trouble}: {case.unheard}"
        disturbed = case.call.system in ("sns", "dynamodb")
        assert disturbed or set(case.repeated) <= told_of_kills, f"{case.call}, {case.trouble}: {case.repeated}"
    tried = {(case.call, case.trouble) for case in matrix.cases}
    left = [cell for cell in cells(matrix.reference, share=SHARE) if cell not in tried]
    assert [cell for cell in left if cell[1] is not Trouble.STALE] == [], "each cell that there is was played"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(3600)
def test_no_call_is_left_out(lab: Lab) -> None:
    """Every call that the product may make, to whichever system, is broken in some situation."""
    references = [refer(lab, situation) for situation in SITUATIONS.values()]
    broken = {_general(call) for reference in references for call, _ in cells(reference)}
    assert _calls_to_aws() | _calls_to_the_cluster() | {f"ocm {call}" for call in OCM_CALLS} == broken


def _calls_to_aws() -> set[str]:
    """What the policies grant, by the names on the wire."""
    modules = [import_module(f"{adapters.__name__}.{found.name}") for found in iter_modules(adapters.__path__)]
    actions = {action.replace(":", " ") for module in modules for action in getattr(module, "IAM_ACTIONS", ())}
    on_the_wire = {"s3 GetObject": {"s3 GET /*"}, "sqs SendMessage": {"sqs SendMessage", "sqs SendMessageBatch"}}
    return {name for action in actions for name in on_the_wire.get(action, {action})}


def _calls_to_the_cluster() -> set[str]:
    """What the roles of `deploy/rbac.yaml` grant, by the names on the wire."""
    roles = [one for one in yaml.safe_load_all((PROJECT / "deploy/rbac.yaml").read_text()) if "rules" in one]
    granted = {
        (resource, verb) for role in roles for rule in role["rules"] for resource in rule["resources"]
        for verb in rule["verbs"]
    }  # fmt: skip
    token = ("serviceaccounts/token", "create")
    asked = {VERBS[verb].format(resource) for resource, verb in granted - {token} if verb != "create"}
    return {f"cluster {name}" for name in asked | ({"POST */token"} if token in granted else set())}


def _general(call: CallName) -> str:
    """The call without names: `cluster PATCH egressips/*`."""
    what = re.sub(r"namespaces/[^/]+/(?=pods)", "", call.what)
    what = re.sub(r" \S*/token$", " */token", what)
    what = re.sub(r"^(\w+ \w*/)(?!token).+$", r"\1*", what)
    return f"{call.system} {what}"


def test_a_visit_that_is_killed_in_the_middle_is_finished_by_the_next_one(lab: Lab) -> None:
    """The slice of the matrix for every day: one kill between two writes, one lost answer, one lying read."""
    patch = CallName("reconcile", "cluster", "PATCH egressips/demo-egress-ns")
    stale = CallName("reconcile", "cluster", "GET egressips")
    tried = ((patch, Trouble.KILLED_BEFORE), (patch, Trouble.DONE), (stale, Trouble.STALE))
    cases = run(lab, SITUATIONS["drift"], only=tried).cases
    assert [(case.call, case.trouble, case.problems) for case in cases] == [(*cell, ()) for cell in tried]


@pytest.mark.slow
def test_a_fault_that_lasts_is_told_once_and_its_end_once(lab: Lab) -> None:
    """Unknown is not empty, however long: no change is made, one message goes out, one when it is over."""
    situation = SITUATIONS["drift"]
    reference = refer(lab, situation)
    sections = {
        call for call in reference.calls if call.nth == 1 and call.is_read and call.system in ("ec2", "cluster")
    }
    for call in sorted(sections):
        if "/" in call.what or call.what == "DescribeInstanceTypes":
            continue  # a read within a write; an answer that is kept for the life of a process
        lab.forget()
        lab.calls.begin(call, Trouble.THROTTLED, lasting=True)
        lab.minutes(7)
        changed = lab.calls.writes_done
        lab.calls.heal()
        lab.minutes(2)
        mail = lab.read_mail()
        assert changed == [], f"{call}: {changed}"
        assert [m.attributes["kind"] for m in mail] == ["section-unknown"] * 2, f"{call}: {[m.subject for m in mail]}"
        assert [m.subject.startswith("RESOLVED") for m in mail] == [False, True]
