"""The life of a finding: open → settled → told → worsened → over, one step a visit. Pure.

Belongs here: what one visit makes of one finding and what is remembered of it, and which findings of one cause wait for
each other. Does not belong here: storing and sending (`usecases.tell`), words (`messages`).

| the record says | the visit | and then |
| --- | --- | --- |
| nothing, or seen | sees it, not settled | seen |
| seen | sees it, settled | told as new (or as back again) |
| seen | misses it | forgotten; nobody ever heard of it |
| due: telling failed | sees it | told as new |
| due or alerted | misses it | told as over, once it has stayed away long enough |
| alerted | sees it, worse than people know | told as worse |
| alerted | sees it, a day after they last heard | told again |
| alerted, away | sees it again | nothing, but its end will have to last longer to count |
| resolved | sees it | seen, with its tries and its returns |
| resolved | misses it for a day | forgotten |

Times that lie in the future were written by a clock that ran ahead: they count as now, so that a clock that jumps
costs one message at most and never a recovery.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.domain.findings import SETTLES, Finding, Kind, Severity
from chalicelib.domain.plan import plain
from chalicelib.domain.quiet import Quiet
from chalicelib.domain.records import ALERTED, DUE, RESOLVED, SEEN, FindingRecord
from chalicelib.domain.telling.messages import Occasion

LEASE = timedelta(seconds=140)
"""How long a visit that set out to tell is trusted to do so: longer than a function may run (120 s), shorter than its
message stays hidden (150 s): the visit that follows a killed one tells at once.
"""

GATHER = timedelta(minutes=10)
"""Effects of a cause that people know of are told together this long after the last message of that cause."""

FREE_MESSAGES = 3
"""As many messages of one kind within `GATHER` are sent at once where no cause connects the findings."""

KEPT = timedelta(days=1)
"""What is over is remembered so long: if it comes back within it, it has come back, and its repairs have been tried."""

LONGEST_CALM = timedelta(hours=4)
"""A finding that keeps coming back must have stayed away this long, at most, before its end is told."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a finding counts, and how often an open one is told again."""

    settle: timedelta
    reminder: timedelta


@dataclass(frozen=True, slots=True)
class Step:
    """One finding after this visit.

    Attributes:
        record: What is to be remembered if nobody is told.
        occasion: Why people must hear of it now; None where they need not.
        present: This visit has seen it.
        forget: There is nothing to remember any more.
        waits: A later visit decides: it has not settled, or waits for others of its cause.
        leave: Another visit may be telling of it just now: what that one stores must find the record as it is.
    """

    record: FindingRecord
    occasion: Occasion | None = None
    present: bool = True
    forget: bool = False
    waits: bool = False
    leave: bool = False

    @property
    def severity(self) -> Severity:
        """How bad it is, or was."""
        return Severity(self.record.document["severity"])

    @property
    def group(self) -> str:
        """What it is told together with."""
        return str(self.record.document["group"])

    @property
    def has_cause(self) -> bool:
        """Whether a cause connects it with others, not only its kind."""
        return bool(self.record.document.get("cause"))


def step_seen(
    before: FindingRecord | None,
    finding: Finding,
    cluster: str,
    now: datetime,
    timing: Timing,
    *,
    repaired: bool = False,
    quiet: Quiet | None = None,
) -> Step:
    """What becomes of a finding that a visit has seen.

    Args:
        before: What was stored of it.
        repaired: The visit has applied the action that repairs it.
        quiet: Why it is not to be told, if so.
    """
    record = _present(before, finding, cluster, now)
    claimed = _claimed(record, now)
    if repaired:
        record = replace(record, tries=record.tries + 1, tried_at=now, repair=finding.repaired_by)
    if quiet is not None and quiet.covers(finding.severity):
        return Step(replace(record, hushed=True), leave=claimed)
    if finding.severity is Severity.INFO:
        return Step(record, leave=claimed)
    occasion = _occasion(record, finding, now, timing)
    if occasion is not None and claimed:
        return Step(record, waits=True, leave=True)
    return Step(record, occasion, waits=occasion is None and record.state == SEEN, leave=claimed)


def says_the_same(before: FindingRecord | None, note: Finding) -> bool:
    """Whether what is remembered of a note is what it says now: then nothing need be written."""
    present = before is not None and before.absent_since is None
    return before is not None and present and list(before.document.get("evidence", ())) == list(note.evidence)


