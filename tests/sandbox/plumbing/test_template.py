"""Resources and functions come out as the template says, and what can't be followed is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.aws import AwsSandbox
from sandbox.plumbing import Plumbing, TemplateError, create_resources


def test_resources_are_made_with_the_template_s_properties(plumbing: Plumbing) -> None:
    """Queues, redrive, table and TTL come out in AWS as the template
    says; a resource whose condition is false does not.
    """
    aws, refs = plumbing.aws, plumbing.resources.refs
    got = aws.client("sqs").get_queue_attributes(QueueUrl=refs["WorkQueue"], AttributeNames=["All"])["Attributes"]
    assert (got["FifoQueue"], got["DelaySeconds"], got["VisibilityTimeout"]) == ("true", "35", "100")
    policy = {"deadLetterTargetArn": plumbing.resources.attribute("DeadWork", "Arn"), "maxReceiveCount": 2}
    assert json.loads(got["RedrivePolicy"]) == policy
    ttl = aws.client("dynamodb").describe_time_to_live(TableName=refs["Table"])["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert [t["TopicArn"] for t in aws.client("sns").list_topics()["Topics"]] == [refs["Topic"]]


def test_functions_get_the_template_s_environment_and_settings(plumbing: Plumbing) -> None:
    """Environment, time-outs, retries and dead letters are the
    deployed ones; what the sandbox lacks is not looked at.
    """
    functions, refs = plumbing.wiring.functions, plumbing.resources.refs
    common = {"FLEET": "s3://fleet/${literal}", "WORK": refs["WorkQueue"], "NETS": "yes-nets"}
    assert functions["work"].environment == common
    assert functions["intake"].environment == {**common, "TABLE": refs["Table"]}
    assert functions["intake"].dead_letter_arn == plumbing.resources.attribute("Dead", "Arn")
    assert (functions["work"].timeout_seconds, functions["intake"].timeout_seconds) == (7, 60)
    assert (functions["tick"].async_retries, functions["intake"].async_retries) == (0, 2)
    assert (functions["intake"].handler, functions["api_handler"].handler) == ("app.intake", "app.app")
    assert [schedule.expression for schedule in plumbing.wiring.schedules] == ["rate(5 minutes)"]


@pytest.mark.parametrize(
    ("document", "overrides", "message"),
    [
        ({"Parameters": {"A": {"Type": "String"}}}, {}, "a value is needed for A"),
        ({}, {"B": "1"}, "no parameter B"),
        ({"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "No"}}}}}, {}, "No"),
        (
            {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::Cidr": []}}}}},
            {},
            "Fn::Cidr",
        ),
        (
            {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "T"}}}}},
            {},
            "circular dependency: T → T",
        ),
    ],
)
def test_template_that_cannot_be_followed_says_why(
    running: AwsSandbox, document: dict[str, Any], overrides: dict[str, str], message: str
) -> None:
    """A missing value, an unknown name, an unknown function and a circle are errors with the name in them."""
    with pytest.raises(TemplateError, match=message):
        create_resources(running, document, overrides)
