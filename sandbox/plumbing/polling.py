"""One queue's poller: what Lambda's event source mapping does between a queue and a function.

Collects a batch (up to its size, for at most its window), shapes it into the event of the function, and after the run
deletes what is done. What is not done is left alone: it comes back when its visibility time-out ends, as in Lambda.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws import AwsSandbox
from sandbox.aws.queues import waiting_messages
from sandbox.plumbing.wiring import QueueMapping

_log = logging.getLogger(__name__)
_SQS_BATCH = 10  # ReceiveMessage and DeleteMessageBatch take at most ten


class Poller:
    """The messages held for the next run of one mapping's function."""

    def __init__(self, aws: AwsSandbox, mapping: QueueMapping, queue_url: str) -> None:
        self.mapping = mapping
        self._aws = aws
        self._url = queue_url
        self._held: list[dict[str, Any]] = []
        self._first_held_at = 0.0

    def take_batch(self) -> list[dict[str, Any]]:
        """A batch that is complete (full, or its window is over), else []; receives what can be received first."""
        self._receive()
        if not self._held:
            return []
        is_full = len(self._held) >= self.mapping.batch_size
        if not is_full and self._aws.timeline.now() < self._first_held_at + self.mapping.window_seconds:
            return []
        batch, self._held = self._held, []
        return batch

    def next_moment(self) -> float | None:
        """When something can happen here next, in epoch seconds after
        now: a window ends or a message becomes receivable.
        """
        now = self._aws.timeline.now()
        moments = [message.receivable_at for message in waiting_messages({self.mapping.queue_arn})]
        if self._held:
            moments.append(self._first_held_at + self.mapping.window_seconds)
        return min((moment for moment in moments if moment > now), default=None)

    def is_empty(self) -> bool:
        """Whether neither the queue nor this poller holds a message, deliverable or not."""
        return not self._held and not waiting_messages({self.mapping.queue_arn})

    def event(self, batch: Collection[Mapping[str, Any]]) -> dict[str, Any]:
        """The event that Lambda gives to the function for *batch*."""
        return {"Records": [_record(message, self.mapping.queue_arn, self._aws.region) for message in batch]}

    def delete_done(self, batch: Collection[Mapping[str, Any]], answer: Any) -> None:
        """Delete the messages of *batch* that the function's *answer* says are done."""
        failed = failed_items(answer, {m["MessageId"] for m in batch}) if self.mapping.reports_item_failures else set()
        done = [message for message in batch if message["MessageId"] not in failed]
        for start in range(0, len(done), _SQS_BATCH):
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                for index, message in enumerate(done[start : start + _SQS_BATCH])
            ]
            try:
                self._aws.client("sqs").delete_message_batch(QueueUrl=self._url, Entries=entries)
            except (BotoCoreError, ClientError):  # they come again: at least once is what a queue promises
                _log.warning("Handled messages of %s could not be deleted and will come again", self.mapping.queue_arn)

    def _receive(self) -> None:
        while len(self._held) < self.mapping.batch_size and self._something_is_there():
            try:
                answer = self._aws.client("sqs").receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=min(_SQS_BATCH, self.mapping.batch_size - len(self._held)),
                    AttributeNames=["All"],
                    MessageAttributeNames=["All"],
                    WaitTimeSeconds=0,
                )
            except (BotoCoreError, ClientError):  # Lambda's pollers try again in silence
                return
            messages = answer.get("Messages", [])
            if not messages:
                return
            if not self._held:
                self._first_held_at = self._aws.timeline.now()
            self._held.extend(messages)

    def _something_is_there(self) -> bool:
        """Whether asking SQS can bring anything; spares the call, and the log of calls, when it cannot."""
        now = self._aws.timeline.now()
        return any(message.receivable_at < now for message in waiting_messages({self.mapping.queue_arn}))


def failed_items(answer: Any, message_ids: set[str]) -> set[str]:
    """The ids of the messages that a function's answer reports as failed.

    As Lambda reads it ("Reporting batch item failures", AWS Lambda Developer Guide):
    no answer, {} or an empty or null list mean that all succeeded; an unknown, empty
    or missing identifier, or an answer of another shape, means that all failed.
    """
    if answer is None or answer == {}:
        return set()
    if not isinstance(answer, Mapping) or "batchItemFailures" not in answer:
        return set(message_ids)
    failures = answer["batchItemFailures"]
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return set(message_ids)
    reported = {str(failure.get("itemIdentifier")) if isinstance(failure, Mapping) else "" for failure in failures}
    return reported if reported <= message_ids else set(message_ids)


def _record(message: Mapping[str, Any], queue_arn: str, region: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: {
                "stringValue": value.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
