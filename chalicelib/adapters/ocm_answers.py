"""What OCM's answer, or its silence, means in our words. No I/O; sending the requests is `ocm_wire`.

| status | becomes | again? |
| --- | --- | --- |
| 2xx with a JSON object, 204 | the object, an empty one | |
| 2xx with anything else, 3xx | Unreachable | no: something else than OCM answers there |
| 401, 403 | Denied | 401 once, with a new token |
| 404, 409, other 4xx with an error object of OCM | NotFound, Conflict, Rejected | no |
| the same without one | Unreachable | no: a gateway's 404 is not "there is no such pool" |
| 429, 503 | Throttled, Unreachable | yes: OCM has not begun |
| other 5xx, no or half an answer | Unreachable | reads only: a write may have been carried out |
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.adapters.errors import AdapterError, Conflict, Denied, NotFound, Rejected, Throttled, Unreachable

SOURCE = "OCM"

JSON = "application/json"


class TryAgain(Exception):
    """This try failed in a way that another may not; `error` is what to raise when there is no other.

    Attributes:
        untouched: OCM has certainly not begun: even a write may be sent again.
        after_seconds: What the server asked for, 0 if nothing.
    """

    def __init__(self, error: AdapterError, *, untouched: bool = False, after_seconds: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.untouched = untouched
        self.after_seconds = after_seconds


def understand(operation: str, status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    """The JSON object of a good answer; raises AdapterError or TryAgain for every other."""
    if status == 204:
        return {}
    answer = _json(headers, content)
    detail = _detail(status, headers, answer)
    if status == 429:
        after = _seconds(headers.get("Retry-After"))
        raise TryAgain(Throttled(SOURCE, operation, detail), untouched=True, after_seconds=after)
    if status >= 500:
        after = _seconds(headers.get("Retry-After"))
        raise TryAgain(Unreachable(SOURCE, operation, detail), untouched=status == 503, after_seconds=after)
    if status >= 400:
        raise _refusal(operation, status, answer, detail)
    if status >= 300 or answer is None:
        raise Unreachable(SOURCE, operation, f"the answer is not OCM's: {detail}")
    return answer


def _refusal(operation: str, status: int, answer: Mapping[str, Any] | None, detail: str) -> AdapterError:
    if status in {401, 403}:
        return Denied(SOURCE, operation, detail)
    if answer is None or answer.get("kind") != "Error":
        return Unreachable(SOURCE, operation, f"the answer is not OCM's: {detail}")
    kinds: dict[int, type[AdapterError]] = {404: NotFound, 408: Unreachable, 409: Conflict}
    return kinds.get(status, Rejected)(SOURCE, operation, detail)


def _json(headers: Mapping[str, str], content: bytes) -> dict[str, Any] | None:
    """The body, where it is declared to be JSON and is an object. A gateway's page may well be valid JSON by chance."""
    if _media_type(headers) != JSON:
        return None
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _detail(status: int, headers: Mapping[str, str], answer: Mapping[str, Any] | None) -> str:
    """Status, OCM's reason, and code and operation id, which Red Hat's support asks for; never a foreign body."""
    if answer is None:
        return f"{status} with {_media_type(headers) or 'no content type'} instead of {JSON}"
    if answer.get("kind") != "Error":
        return str(status)
    reason = _line(answer.get("reason"))
    marks = [_line(answer.get("code"))]
    if operation_id := _line(answer.get("operation_id") or headers.get("X-Operation-Id")):
        marks.append(f"operation {operation_id}")
    shown = ", ".join(mark for mark in marks if mark)
    return f"{status}{': ' if reason else ''}{reason}{f' ({shown})' if shown else ''}"


def _line(text: Any, longest: int = 200) -> str:
    line = " ".join(text.split()) if isinstance(text, str) else ""
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _seconds(retry_after: str | None) -> float:
    """Retry-After in seconds; a date counts as none."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
