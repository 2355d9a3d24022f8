"""egress-keeper at work on a virtual cluster: visits by schedule, after events, and those that visits themselves order.

Belongs here: when visits are made, on virtual time, with the deployed delays. Does not belong here: the queues that do
this on AWS (`sandbox.plumbing` has the real ones), what a visit does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from chalicelib.domain.approving import Approval
from chalicelib.domain.spec import ClusterSpec
from chalicelib.usecases.tell import Timing
from chalicelib.usecases.visit import Outcome, Outside, Pace, visit
from sandbox.virtual.fakes import FakeAlerts, FakeMemory
from sandbox.virtual.rosa import VirtualRosa

PACE = Pace(Timing(settle=timedelta(seconds=60), reminder=timedelta(days=1)), revisit=timedelta(seconds=20))
"""The deployed defaults."""

SCHEDULE_SECONDS = 60.0
WINDOW_SECONDS = 30.0
"""Between a change of an instance's state and the visit that it leads to."""


class Killed(BaseException):
    """A visit's function ended in the middle: no `except` of ours sees it."""


@dataclass
class Keeper:
    """Visits one virtual cluster, and keeps what they remember and tell."""

    rosa: VirtualRosa
    desired: ClusterSpec
    pace: Pace = PACE
    memory: FakeMemory = field(default_factory=FakeMemory)
    alerts: FakeAlerts = field(default_factory=FakeAlerts)
    outcomes: list[tuple[float, Outcome]] = field(default_factory=list)
    _heard: int = 0

    def visit(self, *, attempt: int = 0, approved: str | None = None) -> Outcome:
        """One visit now."""
        rosa = self.rosa
        outside = Outside(rosa.cluster, rosa.ec2, rosa.clock, memory=self.memory, alerts=self.alerts)
        run_id = f"{self.desired.name}.{len(self.outcomes) + 1}"
        approval = Approval(approved, rosa.clock()) if approved else None
        outcome = visit(self.desired, outside, self.pace, run_id=run_id, attempt=attempt, approval=approval)
        self.outcomes.append((rosa.now, outcome))
        return outcome

    def visit_killed_before(self, write: int) -> bool:
        """One visit that ends just before its write of that number, from 0; True if it came so far."""
        made = 0

        def kill(_operation: str) -> None:
            nonlocal made
            if made == write:
                raise Killed
            made += 1

        self.rosa.before_write = kill
        try:
            self.visit()
        except Killed:
            return True
        finally:
            self.rosa.before_write = None
        return False

    def run(self, until: float, *, every: float = SCHEDULE_SECONDS) -> None:
        """Let time pass with visits as deployed: each minute, after changes of instances, and when a visit asks."""
        scheduled = self.rosa.now + every
        revisit: tuple[float, int] | None = None
        while True:
            self._run_until_event(min(until, scheduled, revisit[0] if revisit else until))
            if self.rosa.now >= until:
                return
            attempt = 0
            if revisit is not None and revisit[0] <= self.rosa.now:
                attempt, revisit = revisit[1], None
            if scheduled <= self.rosa.now:
                scheduled += every
            outcome = self.visit(attempt=attempt)
            if outcome.revisit_in is not None:
                asked = (self.rosa.now + outcome.revisit_in.total_seconds(), attempt + 1)
                revisit = min(revisit, asked) if revisit is not None else asked

    def _run_until_event(self, until: float) -> None:
        """Run on, and stop earlier, one window after the state of an instance changed."""
        while self.rosa.now < until:
            told = self.rosa.told.instances
            if self._heard < len(told):
                until = min(until, max(self.rosa.now, told[self._heard][0] + WINDOW_SECONDS))
                self._heard = len(told)
            self.rosa.run(min(until, self.rosa.now + WINDOW_SECONDS))

    def wishes(self, desired: ClusterSpec) -> None:
        """The fleet file changes."""
        self.desired = desired

    def fork(self, rosa: VirtualRosa) -> Keeper:
        """The same keeper, memory and all, at work on another cluster from here on."""
        memory, alerts = FakeMemory(), FakeAlerts(list(self.alerts.sent))
        memory.findings, memory.approved = dict(self.memory.findings), dict(self.memory.approved)
        return replace(self, rosa=rosa, memory=memory, alerts=alerts, outcomes=[], _heard=0)
