"""New addresses for policies that name none: the subnet of each zone, and the next one there that is nobody's.

Does not belong here: whether there is room for another address (`room`), and how many a policy lacks (`placement`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Address

from chalicelib.domain.addresses import aws_reserved, clear_blocks
from chalicelib.domain.snapshot import Subnet
from chalicelib.domain.terrain import Terrain


class Choosing:
    """Hands out free addresses, each once, for the length of one plan.

    Args:
        owned: Addresses that belong to a policy already, whether or not it has them.

    Attributes:
        subnet_by_zone: Where new addresses go, by zone, in the zones' order.
    """

    def __init__(self, terrain: Terrain, owned: Collection[IPv4Address]) -> None:
        self._terrain = terrain
        self._owned = owned
        self._candidates: dict[str, Iterator[IPv4Address]] = {}
        self.subnet_by_zone = _subnet_by_zone(terrain)

    def next_in(self, subnet: Subnet) -> IPv4Address | None:
        """The next address of the subnet that is nobody's, or None when there is none left."""
        if subnet.id not in self._candidates:
            self._candidates[subnet.id] = self._free_in(subnet)
        return next(self._candidates[subnet.id], None)

    def _free_in(self, subnet: Subnet) -> Iterator[IPv4Address]:
        """Free addresses in our ranges of the subnet, then in ranges that are still to be reserved."""
        taken = self._taken_in(subnet)
        there = self._terrain.reservations_by_subnet.get(subnet.id, ())
        for block in sorted(r.cidr for r in there if self._terrain.is_ours(r)):
            yield from (address for address in block if address not in taken)
        barred = [reservation.cidr for reservation in there]
        for block in clear_blocks(subnet.cidr, self._terrain.block_prefix, taken=taken, barred=barred):
            yield from block

    def _taken_in(self, subnet: Subnet) -> frozenset[IPv4Address]:
        """Addresses that no choice may take: on an interface or host, listed anywhere, a policy's already, or AWS's."""
        return aws_reserved(subnet.cidr).union(self._terrain.used, self._owned, self._terrain.host_by_address)


def _subnet_by_zone(terrain: Terrain) -> Mapping[str, Subnet]:
    """The subnet of each zone that new addresses go to: the one with most eligible nodes, then by id."""
    best: dict[str, Subnet] = {}

    def rank(subnet: Subnet) -> tuple[int, str]:
        return (-len(terrain.eligible_in(subnet.cidr)), subnet.id)

    for subnet in sorted(terrain.carrying_subnets.values(), key=rank):
        best.setdefault(subnet.zone, subnet)
    return dict(sorted(best.items()))
