from __future__ import annotations

import time
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network

import pytest
from botocore.exceptions import ClientError
from moto.ec2.models import ec2_backends

from sandbox.aws import AwsSandbox, InstanceStateChange
from sandbox.timeline import SteppedTimeline
from tests.sandbox.aws.conftest import Net


@pytest.fixture
def heard(aws: AwsSandbox) -> list[InstanceStateChange]:
    changes: list[InstanceStateChange] = []
    aws.on_instance_state(changes.append)
    return changes


def test_launch_is_pending_then_running_and_says_so(
    aws: AwsSandbox, net: Net, timeline: SteppedTimeline, heard: list[InstanceStateChange]
) -> None:
    """EC2 announces `pending` with the launch and `running` when the machine starts."""
    aws.timing.running_after_seconds = 8
    made = net.launch()[0]["InstanceId"]
    assert net.state(made) == "pending"
    timeline.advance(7.9)
    assert [change.state for change in heard] == ["pending"]
    timeline.advance(0.1)
    assert net.state(made) == "running"
    assert [(c.state, c.instance_id) for c in heard] == [("pending", made), ("running", made)]


def test_event_has_the_documented_shape_and_no_tags(
    aws: AwsSandbox, net: Net, timeline: SteppedTimeline, heard: list[InstanceStateChange]
) -> None:
    """The event names the instance and its state and nothing else about it; time has whole seconds."""
    made = net.launch(TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}])[0][
        "InstanceId"
    ]
    event = heard[0].to_event()
    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": datetime.fromtimestamp(timeline.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "eu-central-1",
        "resources": [f"arn:aws:ec2:eu-central-1:123456789012:instance/{made}"],
        "detail": {"instance-id": made, "state": "pending"},
    }


def test_terminated_instance_loses_interface_and_addresses_only_after_a_while(
    aws: AwsSandbox, net: Net, timeline: SteppedTimeline, heard: list[InstanceStateChange]
) -> None:
    """While shutting down the addresses are still taken; then they are free and the instance shows no interfaces."""
    aws.timing.terminated_after_seconds = 30
    made = net.launch()[0]
    net.assign(made["NetworkInterfaces"][0]["NetworkInterfaceId"], "10.0.1.20")
    net.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    timeline.advance(29)
    assert (net.state(made["InstanceId"]), net.available()) == ("shutting-down", 25)
    with pytest.raises(ClientError, match="move is not allowed"):
        net.assign(net.launch_interface(), "10.0.1.20")
    timeline.advance(1)
    after = net.ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert (after["State"]["Name"], after["NetworkInterfaces"]) == ("terminated", [])
    assert not {"PrivateIpAddress", "SubnetId", "VpcId"} & after.keys()
    assert net.available() == 26
    assert [c.state for c in heard if c.instance_id == made["InstanceId"]] == [
        "pending",
        "running",
        "shutting-down",
        "terminated",
    ]


def test_terminated_instance_is_described_with_its_tags_for_an_hour(
    aws: AwsSandbox, net: Net, timeline: SteppedTimeline
) -> None:
    """A `terminated` event can still be mapped to its cluster if handled within the hour; then the id is unknown."""
    tags = [{"Key": "api.openshift.com/id", "Value": "2bh6"}]
    made = net.launch(TagSpecifications=[{"ResourceType": "instance", "Tags": tags}])[0]["InstanceId"]
    net.ec2.terminate_instances(InstanceIds=[made])
    timeline.advance(3599)
    found = net.ec2.describe_instances(Filters=[{"Name": "tag:api.openshift.com/id", "Values": ["2bh6"]}])[
        "Reservations"
    ]
    assert [i["InstanceId"] for r in found for i in r["Instances"]] == [made]
    timeline.advance(1)
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        net.state(made)


def test_launch_without_a_subnet_goes_to_the_default_one(net: Net) -> None:
    """The account's default subnets exist beside ours; the address is one of the subnet's."""
    made = net.ec2.run_instances(
        ImageId="ami-12345678", MinCount=1, MaxCount=1, Placement={"AvailabilityZone": "eu-central-1b"}
    )["Instances"][0]
    subnet = net.ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"][0]
    assert (subnet["AvailabilityZone"], subnet["DefaultForAz"]) == ("eu-central-1b", True)
    assert IPv4Address(made["PrivateIpAddress"]) in IPv4Network(subnet["CidrBlock"])


def test_instance_terminated_while_pending_never_runs(
    aws: AwsSandbox, net: Net, timeline: SteppedTimeline, heard: list[InstanceStateChange]
) -> None:
    """A late start does not bring a terminated instance back."""
    aws.timing.running_after_seconds = 5
    made = net.launch()[0]["InstanceId"]
    net.ec2.terminate_instances(InstanceIds=[made])
    net.ec2.terminate_instances(InstanceIds=[made])
    timeline.advance(10)
    assert net.state(made) == "terminated"
    assert [change.state for change in heard] == ["pending", "shutting-down", "terminated"]


def test_interface_attached_later_survives_its_instance(net: Net) -> None:
    """Only interfaces made by the launch go with the instance; others are free to be used again."""
    made, extra = net.launch()[0]["InstanceId"], net.interface()
    net.ec2.attach_network_interface(NetworkInterfaceId=extra, InstanceId=made, DeviceIndex=1)
    net.ec2.terminate_instances(InstanceIds=[made])
    left = net.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [(i["NetworkInterfaceId"], i["Status"]) for i in left] == [(extra, "available")]


