"""Objections: what speaks against one address of one policy, as a finding a person can act on.

One address, one answer, the most telling objection first. What follows from it (leave it out, keep it all the same) is
decided in `placement`.
"""

from __future__ import annotations

from ipaddress import IPv4Address

from chalicelib.domain.actions import TAG_CLUSTER
from chalicelib.domain.addresses import aws_reserved
from chalicelib.domain.findings import FAIL_OPEN, Finding, Kind, Severity
from chalicelib.domain.snapshot import Interface, Reservation, Subnet
from chalicelib.domain.spec import PolicySpec
from chalicelib.domain.terrain import Terrain

_SERVES = "It serves now, so nothing is changed; after its next move it may not come back."


def object_to_present(terrain: Terrain, policy: PolicySpec, address: IPv4Address) -> Finding | None:
    """The first thing that speaks against an address that the policy's EgressIP lists already, or None.

    What would merely keep it from being added (its zone without nodes, its interface) is no objection then.
    """
    found = _Objecting(terrain, policy, address, present=True, awaited=False).home_or_objection()
    return found if isinstance(found, Finding) else None


def home_or_objection(terrain: Terrain, policy: PolicySpec, address: IPv4Address, *, awaited: bool) -> Subnet | Finding:
    """The subnet in which the policy may have this address, or the first thing that speaks against it.

    Args:
        awaited: It is known to become free by itself: that it is in use now is no objection.
    """
    return _Objecting(terrain, policy, address, present=False, awaited=awaited).home_or_objection()


