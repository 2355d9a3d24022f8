"""Random histories of visits, for the laws of telling: interleaved, killed anywhere, with failing ports, odd clocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from hypothesis import strategies as st

from chalicelib.adapters.errors import AdapterError, Unreachable
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.telling.life import Timing
from chalicelib.domain.telling.messages import Alert, Occasion, Place
from chalicelib.usecases.ports import Alerts, Memory
from chalicelib.usecases.tell import foretell, tell
from tests import factories
from tests.fakes import FakeMemory

TIMING = Timing(settle=timedelta(seconds=60), reminder=timedelta(days=1))

KINDS: Mapping[str, tuple[Kind, str]] = {
    "cause": (Kind.NO_ELIGIBLE_NODE, "zone a"),
    "effect": (Kind.ADDRESS_UNASSIGNED, "zone a"),
    "alone": (Kind.CPIC_STALE, ""),
    "edit": (Kind.SPEC_EDITED, ""),
}


REPAIRABLE = ("alone", "edit")


def finding(name: str, severity: Severity, *, repair: str = "") -> Finding:
    kind, cause = KINDS[name]
    return Finding(kind, name, severity, f"{name} is wrong.", cause=cause, repaired_by=repair)


FINGERPRINTS = {finding(name, Severity.WARNING).fingerprint("demo"): name for name in KINDS}


class Killed(BaseException):
    """The function was stopped: nothing of ours may catch it."""


@dataclass(frozen=True)
class Trouble:
    """What happens to a visit at its nth call: killed or refused, before the call has its effect or after it."""

    at: int
    how: str
    after: bool


@dataclass(frozen=True)
class Visit:
    """One visit; *complete* is false where it could not read everything; *repairs* where it mends what it can."""

    complete: bool = True
    trouble: Trouble | None = None
    repairs: bool = False


@dataclass(frozen=True)
class Together:
    """Two visits at once. *turns* says whose next call it is; what is left runs to its end, the first one first."""

    first: Visit
    second: Visit
    turns: tuple[bool, ...]


@dataclass(frozen=True)
class World:
    """What is wrong from now on, and how bad."""

    wrong: tuple[tuple[str, Severity], ...]


@dataclass(frozen=True)
class Wait:
    seconds: int


@dataclass(frozen=True)
class Jump:
    """The clock is set."""

    seconds: int


@dataclass(frozen=True)
class Loss:
    """The table is lost."""


@dataclass(frozen=True)
class Said:
    """One finding in one message."""

    at: datetime
    name: str
    occasion: Occasion
    severity: Severity


Event = Visit | Together | World | Wait | Jump | Loss


@dataclass
class History:
    """The table, the topic and the clock, and everything that was said."""

    memory: FakeMemory = field(default_factory=FakeMemory)
    now: datetime = factories.NOW
    wrong: dict[str, Severity] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    messages: list[Alert] = field(default_factory=list)
    repaired: list[tuple[str, int]] = field(default_factory=list)
    """What was mended before people knew of it, and how much had been said of it by then."""
    excuses: int = 0

    def play(self, event: Event) -> None:
        match event:
            case Visit():
                self._run([event], ())
            case Together(first, second, turns):
                self._run([first, second], turns)
            case World(wrong):
                self.wrong = dict(wrong)
            case Wait(seconds):
                self.now += timedelta(seconds=seconds)
            case Jump(seconds):
                self.now += timedelta(seconds=seconds)
                self.excuses += 1
            case Loss():
                self.memory.findings.clear()
                self.excuses += 1

    def calm_down(self) -> None:
        """Healthy visits for as long as anything may wait."""
        for seconds in (150, 70, 700, 15_000, 700, 70):
            self.play(Wait(seconds))
            self.play(Visit())

    def repair(self, name: str) -> None:
        """What a visit does, between what it remembers and what it tells."""
        severity = self.wrong.pop(name, None)
        said = self.about(name)
        known = bool(said) and said[-1].occasion is not Occasion.RESOLVED
        if severity not in (None, Severity.INFO) and not known:
            self.repaired.append((name, len(said)))

    def about(self, name: str) -> list[Said]:
        return [one for one in self.said if one.name == name]

    def _run(self, visits: list[Visit], turns: tuple[bool, ...]) -> None:
        self.excuses += sum(visit.trouble is not None for visit in visits)
        if len(visits) == 1:
            _Actor(self, visits[0], alone=True)
            return
        actors = [_Actor(self, visit) for visit in visits]
        for turn in turns:
            actors[turn].step()
        for actor in actors:
            while not actor.ended:
                actor.step()
            if actor.surprise is not None:
                raise actor.surprise


class _Actor:
    """One visit: alone at once, or in a thread that moves on only when told to, from one call of a port to the next."""

    def __init__(self, history: History, visit: Visit, *, alone: bool = False) -> None:
        self._history, self._visit, self._calls, self._alone = history, visit, 0, alone
        self._over = threading.Event()
        self.surprise: BaseException | None = None
        if alone:
            self._visit_now()
            return
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return self._over.is_set()

    def step(self) -> None:
        if not self._over.is_set():
            self._go.release()
            self._back.acquire()
            if self._over.is_set():
                self._thread.join()

    def _live(self) -> None:
        self._go.acquire()
        try:
            self._visit_now()
        except BaseException as error:  # noqa: BLE001 - it belongs to the test, not to the thread
            self.surprise = error
        self._over.set()
        self._back.release()

    def _visit_now(self) -> None:
        history = self._history
        with suppress(AdapterError, Killed):
            stored = self._call(lambda: history.memory.fetch_findings("demo"))
            wrong = dict(history.wrong) if self._visit.complete else {}
            mends = [name for name in wrong if self._visit.repairs and name in REPAIRABLE]
            findings = [
                finding(name, severity, repair=f"mend {name}" if name in mends else "")
                for name, severity in wrong.items()
            ]
            if self._visit.repairs:
                stored = foretell(
                    "demo",
                    findings,
                    stored,
                    now=history.now,
                    memory=cast(Memory, self),
                    timing=TIMING,
                )
            for name in mends:
                self._call(partial(history.repair, name))
            tell(
                Place("demo"),
                findings,
                stored,
                complete=self._visit.complete,
                done=frozenset(f"mend {name}" for name in mends),
                run_id="demo.1",
                now=history.now,
                memory=cast(Memory, self),
                alerts=cast(Alerts, self),
                timing=TIMING,
            )

    def _call(self, effect: Callable[[], Any]) -> Any:
        trouble = self._visit.trouble if self._visit.trouble and self._visit.trouble.at == self._calls else None
        self._calls += 1
        if self._calls > 1 and not self._alone:
            self._back.release()
            self._go.acquire()
        if trouble and not trouble.after:
            self._fail(trouble)
        result = effect()
        if trouble:
            self._fail(trouble)
        return result

    @staticmethod
    def _fail(trouble: Trouble) -> None:
        raise Killed if trouble.how == "killed" else Unreachable("test", "call", "503")

    # The ports

    def store_finding(self, record: Any) -> bool:
        return bool(self._call(lambda: self._history.memory.store_finding(record)))

    def drop_finding(self, record: Any) -> bool:
        return bool(self._call(lambda: self._history.memory.drop_finding(record)))

    def publish(self, alert: Alert) -> None:
        self._call(lambda: self._heard(alert))

    def _heard(self, alert: Alert) -> None:
        self._history.messages.append(alert)
        self._history.said += [
            Said(self._history.now, FINGERPRINTS[one.fingerprint], one.occasion, Severity(one.document["severity"]))
            for one in alert.told
        ]


TROUBLES = st.builds(Trouble, at=st.integers(0, 12), how=st.sampled_from(["killed", "refused"]), after=st.booleans())
SEVERITIES = st.sampled_from([Severity.CRITICAL, Severity.WARNING, Severity.WARNING, Severity.INFO])
WORLDS = st.builds(World, st.dictionaries(st.sampled_from(sorted(KINDS)), SEVERITIES).map(lambda d: tuple(d.items())))
WAITS = st.builds(Wait, st.sampled_from([1, 20, 61, 61, 90, 300, 700, 3_700, 30_000, 90_000]))
HEALTHY = st.builds(Visit, complete=st.sampled_from([True, True, True, False]), repairs=st.booleans())
UNLUCKY = st.builds(Visit, complete=st.booleans(), trouble=TROUBLES, repairs=st.booleans())
TURNS = st.lists(st.tuples(st.booleans(), st.integers(1, 6)), max_size=5).map(
    lambda bursts: tuple(who for who, calls in bursts for _ in range(calls))
)


def histories(*kinds: st.SearchStrategy[Event], most: int = 30) -> st.SearchStrategy[list[Event]]:
    """Lists of events: the world changes, time passes, visits come, and whatever else is asked for."""
    return st.lists(st.one_of(WORLDS, WAITS, HEALTHY, HEALTHY, *kinds), max_size=most)


def at_once(visits: st.SearchStrategy[Visit]) -> st.SearchStrategy[Event]:
    return st.builds(Together, visits, visits, TURNS)


JUMPS = st.builds(Jump, st.sampled_from([-100_000_000, -90_000, -400, -30, 30, 400, 90_000, 100_000_000]))
LOSSES = st.builds(Loss)
