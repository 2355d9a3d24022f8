"""Logs and metrics: one middleware around every handler, and what a visit leaves behind.

Powertools writes both to standard output (structured JSON, embedded metric format); CloudWatch picks them up. Nothing
secret passes here: documents hold no tokens, and events are not logged whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

if TYPE_CHECKING:
    from chalicelib.usecases.visit import Outcome

NAMESPACE = "EgressKeeper"
SERVICE = "egress-keeper"

logger = Logger(service=SERVICE)


def observe(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Chalice middleware for all handlers: the Lambda context and the event's id in every line that is logged."""
    if event is None:
        return get_response(event)
    raw, context = _raw(event)

    def run(_event: Any, _context: Any) -> Any:
        return get_response(event)

    return logger.inject_lambda_context(run, correlation_id_path="id", clear_state=True)(raw, context)


def _raw(event: Any) -> tuple[dict[str, Any], Any]:
    """The plain event and the Lambda context of either kind of Chalice event."""
    if hasattr(event, "to_original_event"):
        return event.to_original_event(), event.lambda_context
    return event.to_dict(), event.context


def emit(values: Mapping[str, float], unit: MetricUnit = MetricUnit.Count, **dimensions: str) -> None:
    """Write one line of embedded metrics: *values* by name, all with the same dimensions."""
    line = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    for key, text in dimensions.items():
        line.add_dimension(name=key, value=text)
    for name, value in values.items():
        line.add_metric(name=name, unit=unit, value=value)
    line.flush_metrics()


def record_visit(outcome: Outcome, calls: Mapping[str, int]) -> None:
    """Log the visit in one line and emit its metrics: capacity by zone, drift, duration, calls by API."""
    from chalicelib.domain.snapshot import Unknown  # here, so that functions which visit nothing need not load it

    cluster = outcome.look.desired.name
    planned = outcome.look.planned
    logger.info(
        "visit ended",
        extra={
            "cluster": cluster,
            "run_id": outcome.run_id,
            "status": outcome.status,
            "actions": [action.summary for action in planned.actions],
            "failed": [failure.why for failure in outcome.report.failed] if outcome.report else [],
            "findings": [f"{finding.kind}: {finding.subject}" for finding in outcome.findings],
            "unknown": [section.what for section in outcome.look.observed.unknown()],
            "revisit_in_seconds": outcome.revisit_in.total_seconds() if outcome.revisit_in else None,
            "calls": dict(calls),
        },
    )
    capacity = outcome.look.capacity
    if not isinstance(capacity, Unknown):
        for zone in capacity.zones:
            numbers = {
                "Capacity": zone.capacity,
                "Headroom": zone.headroom,
                "HeadroomAfterLoss": zone.headroom_after_loss,
                "FreeAddresses": zone.free_addresses,
            }
            known = {name: value for name, value in numbers.items() if value is not None}
            emit(known, cluster=cluster, zone=zone.name)
    drifted = sum(1 for verdict in planned.verdicts if verdict.in_spec and not verdict.serving_node)
    emit({"DriftedAddresses": drifted, "Findings": len(outcome.findings)}, cluster=cluster)
    emit(
        {"VisitDuration": (outcome.ended_at - outcome.started_at).total_seconds()}, MetricUnit.Seconds, cluster=cluster
    )
    for api, number in sorted(calls.items()):
        emit({"Calls": number}, cluster=cluster, api=api)


def record_watch(stack: str, minutes_by_cluster: Mapping[str, float]) -> None:
    """Emit since when no visit came to its good end: for each cluster, and the worst of all for the alarm."""
    for cluster, minutes in minutes_by_cluster.items():
        emit({"MinutesSinceGoodVisit": minutes}, MetricUnit.NoUnit, stack=stack, cluster=cluster)
    worst = max(minutes_by_cluster.values(), default=0.0)
    emit({"MinutesSinceGoodVisit": worst}, MetricUnit.NoUnit, stack=stack)


def record_unsent(stack: str, cluster: str, why: str) -> None:
    """Log and count a visit whose messages did not all go out; the alarm on it goes to another topic."""
    logger.error("people could not be told", extra={"cluster": cluster, "why": why[:500]})
    emit({"AlertsNotSent": 1}, stack=stack)


def record_credential(stack: str, cluster: str, days_left: float) -> None:
    """Emit how long the token of a cluster is good for: for each cluster, and for the alarm, which takes the least."""
    emit({"CredentialDaysLeft": days_left}, MetricUnit.NoUnit, stack=stack, cluster=cluster)
    emit({"CredentialDaysLeft": days_left}, MetricUnit.NoUnit, stack=stack)


def drop(what: str, why: str) -> None:
    """Log and count a message that nobody can use; it is not retried."""
    logger.warning(what, extra={"why": why[:500]})
    emit({"Dropped": 1}, what=what)


def say(message: str, **facts: object) -> None:
    """Log one line with facts, JSON-ready."""
    logger.info(message, extra={key: json.loads(json.dumps(value, default=str)) for key, value in facts.items()})
