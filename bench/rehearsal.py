"""Line (e): trying a plan on the model of the platform before it is carried out, at growing sizes.

The clusters of `bench.planning`, at rest, with two addresses on each node. *One policy more* and *thirty policies more*
add one address a zone each, which is what a fleet file's change usually is; *first creation* is the largest plan that a
cluster can have. All run as every release that the cluster may run. Nothing to change means nothing to rehearse.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from bench.objects import ZONES
from bench.planning import settle, snapshot, wish
from bench.results import Result, Row
from chalicelib.domain.actions import Action
from chalicelib.domain.planning import plan
from chalicelib.domain.rehearsing.rehearsal import Rehearsal, rehearse
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.spec import ClusterSpec, PolicySpec

SIZES = (100, 1_000)
QUICK_SIZES = (100,)
AIM_SECONDS = 1.0
"""For a change of up to thirty policies at 1,000 nodes."""


def measure(*, quick: bool, sizes: Sequence[int] = ()) -> Result:
    """Time every situation at every size (numbers of nodes)."""
    began = time.perf_counter()
    rows: list[Row] = []
    for nodes in sizes or (QUICK_SIZES if quick else SIZES):
        for situation, (run, addresses) in situations(nodes).items():
            seconds, found = _time(run, 3 if quick else 5)
            case = f"{situation}, {nodes:,} nodes, {addresses:,} addresses, {found.runs} runs"
            aimed = nodes == SIZES[-1] and situation != "first creation"
            aim, met = (f"≤ {AIM_SECONDS:g} s", seconds <= AIM_SECONDS) if aimed else ("", None)
            rows.append(Row(case, "CPU time, s", seconds, aim=aim, met=met))
    notes = ["a rehearsal waits for nothing: its CPU time is its wall time on a machine that is not busy otherwise"]
    return Result("rehearsal", "one plan, tried on the model", rows, notes, time.perf_counter() - began)


def situations(nodes: int) -> Mapping[str, tuple[Callable[[], Rehearsal], int]]:
    """Rehearsals ready to be timed, and how many addresses each places."""
    desired, empty = wish(nodes), snapshot(nodes)
    created = plan(empty, desired)
    settled = settle(empty, created)
    made = {
        "one policy more": _ready(settled, _with(desired, 1)),
        "thirty policies more": _ready(settled, _with(desired, 30)),
        "first creation": _ready(empty, desired),
    }
    for run, addresses in made.values():
        found = run()
        served = sum(bool(expected.nodes) for expected in found.expectations)
        if found.objections or served != addresses:
            raise AssertionError(f"{served} of {addresses} addresses would serve; {found.objections[:3]}")
    return made


def _ready(observed: Snapshot, desired: ClusterSpec) -> tuple[Callable[[], Rehearsal], int]:
    actions = plan(observed, desired).actions
    policies = len(desired.policies) - len(observed.egress_ips if isinstance(observed.egress_ips, tuple) else ())
    return partial(_rehearse, actions, observed), policies * len(ZONES)


def _rehearse(actions: Sequence[Action], observed: Snapshot) -> Rehearsal:
    found = rehearse(actions, observed)
    assert found is not None
    return found


def _with(desired: ClusterSpec, count: int) -> ClusterSpec:
    more = [PolicySpec(f"further-{n:02d}", '{"matchLabels":{"team":"further"}}', per_zone=1) for n in range(count)]
    return replace(desired, policies=(*desired.policies, *more))


def _time(run: Callable[[], Rehearsal], repetitions: int) -> tuple[float, Rehearsal]:
    seconds = []
    gc.collect()
    for _ in range(repetitions):
        began = time.process_time()
        found = run()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds), found
