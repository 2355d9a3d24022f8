from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.actions import LABEL_CYCLE_PREFIX, LABEL_KICK
from chalicelib.domain.findings import Kind
from chalicelib.domain.tried import Tried, cycled, kicked, parse_tried
from tests import factories as make

LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
MOMENTS = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(st.sampled_from(Kind), st.integers(1, 9999), MOMENTS)
def test_what_is_written_is_read_again_and_fits_a_label(kind: Kind, tries: int, at: datetime) -> None:
    """Whatever the kind of finding, within 63 characters of what Kubernetes allows."""
    tried = Tried(kind, tries, at)
    assert LABEL_VALUE.fullmatch(tried.value)
    assert parse_tried(tried.value) == tried


@pytest.mark.parametrize(
    "value",
    ["", "7", "status-lost", "status-lost.1", "status-lost.x.20260301T120000Z", "status-lost.1.yesterday",
     "moved.1.20260301T120000Z", "status-lost.-1.20260301T120000Z", "status-lost.²2.20260301T120000Z"],
)  # fmt: skip
def test_what_others_wrote_there_counts_as_nothing_tried(value: str) -> None:
    """A label that a person has set by hand, after an old runbook, must not stop or start anything."""
    assert parse_tried(value) is None


def test_an_object_remembers_kicks_and_cycles_apart() -> None:
    """One label for the object's kicks, one for each address's cycles; others are not looked at."""
    once = Tried(Kind.STATUS_LOST, 1, make.NOW)
    labels = {LABEL_KICK: once.value, f"{LABEL_CYCLE_PREFIX}10.0.0.9": once.value, f"{LABEL_CYCLE_PREFIX}10.0.0.8": "x"}
    there = make.egress_ip("ns", "10.0.0.9", labels={**labels, "team": "status-lost.1.20260301T120000Z"})
    assert kicked(there, make.NOW) == once
    assert cycled(there, make.NOW) == {"10.0.0.9": once}


@pytest.mark.parametrize(("ahead", "counts"), [(timedelta(minutes=1), True), (timedelta(hours=1), False)])
def test_a_label_from_the_future_counts_as_nothing_tried(ahead: timedelta, counts: bool) -> None:
    """A clock that jumped and came back must not keep an address waiting for as long as it had jumped."""
    label = Tried(Kind.STATUS_LOST, 1, make.NOW + ahead).value
    there = make.egress_ip("ns", labels={LABEL_KICK: label, f"{LABEL_CYCLE_PREFIX}10.0.0.9": label})
    assert (kicked(there, make.NOW) is not None) is counts
    assert bool(cycled(there, make.NOW)) is counts
