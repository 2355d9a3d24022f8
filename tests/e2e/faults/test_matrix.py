"""Every call of a visit, every fault: nothing is done on a partial view, nothing foreign is touched, the next visit
ends where an undisturbed one would have, and nobody is told twice without reason.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from chalicelib.adapters import alerts, ec2, memory, queues
from sandbox.faults.calls import CallName, Trouble
from sandbox.faults.command import render
from sandbox.faults.lab import Lab
from sandbox.faults.matrix import Matrix, cells, every_matrix, play, refer
from sandbox.faults.situations import SITUATIONS

NOT_OF_A_VISIT = {
    "ec2 DeleteTags": "drops what a policy no longer holds of a shared range; two policies in one range are needed",
    "ec2 CreateTags": "the same, and the marks of a range that is adopted",
    "dynamodb DeleteItem": "forgets a finding that went away before it settled; none of these situations has one",
    "dynamodb GetItem": "asks for one run; the REST API does",
}
"""Calls that the adapters can make and no situation here makes, and why."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture(scope="module")
def matrices(lab: Lab) -> dict[str, Matrix]:
    made = {matrix.reference.situation.name: matrix for matrix in every_matrix(lab, SITUATIONS.values())}
    sys.stderr.write("\n".join(render(matrix) for matrix in made.values()))  # read when it fails
    return made


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.long
def test_every_fault_at_every_call_ends_well(matrices: dict[str, Matrix]) -> None:
    """Whatever happens at whichever call, the world ends as if nothing had happened."""
    bad = [
        f"{case.situation}, {case.call}, {case.trouble}: {case.problems}" for m in matrices.values() for case in m.bad
    ]
    assert bad == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.long
def test_people_hear_of_it_once_unless_the_message_itself_was_disturbed(matrices: dict[str, Matrix]) -> None:
    """A message may come twice where nobody can know whether it was sent; never more than twice, and never for less."""
    for matrix in matrices.values():
        for case in matrix.cases:
            assert case.repeated <= 1, f"{case.call}, {case.trouble}"
            disturbed = case.call.system in ("sns", "dynamodb")
            assert case.repeated == 0 or disturbed, f"{case.call}, {case.trouble}"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.long
def test_the_matrix_is_complete(matrices: dict[str, Matrix]) -> None:
    """Every call that a visit makes is a row, and has met every trouble that its situation knows."""
    for matrix in matrices.values():
        tried = {(case.call, case.trouble) for case in matrix.cases}
        left = [cell for cell in cells(matrix.reference, thorough=False) if cell not in tried]
        assert [cell for cell in left if cell[1] is not Trouble.STALE] == []
    made = {f"{call.system} {call.what}" for m in matrices.values() for call in m.reference.calls}
    able = {action.replace(":", " ") for m in (alerts, ec2, memory, queues) for action in m.IAM_ACTIONS}
    assert able - made - set(NOT_OF_A_VISIT) == set()


def test_a_visit_that_is_killed_in_the_middle_is_finished_by_the_next_one(lab: Lab) -> None:
    """The slice of the matrix for every day: one kill between two writes, one lost answer, one lying read."""
    situation = SITUATIONS["drift"]
    situation.remember(lab)
    reference = refer(lab, situation)
    patch = CallName("reconcile", "cluster", "PATCH egressips/demo-egress-ns")
    stale = CallName("reconcile", "cluster", "GET egressips")
    assert {patch, stale} <= set(reference.calls)
    for call, trouble in ((patch, Trouble.KILLED_BEFORE), (patch, Trouble.DONE), (stale, Trouble.STALE)):
        case = play(lab, reference, call, trouble)
        assert case is not None
        assert case.problems == ()


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
        lab.minutes(4)
        changed = lab.calls.writes_done
        lab.calls.heal()
        lab.minutes(2)
        mail = lab.read_mail()
        assert changed == [], f"{call}: {changed}"
        assert [m.attributes["kind"] for m in mail] == ["section-unknown"] * 2, f"{call}: {[m.subject for m in mail]}"
        assert [m.subject.startswith("RESOLVED") for m in mail] == [False, True]
