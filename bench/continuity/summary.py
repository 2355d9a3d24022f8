"""What people read: a row for each kind of trouble and policy, with the tool and without, the losses included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.continuity.playing import Measured, Played
from chalicelib.text import table

YARDSTICK_SECONDS = 120.0
"""OpenShift's own tests give an egress address this long to be somewhere else after its node is gone."""


@dataclass(frozen=True, slots=True)
class Side:
    """One policy over all seeds of a timeline, with the tool or without.

    Attributes:
        fail_open: Median and worst seconds.
        correct: Median and worst seconds of the runs that came right again; None where no run did.
        never: Runs in which something wished for did not serve at the end.
        late: Runs that took longer than the yardstick, those that never healed included.
    """

    fail_open: tuple[float, float]
    correct: tuple[float, float] | None
    never: int
    late: int


@dataclass(frozen=True, slots=True)
class Line:
    """One policy of one timeline: with the tool, without, and what the tool did in a run (median, worst)."""

    timeline: str
    policy: str
    seeds: int
    ours: Side
    alone: Side
    writes: tuple[float, float]
    messages: tuple[float, float]


def summarise(timeline: str, played: Sequence[tuple[Played, Played]]) -> list[Line]:
    """One line a policy."""
    writes = _spread(with_tool.writes for with_tool, _ in played)
    messages = _spread(with_tool.messages for with_tool, _ in played)
    lines = []
    for index, measured in enumerate(played[0][0].policies):
        ours = _side(with_tool.policies[index] for with_tool, _ in played)
        alone = _side(without.policies[index] for _, without in played)
        lines.append(Line(timeline, measured.policy, len(played), ours, alone, writes, messages))
    return lines


def _side(measured: Iterable[Measured]) -> Side:
    runs = list(measured)
    right = [run.correct_after_seconds for run in runs if run.correct_after_seconds is not None]
    never = len(runs) - len(right)
    return Side(
        _spread(run.fail_open_seconds for run in runs),
        _spread(right) if right else None,
        never,
        never + sum(seconds > YARDSTICK_SECONDS for seconds in right),
    )


def _spread(values: Iterable[float]) -> tuple[float, float]:
    found = list(values)
    return float(median(found)), float(max(found))


HEADER = ("TROUBLE", "POLICY", "FAIL-OPEN s", "WITHOUT", "CORRECT AFTER s", "WITHOUT", "> 120 s", "WITHOUT", "NEVER")
HEADER_MORE = ("WITHOUT", "WRITES", "MESSAGES")


def render(lines: Sequence[Line]) -> str:
    """The table as text: median / worst of the seeds."""
    return table((*HEADER, *HEADER_MORE), [_cells(line) for line in lines])


def markdown(lines: Sequence[Line]) -> str:
    """The same for a page: with the tool and without side by side."""
    header = (
        "| Trouble | Policy | Fail-open, s | without | All correct after, s | without | Over 120 s | without "
        "| Never healed | without | Writes | Messages |"
    )
    rows = ["| " + " | ".join(_cells(line)) + " |" for line in lines]
    return "\n".join([header, "|" + "---|" * 12, *rows])


def _cells(line: Line) -> tuple[str, ...]:
    ours, alone = line.ours, line.alone
    return (
        line.timeline,
        line.policy,
        _pair(ours.fail_open),
        _pair(alone.fail_open),
        _pair(ours.correct),
        _pair(alone.correct),
        f"{ours.late} of {line.seeds}",
        f"{alone.late} of {line.seeds}",
        str(ours.never),
        str(alone.never),
        _pair(line.writes),
        _pair(line.messages),
    )


def _pair(values: tuple[float, float] | None) -> str:
    return "never" if values is None else f"{values[0]:.0f} / {values[1]:.0f}"
