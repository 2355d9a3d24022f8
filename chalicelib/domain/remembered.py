"""What earlier visits remember, as far as planning needs it: since when something is wrong, and what was tried.

Belongs here: the values, and when a finding has settled. Does not belong here: the table (`adapters.memory`), how
findings live (`usecases.tell`). Planning takes it as an argument, so that it stays a function of its inputs; without a
memory nothing has settled, and no remedy is planned that a healthy transition would make unnecessary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.domain.records import FindingRecord

SETTLE = timedelta(seconds=60)
"""Two reads at least this far apart must agree before anything is done about what healthy clusters pass through."""


@dataclass(frozen=True, slots=True)
class Memo:
    """What is remembered of one finding.

    Attributes:
        first_seen: Since when visits have seen it without a gap.
        tries: How many times the action that repairs it has been applied, while it came and went within a day.
        tried_at: The last of these times.
        open: The last complete visit saw it. What is remembered beyond that are the tries.
        severity, evidence: As it was last seen.
        told: How bad people know it to be; empty where they know of nothing.
    """

    first_seen: datetime
    last_seen: datetime
    tries: int = 0
    tried_at: datetime | None = None
    open: bool = True
    severity: str = ""
    evidence: tuple[str, ...] = ()
    told: str = ""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Memos of the findings of one cluster, by fingerprint (`Finding.fingerprint`).

    Attributes:
        vouched: A person says that what is wrong has been so for longer than a healthy transition takes.
    """

    memos: Mapping[str, Memo] = field(default_factory=dict)
    settle: timedelta = SETTLE
    vouched: bool = False

    def memo(self, fingerprint: str) -> Memo | None:
        """What is remembered of the finding; None where no earlier visit saw it."""
        return self.memos.get(fingerprint)

    def open_for(self, fingerprint: str, now: datetime) -> timedelta | None:
        """How long visits have seen the finding without a gap; None where the last complete one did not."""
        memo = self.memos.get(fingerprint)
        return now - memo.first_seen if memo is not None and memo.open else None

    def settled(self, fingerprint: str, now: datetime) -> bool:
        """Whether a visit saw the finding at least `settle` before *now*, and it has been open since."""
        seen_for = self.open_for(fingerprint, now)
        return self.vouched or (seen_for is not None and seen_for >= self.settle)


NOTHING_REMEMBERED = Remembered()


def remembered(records: Iterable[FindingRecord], settle: timedelta = SETTLE) -> Remembered:
    """The memos of stored findings."""
    return Remembered({record.fingerprint: _memo(record) for record in records}, settle=settle)


def _memo(record: FindingRecord) -> Memo:
    since = record.open_since
    return Memo(
        since or record.first_seen,
        record.last_seen,
        record.tries,
        record.tried_at,
        open=since is not None,
        severity=str(record.document.get("severity", "")),
        evidence=tuple(str(line) for line in record.document.get("evidence") or ()),
        told=record.told,
    )
