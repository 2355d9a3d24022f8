from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.aws.conftest import Net


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_launches_take_the_lowest_free_addresses(net: Net) -> None:
    """AWS keeps the first four addresses; after them one allocator serves instances and interfaces alike."""
    launched = [i["PrivateIpAddress"] for i in net.launch(2)]
    assert launched == ["10.0.1.4", "10.0.1.5"]
    assert net.addresses(net.interface(SecondaryPrivateIpAddressCount=1)) == ["10.0.1.6", "10.0.1.7"]


def test_interface_deleted_gives_its_addresses_back(net: Net) -> None:
    """A freed address is handed out again, lowest first."""
    gone = net.interface()
    net.interface()
    net.ec2.delete_network_interface(NetworkInterfaceId=gone)
    assert net.addresses(net.interface()) == ["10.0.1.4"]


def test_interface_keeps_its_primary_among_named_addresses(net: Net) -> None:
    """The address marked primary is the primary, wherever it stands in the request."""
    named = [{"PrivateIpAddress": "10.0.1.9", "Primary": False}, {"PrivateIpAddress": "10.0.1.8", "Primary": True}]
    made = net.interface(PrivateIpAddresses=named)
    found = net.ec2.describe_network_interfaces(NetworkInterfaceIds=[made])["NetworkInterfaces"][0]
    assert found["PrivateIpAddress"] == "10.0.1.8"
    assert net.addresses(made) == ["10.0.1.8", "10.0.1.9"]


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("10.0.9.9", "InvalidParameterValue", "Address 10.0.9.9 does not fall within the subnet's address range"),
        ("10.0.1.0", "InvalidParameterValue", "Address 10.0.1.0 is in subnet's reserved address range"),
        ("10.0.1.3", "InvalidParameterValue", "Address 10.0.1.3 is in subnet's reserved address range"),
        ("10.0.1.31", "InvalidParameterValue", "Address 10.0.1.31 is in subnet's reserved address range"),
        ("10.0.1.10", "InvalidIPAddress.InUse", "Address 10.0.1.10 is in use."),
    ],
)
@pytest.mark.parametrize("way", ["interface", "instance"])
def test_new_interface_and_instance_refuse_an_impossible_address(
    net: Net, way: str, address: str, code: str, message: str
) -> None:
    """A named address must lie in the subnet, not be AWS's own, and be free."""
    net.interface(PrivateIpAddress="10.0.1.10")
    with pytest.raises(ClientError) as error:
        net.interface(PrivateIpAddress=address) if way == "interface" else net.launch(PrivateIpAddress=address)
    assert refusal(error) == (code, message)


def test_assign_puts_secondaries_on_and_answers_only_them(net: Net) -> None:
    """The answer lists what was assigned, not what the interface had before."""
    eni = net.launch_interface()
    assert net.assign(eni, "10.0.1.20", "10.0.1.21") == ["10.0.1.20", "10.0.1.21"]
    assert net.assign(eni, SecondaryPrivateIpAddressCount=1) == ["10.0.1.5"]
    assert net.addresses(eni) == ["10.0.1.4", "10.0.1.20", "10.0.1.21", "10.0.1.5"]


def test_assign_of_an_address_already_here_changes_nothing(net: Net) -> None:
    """Asking twice is granted twice and gives one address."""
    eni = net.launch_interface()
    net.assign(eni, "10.0.1.20")
    assert net.assign(eni, "10.0.1.20") == ["10.0.1.20"]
    assert net.addresses(eni) == ["10.0.1.4", "10.0.1.20"]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("10.0.2.20", "Address 10.0.2.20 does not fall within the subnet's address range"),
        ("10.0.1.2", "Address 10.0.1.2 is in subnet's reserved address range"),
        ("10.0.1.20", "[10.0.1.20] assigned, but move is not allowed."),
    ],
)
def test_assign_refuses_what_it_cannot_give(net: Net, address: str, message: str) -> None:
    """Outside, AWS's own or held elsewhere: InvalidParameterValue in the words that public tools parse."""
    net.assign(net.launch_interface(), "10.0.1.20")
    eni = net.launch_interface()
    with pytest.raises(ClientError) as error:
        net.assign(eni, address)
    assert refusal(error) == ("InvalidParameterValue", message)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert net.addresses(eni) == ["10.0.1.5"]


