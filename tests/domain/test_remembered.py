"""What earlier visits remember, as planning sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.records import FindingRecord
from chalicelib.domain.remembered import NOTHING_REMEMBERED, Memo, remembered
from tests import factories as make

LATER = make.NOW + timedelta(seconds=60)


def test_memos_are_found_by_fingerprint() -> None:
    """Planning learns since when a finding is open and what was tried, and nothing of who was told."""
    record = FindingRecord("f", "prod", "alerted", make.NOW, LATER, LATER, {}, version=3, tries=1, tried_at=LATER)
    memory = remembered([record])
    assert memory.memo("f") == Memo(make.NOW, LATER, 1, LATER)
    assert memory.memo("g") is None


@pytest.mark.parametrize(("seconds", "settled"), [(59, False), (60, True)])
def test_two_reads_a_minute_apart_settle(seconds: int, settled: bool) -> None:
    """One read is a moment; the second counts from the settle time on."""
    record = FindingRecord("f", "prod", "seen", make.NOW, make.NOW, None, {})
    assert remembered([record]).settled("f", make.NOW + timedelta(seconds=seconds)) is settled


def test_what_went_away_has_not_settled_and_its_tries_are_known() -> None:
    """Repairs of a finding that comes and goes stay bounded, and its next one waits until it has settled anew."""
    away = FindingRecord("f", "prod", "resolved", make.NOW, make.NOW, None, {}, tries=2, absent_since=LATER)
    memory = remembered([away])
    assert not memory.settled("f", LATER + timedelta(days=1))
    memo = memory.memo("f")
    assert memo is not None
    assert (memo.tries, memo.open) == (2, False)


def test_without_memory_nothing_has_settled() -> None:
    """A lost table means waiting once more, never acting at once."""
    assert not NOTHING_REMEMBERED.settled("f", make.NOW + timedelta(days=1))
