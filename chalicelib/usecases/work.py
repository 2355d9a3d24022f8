"""Work: one message of the work queue becomes one visit, remembered as a run, and followed by another if need be.

A run is told apart by its id from the moment it is ordered; a message that SQS delivers twice visits twice and writes
the same run, which is harmless: a visit that finds nothing to do does nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.approving import Approval
from chalicelib.domain.records import RunRecord
from chalicelib.domain.spec import ClusterSpec
from chalicelib.events import WorkOrder, encode_visit
from chalicelib.settings import Settings
from chalicelib.usecases.credential import days_left
from chalicelib.usecases.documents import envelope, visit_document
from chalicelib.usecases.ports import Alerts, ClusterApi, ClusterToken, Ec2, Memory, Ocm, Queues
from chalicelib.usecases.tell import Timing
from chalicelib.usecases.visit import Outcome, Outside, Pace, visit


@dataclass(frozen=True, slots=True)
class Worked:
    """A visit that was worked off.

    Attributes:
        calls: Requests by system.
        remembered: Whether its run, and its good end, could be remembered.
        credential_days: Days until the cluster's token ends; None where it has no end, or could not be read.
    """

    outcome: Outcome
    calls: Mapping[str, int]
    remembered: bool
    credential_days: float | None = None


class Adapters(Protocol):
    """What work needs of the wiring."""

    settings: Settings
    calls: CallCounter

    @property
    def memory(self) -> Memory:
        """Findings and runs."""
        ...

    @property
    def alerts(self) -> Alerts:
        """Where people are told."""
        ...

    @property
    def queues(self) -> Queues:
        """Where the next visit is ordered."""
        ...

    def cluster(self, cluster: ClusterSpec) -> ClusterApi:
        """The cluster's API."""
        ...

    def token(self, cluster: ClusterSpec) -> ClusterToken:
        """The token that the cluster's API is asked with."""
        ...

    def ec2(self, cluster: ClusterSpec) -> Ec2:
        """EC2 in the cluster's account and Region."""
        ...

    def ocm(self, cluster: ClusterSpec) -> Ocm | None:
        """OCM; None where the fleet file gives no credentials for it."""
        ...


def pace_of(settings: Settings) -> Pace:
    """The pauses that the settings name."""
    timing = Timing(timedelta(seconds=settings.settle_seconds), timedelta(seconds=settings.reminder_seconds))
    return Pace(timing, timedelta(seconds=settings.revisit_seconds))


def approval_of(order: WorkOrder) -> Approval | None:
    """The approval that an order carries. One that does not say when it was given is as old as can be."""
    if order.approve is None:
        return None
    return Approval(order.approve, order.approved_at or datetime.min.replace(tzinfo=UTC))


def work(order: WorkOrder, desired: ClusterSpec, adapters: Adapters, clock: Callable[[], datetime]) -> Worked:
    """Visit, remember the run, order the next visit.

    Raises:
        AdapterError: People could not be told, or the next visit not be ordered: SQS delivers the message again.
    """
    started_at = clock()
    _remember(adapters.memory, RunRecord(order.run_id, desired.name, "running", started_at, {}))
    adapters.calls.take()
    outside = Outside(
        adapters.cluster(desired),
        adapters.ec2(desired),
        clock,
        memory=adapters.memory,
        alerts=adapters.alerts,
        ocm=adapters.ocm(desired),
        token=adapters.token(desired),
    )
    try:
        outcome = visit(
            desired,
            outside,
            pace_of(adapters.settings),
            run_id=order.run_id,
            attempt=order.attempt,
            approval=approval_of(order),
            runbooks=adapters.settings.runbooks,
        )
    except AdapterError as error:
        failed = {"error": str(error)}
        _remember(adapters.memory, RunRecord(order.run_id, desired.name, "failed", started_at, failed))
        raise
    document = envelope("visit", [visit_document(outcome)])
    remembered = _remember(adapters.memory, RunRecord(order.run_id, desired.name, outcome.status, started_at, document))
    watched = _remember_good(adapters.memory, desired.name, outcome.ended_at)
    if outcome.revisit_in is not None:
        goes_on = outcome.approval is not None
        again = encode_visit(
            desired.name,
            order.attempt + 1,
            f"revisit after {order.run_id}",
            order.correlation_id,
            approve=order.approve if goes_on else None,
            approved_at=order.approved_at if goes_on else None,
        )
        adapters.queues.send_events([again], delay_seconds=int(outcome.revisit_in.total_seconds()))
    calls: Counter[str] = Counter()
    for (system, _), number in adapters.calls.take().items():
        calls[system] += number
    left = days_left(outside.token, outcome.ended_at) if outside.token is not None else None
    return Worked(outcome, calls, remembered and watched, left)


def _remember_good(memory: Memory, cluster: str, at: datetime) -> bool:
    """Note the good end of a visit if that is possible; where it is not, the alarm on missing visits will say so."""
    try:
        memory.store_good_visit(cluster, at)
    except AdapterError:
        return False
    return True


def _remember(memory: Memory, run: RunRecord) -> bool:
    """Store the run if that is possible: a lost table must not keep a cluster from its visit."""
    try:
        memory.store_run(run)
    except AdapterError:
        return False
    return True
