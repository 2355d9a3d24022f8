"""What is kept of a run, and what a REST caller gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.plumbing.invoking import FunctionError


@dataclass(frozen=True)
class Invocation:
    """One run of one function: why, with what, and how it ended."""

    function: str
    trigger: str
    """`event`, `schedule`, `queue` or `request`."""
    event: Mapping[str, Any]
    when: float
    """Start on the sandbox's timeline, epoch seconds."""
    duration_seconds: float
    """Real time."""
    result: Any = None
    error: FunctionError | None = None
    attempt: int = 1


@dataclass(frozen=True)
class Answer:
    """What a REST request got."""

    status: int
    headers: Mapping[str, Any]
    body: str

    @property
    def json(self) -> Any:
        """The body as JSON. Raises ValueError when it is not."""
        return json.loads(self.body)
