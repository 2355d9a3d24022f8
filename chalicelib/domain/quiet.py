"""Quiet: why people are not told of a finding now, although they would be otherwise.

A silence is set by a person for one finding; a maintenance window stands in the fleet file and covers kinds of
findings. Both hold messages back and nothing else: what can be repaired is repaired, a finding that grows worse than
what was silenced is told all the same, the end of what people know of is told, and what is still open when they end is
told then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from chalicelib.domain.findings import Finding, Kind, Severity


@dataclass(frozen=True, slots=True)
class Quiet:
    """Why nothing is said of one finding.

    Attributes:
        reason: "silence" or "maintenance".
        until: When it ends, UTC.
        who: Who set the silence; empty for a maintenance window.
        severity: The worst severity that it covers: what gets worse than that is told all the same.
    """

    reason: str
    until: datetime
    who: str
    why: str
    severity: Severity = Severity.CRITICAL

    def covers(self, severity: Severity) -> bool:
        """Whether a finding of this severity is held back."""
        order = list(Severity)
        return order.index(severity) >= order.index(self.severity)


@dataclass(frozen=True, slots=True)
class Silence:
    """What a person said about one finding: that they know, and want to hear nothing of it for a while. Times in UTC.

    Attributes:
        who: AWS identity (ARN) of who set it.
        severity: How bad the finding was then.
        ended_by: Who ended it before its time; empty otherwise.
    """

    cluster: str
    fingerprint: str
    made_at: datetime
    until: datetime
    who: str
    why: str
    severity: Severity
    ended_by: str = ""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Planned work: a window, once or every week, in which findings of some kinds are not told.

    Attributes:
        starts, ends: Wall-clock times in `zone`: both dates with times (once), or both times of day (weekly).
        days: Weekdays on which a weekly window begins, Monday is 0; empty for one that comes once. A weekly window
            whose end is not later than its start ends on the next day.
        kinds: What is held back; empty for every kind.
        severities: How bad it may be; empty for every severity.
    """

    why: str
    zone: tzinfo
    starts: datetime | time
    ends: datetime | time
    days: frozenset[int] = frozenset()
    kinds: frozenset[Kind] = frozenset()
    severities: frozenset[Severity] = frozenset()

    def until(self, now: datetime) -> datetime | None:
        """When the window ends, UTC, that *now* lies in; None outside of it."""
        return next((end for begin, end in self._spans(now) if begin <= now < end), None)

    def covers(self, kind: Kind, severity: Severity) -> bool:
        """Whether such a finding is held back while the window lasts."""
        return (not self.kinds or kind in self.kinds) and (not self.severities or severity in self.severities)

    def _spans(self, now: datetime) -> Iterable[tuple[datetime, datetime]]:
        """The window, or those that began today or yesterday. In UTC: wall clocks repeat an hour once a year."""
        if isinstance(self.starts, datetime) and isinstance(self.ends, datetime):
            yield self._utc(self.starts), self._utc(self.ends)
        elif not isinstance(self.starts, datetime) and not isinstance(self.ends, datetime):
            today = now.astimezone(self.zone).date()
            for day in (today - timedelta(days=1), today):
                if day.weekday() in self.days:
                    last = day + timedelta(days=1) if self.ends <= self.starts else day
                    yield self._utc(datetime.combine(day, self.starts)), self._utc(datetime.combine(last, self.ends))

    def _utc(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self.zone).astimezone(UTC)


def quiet_of(
    cluster: str,
    findings: Iterable[Finding],
    silences: Iterable[Silence],
    maintenance: Iterable[Maintenance],
    now: datetime,
) -> dict[str, Quiet]:
    """Why findings are not told now, by fingerprint. A silence names a person, so it comes before a window.

    A silence for which a finding has become too bad is among them: the message says so (`Quiet.covers`).
    """
    silence_of = {silence.fingerprint: silence for silence in silences if silence.until > now}
    open_windows = [(window, until) for window in maintenance if (until := window.until(now)) is not None]
    found: dict[str, Quiet] = {}
    for finding in findings:
        fingerprint = finding.fingerprint(cluster)
        window = next((w for w in open_windows if w[0].covers(finding.kind, finding.severity)), None)
        if window is not None:
            found[fingerprint] = Quiet("maintenance", window[1], "", window[0].why)
        if (silence := silence_of.get(fingerprint)) is not None:
            by_silence = Quiet("silence", silence.until, silence.who, silence.why, silence.severity)
            if window is None or by_silence.covers(finding.severity):
                found[fingerprint] = by_silence
    return found
