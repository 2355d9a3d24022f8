"""Reservations: which ranges to create, what their tags must remember, which may be given back.

A reservation is what keeps EC2 from handing an egress address to a node, and its tags are where an address is found
again when the EgressIP object is gone. Few ranges, because EC2 creates one a second; exact ones for listed addresses,
because a range that covers a neighbour takes that neighbour from the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TypeAlias

from chalicelib.domain.actions import (
    LARGEST_RANGE,
    LONGEST_TAG_VALUE,
    MOST_TAGS,
    OWNER,
    TAG_CLUSTER,
    TAG_HELD_PREFIX,
    TAG_OWNER,
    TAG_POLICY_PREFIX,
    ReleaseReservation,
    ReserveCidr,
    TagReservation,
)
from chalicelib.domain.addresses import AddressCount, RangeIndex, aws_reserved, cover_exactly
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.plan import Allocation
from chalicelib.domain.policies.placement import Placement
from chalicelib.domain.snapshot import Reservation
from chalicelib.domain.terrain import Terrain, tagged_addresses

_Holders: TypeAlias = Mapping[str, set[IPv4Address]]
"""Addresses of one range by the tag key that records them."""


@dataclass(frozen=True, slots=True)
class Reserving:
    """The three kinds of change, each sorted by subnet and range, and the reservations that were found missing."""

    release: tuple[ReleaseReservation, ...]
    reserve: tuple[ReserveCidr, ...]
    record: tuple[TagReservation, ...]
    findings: tuple[Finding, ...]


def plan_reservations(terrain: Terrain, placement: Placement) -> Reserving:
    """Compare the reservations that are there with those that the allocations need."""
    covered: dict[str, list[Allocation]] = {}
    uncovered: dict[str, list[Allocation]] = {}
    for allocation in placement.allocations:
        reservation = terrain.reservation_of(allocation.address, allocation.subnet_id)
        if reservation is not None:
            covered.setdefault(reservation.id, []).append(allocation)
        elif _can_be_reserved(terrain, allocation):
            uncovered.setdefault(allocation.subnet_id, []).append(allocation)
    reserve = list(_new_reservations(terrain, placement, uncovered))
    released: list[ReleaseReservation] = []
    recorded: list[TagReservation] = []
    for reservation in sorted(terrain.observed.reservations, key=lambda r: (r.cidr, r.subnet_id)):
        if not terrain.is_ours(reservation):
            continue
        inside = covered.get(reservation.id, [])
        if inside or terrain.in_use(reservation.cidr):
            recorded.append(_record(terrain, reservation, inside))
        else:
            released.append(_release(terrain, reservation))
    return Reserving(
        tuple(released),
        tuple(action for action, _ in reserve),
        tuple(action for action in recorded if action.before != action.after),
        tuple(finding for action, inside in reserve for finding in _missing(terrain, action, inside)),
    )


def _can_be_reserved(terrain: Terrain, allocation: Allocation) -> bool:
    """Outside every subnet there is nothing to reserve, and AWS's own addresses it does not give away."""
    subnet = terrain.subnet_by_id.get(allocation.subnet_id)
    return subnet is not None and allocation.address not in aws_reserved(subnet.cidr)


def _new_reservations(
    terrain: Terrain, placement: Placement, uncovered: Mapping[str, list[Allocation]]
) -> Iterator[tuple[ReserveCidr, list[Allocation]]]:
    """Ranges for everything uncovered, each with what it protects, sorted by subnet and range.

    Addresses that were chosen, now or earlier, get the whole block around them where it is clear; listed ones, and
    those in a crowded block, an exact cover.
    """
    strangers = AddressCount(terrain.used - {allocation.address for allocation in placement.allocations})
    by_cidr = sorted(uncovered.items(), key=lambda item: terrain.subnet_by_id[item[0]].cidr)
    for subnet_id, allocations in by_cidr:
        blocks = _clear_blocks(terrain, subnet_id, allocations, strangers)
        in_block = RangeIndex((block, block) for block in blocks)
        loose = [a.address for a in allocations if in_block.find(a.address) is None]
        ranges = RangeIndex((cidr, cidr) for cidr in [*blocks, *cover_exactly(loose, LARGEST_RANGE)])
        inside: dict[IPv4Network | None, list[Allocation]] = {}
        for allocation in allocations:
            inside.setdefault(ranges.find(allocation.address), []).append(allocation)
        for cidr in sorted(network for network in inside if network is not None):
            yield _reserve(terrain, subnet_id, cidr, inside[cidr]), inside[cidr]


