"""Objects in versions: what etcd is to the API server.

Belongs here: one counter for all writes, every version's JSON made once, the history that watches and paged lists look
back on, and the delivery of changes to subscribers. What may be written is none of the store's business.
"""

from __future__ import annotations

import bisect
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.kube.resources import RESOURCES, Resource

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"

Subscriber = Callable[[str, str, dict[str, Any]], None]


class Version:
    """One version of one object, never changed after it was made; its JSON texts are made on first use and kept."""

    __slots__ = ("_body", "_metadata", "obj", "resource", "revision")

    def __init__(self, resource: Resource, obj: dict[str, Any], revision: int) -> None:
        self.resource = resource
        self.obj = obj
        self.revision = revision
        self._body: bytes | None = None
        self._metadata: bytes | None = None

    def copy(self) -> dict[str, Any]:
        """The object, for whoever wants to change it."""
        copied: dict[str, Any] = json.loads(self.json())
        return copied

    def json(self) -> bytes:
        """The object as sent by itself."""
        return b'{"kind":"%s","apiVersion":"%s",%s' % (
            self.resource.kind.encode(),
            self.resource.api_version.encode(),
            self._members(),
        )

    def json_in_list(self) -> bytes:
        """The object as sent inside a list: core lists leave kind and apiVersion out of their items."""
        return self.json() if self.resource.custom else b"{" + self._members()

    def json_metadata_only(self) -> bytes:
        """The object as ``PartialObjectMetadata``."""
        if self._metadata is None:
            metadata = json.dumps(self.obj["metadata"], separators=(",", ":")).encode()
            self._metadata = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":%s}' % metadata
        return self._metadata

    def _members(self) -> bytes:
        """Everything after kind and apiVersion, closing brace included."""
        if self._body is None:
            members = {name: value for name, value in self.obj.items() if name not in ("kind", "apiVersion")}
            self._body = json.dumps(members, separators=(",", ":")).encode()[1:]
        return self._body


@dataclass(frozen=True, slots=True)
class Change:
    """One write: what was there before (None: nothing) and what is there now (of a deletion: the last state)."""

    revision: int
    type: str
    key: str
    new: Version
    old: Version | None


class TooOld(Exception):
    """The history no longer reaches back to the revision asked for."""

    def __init__(self, oldest: int) -> None:
        super().__init__(oldest)
        self.oldest = oldest


def key_of(namespace: str, name: str) -> str:
    """Where an object is kept; cluster-scoped ones have an empty namespace. Lists are in the order of these keys."""
    return f"{namespace}/{name}"


class Store:
    """Versions by resource and key. Every access happens under :attr:`changed`, which is also what watches wait on."""

    def __init__(self, history_limit: int) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.revision = 1
        self.compacted = 1
        self._current: dict[Resource, dict[str, Version]] = {resource: {} for resource in RESOURCES}
        self._keys: dict[Resource, list[str]] = {resource: [] for resource in RESOURCES}
        self._history: deque[Change] = deque()
        self._history_limit = history_limit
        self._subscribers: list[Subscriber] = []
        self._undelivered: deque[Change] = deque()
        self._delivering = threading.Lock()

    def find(self, resource: Resource, key: str) -> Version | None:
        """The current version, or None."""
        return self._current[resource].get(key)

    def versions(self, resource: Resource, prefix: str = "") -> list[Version]:
        """The current versions whose key starts with *prefix*, in order."""
        current = self._current[resource]
        return [current[key] for key in self._keys[resource] if key.startswith(prefix)]

    def put(self, resource: Resource, key: str, obj: dict[str, Any]) -> Version:
        """Store *obj* under the next revision, which is written into its metadata."""
        current, old = self._current[resource], self._current[resource].get(key)
        new = self._next_version(resource, obj)
        current[key] = new
        if old is None:
            bisect.insort(self._keys[resource], key)
        self._record(Change(new.revision, ADDED if old is None else MODIFIED, key, new, old))
        return new

    def remove(self, resource: Resource, key: str, obj: dict[str, Any]) -> Version:
        """Take the object away; *obj* is its last state, which watchers are shown."""
        old = self._current[resource].pop(key)
        keys = self._keys[resource]
        del keys[bisect.bisect_left(keys, key)]
        last = self._next_version(resource, obj)
        self._record(Change(last.revision, DELETED, key, last, old))
        return last

    def _next_version(self, resource: Resource, obj: dict[str, Any]) -> Version:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        return Version(resource, obj, self.revision)

    def _record(self, change: Change) -> None:
        self._history.append(change)
        if len(self._history) > self._history_limit:
            self.compacted = self._history.popleft().revision
        self._undelivered.append(change)
        self.changed.notify_all()

    def compact(self) -> None:
        """Forget the history: what looks back beyond now is too old from here on."""
        self._history.clear()
        self.compacted = self.revision

    def changes_after(self, revision: int) -> list[Change]:
        """Every change with a higher revision, oldest first; :class:`TooOld` if some of them are forgotten."""
        if revision < self.compacted:
            raise TooOld(self.compacted)
        return list(self._backwards(revision))[::-1]

    def _backwards(self, revision: int) -> Iterator[Change]:
        for change in reversed(self._history):
            if change.revision <= revision:
                return
            yield change

    def versions_at(self, resource: Resource, revision: int, prefix: str = "") -> list[tuple[str, Version]]:
        """(key, version) as of *revision*, in order; :class:`TooOld` if the history does not reach back that far."""
        if revision < self.compacted:
            raise TooOld(self.compacted)
        then: dict[str, Version | None] = {}
        for change in self._backwards(revision):
            if change.new.resource is resource:
                then[change.key] = change.old
        current = self._current[resource]
        keys = sorted({*self._keys[resource], *then}) if then else self._keys[resource]
        found = ((key, then[key] if key in then else current[key]) for key in keys if key.startswith(prefix))
        return [(key, version) for key, version in found if version is not None]

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have *subscriber* called for every later change; the function returned ends that."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def deliver(self) -> None:
        """Call the subscribers for changes they have not seen, in the order of the revisions; to be called without the
        lock.

        One thread delivers at a time. Who comes meanwhile (another writer, or a subscriber that writes) leaves its
        changes to the one at work, so that nobody sees a later change before an earlier one.
        """
        while self._undelivered and self._delivering.acquire(blocking=False):
            try:
                while self._undelivered:
                    change = self._undelivered.popleft()
                    for subscriber in tuple(self._subscribers):
                        subscriber(change.type, change.new.resource.plural, change.new.copy())
            finally:
                self._delivering.release()
