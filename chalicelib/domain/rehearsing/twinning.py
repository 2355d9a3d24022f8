"""A snapshot as a world of the twin, and the plan's actions as what is done to that world.

Belongs here: the translation of observed values and of actions. Does not belong here: what is made of it (`rehearsal`,
`what_if`), the model itself (`twin`).

What a snapshot does not show is filled in so that no conclusion depends on it, or is left to the caller:

- Objects are taken to have their mark already. One more status patch is one trigger more, never one less.
- A CloudPrivateIPConfig with any status has CNCC's finalizer; CNCC sets both in one go.
- Every node that is Ready answers probes.
- An instance that is on its way out keeps its addresses: when EC2 frees them nobody knows.
- Whether CNCC still retries a failed assignment: `may_be_retried`.
- Instance types whose limits could not be read are taken to hold what the node's annotation says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from chalicelib.domain import snapshot
from chalicelib.domain.actions import (
    Action,
    ApplyEgressIp,
    AssignAddress,
    CreatePool,
    DeleteEgressIp,
    LabelNode,
    LabelPool,
    ReleaseReservation,
    ReserveCidr,
    TagReservation,
    UnlabelNode,
    UnlabelPool,
)
from chalicelib.domain.snapshot import Unknown
from chalicelib.domain.terrain import Observed
from chalicelib.domain.twin import ec2, outside
from chalicelib.domain.twin.addressing import canonical, cpic_address, is_ipv4
from chalicelib.domain.twin.ec2 import Interface, Plane
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import UNINITIALIZED_TAINT, Assigned, Cpic, EgressConfig, EgressIp, Node, Objects
from chalicelib.domain.twin.world import World

LONGEST_RETRY = timedelta(minutes=10)
"""CNCC writes the condition at each of its attempts, and the longest pause between two is less than three minutes, a
little more where EC2 throttles. What has not changed for this long is not tried any more."""

MOST_SKEW = 3
"""A kubelet may be three minor versions older than the API server (Kubernetes' version skew policy)."""

KUBERNETES_OF_OPENSHIFT_4_0 = 13
"""OpenShift 4.N is Kubernetes 1.(N+13)."""

_KUBELET = re.compile(r"v1\.(\d+)\b")
_ANY_MARK = 50_000
UNLIMITED = 10**6
"""Addresses on an interface of an instance type that nothing is known about."""


def may_run(nodes: Iterable[snapshot.Node]) -> tuple[str, ...]:
    """The OpenShift minors whose cloud controller the cluster may run, told by its kubelets; empty where none tells.

    Kubelets are never newer than the control plane, and up to three minors older: during an upgrade, and for long on
    HCP, whose machine pools are upgraded one by one.
    """
    minors = [int(found[1]) for node in nodes if node.kubelet and (found := _KUBELET.match(node.kubelet))]
    if not minors:
        return ()
    oldest = max(minors) - KUBERNETES_OF_OPENSHIFT_4_0
    return tuple(f"4.{minor}" for minor in range(max(oldest, 0), max(oldest, 0) + MOST_SKEW + 1))


def may_be_retried(cpics: Iterable[snapshot.Cpic], now: datetime) -> frozenset[str]:
    """Addresses whose assignment failed so recently that CNCC may still be trying: either may be true."""
    return frozenset(
        address
        for cpic in cpics
        if cpic.assigned == "False" and (cpic.changed_at is None or now - cpic.changed_at < LONGEST_RETRY)
        for address in _addresses((cpic.address,))
    )


def twin_of(observed: Observed, limits: Mapping[str, int] | Unknown) -> tuple[Objects, Plane]:
    """The objects and the EC2 plane that a snapshot shows.

    Args:
        limits: IPv4 addresses per network interface by instance type, as far as known.
    """
    cpics = [cpic for cpic in map(_cpic, observed.cpics) if cpic is not None]
    objects = Objects(
        Table((node.name, _node(node)) for node in observed.nodes),
        Table((egress_ip.name, _egress_ip(egress_ip)) for egress_ip in observed.egress_ips),
        Table((cpic.address, cpic) for cpic in cpics),
    )
    known = {} if isinstance(limits, Unknown) else limits
    return objects, _plane(observed, known, frozenset(cpic.address for cpic in cpics))


def _node(node: snapshot.Node) -> Node:
    config = node.egress_config
    return Node(
        node.name,
        node.instance_id or "",
        labelled=node.assignable is not None,
        ready=node.ready,
        host_cidrs=None if node.host_addresses is None else tuple(map(str, node.host_addresses)),
        primary_ifaddr=node.networked,
        pod_subnets=node.networked,
        taints=((UNINITIALIZED_TAINT, "NoSchedule"),) if node.uninitialized else (),
        egress_config=_config(config) if isinstance(config, snapshot.EgressIpConfig) else None,
    )


def _config(config: snapshot.EgressIpConfig) -> EgressConfig:
    subnet = None if config.subnet is None else str(config.subnet)
    return EgressConfig(config.interface, subnet, config.capacity_ipv4, config.capacity_ipv6)


def _egress_ip(egress_ip: snapshot.EgressIp) -> EgressIp:
    return EgressIp(
        egress_ip.name,
        egress_ip.spec.addresses,
        status=tuple(sorted((canonical(address) or address, node) for address, node in egress_ip.items)),
        mark=_ANY_MARK,
        labels=tuple(sorted(egress_ip.labels.items())),
        selectors=_selectors(egress_ip.spec),
    )


def _selectors(spec: snapshot.EgressIpSpec) -> str:
    return f"{spec.namespace_selector} {spec.pod_selector}"


def _cpic(cpic: snapshot.Cpic) -> Cpic | None:
    """None for an object whose name is no address: no controller has anything to do with it."""
    try:
        address = cpic_address(cpic.address)
    except ValueError:
        return None
    assigned = Assigned(cpic.assigned) if cpic.assigned in set(Assigned) else None
    return Cpic(
        address,
        cpic.spec_node,
        owner=cpic.owner,
        status_node=cpic.status_node,
        assigned=assigned,
        reason=cpic.reason or None,
        message=cpic.message or None,
        finalizer=assigned is not None,
        deleting=cpic.deleting,
    )


def _addresses(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        try:
            yield cpic_address(name)
        except ValueError:
            continue


def _plane(observed: Observed, limits: Mapping[str, int], of_cpics: frozenset[str]) -> Plane:
    interfaces: dict[str, Interface] = {}
    holders: dict[str, str] = {}
    for there in observed.interfaces:
        addresses = tuple(dict.fromkeys(map(str, there.addresses)))
        for prefix in there.prefixes:
            # A delegated prefix takes one place on the interface, and all of its addresses from everybody.
            addresses = (*addresses, str(prefix[0]))
            holders.update((str(address), f"prefix {prefix} of {there.id}") for address in prefix)
        interfaces[there.id] = Interface(there.id, there.subnet_id, addresses)
        holders.update((address, there.id) for address in addresses)
    types = dict(limits)
    kinds = {instance.id: instance.type for instance in observed.instances}
    for node in observed.nodes:
        if node.instance_id in kinds and kinds[node.instance_id] not in limits:
            kinds[node.instance_id] = f"{kinds[node.instance_id]} of {node.name}"
            _guess_limit(types, kinds[node.instance_id], node, interfaces, of_cpics)
    first = {i.id: i.interface_id if i.interface_id in interfaces else None for i in observed.instances}
    return Plane(
        subnets=Table((subnet.id, ec2.Subnet(subnet.id, str(subnet.cidr))) for subnet in observed.subnets),
        instances=Table((name, ec2.Instance(name, kinds[name], interface)) for name, interface in first.items()),
        interfaces=Table(interfaces.items()),
        owners=Table((interface, name) for name, interface in first.items() if interface is not None),
        holders=Table(holders.items()),
        limits=Table((kind, (count, count)) for kind, count in types.items()),
    )


def _guess_limit(
    limits: dict[str, int],
    kind: str,
    node: snapshot.Node,
    interfaces: Mapping[str, Interface],
    of_cpics: frozenset[str],
) -> None:
    """The limit that the annotation was computed from: its capacity and the addresses that are nobody's egress IP."""
    config = node.egress_config
    if isinstance(config, snapshot.EgressIpConfig) and config.capacity_ipv4 is not None:
        interface = interfaces.get(config.interface)
        others = [a for a in interface.addresses if a not in of_cpics] if interface else []
        limits[kind] = config.capacity_ipv4 + sum(map(is_ipv4, others))


def is_noticed(action: Action) -> bool:
    """Whether OVN-Kubernetes or the cloud controller do anything about it at once.

    Reservations only keep others away. What an order to OCM does to nodes comes minutes later, node by node.
    """
    match action:
        case LabelNode() | UnlabelNode() | ApplyEgressIp() | DeleteEgressIp():
            return True
        case ReserveCidr() | TagReservation() | ReleaseReservation() | CreatePool() | LabelPool() | UnlabelPool():
            return False
        case AssignAddress():
            return False  # they never look at an interface again
        case _:
            assert_never(action)


def done(world: World, action: Action) -> World:
    """The world right after one action; nothing has been done about it yet."""
    match action:
        case LabelNode(name) | UnlabelNode(name):
            node, labelled = world.objects.nodes.get(name), isinstance(action, LabelNode)
            return world if node is None else outside.put_node(world, replace(node, labelled=labelled))[0]
        case ApplyEgressIp(name):
            after = action.after
            return outside.apply_egress_ip(
                world, name, after.addresses, selectors=_selectors(after), labels={**action.labels, **action.marks}
            )[0]
        case AssignAddress(interface, address):
            plane, _ = ec2.call(world.plane, ec2.AssignAddress(interface, str(address)))
            return replace(world, plane=plane)
        case DeleteEgressIp(name):
            return outside.delete_egress_ip(world, name)[0]
        case ReserveCidr() | TagReservation() | ReleaseReservation() | CreatePool() | LabelPool() | UnlabelPool():
            return world
        case _:
            assert_never(action)


def serving(world: World) -> dict[str, tuple[str, str]]:
    """(EgressIP, node) by address, for addresses that traffic leaves by: object, CPIC and interface agree."""
    claims = ((address, claim(world, address)) for address in world.objects.cpics)
    return {address: found for address, found in claims if found is not None}


def claim(world: World, address: str) -> tuple[str, str] | None:
    """The EgressIP that an address serves, and the node that it serves from; None where it does not."""
    cpic = world.objects.cpics.get(address)
    if cpic is None or cpic.assigned is not Assigned.TRUE or cpic.deleting or cpic.spec_node != cpic.status_node:
        return None
    egress_ip = world.objects.egress_ips.get(cpic.owner or "")
    node = world.objects.nodes.get(cpic.spec_node)
    if egress_ip is None or node is None or (address, node.name) not in egress_ip.status:
        return None
    holder = world.plane.owners.get(world.plane.holders.get(address, ""))
    return (egress_ip.name, node.name) if holder == node.instance else None


def is_failing(cpic: Cpic | None) -> bool:
    """EC2 refuses the assignment, or nobody can carry it out."""
    return cpic is not None and (
        cpic.assigned is Assigned.FALSE or (cpic.assigned is not Assigned.TRUE and not cpic.deleting)
    )


def true_capacity(world: World) -> dict[str, int]:
    """How many IPv4 egress addresses EC2 lets each node carry in all, whatever its annotation says."""
    ours: Counter[str] = Counter()
    for address, cpic in world.objects.cpics.items():
        node = world.objects.nodes.get(cpic.status_node)
        holder = world.plane.owners.get(world.plane.holders.get(address, ""))
        if node is not None and holder == node.instance:
            ours[node.name] += is_ipv4(address)
    found: dict[str, int] = {}
    for name, node in world.objects.nodes.items():
        instance = world.plane.instances.get(node.instance)
        interface = world.plane.interfaces.get(instance.interface or "") if instance else None
        if instance is None or interface is None:
            found[name] = 0
            continue
        limit = world.plane.limits.get(instance.type)
        found[name] = (UNLIMITED if limit is None else limit[0]) - sum(map(is_ipv4, interface.addresses)) + ours[name]
    return found
