"""What EC2 said is said again only while nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from moto.ec2.models import ec2_backends

from sandbox.aws import AwsSandbox
from sandbox.timeline import SteppedTimeline
from tests.sandbox.aws.conftest import Net


def said(net: Net) -> list[Any]:
    ec2 = net.ec2
    answers = [
        ec2.describe_instances(),
        ec2.describe_network_interfaces(),
        ec2.describe_subnets(),
        ec2.get_subnet_cidr_reservations(SubnetId=net.subnet),
    ]
    return [{key: value for key, value in answer.items() if key != "ResponseMetadata"} for answer in answers]


def test_an_unchanged_answer_is_given_again(net: Net, aws: AwsSandbox) -> None:
    """moto is asked once, also with calls of other services in between; each call is recorded."""
    (made,) = net.launch()
    asked = {"InstanceIds": [made["InstanceId"]]}
    net.ec2.describe_instances(**asked)
    backend = ec2_backends[aws.account_id][aws.region]
    (tagged,) = [one for one in backend.all_instances() if one.id == made["InstanceId"]]
    tagged.key_name = "changed behind the door"
    aws.client("sqs").create_queue(QueueName="elsewhere")
    aws.calls.clear()

    def key_name() -> str | None:
        return net.ec2.describe_instances(**asked)["Reservations"][0]["Instances"][0].get("KeyName")

    assert key_name() is None
    assert aws.calls.operations("ec2") == ["DescribeInstances"]
    aws.kept.let_go()
    assert key_name() == "changed behind the door"


def test_another_question_is_another_answer(net: Net, aws: AwsSandbox) -> None:
    """What is asked, and in which Region, is part of the question."""
    (one,), (two,) = net.launch(), net.launch()
    asked = [net.ec2.describe_instances(InstanceIds=[i["InstanceId"]])["Reservations"] for i in (one, two, one)]
    found = [reservation["Instances"][0]["InstanceId"] for (reservation,) in asked]
    assert found == [one["InstanceId"], two["InstanceId"], one["InstanceId"]]
    assert aws.client("ec2", region="eu-west-1").describe_instances()["Reservations"] == []


CHANGES: dict[str, Callable[[Net], Any]] = {
    "launch": lambda net: net.launch(),
    "assign": lambda net: net.assign(
        net.ec2.describe_network_interfaces()["NetworkInterfaces"][0]["NetworkInterfaceId"], "10.0.1.9"
    ),
    "reserve": lambda net: net.reserve("10.0.1.16/28"),
    "tag": lambda net: net.ec2.create_tags(Resources=[net.subnet], Tags=[{"Key": "a", "Value": "b"}]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_at_once(net: Net, change: str) -> None:
    """Whatever is written to EC2, the next answer has it."""
    net.interface()
    before = said(net)
    assert said(net) == before
    CHANGES[change](net)
    after = said(net)
    assert after != before
    assert said(net) == after


def test_time_that_changes_an_instance_is_seen(net: Net, aws: AwsSandbox, timeline: SteppedTimeline) -> None:
    """An instance that comes up and goes away by itself does so in the answers."""
    aws.timing.running_after_seconds = aws.timing.terminated_after_seconds = 30
    instance = net.launch()[0]["InstanceId"]
    states = [net.state(instance)]
    timeline.advance(31)
    states.append(net.state(instance))
    net.ec2.terminate_instances(InstanceIds=[instance])
    states.append(net.state(instance))
    timeline.advance(31)
    states.append(net.state(instance))
    assert states == ["pending", "running", "shutting-down", "terminated"]
