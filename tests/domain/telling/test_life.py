"""Findings of one cause: which of them a message takes along."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.telling.life import Step, Timing, gather, step_seen
from chalicelib.domain.telling.messages import Occasion
from tests import factories as make

TIMING = Timing(timedelta(seconds=60), timedelta(days=1))


def seen(kind: Kind, patience: int, *, minutes_ago: int) -> Step:
    """What becomes now of a finding that was first seen then."""
    found = Finding(kind, kind, Severity.CRITICAL, "It is wrong.", cause="zone a", patience_seconds=patience)
    first = step_seen(None, found, "demo", make.NOW - timedelta(minutes=minutes_ago), TIMING)
    return step_seen(first.record, found, "demo", make.NOW, TIMING) if minutes_ago else first


@pytest.mark.parametrize(
    ("zone", "address", "told"),
    [(0, 0, True), (120, 120, True), (0, 120, False), (120, 600, False)],
)
def test_a_message_takes_along_what_needs_no_more_patience(zone: int, address: int, told: bool) -> None:
    """An effect that was seen a visit later is told with its cause; not one that often ends by itself until then."""
    cause = seen(Kind.NO_ELIGIBLE_NODE, zone, minutes_ago=3)
    effect = seen(Kind.ADDRESS_UNASSIGNED, address, minutes_ago=0)
    occasions = [step.occasion for step in gather([cause, effect], make.NOW)]
    assert occasions == [Occasion.NEW, Occasion.NEW if told else None]
