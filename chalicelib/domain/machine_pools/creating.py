"""From a wished machine pool to the one that is made, or why it can't be; and how one that exists differs.

Everything that OCM would refuse, or worse, accept and never finish, is said before anything is sent: field, value, and
what is allowed. Belongs here: those rules. Does not belong here: when a pool is made (`pooling`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.domain.findings import some_of
from chalicelib.domain.pools import MachinePool, NewPool, OcmView, Scaling
from chalicelib.domain.snapshot import Instance, Subnet
from chalicelib.domain.spec import PoolCreation
from chalicelib.domain.wished_pools import WishedPool

MOST_NODES = {True: 500, False: 249}
"""Nodes of a cluster's machine pools, HCP and classic (ROSA service limits of 2026)."""

CLASSIC_MULTIPLE = 3
"""A classic pool that spans the zones of a multi-zone cluster has the same number of nodes in each of the three."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a new pool is measured against: the cluster in OCM, its subnets, its machines, EC2's instance types."""

    view: OcmView
    subnets: tuple[Subnet, ...]
    instances: tuple[Instance, ...]
    limits: Mapping[str, int]

    @property
    def hosted(self) -> bool:
        """HCP: one subnet a pool."""
        return self.view.cluster.hosted


def new_pool(wish: WishedPool, ground: Ground, labels: Mapping[str, str]) -> NewPool | tuple[str, ...]:
    """The pool to make, with *labels* beside those of the fleet file; or every reason why it can't be made."""
    creation = wish.creation
    assert creation is not None  # noqa: S101 - only pools that we are to make get here
    problems = [*_instance_type_problems(creation, ground), *_size_problems(wish, creation, ground)]
    place = _hosted_place(wish, ground) if ground.hosted else _classic_place(wish, ground)
    if isinstance(place, str):
        problems.append(place)
    if problems or isinstance(place, str):
        return tuple(f"machine_pools {wish.entry}: create.{problem}" for problem in problems)
    return NewPool(
        wish.name,
        creation.instance_type,
        creation.scaling,
        {**labels, **dict(creation.labels)},
        creation.taints,
        subnet=place.subnet,
        zone=place.zone,
    )


def differences(wish: WishedPool, pool: MachinePool, ground: Ground) -> tuple[str, ...]:
    """How a pool that exists differs from what the fleet file would have made, in words; empty where it does not."""
    creation = wish.creation
    if creation is None:
        return ()
    found = []
    if pool.instance_type != creation.instance_type:
        found.append(f"instance_type is {pool.instance_type}, not {creation.instance_type}")
    if pool.scaling != creation.scaling:
        found.append(f"it has {size_in_words(pool.scaling)}, not {size_in_words(creation.scaling)}")
    if set(pool.taints) != set(creation.taints):
        found.append("its taints are other ones")
    found += [
        f"label {key} is {pool.labels.get(key, 'missing')!r}, not {value!r}"
        for key, value in creation.labels
        if pool.labels.get(key) != value
    ]
    return (*found, *_place_differences(wish, pool, ground))


def size_in_words(scaling: Scaling) -> str:
    """ "2 nodes", or "1 to 3 nodes by autoscaling"."""
    if scaling.auto:
        return f"{scaling.least} to {scaling.most} nodes by autoscaling"
    return f"{scaling.least} node{'' if scaling.least == 1 else 's'}"


def carries(pool: NewPool, limits: Mapping[str, int]) -> tuple[int, int]:
    """Egress addresses that the pool will carry at least and at most: an interface's addresses but the primary."""
    each = limits[pool.instance_type] - 1
    return pool.scaling.least * each, pool.scaling.most * each


@dataclass(frozen=True, slots=True)
class _Place:
    subnet: str | None = None
    zone: str | None = None


def _instance_type_problems(creation: PoolCreation, ground: Ground) -> Iterator[str]:
    if creation.instance_type not in ground.limits:
        yield f"instance_type: {creation.instance_type!r}: EC2 knows no such type here; allowed is one like m5.xlarge"


