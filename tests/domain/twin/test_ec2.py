"""The EC2 address plane: what is refused, and in which order."""

from __future__ import annotations

import pytest

from chalicelib.domain.twin import ec2
from chalicelib.domain.twin.ec2 import (
    AssignAddress,
    DescribeInstance,
    DescribeInstanceType,
    DescribeSubnet,
    Done,
    Ec2Error,
    InstanceView,
    Interface,
    Plane,
    Subnet,
    TypeLimits,
    UnassignAddress,
)
from chalicelib.domain.twin.tables import Table


def plane() -> Plane:
    """One t3.nano (two addresses) and a foreign interface, in one dual-stack subnet."""
    start = Plane(subnets=Table([("a", Subnet("a", "10.0.1.0/24", "fd00:1::/64"))]))
    start = ec2.launch(start, "i-1", "t3.nano", Interface("eni-1", "a", ("10.0.1.11",)))
    return ec2.add_interface(start, Interface("foreign", "a", ("10.0.1.50", "10.0.9.9")))


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("10.0.9.9", "InvalidParameterValue", "Address 10.0.9.9 does not fall within the subnet's address range"),
        ("10.0.1.3", "InvalidParameterValue", "Address 10.0.1.3 is in subnet's reserved address range"),
        ("10.0.1.255", "InvalidParameterValue", "Address 10.0.1.255 is in subnet's reserved address range"),
        ("10.0.1.50", "InvalidParameterValue", "[10.0.1.50] assigned, but move is not allowed."),
        ("10.0.1.101", "PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."),
        ("fd00:2::1", "InvalidParameterValue", "Address fd00:2::1 does not fall within the subnet's address range"),
    ],
)
def test_refusals_in_order(address: str, code: str, message: str) -> None:
    """Subnet, holder, limit: the first that applies is what EC2 says, even on a full interface."""
    full, answer = ec2.call(plane(), AssignAddress("eni-1", "10.0.1.100"))
    assert answer == Done()
    assert ec2.call(full, AssignAddress("eni-1", address)) == (full, Ec2Error(code, message))


def test_families_have_their_own_limits() -> None:
    """Two IPv4 and two IPv6 addresses fit a t3.nano; its primary address counts."""
    after = plane()
    for address in ("10.0.1.100", "fd00:1::1", "fd00:1::2"):
        after, answer = ec2.call(after, AssignAddress("eni-1", address))
        assert answer == Done()
    assert isinstance(ec2.call(after, AssignAddress("eni-1", "fd00:1::3"))[1], Ec2Error)


def test_assigning_twice_to_the_same_interface_is_no_error() -> None:
    """And changes nothing, not even when it is full."""
    full, _ = ec2.call(plane(), AssignAddress("eni-1", "10.0.1.100"))
    assert ec2.call(full, AssignAddress("eni-1", "10.0.1.100")) == (full, Done())


def test_unassigning_what_is_not_there_is_refused() -> None:
    """What is there goes, and can be assigned elsewhere."""
    full, _ = ec2.call(plane(), AssignAddress("eni-1", "10.0.1.100"))
    bare, answer = ec2.call(full, UnassignAddress("eni-1", "10.0.1.100"))
    assert (bare.holders, answer) == (plane().holders, Done())
    assert isinstance(ec2.call(bare, UnassignAddress("eni-1", "10.0.1.100"))[1], Ec2Error)


def test_descriptions() -> None:
    """Instance with its first interface, limits of the type, CIDRs of the subnet; errors for what is not there."""
    start = plane()
    view = InstanceView("t3.nano", Interface("eni-1", "a", ("10.0.1.11",)))
    assert ec2.call(start, DescribeInstance("i-1")) == (start, view)
    assert ec2.call(start, DescribeInstanceType("t3.nano"))[1] == TypeLimits(2, 2)
    assert ec2.call(start, DescribeSubnet("a"))[1] == Subnet("a", "10.0.1.0/24", "fd00:1::/64")
    for request in (DescribeInstance("x"), DescribeInstanceType("x"), DescribeSubnet("x"), AssignAddress("x", "::1")):
        assert isinstance(ec2.call(start, request)[1], Ec2Error)


def test_a_terminated_instance_loses_its_interface_when_its_time_has_come() -> None:
    """Not before, and once; its address can then be had by another."""
    start = ec2.terminate(plane(), "i-1", 15.0)
    assert ec2.next_release(start) == 15.0
    assert ec2.free_due(start, 14.9) == start
    freed = ec2.free_due(start, 15.0)
    assert ec2.call(freed, DescribeInstance("i-1"))[1] == InstanceView("t3.nano", None)
    assert (ec2.next_release(freed), "10.0.1.11" in freed.holders) == (None, False)
    assert ec2.terminate(freed, "i-1", 20.0) == freed


@pytest.mark.parametrize(
    ("request_", "operation"),
    [
        (DescribeInstance("i-1"), "DescribeInstances"),
        (DescribeInstanceType("t3.nano"), "DescribeInstanceTypes"),
        (DescribeSubnet("a"), "DescribeSubnets"),
        (AssignAddress("eni-1", "10.0.1.100"), "AssignPrivateIpAddresses"),
        (AssignAddress("eni-1", "fd00:1::1"), "AssignIpv6Addresses"),
        (UnassignAddress("eni-1", "10.0.1.100"), "UnassignPrivateIpAddresses"),
        (UnassignAddress("eni-1", "fd00:1::1"), "UnassignIpv6Addresses"),
    ],
)
def test_every_operation_can_be_made_to_fail(request_: ec2.Request, operation: str) -> None:
    """Failures are by the operation's name in EC2."""
    refusal = Ec2Error("UnauthorizedOperation", "no", 403)
    failing = Plane(failures=Table([(operation, refusal)]))
    assert ec2.call(failing, request_) == (failing, refusal)


def test_an_address_is_on_one_interface() -> None:
    """A second interface with it cannot be created."""
    with pytest.raises(ValueError, match=r"10\.0\.1\.50 on interface foreign already"):
        ec2.add_interface(plane(), Interface("other", "a", ("10.0.1.50",)))


def test_errors_read_as_the_sdk_prints_them() -> None:
    """Code, message, status and request id, over two lines."""
    assert str(Ec2Error("Code", "Text.", 403, "r-1")) == "Code: Text.\n\tstatus code: 403, request id: r-1"
