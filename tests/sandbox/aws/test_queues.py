from __future__ import annotations

from typing import Any

import pytest

from sandbox.aws import AwsSandbox
from sandbox.aws.queues import waiting_messages
from sandbox.timeline import SteppedTimeline


@pytest.fixture
def sqs(aws: AwsSandbox) -> Any:
    return aws.client("sqs")


def fifo(sqs: Any, **attributes: str) -> str:
    return sqs.create_queue(QueueName="work.fifo", Attributes={"FifoQueue": "true", **attributes})["QueueUrl"]


def send(sqs: Any, url: str, body: str, group: str, key: str) -> dict[str, Any]:
    return sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=key)


def receive(sqs: Any, url: str) -> list[dict[str, Any]]:
    return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages", [])


def test_duplicate_is_dropped_for_five_minutes_even_after_the_first_was_deleted(
    sqs: Any, timeline: SteppedTimeline
) -> None:
    """The deduplication interval counts from the first message's sending, whatever became of it."""
    url = fifo(sqs)
    send(sqs, url, "first", "a", "k")
    (got,) = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])
    timeline.advance(299)
    send(sqs, url, "lost", "a", "k")
    assert receive(sqs, url) == []
    timeline.advance(1)
    send(sqs, url, "again", "a", "k")
    assert [m["Body"] for m in receive(sqs, url)] == ["again"]


def test_dropped_duplicate_is_answered_like_the_first(sqs: Any) -> None:
    """The sender of a duplicate gets the first message's id and sequence number, as if accepted."""
    url = fifo(sqs)
    first, second = send(sqs, url, "one", "a", "k"), send(sqs, url, "two", "b", "k")
    assert (first["MessageId"], first["SequenceNumber"]) == (second["MessageId"], second["SequenceNumber"])
    assert [m["Body"] for m in receive(sqs, url)] == ["one"]


def test_deduplication_can_be_per_group(sqs: Any) -> None:
    """With DeduplicationScope=messageGroup the same id in another group is another message."""
    url = fifo(sqs, DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    send(sqs, url, "one", "a", "k")
    send(sqs, url, "two", "b", "k")
    assert [m["Body"] for m in receive(sqs, url)] == ["one", "two"]


def test_sequence_numbers_grow(sqs: Any) -> None:
    """FIFO messages carry 20-digit sequence numbers in the order of sending, content-based or not."""
    url = fifo(sqs, ContentBasedDeduplication="true")
    for body in "abc":
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
    numbers = [m["Attributes"]["SequenceNumber"] for m in receive(sqs, url)]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 3
    assert {len(number) for number in numbers} == {20}


def test_group_is_locked_while_one_of_its_messages_is_in_flight(sqs: Any, timeline: SteppedTimeline) -> None:
    """The next message of a group waits until the one before is
    deleted or its visibility time-out ends; then that one comes first.
    """
    url = fifo(sqs, VisibilityTimeout="60")
    send(sqs, url, "a1", "a", "1")
    assert [m["Body"] for m in receive(sqs, url)] == ["a1"]
    send(sqs, url, "a2", "a", "2")
    send(sqs, url, "b1", "b", "3")
    assert [m["Body"] for m in receive(sqs, url)] == ["b1"]
    timeline.advance(61)
    assert [m["Body"] for m in receive(sqs, url)] == ["a1", "a2", "b1"]


def test_delay_and_visibility_follow_the_sandbox_s_clock(sqs: Any, timeline: SteppedTimeline) -> None:
    """A delayed message shows when its delay has passed on the timeline, and `waiting_messages` knows when that is."""
    url = sqs.create_queue(QueueName="events", Attributes={"DelaySeconds": "90", "VisibilityTimeout": "30"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    assert waiting_messages({arn}) == []
    sent = timeline.now()
    sqs.send_message(QueueUrl=url, MessageBody="later")
    assert receive(sqs, url) == []
    assert [m.receivable_at for m in waiting_messages({arn})] == [pytest.approx(sent + 90)]
    timeline.advance(90.001)
    assert [m["Body"] for m in receive(sqs, url)] == ["later"]
    assert [m.receivable_at for m in waiting_messages({arn})] == [pytest.approx(timeline.now() + 30)]
    assert waiting_messages({"arn:of:another"}) == []


def test_message_moves_to_the_dead_letter_queue_after_its_last_try(sqs: Any, timeline: SteppedTimeline) -> None:
    """After maxReceiveCount receives the message is moved, also when another with its deduplication id is there."""
    dead = sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":2}}'
    url = fifo(sqs, VisibilityTimeout="1", RedrivePolicy=redrive, DeduplicationScope="messageGroup")
    send(sqs, url, "of a", "a", "k")
    send(sqs, url, "of b", "b", "k")
    for _ in range(2):
        assert [m["Body"] for m in receive(sqs, url)] == ["of a", "of b"]
        timeline.advance(2)
    assert receive(sqs, url) == []
    assert [m["Body"] for m in receive(sqs, dead)] == ["of a", "of b"]
