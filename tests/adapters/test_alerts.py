"""Alerts over SNS: what is sent, what is cut, what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.alerts import CUT_NOTE, IAM_ACTIONS, SnsAlerts, cut
from chalicelib.adapters.aws import Aws
from chalicelib.adapters.errors import Denied, NotFound, Rejected
from chalicelib.domain.telling.messages import Alert
from sandbox.aws import AwsSandbox
from tests.adapters.aws_helpers import query_error, xml
from tests.adapters.wire import Reply, ScriptedServer

TOPIC = "arn:aws:sns:eu-central-1:123456789012:egress-keeper-alerts"
PUBLISHED = Reply(200, xml("PublishResponse", {"PublishResult": {"MessageId": "m-1"}}), {"Content-Type": "text/xml"})


def test_what_is_published(aws_script: ScriptedServer, aws: Aws) -> None:
    """Subject, body and string attributes, and no attribute without a value: SNS would refuse the message for it."""
    aws_script.will(PUBLISHED)
    SnsAlerts(TOPIC, aws).publish(
        Alert("[critical] prod", "Lös — it", {"severity": "critical", "cluster": "prod", "kind": ""})
    )
    [sent] = aws_script.sent
    assert dict(sent.form) == {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": TOPIC,
        "Subject": "[critical] prod",
        "Message": "Lös — it",
        "MessageAttributes.entry.1.Name": "cluster",
        "MessageAttributes.entry.1.Value.DataType": "String",
        "MessageAttributes.entry.1.Value.StringValue": "prod",
        "MessageAttributes.entry.2.Name": "severity",
        "MessageAttributes.entry.2.Value.DataType": "String",
        "MessageAttributes.entry.2.Value.StringValue": "critical",
    }


@pytest.mark.parametrize("subject", ["", "x" * 101, "two\nlines", "grün", "tab\there"])
def test_a_subject_that_sns_refuses_is_not_sent(aws_script: ScriptedServer, aws: Aws, subject: str) -> None:
    """An alert that cannot be sent fails, and says which rule its subject breaks."""
    with pytest.raises(Rejected, match="1 to 100 printable ASCII characters"):
        SnsAlerts(TOPIC, aws).publish(Alert(subject, "body", {}))
    assert aws_script.sent == []


def test_the_longest_subject_is_sent(aws_script: ScriptedServer, aws: Aws) -> None:
    """A hundred characters are allowed."""
    aws_script.will(PUBLISHED)
    SnsAlerts(TOPIC, aws).publish(Alert("x" * 100, "body", {}))
    assert aws_script.sent[0].form["Subject"] == "x" * 100


def test_body_and_attributes_share_the_limit(aws_script: ScriptedServer, aws: Aws) -> None:
    """A message that is too long arrives, cut, and says that it is; attributes count towards the 256 KiB."""
    aws_script.will(PUBLISHED)
    SnsAlerts(TOPIC, aws).publish(Alert("s", "ä" * 200_000, {"cluster": "prod"}))
    sent = aws_script.sent[0].form
    assert sent["Message"].endswith(CUT_NOTE)
    assert 262_144 - 4 <= len(sent["Message"].encode()) + len("clusterStringprod") <= 262_144


@given(st.text("x€ä", min_size=50, max_size=300), st.integers(min_value=100, max_value=400))
def test_a_cut_message_fits_and_is_a_beginning(body: str, limit: int) -> None:
    """Whatever is cut fits, starts as the whole does, and is whole when it could be."""
    result = cut(body, limit)
    assert len(result.encode()) <= limit
    assert body.startswith(result.removesuffix(CUT_NOTE))
    assert (result == body) == (len(body.encode()) <= limit)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(query_error(403, "AuthorizationError"), Denied, id="denied"),
        pytest.param(query_error(404, "NotFound", "Topic does not exist"), NotFound, id="no topic"),
    ],
)
def test_an_alert_that_was_not_taken_raises(
    aws_script: ScriptedServer, aws: Aws, reply: Reply, kind: type[Exception]
) -> None:
    """People who were not told must not count as told."""
    aws_script.will(reply)
    with pytest.raises(kind, match="SNS: Publish"):
        SnsAlerts(TOPIC, aws).publish(Alert("s", "b", {}))


def test_an_alert_reaches_a_filtered_subscriber(aws_sandbox: AwsSandbox) -> None:
    """Filter policies on our attributes work: a subscriber for one cluster hears of that cluster."""
    sns, sqs = aws_sandbox.client("sns"), aws_sandbox.client("sqs")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {"FilterPolicy": json.dumps({"cluster": ["prod"]})}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=policy)
    aws_sandbox.calls.clear()
    alerts = SnsAlerts(topic, Aws())
    alerts.publish(Alert("other", "no", {"cluster": "test"}))
    alerts.publish(Alert("ours", "yes", {"cluster": "prod"}))
    assert {f"sns:{call.operation}" for call in aws_sandbox.calls.of("sns")} == IAM_ACTIONS
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(message["Body"])["Subject"] for message in received] == ["ours"]
