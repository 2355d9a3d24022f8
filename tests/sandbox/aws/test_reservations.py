from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox.aws.conftest import Net

TAGS = [{"ResourceType": "subnet-cidr-reservation", "Tags": [{"Key": "owner", "Value": "egress-keeper"}]}]


def test_description_and_tags_given_at_creation_are_kept(net: Net) -> None:
    """What says whose a reservation is comes back in every read."""
    made = net.reserve("10.0.1.16/28", Description="payments", TagSpecifications=TAGS)
    read = net.ec2.get_subnet_cidr_reservations(SubnetId=net.subnet)["SubnetIpv4CidrReservations"]
    assert read == [made]
    assert (made["Description"], made["Tags"]) == ("payments", TAGS[0]["Tags"])


def test_tags_can_be_filtered_added_and_removed(net: Net) -> None:
    """CreateTags and DeleteTags work on scr-… ids and the `tag:` and `tag-key` filters see them."""
    one, two = net.reserve("10.0.1.16/30"), net.reserve("10.0.1.20/30", TagSpecifications=TAGS)
    by_tag = {"Name": "tag:owner", "Values": ["egress-keeper"]}

    def ids(*filters: dict[str, Any]) -> list[str]:
        answer = net.ec2.get_subnet_cidr_reservations(SubnetId=net.subnet, Filters=list(filters))
        return [r["SubnetCidrReservationId"] for r in answer["SubnetIpv4CidrReservations"]]

    first, second = one["SubnetCidrReservationId"], two["SubnetCidrReservationId"]
    assert ids(by_tag) == [second]
    net.ec2.create_tags(Resources=[first], Tags=[{"Key": "owner", "Value": "egress-keeper"}])
    assert ids(by_tag) == [first, second]
    net.ec2.delete_tags(Resources=[second], Tags=[{"Key": "owner"}])
    assert ids({"Name": "tag-key", "Values": ["owner"]}) == [first]


def test_tags_go_with_their_reservation(net: Net) -> None:
    """A deleted reservation leaves no tags behind."""
    made = net.reserve("10.0.1.16/28", TagSpecifications=TAGS)
    net.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=made["SubnetCidrReservationId"])
    assert net.ec2.describe_tags(Filters=[{"Name": "key", "Values": ["owner"]}])["Tags"] == []


def test_reading_in_pages_gives_every_reservation_once(net: Net) -> None:
    """MaxResults bounds a page and NextToken leads through the rest; the last page has no token."""
    made = [net.reserve(f"10.0.1.{host}/32")["Cidr"] for host in range(8, 20)]
    pages: list[list[str]] = []
    token: dict[str, str] = {}
    while True:
        answer = net.ec2.get_subnet_cidr_reservations(SubnetId=net.subnet, MaxResults=5, **token)
        pages.append([r["Cidr"] for r in answer["SubnetIpv4CidrReservations"]])
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [cidr for page in pages for cidr in page] == made


def test_reservations_steer_automatic_addresses_and_deletion_gives_back(net: Net) -> None:
    """AWS never hands out a reserved address by itself; naming it is allowed, and a deleted range is free again."""
    made = net.reserve("10.0.1.4/30")
    assert net.launch()[0]["PrivateIpAddress"] == "10.0.1.8"
    assert net.addresses(net.interface(PrivateIpAddress="10.0.1.6")) == ["10.0.1.6"]
    net.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=made["SubnetCidrReservationId"])
    assert net.launch()[0]["PrivateIpAddress"] == "10.0.1.4"


def test_explicit_ranges_count_when_assigned_and_prefix_ranges_at_once(net: Net) -> None:
    """AvailableIpAddressCount: an explicit range costs nothing until used, a prefix range is spent whole and once."""
    eni = net.launch_interface()
    net.reserve("10.0.1.8/29")
    assert net.available() == 26
    net.assign(eni, "10.0.1.8")
    assert net.available() == 25
    prefix = net.reserve("10.0.1.16/28", "prefix")  # holds the subnet's broadcast address, which was never available
    assert net.available() == 10
    net.assign(eni, "10.0.1.20")
    assert net.available() == 10
    net.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=prefix["SubnetCidrReservationId"])
    assert net.available() == 24


def test_subnet_wholly_reserved_has_no_room_for_nodes(net: Net) -> None:
    """A launch fails with free addresses shown when all of them are under explicit reservations."""
    net.reserve("10.0.1.0/27")
    assert net.available() == 27
    with pytest.raises(ClientError, match="InsufficientFreeAddressesInSubnet"):
        net.launch()


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 3)), st.booleans())
def test_nothing_reserved_is_ever_chosen(net: Net, quarters: set[int], delegated: bool) -> None:
    """Whatever is reserved, an automatic address lies in no
    reservation, and creating then deleting restores the count.
    """
    before = net.available()
    wanted = [(f"10.0.1.{quarter * 4}/30", "explicit") for quarter in sorted(quarters)]
    wanted += [("10.0.1.16/28", "prefix")] if delegated else []
    made = [net.reserve(cidr, kind)["SubnetCidrReservationId"] for cidr, kind in wanted]
    if len(wanted) < 5:
        eni = net.interface()
        assert not any(IPv4Address(net.addresses(eni)[0]) in IPv4Network(cidr) for cidr, _ in wanted)
        net.ec2.delete_network_interface(NetworkInterfaceId=eni)
    for reservation in made:
        net.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=reservation)
    assert net.available() == before


def test_a_range_for_prefixes_holds_at_least_one(net: Net) -> None:
    """A delegated prefix is a /28: a smaller `prefix` range serves nobody. `explicit` ones may be single addresses."""
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        net.reserve("10.0.1.16/29", "prefix")
    net.reserve("10.0.1.16/28", "prefix")
    net.reserve("10.0.1.8/32", "explicit")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("scr-0123456789abcdef0", "InvalidSubnetCidrReservationID.NotFound"),
        ("scr-1", "InvalidSubnetCidrReservationID.Malformed"),
        ("subnet-0123456789abcdef0", "InvalidSubnetCidrReservationID.Malformed"),
    ],
)
def test_a_gone_reservation_is_told_from_an_id_that_is_none(net: Net, name: str, code: str) -> None:
    """Gone is success for whoever wanted it gone; a malformed id is a mistake."""
    with pytest.raises(ClientError, match=code):
        net.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=name)


def test_a_repeated_or_overlapping_reservation_is_refused_in_ec2_s_words(net: Net) -> None:
    """Creating is not idempotent; the message names the range."""
    net.reserve("10.0.1.16/28")
    for cidr in ("10.0.1.16/28", "10.0.1.20/32", "10.0.1.0/27"):
        with pytest.raises(ClientError, match=f"Reservation CIDR {cidr} has overlap with existing reserved CIDR block"):
            net.reserve(cidr)
    with pytest.raises(ClientError, match="should be within subnet CIDR block"):
        net.reserve("10.0.9.0/28")
