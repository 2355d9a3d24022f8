"""The cluster manager's retry book: what it does with an event whose handling failed.

Belongs here: the rules of OVN-Kubernetes' retry framework, for any kind of object. Does not belong here: the handlers
(`node_handlers`, `egress_ip_handlers`, `cpic_handlers`).

A failed addition or update is repeated on a 30 s tick, a failed deletion too; back-off 1 s·2ⁿ up to 60 s, fifteen
attempts, then forgotten without a word. Two consequences matter outside: an object whose last deletion is still
failing never gets its new incarnation handled, and a later event that is handled clears the entry.
Source: `ovnk: go-controller/pkg/retry/obj_retry.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from chalicelib.domain.twin.tables import Table

TICK_SECONDS = 30.0
FIRST_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 60.0
JITTER_SECONDS = 0.25
"""Mean of the random half second added to each back-off."""
MAX_ATTEMPTS = 15

T = TypeVar("T")


class HandlerFailed(Exception):
    """A handler gave up; its event goes into the retry book."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """What is to be repeated for one object.

    Attributes:
        add: Its present form is to be handled, as an update from `before` if that is set, else as an addition.
        gone: This form of it was deleted, and that is to be handled first.
        since: When it was last tried, in seconds of the world's time.
        backoff: Seconds to wait from then; 0 means at the next look, however soon.
    """

    add: bool = False
    before: T | None = None
    gone: T | None = None
    since: float = 0.0
    backoff: float = FIRST_BACKOFF_SECONDS
    attempts: int = 0


class Handlers(Protocol[T]):
    """What the book calls; each raises HandlerFailed to be called again."""

    def latest(self, name: str) -> T | None:
        """The object as it is now."""

    def added(self, obj: T) -> None:
        """Handle an addition."""

    def updated(self, old: T, new: T) -> None:
        """Handle an update."""

    def deleted(self, obj: T) -> None:
        """Handle a deletion."""


class Book(Generic[T]):
    """The entries of one kind of object during one step; `entries` is what remains of them."""

    def __init__(self, entries: Table[str, Entry[T]], handlers: Handlers[T], now: float) -> None:
        self.entries = entries
        self._handlers = handlers
        self._now = now

    def on_change(self, name: str, old: T | None, new: T | None) -> None:
        """Handle one event of a watch."""
        if old is None and new is not None:
            self._on_added(name, new)
        elif old is not None and new is not None:
            self._on_updated(name, old)
        elif old is not None:
            self._on_deleted(name, old)

    def _on_added(self, name: str, obj: T) -> None:
        entry = replace(self._entry(name), add=True, attempts=0, backoff=FIRST_BACKOFF_SECONDS)
        if entry.gone is not None:
            if not self._succeeds(self._handlers.deleted, entry.gone):
                self._write(name, replace(entry, attempts=1))
                return
            entry = replace(entry, gone=None, before=None)
        if self._succeeds(self._handlers.added, obj):
            self.entries = self.entries.drop(name)
        else:
            self._write(name, replace(entry, attempts=1))

    def _on_updated(self, name: str, old: T) -> None:
        latest = self._handlers.latest(name)
        if latest is None:
            return
        entry = self.entries.get(name)
        if entry is not None and entry.gone is not None:
            if not self._succeeds(self._handlers.deleted, entry.gone):
                self._write(name, replace(entry, add=True, attempts=1, backoff=FIRST_BACKOFF_SECONDS))
                return
            entry = replace(entry, gone=None, before=None)
        if self._succeeds(lambda new: self._handlers.updated(old, new), latest):
            self.entries = self.entries.drop(name)
        else:
            self._write(name, replace(entry if entry is not None else Entry(), add=True, before=old, attempts=1))

    def _on_deleted(self, name: str, obj: T) -> None:
        entry = replace(self._entry(name), gone=obj, attempts=0, backoff=FIRST_BACKOFF_SECONDS)
        if self._succeeds(self._handlers.deleted, obj):
            self.entries = self.entries.drop(name)
        else:
            self._write(name, replace(entry, attempts=1))

    def add_soon(self, name: str) -> None:
        """Have the object handled as an addition at the next look, without back-off."""
        self._write(name, replace(self._entry(name), add=True, attempts=0, backoff=0.0))

    def look(self) -> None:
        """The tick: repeat what is due. Entries are tried in order of name; the real ones race."""
        for name, entry in self.entries.in_order():
            if entry.attempts >= MAX_ATTEMPTS:
                self.entries = self.entries.drop(name)
            elif entry.backoff == 0 or self._now >= entry.since + entry.backoff + JITTER_SECONDS:
                backoff = min(2 * (entry.backoff or FIRST_BACKOFF_SECONDS), MAX_BACKOFF_SECONDS)
                self._repeat(name, replace(entry, backoff=backoff))

    def _repeat(self, name: str, entry: Entry[T]) -> None:
        latest = self._handlers.latest(name) if entry.add else None
        if entry.before is not None and latest is not None:
            before = entry.before
            done = self._succeeds(lambda new: self._handlers.updated(before, new), latest)
        else:
            done = entry.gone is None or self._succeeds(self._handlers.deleted, entry.gone)
            if done and latest is not None:
                entry = replace(entry, gone=None)
                done = self._succeeds(self._handlers.added, latest)
        if done:
            self.entries = self.entries.drop(name)
        else:
            self._write(name, replace(entry, attempts=entry.attempts + 1))

    def _entry(self, name: str) -> Entry[T]:
        return self.entries.get(name) or Entry()

    def _write(self, name: str, entry: Entry[T]) -> None:
        self.entries = self.entries.put(name, replace(entry, since=self._now))

    @staticmethod
    def _succeeds(handler: Callable[[T], None], obj: T) -> bool:
        try:
            handler(obj)
        except HandlerFailed:
            return False
        return True
