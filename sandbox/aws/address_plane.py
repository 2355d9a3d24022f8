"""Who holds which private address of a subnet, and what EC2 says to a request for one.

moto keeps no account of a subnet's addresses; this module is that account: one allocator a
subnet, computed from the interfaces and reservations that exist, so that it cannot go stale.
Error codes and texts are those public tools parse (Ansible `ec2_eni`, Terraform); AWS publishes
no list. Reservations as objects live in `reservations`, launching and terminating in `instances`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import moto.ec2.utils as moto_utils
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces

from sandbox.aws.correction import Correction

AWS_RESERVED_COUNT = 5  # the first four addresses and the last (Amazon VPC User Guide, "Subnet sizing")


def addresses_of(interface: Any) -> list[IPv4Address]:
    """Every IPv4 address on *interface*, the primary first."""
    return [IPv4Address(entry["PrivateIpAddress"]) for entry in interface.private_ip_addresses]


def holders(subnet: Any) -> dict[IPv4Address, Any]:
    """The interface that holds each address in use in *subnet*."""
    interfaces = [eni for eni in subnet.ec2_backend.enis.values() if eni.subnet.id == subnet.id]
    return {address: eni for eni in interfaces for address in addresses_of(eni)}


def is_aws_reserved(network: IPv4Network, address: IPv4Address) -> bool:
    """Whether AWS keeps *address* of the subnet *network* for itself."""
    return int(address) - int(network.network_address) < AWS_RESERVED_COUNT - 1 or address == network.broadcast_address


def reserved_ranges(subnet: Any, kind: str | None = None) -> list[IPv4Network]:
    """The IPv4 ranges under a CIDR reservation of *subnet*, of one *kind* (`prefix`, `explicit`) or of both."""
    return [
        reservation.cidr
        for reservation in subnet._cidr_reservations
        if isinstance(reservation.cidr, IPv4Network) and kind in (None, reservation.reservation_type)
    ]


def available_address_count(subnet: Any) -> int:
    """What DescribeSubnets answers as AvailableIpAddressCount.

    A `prefix` reservation counts whole from the moment it exists, an `explicit` one only address by address as they are
    assigned (Amazon VPC User Guide, "Subnet CIDR reservations").
    """
    network: IPv4Network = subnet.cidr
    prefixes = reserved_ranges(subnet, "prefix")
    in_prefixes = sum(prefix.num_addresses for prefix in prefixes)
    aws_in_prefixes = sum(any(address in prefix for prefix in prefixes) for address in _aws_reserved(network))
    assigned = sum(not any(address in prefix for prefix in prefixes) for address in holders(subnet))
    return network.num_addresses - AWS_RESERVED_COUNT - (in_prefixes - aws_in_prefixes) - assigned


def choose_free(subnet: Any, count: int, also_taken: Iterable[IPv4Address] = ()) -> list[IPv4Address]:
    """The *count* lowest addresses AWS may hand out by itself: in use by nobody, in no reservation of either kind.

    Raises InsufficientFreeAddressesInSubnet when there are fewer.
    """
    taken = set(holders(subnet)) | set(also_taken)
    reserved = reserved_ranges(subnet)
    chosen: list[IPv4Address] = []
    for address in subnet.cidr.hosts():
        if len(chosen) == count:
            break
        if (
            address not in taken
            and not is_aws_reserved(subnet.cidr, address)
            and not any(address in r for r in reserved)
        ):
            chosen.append(address)
    if len(chosen) < count:
        raise EC2ClientError(
            "InsufficientFreeAddressesInSubnet",
            f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the request.",
        )
    return chosen


def check_in_subnet(subnet: Any, address: IPv4Address) -> None:
    """Refuse an address that *subnet* does not have or AWS keeps. A reservation refuses nobody: it is not a lock."""
    if address not in subnet.cidr:
        raise EC2ClientError(
            "InvalidParameterValue", f"Address {address} does not fall within the subnet's address range"
        )
    if is_aws_reserved(subnet.cidr, address):
        raise EC2ClientError("InvalidParameterValue", f"Address {address} is in subnet's reserved address range")


def check_free(subnet: Any, address: IPv4Address) -> None:
    """Refuse a new interface (or instance) an address that it names but cannot have."""
    check_in_subnet(subnet, address)
    if address in holders(subnet):
        raise EC2ClientError("InvalidIPAddress.InUse", f"Address {address} is in use.")


def assign(interface: Any, named: Sequence[str], count: int, *, allow_reassignment: bool) -> list[IPv4Address]:
    """AssignPrivateIpAddresses: put *named* addresses, or *count*
    chosen ones, on *interface* as secondaries; return them.

    Checked in the order subnet, holder, limit, and nothing is changed when anything
    is refused. With *allow_reassignment* an address moves here from where it is a
    secondary; a primary never moves. One that is already here is granted again.
    """
    subnet = interface.subnet
    wanted = [IPv4Address(text) for text in named] or choose_free(subnet, count)
    for address in wanted:
        check_in_subnet(subnet, address)
    held = holders(subnet)
    elsewhere = [address for address in wanted if held.get(address, interface) is not interface]
    stuck = [a for a in elsewhere if not allow_reassignment or a == addresses_of(held[a])[0]]
    if stuck:
        raise EC2ClientError(
            "InvalidParameterValue", f"[{', '.join(map(str, stuck))}] assigned, but move is not allowed."
        )
    new = [address for address in dict.fromkeys(wanted) if address not in addresses_of(interface)]
    _check_limit(interface, len(interface.private_ip_addresses) + len(new))
    for address in elsewhere:
        _take_off(held[address], [address])
    interface.private_ip_addresses.extend({"Primary": False, "PrivateIpAddress": str(address)} for address in new)
    return wanted


def unassign(interface: Any, named: Sequence[str]) -> None:
    """UnassignPrivateIpAddresses: all of *named* or, when one is absent or the primary, none."""
    leaving = [IPv4Address(text) for text in named]
    present = addresses_of(interface)
    absent = [address for address in leaving if address not in present]
    if absent:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Some of [{', '.join(map(str, absent))}] are not assigned to interface {interface.id}",
        )
    if present and present[0] in leaving:
        raise EC2ClientError(
            "InvalidParameterValue", f"Address {present[0]} is the primary address of interface {interface.id}"
        )
    _take_off(interface, leaving)


def _take_off(interface: Any, leaving: Sequence[IPv4Address]) -> None:
    texts = {str(address) for address in leaving}
    interface.private_ip_addresses[:] = [
        e for e in interface.private_ip_addresses if e["PrivateIpAddress"] not in texts
    ]


def _check_limit(interface: Any, address_count: int) -> None:
    """Addresses per interface depend on the instance type; a detached interface has no limit here."""
    if interface.instance is None:
        return
    limit = INSTANCE_TYPES[interface.instance.instance_type]["NetworkInfo"]["Ipv4AddressesPerInterface"]
    if address_count > limit:
        raise EC2ClientError("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")


def _aws_reserved(network: IPv4Network) -> list[IPv4Address]:
    return [*(network.network_address + offset for offset in range(AWS_RESERVED_COUNT - 1)), network.broadcast_address]


# --- moto's side: the same rules under the names and signatures that moto calls ---


def _create_interface(original: Any) -> Any:
    def create_network_interface(
        self: Any, subnet: Any, private_ip_address: Any, private_ip_addresses: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        subnet = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
        named = _named_addresses(private_ip_address, private_ip_addresses)
        for address in named:
            check_free(subnet, address)
        missing = int(kwargs.pop("secondary_ips_count", 0) or 0) + (0 if named else 1)
        addresses = [*named, *choose_free(subnet, missing, also_taken=named)]
        if "device_index" in kwargs:
            # Made by a launch: EC2 deletes such an interface with its instance; moto does so only when asked in the
            # request.
            kwargs["delete_on_termination"] = True
        entries = [{"Primary": i == 0, "PrivateIpAddress": str(address)} for i, address in enumerate(addresses)]
        return original(self, subnet, str(addresses[0]), entries, *args, **kwargs)

    return create_network_interface


def _named_addresses(primary: Any, entries: Any) -> list[IPv4Address]:
    """The addresses a request names, the primary first, from the several shapes moto passes around."""
    texts = [primary] if isinstance(primary, str) and primary else list(primary or [])
    plain = [entry if isinstance(entry, str) else entry["PrivateIpAddress"] for entry in entries or []]
    first = [
        e["PrivateIpAddress"] for e in entries or [] if not isinstance(e, str) and e.get("Primary") in (True, "true")
    ]
    return [IPv4Address(text) for text in dict.fromkeys([*texts, *first, *plain])]


def _assign_operation(_original: Any) -> Any:
    def assign_private_ip_addresses(self: Any) -> Any:
        if self._get_param("Ipv4PrefixCount") or self._get_param("Ipv4Prefixes"):
            raise EC2ClientError("UnsupportedOperation", "The sandbox has no prefix delegation.")
        interface = self.ec2_backend.get_network_interface(self._get_param("NetworkInterfaceId"))
        granted = assign(
            interface,
            self._get_param("PrivateIpAddresses", []),
            self._get_int_param("SecondaryPrivateIpAddressCount", 0),
            allow_reassignment=bool(self._get_param("AllowReassignment")),
        )
        answer = [{"PrivateIpAddress": str(address)} for address in granted]
        return ActionResult({"NetworkInterfaceId": interface.id, "AssignedPrivateIpAddresses": answer})

    return assign_private_ip_addresses


def _unassign_backend(_original: Any) -> Any:
    def unassign_private_ip_addresses(self: Any, eni_id: str, private_ip_address: Any = None) -> Any:
        interface = self.get_network_interface(eni_id)
        unassign(interface, private_ip_address or [])
        return interface

    return unassign_private_ip_addresses


def _filter_value(original: Any) -> Any:
    def get_filter_value(self: Any, filter_name: str, method_name: str | None = None) -> Any:
        if filter_name == "addresses.private-ip-address":
            return [entry["PrivateIpAddress"] for entry in self.private_ip_addresses]
        if filter_name == "addresses.primary":
            return ["true"] + ["false"] * (len(self.private_ip_addresses) > 1)
        if filter_name == "attachment.status":
            return "detached" if self.instance is None else "attached"
        return original(self, filter_name, method_name)

    return get_filter_value


def _passes(original: Any) -> Any:
    """DescribeInstances by an address of any of its interfaces, which moto does not know at all."""

    def passes_filter_dict(instance: Any, filters: dict[str, Any]) -> bool:
        rest = dict(filters)
        wanted = rest.pop("network-interface.addresses.private-ip-address", None)
        held = {str(address) for eni in instance.nics.values() for address in addresses_of(eni)}
        return (wanted is None or bool(held & set(wanted))) and bool(original(instance, rest))

    return passes_filter_dict


def _launch_address(_original: Any) -> Any:
    return lambda subnet, instance: str(choose_free(subnet, 1)[0])  # noqa: ARG005 - moto names it so


def _request_address(_original: Any) -> Any:
    return lambda subnet, ip, instance: check_free(subnet, IPv4Address(ip))  # noqa: ARG005 - moto names it so


CORRECTIONS = (
    Correction(
        NetworkInterfaceBackend,
        "create_network_interface",
        _create_interface,
        "random, duplicate and foreign addresses",
    ),
    Correction(
        ElasticNetworkInterfaces,
        "assign_private_ip_addresses",
        _assign_operation,
        "anything could be assigned to anybody",
    ),
    Correction(
        NetworkInterfaceBackend, "unassign_private_ip_addresses", _unassign_backend, "absent and primary were accepted"
    ),
    Correction(NetworkInterface, "get_filter_value", _filter_value, "addresses.private-ip-address saw primaries only"),
    Correction(
        moto_utils, "passes_filter_dict", _passes, "instances could not be found by their interfaces' addresses"
    ),
    Correction(
        Subnet, "get_available_subnet_ip", _launch_address, "given-back addresses stayed lost; exhaustion was a crash"
    ),
    Correction(Subnet, "request_ip", _request_address, "an address in use was a crash"),
    Correction(
        Subnet,
        "available_ip_address_count",
        lambda _o: property(available_address_count),
        "went negative, forgot prefixes",
    ),
)
