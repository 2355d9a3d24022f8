"""Requests and answers of OCM's API as values, and the record of both. Sockets are in `server`, meaning in `api`."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sandbox.listening import HttpRequest
from sandbox.ocm.errors import bad_request

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request(HttpRequest):
    """One HTTP request; header names are in lower case."""

    @property
    def query(self) -> dict[str, str]:
        """The parameters."""
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body of a form."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The body as JSON. Raises OcmError 400."""
        if self.headers.get("content-type", "").partition(";")[0].strip() != JSON:
            raise bad_request(f"Content type must be '{JSON}'")
        try:
            return json.loads(self.body)
        except ValueError:
            raise bad_request("The request body isn't JSON") from None


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back; *content* becomes JSON, None is no body. An empty content type is not sent."""

    status: int
    content: Any = None
    headers: Sequence[tuple[str, str]] = ()
    raw: bytes | None = None
    content_type: str = JSON

    @property
    def body(self) -> bytes:
        """The bytes."""
        if self.raw is not None:
            return self.raw
        return b"" if self.content is None else json.dumps(self.content, indent=2).encode()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it. *status* and *answer* are None where the connection was dropped instead.

    Attributes:
        body: JSON, or the form of a token request with its secrets left out; None without a body.
        answer: JSON, or the text of anything else.
        injected: A fault answered, not OCM.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    user_agent: str
    status: int | None
    answer: Any
    injected: bool


class ExchangeLog:
    """The latest exchanges, oldest first; older ones are forgotten beyond *limit*."""

    def __init__(self, limit: int = 10_000) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=limit)

    def add(self, exchange: Exchange) -> None:
        """Append one."""
        self._exchanges.append(exchange)

    def clear(self) -> None:
        """Forget all."""
        self._exchanges.clear()

    def __iter__(self) -> Iterator[Exchange]:
        return iter(tuple(self._exchanges))

    def __len__(self) -> int:
        return len(self._exchanges)

    def matching(self, method: str | None = None, path: str = "") -> list[Exchange]:
        """Those of one method whose path contains a match of the regular expression *path*."""
        return [each for each in self if method in (None, each.method) and re.search(path, each.path)]


def record(request: Request, response: Response | None, *, injected: bool) -> Exchange:
    """The record of one exchange; client secrets and tokens are not kept."""
    form = FORM in request.headers.get("content-type", "")
    if form:
        secrets = ("client_secret", "refresh_token")
        body: Any = {key: value for key, value in request.form.items() if key not in secrets}
    else:
        body = _read(request.body) if request.body else None
    return Exchange(
        request.method,
        request.path,
        request.query,
        body,
        request.headers.get("user-agent", ""),
        None if response is None else response.status,
        None if response is None or form else _read(response.body),
        injected,
    )


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace") or None
