"""What an API server's answer, or its silence, means in our words. No I/O; sending the requests is `cluster_wire`.

| status | becomes | again? |
| --- | --- | --- |
| 2xx with a JSON object | the object | |
| 2xx with anything else, 3xx | Unreachable | no: something else than an API server answers there |
| 401, 403 | Denied | 401 once, with a new token |
| 404 | NotFound | no |
| 409 | Conflict, with the field managers if it was an apply | no: observe again |
| 410 | Gone | the list from its start |
| 400, 422 and other 4xx | Rejected | no |
| 429 | Throttled | yes, after Retry-After |
| 5xx, no or half an answer | Unreachable | yes |
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from chalicelib.adapters.connections import failure_words, is_untrusted, tls_words
from chalicelib.adapters.errors import AdapterError, Conflict, Denied, NotFound, Rejected, Throttled, Unreachable

SOURCE = "cluster API"


class Gone(AdapterError):
    """The continue token of a paged list is too old (410): the list has to be read from the start."""

    retryable = True


class TryAgain(Exception):
    """This try failed in a way that another may not; `error` is what to raise when there is no other."""

    def __init__(self, error: AdapterError, after_seconds: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_seconds = after_seconds


def understand(operation: str, status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    """The JSON object of a good answer; raises AdapterError or TryAgain for every other."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if status == 429:
        raise TryAgain(Throttled(SOURCE, operation, _detail(status, answer)), _seconds(headers.get("Retry-After")))
    if status >= 500:
        raise TryAgain(Unreachable(SOURCE, operation, _detail(status, answer)), _seconds(headers.get("Retry-After")))
    if status >= 400:
        raise _refusal(operation, status, answer)
    if status >= 300 or not isinstance(answer, dict):
        raise Unreachable(SOURCE, operation, f"the answer ({status}) is not a Kubernetes object")
    return answer


def tls_failure(operation: str, cause: object) -> Exception:
    """What a failed TLS handshake means; *cause* is the `ssl` module's error, if there is one."""
    failure = Unreachable(SOURCE, operation, tls_words(cause))
    return failure if is_untrusted(cause) else TryAgain(failure)


def connection_failure(operation: str, error: Exception) -> TryAgain:
    """What a urllib3 error means."""
    return TryAgain(Unreachable(SOURCE, operation, failure_words(error)))


def _refusal(operation: str, status: int, answer: Any) -> AdapterError:
    detail = _detail(status, answer)
    if status == 409:
        return Conflict(SOURCE, operation, detail, _conflicting_managers(answer))
    if status in {401, 403}:
        return Denied(SOURCE, operation, detail)
    kinds: dict[int, type[AdapterError]] = {404: NotFound, 408: Unreachable, 410: Gone}
    return kinds.get(status, Rejected)(SOURCE, operation, detail)


def _conflicting_managers(answer: Any) -> dict[str, str]:
    """Other field managers by field path, from the causes of a refused server-side apply."""
    managers: dict[str, str] = {}
    details = answer.get("details") if isinstance(answer, dict) else None
    for cause in (details.get("causes") if isinstance(details, dict) else None) or ():
        if isinstance(cause, dict) and cause.get("reason") == "FieldManagerConflict":
            named = re.search(r'conflict with "([^"]*)"', str(cause.get("message")))
            manager = named[1] if named else "unknown"
            path = str(cause.get("field", ""))
            managers[path] = f"{managers[path]}, {manager}" if path in managers else manager
    return managers


def _detail(status: int, answer: Any) -> str:
    """Status and the server's message, short; never the body of something that is not a Kubernetes Status."""
    message = answer.get("message") if isinstance(answer, dict) and answer.get("kind") == "Status" else None
    if not isinstance(message, str) or not message:
        return str(status)
    line = " ".join(message.split())
    return f"{status}: {line if len(line) <= 200 else line[:199] + '…'}"


def _seconds(retry_after: str | None) -> float:
    """Retry-After in seconds; a date, which API servers do not send, counts as none."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
