"""Random clusters, fleets and neighbours, small enough to shrink and crowded enough to collide.

Strategies are made once, at import: making them anew in every draw costs more than planning.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from hypothesis import strategies as st

from chalicelib.domain.actions import LABEL_KICK
from chalicelib.domain.snapshot import EgressIp, EgressIpConfig, Interface, Node, Reservation, Snapshot
from chalicelib.domain.spec import ClusterSpec, PolicySpec
from tests import factories as make
from tests.domain.world import settle

ZONES = "abc"
OFFSETS = (0, 3, 4, 10, 11, 224, 225, 226, 240, 253, 255)
"""Places in a subnet where something is, or likes to be: AWS's own, the nodes' hosts, the first blocks to be chosen."""

INSIDE = tuple(IPv4Network(make.ZONES[zone])[offset] for zone in ZONES for offset in OFFSETS)
OUTSIDE = IPv4Address("10.99.0.9")
FLAWS: tuple[dict[str, Any], ...] = (
    *({},) * 12,
    {"assignable": None},
    {"assignable": None, "pool": None},
    {"assignable": "false"},
    {"ready": False},
    {"egress_config": make.unreadable()},
    {"host_addresses": None, "created_at": make.NOW - timedelta(minutes=2)},
    {"capacity": 0},
)

_addresses = st.sampled_from(INSIDE)
_listed = st.lists(st.sampled_from((*INSIDE, OUTSIDE)), min_size=1, max_size=3, unique=True)
_policies = st.one_of(
    st.builds(lambda name, count: make.policy(name, per_zone=count), st.sampled_from("pqrs"), st.integers(1, 2)),
    st.builds(lambda name, listed: make.policy(name, *map(str, listed)), st.sampled_from("pqrs"), _listed),
)


def _fleet(policies: list[PolicySpec], prefix: int) -> ClusterSpec:
    return make.cluster(*policies, block_prefix=prefix)


fleets = st.builds(
    _fleet, st.lists(_policies, max_size=3, unique_by=lambda p: p.name), st.sampled_from([28, 28, 30, 24])
)

_counts = st.tuples(*[st.integers(0, 3)] * 3)
_at_least_one = st.tuples(*[st.integers(1, 3)] * 3)
_flaws = st.lists(st.sampled_from(FLAWS), min_size=9, max_size=9)
_capacities = st.sampled_from([1, 2, 14])
_objects = st.lists(
    st.tuples(
        st.sampled_from(["p", "q", "foreign", "old"]),
        st.lists(_addresses, min_size=1, max_size=3, unique=True),
        st.booleans(),
    ),
    max_size=2,
    unique_by=lambda made: made[0],
)
_reservations = st.lists(
    st.tuples(
        st.sampled_from(ZONES),
        st.sampled_from([(224, 28), (240, 32), (253, 32), (226, 32), (224, 27), (0, 24)]),
        st.sampled_from(
            ["ours", "remembers p", "remembers q", "remembers gone", "people's", "another keeper's", "prefix"]
        ),
    ),
    max_size=2,
    unique_by=lambda made: made[0],
)
_strangers = st.lists(_addresses, max_size=2, unique=True)


def _cluster(
    counts: tuple[int, ...],
    flaws: list[dict[str, Any]],
    capacity: int,
    neighbours: tuple[Any, Any, Any],
) -> Snapshot:
    pairs = [(zone, number) for zone, count in zip(ZONES, counts, strict=True) for number in range(count)]
    hosts = tuple(make.interface(*pair) for pair in pairs)
    spoken = {address for interface in hosts for address in interface.addresses}
    objects, reservations, strangers = neighbours
    return settle(
        make.snapshot(
            nodes=tuple(_node(*pair, capacity, flaw) for pair, flaw in zip(pairs, flaws, strict=False)),
            instances=tuple(make.instance(*pair) for pair in pairs),
            interfaces=(
                *hosts,
                *(_stranger(a) for a in strangers if a not in spoken and int(a) % 256 not in (0, 3, 255)),
            ),
            egress_ips=tuple(_object(*made) for made in objects),
            reservations=tuple(_reservation(*made) for made in reservations),
        )
    )


def _node(zone: str, number: int, capacity: int, flaw: dict[str, Any]) -> Node:
    changes = dict(flaw)
    config = EgressIpConfig(f"eni-{zone}{number}", IPv4Network(make.ZONES[zone]), changes.pop("capacity", capacity))
    return make.node(zone, number, **{"egress_config": config, **changes})


def _object(name: str, listed: list[IPv4Address], ours: bool) -> EgressIp:
    made = make.egress_ip(name, *map(str, listed))
    if name != "foreign" and (ours or name == "old"):
        return replace(made, labels={**made.labels, LABEL_KICK: "3"})
    return replace(made, labels={}, owned_fields=frozenset(), other_managers={".spec.egressIPs": "kubectl-create"})


def _reservation(zone: str, place: tuple[int, int], kind: str) -> Reservation:
    cidr = IPv4Network((IPv4Network(make.ZONES[zone]).network_address + place[0], place[1]))
    if kind.startswith("remembers"):
        tags = {**make.tags(**{kind.removeprefix("remembers "): str(cidr[-1])}), "team": "payments"}
        return make.reservation(str(cidr), zone, tags=tags)
    if kind == "prefix":
        return make.reservation(str(cidr), zone, cluster=None, type="prefix")
    return make.reservation(str(cidr), zone, cluster={"ours": "demo", "people's": None}.get(kind, "other"))


def _stranger(address: IPv4Address) -> Interface:
    zone = next(zone for zone in ZONES if address in IPv4Network(make.ZONES[zone]))
    return make.interface(
        zone, 0, id=f"eni-{address}", instance_id=None, addresses=(address,), holder="load balancer x"
    )


_neighbours = st.tuples(_objects, _reservations, _strangers)

clusters = st.builds(_cluster, _counts, _flaws, _capacities, _neighbours)
"""Zero to three nodes a zone, some not fit to carry anything, with neighbours and leftovers; at rest."""

healthy_clusters = st.builds(_cluster, _at_least_one, st.just([{}] * 9), _capacities, _neighbours)
"""At least one node a zone, all of them fit."""
