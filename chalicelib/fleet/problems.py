"""Problems of a fleet file, in words: where, which field, what stands there, what is allowed.

Belongs here: the error and its rendering. Does not belong here: finding the problems (`text`, `model`,
`rules`). Nothing here shows a value that might be a secret: messages end in logs and run reports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of the file to a value."""

MOST_SHOWN = 100
LONGEST_SHOWN = 60

SECRETS = frozenset({"token", "credentials", "ca"})
"""Fields whose value is never shown: people put the secret itself where its place is wanted."""

PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
USER_INFO = re.compile(r"//.*@")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the file. `line` counts from 1; `text` ends with what is allowed."""

    line: int
    path: Path
    text: str

    def render(self, origin: str) -> str:
        """`origin:line: field: text`."""
        return f"{origin}:{self.line}: " + (f"{field_path(self.path)}: " if self.path else "") + self.text


class FleetError(Exception):
    """The fleet file can't be used. The message has one line a problem, by line of the file; nothing was applied.

    Attributes:
        origin: The file, as it was named.
        problems: All of them, also those beyond the hundred that the message shows; empty if there was no file to read.
    """

    def __init__(self, origin: str, problems: Iterable[Problem] | str) -> None:
        self.origin = origin
        self.problems: tuple[Problem, ...] = ()
        if isinstance(problems, str):
            super().__init__(f"{origin}: {problems}")
            return
        once = {(problem.line, field_path(problem.path), problem.text): problem for problem in problems}
        self.problems = tuple(once[key] for key in sorted(once))
        lines = [problem.render(origin) for problem in self.problems[:MOST_SHOWN]]
        if len(self.problems) > MOST_SHOWN:
            lines.append(f"{origin}: and {len(self.problems) - MOST_SHOWN} problems more")
        super().__init__("\n".join(lines))


def field_path(path: Path) -> str:
    """The path as people write it: `clusters[0].policies[1].namespaces.matchLabels["a/b"]`."""
    rendered = ""
    for element in path:
        if isinstance(element, str) and PLAIN_KEY.fullmatch(element) and len(element) <= LONGEST_SHOWN:
            rendered += f".{element}" if rendered else element
        else:
            rendered += f"[{element if isinstance(element, int) else _quoted(element)}]"
    return rendered


def shown(path: Path, value: object) -> str:
    """A value for a message: cut, on one line, and not at all where it might be a secret."""
    match value:
        case dict():
            return "is a mapping"
        case list():
            return "is a list"
        case _ if path and path[-1] in SECRETS:
            return "value (not shown)"
        case str():
            return f"value {_quoted(USER_INFO.sub('//…@', value))}"
        case _:
            return f"value {json.dumps(value)}"


def shown_bare(path: Path, word: str) -> str:
    """A word for a message as it stands in the file, without quotes; under the same rule."""
    return "value (not shown)" if path and path[-1] in SECRETS else f"value {word[:LONGEST_SHOWN]}"


def _quoted(value: str) -> str:
    cut = value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "…"
    return json.dumps(cut, ensure_ascii=False)
