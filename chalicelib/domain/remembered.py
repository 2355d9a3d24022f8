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
        tries: How many times the action that repairs it has been applied while it was open.
        tried_at: The last of these times.
    """

    first_seen: datetime
    last_seen: datetime
    tries: int = 0
    tried_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Remembered:
    """Memos of the open findings of one cluster, by fingerprint (`Finding.fingerprint`)."""

    memos: Mapping[str, Memo] = field(default_factory=dict)
    settle: timedelta = SETTLE

    def memo(self, fingerprint: str) -> Memo | None:
        """What is remembered of the finding; None where no earlier visit saw it."""
        return self.memos.get(fingerprint)

    def settled(self, fingerprint: str, now: datetime) -> bool:
        """Whether a visit saw the finding at least `settle` before *now*, and it has been open since."""
        memo = self.memos.get(fingerprint)
        return memo is not None and now - memo.first_seen >= self.settle


NOTHING_REMEMBERED = Remembered()


def remembered(records: Iterable[FindingRecord], settle: timedelta = SETTLE) -> Remembered:
    """The memos of stored findings."""
    return Remembered(
        {r.fingerprint: Memo(r.first_seen, r.last_seen, r.tries, r.tried_at) for r in records}, settle=settle
    )
