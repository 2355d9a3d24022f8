"""The matrix as it is printed, and its shares; what is in it is played in `tests/e2e/faults`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.faults.calls import CallName, Trouble
from sandbox.faults.lab import EndState
from sandbox.faults.matrix import Case, Matrix, Reference, Share, _leaving, cells
from sandbox.faults.printing import render, render_summary
from sandbox.faults.situations import SITUATIONS

PROJECT = Path(__file__).resolve().parents[2]
NODE = CallName("reconcile", "cluster", "GET nodes/*")
CALLS = (CallName("drift_check", "sqs", "SendMessage"), NODE, CallName("reconcile", "dynamodb", "PutItem", 3))
REFERENCE = Reference(SITUATIONS["drift"], CALLS, EndState({}, {}, {}, {}, "", (), ()), Counter())


def test_the_matrix_is_a_table_by_function_and_says_what_is_remarkable() -> None:
    """Rows are calls, columns what happened to them; repeated messages and bad cells are told in words below."""
    cases = [
        Case("drift", CALLS[0], Trouble.KILLED_BEFORE, 2),
        Case("drift", NODE, Trouble.STALE, 1, problems=("changed what is not ours",)),
        Case("drift", CALLS[2], Trouble.DONE, 5, repeated=("spec-edited",)),
    ]
    matrix = Matrix(REFERENCE, cases)
    assert render(matrix).splitlines()[1:] == [
        "drift: A label taken, an object edited, a reservation deleted. 3 cells, 1 bad.",
        "",
        "                       killed  done,      stale",
        "                       before  no answer  answer",
        "drift_check",
        "  sqs SendMessage      2       .          .",
        "reconcile",
        "  cluster GET nodes/*  .       .          BAD",
        "  dynamodb PutItem #3  .       5+         .",
        "",
        "BAD  reconcile cluster GET nodes/*, stale answer: changed what is not ours",
        "+    reconcile dynamodb PutItem #3, done, no answer: spec-edited",
    ]
    assert render_summary([matrix]).splitlines() == [
        "situation  calls  cells  bad  1 visit  2  3  more  told twice",
        "drift      3      3      1    1        1  0  1     1",
    ]


def test_each_call_meets_one_way_of_failing_in_turn_and_all_when_asked() -> None:
    """To the visit they are the same: a call that did not work."""
    fails = {Trouble.THROTTLED, Trouble.BROKEN, Trouble.NOT_DONE, Trouble.CUT}
    met = Counter(call for call, trouble in cells(REFERENCE) if trouble in fails)
    assert set(met.values()) == {1}
    assert len({trouble for _, trouble in cells(REFERENCE) if trouble in fails}) == len(CALLS)
    assert {trouble for call, trouble in cells(REFERENCE, thorough=True) if call == CALLS[0]} >= fails


def test_a_share_is_a_part_of_the_cells_that_its_text_chooses() -> None:
    """The same text chooses the same cells; over some texts every cell gets its turn."""
    whole = set(cells(REFERENCE))
    shares = [set(cells(REFERENCE, share=Share.parse(f"3:{number}"))) for number in range(40)]
    assert all(share < whole for share in shares)
    assert set().union(*shares) == whole
    assert shares[0] == set(cells(REFERENCE, share=Share(3, "0")))
    assert set(cells(REFERENCE, share=Share.parse(""))) == whole


@pytest.mark.parametrize(
    ("alone", "leaving"),
    [((), (None, None, None)), ((CALLS[0], CALLS[2]), (CALLS[0], CALLS[0], CALLS[2]))],
    ids=["none is", "first and last are"],
)
def test_a_branch_leaves_at_its_call_or_at_the_last_one_before_that_is_made_alone(
    alone: tuple[CallName, ...], leaving: tuple[CallName | None, ...]
) -> None:
    """A thread does not come along, so no branch leaves while one is at work; what is first leaves at the beginning."""
    found = _leaving(replace(REFERENCE, alone=frozenset(alone)), [(call, Trouble.DONE) for call in CALLS])
    assert {call: at for at, cells_there in found.items() for call, _ in cells_there} == dict(
        zip(CALLS, leaving, strict=True)
    )


@pytest.mark.parametrize("text", ["0:a", "x", "-1:a", ":a"])
def test_what_is_no_share_is_refused(text: str) -> None:
    """The message says what is allowed."""
    with pytest.raises(ValueError, match="allowed is a number of parts"):
        Share.parse(text)


def test_the_documentation_lists_the_situations() -> None:
    """One row each, as the command prints it."""
    listed = re.findall(
        r"^\| `([\w-]+)` \| (.+?) \| .+ \|$", (PROJECT / "docs/sandbox.md").read_text("utf-8"), re.MULTILINE
    )
    assert [row for row in listed if row[0] in SITUATIONS] == [(s.name, s.beginning) for s in SITUATIONS.values()]
