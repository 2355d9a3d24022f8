"""SQS as it behaves: what moto's queues forget, and the sandbox's clock for delays and time-outs.

The important one: AWS drops a duplicate for five minutes after the first was *sent*,
whatever became of it; moto only while the first is still in the queue, which would hide
a lost wake-up. (Amazon SQS Developer Guide, "Using the message deduplication ID".)
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import moto.sqs.models as moto_sqs
from moto.sqs.models import Queue, sqs_backends

from sandbox.aws.correction import Correction
from sandbox.timeline import Timeline

DEDUPLICATION_SECONDS = 300
_FIRST_SEQUENCE_NUMBER = 18_850_000_000_000_000_000  # 20 digits, as AWS shows them


class QueueRules:
    """Deduplication memory, sequence numbers and time for every queue of the sandbox."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._sequence = itertools.count(_FIRST_SEQUENCE_NUMBER, 256)
        self._first_sent: weakref.WeakKeyDictionary[Any, dict[tuple[str, str], Any]] = weakref.WeakKeyDictionary()

    def corrections(self) -> tuple[Correction, ...]:
        """What has to change in moto for queues to obey these rules."""
        return (
            Correction(
                Queue, "add_message", self._add_message, "duplicates were forgotten with the first; sequence was random"
            ),
            Correction(moto_sqs, "unix_time", self._seconds, "knows no clock but the machine's"),
            Correction(moto_sqs, "unix_time_millis", self._milliseconds, "knows no clock but the machine's"),
        )

    def _add_message(self, _original: Any) -> Any:
        def add_message(queue: Any, message: Any) -> None:
            # A message that was received before is on its way to a dead-letter queue and is never a duplicate.
            if queue.fifo_queue and message.approximate_receive_count == 0:
                first = self._first_of_duplicates(queue, message)
                if first is not message:
                    message.id, message.sequence_number = first.id, first.sequence_number
                    return
                message.sequence_number = str(next(self._sequence))
            with queue._messages_lock:
                queue._messages.append(message)
                queue._messages_lock.notify_all()

        return add_message

    def _first_of_duplicates(self, queue: Any, message: Any) -> Any:
        """The message that *message* repeats within the deduplication interval, or *message* itself."""
        remembered = self._first_sent.setdefault(queue, {})
        per_group = queue.attributes.get("DeduplicationScope") == "messageGroup"
        key = (message.group_id if per_group else "", message.deduplication_id)
        first = remembered.get(key)
        if first is None or message.sent_timestamp - first.sent_timestamp >= DEDUPLICATION_SECONDS * 1000:
            remembered[key] = first = message
        return first

    def _seconds(self, _original: Any) -> Any:
        return lambda *_args: self._timeline.now()

    def _milliseconds(self, _original: Any) -> Any:
        return lambda *_args: self._timeline.now() * 1000


@dataclass(frozen=True)
class Waiting:
    """One message in a queue that nobody has deleted, and when (epoch seconds) it can be received next."""

    queue_arn: str
    receivable_at: float


def waiting_messages(queue_arns: Collection[str]) -> list[Waiting]:
    """Every message of these queues: delayed, in flight or simply there. No request is made, so none is counted.

    The time is a lower bound: a FIFO message also waits for the messages of its group that are in flight.
    """
    return [
        Waiting(queue.queue_arn, max(message.visible_at, message.delayed_until) / 1000)
        for regions in list(sqs_backends.values())
        for backend in list(regions.values())
        for queue in list(backend.queues.values())
        if queue.queue_arn in queue_arns
        for message in list(queue._messages)
    ]
