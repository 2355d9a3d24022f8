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


def test_without_memory_nothing_has_settled() -> None:
    """A lost table means waiting once more, never acting at once."""
    assert not NOTHING_REMEMBERED.settled("f", make.NOW + timedelta(days=1))
