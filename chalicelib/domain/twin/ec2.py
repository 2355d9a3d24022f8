"""The EC2 address plane: instances, their first interface, subnets, addresses, and what the calls answer.

Belongs here: requests, answers, refusals and the plane's own time (a terminated instance frees its addresses later).
Does not belong here: who calls (`cncc`), reservations and prices, interfaces beyond the first.

The refusals and their order are those of the recordings' EC2, whose texts come from public reports of the real one:

| check, in this order                                   | refusal                                           |
|--------------------------------------------------------|---------------------------------------------------|
| outside the interface's subnet                         | InvalidParameterValue … does not fall within …    |
| the subnet's first four addresses or its last          | InvalidParameterValue … reserved address range    |
| on another interface of the VPC                        | InvalidParameterValue [A] assigned, but move …    |
| more than the type's addresses per interface           | PrivateIpAddressLimitExceeded                     |
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from chalicelib.domain.twin.addressing import contains, is_ipv4, reserved_by_aws
from chalicelib.domain.twin.tables import Table

ADDRESSES_PER_INTERFACE: dict[str, tuple[int, int]] = {
    "m5.large": (10, 10),
    "m5.xlarge": (15, 15),
    "m5.2xlarge": (15, 15),
    "t3.nano": (2, 2),
    "t3.small": (4, 4),
    "t3.medium": (6, 6),
}
"""(IPv4, IPv6) by instance type, from DescribeInstanceTypes; a plane may be given others."""

REQUEST_ID = "<id>"
"""What stands for the request id in an error of this plane; a driver over a real wire has real ones."""


@dataclass(frozen=True, slots=True)
class DescribeInstance:
    """DescribeInstances of one instance."""

    instance: str


@dataclass(frozen=True, slots=True)
class DescribeInstanceType:
    """DescribeInstanceTypes of one type."""

    type: str


@dataclass(frozen=True, slots=True)
class DescribeSubnet:
    """DescribeSubnets of one subnet."""

    subnet: str


@dataclass(frozen=True, slots=True)
class AssignAddress:
    """AssignPrivateIpAddresses or AssignIpv6Addresses of one address, without AllowReassignment."""

    interface: str
    address: str


@dataclass(frozen=True, slots=True)
class UnassignAddress:
    """UnassignPrivateIpAddresses or UnassignIpv6Addresses of one address."""

    interface: str
    address: str


Request: TypeAlias = DescribeInstance | DescribeInstanceType | DescribeSubnet | AssignAddress | UnassignAddress


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface.

    Attributes:
        addresses: Primary IPv4 address first, then every secondary one, both families.
    """

    id: str
    subnet: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InstanceView:
    """Answer to DescribeInstance; *interface* is the first one in AWS's order, None if there is none (any more)."""

    type: str
    interface: Interface | None


@dataclass(frozen=True, slots=True)
class TypeLimits:
    """Answer to DescribeInstanceType: addresses per interface."""

    ipv4: int
    ipv6: int


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet, and the answer to DescribeSubnet. CIDRs; None where it has none of the family."""

    id: str
    cidr: str | None
    cidr_ipv6: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Answer to a call that returns nothing of interest."""


@dataclass(frozen=True, slots=True)
class Ec2Error:
    """A refused call."""

    code: str
    message: str
    status: int = 400
    request_id: str = REQUEST_ID

    def __str__(self) -> str:
        """As the AWS SDK for Go v1 prints it."""
        return f"{self.code}: {self.message}\n\tstatus code: {self.status}, request id: {self.request_id}"