def _size_problems(wish: WishedPool, creation: PoolCreation, ground: Ground) -> Iterator[str]:
    scaling, cluster = creation.scaling, ground.view.cluster
    spanning = not ground.hosted and cluster.multi_az and len(wish.zones) > 1
    if spanning:
        for field, number in _numbers(scaling):
            if number % CLASSIC_MULTIPLE:
                yield f"{field}: {number}: allowed in a pool over all zones are multiples of {CLASSIC_MULTIPLE}"
    most = MOST_NODES[ground.hosted]
    there = sum(pool.scaling.most for pool in ground.view.pools)
    if there + scaling.most > most:
        field, number = _numbers(scaling)[-1]
        kind = "an HCP" if ground.hosted else "a classic"
        yield f"{field}: {number}: {kind} cluster has at most {most} nodes, and its pools have up to {there} already"


def _numbers(scaling: Scaling) -> tuple[tuple[str, int], ...]:
    """The numbers of the fleet file by their field."""
    if scaling.auto:
        return (("autoscaling.min", scaling.least), ("autoscaling.max", scaling.most))
    return (("replicas", scaling.least),)


def _hosted_place(wish: WishedPool, ground: Ground) -> _Place | str:
    """The subnet, named or found by its zone; or what is wrong with it."""
    for subnet_id in wish.subnets:
        return _Place(subnet=subnet_id) if _is_known(subnet_id, ground) else _unknown_subnet(subnet_id, ground)
    zone = wish.zones[0]
    here = [subnet for subnet in ground.subnets if subnet.zone == zone]
    used = {instance.subnet_id for instance in ground.instances}
    with_nodes = [subnet for subnet in here if subnet.id in used]
    if not here:
        return _unknown_zone(zone, ground)
    if len(with_nodes) == 1 or (not with_nodes and len(here) == 1):
        return _Place(subnet=(with_nodes or here)[0].id)
    # Public and private subnets look alike here, and a node in a public one would leave by another way.
    names = some_of(sorted(subnet.id for subnet in with_nodes or here))
    return f"zones: {zone!r}: more than one subnet is there; allowed is to name one in subnets: {names}"


def _classic_place(wish: WishedPool, ground: Ground) -> _Place | str:
    """One subnet, one zone, or all zones of the cluster, which is what OCM fills in by itself."""
    cluster = ground.view.cluster
    if wish.subnets:
        if len(wish.subnets) > 1:
            return "subnets: more than one: allowed on classic is one subnet, or zones"
        (subnet_id,) = wish.subnets
        return _Place(subnet=subnet_id) if _is_known(subnet_id, ground) else _unknown_subnet(subnet_id, ground)
    zones = set(cluster.zones) or {subnet.zone for subnet in ground.subnets}
    for zone in wish.zones:
        if zone not in zones:
            return _unknown_zone(zone, ground)
    if len(wish.zones) == 1:
        return _Place(zone=wish.zones[0])
    if set(wish.zones) != zones or not cluster.multi_az:
        return f"zones: {', '.join(wish.zones)}: allowed on classic is one zone, or all: {', '.join(sorted(zones))}"
    return _Place()


def _is_known(subnet_id: str, ground: Ground) -> bool:
    return any(subnet.id == subnet_id for subnet in ground.subnets)


def _unknown_subnet(subnet_id: str, ground: Ground) -> str:
    allowed = some_of(f"{subnet.id} ({subnet.zone})" for subnet in ground.subnets)
    return f"subnets: {subnet_id!r} is not in the cluster's VPC; allowed are {allowed}"


def _unknown_zone(zone: str, ground: Ground) -> str:
    allowed = sorted({subnet.zone for subnet in ground.subnets})
    return f"zones: {zone!r}: the cluster has no subnet there; allowed are {', '.join(allowed)}"


def _place_differences(wish: WishedPool, pool: MachinePool, ground: Ground) -> Iterator[str]:
    zone_by_subnet = {subnet.id: subnet.zone for subnet in ground.subnets}
    zones = set(pool.zones) or {zone_by_subnet[name] for name in pool.subnets if name in zone_by_subnet}
    if wish.subnets and pool.subnets and set(pool.subnets) != set(wish.subnets):
        yield f"it is in {', '.join(pool.subnets)}, not {', '.join(wish.subnets)}"
    if wish.zones and zones and zones != set(wish.zones):
        yield f"it is in {', '.join(sorted(zones))}, not {', '.join(wish.zones)}"