def test_stop_and_start_are_announced(net: Net, heard: list[InstanceStateChange]) -> None:
    """Stopping and starting pass through their in-between states."""
    made = net.launch()[0]["InstanceId"]
    heard.clear()
    net.ec2.stop_instances(InstanceIds=[made])
    net.ec2.start_instances(InstanceIds=[made])
    assert [change.state for change in heard] == ["stopping", "stopped", "pending", "running"]


def test_launch_time_follows_the_sandbox_s_clock(net: Net, timeline: SteppedTimeline) -> None:
    """How long ago a machine was launched is measured on the same clock as everything else."""
    assert net.launch()[0]["LaunchTime"].timestamp() == pytest.approx(timeline.now(), abs=1)


def test_unknown_ids_are_nothing_in_a_filter_and_an_error_in_a_list(net: Net) -> None:
    """Filtering is how a reader maps ids that may be gone or another account's."""
    known, unknown = net.launch()[0]["InstanceId"], "i-0123456789abcdef0"
    found = net.ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [known, unknown]}])["Reservations"]
    assert [i["InstanceId"] for r in found for i in r["Instances"]] == [known]
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        net.ec2.describe_instances(InstanceIds=[unknown])


def test_instances_come_in_pages_of_instances(net: Net) -> None:
    """MaxResults counts instances although the answer groups them by reservation."""
    made = [i["InstanceId"] for i in net.launch(7)] + [i["InstanceId"] for i in net.launch(2)]
    pages = net.ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    seen = [[i["InstanceId"] for r in page["Reservations"] for i in r["Instances"]] for page in pages]
    assert [len(page) for page in seen] == [5, 4]
    assert seen[0] + seen[1] == made


def test_interfaces_come_in_pages(net: Net) -> None:
    """DescribeNetworkInterfaces honours MaxResults and NextToken, and refuses MaxResults beside a list of ids."""
    made = [net.interface() for _ in range(6)]
    pages = net.ec2.get_paginator("describe_network_interfaces").paginate(PaginationConfig={"PageSize": 5})
    assert [[i["NetworkInterfaceId"] for i in page["NetworkInterfaces"]] for page in pages] == [made[:5], made[5:]]
    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        net.ec2.describe_network_interfaces(NetworkInterfaceIds=made, MaxResults=5)


def test_made_up_page_token_is_refused(net: Net) -> None:
    """A token nobody gave out is the caller's error, not a crash."""
    for token in ("nonsense", "i-0123456789abcdef0", "b2Zmc2V0"):
        with pytest.raises(ClientError, match="InvalidNextToken"):
            net.ec2.describe_instances(MaxResults=5, NextToken=token)


def test_reading_tags_does_not_search_the_tags_of_everything(net: Net, aws: AwsSandbox) -> None:
    """Describing a few instances stays quick however much else in the account is tagged."""
    made = net.launch(5)
    everything_else = {f"vol-{number:017x}": {"a": "b", "c": "d"} for number in range(30_000)}
    ec2_backends[aws.account_id][aws.region].tags.update(everything_else)
    begun = time.perf_counter()
    net.ec2.describe_instances(InstanceIds=[i["InstanceId"] for i in made])
    assert time.perf_counter() - begun < 0.5


def test_subnets_and_types_come_in_pages(net: Net) -> None:
    """DescribeSubnets and DescribeInstanceTypes honour MaxResults and NextToken too."""
    for number in range(2, 8):
        net.ec2.create_subnet(VpcId=net.vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone="eu-central-1a")
    paged = {"PaginationConfig": {"PageSize": 5}}
    of_vpc = [{"Name": "vpc-id", "Values": [net.vpc]}]
    pages = list(net.ec2.get_paginator("describe_subnets").paginate(Filters=of_vpc, **paged))
    assert [len(page["Subnets"]) for page in pages] == [5, 2]
    kinds = [{"Name": "instance-type", "Values": ["m5.*"]}]
    pages = list(net.ec2.get_paginator("describe_instance_types").paginate(Filters=kinds, **paged))
    assert len({t["InstanceType"] for page in pages for t in page["InstanceTypes"]}) == sum(
        len(page["InstanceTypes"]) for page in pages
    )
    assert len(pages) > 1


def test_an_instance_is_found_by_any_of_its_addresses(net: Net) -> None:
    """`network-interface.addresses.private-ip-address` looks at secondaries, as on interfaces."""
    eni = net.launch_interface()
    net.launch()
    net.assign(eni, "10.0.1.20")

    def found(address: str) -> int:
        filters = [{"Name": "network-interface.addresses.private-ip-address", "Values": [address]}]
        return len(net.ec2.describe_instances(Filters=filters)["Reservations"])

    assert [found("10.0.1.20"), found("10.0.1.21")] == [1, 0]


def test_interfaces_are_found_by_attachment_and_by_having_secondaries(net: Net) -> None:
    """`attachment.status` and `addresses.primary`."""
    used, free = net.launch_interface(), net.interface()
    net.assign(used, "10.0.1.20")

    def found(name: str, value: str) -> set[str]:
        filters = [{"Name": name, "Values": [value]}]
        listed = net.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        return {eni["NetworkInterfaceId"] for eni in listed}

    assert found("attachment.status", "attached") == found("addresses.primary", "false") == {used}
    assert found("attachment.status", "detached") == {free}
