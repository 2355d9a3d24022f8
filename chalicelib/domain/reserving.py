"""Reservations: which ranges to create, what their tags must remember, which may be given back.

A reservation is what keeps EC2 from handing an egress address to a node, and its tags are where an address is found
again when the EgressIP object is gone. Few ranges, because EC2 creates one a second; exact ones for listed addresses,
because a range that covers a neighbour takes that neighbour from the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from chalicelib.domain.actions import (
    OWNER,
    TAG_CLUSTER,
    TAG_OWNER,
    TAG_POLICY_PREFIX,
    ReleaseReservation,
    ReserveCidr,
    TagReservation,
)
from chalicelib.domain.addresses import RangeIndex, aws_reserved, cover_exactly
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.placement import Placement
from chalicelib.domain.plan import Allocation
from chalicelib.domain.snapshot import Reservation
from chalicelib.domain.terrain import Terrain, parse_address, tagged_addresses


@dataclass(frozen=True, slots=True)
class Reserving:
    """The three kinds of change, each sorted by subnet and range, and the reservations that were found missing."""

    release: tuple[ReleaseReservation, ...]
    reserve: tuple[ReserveCidr, ...]
    record: tuple[TagReservation, ...]
    findings: tuple[Finding, ...]


def plan_reservations(terrain: Terrain, placement: Placement) -> Reserving:
    """Compare the reservations that are there with those that the allocations need."""
    covered: dict[str, dict[str, set[IPv4Address]]] = {}
    uncovered: list[Allocation] = []
    for allocation in placement.allocations:
        if not allocation.subnet_id:
            continue
        reservation = terrain.reservation_of(allocation.address, allocation.subnet_id)
        if reservation is None:
            uncovered.append(allocation)
        elif terrain.is_ours(reservation):
            by_policy = covered.setdefault(reservation.id, {})
            by_policy.setdefault(allocation.policy, set()).add(allocation.address)
    reserve = list(_new_reservations(terrain, placement, uncovered))
    released: list[ReleaseReservation] = []
    recorded: list[TagReservation] = []
    for reservation in filter(terrain.is_ours, terrain.observed.reservations):
        holders = covered.get(reservation.id, {})
        if not holders and not _in_use(terrain, reservation):
            released.append(_release(terrain, reservation))
        else:
            recorded.append(_record(terrain, reservation, holders))
    return Reserving(
        tuple(sorted(released, key=lambda a: (a.subnet_id, a.cidr))),
        tuple(action for action, _ in reserve),
        tuple(sorted((a for a in recorded if a.before != a.after), key=lambda a: (a.subnet_id, a.cidr))),
        tuple(finding for action, protected in reserve for finding in _missing(terrain, action, protected)),
    )


def _new_reservations(
    terrain: Terrain, placement: Placement, uncovered: list[Allocation]
) -> Iterator[tuple[ReserveCidr, list[Allocation]]]:
    """Ranges for everything uncovered, each with what it protects.

    Chosen addresses get their block, addresses given earlier their former block again, listed ones an exact cover.
    """
    by_subnet: dict[str, list[Allocation]] = {}
    for allocation in uncovered:
        by_subnet.setdefault(allocation.subnet_id, []).append(allocation)
    for subnet_id, allocations in sorted(by_subnet.items()):
        blocks = list(placement.blocks.get(subnet_id, ()))
        blocks += _former_blocks(terrain, subnet_id, allocations, blocks)
        in_block = RangeIndex((block, block) for block in blocks)
        loose = [a.address for a in allocations if in_block.find(a.address) is None]
        ranges = RangeIndex((cidr, cidr) for cidr in [*blocks, *cover_exactly(loose)])
        inside: dict[IPv4Network, list[Allocation]] = {}
        for allocation in allocations:
            cidr = ranges.find(allocation.address)
            if cidr is not None:
                inside.setdefault(cidr, []).append(allocation)
        for cidr, protected in sorted(inside.items()):
            yield _reserve(terrain, subnet_id, cidr, protected), protected


def _former_blocks(
    terrain: Terrain, subnet_id: str, allocations: list[Allocation], blocks: list[IPv4Network]
) -> list[IPv4Network]:
    """Whole blocks for addresses that were once chosen from one and whose reservation is gone.

    Only where the whole block is clear: no other reservation in it, none of AWS's addresses, nobody else's interface.
    """
    subnet = terrain.subnet_by_id[subnet_id]
    others = [r.cidr for r in terrain.reservations_by_subnet.get(subnet_id, ())] + blocks
    found: list[IPv4Network] = []
    for allocation in allocations:
        if allocation.source not in ("object", "reservation"):
            continue
        block = IPv4Network((allocation.address, terrain.desired.block_prefix), strict=False)
        if block in found or any(block.overlaps(other) for other in others):
            continue
        strangers = [a for a in block if a in terrain.interface_by_address and str(a) not in terrain.cpic_by_address]
        if not strangers and not any(address in block for address in aws_reserved(subnet.cidr)):
            found.append(block)
    return found


def _reserve(terrain: Terrain, subnet_id: str, cidr: IPv4Network, inside: list[Allocation]) -> ReserveCidr:
    holders: dict[str, set[IPv4Address]] = {}
    for allocation in inside:
        holders.setdefault(allocation.policy, set()).add(allocation.address)
    policies = tuple(sorted(holders))
    return ReserveCidr(
        subnet_id,
        cidr,
        _tags(terrain, holders),
        policies,
        f"keeps EC2 from giving {', '.join(str(a.address) for a in inside)} ({', '.join(policies)}) to anything else",
    )


def _tags(terrain: Terrain, holders: Mapping[str, set[IPv4Address]]) -> dict[str, str]:
    own = {TAG_OWNER: OWNER, TAG_CLUSTER: terrain.desired.name}
    return own | {
        f"{TAG_POLICY_PREFIX}{policy}": " ".join(str(address) for address in sorted(addresses))
        for policy, addresses in sorted(holders.items())
    }


def _record(terrain: Terrain, reservation: Reservation, holders: Mapping[str, set[IPv4Address]]) -> TagReservation:
    """What the tags must say. People's own tags stay; a policy's stay as long as something still uses its address."""
    kept = {policy: set(addresses) for policy, addresses in holders.items()}
    for policy, addresses in tagged_addresses(reservation).items():
        still_used = {address for address in addresses if _address_in_use(terrain, address)}
        if still_used and policy not in holders:
            kept[policy] = still_used
    foreign = {key: value for key, value in reservation.tags.items() if not key.startswith("egress-keeper/")}
    after = foreign | _tags(terrain, kept)
    return TagReservation(
        reservation.id,
        reservation.subnet_id,
        reservation.cidr,
        dict(reservation.tags),
        after,
        tuple(sorted(holders)),
        "remembers which address belongs to which policy, should everything else be lost",
    )


def _release(terrain: Terrain, reservation: Reservation) -> ReleaseReservation:
    policies = tuple(tagged_addresses(reservation))
    return ReleaseReservation(
        reservation.id,
        reservation.subnet_id,
        reservation.cidr,
        policies,
        f"no policy of {terrain.desired.name} wants an address in it, and no EgressIP, CPIC or interface has one",
    )


def _in_use(terrain: Terrain, reservation: Reservation) -> bool:
    """The safe order of release: object gone, then CPIC gone, then address off the interface, then this."""
    if reservation.cidr.num_addresses <= 256:
        return any(_address_in_use(terrain, address) for address in reservation.cidr)
    spoken = [parse_address(text) for text in (*terrain.objects_by_address, *terrain.cpic_by_address)]
    return any(a in reservation.cidr for a in (*spoken, *terrain.interface_by_address) if a is not None)


def _address_in_use(terrain: Terrain, address: IPv4Address) -> bool:
    text = str(address)
    if text in terrain.objects_by_address or text in terrain.cpic_by_address:
        return True
    return address in terrain.interface_by_address


def _missing(terrain: Terrain, action: ReserveCidr, protected: list[Allocation]) -> Iterator[Finding]:
    """Addresses already in use that nothing protects: somebody deleted the reservation."""
    exposed = [allocation for allocation in protected if _was_given(terrain, allocation)]
    if exposed:
        names = ", ".join(f"{a.address} ({a.policy})" for a in exposed)
        yield Finding(
            Kind.RESERVATION_MISSING,
            f"range {action.cidr} in {action.subnet_id}",
            Severity.WARNING,
            f"No reservation protects {names} in subnet {action.subnet_id}.",
            impact="Egress still works; EC2 may give the address to a new node or interface once it is free.",
            todo="Nothing, unless it happens again: CloudTrail event DeleteSubnetCidrReservation names who did it.",
            repaired_by=action.summary,
            evidence=(f"subnet: {action.subnet_id}", f"range: {action.cidr}"),
        )


def _was_given(terrain: Terrain, allocation: Allocation) -> bool:
    egress_ip = terrain.egress_ip_by_name.get(allocation.policy)
    return egress_ip is not None and str(allocation.address) in egress_ip.spec.addresses
