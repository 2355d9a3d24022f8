"""What comes of replaying one recording, however it was played."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """Where what was played first differs from a recording: the line, and what was expected and got."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one recording.

    Attributes:
        difference: The first one; None if it passes.
        weaker: Lines that pass only with another choice or order than the usual one.
        notes: Remarks that are no failure.
    """

    difference: Difference | None
    weaker: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
