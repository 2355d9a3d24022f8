"""Silences and maintenance windows: when they last, what they cover, and what breaks them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.quiet import Maintenance, Quiet, Silence, quiet_of
from tests import factories as make

BERLIN = ZoneInfo("Europe/Berlin")
SATURDAYS = Maintenance("nodes are replaced", BERLIN, time(22), time(4), days=frozenset({5}))
ONCE = Maintenance("zone test", BERLIN, datetime(2026, 3, 7, 9), datetime(2026, 3, 7, 11, 30))  # noqa: DTZ001
FINDING = Finding(Kind.NODE_UNUSABLE, "node a", Severity.WARNING, "Node a is unusable.")
PRINT = FINDING.fingerprint("demo")
SILENCE = Silence("demo", PRINT, make.NOW, make.NOW + timedelta(hours=2), "arn:ann", "known", Severity.WARNING)


def utc(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "now", "until"),
    [
        pytest.param(SATURDAYS, utc(7, 20, 59), None, id="before"),
        pytest.param(SATURDAYS, utc(7, 21), utc(8, 3), id="from the first minute on"),
        pytest.param(SATURDAYS, utc(8, 2, 59), utc(8, 3), id="over midnight"),
        pytest.param(SATURDAYS, utc(8, 3), None, id="not its last minute"),
        pytest.param(SATURDAYS, utc(8, 22), None, id="not on Sunday"),
        pytest.param(SATURDAYS, utc(28, 22), utc(29, 2), id="the night that summer time begins"),
        pytest.param(SATURDAYS, utc(24, 21, month=10), utc(25, 3, month=10), id="the night that it ends"),
        pytest.param(ONCE, utc(7, 8), utc(7, 10, 30), id="once"),
        pytest.param(ONCE, utc(7, 10, 30), None, id="once, over"),
        pytest.param(ONCE, utc(14, 8), None, id="not a week later"),
    ],
)
def test_when_a_window_lasts(window: Maintenance, now: datetime, until: datetime | None) -> None:
    """Wall-clock times of its own zone, whatever summer time does."""
    assert window.until(now) == until


def test_what_a_window_covers() -> None:
    """Its kinds and its severities, each all of them where none is listed."""
    now = utc(7, 8)
    kinds = replace(ONCE, kinds=frozenset({Kind.NODE_UNUSABLE}))
    others = replace(ONCE, kinds=frozenset({Kind.POOL_SHORT}))
    mild = replace(ONCE, severities=frozenset({Severity.WARNING}))
    grave = replace(ONCE, severities=frozenset({Severity.CRITICAL}))
    held = [bool(quiet_of("demo", [FINDING], (), [window], now)) for window in (ONCE, kinds, others, mild, grave)]
    assert held == [True, True, False, True, False]
    assert quiet_of("demo", [FINDING], (), [ONCE], now)[PRINT] == Quiet("maintenance", utc(7, 10, 30), "", "zone test")


def test_a_silence_covers_its_finding_until_it_ends() -> None:
    """One finding, and no other; not for a moment longer."""
    other = replace(FINDING, subject="node b")
    found = quiet_of("demo", [FINDING, other], [SILENCE], (), make.NOW)
    assert found == {PRINT: Quiet("silence", SILENCE.until, "arn:ann", "known", Severity.WARNING)}
    assert quiet_of("demo", [FINDING], [SILENCE], (), SILENCE.until) == {}


def test_what_gets_worse_breaks_the_silence() -> None:
    """Somebody agreed to a warning, not to whatever it becomes; the message can name them."""
    worse = replace(FINDING, severity=Severity.CRITICAL)
    (quiet,) = quiet_of("demo", [worse], [SILENCE], (), make.NOW).values()
    assert not quiet.covers(worse.severity)
    assert quiet.covers(Severity.WARNING)


def test_a_window_covers_what_broke_a_silence() -> None:
    """Planned work explains what a person could not foresee."""
    always = Maintenance("work", UTC, time(0), time(0), days=frozenset(range(7)))
    worse = replace(FINDING, severity=Severity.CRITICAL)
    (quiet,) = quiet_of("demo", [worse], [SILENCE], [always], make.NOW).values()
    assert quiet.reason == "maintenance"
