"""Keeping to a request budget that is not only ours.

EC2 meters each action by account and Region in a bucket that refills at a steady rate. Waiting before the bucket is
empty costs seconds; running into it costs the cluster's own controllers their calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """A token bucket that waits: `size` calls at once, then `per_second` calls a second."""

    def __init__(
        self,
        size: int,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._size = float(size)
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._left = float(size)
        self._counted_at = clock()

    def wait(self) -> None:
        """Return when one more call is within the budget."""
        now = self._clock()
        self._left = min(self._size, self._left + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        self._left -= 1
        if self._left < 0:
            self._sleep(-self._left / self._per_second)
