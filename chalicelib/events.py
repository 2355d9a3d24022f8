"""What wakes us: raw events and queue messages into typed triggers, and our own messages into text.

Belongs here: the shapes of what arrives (EventBridge, the SQS batches of Lambda, our messages on both queues) and how
to tell good from bad. Does not belong here: what follows from a trigger (`usecases.route`, `usecases.work`).

Parsing is total: whatever JSON, or no JSON at all, arrives, the answer is a value. An event is only a hint to look at a
cluster, so a bad one must be counted and dropped, never delivered again and again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chalicelib.events_fields import Fields, Malformed, member_of, number, read_json, text, texts

EC2_SOURCE = "aws.ec2"
EC2_DETAIL_TYPE = "EC2 Instance State-change Notification"

EC2_STATE_CHANGE: dict[str, Any] = {
    "source": [EC2_SOURCE],
    "detail-type": [EC2_DETAIL_TYPE],
    "detail": {"state": ["running", "shutting-down", "terminated"]},
}
"""Event pattern of the rule that feeds `intake`. The event carries no tags, so it fires for every instance of account
and Region. `stopping` and `stopped` are left out: ROSA replaces machines, it does not stop them.
"""

EC2_STATES = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated")
"""Every state EC2 announces (EventBridge Events Reference, EC2)."""

KEEPER = "keeper"
"""The key that tells our own messages from events of AWS, which never carry it."""

# An id of another form makes EC2 refuse the whole DescribeInstances call that it is part of.
INSTANCE_ID = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}")
CLUSTER = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

MOST_ATTEMPTS = 1_000_000


@dataclass(frozen=True, slots=True)
class InstanceChanged:
    """EC2 announced a state of an instance, of our clusters or not.

    Attributes:
        at: When EC2 saw the change, UTC.
        attempt: How often the event was put back because EC2 did not know the instance; 0 as it comes from EC2.
    """

    event_id: str
    account: str
    region: str
    instance_id: str
    state: str
    at: datetime
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class VisitRequested:
    """We asked ourselves to look at a cluster again.

    Attributes:
        attempt: Counts revisits of a cluster in motion, from 1.
        approve, approved_at: Of an approved plan that was not finished, as in the order before.
    """

    cluster: str
    attempt: int
    reason: str
    correlation_id: str
    approve: str | None = None
    approved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One visit to be made: a message on the FIFO work queue.

    Attributes:
        reasons: Why, for the run's report; may be empty.
        attempt: 0 for a fresh wake-up, then the number of the revisit.
        approve: Digest of the plan that a person approved; None where nobody did.
        approved_at: When they did.
    """

    run_id: str
    cluster: str
    reasons: tuple[str, ...]
    attempt: int
    correlation_id: str
    approve: str | None = None
    approved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SqsRecord:
    """One message of a batch. `receive_count` is 1 at the first delivery; a fault here or there makes it grow."""

    message_id: str
    body: str
    receive_count: int


def parse_event(raw: object) -> InstanceChanged | VisitRequested | Malformed:
    """Read one message of the events queue, decoded: an event of EC2, a visit of ours, or an event that came back."""
    try:
        document = Fields(raw)
        match document.value.get(KEEPER):
            case None:
                return _instance_changed(document)
            case "visit":
                approve, approved_at = _approval(document)
                return VisitRequested(
                    cluster=text(document, "cluster", CLUSTER, "a cluster's name"),
                    attempt=number(document, "attempt", MOST_ATTEMPTS),
                    reason=text(document, "reason"),
                    correlation_id=text(document, "correlation_id"),
                    approve=approve,
                    approved_at=approved_at,
                )
            case "retry-instance":
                attempt = number(document, "attempt", MOST_ATTEMPTS)
                return _instance_changed(Fields(document.value.get("event"), "event"), attempt)
            case other:
                return Malformed.of(KEEPER, other, "allowed are visit, retry-instance, or no such key")
    except Malformed.Found as found:
        return found.malformed


def parse_body(body: str) -> InstanceChanged | VisitRequested | Malformed:
    """Read one message of the events queue, as text."""
    try:
        return parse_event(read_json(body))
    except Malformed.Found as found:
        return found.malformed


