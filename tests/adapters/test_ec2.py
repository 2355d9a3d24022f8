"""Reading EC2: exact requests against a script, whole reads against the sandbox's EC2."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.ec2 import IAM_ACTIONS, Ec2Api
from chalicelib.adapters.errors import Denied, Unreachable
from chalicelib.domain.snapshot import Instance
from sandbox.aws import AwsSandbox
from tests.adapters.aws_helpers import ec2_answer, ec2_error, tag_set
from tests.adapters.wire import FakeTime, ScriptedServer


def instance(instance_id: str, **more: Any) -> dict[str, Any]:
    return {
        "instanceId": instance_id,
        "instanceState": {"name": "running"},
        "instanceType": "m5.xlarge",
        "placement": {"availabilityZone": "eu-central-1a"},
        "subnetId": "subnet-1",
        "vpcId": "vpc-1",
        "launchTime": "2026-03-01T12:00:00.000Z",
        "networkInterfaceSet": [{"networkInterfaceId": f"eni-{instance_id}"}],
        **more,
    }


def reservation_of(*instances: dict[str, Any]) -> dict[str, Any]:
    return {"reservationId": "r-1", "instancesSet": list(instances)}


def test_instances_are_asked_for_by_tag_and_state(aws_script: ScriptedServer, aws: Aws) -> None:
    """Filtered, in pages, to the last one; sorted by id, whatever order EC2 has."""
    classic_name = {"Name": "prod-x7k2p-egress-a-eu-central-1a-h7rv2"}
    aws_script.will(
        ec2_answer(
            "DescribeInstances",
            reservationSet=[
                reservation_of(instance("i-0c"), instance("i-0b", tagSet=tag_set(**classic_name))),
            ],
            nextToken="two",
        ),
        ec2_answer("DescribeInstances", reservationSet=[reservation_of(instance("i-0a", networkInterfaceSet=[]))]),
    )
    found = Ec2Api(aws).fetch_instances("prod-x7k2p")
    assert [(i.id, i.pool, i.interface_id) for i in found] == [
        ("i-0a", None, None),
        ("i-0b", "egress-a", "eni-i-0b"),
        ("i-0c", None, "eni-i-0c"),
    ]
    assert found[2] == Instance(
        id="i-0c",
        state="running",
        type="m5.xlarge",
        zone="eu-central-1a",
        subnet_id="subnet-1",
        vpc_id="vpc-1",
        launched_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        pool=None,
        interface_id="eni-i-0c",
    )
    first, second = (dict(sent.form) for sent in aws_script.sent)
    assert first == {
        "Action": "DescribeInstances",
        "Version": "2016-11-15",
        "Filter.1.Name": "tag:kubernetes.io/cluster/prod-x7k2p",
        "Filter.1.Value.1": "owned",
        "Filter.2.Name": "instance-state-name",
        **{
            f"Filter.2.Value.{n}": state
            for n, state in enumerate(["pending", "running", "shutting-down", "stopping", "stopped"], start=1)
        },
        "MaxResults": "200",
    }
    assert second == {**first, "NextToken": "two"}


@pytest.mark.parametrize("ids", [[], [""]])
def test_asking_about_nothing_sends_nothing(aws_script: ScriptedServer, aws: Aws, ids: list[str]) -> None:
    """Without ids there is no filter, and a read without a filter is never sent."""
    ec2 = Ec2Api(aws)
    assert ec2.fetch_subnets(ids) == ()
    assert ec2.fetch_interfaces([]) == ()
    assert ec2.fetch_reservations([]) == ()
    assert ec2.fetch_address_limits([]) == {}
    assert ec2.fetch_cluster_tags(ids) == {}
    assert aws_script.sent == []


def test_only_instance_ids_are_asked_about(aws_script: ScriptedServer, aws: Aws) -> None:
    """One malformed id would fail the call for all, so only what has the form of an id is sent."""
    aws_script.will(
        ec2_answer(
            "DescribeInstances", reservationSet=[reservation_of(instance("i-0123456789abcdef0", tagSet=tag_set(a="b")))]
        )
    )
    odd = ["i-xyz", "i-123", "i-0123456789abcdef01", "I-12345678", "i-12345678\n", "vpc-12345678", ""]
    tags = Ec2Api(aws).fetch_cluster_tags([*odd, "i-0123456789abcdef0", "i-12345678"])
    assert tags == {"i-0123456789abcdef0": {"a": "b"}}
    [sent] = aws_script.sent
    asked = {value for key, value in sent.form.items() if key.startswith("Filter.1.Value")}
    assert (sent.form["Filter.1.Name"], asked) == ("instance-id", {"i-0123456789abcdef0", "i-12345678"})


def test_two_hundred_ids_are_one_call(aws_script: ScriptedServer, aws: Aws) -> None:
    """A burst of events costs one request for each 200 instances."""
    aws_script.will(*[ec2_answer("DescribeInstances", reservationSet=[])] * 2)
    Ec2Api(aws).fetch_cluster_tags([f"i-{n:08x}" for n in range(201)])
    counts = [sum(key.startswith("Filter.1.Value") for key in sent.form) for sent in aws_script.sent]
    assert counts == [200, 1]


def test_an_item_that_is_not_as_documented_fails_the_list(aws_script: ScriptedServer, aws: Aws) -> None:
    """A subnet we cannot read is not left out: the list would be shorter than the truth."""
    aws_script.will(ec2_answer("DescribeSubnets", subnetSet=[{"subnetId": "subnet-1", "vpcId": "vpc-1"}]))
    with pytest.raises(Unreachable, match="EC2: DescribeSubnets: an item is not as EC2 documents it"):
        Ec2Api(aws).fetch_subnets(["vpc-1"])


def test_a_refused_read_is_denied(aws_script: ScriptedServer, aws: Aws) -> None:
    """A missing permission is told as such, with EC2's first line."""
    aws_script.will(ec2_error(403, "UnauthorizedOperation", "You may not. Encoded authorization failure message: a1b2"))
    with pytest.raises(Denied) as raised:
        Ec2Api(aws).fetch_subnets(["vpc-1"])
    assert raised.value.detail == "UnauthorizedOperation: You may not."


