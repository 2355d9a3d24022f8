"""A controller's rate-limited work queue, as values.

Belongs here: what waits, what is due when, what is being worked on, how often it failed. Does not belong here: what the
work is (`cncc`).

The rules are those of client-go's work queue under CNCC's settings: a key waits once however often it is added; one
added while being worked on is worked on again afterwards; a failure puts it back after 5 ms·2ⁿ, sixteen times, and the
seventeenth failure drops it. Ten workers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from chalicelib.domain.twin.tables import Table

WORKERS = 10
MAX_REQUEUES = 16
FIRST_BACKOFF_SECONDS = 0.005

REPEAT_PACE_SECONDS = 0.5
"""How soon a key that was added during its failed work is worked on again.

The real queue does it at once; what paces it is the API client's rate limit (5 requests a second, two or three a try):
about two tries a second were observed.
"""

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class WorkQueue(Generic[W]):
    """Keys in their three places, with the state *W* of the work on those being worked on.

    Attributes:
        ready: Keys that a worker may take, oldest first.
        delayed: When each backed-off key becomes ready, in seconds of the world's time.
        failures: Failures in a row, by key.
        active: What is being worked on.
        again: Keys added while being worked on.
    """

    ready: tuple[str, ...] = ()
    delayed: Table[str, float] = field(default_factory=Table)
    failures: Table[str, int] = field(default_factory=Table)
    active: Table[str, W] = field(default_factory=Table)
    again: frozenset[str] = frozenset()

    def add(self, key: str) -> WorkQueue[W]:
        """A change was seen: the key is to be worked on, now or right after the work on it."""
        if key in self.active:
            return replace(self, again=self.again | {key})
        return self if key in self.ready else replace(self, ready=(*self.ready, key))

    def add_paced(self, key: str, now: float) -> WorkQueue[W]:
        """The same for a change that the failed work itself wrote."""
        if key in self.active or key in self.ready:
            return self.add(key)
        due = min(now + REPEAT_PACE_SECONDS, self.delayed.get(key, float("inf")))
        return replace(self, delayed=self.delayed.put(key, due))

    def take(self, key: str) -> WorkQueue[W]:
        """A worker takes a ready key; `work` or `succeed` or `fail` follows at once."""
        at = self.ready.index(key)
        return replace(self, ready=self.ready[:at] + self.ready[at + 1 :])

    def work(self, key: str, work: W) -> WorkQueue[W]:
        """The work on *key* goes on, with this state."""
        return replace(self, active=self.active.put(key, work))

    def succeed(self, key: str) -> WorkQueue[W]:
        """The work on *key* is done; its failures are forgotten."""
        done = replace(self, active=self.active.drop(key), failures=self.failures.drop(key), again=self.again - {key})
        return done.add(key) if key in self.again else done

    def fail(self, key: str, now: float) -> WorkQueue[W]:
        """The work on *key* failed: back-off, or dropped if it failed too often."""
        failures = self.failures.get(key, 0)
        dues = [REPEAT_PACE_SECONDS] if key in self.again else []
        if failures < MAX_REQUEUES:
            dues.append(FIRST_BACKOFF_SECONDS * 2.0**failures)
            counts = self.failures.put(key, failures + 1)
        else:
            counts = self.failures.drop(key)
        done = replace(self, active=self.active.drop(key), failures=counts, again=self.again - {key})
        return replace(done, delayed=self.delayed.put(key, now + min(dues))) if dues else done

    def wake(self, now: float) -> WorkQueue[W]:
        """Keys whose back-off has ended become ready."""
        if not self.delayed:
            return self
        due = sorted((at, key) for key, at in self.delayed.items() if at <= now)
        queue = self
        for _, key in due:
            queue = replace(queue, delayed=queue.delayed.drop(key)).add(key)
        return queue

    def next_due(self) -> float | None:
        """When `wake` next has something to do; None if nothing is backed off."""
        return min(self.delayed.values(), default=None)

    def startable(self) -> tuple[str, ...]:
        """Ready keys, oldest first, if a worker is free."""
        return self.ready if len(self.active) < WORKERS else ()