def parse_work(body: str) -> WorkOrder | Malformed:
    """Read one message of the work queue."""
    try:
        document = Fields(read_json(body))
        member_of(document, KEEPER, ("work",))
        approve, approved_at = _approval(document)
        return WorkOrder(
            run_id=text(document, "run_id"),
            cluster=text(document, "cluster", CLUSTER, "a cluster's name"),
            reasons=texts(document, "reasons"),
            attempt=number(document, "attempt", MOST_ATTEMPTS),
            correlation_id=text(document, "correlation_id"),
            approve=approve,
            approved_at=approved_at,
        )
    except Malformed.Found as found:
        return found.malformed


def sqs_records(event: Mapping[str, Any]) -> tuple[SqsRecord, ...]:
    """The messages of the batch that Lambda was called with, in its order.

    Raises:
        ValueError: This is no SQS batch. Taking it for an empty one would delete messages that nobody has read.
    """
    try:
        return tuple(
            SqsRecord(
                message_id=record["messageId"],
                body=record["body"],
                receive_count=int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)),
            )
            for record in event["Records"]
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an SQS batch: Records[].messageId and .body are wanted ({error!r})") from error


def encode_visit(
    cluster: str,
    attempt: int,
    reason: str,
    correlation_id: str,
    *,
    approve: str | None = None,
    approved_at: datetime | None = None,
) -> str:
    """The message that asks for another look at *cluster*: `parse_body` gives it back as `VisitRequested`."""
    return json.dumps(
        {
            KEEPER: "visit",
            "cluster": cluster,
            "attempt": attempt,
            "reason": reason,
            "correlation_id": correlation_id,
            "approve": approve,
            "approved_at": _time(approved_at),
        }
    )


def encode_retry(changed: InstanceChanged) -> str:
    """The message that brings an event back once more: `parse_body` gives the same event, its attempt one higher.

    Of the event it keeps what we read; `resources` names the instance once more, sometimes wrongly.
    """
    event = {
        "version": "0",
        "id": changed.event_id,
        "detail-type": EC2_DETAIL_TYPE,
        "source": EC2_SOURCE,
        "account": changed.account,
        "time": changed.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "region": changed.region,
        "resources": [],
        "detail": {"instance-id": changed.instance_id, "state": changed.state},
    }
    return json.dumps({KEEPER: "retry-instance", "event": event, "attempt": changed.attempt + 1})


def encode_work(order: WorkOrder) -> str:
    """The work message for *order*: `parse_work` gives it back."""
    return json.dumps(
        {
            KEEPER: "work",
            "run_id": order.run_id,
            "cluster": order.cluster,
            "reasons": list(order.reasons),
            "attempt": order.attempt,
            "correlation_id": order.correlation_id,
            "approve": order.approve,
            "approved_at": _time(order.approved_at),
        }
    )


def _approval(document: Fields) -> tuple[str | None, datetime | None]:
    """Both fields of an approval. Orders of versions before this one do not say when it was given."""
    there = [name for name in ("approve", "approved_at") if document.value.get(name) is not None]
    return (
        text(document, "approve") if "approve" in there else None,
        document.moment("approved_at") if "approved_at" in there else None,
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _instance_changed(event: Fields, attempt: int = 0) -> InstanceChanged:
    member_of(event, "source", (EC2_SOURCE,))
    member_of(event, "detail-type", (EC2_DETAIL_TYPE,))
    detail = event.inner("detail")
    return InstanceChanged(
        event_id=text(event, "id"),
        account=text(event, "account", ACCOUNT, "12 digits"),
        region=text(event, "region", REGION, "an AWS Region such as eu-central-1"),
        instance_id=text(detail, "instance-id", INSTANCE_ID, "i- and 8 or 17 hexadecimal digits"),
        state=member_of(detail, "state", EC2_STATES),
        at=event.moment("time"),
        attempt=attempt,
    )


__all__ = [
    "EC2_STATE_CHANGE",
    "InstanceChanged",
    "Malformed",
    "SqsRecord",
    "VisitRequested",
    "WorkOrder",
    "encode_retry",
    "encode_visit",
    "encode_work",
    "parse_body",
    "parse_event",
    "parse_work",
    "sqs_records",
]