def test_limits_are_learnt_once(aws_script: ScriptedServer, aws: Aws) -> None:
    """Types known already, to any adapter that shares the mapping, are not asked about; unknown ones are absent."""
    known = {"m5.large": 10}
    aws_script.will(
        ec2_answer(
            "DescribeInstanceTypes",
            instanceTypeSet=[{"instanceType": "m5.xlarge", "networkInfo": {"ipv4AddressesPerInterface": 15}}],
        )
    )
    wanted = ["m5.xlarge", "m5.large"]
    assert Ec2Api(aws, limits=known).fetch_address_limits(wanted) == {"m5.large": 10, "m5.xlarge": 15}
    assert Ec2Api(aws, limits=known).fetch_address_limits(wanted) == {"m5.large": 10, "m5.xlarge": 15}
    [sent] = aws_script.sent
    assert (sent.form["Filter.1.Name"], sent.form["Filter.1.Value.1"]) == ("instance-type", "m5.xlarge")
    aws_script.will(ec2_answer("DescribeInstanceTypes", instanceTypeSet=[]))
    assert Ec2Api(aws).fetch_address_limits(["x1.mega"]) == {}


def test_a_subnets_reservations_to_the_last_page(aws_script: ScriptedServer, aws: Aws) -> None:
    """One question a subnet, each to its last page; IPv6 ranges are not ours to look at."""

    def scr(number: int, cidr: str, subnet: str) -> dict[str, Any]:
        return {
            "subnetCidrReservationId": f"scr-{number}",
            "subnetId": subnet,
            "cidr": cidr,
            "reservationType": "explicit",
            "description": "demo",
            "tagSet": tag_set(a="b"),
        }

    aws_script.will(
        ec2_answer(
            "GetSubnetCidrReservations",
            subnetIpv4CidrReservationSet=[scr(1, "10.0.0.64/28", "subnet-1")],
            subnetIpv6CidrReservationSet=[scr(2, "fd00::/80", "subnet-1")],
            nextToken="two",
        ),
        ec2_answer("GetSubnetCidrReservations", subnetIpv4CidrReservationSet=[scr(3, "10.0.0.8/32", "subnet-1")]),
        ec2_answer("GetSubnetCidrReservations"),
    )
    found = Ec2Api(aws).fetch_reservations(["subnet-2", "subnet-1", "subnet-1"])
    assert [(r.id, str(r.cidr), r.description, dict(r.tags)) for r in found] == [
        ("scr-3", "10.0.0.8/32", "demo", {"a": "b"}),
        ("scr-1", "10.0.0.64/28", "demo", {"a": "b"}),
    ]
    assert [(sent.form["SubnetId"], sent.form.get("NextToken")) for sent in aws_script.sent] == [
        ("subnet-1", None),
        ("subnet-1", "two"),
        ("subnet-2", None),
    ]


