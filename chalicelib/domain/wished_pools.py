"""Which machine pools the fleet file wishes for on this cluster, by the names that they have, or will have, in OCM.

On classic an entry of the fleet file is one pool, wherever its nodes are. On HCP a pool has one subnet, so an entry
that is to be made in several places is one pool a place: `egress` in zones a and b becomes `egress-a` and `egress-b`.
Belongs here: that step. Does not belong here: what is asked of OCM (`creating`, `pooling`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.snapshot import Subnet
from chalicelib.domain.spec import PoolCreation, PoolSpec


@dataclass(frozen=True, slots=True)
class WishedPool:
    """One machine pool that is to carry egress addresses.

    Attributes:
        entry: The entry of the fleet file it comes from, for messages.
        creation: What it is made like; None where somebody else makes it.
        zones, subnets: Those of the entry that this pool is for; one of them on HCP.
    """

    name: str
    entry: str
    creation: PoolCreation | None = None
    zones: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()


def wished_pools(
    entries: tuple[PoolSpec, ...], subnet_by_id: Mapping[str, Subnet], *, hosted: bool
) -> list[WishedPool]:
    """The pools of the fleet file in its order. A subnet that is not known is told by its own id in the pool's name."""
    wished: list[WishedPool] = []
    for entry in entries:
        creation = entry.create
        if creation is None:
            wished.append(WishedPool(entry.name, entry.name))
        elif not hosted or len(creation.zones) + len(creation.subnets) == 1:
            wished.append(WishedPool(entry.name, entry.name, creation, creation.zones, creation.subnets))
        else:
            wished += [
                WishedPool(f"{entry.name}-{_letter(zone)}", entry.name, creation, zones=(zone,))
                for zone in creation.zones
            ]
            suffixes = _suffixes(creation.subnets, subnet_by_id)
            wished += [
                WishedPool(f"{entry.name}-{suffix}", entry.name, creation, subnets=(subnet_id,))
                for subnet_id, suffix in suffixes.items()
            ]
    return wished


def _suffixes(subnet_ids: tuple[str, ...], subnet_by_id: Mapping[str, Subnet]) -> dict[str, str]:
    """The letter of each subnet's zone; the end of the subnet's own id where two share a zone, or it is not known."""
    letters = {name: _letter(subnet_by_id[name].zone) if name in subnet_by_id else "" for name in subnet_ids}
    count = Counter(letters.values())
    return {name: letter if letter and count[letter] == 1 else name[-5:] for name, letter in letters.items()}


def _letter(zone: str) -> str:
    """What tells a zone from the others of its Region: "a" of eu-central-1a."""
    return zone[-1:]
