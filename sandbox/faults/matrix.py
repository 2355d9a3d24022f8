"""The matrix: every call of a visit, every trouble at it, and what came of each.

A case is: the situation is brought about, the visit meets one trouble at one call, undisturbed visits follow, and what
it comes to is compared with what the same situation comes to when nothing is disturbed. Each is a branch of one lab
(`branching`): it begins exactly where the others begin, and leaves nothing behind.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.drift.sides import serving
from sandbox.faults.branching import Branch, in_branch
from sandbox.faults.calls import CallName, Trouble
from sandbox.faults.lab import EndState, Lab
from sandbox.faults.situations import Situation
from sandbox.stage import Mail

REVISIT_SECONDS = 80.0
"""Until the visit that it asks for has come back: the revisit's pause, the batching window, the delay, a margin."""

REDELIVERY_SECONDS = 160.0
"""The work queue's visibility time-out, and a margin: then a visit whose process ended comes again."""

WINDOW_SECONDS = 30.0
"""Orders of one window are one visit: two cases must not share one, or the second has none."""

MOST_VISITS = 6

MINUTES_TO_TELL = 2
"""A finding that is gone is told as over when it has been gone for a minute."""

FAILS = frozenset({Trouble.THROTTLED, Trouble.BROKEN, Trouble.NOT_DONE, Trouble.CUT})
Cell = tuple[CallName, Trouble]

KILLS = frozenset({Trouble.KILLED_BEFORE, Trouble.KILLED_AFTER})

SECTIONS = frozenset(
    {
        "DescribeInstances",
        "DescribeSubnets",
        "DescribeNetworkInterfaces",
        "GetSubnetCidrReservations",
        "GET nodes",
        "GET egressips",
        "GET cloudprivateipconfigs",
    }
)
"""Reads without which a visit has only a partial view, and must not change anything."""


@dataclass(frozen=True)
class Reference:
    """What a situation comes to undisturbed.

    Attributes:
        calls: The calls of its visit, in the order in which they were made.
        told: Messages by kind, recoveries left out.
        alone: Calls that were made while no other thread of the product was at work.
    """

    situation: Situation
    calls: tuple[CallName, ...]
    end: EndState
    told: Counter[str]
    alone: frozenset[CallName] = frozenset()

    @property
    def rows(self) -> tuple[CallName, ...]:
        """The calls that are broken: those that the situation is about."""
        return tuple(call for call in self.calls if self.situation.rows(call))


@dataclass(frozen=True)
class Case:
    """One cell.

    Attributes:
        visits: Undisturbed visits until the end state was that of the reference.
        repeated: Kinds of messages that came once more than they should, once for each time.
        unheard: Kinds of which nobody heard, because it was repaired before anyone could be told.
        problems: What must not be; empty for a good case.
    """

    situation: str
    call: CallName
    trouble: Trouble
    visits: int
    repeated: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As the matrix prints it."""
        if self.problems:
            return "BAD"
        return f"{self.visits}" + ("+" if self.repeated else "") + ("-" if self.unheard else "")


@dataclass
class Matrix:
    """One situation's cells."""

    reference: Reference
    cases: list[Case] = field(default_factory=list)

    @property
    def bad(self) -> list[Case]:
        """Cases that went wrong."""
        return [case for case in self.cases if case.problems]


def refer(lab: Lab, situation: Situation) -> Reference:
    """What a situation comes to. The lab is at rest, and stays as it is."""

    def from_the_beginning() -> Reference:
        _begin(lab, situation)
        return _undisturbed(lab, situation)

    return in_branch(from_the_beginning)


def _undisturbed(lab: Lab, situation: Situation) -> Reference:
    """Let the situation, which the lab is at the beginning of, run its course."""
    alone: list[CallName] = []
    lab.calls.begin()
    lab.calls.on_arrival = alone.append
    situation.order(lab)
    lab.stage.run_for(situation.seconds)
    calls = tuple(lab.calls.made)
    lab.stage.run_for(REVISIT_SECONDS)
    before = None
    for _ in range(MOST_VISITS):
        state = lab.end_state()
        if state == before and not state.findings:
            break
        before = state
        lab.minutes(1)
    mail = lab.read_mail()
    return Reference(situation, calls, lab.end_state(), _told(mail), frozenset(alone) & set(calls))


