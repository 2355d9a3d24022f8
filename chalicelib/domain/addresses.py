"""CIDR and address arithmetic: what EC2 keeps for itself, what is free, how to cover addresses with few ranges.

Pure functions over `ipaddress` values. Who wants an address, and why, is not known here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import Generic, TypeVar

T = TypeVar("T")


def aws_reserved(subnet: IPv4Network) -> frozenset[IPv4Address]:
    """Return the five addresses EC2 keeps of a subnet: the first four and the last.

    Network, router, DNS, future use, broadcast (Amazon VPC User Guide, "Subnet CIDR blocks"). They belong to the
    subnet, not to each /24 in it.
    """
    first = int(subnet.network_address)
    return frozenset(IPv4Address(first + offset) for offset in range(4)) | {subnet.broadcast_address}


def free_addresses(subnet: IPv4Network, taken: Collection[IPv4Address]) -> Iterator[IPv4Address]:
    """Yield the addresses of *subnet* that may still be given, lowest first.

    Args:
        subnet: One IPv4 subnet, /16 to /28.
        taken: Addresses on any network interface there, or spoken for otherwise; any order, repeats allowed.

    An exhausted subnet yields nothing; the planner turns that into a shortfall.
    """
    blocked = aws_reserved(subnet) | frozenset(taken)
    return (address for address in subnet if address not in blocked)


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
    fences = [*barred, *(IPv4Network(a) for a in aws_reserved(subnet) | {a for a in taken if a in subnet})]
    for length in range(max(prefix, subnet.prefixlen), 33):
        given = []
        for block in _descending_clear(subnet, length, fences):
            given.append(block)
            yield block
        fences.extend(given)


def _descending_clear(subnet: IPv4Network, length: int, fences: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
    """The aligned /length ranges of *subnet* that overlap no fence, highest first: one walk down past the fences."""
    size = 1 << (32 - length)
    low, high = int(subnet.network_address), int(subnet.broadcast_address)
    spans = sorted((int(f.broadcast_address), int(f.network_address)) for f in fences if f.overlaps(subnet))
    start = high - size + 1
    while start >= low:
        while spans and spans[-1][1] > start + size - 1:
            spans.pop()
        if spans and spans[-1][0] >= start:
            start = (spans.pop()[1] // size - 1) * size
            continue
        yield IPv4Network((start, length))
        start -= size


def cover_exactly(addresses: Iterable[IPv4Address]) -> tuple[IPv4Network, ...]:
    """The fewest ranges that contain exactly these addresses, lowest first.

    Exactly, because a reservation that also covers a neighbour would take that neighbour from its subnet's nodes.
    """
    return tuple(collapse_addresses(IPv4Network(address) for address in set(addresses)))


class RangeIndex(Generic[T]):
    """Finds the range that contains an address, in logarithmic time. The ranges must not overlap each other."""

    def __init__(self, items: Iterable[tuple[IPv4Network, T]]) -> None:
        ordered = sorted(((int(network.network_address), network, item) for network, item in items), key=_first)
        self._starts = [start for start, _, _ in ordered]
        self._items = [(network, item) for _, network, item in ordered]

    def find(self, address: IPv4Address) -> T | None:
        """What was stored with the range around *address*, or None."""
        index = bisect_right(self._starts, int(address)) - 1
        if index < 0:
            return None
        network, item = self._items[index]
        return item if address in network else None


def _first(entry: tuple[int, object, object]) -> int:
    return entry[0]
