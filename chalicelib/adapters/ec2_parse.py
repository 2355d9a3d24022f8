"""EC2's answers as snapshot values. Pure; sending the requests is `ec2`.

EC2 leaves fields out rather than send them empty: an instance that is shutting down has no subnet any more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from chalicelib.adapters.aws import tags_by_key
from chalicelib.domain.snapshot import Instance, Interface, Reservation, Subnet

POOL_TAG = "api.openshift.com/nodepool-ocm"
"""Holds the OCM node pool id; on ROSA HCP only."""

NOT_POOLS = frozenset({"master", "infra"})
"""Machines of a classic cluster that carry its tag and belong to no machine pool."""

HOLDERS = (
    (re.compile(r"\b(vpce-[0-9a-f]+)"), "interface endpoint"),
    (re.compile(r"\b(nat-[0-9a-f]+)"), "NAT gateway"),
    (re.compile(r"^ELB (\S+)"), "load balancer"),
    (re.compile(r"\b(fsmt-[0-9a-f]+)"), "EFS mount target"),
    (re.compile(r"^AWS Lambda VPC ENI-(\S+?)(?:-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?$"), "Lambda function"),
)
"""What services write into the description of the interfaces they create, and the words for it."""


def parse_instance(raw: Mapping[str, Any], infra_id: str) -> Instance:
    """One element of `Reservations[].Instances[]`."""
    zone = raw.get("Placement", {}).get("AvailabilityZone", "")
    interfaces = raw.get("NetworkInterfaces") or []
    return Instance(
        id=raw["InstanceId"],
        state=raw["State"]["Name"],
        type=raw.get("InstanceType", ""),
        zone=zone,
        subnet_id=raw.get("SubnetId", ""),
        vpc_id=raw.get("VpcId", ""),
        launched_at=raw["LaunchTime"].astimezone(UTC),
        pool=pool_of(tags_by_key(raw.get("Tags", ())), infra_id, zone),
        # In EC2's order, not by device index: the cloud network controller takes the first as it comes.
        interface_id=interfaces[0]["NetworkInterfaceId"] if interfaces else None,
    )


def pool_of(tags: Mapping[str, str], infra_id: str, zone: str) -> str | None:
    """The OCM pool id: from its tag (HCP), else from the name `<infra_id>-<pool>-<zone>-<5 characters>` (classic).

    None where neither tells. Names of machine sets longer than 58 characters are cut, zone and all: then there is
    nothing to split at, and a wrong pool would be worse than none.
    """
    if POOL_TAG in tags:
        return tags[POOL_TAG] or None
    pattern = rf"{re.escape(infra_id)}-(?P<pool>.+)-{re.escape(zone)}-[a-z0-9]{{5}}"
    match = re.fullmatch(pattern, tags.get("Name", "")) if zone else None
    return match["pool"] if match and match["pool"] not in NOT_POOLS else None


def parse_subnet(raw: Mapping[str, Any]) -> Subnet:
    """One element of `Subnets[]`; a subnet has exactly one IPv4 range."""
    return Subnet(
        id=raw["SubnetId"],
        vpc_id=raw["VpcId"],
        zone=raw["AvailabilityZone"],
        cidr=IPv4Network(raw["CidrBlock"]),
        available=raw["AvailableIpAddressCount"],
    )


def parse_interface(raw: Mapping[str, Any]) -> Interface:
    """One element of `NetworkInterfaces[]`. Egress addresses are ordinary secondary addresses: nothing marks them."""
    addresses = sorted(raw.get("PrivateIpAddresses", ()), key=lambda entry: not entry.get("Primary", False))
    return Interface(
        id=raw["NetworkInterfaceId"],
        subnet_id=raw["SubnetId"],
        instance_id=raw.get("Attachment", {}).get("InstanceId"),
        addresses=tuple(IPv4Address(entry["PrivateIpAddress"]) for entry in addresses),
        prefixes=tuple(IPv4Network(entry["Ipv4Prefix"]) for entry in raw.get("Ipv4Prefixes", ())),
        holder=holder_of(raw),
        tags=tags_by_key(raw.get("TagSet", ())),
    )


def holder_of(raw: Mapping[str, Any]) -> str:
    """Who a network interface belongs to, in words for a person who finds a wanted address on it."""
    if instance_id := raw.get("Attachment", {}).get("InstanceId"):
        return f"instance {instance_id}"
    description = raw.get("Description", "")
    for pattern, words in HOLDERS:
        if match := pattern.search(description):
            return f"{words} {match[1]}"
    kind = raw.get("InterfaceType", "interface")
    name = "network interface" if kind == "interface" else kind.replace("_", " ")
    if description:
        return f"{name} “{description}”"
    if requester := raw.get("RequesterId"):
        return f"{name} of {requester}"
    return f"{name} {raw['NetworkInterfaceId']}"


def parse_reservation(raw: Mapping[str, Any]) -> Reservation:
    """One element of `SubnetIpv4CidrReservations[]`, or the answer to its creation."""
    return Reservation(
        id=raw["SubnetCidrReservationId"],
        subnet_id=raw["SubnetId"],
        cidr=IPv4Network(raw["Cidr"]),
        type=raw["ReservationType"],
        description=raw.get("Description", ""),
        tags=tags_by_key(raw.get("Tags", ())),
    )
