"""The cluster API and EC2 of a virtual cluster, as the ports of the use cases.

Reads are pure, so that a visit may make them side by side. Before each write `VirtualRosa.before_write` is called: it
may kill the visit there, or let something happen in between. After each write the platform has reacted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.errors import Conflict, NotFound, Rejected
from chalicelib.domain.actions import OWNER, TAG_CLUSTER, TAG_OWNER
from chalicelib.domain.addresses import aws_reserved
from chalicelib.domain.snapshot import (
    ASSIGNABLE_LABEL,
    Cpic,
    EgressIp,
    EgressIpSpec,
    Instance,
    Interface,
    Labelled,
    Node,
    Reservation,
    Subnet,
)
from chalicelib.domain.twin import outside
from chalicelib.domain.twin.ec2 import AssignAddress, Ec2Error, call
from sandbox.virtual import reading
from sandbox.virtual.fakes import Failing
from sandbox.virtual.fields import Conflicting, apply, values_of

if TYPE_CHECKING:
    from sandbox.virtual.rosa import VirtualRosa

CLUSTER, EC2 = "cluster API", "EC2"


class _Adapter(Failing):
    """What both have in common: a cluster, and writes that take time and can be interrupted."""

    def __init__(self, rosa: VirtualRosa) -> None:
        super().__init__()
        self._rosa = rosa

    def _begin(self, operation: str, *arguments: Any) -> None:
        if self._rosa.before_write is not None:
            self._rosa.before_write(operation)
        self._wrote(operation, *arguments)

    def _end(self, operation: str) -> None:
        self._rosa.run_for(self._rosa.call_seconds)
        self._check_late(operation)


class VirtualCluster(_Adapter):
    """`ClusterApi`."""

    def fetch_nodes(self) -> tuple[Node, ...]:
        """All nodes, sorted by name."""
        self._check("fetch_nodes")
        rosa = self._rosa
        return tuple(reading.node(node, rosa.facts) for _, node in rosa.world.objects.nodes.in_order())

    def fetch_egress_ips(self) -> tuple[EgressIp, ...]:
        """All EgressIP objects, sorted by name."""
        self._check("fetch_egress_ips")
        rosa = self._rosa
        return tuple(
            reading.egress_ip(there, rosa.facts.objects[name])
            for name, there in rosa.world.objects.egress_ips.in_order()
        )

    def fetch_cpics(self) -> tuple[Cpic, ...]:
        """All CloudPrivateIPConfig objects, sorted by name."""
        self._check("fetch_cpics")
        found = [reading.cpic(there, self._rosa.facts) for there in self._rosa.world.objects.cpics.values()]
        return tuple(sorted(found, key=lambda cpic: cpic.address))

    def fetch_namespaces(self, keys: Collection[str]) -> tuple[Labelled, ...]:
        """None: no law here depends on what an EgressIP selects."""
        self._check("fetch_namespaces")
        del keys
        return ()

    def fetch_pods(self, namespaces: Collection[str], keys: Collection[str]) -> Mapping[str, tuple[Labelled, ...]]:
        """None."""
        self._check("fetch_pods")
        del keys
        return dict.fromkeys(namespaces, ())

    def apply_egress_ip(
        self, name: str, spec: EgressIpSpec, labels: Mapping[str, str], *, force: bool, version: str = ""
    ) -> None:
        """Server-side apply as field manager `egress-keeper`."""
        self._begin("apply_egress_ip", name, spec.addresses, force)
        known = self._rosa.facts.objects.get(name)
        there = self._rosa.world.objects.egress_ips.get(name)
        if version and (there is None or reading.version(there) != version):
            raise Conflict(CLUSTER, "apply egressip", "409: the object has been modified")
        try:
            fields = apply(known.fields if known else {}, OWNER, values_of(spec, labels), force=force)
        except Conflicting as error:
            raise Conflict(CLUSTER, "apply egressip", "409: conflict", error.managers) from error
        self._rosa.put_object(name, fields)
        self._end("apply_egress_ip")

    def delete_egress_ip(self, name: str, uid: str) -> None:
        """Delete the object with that uid; already gone is success."""
        self._begin("delete_egress_ip", name, uid)
        known = self._rosa.facts.objects.get(name)
        if known is not None and known.uid != uid:
            raise Conflict(CLUSTER, "delete egressip", "409: the uid in the precondition does not match")
        self._rosa.became(outside.delete_egress_ip(self._rosa.world, name))
        self._end("delete_egress_ip")

    def label_node(self, name: str, labels: Mapping[str, str]) -> None:
        """Set labels on a node; only the egress label means anything here."""
        self._begin("label_node", name, dict(labels))
        if name not in self._rosa.world.objects.nodes:
            raise NotFound(CLUSTER, "label node", f'404: nodes "{name}" not found')
        if ASSIGNABLE_LABEL in labels:
            self._rosa.life.set_label(name, labelled=True)
        self._end("label_node")

    def unlabel_node(self, name: str, keys: Collection[str]) -> None:
        """Take labels off a node; a node that is gone is success."""
        self._begin("unlabel_node", name, tuple(keys))
        if ASSIGNABLE_LABEL in keys and name in self._rosa.world.objects.nodes:
            self._rosa.life.set_label(name, labelled=False)
        self._end("unlabel_node")


class VirtualEc2(_Adapter):
    """`Ec2`."""

    def fetch_instances(self, infra_id: str) -> tuple[Instance, ...]:
        """Instances of the cluster that are not terminated, sorted by id."""
        self._check("fetch_instances")
        rosa = self._rosa
        if infra_id != rosa.infra_id:
            return ()
        machines = (machine for _, machine in rosa.facts.machines.in_order() if machine.state != "terminated")
        return tuple(reading.instance(machine, rosa.world.plane, rosa.facts) for machine in machines)

    def fetch_subnets(self, vpc_ids: Collection[str]) -> tuple[Subnet, ...]:
        """Every subnet, sorted by id."""
        self._check("fetch_subnets")
        rosa = self._rosa
        found = [reading.subnet(zone, rosa.world.plane, rosa.facts) for zone in rosa.facts.zones.values()]
        return tuple(sorted((s for s in found if s.vpc_id in vpc_ids), key=lambda subnet: subnet.id))

    def fetch_interfaces(self, subnet_ids: Collection[str]) -> tuple[Interface, ...]:
        """Every network interface in these subnets, sorted by id."""
        self._check("fetch_interfaces")
        rosa = self._rosa
        names = (name for name, there in rosa.world.plane.interfaces.in_order() if there.subnet in subnet_ids)
        return tuple(reading.interface(name, rosa.world.plane, rosa.facts) for name in names)

    def fetch_reservations(self, subnet_ids: Collection[str]) -> tuple[Reservation, ...]:
        """Every reservation of these subnets, sorted by subnet and range."""
        self._check("fetch_reservations")
        found = [there for there in self._rosa.facts.reservations.values() if there.subnet_id in subnet_ids]
        return tuple(sorted(found, key=lambda reservation: (reservation.subnet_id, reservation.cidr)))

    def fetch_address_limits(self, instance_types: Collection[str]) -> Mapping[str, int]:
        """IPv4 addresses per interface by instance type."""
        self._check("fetch_address_limits")
        limits = self._rosa.world.plane.limits
        return {name: limits[name][0] for name in sorted(instance_types) if name in limits}

    def fetch_cluster_tags(self, instance_ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Tags by instance id."""
        self._check("fetch_cluster_tags")
        tags = {f"kubernetes.io/cluster/{self._rosa.infra_id}": "owned"}
        return {name: tags for name in instance_ids if name in self._rosa.facts.machines}

    def reserve_cidr(self, subnet_id: str, cidr: IPv4Network, tags: Mapping[str, str], description: str) -> Reservation:
        """Create an explicit reservation, or adopt the one of the same range and cluster."""
        self._begin("reserve_cidr", subnet_id, str(cidr))
        rosa = self._rosa
        zone = next(zone for zone in rosa.facts.zones.values() if zone.subnet_id == subnet_id)
        if not cidr.subnet_of(zone.cidr) or (cidr.num_addresses == 1 and cidr[0] in aws_reserved(zone.cidr)):
            raise Rejected(EC2, "CreateSubnetCidrReservation", f"InvalidParameterValue: {cidr} is not in {subnet_id}")
        made = Reservation(f"scr-{rosa.number():017x}", subnet_id, cidr, "explicit", description, dict(tags))
        for there in rosa.facts.reservations.values():
            if there.subnet_id == subnet_id and there.cidr.overlaps(cidr):
                same = all(there.tags.get(key) == tags.get(key) for key in (TAG_OWNER, TAG_CLUSTER))
                if there.cidr != cidr or there.type != "explicit" or not same:
                    detail = f"{cidr} in {subnet_id} overlaps {there.type} reservation {there.id} of {there.cidr}"
                    raise Rejected(EC2, "CreateSubnetCidrReservation", detail)
                made = replace(there, tags={**there.tags, **tags})
        self._put(made)
        self._end("reserve_cidr")
        return made

    def tag_reservation(self, reservation_id: str, write: Mapping[str, str], remove: Collection[str]) -> None:
        """Set and drop tags of a reservation."""
        self._begin("tag_reservation", reservation_id, dict(write), tuple(remove))
        there = self._rosa.facts.reservations.get(reservation_id)
        if there is None:
            code = "InvalidSubnetCidrReservationID.NotFound"
            raise NotFound(EC2, "CreateTags", f"{code}: {reservation_id} does not exist")
        kept = {key: value for key, value in there.tags.items() if key not in remove}
        self._put(replace(there, tags={**kept, **write}))
        self._end("tag_reservation")

    def release_reservation(self, reservation_id: str) -> None:
        """Delete a reservation; already gone is success."""
        self._begin("release_reservation", reservation_id)
        rosa = self._rosa
        rosa.facts = replace(rosa.facts, reservations=rosa.facts.reservations.drop(reservation_id))
        self._end("release_reservation")

    def assign_address(self, interface_id: str, address: IPv4Address) -> None:
        """Put a secondary address on an interface; there already is success."""
        self._begin("assign_address", interface_id, str(address))
        plane, answer = call(self._rosa.world.plane, AssignAddress(interface_id, str(address)))
        if isinstance(answer, Ec2Error):
            raise Rejected(EC2, "AssignPrivateIpAddresses", f"{answer.code}: {answer.message}")
        self._rosa.became(replace(self._rosa.world, plane=plane))
        self._end("assign_address")

    def _put(self, reservation: Reservation) -> None:
        rosa = self._rosa
        rosa.facts = replace(rosa.facts, reservations=rosa.facts.reservations.put(reservation.id, reservation))
