"""The EC2 side of a cluster: its VPC and subnets, and one instance a
machine, tagged as ROSA tags it. Talks to EC2 only.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from sandbox.aws import AwsSandbox
from sandbox.rosa.naming import instance_tags, security_group_name
from sandbox.rosa.scenario import Flavour, PoolSpec, Scenario

_IMAGE = "ami-0c0ffee0c0ffee000"


@dataclass(frozen=True)
class Machine:
    """One machine of a pool and the instance behind it."""

    name: str
    pool: str
    zone: str
    instance_id: str
    interface_id: str
    address: IPv4Address


class Machines:
    """Makes and ends machines. *vpc_id* and *subnet_ids* (by zone) name what was made for the cluster,
    *networks* what is in those subnets."""

    def __init__(self, aws: AwsSandbox, scenario: Scenario) -> None:
        """Make the cluster's network in *aws*."""
        self._ec2 = aws.client("ec2", region=scenario.region)
        self._scenario = scenario
        self.vpc_id: str = self._ec2.create_vpc(CidrBlock=str(scenario.vpc))["Vpc"]["VpcId"]
        self.networks: dict[str, IPv4Network] = dict(scenario.zones)
        self.subnet_ids: dict[str, str] = {
            zone: self._make_subnet(zone, network) for zone, network in scenario.zones.items()
        }
        self._security_group = self._ec2.create_security_group(
            GroupName=security_group_name(scenario), Description="workers", VpcId=self.vpc_id
        )["GroupId"]

    def launch(self, pool: PoolSpec, zone: str, name: str) -> Machine:
        """RunInstances for one machine. Raises botocore's ClientError as EC2 refuses, e.g. for a full subnet."""
        tags = [{"Key": key, "Value": value} for key, value in instance_tags(self._scenario, pool, name).items()]
        launched = self._ec2.run_instances(
            MinCount=1,
            MaxCount=1,
            ImageId=_IMAGE,
            InstanceType=pool.instance_type,
            SubnetId=self.subnet_ids[zone],
            SecurityGroupIds=[self._security_group],
            TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
        )["Instances"][0]
        interface = launched["NetworkInterfaces"][0]["NetworkInterfaceId"]
        if self._scenario.flavour is Flavour.HCP:
            # The cluster's network controller may change only interfaces tagged red-hat-managed=true.
            self._ec2.create_tags(Resources=[interface], Tags=tags)
        address = IPv4Address(launched["PrivateIpAddress"])
        return Machine(name, pool.name, zone, launched["InstanceId"], interface, address)

    def move_zone(self, zone: str, network: IPv4Network) -> None:
        """Machines of *zone* are launched into another subnet from now on; those that are there stay where they are."""
        self.subnet_ids[zone] = self._make_subnet(zone, network)
        self.networks[zone] = network

    def describe(self, machine: Machine) -> dict[str, Any]:
        """The instance as DescribeInstances shows it now."""
        answer = self._ec2.describe_instances(InstanceIds=[machine.instance_id])
        instance: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
        return instance

    def terminate(self, machine: Machine) -> None:
        """TerminateInstances for one machine."""
        self._ec2.terminate_instances(InstanceIds=[machine.instance_id])

    def _make_subnet(self, zone: str, network: IPv4Network) -> str:
        made = self._ec2.create_subnet(VpcId=self.vpc_id, CidrBlock=str(network), AvailabilityZone=zone)
        subnet_id: str = made["Subnet"]["SubnetId"]
        name = {"Key": "Name", "Value": f"{self._scenario.name}-private-{zone}"}
        internal = {"Key": "kubernetes.io/role/internal-elb", "Value": "1"}
        self._ec2.create_tags(Resources=[subnet_id], Tags=[name, internal])
        return subnet_id
