"""The matrix: every call of a visit, every trouble at it, and what came of each.

A case is: bring the situation about, let the visit meet one trouble at one call, let undisturbed visits follow, compare
with what the same situation comes to when nothing is disturbed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.drift.flapping import WITHIN
from sandbox.drift.sides import serving
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

MOVES_ARE_NEWS_SECONDS = WITHIN.total_seconds()
"""For so long a visit notes that an address has moved."""

MOST_VISITS = 6

MINUTES_TO_TELL = 2
"""A finding that is gone is told as over when it has been gone for a minute."""

FAILS = frozenset({Trouble.THROTTLED, Trouble.BROKEN, Trouble.NOT_DONE, Trouble.CUT})
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
    """

    situation: Situation
    calls: tuple[CallName, ...]
    end: EndState
    told: Counter[str]

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
    """Let the situation run its undisturbed course, noting the calls of its first visit."""
    _begin(lab, situation)
    lab.calls.begin()
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
    return Reference(situation, calls, lab.end_state(), _told(mail))


def _begin(lab: Lab, situation: Situation) -> None:
    """The situation, without anything that the case before has ordered and not had yet, in a new process.

    It begins with a window of orders: when the visits come that follow depends on where in a window the first was.
    """
    lab.forget()
    lab.play.unseen(2 * WINDOW_SECONDS - lab.stage.now().timestamp() % WINDOW_SECONDS)
    lab.forget()
    situation.prepare(lab)
    if not situation.with_memory:
        lab.forget()
    lab.read_mail()
    lab.new_process()


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


def cells(reference: Reference, *, thorough: bool = False, share: Share = WHOLE) -> Iterator[tuple[CallName, Trouble]]:
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


def play(lab: Lab, reference: Reference, call: CallName, trouble: Trouble) -> Case | None:
    """One case; None where the trouble cannot happen there: no earlier answer to such a call is known."""
    situation = reference.situation
    _begin(lab, situation)
    lab.stage.plumbing.invocations.clear()
    foreign, served = lab.foreign(), set(serving(lab.stage))
    lab.calls.meanwhile = lambda: situation.meanwhile(lab)
    lab.calls.begin(call, trouble)
    situation.order(lab)
    lab.stage.run_for(situation.seconds)
    happened, written = lab.calls.happened, list(lab.calls.writes_done)
    lab.calls.heal()
    if trouble is Trouble.STALE and lab.calls.had_no_earlier_answer:
        situation.restore(lab)
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
        lab.invoker.swallowed = 0
    told = _told(mail)
    situation.restore(lab)
    unsure = trouble in KILLS | {Trouble.DONE, Trouble.CUT}
    repeated = tuple(sorted((told - reference.told).elements())) if unsure else ()
    return Case(
        situation.name,
        call,
        trouble,
        visits,
        repeated,
        _unheard(reference, mail),
        tuple(problems),
    )


def run(lab: Lab, situation: Situation, *, thorough: bool = False, share: Share = WHOLE) -> Matrix:
    """The cases of a situation.

    A call that one undisturbed run makes and the next one does not is no row. The first one may move addresses, and the
    visits of the hour after it note that: so it is only for comparison, and the hour passes before the one that counts.
    """
    situation.remember(lab)
    first = set(refer(lab, situation).calls)
    situation.restore(lab)
    lab.play.unseen(MOVES_ARE_NEWS_SECONDS)
    reference = refer(lab, situation)
    situation.restore(lab)
    matrix = Matrix(replace(reference, calls=tuple(call for call in reference.calls if call in first)))
    for call, trouble in cells(matrix.reference, thorough=thorough, share=share):
        case = play(lab, matrix.reference, call, trouble)
        if case is not None:
            matrix.cases.append(case)
    return matrix


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


__all__ = ["Case", "Matrix", "Reference", "Share", "cells", "play", "refer", "run"]
