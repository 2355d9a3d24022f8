"""Release: give everything of ours on a cluster back, step by step, each planned from what is there then.

For a person at a terminal. It runs beside visits only where they change nothing (`mode: observe`): a visit in mode
enforce would put back what is taken away here. Should one do so all the same, because the functions read another fleet
file, the release notices that something it took away is there again, and stops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.domain.actions import Action, DeleteEgressIp, ReleaseReservation, UnlabelNode, UnlabelPool
from chalicelib.domain.capacity import report_capacity
from chalicelib.domain.machine_pools.pooling import obstacle_in_ocm
from chalicelib.domain.plan import Plan
from chalicelib.domain.releasing import Release, plan_release
from chalicelib.domain.snapshot import Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec, Mode
from chalicelib.domain.terrain import all_known
from chalicelib.problems import BadInput
from chalicelib.usecases.act import Failure, execute
from chalicelib.usecases.observe import observe
from chalicelib.usecases.visit import Outside
from chalicelib.usecases.waiting import Patience


@dataclass(frozen=True, slots=True)
class Released:
    """How far a release came.

    Attributes:
        plan: What was to be given back when it began; its digest is what a person approves.
        applied, failed: What was done and what was not; both None where it was not approved.
        waiting: What it still waited for at the end.
        stopped: Why it did not go on; empty where it did.
    """

    observed: Snapshot
    plan: Plan
    applied: tuple[Action, ...] | None
    failed: tuple[Failure, ...] | None
    waiting: tuple[str, ...] = ()
    stopped: str = ""

    @property
    def complete(self) -> bool:
        """Nothing of ours is left."""
        return self.applied is not None and not self.failed and not self.waiting and not self.stopped


@dataclass
class _Progress:
    applied: list[Action] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


def release(
    desired: ClusterSpec,
    outside: Outside,
    approve: Callable[[Plan], bool],
    patience: Patience,
    show: Callable[[str], None],
) -> Released:
    """Plan, have it approved, and carry it out until nothing of ours is left or the time is up.

    Args:
        approve: Is asked once, with the whole plan.
        show: Gets a line for each step.

    Raises:
        BadInput: Visits of the cluster may change things, and would put everything back.
    """
    if desired.mode is not Mode.OBSERVE:
        raise BadInput(
            f"clusters.{desired.name}.mode: {desired.mode.value}: visits would put back what a release takes away;"
            " allowed is observe, in the fleet file that the functions read (they notice within a minute)"
        )
    observed, planned = _look(desired, outside)
    if isinstance(planned, str):
        return Released(observed, Plan(desired.name), None, None, stopped=planned)
    whole = planned.plan
    if whole.actions and not approve(whole):
        return Released(observed, whole, None, None, whole.moving, stopped="not approved")
    return _carry_out(desired, outside, (observed, planned), patience, show)


def _carry_out(
    desired: ClusterSpec,
    outside: Outside,
    first: tuple[Snapshot, Release],
    patience: Patience,
    show: Callable[[str], None],
) -> Released:
    observed, planned = first
    whole, done = planned.plan, _Progress()
    approved = {_key(action) for action in whole.actions}
    until = patience.clock() + patience.timeout

    def ended(waiting: tuple[str, ...] = (), stopped: str = "") -> Released:
        return Released(observed, whole, tuple(done.applied), tuple(done.failed), waiting, stopped)

    while not planned.complete:
        if surprise := _surprise(planned.plan.actions, approved, done.applied):
            return ended(planned.plan.moving, f"somebody makes anew what is to go: {surprise}")
        if planned.due:
            report = execute(Plan(desired.name, planned.due), outside.cluster, outside.ec2, outside.pools(observed))
            for action in report.applied:
                show(action.summary)
            done.applied += [action for action in report.applied if action not in done.applied]
            done.failed += report.failed
            if report.failed:
                return ended(planned.plan.moving)
        else:
            show("; ".join(planned.plan.moving))
        left = until - patience.clock()
        if left <= 0:
            return ended(planned.plan.moving, "the time is up; another release goes on from here")
        patience.sleep(min(patience.interval, left))
        observed, found = _look(desired, outside)
        if isinstance(found, str):
            return ended((), found)
        planned = found
    return ended()


def _key(action: Action) -> tuple[str, str]:
    """What an action takes away; the same thing made anew has another key."""
    match action:
        case DeleteEgressIp():
            return ("EgressIP", action.uid)
        case ReleaseReservation():
            return ("reservation", action.reservation_id)
        case _:
            return ("label", action.summary.partition(":")[0])


def _surprise(actions: tuple[Action, ...], approved: set[tuple[str, str]], applied: list[Action]) -> str:
    """What was not there when the release was approved, or is back; in words, empty where there is none.

    A list of EC2 may still show for a moment what has just been deleted: the same thing again is no surprise. Nor is
    one more node: it was born before the label was off its pool.
    """
    gone = {_key(action) for action in applied if isinstance(action, UnlabelPool)}
    new = [
        action.summary
        for action in actions
        if not isinstance(action, UnlabelNode) and (_key(action) not in approved or _key(action) in gone)
    ]
    return "; ".join(new)


def _look(desired: ClusterSpec, outside: Outside) -> tuple[Snapshot, Release | str]:
    """What is there, and what is to go; or why that is not known. A release waits for everything, OCM included."""
    observed = observe(desired, outside.cluster, outside.ec2, outside.clock(), outside.ocm)
    blind = [section for section in observed.unknown() if section is not observed.limits]
    known, capacity = all_known(observed), report_capacity(observed)
    if blind or known is None or isinstance(capacity, Unknown):
        reasons = "; ".join(f"{section.what} could not be read: {section.why}" for section in blind)
        return observed, f"nothing is taken away while something is unknown: {reasons}"
    obstacles = obstacle_in_ocm(observed.ocm, desired)
    if obstacles:
        return observed, f"nothing is written to OCM meanwhile: {' '.join(finding.summary for finding in obstacles)}"
    return observed, plan_release(known, desired, capacity)
