from __future__ import annotations

import logging
import threading
import time

import pytest

from sandbox.timeline import RealTimeline, SteppedTimeline


def test_stepped_time_runs_what_falls_due_in_order() -> None:
    """Actions happen at their own moment, ties in the order of
    planning, and what they plan within the step happens too.
    """
    timeline = SteppedTimeline(100.0)
    seen: list[tuple[str, float]] = []

    def note(name: str) -> None:
        seen.append((name, timeline.now()))

    timeline.call_later(5, lambda: note("five"))
    timeline.call_later(2, lambda: (note("two"), timeline.call_later(1, lambda: note("three")))[0])
    timeline.call_later(2, lambda: note("two again"))
    timeline.call_later(9, lambda: note("nine"))
    timeline.advance(6)
    assert seen == [("two", 102.0), ("two again", 102.0), ("three", 103.0), ("five", 105.0)]
    assert (timeline.now(), timeline.next_due()) == (106.0, 109.0)


def test_cancelled_action_never_happens() -> None:
    """A timer that was cancelled is not due, in either clock."""
    timeline = SteppedTimeline()
    timer = timeline.call_later(1, lambda: pytest.fail("was cancelled"))
    timer.cancel()
    assert timeline.next_due() is None
    timeline.advance(2)
    real = RealTimeline()
    real.call_later(0.01, lambda: pytest.fail("was cancelled")).cancel()
    happened = threading.Event()
    real.call_later(0.02, happened.set)
    assert happened.wait(5)
    real.close()


def test_error_of_an_action_reaches_whoever_advances() -> None:
    """In stepped time a broken action is the test's to see."""
    timeline = SteppedTimeline()

    def broken() -> None:
        raise ValueError("broken")

    timeline.call_later(1, broken)
    with pytest.raises(ValueError, match="broken"):
        timeline.advance(1)


def test_real_time_goes_on_after_a_broken_action(caplog: pytest.LogCaptureFixture) -> None:
    """In real time it is logged, and later actions still happen, in order, not before they are due."""
    timeline = RealTimeline()
    order: list[str] = []
    done = threading.Event()

    def broken() -> None:
        raise ValueError("broken")

    begun = time.monotonic()
    timeline.call_later(0.05, lambda: (order.append("second"), done.set())[0])
    timeline.call_later(0.02, lambda: order.append("first"))
    with caplog.at_level(logging.ERROR):
        timeline.call_later(0.0, broken)
        assert done.wait(5)
    timeline.close()
    assert order == ["first", "second"]
    assert time.monotonic() - begun >= 0.05
    assert "timeline failed" in caplog.text


def test_closed_timeline_does_nothing_more() -> None:
    """After closing nothing runs, planned before or after."""
    timeline = RealTimeline()
    timeline.call_later(0.05, lambda: pytest.fail("closed"))
    timeline.close()
    timeline.call_later(0.0, lambda: pytest.fail("closed"))
    time.sleep(0.1)
