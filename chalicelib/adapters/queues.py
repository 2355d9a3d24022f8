"""The two SQS queues between the functions: a standard one for events, a FIFO one for visits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.errors import Rejected, Unreachable

IAM_ACTIONS = frozenset({"sqs:SendMessage"})
"""SendMessageBatch is covered by the same action."""

BATCH_MESSAGES = 10
BATCH_BYTES = 256 * 1024
"""SQS's limit for a whole batch until 2025, when it became 1 MiB; the smaller one is right everywhere."""

MAX_DELAY_SECONDS = 900

NOT_ACKNOWLEDGED = "not acknowledged"
"""botocore reads a body that is not JSON as an empty answer, so a good status alone proves nothing."""


class SqsQueues:
    """The `Queues` port over SQS."""

    def __init__(self, events_url: str, work_url: str, aws: Aws) -> None:
        self._events_url = events_url
        self._work_url = work_url
        self._aws = aws

    def send_events(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        """Put messages on the events queue, in batches of ten at most.

        Messages that SQS does not accept are sent once more. What is still refused then raises, so that the caller's
        own event comes back: it may send accepted ones twice, which the events queue does anyway now and then.

        Args:
            delay_seconds: 0–900, before the messages can be seen; 0 leaves it to the queue's own setting.

        Raises:
            Rejected: SQS finds fault with a message, or the delay is out of range.
            Unreachable: SQS could not take a message.
        """
        if not 0 <= delay_seconds <= MAX_DELAY_SECONDS:
            raise Rejected(
                "SQS", "SendMessageBatch", f"a delay of {delay_seconds} s is not within 0–{MAX_DELAY_SECONDS}"
            )
        delay = {"DelaySeconds": delay_seconds} if delay_seconds else {}
        for batch in _batches(bodies):
            entries = [{"Id": str(n), "MessageBody": body, **delay} for n, body in enumerate(batch)]
            failed = self._send_batch(entries)
            if failed:
                failed = self._send_batch([entry for entry in entries if entry["Id"] in failed])
            if failed:
                kind = Rejected if all(failure["SenderFault"] for failure in failed.values()) else Unreachable
                codes = ", ".join(sorted({str(failure["Code"]) for failure in failed.values()}))
                raise kind("SQS", "SendMessageBatch", f"{len(failed)} of {len(bodies)} messages not accepted: {codes}")

    def send_work(self, body: str, *, group: str, deduplication_id: str) -> None:
        """Put one message on the work queue; a repeat of *deduplication_id* within five minutes changes nothing."""
        answer = self._aws.call(
            "sqs",
            "SendMessage",
            QueueUrl=self._work_url,
            MessageBody=body,
            MessageGroupId=group,
            MessageDeduplicationId=deduplication_id,
        )
        if not answer.get("MessageId"):
            raise Unreachable("SQS", "SendMessage", NOT_ACKNOWLEDGED)

    def _send_batch(self, entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Send and return the failures by entry id; what the answer does not mention was not accepted either."""
        answer = self._aws.call("sqs", "SendMessageBatch", QueueUrl=self._events_url, Entries=entries)
        accepted = {success["Id"] for success in answer.get("Successful", ())}
        told = {failure["Id"]: failure for failure in answer.get("Failed", ())}
        silent = {"Code": NOT_ACKNOWLEDGED, "SenderFault": False}
        return {entry["Id"]: told.get(entry["Id"], silent) for entry in entries if entry["Id"] not in accepted}


def _batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for body in bodies:
        length = len(body.encode())
        if batch and (len(batch) == BATCH_MESSAGES or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += length
    if batch:
        yield batch
