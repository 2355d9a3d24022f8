"""The matrix: every call of a visit, every trouble at it, and what came of each.

A case is: bring the situation about, let the visit meet one trouble at one call, let undisturbed visits follow, compare
with what the same situation comes to when nothing is disturbed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sandbox.drift.sides import serving
from sandbox.faults.calls import CLUSTER, CallName, Trouble
from sandbox.faults.lab import EndState, Lab
from sandbox.faults.situations import Situation
from sandbox.stage import Mail

REVISIT_SECONDS = 80.0
"""Until the visit that it asks for has come back: the revisit's pause, the batching window, the delay, a margin."""

REDELIVERY_SECONDS = 160.0
"""The work queue's visibility time-out, and a margin: then a visit whose process ended comes again."""

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
        calls: The calls of its visit, in the order in which they were made; the rows of the matrix.
        told: Messages by kind, recoveries left out.
    """

    situation: Situation
    calls: tuple[CallName, ...]
    end: EndState
    told: Counter[str]


@dataclass(frozen=True)
class Case:
    """One cell.

    Attributes:
        visits: Undisturbed visits until the end state was that of the reference.
        repeated: Messages that came once more than they should.
        unheard: Kinds of which nobody heard, because it was repaired before anyone could be told.
        problems: What must not be; empty for a good case.
    """

    situation: str
    call: CallName
    trouble: Trouble
    visits: int
    repeated: int = 0
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
    calls = tuple(call for call in lab.calls.made if call.function != "api_handler")
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
    """The situation, without anything that the case before has ordered and not had yet, in a new process."""
    lab.forget()
    situation.prepare(lab)
    if not situation.with_memory:
        lab.forget()
    lab.read_mail()
    lab.new_process()


def cells(reference: Reference, *, thorough: bool = True) -> Iterator[tuple[CallName, Trouble]]:
    """Every call with every trouble that the situation tries at it.

    Not *thorough*: of the four ways in which a call can simply fail, each call meets one in turn. To the visit they are
    the same, a call that did not work; telling them apart is the adapters' work, and tested there.
    """
    for index, call in enumerate(reference.calls):
        troubles = reference.situation.on_reads if call.is_read else reference.situation.on_writes
        failing = [trouble for trouble in Trouble if trouble in troubles & FAILS]
        left_out = set() if thorough or not failing else set(failing) - {failing[index % len(failing)]}
        yield from ((call, trouble) for trouble in Trouble if trouble in troubles - left_out)


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
        situation.order(lab)
        lab.stage.run_for(60)
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
    repeated = sum((told - reference.told).values()) if trouble in KILLS | {Trouble.DONE, Trouble.CUT} else 0
    return Case(
        situation.name,
        call,
        trouble,
        visits,
        repeated,
        _unheard(reference, mail),
        tuple(problems),
    )


def run(lab: Lab, situation: Situation, *, thorough: bool = False) -> Matrix:
    """All cases of a situation."""
    matrix = Matrix(refer(lab, situation))
    for call, trouble in cells(matrix.reference, thorough=thorough):
        case = play(lab, matrix.reference, call, trouble)
        if case is not None:
            matrix.cases.append(case)
    return matrix


def every_matrix(lab: Lab, situations: Iterable[Situation], *, thorough: bool = False) -> Iterator[Matrix]:
    """The matrices of these situations, one after the other."""
    for situation in situations:
        situation.remember(lab)
        yield run(lab, situation, thorough=thorough)


def _unheard(reference: Reference, mail: Iterable[Mail]) -> tuple[str, ...]:
    """Kinds that people should have heard of, be it only that they are over."""
    return tuple(sorted(set(reference.told) - {m.attributes.get("kind", "") for m in mail}))


def _told(mail: Iterable[Mail]) -> Counter[str]:
    return Counter(m.attributes.get("kind", "") for m in mail if not m.subject.startswith("RESOLVED"))


def _differences(state: EndState, wanted: EndState) -> list[str]:
    pairs = ((name, getattr(state, name), getattr(wanted, name)) for name in EndState.__dataclass_fields__)
    return [f"{name} at the end: {is_now}, not {should_be}" for name, is_now, should_be in pairs if is_now != should_be]


__all__ = ["CLUSTER", "Case", "Matrix", "Reference", "cells", "every_matrix", "play", "refer", "run"]