def _clear_blocks(
    terrain: Terrain, subnet_id: str, allocations: list[Allocation], strangers: AddressCount
) -> list[IPv4Network]:
    """Blocks around chosen addresses in which nobody else has anything: no reservation, no address, and AWS neither."""
    kept_by_aws = AddressCount(aws_reserved(terrain.subnet_by_id[subnet_id].cidr))
    size = 1 << (32 - terrain.block_prefix)
    starts = {int(a.address) // size * size for a in allocations if a.source != "fleet"}
    return [
        block
        for block in (IPv4Network((start, terrain.block_prefix)) for start in sorted(starts))
        if not terrain.is_reserved(block, subnet_id) and not strangers.within(block) and not kept_by_aws.within(block)
    ]


def _reserve(terrain: Terrain, subnet_id: str, cidr: IPv4Network, inside: list[Allocation]) -> ReserveCidr:
    policies = _policies(inside)
    return ReserveCidr(
        subnet_id,
        cidr,
        _tags(terrain, _holders(terrain, inside, {}), {}),
        policies,
        f"EC2 must give {', '.join(str(a.address) for a in inside)} ({', '.join(policies)}) to nothing else",
    )


def _policies(allocations: list[Allocation]) -> tuple[str, ...]:
    return tuple(sorted({allocation.policy for allocation in allocations}))


def _holders(
    terrain: Terrain, allocations: list[Allocation], asked_before: Mapping[str, tuple[IPv4Address, ...]]
) -> dict[str, set[IPv4Address]]:
    """By tag key; an address that was asked for once stays under the policy's key, held again or not."""
    holders: dict[str, set[IPv4Address]] = {}
    for allocation in allocations:
        known = allocation.address in asked_before.get(allocation.policy, ())
        never_asked = allocation.held and not known and not terrain.is_out(allocation.policy, allocation.address)
        prefix = TAG_HELD_PREFIX if never_asked else TAG_POLICY_PREFIX
        holders.setdefault(f"{prefix}{allocation.policy}", set()).add(allocation.address)
    return holders


def _tags(terrain: Terrain, holders: _Holders, foreign: Mapping[str, str]) -> dict[str, str]:
    """The complete tags of a range of ours: people's own, whose it is, and who holds what there.

    A range that we made has room for all of it. In a larger one, handed to us by its tags, what EC2's limits leave no
    room for is not recorded: the EgressIP still remembers it.
    """
    tags = {**foreign, TAG_OWNER: OWNER, TAG_CLUSTER: terrain.desired.name}
    for key, addresses in sorted(holders.items())[: max(0, MOST_TAGS - len(tags))]:
        value = ""
        for address in sorted(addresses):
            longer = f"{value} {address}".lstrip()
            value = longer if len(longer) <= LONGEST_TAG_VALUE else value
        tags[key] = value
    return dict(sorted(tags.items()))


def _record(terrain: Terrain, reservation: Reservation, inside: list[Allocation]) -> TagReservation:
    """What the tags must say. People's own tags stay; a policy's stay as long as something still uses its address."""
    policies = _policies(inside)
    holders = _holders(terrain, inside, tagged_addresses(reservation, (TAG_POLICY_PREFIX,)))
    allocated = {allocation.address for allocation in inside}
    for policy, addresses in tagged_addresses(reservation).items():
        still_used = {a for a in addresses if a not in allocated and a in terrain.used}
        if still_used and policy not in policies:
            holders[f"{TAG_POLICY_PREFIX}{policy}"] = still_used
    foreign = {key: value for key, value in reservation.tags.items() if not key.startswith("egress-keeper/")}
    return TagReservation(
        reservation.id,
        reservation.subnet_id,
        reservation.cidr,
        dict(sorted(reservation.tags.items())),
        _tags(terrain, holders, foreign),
        policies,
        "the tags are where an address is found again should its EgressIP be lost",
    )


def _release(terrain: Terrain, reservation: Reservation) -> ReleaseReservation:
    """The safe order: object gone, then CPIC gone, then address off the interface, then this."""
    return ReleaseReservation(
        reservation.id,
        reservation.subnet_id,
        reservation.cidr,
        tuple(tagged_addresses(reservation)),
        f"no policy of {terrain.desired.name} wants an address in it, and no EgressIP, CPIC or interface has one",
    )


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
            impact="Egress still works. While an address is between two nodes, EC2 may give it to something else.",
            todo="Nothing, unless it happens again: the CloudTrail event DeleteSubnetCidrReservation names who did it.",
            repaired_by=action.summary,
            evidence=(f"subnet: {action.subnet_id}", f"range: {action.cidr}"),
        )


def _was_given(terrain: Terrain, allocation: Allocation) -> bool:
    egress_ip = terrain.egress_ip_by_name.get(allocation.policy)
    return egress_ip is not None and str(allocation.address) in egress_ip.spec.addresses
