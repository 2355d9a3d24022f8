"""Wait until machine pools can carry egress addresses, and say meanwhile how far they are. Changes nothing.

For a person at a terminal; functions never wait, they come back (`visit`). Because nothing is written, it may be broken
off at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from chalicelib.domain.machine_pools.waiting import PoolProgress, named_pools, pool_progress
from chalicelib.domain.snapshot import Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec
from chalicelib.problems import BadInput


@dataclass(frozen=True, slots=True)
class Waited:
    """Where waiting ended.

    Attributes:
        pools: The last that was seen; empty where it could not be read.
        complete: Every pool can carry.
    """

    observed: Snapshot
    pools: tuple[PoolProgress, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often, in seconds; `clock` is monotonic."""

    timeout: float
    interval: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]


def wait(
    desired: ClusterSpec,
    observe: Callable[[], Snapshot],
    names: Collection[str],
    patience: Patience,
    show: Callable[[str], None],
) -> Waited:
    """Look again and again until all is there or the time is up; *show* gets a line whenever something changed.

    Raises:
        BadInput: A name is no pool of the cluster, or there is none to wait for.
    """
    until = patience.clock() + patience.timeout
    shown = ""
    while True:
        observed = observe()
        progress = pool_progress(observed, _meant(observed, desired, names))
        lines = _lines(progress)
        if lines != shown:
            show(lines)
            shown = lines
        pools = () if isinstance(progress, Unknown) else progress
        complete = not isinstance(progress, Unknown) and all(pool.complete for pool in pools)
        left = until - patience.clock()
        if complete or left <= 0:
            return Waited(observed, pools, complete)
        patience.sleep(min(patience.interval, left))


def _meant(observed: Snapshot, desired: ClusterSpec, names: Collection[str]) -> tuple[str, ...]:
    try:
        meant = named_pools(observed, desired, names)
    except KeyError as error:
        raise BadInput(f"--pool: {error.args[0]}") from None
    if not meant:
        raise BadInput(f"--pool: is missing, and the fleet file lists no machine pool of {desired.name}")
    return meant


def _lines(progress: tuple[PoolProgress, ...] | Unknown) -> str:
    if isinstance(progress, Unknown):
        return f"{progress.what} could not be read: {progress.why}"
    return "\n".join(line for pool in progress for line in (pool.summary, *(f"  {reason}" for reason in pool.reasons)))