class _Objecting:
    """The checks, for one address of one policy."""

    def __init__(
        self, terrain: Terrain, policy: PolicySpec, address: IPv4Address, *, present: bool, awaited: bool
    ) -> None:
        self.terrain = terrain
        self.policy = policy
        self.address = address
        self.present = present
        self.awaited = awaited
        self.cpic = terrain.cpic_by_address.get(str(address))

    def home_or_objection(self) -> Subnet | Finding:
        home = self.terrain.subnet_of(self.address)
        if home is None or not (self._was_given() or self._may_carry(home)):
            return self._outside()
        return (
            self._kept_by_aws(home)
            or self._of_a_host()
            or self._in_another_object()
            or self._on_an_interface()
            or self._under_a_reservation(home)
            or home
        )

    def _may_carry(self, home: Subnet) -> bool:
        """Egress nodes are there, or are to come: an address named with their pool is reserved before they take it."""
        return home.id in self.terrain.carrying_subnets or self.terrain.is_to_carry(home)

    def _was_given(self) -> bool:
        """An address given earlier, whose zone has lost its nodes, is where it belongs."""
        recorded = self.terrain.recorded_in_tags(self.policy.name)
        return self.present or self.address in recorded or self.terrain.is_out(self.policy.name, self.address)

    def _outside(self) -> Finding:
        """In no subnet of the VPC; or, for one that was never given, in a subnet without egress nodes."""
        carrying = self.terrain.carrying_subnets.values()
        allowed = ", ".join(f"{subnet.zone}: {subnet.cidr}" for subnet in carrying)
        return self._finding(
            Kind.ADDRESS_OUTSIDE,
            f"{self.address} is in no subnet whose nodes may carry egress addresses"
            + (
                f"; those are {allowed}"
                if allowed
                else ": no node is labelled and no instance of the machine pools runs"
            ),
            "Correct the address in the fleet file, or add the machine pool of its subnet there.",
        )

    def _kept_by_aws(self, home: Subnet) -> Finding | None:
        if self.address not in aws_reserved(home.cidr):
            return None
        return self._finding(
            Kind.ADDRESS_RESERVED_BY_AWS,
            f"{self.address} is one of the five addresses that AWS keeps of {home.cidr} (the first four and the last)",
            f"Choose another address of {home.cidr} in the fleet file.",
        )

    def _of_a_host(self) -> Finding | None:
        host = self.terrain.host_by_address.get(self.address)
        if host is None:
            return None
        return self._finding(
            Kind.ADDRESS_IS_HOST,
            f"{self.address} is listed as an address of the host {host} itself (annotation k8s.ovn.org/host-cidrs)",
            f"If {host} really has it, choose another address. If it only carried it as an egress address, the entry is"
            " a leftover (ovn-kubernetes issue 5966): replace the node if it stays.",
        )

    def _in_another_object(self) -> Finding | None:
        others = [n for n in self.terrain.objects_by_address.get(str(self.address), ()) if n != self.policy.name]
        if self.awaited or not others:
            return None
        return self._finding(
            Kind.ADDRESS_DUPLICATE,
            f"{self.address} is also listed by EgressIP {', '.join(others)}, and only one of them is served",
            f"Remove it from one of them. The other one:\noc get egressip {others[0]} -o yaml --show-managed-fields",
        )

    def _on_an_interface(self) -> Finding | None:
        interface = self.terrain.interface_by_address.get(self.address)
        ours = self.cpic is not None and self.cpic.owner == self.policy.name
        if self.present or self.awaited or ours or interface is None:
            return None
        return self._finding(
            Kind.ADDRESS_TAKEN,
            f"{self.address} is on network interface {interface.id} ({self._holder(interface)})",
            self._free(interface),
            # On a node of the cluster it may just be on its way off.
            certain=interface.instance_id not in self.terrain.instance_by_id,
        )

    def _free(self, interface: Interface) -> str:
        """What a person can do; a command only for what is left over on the cluster's own instances."""
        if self.cpic is not None or interface.instance_id not in self.terrain.instance_by_id:
            return "Choose another address in the fleet file, or have it freed there."
        return (
            "If it is not on its way off by itself, take it off:\n"
            f"aws ec2 unassign-private-ip-addresses --region {self.terrain.desired.region}"
            f" --network-interface-id {interface.id} --private-ip-addresses {self.address}"
        )

    def _holder(self, interface: Interface) -> str:
        if self.cpic is not None:
            return f"held there by the CloudPrivateIPConfig of EgressIP {self.cpic.owner or '(none named)'}"
        instance = self.terrain.instance_by_id.get(interface.instance_id or "")
        if instance is not None:
            return f"{instance.state} instance {instance.id} of this cluster, where nothing asks for it: a leftover"
        return interface.holder or "its description does not say whose it is"

    def _under_a_reservation(self, home: Subnet) -> Finding | None:
        reservation = self.terrain.reservation_of(self.address, home.id)
        if reservation is None or self.terrain.is_ours(reservation) or usable_as_it_is(reservation):
            return None
        return self._finding(
            Kind.RESERVATION_FOREIGN,
            f"{self.address} lies under reservation {reservation.id} ({reservation.cidr}, {reservation.type}),"
            f" which is not ours{_whose(reservation)}",
            "Choose another address in the fleet file, or, if nobody needs that reservation, delete it:\n"
            f"aws ec2 delete-subnet-cidr-reservation --region {self.terrain.desired.region}"
            f" --subnet-cidr-reservation-id {reservation.id}",
        )

    def _finding(self, kind: Kind, fact: str, todo: str, *, certain: bool = False) -> Finding:
        serves = self.present and self.cpic is not None and self.cpic.healthy and self.cpic.owner == self.policy.name
        return Finding(
            kind,
            f"address {self.address} of {self.policy.name}",
            Severity.WARNING if serves else Severity.CRITICAL,
            f"{fact}.",
            impact=_SERVES if serves else FAIL_OPEN,
            todo=todo,
            certain=certain,
        )


def usable_as_it_is(reservation: Reservation) -> bool:
    """A reservation somebody made by hand for exactly one address, as guides say: it protects it just as well.

    It is used and never touched: no tag of ours, no release.
    """
    tagged = any(key.startswith("egress-keeper/") for key in reservation.tags)
    return reservation.type == "explicit" and reservation.cidr.prefixlen == 32 and not tagged


def _whose(reservation: Reservation) -> str:
    if cluster := reservation.tags.get(TAG_CLUSTER):
        return f" (it belongs to cluster {cluster})"
    return f" (description: {reservation.description!r})" if reservation.description else ""
