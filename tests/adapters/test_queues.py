"""Messages over SQS: batches, partial failure, the FIFO queue."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.errors import NotFound, Rejected, Unreachable
from chalicelib.adapters.queues import SqsQueues
from sandbox.aws import AwsSandbox
from tests.adapters.wire import Reply, ScriptedServer

EVENTS = "https://sqs.eu-central-1.amazonaws.com/123456789012/events"
WORK = "https://sqs.eu-central-1.amazonaws.com/123456789012/work.fifo"


def taken(*ids: str, failed: dict[str, tuple[str, bool]] | None = None) -> dict[str, Any]:
    return {
        "Successful": [{"Id": each, "MessageId": f"m-{each}"} for each in ids],
        "Failed": [
            {"Id": each, "Code": code, "SenderFault": sender} for each, (code, sender) in (failed or {}).items()
        ],
    }


@pytest.fixture
def queues(aws: Aws) -> SqsQueues:
    return SqsQueues(EVENTS, WORK, aws)


def entries(server: ScriptedServer) -> list[list[tuple[str, str]]]:
    return [[(entry["Id"], entry["MessageBody"]) for entry in sent.json["Entries"]] for sent in server.sent]


def test_events_go_in_batches_of_ten(aws_script: ScriptedServer, queues: SqsQueues) -> None:
    """Twelve messages are two requests, in order, to the events queue."""
    aws_script.will(taken(*"0123456789"), taken("0", "1"))
    queues.send_events([f"body {n}" for n in range(12)])
    assert entries(aws_script) == [
        [(str(n), f"body {n}") for n in range(10)],
        [("0", "body 10"), ("1", "body 11")],
    ]
    for sent in aws_script.sent:
        assert sent.headers["X-Amz-Target"] == "AmazonSQS.SendMessageBatch"
        assert sent.json["QueueUrl"] == EVENTS
        assert all("DelaySeconds" not in entry for entry in sent.json["Entries"])


def test_no_events_no_request(aws_script: ScriptedServer, queues: SqsQueues) -> None:
    """SQS refuses an empty batch, so none is sent."""
    queues.send_events([])
    assert aws_script.sent == []


def test_a_delay_is_on_every_message(aws_script: ScriptedServer, queues: SqsQueues) -> None:
    """A revisit is asked for with a delay; the queue's own setting is for the rest."""
    aws_script.will(taken("0", "1"))
    queues.send_events(["a", "b"], delay_seconds=20)
    assert [entry["DelaySeconds"] for entry in aws_script.sent[0].json["Entries"]] == [20, 20]


@pytest.mark.parametrize("seconds", [-1, 901])
def test_a_delay_that_sqs_does_not_know(aws_script: ScriptedServer, queues: SqsQueues, seconds: int) -> None:
    """SQS delays for 15 minutes at most."""
    with pytest.raises(Rejected, match="0–900"):
        queues.send_events(["a"], delay_seconds=seconds)
    assert aws_script.sent == []


def test_batches_keep_to_the_size_limit(aws_script: ScriptedServer, queues: SqsQueues) -> None:
    """Large messages travel in smaller batches: a batch is limited in bytes as well."""
    aws_script.will(taken("0", "1"), taken("0"))
    queues.send_events(["ä" * 60_000] * 3)
    assert [len(batch) for batch in entries(aws_script)] == [2, 1]


def test_what_failed_is_sent_once_more(aws_script: ScriptedServer, queues: SqsQueues) -> None:
    """Only the messages that were not accepted are repeated."""
    aws_script.will(taken("0", "2", failed={"1": ("InternalError", False)}), taken("1"))
    queues.send_events(["a", "b", "c"])
    assert entries(aws_script) == [[("0", "a"), ("1", "b"), ("2", "c")], [("1", "b")]]


@pytest.mark.parametrize(
    ("failed", "kind"),
    [
        pytest.param({"0": ("InternalError", False), "1": ("InvalidMessageContents", True)}, Unreachable, id="theirs"),
        pytest.param({"1": ("InvalidMessageContents", True)}, Rejected, id="ours"),
    ],
)
def test_what_failed_twice_raises(
    aws_script: ScriptedServer, queues: SqsQueues, failed: dict[str, tuple[str, bool]], kind: type[Exception]
) -> None:
    """A message that was not accepted is never lost silently: the caller's own event comes back."""
    aws_script.will(taken(*{"0", "1"} - set(failed), failed=failed), taken(failed=failed))
    with pytest.raises(kind, match=f"{len(failed)} of 2 messages not accepted: .*InvalidMessageContents"):
        queues.send_events(["a", "b"])
    assert len(aws_script.sent) == 2


def test_work_is_grouped_and_deduplicated(aws_script: ScriptedServer, queues: SqsQueues) -> None:
    """One message group a cluster keeps a second visit out; the id folds a burst into one."""
    aws_script.will({"MessageId": "m-1"})
    queues.send_work('{"cluster":"prod"}', group="prod", deduplication_id="prod-123")
    [sent] = aws_script.sent
    assert sent.headers["X-Amz-Target"] == "AmazonSQS.SendMessage"
    assert sent.json == {
        "QueueUrl": WORK,
        "MessageBody": '{"cluster":"prod"}',
        "MessageGroupId": "prod",
        "MessageDeduplicationId": "prod-123",
    }


def test_against_real_queues(aws_sandbox: AwsSandbox) -> None:
    """What is sent arrives, a repeated id does not arrive twice, and a queue that is not there is not found."""
    sqs = aws_sandbox.client("sqs")
    events = sqs.create_queue(QueueName="events")["QueueUrl"]
    work = sqs.create_queue(QueueName="work.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    sender = SqsQueues(events, work, Aws())
    sender.send_events([f"event {n}" for n in range(11)])
    for _ in range(2):
        sender.send_work("visit", group="prod", deduplication_id="prod-1")

    def waiting(url: str) -> int:
        name = "ApproximateNumberOfMessages"
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    assert (waiting(events), waiting(work)) == (11, 1)
    with pytest.raises(NotFound):
        SqsQueues(events + "-gone", work, Aws()).send_events(["a"])


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(200, "<html>", {"Content-Type": "text/html"}), id="a proxy's page"),
        pytest.param(Reply(200, "welcome"), id="not JSON"),
        pytest.param(Reply(200, "{}"), id="no message id"),
    ],
)
def test_only_an_acknowledgement_counts(aws_script: ScriptedServer, queues: SqsQueues, reply: Reply) -> None:
    """Status 200 alone says nothing: without the message's id it was not accepted, and the sender must not go on."""
    aws_script.will(reply, reply, reply)
    with pytest.raises(Unreachable):
        queues.send_work("b", group="g", deduplication_id="d")
    with pytest.raises(Unreachable):
        queues.send_events(["a"])
