"""What befalls a cluster: hand edits, lost nodes and zones, EC2's refusals, other people's interfaces, restarts.

Belongs here: one method for each thing that somebody else does, in the words of the drift catalogue. Does not belong
here: what follows from it, which is the twin's; trouble of our own calls, which is `Failing` on the adapters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from chalicelib.domain.snapshot import EgressIpSpec, Reservation
from chalicelib.domain.twin import outside, world
from chalicelib.domain.twin.ec2 import Ec2Error, Interface
from chalicelib.domain.twin.values import StatusItems
from sandbox.rosa.timing import RosaTiming
from sandbox.virtual.facts import Machine, Phase, Zone
from sandbox.virtual.fields import ADDRESSES, LABELS, NAMESPACES, Values, apply, update, values_of

if TYPE_CHECKING:
    from sandbox.virtual.rosa import VirtualRosa

DENIED = Ec2Error("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)
THROTTLED = Ec2Error("RequestLimitExceeded", "Request limit exceeded.", 503)

BY_HAND = "kubectl-edit"


class Accidents:
    """Everything that other people and the cloud do to one cluster. The platform reacts before a method returns."""

    def __init__(self, rosa: VirtualRosa) -> None:
        self._rosa = rosa

    # EgressIPs, by hand

    def make_object(
        self, name: str, *addresses: str, labels: Mapping[str, str] | None = None, manager: str = BY_HAND
    ) -> None:
        """Somebody applies an EgressIP of their own."""
        spec = EgressIpSpec(addresses, '{"matchLabels":{"team":"theirs"}}', None)
        known = self._rosa.facts.objects.get(name)
        fields = apply(known.fields if known else {}, manager, values_of(spec, labels or {}), force=True)
        self._rosa.put_object(name, fields)

    def edit_addresses(self, name: str, *addresses: str, manager: str = BY_HAND) -> None:
        """Somebody edits `spec.egressIPs`."""
        self._edit(name, {ADDRESSES: addresses}, manager)

    def edit_label(self, name: str, key: str, value: str | None, manager: str = BY_HAND) -> None:
        """Somebody sets a label of an EgressIP, or takes it away."""
        self._edit(name, {f"{LABELS}{key}": value}, manager)

    def edit_selector(self, name: str, key: str, value: str | None, manager: str = BY_HAND) -> None:
        """Somebody sets a label of the namespace selector, or takes it away."""
        self._edit(name, {f"{NAMESPACES}.matchLabels.{key}": value}, manager)

    def _edit(self, name: str, changes: Values, manager: str) -> None:
        known = self._rosa.facts.objects.get(name)
        if known is not None:
            self._rosa.put_object(name, update(known.fields, manager, changes))

    def edit_status(self, name: str, items: StatusItems) -> None:
        """Somebody edits `status.items`."""
        self._rosa.became(outside.edit_egress_ip_status(self._rosa.world, name, items))

    def put_without_status(self, name: str) -> None:
        """Somebody replaces an EgressIP with what they had in a file, status not included."""
        self._rosa.became(outside.put_egress_ip_without_status(self._rosa.world, name))

    def delete_object(self, name: str) -> None:
        """Somebody deletes an EgressIP."""
        self._rosa.became(outside.delete_egress_ip(self._rosa.world, name))

    # CPICs, by hand

    def delete_cpic(self, address: str) -> None:
        """Somebody deletes a CloudPrivateIPConfig."""
        self._rosa.became(outside.delete_cpic(self._rosa.world, address))

    def edit_cpic(self, address: str, node: str) -> None:
        """Somebody edits `spec.node` of a CloudPrivateIPConfig."""
        self._rosa.became(outside.edit_cpic_node(self._rosa.world, address, node))

    # Nodes and their machines

    def join_without_network(self, pool: str, zone: str, timing: RosaTiming | None = None) -> Machine:
        """A new machine whose node never gets OVN-Kubernetes' annotations: host-cidrs is missing until `network`."""
        life = self._rosa.life
        made = life.launch(pool, zone, timing or self._rosa.timing, without=(Phase.NETWORKS, Phase.READY))
        self._rosa.settle()
        return made

    def network(self, node: str) -> None:
        """Such a node gets them at last, and becomes ready."""
        self._rosa.life.network(self._rosa.life.machine_of(node))
        self._rosa.life.set_ready(node, ready=True)

    def not_ready(self, node: str, *, silent: bool = False) -> None:
        """Kubelet says that the node is not ready, or says nothing any more."""
        self._rosa.life.set_ready(node, ready=False, silent=silent)

    def ready(self, node: str) -> None:
        """The node is ready again."""
        self._rosa.life.set_ready(node, ready=True)

    def unlabel(self, node: str) -> None:
        """Somebody takes the egress label off a node."""
        self._rosa.life.set_label(node, labelled=False)

    def label(self, node: str) -> None:
        """Somebody labels a node for egress."""
        self._rosa.life.set_label(node, labelled=True)

    def cordon(self, node: str) -> None:
        """Somebody cordons a node."""
        self._rosa.life.cordon(node)

    def uncordon(self, node: str) -> None:
        """Somebody uncordons it."""
        self._rosa.life.uncordon(node)

    def delete_node(self, node: str) -> None:
        """Somebody deletes a Node object; its instance lives on."""
        self._rosa.became(outside.delete_node(self._rosa.world, node))

    def restore_node(self, node: str, timing: RosaTiming | None = None) -> None:
        """Kubelet of a living machine whose Node object is gone starts anew, and the node joins again."""
        machine = self._rosa.life.machine_of(node)
        if node not in self._rosa.world.objects.nodes and machine.state == "running" and not machine.leaving:
            self._rosa.life.rejoin(machine, timing or self._rosa.timing)
            self._rosa.settle()

    def terminate(self, node: str, *, release_after_seconds: float = 40.0, node_goes: bool = True) -> None:
        """The instance behind a node is terminated; EC2 frees its addresses after that long.

        Args:
            node_goes: The Node object falls silent and is deleted in the usual time; otherwise it stays as it is.
        """
        machine = self._rosa.life.machine_of(node)
        if machine.leaving:
            return
        self._rosa.life.end(machine.id, release_after_seconds)
        if node_goes:
            self._rosa.life.follow(machine.id, self._rosa.timing)

    def lose_zone(self, zone: str) -> None:
        """The zone fails: its instances still count as running, its nodes fall silent."""
        for node in self._nodes_in(zone):
            self._rosa.life.set_ready(node, ready=False, silent=True)

    def restore_zone(self, zone: str) -> None:
        """The zone is back, and its nodes with it."""
        for node in self._nodes_in(zone):
            self._rosa.life.set_ready(node, ready=True)

    def _nodes_in(self, zone: str) -> list[str]:
        rosa = self._rosa
        machines = {m.node: m for m in rosa.facts.machines.values() if m.zone == zone and m.state == "running"}
        return [node for node in rosa.nodes if node in machines]

    # EC2

    def hold(self, address: str, holder: str = "network interface of somebody else") -> str:
        """A foreign interface appears with that address; its id. ValueError if the address is in use."""
        rosa = self._rosa
        place = self._zone_of(address)
        name = f"eni-{rosa.number():017x}"
        rosa.facts = replace(rosa.facts, holders=rosa.facts.holders.put(name, holder))
        rosa.became(outside.hold_address(rosa.world, Interface(name, place.subnet_id, (address,))))
        return name

    def let_go(self, interface: str) -> None:
        """A foreign interface goes."""
        rosa = self._rosa
        rosa.facts = replace(rosa.facts, holders=rosa.facts.holders.drop(interface))
        rosa.became(outside.release_interface(rosa.world, interface))

    def take_address(self, address: str) -> None:
        """Somebody unassigns a secondary address from the interface that has it."""
        rosa = self._rosa
        interface = rosa.world.plane.holders.get(address)
        instance = rosa.world.plane.owners.get(interface or "")
        if instance is not None:
            rosa.became(outside.take_address(rosa.world, instance, address))

    def put_address(self, node: str, address: str) -> None:
        """Somebody assigns a free address to the first interface of a node."""
        rosa = self._rosa
        rosa.became(outside.put_address(rosa.world, rosa.life.machine_of(node).id, address))

    def reserve(self, cidr: str, *, kind: str = "explicit", tags: Mapping[str, str] | None = None) -> Reservation:
        """Somebody reserves a range."""
        rosa = self._rosa
        network = IPv4Network(cidr)
        place = self._zone_of(str(network.network_address))
        made = Reservation(f"scr-{rosa.number():017x}", place.subnet_id, network, kind, "theirs", dict(tags or {}))
        rosa.facts = replace(rosa.facts, reservations=rosa.facts.reservations.put(made.id, made))
        return made

    def delete_reservation(self, reservation_id: str) -> None:
        """Somebody deletes a reservation."""
        rosa = self._rosa
        rosa.facts = replace(rosa.facts, reservations=rosa.facts.reservations.drop(reservation_id))

    def untag_reservation(self, reservation_id: str, keys: Collection[str]) -> None:
        """Somebody takes tags off a reservation."""
        rosa = self._rosa
        there = rosa.facts.reservations[reservation_id]
        kept = replace(there, tags={key: value for key, value in there.tags.items() if key not in keys})
        rosa.facts = replace(rosa.facts, reservations=rosa.facts.reservations.put(reservation_id, kept))

    def refuse(self, operation: str, error: Ec2Error = DENIED) -> None:
        """From now on EC2 refuses one operation to the cloud network config controller."""
        self._rosa.became(outside.fail_calls(self._rosa.world, operation, error))

    def accept(self, operation: str | None = None) -> None:
        """EC2 refuses it no more; None for all."""
        self._rosa.became(outside.heal_calls(self._rosa.world, operation))

    def _zone_of(self, address: str) -> Zone:
        return next(zone for zone in self._rosa.facts.zones.values() if IPv4Address(address) in zone.cidr)

    # The two controllers

    def restart_manager(self) -> None:
        """The cluster manager starts anew, or starts."""
        self._rosa.became(world.start_manager(self._rosa.world))

    def stop_manager(self) -> None:
        """The cluster manager goes down and stays down."""
        self._rosa.became(world.stop_manager(self._rosa.world))

    def restart_cncc(self) -> None:
        """CNCC starts anew, or starts."""
        self._rosa.became(world.start_cncc(self._rosa.world))

    def stop_cncc(self) -> None:
        """CNCC goes down and stays down."""
        self._rosa.became(world.stop_cncc(self._rosa.world))
