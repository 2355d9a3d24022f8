"""In-memory adapters that keep what was written: the ports of the use cases without a wire.

They do what the real systems do with a write (a reservation is there afterwards, an applied object has our fields) and
nothing on their own: assignments are made with `assign_all`, trouble with `fail`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import TypeVar

from chalicelib.adapters.errors import AdapterError, Conflict, NotFound
from chalicelib.domain.pools import MachinePool, NewPool, OcmCluster
from chalicelib.domain.selectors import selector_leaves
from chalicelib.domain.snapshot import (
    MARK_LABEL,
    Cpic,
    EgressIp,
    EgressIpConfig,
    EgressIpSpec,
    Instance,
    Interface,
    Labelled,
    Node,
    Reservation,
    Snapshot,
    Subnet,
)
from sandbox.virtual.fakes import Failing, FakeAlerts, FakeMemory
from tests import factories
from tests.factories import known

__all__ = [
    "Clock",
    "Failing",
    "FakeAlerts",
    "FakeCluster",
    "FakeEc2",
    "FakeMemory",
    "FakeOcm",
    "FakeQueues",
    "assign_all",
    "known",
]

T = TypeVar("T")


class Clock:
    """A clock that moves only when told to."""

    def __init__(self, now: datetime = factories.NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class FakeCluster(Failing):
    """The cluster API."""

    def __init__(self, start: Snapshot) -> None:
        super().__init__()
        self.nodes: dict[str, Node] = {node.name: node for node in known(start.nodes)}
        self.egress_ips: dict[str, EgressIp] = {eip.name: eip for eip in known(start.egress_ips)}
        self.cpics: dict[str, Cpic] = {cpic.address: cpic for cpic in known(start.cpics)}
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.pods: dict[str, dict[str, Mapping[str, str]]] = {}
        """Labels by name, of pods by namespace and name."""
        self.looked_at: list[str] = []

    def fetch_nodes(self) -> tuple[Node, ...]:
        self._check("fetch_nodes")
        return tuple(self.nodes[name] for name in sorted(self.nodes))

    def fetch_egress_ips(self) -> tuple[EgressIp, ...]:
        self._check("fetch_egress_ips")
        return tuple(self.egress_ips[name] for name in sorted(self.egress_ips))

    def fetch_cpics(self) -> tuple[Cpic, ...]:
        self._check("fetch_cpics")
        return tuple(self.cpics[name] for name in sorted(self.cpics))

    def fetch_namespaces(self, keys: Collection[str]) -> tuple[Labelled, ...]:
        self._check("fetch_namespaces")
        self.looked_at.append("namespaces")
        return _labelled(self.namespaces, keys)

    def fetch_pods(self, namespaces: Collection[str], keys: Collection[str]) -> Mapping[str, tuple[Labelled, ...]]:
        self._check("fetch_pods")
        self.looked_at += namespaces
        return {name: _labelled(self.pods.get(name, {}), keys) for name in namespaces}

    def apply_egress_ip(
        self, name: str, spec: EgressIpSpec, labels: Mapping[str, str], *, force: bool, version: str = ""
    ) -> None:
        self._wrote("apply_egress_ip", name, spec.addresses, force)
        owned = {
            ".spec.egressIPs",
            *selector_leaves(spec.namespace_selector, ".spec.namespaceSelector"),
            *selector_leaves(spec.pod_selector, ".spec.podSelector"),
            *(f".metadata.labels.{key}" for key in labels),
        }
        before = self.egress_ips.get(name)
        others = {p: m for p, m in (before.other_managers if before else {}).items() if p not in owned}
        dropped = (before.owned_fields if before else frozenset()) - owned - set(others)
        kept = {k: v for k, v in (before.labels if before else {}).items() if f".metadata.labels.{k}" not in dropped}
        made = EgressIp(name, f"uid-{name}", {}, spec, (), frozenset(owned))
        self.egress_ips[name] = replace(
            before or made, spec=spec, labels={**kept, **labels},
            owned_fields=frozenset(owned), other_managers=others,
        )  # fmt: skip

    def delete_egress_ip(self, name: str, uid: str) -> None:
        self._wrote("delete_egress_ip", name, uid)
        self.egress_ips.pop(name, None)

    def label_node(self, name: str, labels: Mapping[str, str]) -> None:
        self._wrote("label_node", name, dict(labels))
        self.nodes[name] = replace(self.nodes[name], assignable="", marked=MARK_LABEL in labels)

    def unlabel_node(self, name: str, keys: Collection[str]) -> None:
        self._wrote("unlabel_node", name, tuple(keys))
        self.nodes[name] = replace(self.nodes[name], assignable=None, marked=False)

    def edit(self, name: str, *addresses: str, manager: str = "kubectl-edit") -> None:
        """What a person does with `kubectl edit`: the list of addresses becomes theirs."""
        there = self.egress_ips[name]
        self.egress_ips[name] = replace(
            there,
            spec=replace(there.spec, addresses=addresses),
            owned_fields=there.owned_fields - {".spec.egressIPs"},
            other_managers={**there.other_managers, ".spec.egressIPs": manager},
        )


def _labelled(found: Mapping[str, Mapping[str, str]], keys: Collection[str]) -> tuple[Labelled, ...]:
    return tuple(Labelled(name, {k: v for k, v in found[name].items() if k in keys}) for name in sorted(found))


class FakeEc2(Failing):
    """EC2 in the cluster's account."""

    def __init__(self, start: Snapshot) -> None:
        super().__init__()
        self.instances: dict[str, Instance] = {i.id: i for i in known(start.instances)}
        self.subnets = known(start.subnets)
        self.interfaces: dict[str, Interface] = {i.id: i for i in known(start.interfaces)}
        self.reservations: dict[str, Reservation] = {r.id: r for r in known(start.reservations)}
        self.limits = known(start.limits)
        self.tags: dict[str, Mapping[str, str]] = {
            i: {"kubernetes.io/cluster/demo-x7k2p": "owned"} for i in self.instances
        }
        self.asked_ids: list[tuple[str, ...]] = []

    def fetch_instances(self, infra_id: str) -> tuple[Instance, ...]:
        self._check("fetch_instances")
        return tuple(self.instances[key] for key in sorted(self.instances))

    def fetch_subnets(self, vpc_ids: Collection[str]) -> tuple[Subnet, ...]:
        self._check("fetch_subnets")
        return tuple(subnet for subnet in self.subnets if subnet.vpc_id in vpc_ids)

    def fetch_interfaces(self, subnet_ids: Collection[str]) -> tuple[Interface, ...]:
        self._check("fetch_interfaces")
        return tuple(self.interfaces[key] for key in sorted(self.interfaces))

    def fetch_reservations(self, subnet_ids: Collection[str]) -> tuple[Reservation, ...]:
        self._check("fetch_reservations")
        return tuple(sorted(self.reservations.values(), key=lambda r: (r.subnet_id, r.cidr)))

    def fetch_address_limits(self, instance_types: Collection[str]) -> Mapping[str, int]:
        self._check("fetch_address_limits")
        return {name: self.limits[name] for name in instance_types}

    def reserve_cidr(self, subnet_id: str, cidr: IPv4Network, tags: Mapping[str, str], description: str) -> Reservation:
        self._wrote("reserve_cidr", subnet_id, str(cidr))
        made = Reservation(f"scr-{cidr}", subnet_id, cidr, "explicit", description, dict(tags))
        self.reservations[made.id] = made
        return made

    def tag_reservation(self, reservation_id: str, write: Mapping[str, str], remove: Collection[str]) -> None:
        self._wrote("tag_reservation", reservation_id, dict(write), tuple(remove))
        there = self.reservations[reservation_id]
        kept = {key: value for key, value in there.tags.items() if key not in remove}
        self.reservations[reservation_id] = replace(there, tags={**kept, **write})

    def release_reservation(self, reservation_id: str) -> None:
        self._wrote("release_reservation", reservation_id)
        self.reservations.pop(reservation_id, None)

    def assign_address(self, interface_id: str, address: IPv4Address) -> None:
        self._wrote("assign_address", interface_id, str(address))
        there = self.interfaces[interface_id]
        self.interfaces[interface_id] = replace(there, addresses=tuple(dict.fromkeys((*there.addresses, address))))

    def fetch_cluster_tags(self, instance_ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        self._check("fetch_cluster_tags")
        self.asked_ids.append(tuple(instance_ids))
        return {key: self.tags[key] for key in instance_ids if key in self.tags}


class FakeOcm(Failing):
    """OCM with one cluster. `between` is called before every request: what another writer does in between."""

    def __init__(self, cluster: OcmCluster, *pools: MachinePool) -> None:
        super().__init__()
        self.cluster = cluster
        self.pools: dict[str, MachinePool] = {pool.name: pool for pool in pools}
        self.between: Callable[[str], None] = lambda _operation: None

    def fetch_cluster(self, cluster_id: str) -> OcmCluster:
        self._ask("fetch_cluster")
        if cluster_id != self.cluster.id:
            raise NotFound("OCM", "get cluster", f"404: Cluster '{cluster_id}' not found")
        return self.cluster

    def fetch_pools(self, cluster: OcmCluster) -> tuple[MachinePool, ...]:
        self._ask("fetch_pools")
        return tuple(self.pools[name] for name in sorted(self.pools))

    def fetch_pool(self, cluster: OcmCluster, name: str) -> MachinePool | None:
        self._ask("fetch_pool")
        return self.pools.get(name)

    def set_pool_labels(self, cluster: OcmCluster, name: str, labels: Mapping[str, str]) -> None:
        self._ask("set_pool_labels")
        if name not in self.pools:
            raise NotFound("OCM", "label node pool", f"404: {name} not found")
        self._wrote("set_pool_labels", name, dict(labels))
        self.pools[name] = replace(self.pools[name], labels=dict(labels))

    def create_pool(self, cluster: OcmCluster, pool: NewPool) -> MachinePool:
        self._ask("create_pool")
        if pool.name in self.pools:
            raise Conflict("OCM", "create machine pool", f"409: {pool.name} exists")
        self._wrote("create_pool", pool)
        made = MachinePool(
            pool.name,
            pool.labels,
            pool.instance_type,
            pool.scaling,
            (),
            (pool.subnet,) if pool.subnet else (),
            pool.taints,
        )
        self.pools[pool.name] = made
        return made

    def write_labels(self, name: str, labels: Mapping[str, str]) -> None:
        """What the console or Terraform does: the whole map is replaced."""
        self.pools[name] = replace(self.pools[name], labels=dict(labels))

    def _ask(self, operation: str) -> None:
        self.between(operation)
        self._check(operation)


def assign_all(cluster: FakeCluster, ec2: FakeEc2) -> None:
    """What the platform does with healthy objects: each address on an eligible node of its subnet, one a node."""
    for name, egress_ip in list(cluster.egress_ips.items()):
        items: dict[str, str] = {}
        for address in egress_ip.spec.addresses:
            node = next((n for n in cluster.fetch_nodes() if n.name not in items.values() and _fits(n, address)), None)
            if node is None:
                continue
            items[address] = node.name
            cluster.cpics[address] = factories.cpic(address, node.name, owner=name)
            assert isinstance(node.egress_config, EgressIpConfig)  # _fits has looked
            there = ec2.interfaces[node.egress_config.interface]
            if IPv4Address(address) not in there.addresses:
                ec2.interfaces[there.id] = replace(there, addresses=(*there.addresses, IPv4Address(address)))
        cluster.egress_ips[name] = replace(egress_ip, items=tuple(items.items()))
    for address in set(cluster.cpics) - {a for eip in cluster.egress_ips.values() for a in eip.spec.addresses}:
        _release(cluster, ec2, address)


def _release(cluster: FakeCluster, ec2: FakeEc2, address: str) -> None:
    del cluster.cpics[address]
    for key, there in list(ec2.interfaces.items()):
        ec2.interfaces[key] = replace(there, addresses=tuple(a for a in there.addresses if str(a) != address))


def _fits(node: Node, address: str) -> bool:
    config = node.egress_config
    subnet = getattr(config, "subnet", None)
    return node.ready and node.assignable is not None and subnet is not None and IPv4Address(address) in subnet


@dataclass
class FakeQueues:
    """Both queues: what was sent, with delay, group and deduplication id."""

    events: list[tuple[str, int]] = field(default_factory=list)
    work: list[tuple[str, str, str]] = field(default_factory=list)
    broken: Callable[[str], AdapterError | None] = lambda _group: None

    def send_events(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        if (error := self.broken("events")) is not None:
            raise error
        self.events.extend((body, delay_seconds) for body in bodies)

    def send_work(self, body: str, *, group: str, deduplication_id: str) -> None:
        if (error := self.broken(group)) is not None:
            raise error
        self.work.append((body, group, deduplication_id))
