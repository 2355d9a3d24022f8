"""The sandbox's time: what the hour is, and doing something later.

Two clocks with one face. `RealTimeline` is the wall clock with a thread for what is due;
`SteppedTimeline` stands still until a test advances it, so that minutes of cloud life
take milliseconds and always come out the same. Nothing here knows AWS or Kubernetes.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

_log = logging.getLogger(__name__)

Action = Callable[[], None]


@dataclass(order=True)
class Timer:
    """One thing to do at one moment; `cancel` before it is due and it never happens."""

    due: float
    order: int
    action: Action = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Forget the action. Harmless when it has already run."""
        self.cancelled = True


class Timeline(Protocol):
    """What the parts of the sandbox ask of time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def call_later(self, delay_seconds: float, action: Action) -> Timer:
        """Run *action* once, *delay_seconds* from now; never inside this call."""
        ...


class SteppedTimeline:
    """Time that moves only when told to. Actions run in the caller's thread and their errors reach the caller."""

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        """Start at *start* seconds since the epoch (default 2026-01-01T00:00:00Z)."""
        self._now = start
        self._timers: list[Timer] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Seconds since the epoch, as far as time has been advanced."""
        return self._now

    def call_later(self, delay_seconds: float, action: Action) -> Timer:
        """Run *action* when time has been advanced by *delay_seconds*
        or more; a delay of 0 waits for the next advance.
        """
        timer = Timer(self._now + max(0.0, delay_seconds), next(self._order), action)
        heapq.heappush(self._timers, timer)
        return timer

    def next_due(self) -> float | None:
        """When the next action is due, or None when nothing is planned."""
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0].due if self._timers else None

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass, running what falls due in order,
        including what those actions plan within the same span.
        """
        end = self._now + seconds
        while (due := self.next_due()) is not None and due <= end:
            timer = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            timer.action()
        self._now = end

    def close(self) -> None:
        """Forget everything that was planned."""
        self._timers.clear()


class RealTimeline:
    """The wall clock. One daemon thread, started with the first
    timer, runs what is due; errors are logged, not raised.
    """

    def __init__(self) -> None:
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def call_later(self, delay_seconds: float, action: Action) -> Timer:
        """Run *action* in the timeline's thread after *delay_seconds*.
        Nothing runs any more once the timeline is closed.
        """
        timer = Timer(self.now() + max(0.0, delay_seconds), next(self._order), action)
        with self._changed:
            heapq.heappush(self._timers, timer)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="sandbox-timeline", daemon=True)
                self._thread.start()
            self._changed.notify()
        return timer

    def close(self) -> None:
        """Stop the thread and forget what was planned; an action that is running is waited for."""
        with self._changed:
            self._closed = True
            self._timers.clear()
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while (timer := self._wait_for_next()) is not None:
            try:
                timer.action()
            except Exception:  # noqa: BLE001 - logged; one broken action must not stop time for everybody else
                _log.exception("An action of the sandbox's timeline failed")

    def _wait_for_next(self) -> Timer | None:
        with self._changed:
            while not self._closed:
                while self._timers and self._timers[0].cancelled:
                    heapq.heappop(self._timers)
                if not self._timers:
                    self._changed.wait()
                elif (wait := self._timers[0].due - self.now()) > 0:
                    self._changed.wait(wait)
                else:
                    return heapq.heappop(self._timers)
            return None
