"""Keeping to EC2's budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.pace import Pace
from tests.adapters.wire import FakeTime


def test_the_bucket_first_then_the_rate() -> None:
    """Five calls at once, then one a second."""
    time = FakeTime()
    pace = Pace(5, 1.0, clock=time.clock, sleep=time.sleep)
    for _ in range(7):
        pace.wait()
    assert time.slept == [1.0, 1.0]


def test_a_rest_fills_the_bucket_and_no_more() -> None:
    """A long pause gives the whole bucket back, and not a call beyond."""
    time = FakeTime()
    pace = Pace(2, 1.0, clock=time.clock, sleep=time.sleep)
    pace.wait()
    pace.wait()
    time.now += 3600
    for _ in range(3):
        pace.wait()
    assert time.slept == [1.0]


@given(st.lists(st.floats(min_value=0, max_value=5), max_size=40))
def test_never_more_than_the_budget(rests: list[float]) -> None:
    """However calls are spread, no span of time sees more of them than bucket and refill allow."""
    time = FakeTime()
    pace = Pace(5, 1.0, clock=time.clock, sleep=time.sleep)
    moments = []
    for rest in rests:
        time.now += rest
        pace.wait()
        moments.append(time.now)
    for first, start in enumerate(moments):
        for count, end in enumerate(moments[first:], start=1):
            assert count <= 5 + (end - start) + 1e-6
