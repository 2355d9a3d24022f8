"""Which addresses belong to which policy: listed in the fleet file, kept by its object, or found again in tags.

An address once given stays given: what the object or a reservation's tags remember comes first. Belongs here: what each
policy has and wants, and the one owner of each address. Does not belong here: new addresses (`choosing`), and which may
be asked for now (`placement`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from chalicelib.domain.addresses import aws_reserved
from chalicelib.domain.findings import FAIL_OPEN, Finding, Kind, Severity
from chalicelib.domain.snapshot import EgressIp
from chalicelib.domain.spec import PolicySpec
from chalicelib.domain.terrain import Terrain, is_our_object, parse_address


@dataclass(frozen=True, slots=True)
class Wish:
    """What one policy has and wants.

    Attributes:
        given: Addresses that belong to it already: listed in the fleet file, or found again.
        present: Those that its object lists now.
        out: Those that a cycle has taken out of it, to be put back.
        blocked: Why nothing can be asked for in its name; empty where it can.
    """

    policy: PolicySpec
    given: tuple[IPv4Address, ...]
    present: frozenset[IPv4Address]
    out: frozenset[IPv4Address] = frozenset()
    blocked: str = ""


def read_wishes(terrain: Terrain) -> tuple[Wish, ...]:
    """One a policy, by name. An address may be given to several as yet: see `owners`."""
    return tuple(_wish(terrain, policy) for policy in sorted(terrain.desired.policies, key=lambda policy: policy.name))


def owners(terrain: Terrain, wishes: tuple[Wish, ...]) -> Mapping[IPv4Address, str]:
    """One policy for each given address: where it serves, else where the object lists it, else the first by name."""
    owner: dict[IPv4Address, str] = {}
    ranked = sorted(
        (
            not terrain.is_carried(wish.policy.name, str(address)),
            address not in wish.present and address not in wish.out,
            wish.policy.name,
            address,
        )
        for wish in wishes
        for address in wish.given
    )
    for _, _, policy, address in ranked:
        owner.setdefault(address, policy)
    return owner


def wanted_twice(policy: PolicySpec, address: IPv4Address, owner: str) -> Finding:
    """The fleet file lists an address for a policy, and it belongs to another one: somebody must correct the file."""
    return Finding(
        Kind.ADDRESS_DUPLICATE,
        f"address {address} of {policy.name}",
        Severity.CRITICAL,
        f"{address} is wanted by policy {policy.name}, but it belongs to policy {owner}.",
        impact=FAIL_OPEN,
        todo="Name another address for one of the two in the fleet file; an address serves one policy only.",
    )


def listed_addresses(egress_ip: EgressIp) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an object lists, each once, in its order; what else stands there is passed over."""
    texts = dict.fromkeys(egress_ip.spec.addresses)
    return (address for text in texts if (address := parse_address(text)) is not None)


def _wish(terrain: Terrain, policy: PolicySpec) -> Wish:
    there = terrain.egress_ip_by_name.get(policy.name)
    ours = there is not None and is_our_object(there)
    blocked = "" if there is None or ours else f"an EgressIP {policy.name} exists that is not ours"
    in_object = tuple(listed_addresses(there)) if there is not None and ours else ()
    out = _out_of(terrain, policy.name)
    if policy.per_zone is None:
        return Wish(policy, tuple(dict.fromkeys(policy.addresses)), frozenset(in_object), out, blocked)

    def serves(address: IPv4Address) -> bool:
        return terrain.is_carried(policy.name, str(address))

    recorded = terrain.recorded_in_tags(policy.name)
    edited = there is not None and ".spec.egressIPs" not in there.owned_fields and bool(recorded)
    # A list somebody edited is no wish of ours; but what serves in it, where nothing else is remembered, is kept.
    found = tuple(a for a in in_object if serves(a) or not (edited or _is_kept_by_aws(terrain, a)))
    trusted, others = (recorded, found) if edited else (found, recorded)
    trusted = (*trusted, *sorted(out))
    known = dict.fromkeys((*trusted, *others))
    # Stable: among equals the order of the list decides, and people append to it.
    ranked = sorted(known, key=lambda a: (a not in trusted, not serves(a)))
    given = _at_most(terrain, policy.per_zone, ranked, policy.name)
    return Wish(policy, given, frozenset(in_object), out, blocked)


def _out_of(terrain: Terrain, policy: str) -> frozenset[IPv4Address]:
    cycles = terrain.cycles.get(policy, ())
    parsed = (parse_address(text) for text in cycles if terrain.is_out(policy, text))
    return frozenset(address for address in parsed if address is not None)


def _is_kept_by_aws(terrain: Terrain, address: IPv4Address) -> bool:
    subnet = terrain.subnet_of(address)
    return subnet is not None and address in aws_reserved(subnet.cidr)


def _at_most(terrain: Terrain, per_zone: int, ranked: list[IPv4Address], policy: str) -> tuple[IPv4Address, ...]:
    """The first *per_zone* of each zone. One whose subnet is gone counts nowhere, and stays while it serves."""
    count: Counter[str] = Counter()
    kept = []
    for address in ranked:
        subnet = terrain.subnet_of(address)
        if subnet is None:
            if terrain.is_carried(policy, str(address)):
                kept.append(address)
            continue
        count[subnet.zone] += 1
        if count[subnet.zone] <= per_zone:
            kept.append(address)
    return tuple(sorted(kept))
