"""Route: a batch of events becomes at most one visit a cluster and window of time.

Instances are mapped to clusters with one EC2 read a region and account. Three outcomes are kept apart: *ours* (a
visit), *not ours* (counted, dropped), *not known yet* (comes back: EC2 may not show an instance in its first seconds).

Why no wake-up is lost: a visit's deduplication id is cluster and window index, so the events of one window fold into
one visit; the work queue delays delivery by more than a window, so that visit starts after the last event of its
window. Deduplicating by cluster alone would swallow the last event of a burst for the five minutes of SQS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.spec import ClusterSpec, Fleet
from chalicelib.events import (
    InstanceChanged,
    Malformed,
    SqsRecord,
    VisitRequested,
    WorkOrder,
    encode_retry,
    encode_work,
    parse_body,
)
from chalicelib.usecases.ports import Ec2, Queues

MOST_RETRIES = 4
FIRST_RETRY_SECONDS = 15
"""Pauses of 15, 30, 60 and 120 s: EC2 shows an instance within seconds of its first event, rarely a minute."""

GONE = frozenset({"shutting-down", "stopping", "terminated"})
"""States whose instances need no second look: what EC2 no longer knows will not come back."""


@dataclass(frozen=True, slots=True)
class Wake:
    """One reason to visit a cluster, and the message it came in."""

    message_id: str
    reason: str
    correlation_id: str
    attempt: int


@dataclass
class Routing:
    """What became of a batch: counts by outcome, run ids and wake-ups by cluster, messages to give back to SQS."""

    outcomes: Counter[str] = field(default_factory=Counter)
    runs: dict[str, str] = field(default_factory=dict)
    malformed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    wakes: dict[str, list[Wake]] = field(default_factory=dict)

    @property
    def correlation(self) -> dict[str, list[str]]:
        """Which events became part of which run: correlation ids by run id."""
        return {run: [wake.correlation_id for wake in self.wakes[cluster]] for cluster, run in self.runs.items()}

    def wake(self, cluster: str, wake: Wake) -> None:
        """Note one reason to visit a cluster."""
        self.wakes.setdefault(cluster, []).append(wake)


def run_id_of(cluster: str, now: datetime, window_seconds: int, approve: str | None = None) -> str:
    """The run that a wake-up at *now* becomes part of: cluster and window index, and the approved digest if any."""
    window = int(now.timestamp()) // window_seconds
    return f"{cluster}.{window}" + (f".{approve}" if approve else "")


def order_visit(
    cluster: str,
    queues: Queues,
    now: datetime,
    window_seconds: int,
    *,
    reasons: tuple[str, ...],
    correlation_id: str,
    attempt: int = 0,
    approve: str | None = None,
    approved_at: datetime | None = None,
) -> str:
    """Put one visit on the work queue, or fold into the one of this window; returns its run id."""
    run_id = run_id_of(cluster, now, window_seconds, approve)
    order = WorkOrder(run_id, cluster, reasons, attempt, correlation_id, approve, approved_at)
    queues.send_work(encode_work(order), group=cluster, deduplication_id=run_id)
    return run_id


def route(
    records: Iterable[SqsRecord],
    fleet: Fleet,
    *,
    ec2_of: Callable[[ClusterSpec], Ec2],
    queues: Queues,
    now: datetime,
    window_seconds: int,
) -> Routing:
    """Route one batch. Messages in `Routing.failed` must be given back to SQS; all others are dealt with."""
    routing = Routing()
    changed: list[tuple[SqsRecord, InstanceChanged]] = []
    for record in records:
        match parse_body(record.body):
            case InstanceChanged() as event:
                changed.append((record, event))
            case VisitRequested(approve=str()) as request if request.cluster in fleet.clusters:
                if not _order_approved(request, queues, now, window_seconds):
                    routing.failed.append(record.message_id)
            case VisitRequested() as request if request.cluster in fleet.clusters:
                wake = Wake(record.message_id, request.reason, request.correlation_id, request.attempt)
                routing.wake(request.cluster, wake)
            case VisitRequested():
                routing.outcomes["no such cluster"] += 1
            case Malformed() as malformed:
                routing.outcomes["malformed"] += 1
                routing.malformed.append(malformed.why)
    for region in sorted({event.region for _, event in changed}):
        of_region = [(record, event) for record, event in changed if event.region == region]
        clusters = tuple(cluster for cluster in fleet.clusters.values() if cluster.region == region)
        _route_region(of_region, clusters, routing, ec2_of=ec2_of, queues=queues)
    for cluster, wakes in sorted(routing.wakes.items()):
        try:
            routing.runs[cluster] = _order(cluster, wakes, queues, now, window_seconds)
        except AdapterError:
            routing.failed.extend(wake.message_id for wake in wakes)
    return routing


def _route_region(
    changed: list[tuple[SqsRecord, InstanceChanged]],
    clusters: tuple[ClusterSpec, ...],
    routing: Routing,
    *,
    ec2_of: Callable[[ClusterSpec], Ec2],
    queues: Queues,
) -> None:
    """Map the instances of one region. An account that can't be read gives back only what no other one explains."""
    ids = sorted({event.instance_id for _, event in changed})
    tags: dict[str, Mapping[str, str]] = {}
    unreadable = False
    for _, one in sorted({cluster.role_arn or "": cluster for cluster in clusters}.items()):
        try:
            tags.update(ec2_of(one).fetch_cluster_tags(ids))
        except AdapterError:
            unreadable = True
    for record, event in changed:
        there = tags.get(event.instance_id)
        owner = next((c.name for c in clusters if there is not None and _belongs(there, c)), None)
        if owner is not None:
            routing.outcomes["ours"] += 1
            routing.wake(owner, Wake(record.message_id, f"{event.instance_id} {event.state}", event.event_id, 0))
        elif there is not None or not clusters:
            routing.outcomes["not ours"] += 1
        elif unreadable:
            routing.outcomes["given back"] += 1
            routing.failed.append(record.message_id)
        elif event.state in GONE or event.attempt >= MOST_RETRIES:
            routing.outcomes["never known"] += 1
        else:
            _come_back(record, event, queues, routing)


