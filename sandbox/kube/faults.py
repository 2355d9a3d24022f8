"""What can be made to go wrong with HTTP requests, and the record of the requests that came.

Belongs here: which request a fault meets, and counting. How a fault looks on the wire is up to ``server``.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Fault:
    """One thing that goes wrong with the requests it matches; two equal ones count apart.

    Attributes:
        method: HTTP method; None = any.
        path: regular expression searched for in the path (without query).
        query: regular expression searched for in the raw query; None = any.
        status: answer with this HTTP status instead of the real answer.
        retry_after: seconds for the ``Retry-After`` header of that answer.
        body: its body instead of an error object; text starting with ``<`` is sent as HTML.
        headers: added to the answer, the real one or the fault's.
        content_type: of the answer instead of the right one; empty = none is sent.
        drop: close the connection without any answer.
        delay_seconds: wait before going on.
        truncate: send only the first half of the answer's body, then close the connection.
        after_commit: carry the request out first, then answer by this fault: the client cannot know that it worked.
        times: how many requests it meets before it is used up; None = all.
    """

    path: str = ""
    method: str | None = None
    query: str | None = None
    status: int | None = None
    retry_after: int | None = None
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None
    drop: bool = False
    delay_seconds: float = 0.0
    truncate: bool = False
    after_commit: bool = False
    times: int | None = None

    def meets(self, method: str, path: str, query: str) -> bool:
        """Whether this fault is meant for such a request."""
        return (
            self.method in (None, method)
            and re.search(self.path, path) is not None
            and (self.query is None or re.search(self.query, query) is not None)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Denial:
    """A permission somebody lacks: requests it matches are answered 403 as RBAC would. None = any.

    Attributes:
        verb: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``, ``delete``, ``deletecollection``.
        resource: plural, with the subresource if any (``nodes``, ``nodes/status``).
        user: name of the user.
    """

    verb: str | None = None
    resource: str | None = None
    user: str | None = None

    def meets(self, verb: str, resource: str, user: str) -> bool:
        """Whether this user lacks the permission for such a request."""
        return self.verb in (None, verb) and self.resource in (None, resource) and self.user in (None, user)


class Faults:
    """The faults and denials in force, first come first met."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._left: dict[Fault, int] = {}
        self._denials: list[Denial] = []

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force; the same object takes it away again."""
        with self._lock:
            self._faults.append(fault)
            if fault.times is not None:
                self._left[fault] = fault.times
        return fault

    def deny(self, verb: str | None = None, resource: str | None = None, user: str | None = None) -> Denial:
        """Take a permission away; the same object gives it back."""
        denial = Denial(verb, resource, user)
        with self._lock:
            self._denials.append(denial)
        return denial

    def remove(self, entry: Fault | Denial) -> None:
        """Take a fault or denial out of force; one that is used up or unknown is no error."""
        with self._lock:
            self._faults = [fault for fault in self._faults if fault is not entry]
            self._denials = [denial for denial in self._denials if denial is not entry]

    def clear(self) -> None:
        """Take everything out of force."""
        with self._lock:
            self._faults, self._denials, self._left = [], [], {}

    def __iter__(self) -> Iterator[Fault | Denial]:
        with self._lock:
            return iter([*self._faults, *self._denials])

    def take(self, method: str, path: str, query: str) -> Fault | None:
        """The fault that meets this request, counted; None = nothing goes wrong."""
        with self._lock:
            fault = next((each for each in self._faults if each.meets(method, path, query)), None)
            if fault is not None and fault in self._left:
                self._left[fault] -= 1
                if self._left[fault] <= 0:
                    self._faults.remove(fault)
                    del self._left[fault]
            return fault

    def denied(self, verb: str, resource: str, user: str) -> bool:
        """Whether this user lacks the permission for such a request."""
        with self._lock:
            return any(denial.meets(verb, resource, user) for denial in self._denials)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One HTTP request that was answered (*status* None: the connection was dropped instead)."""

    method: str
    path: str
    query: Mapping[str, str]
    user_agent: str
    user: str
    content_type: str
    status: int | None


class RequestLog:
    """The latest HTTP requests, oldest first; older ones are forgotten beyond *limit*."""

    def __init__(self, limit: int = 10_000) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=limit)

    def add(self, record: RequestRecord) -> None:
        """Append one."""
        self._records.append(record)

    def clear(self) -> None:
        """Forget all."""
        self._records.clear()

    def __iter__(self) -> Iterator[RequestRecord]:
        return iter(tuple(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def matching(self, method: str | None = None, path: str = "") -> list[RequestRecord]:
        """Those of one method whose path contains a match of the regular expression *path*."""
        return [record for record in self if method in (None, record.method) and re.search(path, record.path)]
