"""Random clusters for random lives: sizes, instance types, release, flavour, policies.

Belongs here: what a cluster is like before anything happens to it, and how it comes to rest. Does not belong here: what
happens to it (`lives`, `breaking`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_network
from random import Random

from bench.continuity.playing import CONTROLLERS, INFRA_ID, RELEASES, cluster_spec
from bench.continuity.timelines import policy
from chalicelib.domain.spec import ClusterSpec, PolicySpec
from chalicelib.domain.twin.behaviours import behaviours_of
from sandbox.rosa.scenario import Flavour
from sandbox.timing import Ec2Timing
from sandbox.virtual import GUIDE_ZONES, Chance, Keeper, VirtualRosa, pool

TYPES = ("m5.large", "m5.xlarge", "m5.2xlarge", "t3.medium")
"""Room for 9, 14, 14 and 5 egress addresses a node."""


@dataclass(frozen=True)
class Shape:
    """One drawn cluster.

    Attributes:
        sizes: Nodes by zone, each zone with a pool of its own.
        types: Instance type by zone.
        policies: What is wished for; every address fits from the beginning.
    """

    sizes: Mapping[str, int]
    types: Mapping[str, str]
    policies: tuple[PolicySpec, ...]
    flavour: Flavour
    release: str
    controller: str
    ec2: Ec2Timing

    @property
    def spec(self) -> ClusterSpec:
        """What the fleet file says of it."""
        there = cluster_spec()
        pools = tuple(each for each in there.machine_pools if any(each.name == pool_of(zone) for zone in self.sizes))
        return replace(there, policies=self.policies, machine_pools=pools)

    @property
    def addresses(self) -> int:
        """How many are wished for in all."""
        return sum(len(each.addresses) or (each.per_zone or 0) * len(self.sizes) for each in self.policies)


def pool_of(zone: str) -> str:
    """The machine pool of a zone."""
    return f"egress-{zone[-1]}"


def draw_shape(draw: Random) -> Shape:
    """One cluster. Mostly three zones with two to five nodes each; now and then a zone has a single node."""
    zones = tuple(GUIDE_ZONES)[: draw.choice((2, 3, 3, 3))]
    sizes = {zone: draw.choice((1, 2, 2, 2, 3, 3, 3, 4, 5)) for zone in zones}
    return Shape(
        sizes,
        {zone: draw.choice(TYPES) for zone in zones},
        _policies(draw, sizes),
        draw.choice((Flavour.HCP, Flavour.CLASSIC)),
        draw.choice(RELEASES),
        draw.choice(CONTROLLERS),
        Ec2Timing(20.0, draw.uniform(20.0, 90.0)),
    )


def _policies(draw: Random, sizes: Mapping[str, int]) -> tuple[PolicySpec, ...]:
    """One to four policies. No zone is asked for more than four addresses, which every instance type can carry."""
    made = []
    for number in range(draw.randint(1, 4)):
        name, last = f"p{number}", 250 - 8 * number
        match draw.choice(("single", "a zone each", "chosen", "two in a zone")):
            case "single":
                made.append(policy(name, _address(draw.choice(sorted(sizes)), last)))
            case "a zone each":
                made.append(policy(name, *(_address(zone, last) for zone in sorted(sizes))))
            case "chosen":
                made.append(policy(name, per_zone=1))
            case _:
                wide = sorted(zone for zone, nodes in sizes.items() if nodes > 1) if number < 2 else []
                zone = draw.choice(wide or sorted(sizes))
                made.append(policy(name, *(_address(zone, last - index) for index in range(2 if wide else 1))))
    return tuple(made)


def _address(zone: str, last: int) -> str:
    return str(IPv4Address(int(ip_network(GUIDE_ZONES[zone]).network_address) + last))


def at_rest(shape: Shape, draw: Random) -> Keeper:
    """The cluster with its wishes come true.

    A node may have been given one of the addresses before the tool could reserve it; then chance is drawn anew.
    """
    zones = {zone: GUIDE_ZONES[zone] for zone in shape.sizes}
    pools = [pool(pool_of(z), z, replicas=n, instance_type=shape.types[z]) for z, n in shape.sizes.items()]
    while True:
        rosa = VirtualRosa(
            pools,
            infra_id=INFRA_ID,
            flavour=shape.flavour,
            zones=zones,
            behaviours=behaviours_of(shape.release, shape.controller),
            ec2_timing=shape.ec2,
            choose=Chance(draw.randrange(1 << 32)),
        )
        keeper = Keeper(rosa, shape.spec)
        keeper.run(900.0)
        if sum(map(len, rosa.serving().values())) == shape.addresses:
            return keeper