def _belongs(tags: Mapping[str, str], cluster: ClusterSpec) -> bool:
    return tags.get(f"kubernetes.io/cluster/{cluster.infra_id}") == "owned"


def _come_back(record: SqsRecord, event: InstanceChanged, queues: Queues, routing: Routing) -> None:
    """Put the event back with a delay: EC2 answers for an instance a moment after it announces it."""
    try:
        queues.send_events([encode_retry(event)], delay_seconds=FIRST_RETRY_SECONDS << event.attempt)
    except AdapterError:
        routing.failed.append(record.message_id)
    else:
        routing.outcomes["not known yet"] += 1


def _order_approved(request: VisitRequested, queues: Queues, now: datetime, window_seconds: int) -> bool:
    """What is left of an approved plan has a visit of its own: folded into another, its approval would be lost."""
    try:
        order_visit(
            request.cluster,
            queues,
            now,
            window_seconds,
            reasons=(request.reason,),
            correlation_id=request.correlation_id,
            attempt=request.attempt,
            approve=request.approve,
            approved_at=request.approved_at,
        )
    except AdapterError:
        return False
    return True


def _order(cluster: str, wakes: list[Wake], queues: Queues, now: datetime, window_seconds: int) -> str:
    """One visit for all wake-ups. A fresh event restarts the pauses; only revisits among themselves go on counting."""
    return order_visit(
        cluster,
        queues,
        now,
        window_seconds,
        reasons=tuple(dict.fromkeys(wake.reason for wake in wakes))[:10],
        correlation_id=wakes[0].correlation_id,
        attempt=min(wake.attempt for wake in wakes),
    )
