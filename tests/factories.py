"""Small builders of observed values with sensible defaults: a three-zone cluster on the subnets of the guide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeVar

from chalicelib.domain.actions import LABEL_MANAGED_BY, LABEL_POLICY, OWNER, TAG_CLUSTER, TAG_OWNER, TAG_POLICY_PREFIX
from chalicelib.domain.pools import MachinePool, OcmCluster, OcmView, Scaling
from chalicelib.domain.snapshot import (
    ASSIGNABLE_LABEL,
    Cpic,
    EgressIp,
    EgressIpConfig,
    EgressIpSpec,
    Instance,
    Interface,
    Node,
    Reservation,
    Snapshot,
    Subnet,
    Unknown,
    Unreadable,
)
from chalicelib.domain.spec import ApiSpec, ClusterSpec, PolicySpec, PoolSpec, SecretRef

T = TypeVar("T")

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ZONES = {"a": "10.10.100.0/24", "b": "10.10.150.0/24", "c": "10.10.200.0/24"}
NAMESPACES = '{"matchLabels":{"kubernetes.io/metadata.name":"demo-egress-ns"}}'
PODS = '{"matchLabels":{"run":"demo-egress-pod"}}'


def known(section: T | Unknown) -> T:
    assert not isinstance(section, Unknown)
    return section


def namespaces(name: str) -> str:
    """The selector of the one namespace that a policy or an object of that name is for: no two overlap."""
    return NAMESPACES if name == "ns" else f'{{"matchLabels":{{"kubernetes.io/metadata.name":"{name}"}}}}'


def zone_name(zone: str) -> str:
    return f"eu-central-1{zone}"


def subnet(zone: str = "a", **changes: Any) -> Subnet:
    cidr = IPv4Network(ZONES[zone])
    made = Subnet(f"subnet-{zone}", "vpc-1", zone_name(zone), cidr, available=cidr.num_addresses - 6)
    return replace(made, **changes)


def host(zone: str, number: int) -> IPv4Address:
    return IPv4Network(ZONES[zone])[10 + number]


def node(zone: str = "a", number: int = 0, **changes: Any) -> Node:
    made = Node(
        name=f"node-{zone}{number}",
        created_at=NOW - timedelta(days=1),
        ready=True,
        assignable="",
        zone=zone_name(zone),
        instance_id=f"i-{zone}{number}",
        instance_type="m5.xlarge",
        egress_config=EgressIpConfig(f"eni-{zone}{number}", IPv4Network(ZONES[zone]), 14, 15),
        host_addresses=(host(zone, number),),
        networked=True,
        pool=f"demo-egress-{zone}",
    )
    return replace(made, **changes)


def unreadable(why: str = "annotation is missing") -> Unreadable:
    return Unreadable(why)


def instance(zone: str = "a", number: int = 0, **changes: Any) -> Instance:
    made = Instance(
        id=f"i-{zone}{number}",
        state="running",
        type="m5.xlarge",
        zone=zone_name(zone),
        subnet_id=f"subnet-{zone}",
        vpc_id="vpc-1",
        launched_at=NOW - timedelta(days=1),
        pool=f"egress-{zone}",
        interface_id=f"eni-{zone}{number}",
    )
    return replace(made, **changes)


def interface(zone: str = "a", number: int = 0, *secondary: str, **changes: Any) -> Interface:
    made = Interface(
        f"eni-{zone}{number}",
        f"subnet-{zone}",
        f"i-{zone}{number}",
        (host(zone, number), *map(IPv4Address, secondary)),
        holder=f"instance i-{zone}{number}",
    )
    return replace(made, **changes)


def cpic(address: str, on: str = "node-a0", *, owner: str | None = "ns", **changes: Any) -> Cpic:
    made = Cpic(address, on, on, "True", "CloudResponseSuccess", "IP address successfully added", owner)
    return replace(made, **changes)


def egress_ip(name: str = "ns", *addresses: str, items: Mapping[str, str] | None = None, **changes: Any) -> EgressIp:
    made = EgressIp(
        name=name,
        uid=f"uid-{name}",
        labels={LABEL_MANAGED_BY: OWNER, LABEL_POLICY: name},
        spec=EgressIpSpec(addresses, namespaces(name), None),
        items=tuple((items or {}).items()),
        owned_fields=frozenset(
            {
                ".spec.egressIPs",
                ".spec.namespaceSelector.matchLabels.kubernetes.io/metadata.name",
                f".metadata.labels.{LABEL_MANAGED_BY}",
                f".metadata.labels.{LABEL_POLICY}",
            }
        ),
    )
    return replace(made, **changes)


def reservation(cidr: str, zone: str = "a", *, cluster: str | None = "demo", **changes: Any) -> Reservation:
    tags = {TAG_OWNER: OWNER, TAG_CLUSTER: cluster} if cluster else {}
    made = Reservation(f"scr-{cidr}", f"subnet-{zone}", IPv4Network(cidr), "explicit", "", tags)
    return replace(made, **changes)


def tags(cluster: str = "demo", **addresses_by_policy: str) -> dict[str, str]:
    own = {TAG_OWNER: OWNER, TAG_CLUSTER: cluster}
    return own | {f"{TAG_POLICY_PREFIX}{policy}": addresses for policy, addresses in addresses_by_policy.items()}


def policy(name: str = "ns", *addresses: str, per_zone: int | None = None, pods: str | None = None) -> PolicySpec:
    return PolicySpec(name, namespaces(name), pods, tuple(IPv4Address(a) for a in addresses), per_zone)


def cluster(*policies: PolicySpec, **changes: Any) -> ClusterSpec:
    made = ClusterSpec(
        name="demo",
        region="eu-central-1",
        infra_id="demo-x7k2p",
        api=ApiSpec("https://api.demo.example:443", SecretRef(env="TOKEN")),
        policies=policies,
        machine_pools=tuple(PoolSpec(f"egress-{zone}") for zone in ZONES),
    )
    return replace(made, **changes)


def ocm_cluster(**changes: Any) -> OcmCluster:
    made = OcmCluster(
        id="2bh6ffvmaaai0bmkt7g179hsl02163f3",
        name="demo",
        infra_id="demo-x7k2p",
        hosted=True,
        state="ready",
        multi_az=True,
        region="eu-central-1",
        version="4.18.12",
        zones=tuple(map(zone_name, ZONES)),
    )
    return replace(made, **changes)


def pool(zone: str = "a", **changes: Any) -> MachinePool:
    """A labelled pool of one node, as the factories' nodes and instances are."""
    made = MachinePool(
        name=f"egress-{zone}",
        labels={ASSIGNABLE_LABEL: ""},
        instance_type="m5.xlarge",
        scaling=Scaling(1, 1, auto=False),
        zones=(zone_name(zone),),
        subnets=(f"subnet-{zone}",),
    )
    return replace(made, **changes)


def ocm_view(*pools: MachinePool, **changes: Any) -> OcmView:
    return OcmView(ocm_cluster(**changes), pools or tuple(pool(zone) for zone in ZONES))


def snapshot(zones: str = "abc", nodes_per_zone: int = 1, **changes: Any) -> Snapshot:
    """A healthy cluster at rest with nothing of ours in it yet."""
    numbers = range(nodes_per_zone)
    made = Snapshot(
        taken_at=NOW,
        nodes=tuple(node(zone, number) for zone in zones for number in numbers),
        egress_ips=(),
        cpics=(),
        instances=tuple(instance(zone, number) for zone in zones for number in numbers),
        subnets=tuple(subnet(zone) for zone in ZONES),
        interfaces=tuple(interface(zone, number) for zone in zones for number in numbers),
        reservations=(),
        limits={"m5.xlarge": 15},
    )
    return replace(made, **changes)