def test_a_whole_vpc(aws_sandbox: AwsSandbox, time: FakeTime) -> None:
    """Against an EC2 that pages and tags: everything that is there, by exactly the actions that the policy lists."""
    client = aws_sandbox.client("ec2")
    vpc = client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = client.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="eu-central-1a")["Subnet"][
        "SubnetId"
    ]
    other = client.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24", AvailabilityZone="eu-central-1b")["Subnet"][
        "SubnetId"
    ]
    launched = client.run_instances(
        ImageId="ami-12345678",
        InstanceType="m5.xlarge",
        SubnetId=subnet,
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [
                    {"Key": "kubernetes.io/cluster/prod", "Value": "owned"},
                    {"Key": "api.openshift.com/nodepool-ocm", "Value": "egress-a"},
                ],
            }
        ],
    )["Instances"][0]
    interface_id = launched["NetworkInterfaces"][0]["NetworkInterfaceId"]
    client.assign_private_ip_addresses(NetworkInterfaceId=interface_id, PrivateIpAddresses=["10.0.1.200"])
    aws_sandbox.calls.clear()

    ec2 = Ec2Api(Aws(), clock=time.clock, sleep=time.sleep)
    [found] = ec2.fetch_instances("prod")
    assert (found.id, found.pool, found.interface_id) == (launched["InstanceId"], "egress-a", interface_id)
    subnets = {s.id: s for s in ec2.fetch_subnets([found.vpc_id])}
    assert (subnets[subnet].cidr, subnets[other].zone) == (IPv4Network("10.0.1.0/24"), "eu-central-1b")
    [interface] = ec2.fetch_interfaces([subnet, other])
    assert interface.addresses == (IPv4Address(launched["PrivateIpAddress"]), IPv4Address("10.0.1.200"))
    assert interface.holder == f"instance {found.id}"
    assert ec2.fetch_address_limits(["m5.xlarge"]) == {"m5.xlarge": 15}
    assert ec2.fetch_cluster_tags([found.id, "i-0123456789abcdef0"])[found.id]["kubernetes.io/cluster/prod"] == "owned"

    tags = {"egress-keeper/owner": "egress-keeper", "egress-keeper/cluster": "prod"}
    made = ec2.reserve_cidr(subnet, IPv4Network("10.0.1.192/28"), tags, "demo")
    assert (made.type, made.tags) == ("explicit", tags)
    assert ec2.fetch_reservations([subnet, other]) == (made,)
    ec2.tag_reservation(made.id, {"egress-keeper/policy/demo": "10.0.1.200"}, ["egress-keeper/cluster"])
    [tagged] = ec2.fetch_reservations([subnet])
    assert tagged.tags == {"egress-keeper/owner": "egress-keeper", "egress-keeper/policy/demo": "10.0.1.200"}
    ec2.release_reservation(made.id)
    ec2.release_reservation(made.id)
    lost = IPv4Address("10.0.1.201")
    ec2.assign_address(interface_id, lost)
    ec2.assign_address(interface_id, lost)
    assert lost in ec2.fetch_interfaces([subnet])[0].addresses
    assert ec2.fetch_reservations([subnet]) == ()

    assert {f"ec2:{call.operation}" for call in aws_sandbox.calls.of("ec2")} == IAM_ACTIONS
