"""The matrix as text: one table a situation, and one line a situation at the end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from chalicelib.text import table
from sandbox.faults.calls import CallName, Trouble
from sandbox.faults.matrix import Case, Matrix

LEGEND = """\
In a cell: how many visits it took until the world was as if nothing had happened; 1 is the one that came by itself.
  +    people got a message once more than they should
  -    it was repaired before anybody could be told
  .    does not apply: it is not tried there, or there is no earlier answer to give
  BAD  see below the table

A column is what happens at that one call, once:
  killed before, killed after   the process ends there; the call was not done, or done
  throttled, 502 page           the answer is a refusal, or a proxy's HTML
  no answer                     the connection is closed, nothing was done
  done, no answer               the connection is closed, and it was done
  answer cut                    half of the answer, then the end
  stale answer                  what an earlier visit was told
  edited just then              the call is answered, but before that somebody edits another object\
"""


def render(matrix: Matrix) -> str:
    """One situation as a table, and what is remarkable about single cells in words."""
    situation = matrix.reference.situation
    rows = [call for call in matrix.reference.calls if any(case.call == call for case in matrix.cases)]
    columns = [trouble for trouble in Trouble if any(case.trouble is trouble for case in matrix.cases)]
    cells = {(case.call, case.trouble): str(case) for case in matrix.cases}
    heads = [_head(trouble) for trouble in columns]
    listed: list[Sequence[str]] = [("", *(second for _, second in heads))]
    for function, calls in groupby(rows, lambda call: call.function):
        listed.append((function, *("" for _ in columns)))
        listed += [(f"  {_short(call)}", *(cells.get((call, trouble), ".") for trouble in columns)) for call in calls]
    title = f"{situation.name}: {situation.beginning} {len(matrix.cases)} cells, {len(matrix.bad) or 'none'} bad."
    shown = table(("", *(first for first, _ in heads)), listed)
    return "\n".join(["", title, "", shown, *_remarks(matrix.cases)])


def render_summary(matrices: Iterable[Matrix]) -> str:
    """One line a situation: cells, bad ones, and how many visits they took."""
    listed: list[Sequence[str]] = []
    for matrix in matrices:
        visits = Counter(min(case.visits, 4) for case in matrix.cases)
        numbers = (
            len({case.call for case in matrix.cases}),
            len(matrix.cases),
            len(matrix.bad),
            *(visits[number] for number in (1, 2, 3, 4)),
            sum(bool(case.repeated) for case in matrix.cases),
        )
        listed.append((matrix.reference.situation.name, *map(str, numbers)))
    return table(("situation", "calls", "cells", "bad", "1 visit", "2", "3", "more", "told twice"), listed)


def _head(trouble: Trouble) -> tuple[str, str]:
    """The heading in two lines, so that columns stay narrow."""
    words = trouble.value.replace("done, no answer", "done,|no answer").replace("edited just", "edited|just")
    first, _, second = words.partition("|") if "|" in words else words.partition(" ")
    return (first, second) if second else ("", first)


def _short(call: CallName) -> str:
    """Without the function, and without what is the same in every name."""
    what = re.sub(r"namespaces/[^/]+/", "", call.what)
    what = re.sub(r"(?<= )/\S*/(?=[^/]+$)", "", what)
    return f"{call.system} {what}" + (f" #{call.nth}" if call.nth > 1 else "")


def _remarks(cases: Iterable[Case]) -> list[str]:
    lines = []
    for case in cases:
        where = f"{case.call.function} {_short(case.call)}, {case.trouble}"
        lines += [f"+    {where}: {', '.join(case.repeated)}"] if case.repeated else []
        lines += [f"-    {where}: {', '.join(case.unheard)}"] if case.unheard else []
        lines += [f"BAD  {where}: {'; '.join(case.problems)}"] if case.problems else []
    return ["", *lines] if lines else []
