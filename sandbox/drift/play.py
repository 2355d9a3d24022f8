"""A drift being played on a stage: what people, the platform and AWS do, as verbs, and a note of each.

The verbs act where life acts: on EC2, on the cluster API, on the pools, on the controllers. None of them calls the
product. What was done is kept as lines that a person would recognise, for `python -m sandbox drift`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.state import ReservationState
from sandbox.drift.sides import Sides, read_sides, reservations, serving
from sandbox.stage import Stage


@dataclass
class Play:
    """One drift on one stage.

    Attributes:
        told: What was done so far, one line each.
        subject: What the drift is about, as a finding's subject would have it; set by the cause.
        addresses: The addresses that the drift may touch; all others must go on serving throughout.
        found: Anything that a cause wants to remember for its end.
    """

    stage: Stage
    told: list[str] = field(default_factory=list)
    subject: str = ""
    addresses: set[str] = field(default_factory=set)
    found: dict[str, str] = field(default_factory=dict)

    def note(self, line: str) -> None:
        """Say what is done."""
        self.told.append(line)

    # Time

    def minutes(self, number: int) -> None:
        """Let minutes pass with the schedule firing each minute, as deployed."""
        for _ in range(number):
            self.stage.plumbing.tick_schedules()
            self.stage.run_for(60)

    def unseen(self, seconds: float) -> None:
        """Let time pass without the schedule."""
        self.stage.run_for(seconds)

    # Looking

    def serving(self) -> dict[str, str]:
        """Node by address, of the addresses of ours that serve."""
        return serving(self.stage)

    def sides(self, address: str) -> Sides:
        """Where *address* stands."""
        return read_sides(self.stage, address)[address]

    def node_of(self, address: str) -> str:
        """The node that *address* is on. Raises ValueError when it is on none."""
        holder = self.sides(address).holder
        if not holder:
            raise ValueError(f"{address} is on no node: {self.sides(address)}")
        return holder

    def peer_of(self, node: str) -> str:
        """Another node of the same pool."""
        (peer,) = [name for name in self.nodes_of(self.pool_of(node)) if name != node]
        return peer

    def pool_of(self, node: str) -> str:
        """The machine pool of *node*."""
        for pool in self.stage.rosa.scenario.all_pools:
            if node in self.nodes_of(pool.name):
                return pool.name
        raise ValueError(f"{node} is in no pool")

    def nodes_of(self, pool: str) -> list[str]:
        """Names of a pool's nodes."""
        return [self.stage.rosa.node_name(machine) for machine in self.stage.rosa.pool_machines(pool)]

    def interface_of(self, node: str) -> str:
        """The first network interface of *node*."""
        for pool in self.stage.rosa.scenario.all_pools:
            for machine in self.stage.rosa.pool_machines(pool.name):
                if self.stage.rosa.node_name(machine) == node:
                    return machine.interface_id
        raise ValueError(f"{node} is no machine's node")

    def reservation_of(self, cidr: str) -> ReservationState:
        """The reservation of exactly this range. Raises ValueError when there is none."""
        for reservation in reservations(self.stage):
            if reservation.cidr == cidr:
                return reservation
        raise ValueError(f"no reservation {cidr}")

    # People with oc

    def edit(self, egress_ip: str, spec: Mapping[str, Any], *, manager: str = "kubectl-edit") -> None:
        """`oc edit egressip`."""
        self.note(f"$ oc edit egressip {egress_ip}    # {json.dumps(spec)}")
        self.stage.rosa.kube.patch("egressips", egress_ip, {"spec": spec}, manager=manager)

    def create_egress_ip(self, name: str, addresses: Sequence[str], namespaces: Mapping[str, str]) -> None:
        """`oc create` of an EgressIP that is nobody's but its author's."""
        self.note(f"$ oc create -f {name}.yaml    # EgressIP {name}: {', '.join(addresses)}")
        spec = {"egressIPs": list(addresses), "namespaceSelector": {"matchLabels": dict(namespaces)}}
        self.stage.rosa.kube.create("egressips", {"metadata": {"name": name}, "spec": spec}, manager="kubectl-create")

    def delete_egress_ip(self, name: str) -> None:
        """`oc delete egressip`."""
        self.note(f"$ oc delete egressip {name}")
        self.stage.rosa.kube.delete("egressips", name)

    def annotate_node(self, node: str, key: str, value: str, *, manager: str) -> None:
        """Some program or person writes an annotation of a node."""
        self.note(f"{manager} writes on node {node}: {key}={value}")
        self.stage.rosa.kube.patch("nodes", node, {"metadata": {"annotations": {key: value}}}, manager=manager)

    def take_label(self, node: str) -> None:
        """`oc label node … egress-assignable-`."""
        self.note(f"$ oc label node {node} k8s.ovn.org/egress-assignable-")
        self.stage.rosa.take_label(node)

    def fall_silent(self, node: str) -> None:
        """kubelet stops posting: the node is not ready."""
        self.note(f"node {node} becomes NotReady")
        self.stage.rosa.node_ready(node, False)

    def come_back(self, node: str) -> None:
        """kubelet posts again."""
        self.note(f"node {node} is Ready again")
        self.stage.rosa.node_ready(node, True)

    # People with aws

    def unassign(self, interface: str, address: str) -> None:
        """`aws ec2 unassign-private-ip-addresses`."""
        self.note(
            f"$ aws ec2 unassign-private-ip-addresses --network-interface-id {interface}"
            f" --private-ip-addresses {address}"
        )
        self._ec2.unassign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=[address])

    def assign(self, interface: str, *addresses: str, reassign: bool = False) -> None:
        """`aws ec2 assign-private-ip-addresses`."""
        more = " --allow-reassignment" if reassign else ""
        self.note(
            f"$ aws ec2 assign-private-ip-addresses{more} --network-interface-id {interface}"
            f" --private-ip-addresses {' '.join(addresses)}"
        )
        self._ec2.assign_private_ip_addresses(
            NetworkInterfaceId=interface, PrivateIpAddresses=list(addresses), AllowReassignment=reassign
        )

    def foreign_interface(self, zone: str, description: str) -> str:
        """A network interface of somebody else's in the zone's subnet; returns its id."""
        made = self._ec2.create_network_interface(
            SubnetId=self.stage.rosa.machines.subnet_ids[zone], Description=description
        )["NetworkInterface"]
        interface = str(made["NetworkInterfaceId"])
        self.note(f"$ aws ec2 create-network-interface --description {description!r}    # {interface}, {zone}")
        return interface

    def delete_interface(self, interface: str) -> None:
        """`aws ec2 delete-network-interface`."""
        self.note(f"$ aws ec2 delete-network-interface --network-interface-id {interface}")
        self._ec2.delete_network_interface(NetworkInterfaceId=interface)

    def delete_reservation(self, cidr: str) -> None:
        """`aws ec2 delete-subnet-cidr-reservation`."""
        found = self.reservation_of(cidr).id
        self.note(f"$ aws ec2 delete-subnet-cidr-reservation --subnet-cidr-reservation-id {found}    # {cidr}")
        self._ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=found)

    def create_reservation(self, zone: str, cidr: str, kind: str, tags: Mapping[str, str] | None = None) -> None:
        """`aws ec2 create-subnet-cidr-reservation`."""
        subnet = self.stage.rosa.machines.subnet_ids[zone]
        self.note(
            f"$ aws ec2 create-subnet-cidr-reservation --subnet-id {subnet} --cidr {cidr} --reservation-type {kind}"
        )
        tagged = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        more = {"TagSpecifications": [{"ResourceType": "subnet-cidr-reservation", "Tags": tagged}]} if tagged else {}
        self._ec2.create_subnet_cidr_reservation(SubnetId=subnet, Cidr=cidr, ReservationType=kind, **more)

    # The owner of the fleet file

    def put_policies(self, *lines: str) -> None:
        """The fleet file with other policies; read within a minute."""
        fleet = self.stage.default_fleet
        head, _, _ = fleet.partition("    policies:\n")
        self.stage.put_fleet(head + "    policies:\n" + "\n".join(lines) + "\n")

    def approve(self) -> None:
        """A person looks at the plan and approves it."""
        base = f"/clusters/{self.stage.scenario.name}"
        (plan,) = self.stage.documents(f"{base}/plan")["clusters"]
        self.note(f"$ egress-keeper apply --cluster {self.stage.scenario.name} --approve {plan['digest']}")
        self.stage.plumbing.request("POST", f"{base}/reconcile", {"approve": plan["digest"]})

    @property
    def _ec2(self) -> Any:
        return self.stage.aws.client("ec2")