@dataclass(frozen=True)
class Share:
    """One of *parts* equal shares of all cells: which one, the digest of *seed* and cell decides."""

    parts: int = 1
    seed: str = ""

    @classmethod
    def parse(cls, text: str) -> Share:
        """`PARTS:SEED`; an empty text is the whole. Raises ValueError."""
        parts, _, seed = text.partition(":")
        if text and not (parts.isdecimal() and int(parts)):
            raise ValueError(f"{text!r} is no share; allowed is a number of parts and any text, as in 3:2f81c0d")
        return cls(int(parts or 1), seed)

    def has(self, situation: Situation, call: CallName, trouble: Trouble) -> bool:
        """Whether this cell is in it."""
        digest = hashlib.sha256(f"{self.seed} {situation.name} {call} {trouble}".encode()).digest()
        return int.from_bytes(digest[:4], "big") % self.parts == 0


WHOLE = Share()


def cells(reference: Reference, *, thorough: bool = False, share: Share = WHOLE) -> Iterator[Cell]:
    """Every call that the situation breaks with every trouble that it tries there.

    Not *thorough*: of the four ways in which a call can simply fail, each call meets one in turn. To the visit they are
    the same, a call that did not work; telling them apart is the adapters' work, and tested there.
    """
    situation = reference.situation
    for index, call in enumerate(reference.rows):
        troubles = situation.on_reads if call.is_read else situation.on_writes
        failing = [trouble for trouble in Trouble if trouble in troubles & FAILS]
        left_out = set() if thorough or not failing else set(failing) - {failing[index % len(failing)]}
        tried = [trouble for trouble in Trouble if trouble in troubles - left_out]
        yield from ((call, trouble) for trouble in tried if share.has(situation, call, trouble))


def run(
    lab: Lab, situation: Situation, *, thorough: bool = False, share: Share = WHOLE, only: Sequence[Cell] = ()
) -> Matrix:
    """The cases of a situation, or *only* those of some cells. The lab is at rest, and stays as it is."""
    return in_branch(lambda: _run(lab, situation, only, thorough=thorough, share=share))


def _begin(lab: Lab, situation: Situation) -> None:
    """Bring the situation about in a lab at rest."""
    situation.remember(lab)
    _clear(lab)
    situation.prepare(lab)
    if not situation.with_memory:
        lab.forget()
    lab.read_mail()
    lab.new_process()


def _clear(lab: Lab) -> None:
    """Nothing is ordered that has not come yet, and a window of orders begins.

    When the visits come that follow depends on where in a window the first was.
    """
    lab.forget()
    lab.play.unseen(2 * WINDOW_SECONDS - lab.stage.now().timestamp() % WINDOW_SECONDS)
    lab.forget()


def _run(lab: Lab, situation: Situation, only: Sequence[Cell], *, thorough: bool, share: Share) -> Matrix:
    _begin(lab, situation)
    reference = in_branch(lambda: _undisturbed(lab, situation))
    tried = only or tuple(cells(reference, thorough=thorough, share=share))
    trunk = _Trunk(lab, reference, tried)
    try:
        return Matrix(reference, trunk.grow())
    except BaseException:
        trunk.fail_if_branch()
        raise


class _Trunk:
    """The visit once more, undisturbed; at each call as many branches leave it as there are troubles to try there.

    So the way to a call is gone once, and not again for each trouble. A branch is one case. Calls that are made while
    another thread works as well, the reads of an observation, are tried in branches that leave at the call before.
    """

    def __init__(self, lab: Lab, reference: Reference, tried: Sequence[Cell]) -> None:
        self._lab = lab
        self._reference = reference
        self._tried = tried
        self._leaving = _leaving(reference, tried)
        self._grown: dict[Cell, Branch[Case | None]] = {}
        self._here: tuple[Cell, Branch[Case | None]] | None = None  # in a branch: which one this is

    def grow(self) -> list[Case]:
        """The cases of all branches, in the order of the cells. A branch does not return from here."""
        lab, situation = self._lab, self._reference.situation
        lab.stage.plumbing.invocations.clear()
        foreign, served = lab.foreign(), set(serving(lab.stage))
        lab.calls.meanwhile = lambda: situation.meanwhile(lab)
        lab.calls.begin()
        lab.calls.on_arrival = self._reached
        self._reached(None)
        situation.order(lab)
        lab.stage.run_for(situation.seconds)
        if self._here is not None:
            cell, branch = self._here
            branch.end(_judge(lab, self._reference, cell, foreign, served))
        cases = [self._case(cell) for cell in self._tried]
        return [case for case in cases if case is not None]

    def fail_if_branch(self) -> None:
        """In a branch: end, because of what is being handled."""
        if self._here is not None:
            self._here[1].fail()

    def _reached(self, call: CallName | None) -> None:
        """The undisturbed visit is at *call*, or about to begin. The product is on the stack: nothing may be raised."""
        for cell in self._leaving.pop(call, ()):
            branch = Branch[Case | None]()
            if branch.is_here:
                self._here = cell, branch
                self._leaving.clear()
                self._lab.calls.arm(*cell)
                return
            branch.wait()
            self._grown[cell] = branch

    def _case(self, cell: Cell) -> Case | None:
        if cell not in self._grown:
            return Case(self._reference.situation.name, *cell, 0, problems=("the call was not made",))
        return self._grown[cell].result()


