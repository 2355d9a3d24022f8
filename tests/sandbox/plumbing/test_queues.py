"""Queues: what a function gets of them and when, and which messages come back."""

from __future__ import annotations

import string
from typing import Any

import pytest

from sandbox.aws.faults import broken
from sandbox.plumbing import Plumbing
from sandbox.plumbing.polling import failed_items
from tests.sandbox.plumbing.tiny import behaviour, bodies, fail, in_queue, seen, send, send_work


def test_record_has_the_shape_of_lambda_s_sqs_events(plumbing: Plumbing) -> None:
    """Ids, group, sequence, counts and times are the message's own."""
    send_work(plumbing, "one")
    plumbing.pump(60)
    (record,) = seen[0][1]["Records"]
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == plumbing.resources.attribute("WorkQueue", "Arn")
    attributes = record["attributes"]
    assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == ("g", "one")
    assert attributes["ApproximateReceiveCount"] == "1"
    assert len(attributes["SequenceNumber"]) == 20
    assert int(attributes["SentTimestamp"]) <= plumbing.aws.timeline.now() * 1000
    assert {"messageId", "receiptHandle", "body", "md5OfBody", "messageAttributes", "awsRegion"} <= record.keys()


def test_queue_delay_holds_a_message_back(plumbing: Plumbing) -> None:
    """A visit is not started before the queue's delay has passed on the timeline."""
    start = plumbing.aws.timeline.now()
    send_work(plumbing, "one")
    plumbing.run_for(34)
    assert seen == []
    plumbing.pump(10)
    assert [round(i.when - start) for i in plumbing.invocations] == [35]


def test_batching_window_gathers_messages(plumbing: Plumbing) -> None:
    """A batch that is not full waits for its window, longer than one ReceiveMessage can bring."""
    send(plumbing, "EventsQueue", *string.ascii_letters[:25])
    plumbing.run_for(4)
    send(plumbing, "EventsQueue", "Z")
    assert bodies("route") == []
    plumbing.pump(10)
    assert [sorted(batch) for batch in bodies("route")] == [sorted([*string.ascii_letters[:25], "Z"])]
    assert in_queue(plumbing, "EventsQueue") == []


def test_full_batch_does_not_wait_for_its_window(plumbing: Plumbing) -> None:
    """A hundred messages are one batch of a hundred, gathered from ten receives, at once."""
    for start in range(0, 110, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
        plumbing.aws.client("sqs").send_message_batch(QueueUrl=plumbing.resources.refs["EventsQueue"], Entries=entries)
    plumbing.run_for(1)
    assert [len(batch) for batch in bodies("route")] == [100]
    plumbing.run_for(5)
    assert [len(batch) for batch in bodies("route")] == [100, 10]


def test_failed_messages_come_back_after_their_time_out_and_then_die(plumbing: Plumbing) -> None:
    """An error deletes nothing: the message returns when its
    visibility ends, and after its last try it is a dead letter.
    """
    behaviour["work"] = fail()
    start = plumbing.aws.timeline.now()
    send_work(plumbing, "one")
    send_work(plumbing, "other group", group="h")
    plumbing.pump(1000)
    assert [(round(i.when - start), i.event["Records"][0]["body"]) for i in plumbing.invocations] == [
        (35, "one"),
        (35, "other group"),
        (135, "one"),
        (135, "other group"),
    ]
    assert [m["Body"] for m in in_queue(plumbing, "DeadWork")] == ["one", "other group"]


def test_group_waits_for_its_failed_message(plumbing: Plumbing) -> None:
    """Within a group nothing overtakes: while one message is to be retried the next ones wait."""
    tries: list[str] = []

    def first_try_fails(event: Any) -> None:
        body = event["Records"][0]["body"]
        tries.append(body)
        if tries == ["one"]:
            raise RuntimeError("once")

    behaviour["work"] = first_try_fails
    send_work(plumbing, "one")
    send_work(plumbing, "two")
    plumbing.pump(300)
    assert tries == ["one", "one", "two"]


def test_reported_items_come_back_and_the_rest_is_done(plumbing: Plumbing) -> None:
    """With ReportBatchItemFailures only the named messages are tried again."""
    behaviour["work"] = lambda event: {
        "batchItemFailures": [
            {"itemIdentifier": r["messageId"]}
            for r in event["Records"]
            if r["body"] == "bad" and r["attributes"]["ApproximateReceiveCount"] == "1"
        ]
    }
    send_work(plumbing, "bad", group="a")
    send_work(plumbing, "good", group="b")
    plumbing.pump(300)
    assert sorted(batch[0] for batch in bodies("work")) == ["bad", "bad", "good"]
    assert in_queue(plumbing, "WorkQueue") == []


def test_without_the_flag_the_answer_is_ignored(plumbing: Plumbing) -> None:
    """A mapping that does not ask for item failures deletes the whole batch, whatever the function says."""
    behaviour["route"] = lambda event: {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    send(plumbing, "EventsQueue", "a")
    plumbing.pump(300)
    assert bodies("route") == [["a"]]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "x"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"wrong": "a"}]}, {"a", "b"}),
        ({"batchItemFailures": ["a"]}, {"a", "b"}),
        ({"batchItemFailures": "a"}, {"a", "b"}),
        ("done", {"a", "b"}),
    ],
)
def test_answers_are_read_as_lambda_reads_them(answer: Any, failed: set[str]) -> None:
    """Nothing reported is success; anything that cannot be understood fails the whole batch."""
    assert failed_items(answer, {"a", "b"}) == failed


def test_message_that_could_not_be_deleted_comes_again(plumbing: Plumbing) -> None:
    """At least once: a run whose delete fails is repeated."""
    plumbing.aws.faults.inject("sqs", "DeleteMessageBatch", broken(), times=20)
    send_work(plumbing, "one")
    plumbing.run_for(40)
    plumbing.aws.faults.heal()
    plumbing.pump(300)
    assert bodies("work") == [["one"], ["one"]]
