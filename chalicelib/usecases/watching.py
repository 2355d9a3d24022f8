"""Watching the watchman: since when has no visit of a cluster come to its good end?

A visit counts once it has run to its end and told people what was due. One that could not read the cluster counts too:
that is a finding, and people hear of it. What does not count is a visit that never came, crashed, or could not tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chalicelib.usecases.ports import Memory


def minutes_since_good_visit(clusters: Iterable[str], memory: Memory, now: datetime) -> dict[str, float]:
    """Minutes by cluster since its last good visit; since it was first asked for, where there has been none.

    Raises:
        AdapterError: The memory does not answer. Then there is no number, which the alarm takes for a bad one.
    """
    known = memory.fetch_good_visits()
    minutes: dict[str, float] = {}
    for cluster in clusters:
        last = known.get(cluster)
        if last is None or last > now:  # new in the fleet, or written by a clock that ran ahead
            memory.store_good_visit(cluster, now)
            last = now
        minutes[cluster] = (now - last).total_seconds() / 60
    return minutes
