"""What a line of the benchmark found, as values, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: ours, and what a user would do instead where there is such a thing. Less is better.

    Attributes:
        case: The size or function measured ("5,000 nodes").
        measure: What was measured, with its unit ("wall time, s").
        ours: Median of the repetitions.
        theirs: The same for the other way; None where ours stands alone.
        aim: What we want of `ratio` (at least) or of `ours` (at most), in words; empty where nothing is promised.
        met: Whether that holds; None where nothing is promised.
    """

    case: str
    measure: str
    ours: float
    theirs: float | None = None
    aim: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        """How many times ours the other way needs; below 1 where ours needs more."""
        return None if self.theirs is None or not self.ours else self.theirs / self.ours


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the benchmark. `notes` say what exactly was compared, and what was found besides."""

    line: str
    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)


def render(result: Result) -> str:
    """The result as a table with its notes."""
    header = ("CASE", "MEASURE", "OURS", "OTHER WAY", "RATIO", "AIM")
    cells = [header, *[_cells(row) for row in result.rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    notes = [f"  {note}" for note in result.notes]
    return "\n".join([f"{result.line}: {result.title} ({result.seconds:.0f} s)", *lines, *notes])


def as_json(results: Sequence[Result], facts: Mapping[str, str]) -> str:
    """Everything, for a machine."""
    lines = [
        {**asdict(result), "rows": [{**asdict(row), "ratio": row.ratio} for row in result.rows]} for result in results
    ]
    return json.dumps({"machine": dict(facts), "lines": lines}, indent=2)


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.1f}×"
    aim = "" if row.met is None else f"{row.aim}: {'met' if row.met else 'MISSED'}"
    return (row.case, row.measure, number(row.ours), "" if row.theirs is None else number(row.theirs), ratio, aim)


def number(value: float) -> str:
    """Three digits that matter, whole numbers as they are."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
