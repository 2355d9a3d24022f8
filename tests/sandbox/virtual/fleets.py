"""Wishes for virtual clusters, and clusters that stand already."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address

from chalicelib.domain.spec import ApiSpec, ClusterSpec, PolicySpec, PoolSpec, SecretRef
from chalicelib.domain.twin.behaviours import behaviours_of
from chalicelib.domain.twin.choices import Choose
from sandbox.rosa.scenario import Flavour
from sandbox.virtual import Keeper, VirtualRosa, egress_pools, pool
from sandbox.virtual.rosa import GUIDE_ZONES

A, B, C = GUIDE_ZONES


def policy(name: str, *addresses: str, per_zone: int | None = None) -> PolicySpec:
    namespaces = f'{{"matchLabels":{{"kubernetes.io/metadata.name":"{name}"}}}}'
    return PolicySpec(name, namespaces, None, tuple(map(IPv4Address, addresses)), per_zone)


def wish(*policies: PolicySpec, pools: tuple[str, ...] = ("egress-a", "egress-b", "egress-c")) -> ClusterSpec:
    api = ApiSpec("https://api.demo.example:443", SecretRef(env="TOKEN"))
    return ClusterSpec("demo", "eu-central-1", "demo-x7k2p", api, policies, tuple(map(PoolSpec, pools)))


@lru_cache(maxsize=64)
def _standing(nodes: tuple[int, ...], flavour: Flavour, release: str, cncc: str, instance_type: str) -> VirtualRosa:
    zones = dict(list(GUIDE_ZONES.items())[: len(nodes)])
    pools = [
        pool(f"egress-{zone[-1]}", zone, replicas=count, instance_type=instance_type)
        for zone, count in zip(zones, nodes, strict=True)
    ]
    return VirtualRosa(pools, zones=zones, flavour=flavour, behaviours=behaviours_of(release, cncc))


def standing(
    *nodes: int,
    flavour: Flavour = Flavour.HCP,
    release: str = "master",
    cncc: str = "main",
    instance_type: str = "m5.xlarge",
    choose: Choose | None = None,
) -> VirtualRosa:
    """A cluster with so many labelled nodes in its first zones (two in each of three by default), at time zero."""
    made = _standing(nodes or (2, 2, 2), flavour, release, cncc, instance_type)
    return made.fork(choose)


def served(keeper: Keeper, seconds: float = 60.0) -> Keeper:
    """The same keeper, after its wishes have come true."""
    keeper.visit()
    keeper.rosa.run_for(seconds)
    return keeper


__all__ = ["GUIDE_ZONES", "A", "B", "C", "egress_pools", "policy", "served", "standing", "wish"]
