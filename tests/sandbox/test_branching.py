"""A branch is the same world, and nothing of what happens in it is seen where it began."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

import pytest

from sandbox.faults.branching import Branch, BranchFailed, in_branch


def test_what_a_branch_does_stays_there_and_what_it_says_comes_back() -> None:
    """One that branches again included."""
    world = {"serving": 4}

    def tried() -> list[int]:
        world["serving"] -= 1
        further = in_branch(lambda: world["serving"] - 1)
        return [world["serving"], further]

    assert in_branch(tried) == [3, 2]
    assert world == {"serving": 4}


def test_a_branch_may_leave_in_the_middle_and_end_elsewhere() -> None:
    """Both sides go on from where it left."""
    branch = Branch[str]()
    said = "of the branch" if branch.is_here else "of the trunk"
    if branch.is_here:
        branch.end(said)
    branch.wait()
    assert (said, branch.result()) == ("of the trunk", "of the branch")


def raising() -> NoReturn:
    raise ValueError("what went wrong there")


def killed() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.mark.parametrize(
    ("tried", "words"),
    [
        (raising, "ValueError: what went wrong there"),
        (killed, "ended with -9 and said nothing"),
        (lambda: lambda: None, "pickle"),
        (lambda: os._exit(3), "ended with 3 and said nothing"),
    ],
    ids=["raises", "is killed", "cannot say it", "leaves"],
)
def test_a_branch_that_fails_is_no_result(tried: object, words: str) -> None:
    """However it ends, whoever began it hears of it, and goes on alone."""
    here = os.getpid()
    with pytest.raises(BranchFailed, match=words):
        in_branch(tried)  # type: ignore[arg-type]
    assert os.getpid() == here
