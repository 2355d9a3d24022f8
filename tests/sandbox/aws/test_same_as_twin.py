"""EC2 on the wire and EC2 in the twin are one: the cloud network controller meets the same answers from both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.twin import ec2 as plane
from chalicelib.domain.twin.tables import Table
from sandbox.aws import AwsSandbox, Delay
from sandbox.controllers import cloud
from tests.sandbox.aws.conftest import Net

ADDRESSES = ("10.0.1.20", "10.0.1.21", "10.0.1.22", "10.0.1.23", "10.0.1.1", "10.0.1.31", "10.0.2.9", "10.0.1.4")

calls = st.lists(
    st.tuples(
        st.sampled_from([plane.AssignAddress, plane.UnassignAddress]), st.integers(0, 2), st.sampled_from(ADDRESSES)
    ),
    max_size=9,
)


class Both:
    """The same two nodes' instances and a stranger's interface on the wire and in the twin."""

    def __init__(self, net: Net, client: Any) -> None:
        self.client = client
        launched = [net.launch(InstanceType=kind)[0] for kind in ("t3.small", "m5.xlarge")]
        self.instances = [instance["InstanceId"] for instance in launched]
        self.interfaces = [i["NetworkInterfaces"][0]["NetworkInterfaceId"] for i in launched] + [net.interface()]
        self.plane = plane.Plane(subnets=Table([(net.subnet, plane.Subnet(net.subnet, "10.0.1.0/27"))]))
        for instance, interface, kind in zip(self.instances, self.interfaces, ("t3.small", "m5.xlarge"), strict=False):
            made = plane.Interface(interface, net.subnet, tuple(net.addresses(interface)))
            self.plane = plane.launch(self.plane, instance, kind, made)
        stranger = self.interfaces[2]
        made = plane.Interface(stranger, net.subnet, tuple(net.addresses(stranger)))
        self.plane = plane.add_interface(self.plane, made)

    def ask(self, request: plane.Request) -> tuple[Any, Any]:
        self.plane, expected = plane.call(self.plane, request)
        return _comparable(expected), _comparable(cloud.send(self.client, request))

    def begin_again(self) -> None:
        """Take every secondary address off again."""
        for name in self.interfaces:
            for address in self.plane.interfaces[name].addresses[1:]:
                self.ask(plane.UnassignAddress(name, address))


def _comparable(answer: Any) -> Any:
    if isinstance(answer, plane.Ec2Error):
        return replace(answer, request_id="")
    return answer


@pytest.fixture
def both(net: Net, impatient_ec2: Any) -> Both:
    return Both(net, impatient_ec2)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls)
def test_assigning_and_unassigning_end_alike(both: Both, calls: list[tuple[Any, int, str]]) -> None:
    """Same code, same message, same addresses afterwards, whatever is asked in whatever order."""
    both.begin_again()
    both.begin_again()
    for kind, number, address in calls:
        expected, got = both.ask(kind(both.interfaces[number], address))
        assert got == expected
    for instance in both.instances:
        expected, got = both.ask(plane.DescribeInstance(instance))
        assert got == expected


def test_what_is_unknown_is_refused_alike(both: Both) -> None:
    """Instances, interfaces, types and subnets that EC2 does not know."""
    for request in (
        plane.DescribeInstance("i-0123456789abcdef0"),
        plane.AssignAddress("eni-0123456789abcdef0", "10.0.1.20"),
        plane.UnassignAddress("eni-0123456789abcdef0", "10.0.1.20"),
        plane.DescribeInstanceType("m9.tiny"),
        plane.DescribeSubnet("subnet-0123456789abcdef0"),
    ):
        expected, got = both.ask(request)
        assert isinstance(got, plane.Ec2Error)
        assert got == expected


def test_limits_of_instance_types_are_ec2_s(both: Both) -> None:
    """The numbers that the twin has by heart are those of DescribeInstanceTypes."""
    for kind in plane.ADDRESSES_PER_INTERFACE:
        expected, got = both.ask(plane.DescribeInstanceType(kind))
        assert got == expected


def test_an_ended_instance_has_no_interface_on_either_side(both: Both, aws: AwsSandbox) -> None:
    """The cloud network controller finds the instance, and nothing to release an address from."""
    ended = both.instances[0]
    both.client.terminate_instances(InstanceIds=[ended])
    both.plane = plane.free_due(plane.terminate(both.plane, ended, 0.0), 0.0)
    for request in (plane.DescribeInstance(ended), plane.UnassignAddress(both.interfaces[0], "10.0.1.20")):
        expected, got = both.ask(request)
        assert got == expected


def test_a_client_that_waits_too_little_counts_as_refused(both: Both, aws: AwsSandbox) -> None:
    """No answer in time is an error of the request, not an empty answer."""
    hurried = aws.client("ec2", config=Config(read_timeout=0.05, retries={"total_max_attempts": 1}))
    aws.faults.inject("ec2", "DescribeInstances", Delay(0.3), times=1)
    answer = cloud.send(hurried, plane.DescribeInstance(both.instances[0]))
    assert isinstance(answer, plane.Ec2Error)
    assert answer.code == "RequestError"
