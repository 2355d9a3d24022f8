"""Tell: findings become messages to people, once when they settle, once a day while they last, once when they end.

A finding that healthy clusters pass through (a node joining, an address moving) counts only when two visits, a while
apart, agree. Findings of one cause are one message. A visit that could not read everything resolves nothing: what it
did not see may still be so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.findings import Finding, Severity
from chalicelib.domain.messages import Occasion, Told, render_alert
from chalicelib.domain.plan import plain
from chalicelib.domain.records import FindingRecord
from chalicelib.usecases.ports import Alerts, Memory

SEEN, DUE, ALERTED = "seen", "due", "alerted"
"""Not settled yet; people must hear of it; people have heard. DUE outlives a message that could not be sent."""


@dataclass(frozen=True, slots=True)
class Bulletin:
    """What was told and what waits: numbers of messages sent, findings open, and those not settled yet."""

    sent: tuple[str, ...] = ()
    open_findings: int = 0
    unsettled: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """When a finding counts, and how often an open one is told again."""

    settle: timedelta
    reminder: timedelta


@dataclass(frozen=True, slots=True)
class _Item:
    """One finding on its way into a message."""

    record: FindingRecord
    finding: Finding | None
    occasion: Occasion


def tell(
    cluster: str,
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
) -> Bulletin:
    """Compare this visit's findings with the remembered ones, send what is due, remember what was sent.

    Args:
        remembered: All records of the cluster, as they were when the visit began.
        complete: Every section was read; only then may an absent finding count as resolved.
        done: Summaries of the actions that were applied, so that a message can say "repaired".

    Raises:
        AdapterError: A message could not be sent or remembered; the rest was tried all the same.
    """
    current = {finding.fingerprint(cluster): finding for finding in findings}
    stored = {record.fingerprint: record for record in remembered}
    due: list[_Item] = []
    unsettled = 0
    for fingerprint, finding in sorted(current.items()):
        record = _seen(stored.get(fingerprint), fingerprint, cluster, finding, now)
        if finding.repaired_by in done:
            record = replace(record, tries=record.tries + 1, tried_at=now)
        occasion = _occasion(stored.get(fingerprint), record, finding, now, timing)
        if occasion is None:
            memory.store_finding(record)
            unsettled += record.state == SEEN and finding.severity is not Severity.INFO
        else:
            due.append(_Item(record, finding, occasion))
    for fingerprint, record in sorted(stored.items()):
        if complete and fingerprint not in current:
            if record.state == SEEN:
                memory.drop_finding(record)
            else:
                due.append(_Item(record, None, Occasion.RESOLVED))
    sent = _send(cluster, due, done=done, run_id=run_id, now=now, memory=memory, alerts=alerts)
    return Bulletin(sent, len(current), unsettled)


def _announced(item: _Item, memory: Memory) -> _Item:
    """Remember that people must hear of it, should the message fail."""
    if item.record.state != SEEN:
        return item
    record = replace(item.record, state=DUE)
    memory.store_finding(record)
    return replace(item, record=replace(record, version=record.version + 1))


def _seen(
    before: FindingRecord | None, fingerprint: str, cluster: str, finding: Finding, now: datetime
) -> FindingRecord:
    document = {**plain(finding), "group": finding.group}
    if before is None:
        return FindingRecord(fingerprint, cluster, SEEN, now, now, None, document)
    return replace(before, last_seen=now, document=document)


def _occasion(
    before: FindingRecord | None, record: FindingRecord, finding: Finding, now: datetime, timing: Timing
) -> Occasion | None:
    """Why people must hear of it now, or None."""
    if finding.severity is Severity.INFO:
        return None
    if record.state == DUE:
        return Occasion.NEW
    if record.state != ALERTED:
        settled = not finding.settles or (before is not None and now - record.first_seen >= timing.settle)
        return Occasion.NEW if settled else None
    if before is not None and _rank(finding.severity) < _rank(Severity(before.document["severity"])):
        return Occasion.WORSE
    if record.alerted_at is None or now - record.alerted_at >= timing.reminder:
        return Occasion.REMINDER
    return None


def _rank(severity: Severity) -> int:
    return list(Severity).index(severity)


def _send(
    cluster: str,
    due: list[_Item],
    *,
    done: frozenset[str],
    run_id: str,
    now: datetime,
    memory: Memory,
    alerts: Alerts,
) -> tuple[str, ...]:
    """One message a cause and occasion. All are tried; the first failure is raised at the end.

    Remembered as due first, then sent, then remembered as told: a crash in between repeats a message and never loses
    one, not even of a finding that the same visit has repaired.
    """
    due = [_announced(item, memory) for item in due]
    groups: dict[tuple[str, str], list[_Item]] = {}
    for item in due:
        occasion = "resolved" if item.occasion is Occasion.RESOLVED else "open"
        groups.setdefault((occasion, str(item.record.document["group"])), []).append(item)
    sent: list[str] = []
    failure: AdapterError | None = None
    for _, items in sorted(groups.items(), key=lambda entry: entry[0]):
        told = tuple(
            Told(item.record.document, item.record.fingerprint, item.record.first_seen, item.occasion) for item in items
        )
        alert = render_alert(cluster, told, done=done, run_id=run_id, now=now)
        try:
            alerts.publish(alert)
        except AdapterError as error:
            failure = failure or error
            continue
        sent.append(alert.subject)
        for item in items:
            if item.occasion is Occasion.RESOLVED:
                memory.drop_finding(item.record)
            else:
                memory.store_finding(replace(item.record, state=ALERTED, alerted_at=now))
    if failure is not None:
        raise failure
    return tuple(sent)
