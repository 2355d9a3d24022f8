"""CIDR and address arithmetic: what EC2 keeps for itself, what is free, how to cover addresses with few ranges.

Pure functions over `ipaddress` values. Who wants an address, and why, is not known here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")

_Span: TypeAlias = tuple[int, int]
"""Last and first address of a range, as numbers; the last first, because ranges are walked from the top."""


@lru_cache(maxsize=1 << 10)
def aws_reserved(subnet: IPv4Network) -> frozenset[IPv4Address]:
    """Return the five addresses EC2 keeps of a subnet: the first four and the last.

    Network, router, DNS, future use, broadcast (Amazon VPC User Guide, "Subnet CIDR blocks"). They belong to the
    subnet, not to each /24 in it.
    """
    first = int(subnet.network_address)
    return frozenset(IPv4Address(first + offset) for offset in range(4)) | {subnet.broadcast_address}


def clear_blocks(
    subnet: IPv4Network,
    prefix: int,
    *,
    taken: Collection[IPv4Address],
    barred: Collection[IPv4Network],
) -> Iterator[IPv4Network]:
    """Yield ranges of *subnet* that nobody uses, the best to reserve first; none overlaps another.

    Highest aligned range first: EC2 hands out addresses from anywhere, and people who pick by hand pick high ones for
    what is to stay. When no range of the wanted size is left, smaller ones follow, down to single addresses, so that
    a crowded subnet still gives what it has.

    Args:
        prefix: Wanted prefix length, between the subnet's own and 32.
        taken: Addresses that are on interfaces or hosts, or spoken for.
        barred: Ranges that must not be touched: reservations, whoever's.
    """
    fences: set[_Span] = {(int(a), int(a)) for a in (*aws_reserved(subnet), *taken)}
    fences.update((int(range_.broadcast_address), int(range_.network_address)) for range_ in barred)
    for length in range(max(prefix, subnet.prefixlen), 33):
        given = []
        for block in _descending_clear(subnet, length, fences):
            given.append((int(block.broadcast_address), int(block.network_address)))
            yield block
        fences.update(given)


def _descending_clear(subnet: IPv4Network, length: int, fences: Iterable[_Span]) -> Iterator[IPv4Network]:
    """The aligned /length ranges of *subnet* that overlap no fence, highest first: one walk down past the fences."""
    size = 1 << (32 - length)
    low, high = int(subnet.network_address), int(subnet.broadcast_address)
    spans = sorted(fences)
    start = high - size + 1
    while start >= low:
        while spans and spans[-1][1] > start + size - 1:
            spans.pop()
        if spans and spans[-1][0] >= start:
            start = (spans.pop()[1] // size - 1) * size
            continue
        yield IPv4Network((start, length))
        start -= size


def cover_exactly(addresses: Iterable[IPv4Address], largest: int = 0) -> tuple[IPv4Network, ...]:
    """The fewest ranges that contain exactly these addresses, none larger than /*largest*, lowest first.

    Exactly, because a reservation that also covers a neighbour would take that neighbour from its subnet's nodes.
    """
    numbers = sorted({int(address) for address in addresses})
    most = 1 << (32 - largest)
    ranges = []
    index = 0
    while index < len(numbers):
        start, size = numbers[index], 1
        while size < most and start % (2 * size) == 0 and _all_there(numbers, index, 2 * size):
            size *= 2
        ranges.append(IPv4Network((start, 33 - size.bit_length())))
        index += size
    return tuple(ranges)


def _all_there(numbers: list[int], index: int, count: int) -> bool:
    """Whether *count* numbers without a gap start at *index*."""
    return index + count <= len(numbers) and numbers[index + count - 1] == numbers[index] + count - 1


class AddressCount:
    """Counts how many of many addresses lie in a range, in logarithmic time."""

    def __init__(self, addresses: Iterable[IPv4Address]) -> None:
        self._numbers = sorted({int(address) for address in addresses})

    def within(self, network: IPv4Network) -> int:
        """How many distinct addresses lie in *network*."""
        first, last = int(network.network_address), int(network.broadcast_address)
        return bisect_right(self._numbers, last) - bisect_left(self._numbers, first)


class RangeIndex(Generic[T]):
    """Finds the range that contains an address, in logarithmic time. The ranges must not overlap each other."""

    def __init__(self, items: Iterable[tuple[IPv4Network, T]]) -> None:
        ordered = sorted(items, key=_start)
        self._starts = [int(network.network_address) for network, _ in ordered]
        self._ends = [int(network.broadcast_address) for network, _ in ordered]
        self._items = [item for _, item in ordered]

    def find(self, address: IPv4Address) -> T | None:
        """What was stored with the range around *address*, or None."""
        number = int(address)
        index = bisect_right(self._starts, number) - 1
        return self._items[index] if index >= 0 and number <= self._ends[index] else None

    def overlaps(self, network: IPv4Network) -> bool:
        """Whether any of the ranges shares an address with *network*."""
        index = bisect_right(self._starts, int(network.broadcast_address)) - 1
        return index >= 0 and self._ends[index] >= int(network.network_address)


def _start(entry: tuple[IPv4Network, object]) -> int:
    return int(entry[0].network_address)
