"""WATCH: changes as they happen, from where the client left off.

Belongs here: what a watcher is shown of each change. A selector turns an object that starts to match into ADDED and
one that no longer does into DELETED (in its last matching state).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.kube import decoding
from sandbox.kube.errors import ApiError, Cause, expired, internal, invalid
from sandbox.kube.listing import NOT_OLDER, list_options_invalid, predicate
from sandbox.kube.selectors import Predicate
from sandbox.kube.store import ADDED, DELETED, MODIFIED, Change, Store, TooOld, Version
from sandbox.kube.views import object_json
from sandbox.kube.wire import Accepted, Request
from sandbox.kube.writing import Target

_DEFAULT_TIMEOUT_SECONDS = 1800
_LOOK_UP_SECONDS = 1.0  # how often a quiet watch looks whether the server is closing

Event = tuple[str, Version]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The parameters of a watch."""

    prefix: str
    matches: Predicate
    timeout_seconds: float
    bookmarks: bool
    initial_events: bool
    initial_bookmark: bool


class Watch:
    """One watch; iterating yields its events, one line of JSON each, until its time is over or *closing* says so.

    Args:
        clock: seconds since the epoch, for the ages in tables.
        closing: whether the server is shutting down.
        bookmark_seconds: time between bookmarks, for clients that want them.

    Raises (on construction, before anything is sent):
        ApiError: for parameters that do not fit together.
    """

    def __init__(
        self,
        store: Store,
        target: Target,
        request: Request,
        accepted: Accepted,
        *,
        clock: Callable[[], float],
        closing: Callable[[], bool],
        bookmark_seconds: float = 60.0,
    ) -> None:
        self._store, self._target, self._accepted = store, target, accepted
        self._clock, self._closing, self._bookmark_seconds = clock, closing, bookmark_seconds
        self._asked = _parse(target, request)
        self._revision = _revision(request)
        self._described = False

    def __iter__(self) -> Iterator[bytes]:
        deadline = time.monotonic() + self._asked.timeout_seconds
        try:
            with self._store.changed:
                first, position = self._first_events()
        except ApiError as error:
            yield _line("ERROR", json.dumps(error.status(), separators=(",", ":")).encode())
            return
        yield from map(self._show, first)
        if self._asked.initial_bookmark:
            yield self._bookmark(position, initial=True)
        bookmark_due = time.monotonic() + self._bookmark_seconds
        while (left := deadline - time.monotonic()) > 0 and not self._closing():
            try:
                changes = self._wait(position, min(left, _LOOK_UP_SECONDS))
            except TooOld as error:
                yield _too_old(position, error)
                return
            for change in changes:
                position = change.revision
                yield from map(self._show, self._events(change))
            if self._asked.bookmarks and time.monotonic() >= bookmark_due:
                yield self._bookmark(position)
                bookmark_due = time.monotonic() + self._bookmark_seconds
        if self._asked.bookmarks and not self._closing():
            yield self._bookmark(position)

    def _first_events(self) -> tuple[list[Event], int]:
        """What is shown at once, and the revision it stands for."""
        resource, asked = self._target.resource, self._asked
        if not self._asked.initial_events:
            if self._revision < self._store.compacted:
                raise expired(f"too old resource version: {self._revision} ({self._store.compacted})")
            return [], self._revision
        versions = self._store.versions(resource, asked.prefix)
        return [(ADDED, version) for version in versions if asked.matches(version.obj)], self._store.revision

    def _wait(self, position: int, seconds: float) -> list[Change]:
        with self._store.changed:
            if self._store.revision <= position:
                self._store.changed.wait(seconds)
            return self._store.changes_after(position) if self._store.revision > position else []

    def _events(self, change: Change) -> list[Event]:
        if change.new.resource is not self._target.resource or not change.key.startswith(self._asked.prefix):
            return []
        before = change.old is not None and self._asked.matches(change.old.obj)
        now = change.type != DELETED and self._asked.matches(change.new.obj)
        if now:
            return [(MODIFIED if before else ADDED, change.new)]
        if not before or change.old is None:
            return []
        return [(DELETED, change.new if change.type == DELETED else _as_of(change.old, change.revision))]

    def _show(self, event: Event) -> bytes:
        kind, version = event
        shown = object_json(version, self._accepted, self._clock(), with_columns=not self._described)
        self._described = True
        return _line(kind, shown)

    def _bookmark(self, revision: int, *, initial: bool = False) -> bytes:
        resource = self._target.resource
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if initial:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        empty = {} if resource.custom else decoding.empty_object(resource)
        marker = {"kind": resource.kind, "apiVersion": resource.api_version, **empty, "metadata": metadata}
        return _line("BOOKMARK", json.dumps(marker, separators=(",", ":")).encode())


def _parse(target: Target, request: Request) -> _Asked:
    query = request.query
    initial = query.get("sendInitialEvents")
    match = query.get("resourceVersionMatch", "")
    if initial is None and match:
        why = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        raise list_options_invalid("resourceVersionMatch", why)
    if initial is not None and match != NOT_OLDER:
        raise _initial_events_need_match(match)
    timeout = request.integer("timeoutSeconds")
    version = query.get("resourceVersion", "")
    from_scratch = version in ("", "0") if initial is None else request.flag("sendInitialEvents")
    bookmarks = request.flag("allowWatchBookmarks")
    return _Asked(
        prefix=f"{target.namespace}/" if target.namespace else "",
        matches=predicate(target.resource, request),
        timeout_seconds=timeout or _DEFAULT_TIMEOUT_SECONDS,
        bookmarks=bookmarks,
        initial_events=from_scratch,
        initial_bookmark=bookmarks and from_scratch and initial is not None,
    )


def _initial_events_need_match(match: str) -> ApiError:
    member = "resourceVersionMatch"
    why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    causes = [Cause("FieldValueForbidden", why, member)]
    if match:
        text = f'Unsupported value: {json.dumps(match)}: supported values: "NotOlderThan"'
        causes.append(Cause("FieldValueNotSupported", text, member))
    return invalid("meta.k8s.io", "ListOptions", "", causes)


def _revision(request: Request) -> int:
    text = request.query.get("resourceVersion", "")
    if text and not text.isdecimal():
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise internal(f'resourceVersion: Invalid value: "{text}": {why}')
    return int(text or 0)


def _as_of(version: Version, revision: int) -> Version:
    """The last matching state of an object, under the revision that ended the match."""
    obj = {**version.obj, "metadata": {**version.obj["metadata"], "resourceVersion": str(revision)}}
    return Version(version.resource, obj, revision)


def _too_old(position: int, error: TooOld) -> bytes:
    status = expired(f"too old resource version: {position} ({error.oldest})").status()
    return _line("ERROR", json.dumps(status, separators=(",", ":")).encode())


def _line(kind: str, obj: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), obj)
