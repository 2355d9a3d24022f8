"""How many requests a visit has sent, and where: read by reports and metrics, so that a regression in cost is seen.

Counting only. Adapters add one for every HTTP request that leaves, repeats and further pages included, because that is
what the outside systems meter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock


class CallCounter:
    """Requests by (system, operation), such as ("EC2", "DescribeSubnets") or ("cluster API", "list nodes").

    One counter may serve several adapters, and several threads.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def add(self, system: str, operation: str) -> None:
        """Count one request."""
        with self._lock:
            self._counts[system, operation] += 1

    @property
    def total(self) -> int:
        """All requests since the last `take`."""
        with self._lock:
            return self._counts.total()

    @property
    def by_operation(self) -> Mapping[tuple[str, str], int]:
        """Requests since the last `take`, sorted by system and operation; a copy."""
        with self._lock:
            return dict(sorted(self._counts.items()))

    def take(self) -> Mapping[tuple[str, str], int]:
        """Return `by_operation` and start again from nothing: adapters outlive a visit, its numbers must not."""
        with self._lock:
            taken = dict(sorted(self._counts.items()))
            self._counts.clear()
            return taken