Answer: TypeAlias = InstanceView | TypeLimits | Subnet | Done | Ec2Error


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance.

    Attributes:
        interface: Id of its first interface; None once that is gone.
        releases_at: When a terminating instance loses its interface, in seconds of the world's time.
    """

    id: str
    type: str
    interface: str | None
    releases_at: float | None = None


@dataclass(frozen=True, slots=True)
class Plane:
    """The state of EC2.

    Attributes:
        holders: Interface id by address, every address of every interface.
        limits: Addresses per interface by instance type: (IPv4, IPv6).
        failures: Refusal by operation name, for every call until healed.
    """

    subnets: Table[str, Subnet] = field(default_factory=Table)
    instances: Table[str, Instance] = field(default_factory=Table)
    interfaces: Table[str, Interface] = field(default_factory=Table)
    owners: Table[str, str] = field(default_factory=Table)
    holders: Table[str, str] = field(default_factory=Table)
    limits: Table[str, tuple[int, int]] = field(default_factory=lambda: Table(ADDRESSES_PER_INTERFACE.items()))
    failures: Table[str, Ec2Error] = field(default_factory=Table)


def operation(request: Request) -> str:
    """The EC2 operation that *request* is."""
    match request:
        case DescribeInstance():
            return "DescribeInstances"
        case DescribeInstanceType():
            return "DescribeInstanceTypes"
        case DescribeSubnet():
            return "DescribeSubnets"
        case AssignAddress(address=address):
            return "AssignPrivateIpAddresses" if is_ipv4(address) else "AssignIpv6Addresses"
        case UnassignAddress(address=address):
            return "UnassignPrivateIpAddresses" if is_ipv4(address) else "UnassignIpv6Addresses"
        case _:
            assert_never(request)


def call(plane: Plane, request: Request) -> tuple[Plane, Answer]:
    """Carry out one call at once: the plane after it, and the answer."""
    refusal = plane.failures.get(operation(request))
    if refusal is not None:
        return plane, refusal
    match request:
        case DescribeInstance(instance):
            return plane, _describe_instance(plane, instance)
        case DescribeInstanceType(name):
            known = plane.limits.get(name)
            unknown = Ec2Error("InvalidInstanceType", f"The following supplied instance types do not exist: [{name}]")
            return plane, unknown if known is None else TypeLimits(*known)
        case DescribeSubnet(name):
            missing = Ec2Error("InvalidSubnetID.NotFound", f"The subnet ID '{name}' does not exist")
            return plane, plane.subnets.get(name) or missing
        case AssignAddress(interface, address):
            refusal = _assign_refusal(plane, interface, address)
            return (plane, refusal) if refusal else (put_address(plane, interface, address), Done())
        case UnassignAddress(interface, address):
            refusal = _unassign_refusal(plane, interface, address)
            return (plane, refusal) if refusal else (take_address(plane, interface, address), Done())
        case _:
            assert_never(request)


def _describe_instance(plane: Plane, name: str) -> Answer:
    instance = plane.instances.get(name)
    if instance is None:
        return Ec2Error("InvalidInstanceID.NotFound", f"The instance ID '{name}' does not exist")
    return InstanceView(instance.type, plane.interfaces.get(instance.interface) if instance.interface else None)


def _unassign_refusal(plane: Plane, name: str, address: str) -> Ec2Error | None:
    interface = plane.interfaces.get(name)
    if interface is None:
        return Ec2Error("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{name}' does not exist")
    if address not in interface.addresses:
        return Ec2Error("InvalidParameterValue", f"Some of [{address}] are not assigned to interface {name}")
    if address == interface.addresses[0]:
        return Ec2Error("InvalidParameterValue", f"Address {address} is the primary address of interface {name}")
    return None


def _assign_refusal(plane: Plane, name: str, address: str) -> Ec2Error | None:
    interface = plane.interfaces.get(name)
    if interface is None:
        return Ec2Error("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{name}' does not exist")
    subnet = plane.subnets[interface.subnet]
    cidr = subnet.cidr if is_ipv4(address) else subnet.cidr_ipv6
    if cidr is None or not contains(cidr, address):
        return Ec2Error("InvalidParameterValue", f"Address {address} does not fall within the subnet's address range")
    if reserved_by_aws(cidr, address):
        return Ec2Error("InvalidParameterValue", f"Address {address} is in subnet's reserved address range")
    holder = plane.holders.get(address)
    if holder not in (None, name):
        return Ec2Error("InvalidParameterValue", f"[{address}] assigned, but move is not allowed.")
    same_family = sum(is_ipv4(other) == is_ipv4(address) for other in interface.addresses)
    if holder is None and same_family >= _limit(plane, name, address):
        return Ec2Error("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
    return None


def _limit(plane: Plane, interface: str, address: str) -> float:
    instance = plane.instances.get(plane.owners.get(interface, ""))
    limits = plane.limits.get(instance.type) if instance else None
    return float("inf") if limits is None else limits[0 if is_ipv4(address) else 1]


def put_address(plane: Plane, interface: str, address: str) -> Plane:
    """The plane with *address* on *interface*, unchecked. Nothing if it is there already."""
    found = plane.interfaces[interface]
    if address in found.addresses:
        return plane
    return replace(
        plane,
        interfaces=plane.interfaces.put(interface, replace(found, addresses=(*found.addresses, address))),
        holders=plane.holders.put(address, interface),
    )


def take_address(plane: Plane, interface: str, address: str) -> Plane:
    """The plane with *address* no longer on *interface*."""
    found = plane.interfaces[interface]
    rest = tuple(other for other in found.addresses if other != address)
    return replace(
        plane,
        interfaces=plane.interfaces.put(interface, replace(found, addresses=rest)),
        holders=plane.holders.drop(address),
    )


def launch(plane: Plane, instance: str, kind: str, interface: Interface) -> Plane:
    """The plane with a new instance of type *kind* and its first interface."""
    plane = add_interface(plane, interface)
    return replace(
        plane,
        instances=plane.instances.put(instance, Instance(instance, kind, interface.id)),
        owners=plane.owners.put(interface.id, instance),
    )


def add_interface(plane: Plane, interface: Interface) -> Plane:
    """The plane with one more interface. ValueError if one of its addresses is on another one."""
    taken = [address for address in interface.addresses if address in plane.holders]
    if taken:
        raise ValueError(f"{', '.join(taken)} on interface {plane.holders[taken[0]]} already")
    holders = plane.holders
    for address in interface.addresses:
        holders = holders.put(address, interface.id)
    return replace(plane, interfaces=plane.interfaces.put(interface.id, interface), holders=holders)


def remove_interface(plane: Plane, interface: str) -> Plane:
    """The plane without that interface and its addresses."""
    holders = plane.holders
    for address in plane.interfaces[interface].addresses:
        holders = holders.drop(address)
    return replace(
        plane,
        interfaces=plane.interfaces.drop(interface),
        owners=plane.owners.drop(interface),
        holders=holders,
    )


def terminate(plane: Plane, instance: str, releases_at: float) -> Plane:
    """TerminateInstances: interface and addresses stay until *releases_at*, then `free_due` takes them."""
    found = plane.instances[instance]
    if found.interface is None:
        return plane
    return replace(plane, instances=plane.instances.put(instance, replace(found, releases_at=releases_at)))


def next_release(plane: Plane) -> float | None:
    """When the next terminating instance loses its interface; None if none is terminating."""
    return min((i.releases_at for i in plane.instances.values() if i.releases_at is not None), default=None)


def free_due(plane: Plane, now: float) -> Plane:
    """The plane after every terminating instance whose time has come lost its interface."""
    due = [i for i in plane.instances.values() if i.releases_at is not None and i.releases_at <= now]
    for instance in due:
        if instance.interface is not None:
            plane = remove_interface(plane, instance.interface)
        gone = replace(instance, interface=None, releases_at=None)
        plane = replace(plane, instances=plane.instances.put(instance.id, gone))
    return plane
