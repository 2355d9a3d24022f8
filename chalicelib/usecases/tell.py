"""Tell: findings become messages to people. `domain.telling.life` decides what is due; here it is remembered and sent.

The order keeps people from hearing nothing, and from hearing twice: that a message is due is stored before it is sent
(a claim, conditional on what was read: of two visits only one gets it), and that it was told after. A visit killed in
between repeats a message; a claim whose visit never came back ends by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.findings import Finding
from chalicelib.domain.quiet import Quiet
from chalicelib.domain.records import SEEN, FindingRecord
from chalicelib.domain.telling.life import (
    Step,
    Timing,
    claim,
    gather,
    quiet_now,
    says_the_same,
    step_missed,
    step_seen,
    told,
)
from chalicelib.domain.telling.messages import Alert, Occasion, Place, Told, render_alert
from chalicelib.usecases.ports import Alerts, Memory

__all__ = ["Bulletin", "Timing", "foretell", "tell"]


@dataclass(frozen=True, slots=True)
class Bulletin:
    """What was told and what waits.

    Attributes:
        sent: Subjects of the messages.
        open_findings: How many findings this visit has.
        unsettled: How many wait for a later visit to be told, or for their end to be.
        quiet: Why findings are held back, by fingerprint.
    """

    sent: tuple[str, ...] = ()
    open_findings: int = 0
    unsettled: int = 0
    quiet: Mapping[str, Quiet] | None = None


def tell(
    place: Place,
    findings: Iterable[Finding],
    remembered: Iterable[FindingRecord],
    *,
    complete: bool,
    done: frozenset[str],
    run_id: str,
    now: datetime,
    memory: Memory,
    alerts: Alerts,
    timing: Timing,
    quiet: Mapping[str, Quiet] | None = None,
    notes: Iterable[Finding] = (),
) -> Bulletin:
    """Compare this visit's findings with the remembered ones, send what is due, remember what was sent.

    Args:
        place: Which cluster, and what messages say of where it is.
        remembered: All records of the cluster, as they were when the visit began.
        complete: Every section was read; only then may an absent finding count as resolved.
        done: Summaries of the actions that were applied, so that a message can say "repaired".
        quiet: Why findings are not to be told, by fingerprint.
        notes: What is remembered with the findings, written only where it says something new.

    Raises:
        AdapterError: A message could not be sent or remembered; the rest was tried all the same.
    """
    quiet, cluster = quiet or {}, place.cluster
    current = {finding.fingerprint(cluster): finding for finding in findings}
    stored = {record.fingerprint: record for record in remembered}
    steps = [
        step_seen(
            stored.get(fingerprint),
            finding,
            cluster,
            now,
            timing,
            repaired=bool(finding.repaired_by) and finding.repaired_by in done,
            quiet=quiet.get(fingerprint),
        )
        for fingerprint, finding in sorted(current.items())
    ]
    noted = {note.fingerprint(cluster): note for note in notes}
    steps += [
        step_seen(stored.get(fingerprint), note, cluster, now, timing)
        for fingerprint, note in sorted(noted.items())
        if not says_the_same(stored.get(fingerprint), note)
    ]
    if complete:
        present = {*current, *noted}
        gone = (record for fingerprint, record in sorted(stored.items()) if fingerprint not in present)
        steps += [step_missed(record, now, timing) for record in gone]
    steps = list(gather(steps, now))
    telling = _Telling(place, done=done, run_id=run_id, now=now, memory=memory, alerts=alerts, quiet=quiet)
    telling.remember(step for step in steps if step.occasion is None and not step.leave)
    telling.send(step for step in steps if step.occasion is not None)
    if telling.failure is not None:
        raise telling.failure
    waiting = sum(step.waits for step in steps) + telling.left_to_others
    return Bulletin(tuple(telling.sent), len(current), waiting, quiet_now(steps, quiet))


def foretell(
    cluster: str,
    findings: Iterable[Finding],
    remembered: Iterable[FindingRecord],
    *,
    now: datetime,
    memory: Memory,
    timing: Timing,
    quiet: Mapping[str, Quiet] | None = None,
) -> tuple[FindingRecord, ...]:
    """Before acting: claim what the plan repairs and people must hear of.

    A visit that is killed after its repair and before its message would otherwise leave nothing to tell of. Like any
    claim this one keeps other visits from telling, until it ends by itself.

    Returns:
        The records as they are stored now, for `tell`, to which these claims are its own. What can't be stored now is
        left to it too: a table that does not answer must not keep repairs waiting.
    """
    stored = {record.fingerprint: record for record in remembered}
    for finding in findings:
        fingerprint = finding.fingerprint(cluster)
        if not finding.repaired_by:
            continue
        held_back = (quiet or {}).get(fingerprint)
        step = step_seen(stored.get(fingerprint), finding, cluster, now, timing, quiet=held_back)
        if step.record.state != SEEN or step.occasion not in (Occasion.NEW, Occasion.BACK):
            continue
        record = claim(step.record, now)
        try:
            if memory.store_finding(record):
                stored[fingerprint] = replace(record, version=record.version + 1, claimed_at=None)
        except AdapterError:
            break
    return tuple(stored[fingerprint] for fingerprint in sorted(stored))


class _Telling:
    """What one visit stores and sends. All is tried; the first failure is kept."""

    def __init__(
        self,
        place: Place,
        *,
        done: frozenset[str],
        run_id: str,
        now: datetime,
        memory: Memory,
        alerts: Alerts,
        quiet: Mapping[str, Quiet],
    ) -> None:
        self._place, self._done, self._run_id, self._now = place, done, run_id, now
        self._memory, self._alerts, self._quiet = memory, alerts, quiet
        self.sent: list[str] = []
        self.left_to_others = 0
        self.failure: AdapterError | None = None

    def remember(self, steps: Iterable[Step]) -> None:
        """Store what nobody is told of. Where another visit was first, it has seen the same."""
        for step in steps:
            try:
                if step.forget:
                    self._memory.drop_finding(step.record)
                else:
                    self._memory.store_finding(step.record)
            except AdapterError as error:
                self.failure = self.failure or error

    def send(self, steps: Iterable[Step]) -> None:
        """One message a cause and occasion; one for all reminders."""
        groups: dict[tuple[str, str], list[Step]] = {}
        for step in steps:
            groups.setdefault(_message_of(step), []).append(step)
        for _, members in sorted(groups.items(), key=lambda entry: entry[0]):
            try:
                self._send_one(members)
            except AdapterError as error:
                self.failure = self.failure or error

    def _send_one(self, members: list[Step]) -> None:
        claimed: list[Step] = []
        try:
            for member in members:
                claimed += self._claimed(member)
            if not claimed:
                return
            alert = self._alert(claimed)
            self._alerts.publish(alert)
        except AdapterError:
            self._give_up(claimed)
            raise
        self.sent.append(alert.subject)
        for step in claimed:
            if step.occasion is not None:
                self._memory.store_finding(told(step.record, step.occasion, self._now))

    def _claimed(self, step: Step) -> list[Step]:
        """The step with its record as stored now; nothing where another visit tells, or has told."""
        record = claim(step.record, self._now)
        if not self._memory.store_finding(record):
            self.left_to_others += 1
            return []
        return [replace(step, record=replace(record, version=record.version + 1))]

    def _alert(self, steps: list[Step]) -> Alert:
        items = tuple(self._told(step.record, step.occasion) for step in steps if step.occasion is not None)
        return render_alert(self._place, items, done=self._done, run_id=self._run_id, now=self._now)

    def _told(self, record: FindingRecord, occasion: Occasion) -> Told:
        return Told(
            record.document,
            record.fingerprint,
            record.first_seen,
            occasion,
            tries=record.tries,
            tried_at=record.tried_at,
            returns=record.returns,
            heard=bool(record.told),
            told_as=record.told_as,
            repair=record.repair,
            quiet=self._quiet.get(record.fingerprint),
        )

    def _give_up(self, claimed: list[Step]) -> None:
        """Let the next visit tell at once. Where even that fails, the claim ends by itself."""
        for step in claimed:
            try:
                self._memory.store_finding(replace(step.record, claimed_at=None))
            except AdapterError:
                return


def _message_of(step: Step) -> tuple[str, str]:
    """What is one message: the sort key puts what is new first, reminders last."""
    match step.occasion:
        case Occasion.RESOLVED:
            return ("2 over", step.group)
        case Occasion.REMINDER:
            return ("3 still open", "")
        case _:
            return ("1 open", step.group)
