"""A virtual cluster as a visit's snapshot sees it. Pure: twin values and facts in, snapshot values out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from zlib import crc32

from chalicelib.domain import snapshot
from chalicelib.domain.actions import OWNER
from chalicelib.domain.addresses import aws_reserved
from chalicelib.domain.twin import addressing
from chalicelib.domain.twin.ec2 import Plane
from chalicelib.domain.twin.values import UNINITIALIZED_TAINT, Cpic, EgressConfig, EgressIp, Node
from sandbox.virtual.facts import VPC, Facts, Machine, ObjectFacts, Zone
from sandbox.virtual.fields import LABELS, labels_of, spec_of

EPOCH = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""When virtual time is zero."""


def moment(seconds: float) -> datetime:
    """Virtual seconds as a moment."""
    return EPOCH + timedelta(seconds=seconds)


def node(there: Node, facts: Facts) -> snapshot.Node:
    """One Node."""
    known = facts.nodes[there.name]
    machine = facts.machines[known.machine]
    return snapshot.Node(
        name=there.name,
        created_at=moment(known.created_at),
        ready=there.ready,
        assignable="" if there.labelled else None,
        zone=machine.zone if known.placed else None,
        instance_id=there.instance or None,
        instance_type=facts.pools[machine.pool].instance_type if known.placed else None,
        egress_config=_egress_config(there.egress_config),
        host_addresses=None if there.host_cidrs is None else _hosts(there.host_cidrs),
        networked=there.primary_ifaddr and there.pod_subnets,
        uninitialized=any(key == UNINITIALIZED_TAINT for key, _ in there.taints),
        pool=known.pool_label,
    )


def _egress_config(config: EgressConfig | None) -> snapshot.EgressIpConfig | snapshot.Unreadable:
    if config is None:
        return snapshot.Unreadable("annotation is missing")
    subnet = None if config.subnet is None else IPv4Network(config.subnet)
    return snapshot.EgressIpConfig(config.interface, subnet, config.capacity_ipv4)


def _hosts(cidrs: tuple[str, ...]) -> tuple[IPv4Address, ...]:
    return tuple(sorted(IPv4Interface(cidr).ip for cidr in cidrs if ":" not in cidr))


def egress_ip(there: EgressIp, known: ObjectFacts) -> snapshot.EgressIp:
    """One EgressIP."""
    others = {path: ", ".join(sorted(held.managers - {OWNER})) for path, held in sorted(known.fields.items())}
    return snapshot.EgressIp(
        name=there.name,
        uid=known.uid,
        labels=labels_of(known.fields),
        spec=spec_of(known.fields),
        items=there.status,
        owned_fields=frozenset(path for path, held in known.fields.items() if OWNER in held.managers),
        other_managers={p: m for p, m in others.items() if m and p.startswith((".spec", LABELS))},
        version=version(there),
    )


def version(there: EgressIp) -> str:
    """Stands for the resourceVersion: another one whenever anything of the object differs."""
    return f"{crc32(repr(there).encode())}"


def cpic(there: Cpic, facts: Facts) -> snapshot.Cpic:
    """One CloudPrivateIPConfig."""
    changed_at = facts.cpic_changed.get(there.address)
    return snapshot.Cpic(
        address=addressing.cpic_name(there.address),
        spec_node=there.spec_node,
        status_node=there.status_node,
        assigned=there.assigned.value if there.assigned is not None else None,
        reason=there.reason or "",
        message=there.message or "",
        owner=there.owner,
        deleting=there.deleting,
        changed_at=None if changed_at is None else moment(changed_at),
    )


def instance(machine: Machine, plane: Plane, facts: Facts) -> snapshot.Instance:
    """One instance. Its interface is the first one, as long as it has it."""
    interface = plane.instances[machine.id].interface
    zone = facts.zones[machine.zone]
    return snapshot.Instance(
        id=machine.id,
        state=machine.state,
        type=facts.pools[machine.pool].instance_type,
        zone=zone.name,
        subnet_id=zone.subnet_id,
        vpc_id=VPC,
        launched_at=moment(machine.launched_at),
        pool=machine.pool,
        interface_id=interface,
    )


def interface(there: str, plane: Plane, facts: Facts) -> snapshot.Interface:
    """One network interface, whoever's."""
    owner = plane.owners.get(there)
    found = plane.interfaces[there]
    return snapshot.Interface(
        id=there,
        subnet_id=found.subnet,
        instance_id=owner,
        addresses=tuple(IPv4Address(address) for address in found.addresses if ":" not in address),
        holder=f"instance {owner}" if owner else facts.holders.get(there, f"network interface {there}"),
    )


def subnet(zone: Zone, plane: Plane, facts: Facts) -> snapshot.Subnet:
    """One subnet. A `prefix` reservation counts whole as taken, an `explicit` one not at all."""
    taken = set(aws_reserved(zone.cidr))
    taken |= {IPv4Address(a) for i in plane.interfaces.values() if i.subnet == zone.subnet_id for a in i.addresses}
    for reservation in facts.reservations.values():
        if reservation.subnet_id == zone.subnet_id and reservation.type == "prefix":
            taken |= set(reservation.cidr)
    return snapshot.Subnet(zone.subnet_id, VPC, zone.name, zone.cidr, zone.cidr.num_addresses - len(taken))
