from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.addresses import AddressCount, RangeIndex, aws_reserved, clear_blocks, cover_exactly

SUBNET = IPv4Network("10.0.1.0/26")
inside = st.sets(st.integers(0, 63).map(lambda n: SUBNET[n]))
ranges = st.builds(
    lambda first, length: IPv4Network((SUBNET[first], length), strict=False), st.integers(0, 63), st.integers(28, 32)
)
few = settings(max_examples=60, deadline=None)


def test_aws_keeps_the_first_four_and_the_last() -> None:
    """EC2 gives away neither the network's first four addresses nor its last, whatever its size."""
    assert {str(a) for a in aws_reserved(IPv4Network("10.0.0.0/23"))} == {
        "10.0.0.0",
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.3",
        "10.0.1.255",
    }


@few
@given(inside, st.lists(ranges, max_size=3), st.integers(28, 32))
def test_clear_blocks_are_clear(taken: set[IPv4Address], barred: list[IPv4Network], prefix: int) -> None:
    """Blocks hold nothing of AWS's, nothing taken or barred, and no two overlap."""
    found = list(clear_blocks(SUBNET, prefix, taken=taken, barred=barred))
    for index, block in enumerate(found):
        assert block.subnet_of(SUBNET)
        assert not any(address in block for address in taken | aws_reserved(SUBNET))
        assert not any(block.overlaps(other) for other in (*barred, *found[:index]))


@few
@given(inside, st.lists(ranges, max_size=3), st.integers(28, 32))
def test_clear_blocks_leave_nothing_over(taken: set[IPv4Address], barred: list[IPv4Network], prefix: int) -> None:
    """A crowded subnet still gives every single address that it has."""
    found = {address for block in clear_blocks(SUBNET, prefix, taken=taken, barred=barred) for address in block}
    free = set(SUBNET) - taken - aws_reserved(SUBNET) - {a for network in barred for a in network}
    assert found == free


def test_the_highest_block_comes_first() -> None:
    """New blocks go to the top of the subnet, below the one that holds AWS's last address; then smaller ones follow."""
    found = [str(block) for block in clear_blocks(SUBNET, 28, taken=(), barred=())]
    assert found[:3] == ["10.0.1.32/28", "10.0.1.16/28", "10.0.1.48/29"]


def test_a_block_larger_than_the_subnet_is_made_smaller() -> None:
    """A /28 subnet can't give a /27, and not even a /28: AWS keeps five of its addresses."""
    tiny = IPv4Network("10.0.1.0/28")
    assert next(str(block) for block in clear_blocks(tiny, 27, taken=(), barred=())) == "10.0.1.8/30"


def test_what_is_taken_elsewhere_does_not_matter() -> None:
    """Addresses and ranges of other subnets bar nothing here."""
    elsewhere = [IPv4Address("10.0.9.9"), IPv4Address("9.0.0.1")]
    assert list(clear_blocks(SUBNET, 28, taken=elsewhere, barred=[IPv4Network("10.0.2.0/24")])) == list(
        clear_blocks(SUBNET, 28, taken=(), barred=())
    )


@few
@given(inside, st.sampled_from([0, 28, 30, 32]))
def test_covers_are_exact_and_minimal(addresses: set[IPv4Address], largest: int) -> None:
    """A cover contains these addresses and no other, within the size limit, and no two of its ranges could be one."""
    cover = cover_exactly(addresses, largest)
    assert {address for network in cover for address in network} == addresses
    assert sum(network.num_addresses for network in cover) == len(addresses)
    assert all(network.prefixlen >= largest for network in cover)
    larger = [network.supernet() for network in cover if network.prefixlen > largest]
    assert len(larger) == len(set(larger))


@few
@given(inside, ranges)
def test_counting_within_a_range(addresses: set[IPv4Address], network: IPv4Network) -> None:
    """The count is that of a plain search."""
    assert AddressCount([*addresses, *addresses]).within(network) == sum(1 for a in addresses if a in network)


@few
@given(inside, ranges)
def test_the_range_index_finds_and_overlaps(addresses: set[IPv4Address], network: IPv4Network) -> None:
    """The index answers as a plain search over its ranges would."""
    cover = cover_exactly(addresses)
    index = RangeIndex((n, str(n)) for n in cover)
    for address in SUBNET:
        assert index.find(address) == next((str(n) for n in cover if address in n), None)
    assert index.overlaps(network) == any(network.overlaps(n) for n in cover)


@pytest.mark.parametrize("address", ["9.255.255.255", "10.0.2.0"])
def test_outside_every_range_nothing_is_found(address: str) -> None:
    """Below the first range and above the last there is nothing."""
    assert RangeIndex([(SUBNET, "here")]).find(IPv4Address(address)) is None