def step_missed(before: FindingRecord, now: datetime, timing: Timing) -> Step:
    """What becomes of a remembered finding that a visit which saw everything has not seen."""
    record = _not_ahead(before, now)
    if record.absent_since is None:
        record = replace(record, absent_since=now)
    assert record.absent_since is not None  # noqa: S101 - set above
    if record.state == RESOLVED:
        return Step(record, present=False, forget=now - record.absent_since >= KEPT)
    if record.state == SEEN:
        if record.returns or record.tries:  # nobody knows of it, but what was tried must not be forgotten
            return Step(replace(record, state=RESOLVED), present=False)
        return Step(record, present=False, forget=True)
    claimed = _claimed(record, now)
    if claimed or now - record.absent_since < calm(record, timing):
        return Step(record, present=False, waits=True, leave=claimed)
    return Step(record, Occasion.RESOLVED, present=False)


def calm(record: FindingRecord, timing: Timing) -> timedelta:
    """How long a finding must have stayed away before its end counts: four times as long after each return."""
    if record.returns:
        return min(timing.settle * (1 << 2 * min(record.returns, 8)), LONGEST_CALM)
    return timing.settle if Kind(record.document["kind"]) in SETTLES else timedelta()


def gather(steps: Iterable[Step], now: datetime) -> tuple[Step, ...]:
    """The same steps, with findings of one cause told together.

    A message that goes out takes along whatever of its cause is due, and effects that have not settled yet and need no
    more patience than what it tells. What shows after it waits for `GATHER`, unless it is worse than what people know.
    So does an end, for the ends of the others. Once a day people are reminded of everything that is open, in one
    message.
    """
    steps = tuple(steps)
    by_group: dict[str, list[Step]] = {}
    for step in steps:
        by_group.setdefault(step.group, []).append(step)
    goes = {group: _what_goes(members, now) for group, members in by_group.items()}
    patience = {group: _patience(members) for group, members in by_group.items()}
    steps = tuple(_with_its_group(step, goes[step.group], patience[step.group]) for step in steps)
    reminding = any(step.occasion is Occasion.REMINDER and not step.record.hushed for step in steps)
    return tuple(_in_digest(step) for step in steps) if reminding else steps


def told(record: FindingRecord, occasion: Occasion, now: datetime) -> FindingRecord:
    """What is remembered once people have heard."""
    over = occasion is Occasion.RESOLVED
    same_words = occasion is Occasion.REMINDER and record.told_as
    return replace(
        record,
        state=RESOLVED if over else ALERTED,
        alerted_at=now,
        told="" if over else str(record.document["severity"]),
        told_as="" if over else (record.told_as if same_words else str(record.document["summary"])),
        claimed_at=None,
        hushed=False,
    )


def claim(record: FindingRecord, now: datetime) -> FindingRecord:
    """What is remembered before people hear: that they must, and that somebody is about to tell them."""
    return replace(record, state=DUE if record.state == SEEN else record.state, claimed_at=now)


def _present(before: FindingRecord | None, finding: Finding, cluster: str, now: datetime) -> FindingRecord:
    document = {**plain(finding), "group": finding.group}
    if before is None:
        return FindingRecord(finding.fingerprint(cluster), cluster, SEEN, now, now, None, document, present_since=now)
    record = replace(_not_ahead(before, now), last_seen=now, document=document)
    if record.absent_since is None:
        return record
    record = replace(record, present_since=now, absent_since=None, returns=record.returns + 1)
    return replace(record, state=SEEN, first_seen=now) if record.state == RESOLVED else record


def _not_ahead(record: FindingRecord, now: datetime) -> FindingRecord:
    """The record without times that have not come yet."""
    moments = {
        name: min(moment, now)
        for name in ("first_seen", "present_since", "absent_since", "alerted_at", "tried_at")
        if (moment := getattr(record, name)) is not None
    }
    return replace(record, **moments)


def _claimed(record: FindingRecord, now: datetime) -> bool:
    """Whether another visit may be telling just now. A time far ahead is a clock's error, a little ahead is skew."""
    return record.claimed_at is not None and abs(now - record.claimed_at) < LEASE