def _leaving(reference: Reference, tried: Iterable[Cell]) -> dict[CallName | None, list[Cell]]:
    """Where each cell's branch leaves: at its call or, where that is not made alone, at the one before it that is."""
    at: dict[CallName, CallName | None] = {}
    last = None
    for call in reference.calls:
        last = call if call in reference.alone else last
        at[call] = last
    leaving: dict[CallName | None, list[Cell]] = defaultdict(list)
    for cell in tried:
        leaving[at[cell[0]]].append(cell)
    return leaving


def _judge(lab: Lab, reference: Reference, cell: Cell, foreign: dict[str, Any], served: set[str]) -> Case | None:
    """Let undisturbed visits follow, and see. None where the trouble cannot happen: no earlier answer is known.

    Args:
        foreign, served: What was not ours and which addresses served before the visit.
    """
    (call, trouble), situation = cell, reference.situation
    happened, written = lab.calls.happened, list(lab.calls.writes_done)
    lab.calls.heal()
    if trouble is Trouble.STALE and lab.calls.had_no_earlier_answer:
        return None
    problems = [] if happened else ["the call was not made"]
    if trouble in FAILS and call.what in SECTIONS and written:
        problems.append(f"changed something on a partial view: {', '.join(map(str, written))}")
    failed = any(run.error for run in lab.stage.plumbing.invocations)
    lab.stage.run_for(REDELIVERY_SECONDS if failed else REVISIT_SECONDS)
    visits = 1
    while visits < MOST_VISITS and (state := lab.end_state()) != reference.end:
        visits += 1
        (situation.again or situation.order)(lab)
        lab.stage.run_for(situation.pause)
    mail = lab.read_mail()
    for _ in range(MINUTES_TO_TELL):
        if not _unheard(reference, mail):
            break
        lab.minutes(1)
        mail += lab.read_mail()
    problems += _differences(state, reference.end)
    if lab.foreign() != foreign:
        problems.append("changed what is not ours")
    if lost := (served & set(reference.end.serving)) - set(serving(lab.stage)):
        problems.append(f"{', '.join(sorted(lost))} served before and does not now")
    if lab.invoker.swallowed:
        problems.append("the end of the process was swallowed")
    unsure = trouble in KILLS | {Trouble.DONE, Trouble.CUT}
    repeated = tuple(sorted((_told(mail) - reference.told).elements())) if unsure else ()
    return Case(situation.name, call, trouble, visits, repeated, _unheard(reference, mail), tuple(problems))


def _unheard(reference: Reference, mail: Iterable[Mail]) -> tuple[str, ...]:
    """Kinds that people should have heard of, be it only that they are over."""
    return tuple(sorted(set(reference.told) - {m.attributes.get("kind", "") for m in mail}))


def _told(mail: Iterable[Mail]) -> Counter[str]:
    return Counter(m.attributes.get("kind", "") for m in mail if not m.subject.startswith("RESOLVED"))


def _differences(state: EndState, wanted: EndState) -> list[str]:
    """What is not as it should be, entry by entry."""
    found = []
    for name in EndState.__dataclass_fields__:
        here, there = (_entries(getattr(one, name)) for one in (state, wanted))
        found += [
            f"{name} at the end: {key} is {here.get(key, 'missing')}, not {there.get(key, 'missing')}"
            for key in sorted({*here, *there})
            if here.get(key) != there.get(key)
        ]
    return found


def _entries(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    return dict.fromkeys((value,) if isinstance(value, str) else value, "there")


__all__ = ["Case", "Cell", "Matrix", "Reference", "Share", "cells", "refer", "run"]
