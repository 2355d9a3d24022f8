"""One sandbox for all tests of this folder, emptied before each; time stands still until a test advances it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.config import Config

from sandbox.aws import AwsSandbox, Ec2Timing
from sandbox.timeline import SteppedTimeline


@dataclass
class Net:
    """A VPC with one subnet, and short words for what the tests do in it."""

    ec2: Any
    vpc: str
    subnet: str

    def launch(self, count: int = 1, **options: Any) -> list[dict[str, Any]]:
        request = {"ImageId": "ami-12345678", "InstanceType": "m5.xlarge", "SubnetId": self.subnet, **options}
        return self.ec2.run_instances(MinCount=count, MaxCount=count, **request)["Instances"]

    def interface(self, **options: Any) -> str:
        return self.ec2.create_network_interface(SubnetId=self.subnet, **options)["NetworkInterface"][
            "NetworkInterfaceId"
        ]

    def launch_interface(self, **options: Any) -> str:
        return self.launch(**options)[0]["NetworkInterfaces"][0]["NetworkInterfaceId"]

    def addresses(self, interface: str) -> list[str]:
        found = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
        return [entry["PrivateIpAddress"] for entry in found["PrivateIpAddresses"]]

    def assign(self, interface: str, *addresses: str, **options: Any) -> list[str]:
        named = {"PrivateIpAddresses": list(addresses)} if addresses else {}
        answer = self.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, **named, **options)
        return [entry["PrivateIpAddress"] for entry in answer["AssignedPrivateIpAddresses"]]

    def available(self) -> int:
        return self.ec2.describe_subnets(SubnetIds=[self.subnet])["Subnets"][0]["AvailableIpAddressCount"]

    def reserve(self, cidr: str, kind: str = "explicit", **options: Any) -> dict[str, Any]:
        request = {"SubnetId": self.subnet, "Cidr": cidr, "ReservationType": kind, **options}
        return self.ec2.create_subnet_cidr_reservation(**request)["SubnetCidrReservation"]

    def state(self, instance: str) -> str:
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


@pytest.fixture(scope="package")
def running() -> Iterator[AwsSandbox]:
    with AwsSandbox(SteppedTimeline()) as sandbox:
        yield sandbox


@pytest.fixture(scope="package")
def impatient_ec2(running: AwsSandbox) -> Any:
    """An EC2 client that tries once, so that a test sees the refusal itself."""
    return running.client("ec2", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def aws(running: AwsSandbox) -> Iterator[AwsSandbox]:
    running.reset()
    defaults = Ec2Timing()
    running.timing.running_after_seconds = defaults.running_after_seconds
    running.timing.terminated_after_seconds = defaults.terminated_after_seconds
    running.ec2_buckets.enabled = False
    yield running
    running._subscribers.clear()


@pytest.fixture
def timeline(aws: AwsSandbox) -> SteppedTimeline:
    assert isinstance(aws.timeline, SteppedTimeline)
    return aws.timeline


@pytest.fixture
def net(aws: AwsSandbox) -> Net:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/27", AvailabilityZone="eu-central-1a")["Subnet"][
        "SubnetId"
    ]
    return Net(ec2, vpc, subnet)