def _occasion(record: FindingRecord, finding: Finding, now: datetime, timing: Timing) -> Occasion | None:
    beginning = Occasion.BACK if record.returns else Occasion.NEW
    if record.state == DUE:
        return beginning
    if record.state == SEEN:
        since = record.present_since or record.first_seen
        patience = max(timing.settle, timedelta(seconds=finding.patience_seconds))
        settled = not finding.settles or now - since >= patience
        return beginning if settled else None
    if record.told and _rank(finding.severity) < _rank(Severity(record.told)):
        return Occasion.WORSE
    if record.hushed or record.alerted_at is None or now - record.alerted_at >= timing.reminder:
        return Occasion.REMINDER
    return None


_BEGINNINGS = (Occasion.NEW, Occasion.BACK)


def _what_goes(members: list[Step], now: datetime) -> frozenset[Occasion]:
    """Which messages of a group go out now: one about what is open, one about what is over."""
    opens = [step for step in members if step.occasion in (*_BEGINNINGS, Occasion.WORSE)]
    ends = [step for step in members if step.occasion is Occasion.RESOLVED]
    going = set()
    if any(step.occasion is Occasion.WORSE or not _can_wait(step, members, now) for step in opens):
        going |= {Occasion.NEW, Occasion.BACK}
    if any(not _ends_with_others(step, members, now) for step in ends):
        going.add(Occasion.RESOLVED)
    return frozenset(going)


def _patience(members: list[Step]) -> int:
    """How long what is due of a group had to be there first, in seconds: the longest."""
    due = (step for step in members if step.occasion in _BEGINNINGS)
    return max((int(step.record.document.get("patience_seconds", 0)) for step in due), default=0)


def _with_its_group(step: Step, goes: frozenset[Occasion], patience: int) -> Step:
    match step.occasion:
        case Occasion.NEW | Occasion.BACK | Occasion.RESOLVED if step.occasion not in goes:
            return replace(step, occasion=None, waits=True)
        case None if Occasion.NEW in goes and _unsettled_effect(step, patience):
            return replace(step, occasion=Occasion.BACK if step.record.returns else Occasion.NEW, waits=False)
    return step


def _in_digest(step: Step) -> Step:
    """The step, told again with the others if people know of it and nothing holds it back."""
    record = step.record
    known = step.present and record.state == ALERTED and not record.hushed and record.claimed_at is None
    if step.occasion is None and known and step.severity is not Severity.INFO:
        return replace(step, occasion=Occasion.REMINDER)
    return step


def _unsettled_effect(step: Step, patience: int) -> bool:
    """Whether a message of its cause may take it along; not what may heal by itself for longer than what it tells."""
    record = step.record
    fresh = record.state == SEEN and record.claimed_at is None
    soon = int(record.document.get("patience_seconds", 0)) <= patience
    return step.waits and step.present and step.has_cause and fresh and soon


def _can_wait(step: Step, members: list[Step], now: datetime) -> bool:
    """Whether the beginning of a finding can be told with the next message of its cause, soon.

    An effect can wait where its cause is known, but no cause for its effects: those may have been told as something
    else. A zone is lost in which two addresses had been failing already, and these are counted to it from then on.
    """
    known = [
        other.record
        for other in members
        if other.record.alerted_at is not None and other.record.told and _place(other) <= _place(step)
    ]
    worst = min((_rank(Severity(record.told)) for record in known), default=len(Severity))
    if _rank(step.severity) < worst:
        return False
    recent = {record.alerted_at for record in known if record.alerted_at and now - record.alerted_at < GATHER}
    return len(recent) >= (1 if step.has_cause else FREE_MESSAGES)


def _ends_with_others(step: Step, members: list[Step], now: datetime) -> bool:
    """Whether the end of an effect can be told with the others' end, soon."""
    away = now - (step.record.absent_since or now)
    lasting = any(other.record.state in (DUE, ALERTED) and other.occasion is not Occasion.RESOLVED for other in members)
    return step.has_cause and lasting and away < GATHER


def _place(step: Step) -> int:
    """Where its kind stands in the order of kinds: causes come before their effects."""
    return list(Kind).index(Kind(step.record.document["kind"]))


def _rank(severity: Severity) -> int:
    return list(Severity).index(severity)


def quiet_now(steps: Iterable[Step], quiet: Mapping[str, Quiet]) -> dict[str, Quiet]:
    """Which present findings are held back, and why."""
    return {
        step.record.fingerprint: quiet[step.record.fingerprint]
        for step in steps
        if step.present and (why := quiet.get(step.record.fingerprint)) is not None and why.covers(step.severity)
    }
