"""Laws of machine pools and of release, over random clusters with random pools in OCM."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.actions import (
    POOL_LABELS,
    Action,
    CreatePool,
    LabelPool,
    UnlabelPool,
)
from chalicelib.domain.capacity import CapacityReport, report_capacity
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.pools import MachinePool, OcmView, Scaling
from chalicelib.domain.releasing import Release, plan_release
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, MARK_LABEL, Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec, PoolCreation, PoolSpec
from chalicelib.domain.terrain import all_known, is_our_object
from tests import factories as make
from tests.domain.strategies import clusters, fleets
from tests.domain.world import apply_plan, converge, serving, settle
from tests.factories import known

laws = settings(max_examples=25, deadline=None)

_labels = st.dictionaries(
    st.sampled_from(["team", "tier", ASSIGNABLE_LABEL, MARK_LABEL]), st.sampled_from(["", "x"]), max_size=4
)
_pools = st.dictionaries(st.sampled_from("abcz"), _labels, max_size=4)
_states = st.sampled_from(["ready", "ready", "ready", "hibernating", "error"])
_creations = st.sampled_from(
    [
        None,
        PoolCreation("m5.xlarge", Scaling(1, 2, auto=True), zones=("eu-central-1a", "eu-central-1b")),
        PoolCreation("m5.xlarge", Scaling(3, 3, auto=False), subnets=("subnet-c",), labels=(("team", "y"),)),
        PoolCreation("m5.unknown", Scaling(1, 1, auto=False), zones=("eu-central-1a",)),
    ]
)


def _view(labels_by_zone: dict[str, dict[str, str]], state: str, hosted: bool) -> OcmView:
    pools = [_pool(zone, labels) for zone, labels in sorted(labels_by_zone.items())]
    return OcmView(make.ocm_cluster(state=state, hosted=hosted), tuple(pools))


def _pool(zone: str, labels: dict[str, str]) -> MachinePool:
    return make.pool(zone, labels=labels)


views = st.builds(_view, _pools, _states, st.booleans())


def _with_creation(desired: ClusterSpec, creation: PoolCreation | None) -> ClusterSpec:
    extra = () if creation is None else (PoolSpec("made", creation),)
    return replace(desired, infra_id="demo-x7k2p", machine_pools=(*desired.machine_pools, *extra))


wishes = st.builds(_with_creation, fleets, _creations)


def in_ocm(planned: Plan) -> tuple[Action, ...]:
    return tuple(action for action in planned.actions if isinstance(action, CreatePool | LabelPool))


@laws
@given(clusters, fleets, views)
def test_no_address_depends_on_ocm(observed: Snapshot, desired: ClusterSpec, view: OcmView) -> None:
    """Whatever OCM says or fails to say, every other action is the same."""
    without = plan(observed, desired).actions
    for ocm in (view, Unknown("machine pools", "503", "OCM")):
        planned = plan(replace(observed, ocm=ocm), desired)
        assert tuple(action for action in planned.actions if action not in in_ocm(planned)) == without


@laws
@given(clusters, wishes, views)
def test_pools_are_labelled_and_made_once_and_lose_nothing(
    observed: Snapshot, desired: ClusterSpec, view: OcmView
) -> None:
    """Every label stays, the plan that follows has nothing to do in OCM, and a cluster that is not ready is left."""
    before = replace(observed, ocm=view)
    planned = plan(before, desired)
    for action in planned.actions:
        if isinstance(action, LabelPool):
            assert action.after.items() >= {k: v for k, v in action.before.items() if k not in POOL_LABELS}.items()
            assert ASSIGNABLE_LABEL not in action.before
    if view.cluster.state != "ready":
        assert in_ocm(planned) == ()
    after = apply_plan(before, replace(planned, actions=in_ocm(planned)))
    assert in_ocm(plan(after, desired)) == ()


def released(observed: Snapshot, desired: ClusterSpec) -> Release:
    known, capacity = all_known(observed), report_capacity(observed)
    assert known is not None
    assert isinstance(capacity, CapacityReport)
    return plan_release(known, desired, capacity)


def foreign(observed: Snapshot) -> Any:
    """Everything that is not ours."""
    view = observed.ocm
    assert isinstance(view, OcmView)
    return (
        {eip.name: eip.spec for eip in known(observed.egress_ips) if not is_our_object(eip)},
        {r.id: r for r in known(observed.reservations) if r.tags.get("egress-keeper/cluster") != "demo"},
        {p.name: {k: v for k, v in p.labels.items() if k not in POOL_LABELS} for p in view.pools},
        {p.name: p.labels for p in view.pools if MARK_LABEL not in p.labels},
        {n.name: n.assignable for n in known(observed.nodes) if not n.marked},
    )


@laws
@given(clusters, fleets, views, st.integers(0, 5))
def test_a_release_takes_all_of_ours_and_nothing_else(
    observed: Snapshot, desired: ClusterSpec, view: OcmView, cut: int
) -> None:
    """From whatever state, cut short once: it ends with nothing of ours, and all that is not ours as it was."""
    ready = replace(
        view, cluster=replace(view.cluster, state="ready", hosted=any(n.pool for n in known(observed.nodes)))
    )
    marked = tuple(replace(n, marked=n.assignable is not None and n.name.endswith("0")) for n in known(observed.nodes))
    now = converge(replace(observed, ocm=ready, nodes=marked), replace(desired, infra_id="demo-x7k2p"))
    theirs, serves = foreign(now), {k: v for k, v in serving(now).items() if k in foreign(now)[0]}
    for number in range(20):
        release = released(now, desired)
        if release.complete or not release.due:
            break
        due = release.due[:cut] if number == 0 else release.due
        assert not [a for a in due if isinstance(a, UnlabelPool) and MARK_LABEL not in a.before]
        now = settle(apply_plan(now, Plan("demo", due)))
    names, reservations, labels, unmarked, _ = foreign(now)
    assert (names, reservations, labels) == theirs[:3]
    assert unmarked.items() >= theirs[3].items()
    assert {k: v for k, v in serving(now).items() if k in names} == serves, "what serves others goes on serving"
    assert not [eip for eip in known(now.egress_ips) if is_our_object(eip)]
    left = released(now, desired).plan
    assert not left.actions