def test_assign_checks_subnet_then_holder_then_limit(net: Net) -> None:
    """When several things are wrong the first in this order is named, and nothing is assigned."""
    net.assign(net.launch_interface(), "10.0.1.20")
    small = net.launch_interface(InstanceType="t3.nano")
    net.assign(small, "10.0.1.21")
    with pytest.raises(ClientError) as error:
        net.assign(small, "10.0.1.20", "10.0.9.9")
    assert "does not fall within" in refusal(error)[1]
    with pytest.raises(ClientError) as error:
        net.assign(small, "10.0.1.22", "10.0.1.20")
    assert "move is not allowed" in refusal(error)[1]
    assert net.addresses(small) == ["10.0.1.5", "10.0.1.21"]


@pytest.mark.parametrize(
    ("kind", "limit"), [("t3.nano", 2), ("t3.small", 4), ("t3.medium", 6), ("m5.large", 10), ("m5.xlarge", 15)]
)
def test_interface_is_full_at_the_instance_type_s_limit(net: Net, kind: str, limit: int) -> None:
    """Addresses per interface, the primary included, depend on the instance type."""
    eni = net.launch_interface(InstanceType=kind)
    net.assign(eni, SecondaryPrivateIpAddressCount=limit - 1)
    with pytest.raises(ClientError) as error:
        net.assign(eni, "10.0.1.30")
    assert refusal(error) == ("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")


def test_reassignment_moves_a_secondary_but_never_a_primary(net: Net) -> None:
    """AllowReassignment takes the address off its old interface; a primary stays where it is."""
    old, new = net.launch_interface(), net.launch_interface()
    net.assign(old, "10.0.1.20")
    assert net.assign(new, "10.0.1.20", AllowReassignment=True) == ["10.0.1.20"]
    assert (net.addresses(old), net.addresses(new)) == (["10.0.1.4"], ["10.0.1.5", "10.0.1.20"])
    with pytest.raises(ClientError) as error:
        net.assign(new, "10.0.1.4", AllowReassignment=True)
    assert refusal(error)[1] == "[10.0.1.4] assigned, but move is not allowed."


def test_prefix_delegation_is_refused_aloud(net: Net) -> None:
    """What the sandbox does not have it says, rather than ignoring it."""
    with pytest.raises(ClientError) as error:
        net.assign(net.launch_interface(), Ipv4PrefixCount=1)
    assert refusal(error)[0] == "UnsupportedOperation"


def test_unassign_takes_off_all_or_nothing(net: Net) -> None:
    """An address that is not there, or the primary, refuses the whole request."""
    eni = net.launch_interface()
    net.assign(eni, "10.0.1.20", "10.0.1.21")
    for wrong in ("10.0.1.25", "10.0.1.4"):
        with pytest.raises(ClientError) as error:
            net.ec2.unassign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.20", wrong])
        assert refusal(error)[0] == "InvalidParameterValue"
    net.ec2.unassign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.20"])
    assert net.addresses(eni) == ["10.0.1.4", "10.0.1.21"]


def test_address_filter_finds_secondaries_and_private_ip_only_primaries(net: Net) -> None:
    """`addresses.private-ip-address` looks at every address of an interface."""
    eni = net.launch_interface()
    net.assign(eni, "10.0.1.20")

    def found(name: str, value: str) -> list[str]:
        answer = net.ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])
        return [interface["NetworkInterfaceId"] for interface in answer["NetworkInterfaces"]]

    assert found("addresses.private-ip-address", "10.0.1.20") == [eni]
    assert found("addresses.private-ip-address", "10.0.1.4") == [eni]
    assert found("private-ip-address", "10.0.1.20") == []


def test_available_count_is_what_is_left_after_aws_and_everybody_else(net: Net) -> None:
    """A /27 has 27 usable addresses; each assigned one counts, wherever it sits."""
    assert net.available() == 27
    eni = net.launch_interface()
    net.assign(eni, "10.0.1.20", "10.0.1.21")
    assert net.available() == 24


def test_exhausted_subnet_refuses_whole_launches_and_assignments(net: Net) -> None:
    """A launch that does not fit makes no instance at all."""
    eni = net.launch_interface(InstanceType="m5.4xlarge")
    net.assign(eni, SecondaryPrivateIpAddressCount=25)
    for attempt in (lambda: net.launch(2), lambda: net.assign(eni, SecondaryPrivateIpAddressCount=2)):
        with pytest.raises(ClientError) as error:
            attempt()
        assert refusal(error)[0] == "InsufficientFreeAddressesInSubnet"
    assert len(net.launch()) == 1
    assert net.available() == 0
    assert len(net.ec2.describe_instances()["Reservations"]) == 2
