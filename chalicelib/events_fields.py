"""Reading single fields of a message that may be anything, and saying exactly what is wrong with one.

Belongs here: one function a kind of value. Does not belong here: what the messages mean (`events`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LONGEST_SHOWN = 80
LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that cannot be read. `why` names the field, its value cut to 80 characters, and what is allowed."""

    why: str

    class Found(Exception):
        """Ends the reading of a message at its first bad field; never leaves `events`."""

        def __init__(self, malformed: Malformed) -> None:
            super().__init__(malformed.why)
            self.malformed = malformed

    @classmethod
    def of(cls, field: str, value: object, allowed: str) -> Malformed:
        """The answer for one bad field; *allowed* begins with "allowed"."""
        return cls(f"{field}: {_shown(value)}; {allowed}")


class Fields:
    """One JSON object of a message, and where in the message it is.

    Raises:
        Malformed.Found: The value is something else.
    """

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, Mapping):
            raise Malformed.Found(Malformed.of(path or "message", value, "allowed is a JSON object"))
        self.value: Mapping[Any, Any] = value
        self.path = path

    def at(self, name: str) -> str:
        """The path of a field of this object."""
        return f"{self.path}.{name}" if self.path else name

    def inner(self, name: str) -> Fields:
        """The object under *name*."""
        return Fields(self.value.get(name), self.at(name))

    def moment(self, name: str) -> datetime:
        """The time under *name*, in UTC."""
        value = self.value.get(name)
        try:
            at = datetime.fromisoformat(value) if isinstance(value, str) else None
            if at is not None and at.tzinfo is not None:
                return at.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise Malformed.Found(Malformed.of(self.at(name), value, "allowed is a time such as 2026-09-01T21:29:54Z"))


def read_json(body: object) -> object:
    """The value of a JSON text."""
    try:
        if isinstance(body, str):
            return json.loads(body)
    # Deep nesting and overlong numbers are JSON all the same, and Python gives up on them.
    except (ValueError, RecursionError):
        pass
    raise Malformed.Found(Malformed.of("message", body, "allowed is a JSON object as text"))


def text(fields: Fields, name: str, form: re.Pattern[str] | None = None, allowed: str = "text") -> str:
    """A text that is not empty, of the form *form*."""
    value = fields.value.get(name)
    if isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and (form is None or form.fullmatch(value)):
        return value
    limit = "" if form else f" of 1 to {LONGEST_TEXT} characters"
    raise Malformed.Found(Malformed.of(fields.at(name), value, f"allowed is {allowed}{limit}"))


def texts(fields: Fields, name: str) -> tuple[str, ...]:
    """A list of texts, possibly empty."""
    value = fields.value.get(name)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise Malformed.Found(Malformed.of(fields.at(name), value, "allowed is a list of texts"))


def number(fields: Fields, name: str, most: int) -> int:
    """A whole number from 0 to *most*."""
    value = fields.value.get(name)
    if type(value) is int and 0 <= value <= most:  # bool is an int to isinstance
        return value
    raise Malformed.Found(Malformed.of(fields.at(name), value, f"allowed is a whole number from 0 to {most}"))


def member_of(fields: Fields, name: str, allowed: Sequence[str]) -> str:
    """One of the texts in *allowed*."""
    value = fields.value.get(name)
    if isinstance(value, str) and value in allowed:
        return value
    raise Malformed.Found(Malformed.of(fields.at(name), value, f"allowed: {', '.join(allowed)}"))


def _shown(value: object) -> str:
    """The value for a message: its beginning, without what a terminal or a log would act on."""
    match value:
        case None:
            return "is missing"
        case str():
            shown = json.dumps(value[: LONGEST_SHOWN + 1])
        case bool() | float():
            shown = json.dumps(value)
        case int():
            # Python refuses to print numbers of thousands of digits.
            shown = str(value) if abs(value) < 10**LONGEST_SHOWN else "a very large number"
        case Mapping():
            return "is a JSON object"
        case list() | tuple():
            return "is a list"
        case _:
            return f"is of type {type(value).__name__}"
    return shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "…"
