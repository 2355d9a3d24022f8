"""EC2 in a cluster's account and Region: instances, subnets, interfaces, and the reservations that are ours.

Every read is complete or raises, and always carries a filter: unfiltered reads have half the request budget, and the
budget is shared with the cluster's own controllers (EC2 Developer Guide, "API throttling").
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeVar

from chalicelib.adapters.aws import Aws, in_batches, tags_by_key
from chalicelib.adapters.ec2_parse import parse_instance, parse_interface, parse_reservation, parse_subnet
from chalicelib.adapters.errors import AdapterError, NotFound, Rejected, Unreachable
from chalicelib.adapters.pace import Pace
from chalicelib.domain.actions import TAG_CLUSTER, TAG_OWNER
from chalicelib.domain.snapshot import Instance, Interface, Reservation, Subnet

T = TypeVar("T")

IAM_ACTIONS = frozenset(
    {
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateSubnetCidrReservation",
        "ec2:CreateTags",
        "ec2:DeleteSubnetCidrReservation",
        "ec2:DeleteTags",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:GetSubnetCidrReservations",
    }
)

LIVING_STATES = ["pending", "running", "shutting-down", "stopping", "stopped"]
INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")
VALUES_PER_FILTER = 200
"""EC2's limit."""

INSTANCES_PER_PAGE = 200
"""About 10 kB of XML each; larger pages cost memory and save no noticeable time."""

RESERVATION_BUCKET_SIZE = 5
RESERVATIONS_PER_SECOND = 1.0
"""Create and delete have one such bucket each, by account and Region: the smallest budget of all the actions here."""


class Ec2Api:
    """The `Ec2` port over the wire.

    Args:
        limits: Addresses per interface by instance type, as learnt so far. Pass one mapping to several adapters to ask
            EC2 once a process; the numbers belong to the type, not to an account.
        clock, sleep: Seconds, for keeping to EC2's budget of reservation writes.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        limits: dict[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._aws = aws
        self._limits = limits if limits is not None else {}
        self._create_pace = Pace(RESERVATION_BUCKET_SIZE, RESERVATIONS_PER_SECOND, clock=clock, sleep=sleep)
        self._delete_pace = Pace(RESERVATION_BUCKET_SIZE, RESERVATIONS_PER_SECOND, clock=clock, sleep=sleep)

    def fetch_instances(self, infra_id: str) -> tuple[Instance, ...]:
        """Instances tagged `kubernetes.io/cluster/<infra_id>` = `owned` that are not terminated, sorted by id."""
        filters = {f"tag:kubernetes.io/cluster/{infra_id}": ["owned"], "instance-state-name": LIVING_STATES}
        parse = partial(parse_instance, infra_id=infra_id)
        found = (_read(parse, "DescribeInstances", raw) for raw in self._instances(filters, INSTANCES_PER_PAGE))
        return tuple(sorted(found, key=lambda instance: instance.id))

    def fetch_subnets(self, vpc_ids: Collection[str]) -> tuple[Subnet, ...]:
        """Every subnet of these VPCs, sorted by id. Empty ids, which instances on their way out have, are left out."""
        found = [
            _read(parse_subnet, "DescribeSubnets", raw)
            for batch in in_batches(sorted(set(vpc_ids) - {""}), VALUES_PER_FILTER)
            for page in self._pages("DescribeSubnets", {"vpc-id": batch}, page_size=500)
            for raw in page["Subnets"]
        ]
        return tuple(sorted(found, key=lambda subnet: subnet.id))

    def fetch_interfaces(self, subnet_ids: Collection[str]) -> tuple[Interface, ...]:
        """Every network interface in these subnets, whoever's, sorted by id."""
        found = [
            _read(parse_interface, "DescribeNetworkInterfaces", raw)
            for batch in in_batches(sorted(set(subnet_ids)), VALUES_PER_FILTER)
            for page in self._pages("DescribeNetworkInterfaces", {"subnet-id": batch}, page_size=500)
            for raw in page["NetworkInterfaces"]
        ]
        return tuple(sorted(found, key=lambda interface: interface.id))

    def fetch_reservations(self, subnet_ids: Collection[str]) -> tuple[Reservation, ...]:
        """Every IPv4 reservation of these subnets, sorted by subnet and range; EC2 lists them one subnet at a time."""
        found = [
            _read(parse_reservation, "GetSubnetCidrReservations", raw)
            for subnet_id in sorted(set(subnet_ids))
            for page in self._aws.pages("ec2", "GetSubnetCidrReservations", SubnetId=subnet_id, MaxResults=500)
            for raw in page.get("SubnetIpv4CidrReservations", ())
        ]
        return tuple(sorted(found, key=lambda reservation: (reservation.subnet_id, reservation.cidr)))

    def fetch_address_limits(self, instance_types: Collection[str]) -> Mapping[str, int]:
        """IPv4 addresses per network interface, the primary included, for those of the types that EC2 knows."""
        missing = sorted(set(instance_types) - set(self._limits))
        for batch in in_batches(missing, VALUES_PER_FILTER):
            # By filter, not by name: one unknown name would fail the whole call.
            for page in self._pages("DescribeInstanceTypes", {"instance-type": batch}, page_size=100):
                for raw in page["InstanceTypes"]:
                    self._limits[raw["InstanceType"]] = raw["NetworkInfo"]["Ipv4AddressesPerInterface"]
        return {name: self._limits[name] for name in sorted(set(instance_types)) if name in self._limits}

    def fetch_cluster_tags(self, instance_ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Tags by instance id, for those of the ids that EC2 knows; terminated instances stay known for a while.

        What does not look like an instance id is left out: one malformed value would fail the call for all.
        """
        wanted = sorted(instance_id for instance_id in set(instance_ids) if INSTANCE_ID.fullmatch(instance_id))
        return {
            raw["InstanceId"]: tags_by_key(raw.get("Tags", ()))
            for batch in in_batches(wanted, VALUES_PER_FILTER)
            for raw in self._instances({"instance-id": batch}, 1000)
        }

    def reserve_cidr(self, subnet_id: str, cidr: IPv4Network, tags: Mapping[str, str], description: str) -> Reservation:
        """Create an explicit reservation, or adopt the one of the same range and cluster that is there already.

        Creating is not idempotent in EC2: a repeat, ours after a lost answer or another visit's, is refused as an
        overlap. So a refusal or a lost answer is followed by a look at what is there. An adopted reservation gets
        those of *tags* that it lacks.

        Raises:
            Rejected: Another reservation overlaps (the message names it), or EC2 refuses the range.
        """
        self._create_pace.wait()
        specification = {"ResourceType": "subnet-cidr-reservation", "Tags": _tag_list(tags)}
        try:
            answer = self._aws.call(
                "ec2",
                "CreateSubnetCidrReservation",
                SubnetId=subnet_id,
                Cidr=str(cidr),
                ReservationType="explicit",
                Description=description,
                TagSpecifications=[specification],
            )
        except (Rejected, Unreachable) as error:
            return self._adopt(subnet_id, cidr, tags, error)
        return _read(parse_reservation, "CreateSubnetCidrReservation", answer["SubnetCidrReservation"])

    def tag_reservation(self, reservation_id: str, write: Mapping[str, str], remove: Collection[str]) -> None:
        """Set tags, then drop tags: what an address is recorded under is never missing in between."""
        if write:
            self._aws.call("ec2", "CreateTags", Resources=[reservation_id], Tags=_tag_list(write))
        if remove:
            keys = [{"Key": key} for key in sorted(remove)]
            self._aws.call("ec2", "DeleteTags", Resources=[reservation_id], Tags=keys)

    def release_reservation(self, reservation_id: str) -> None:
        """Delete a reservation; already gone is success. Addresses in use keep working; they are no longer kept."""
        self._delete_pace.wait()
        try:
            self._aws.call("ec2", "DeleteSubnetCidrReservation", SubnetCidrReservationId=reservation_id)
        except NotFound:
            return

    def assign_address(self, interface_id: str, address: IPv4Address) -> None:
        """Put a secondary address on an interface; there already is success. Taken from no other interface.

        Raises:
            Rejected: Another interface has it, or this one holds as many as it may.
        """
        try:
            self._aws.call(
                "ec2",
                "AssignPrivateIpAddresses",
                NetworkInterfaceId=interface_id,
                PrivateIpAddresses=[str(address)],
                AllowReassignment=False,
            )
        except (Rejected, Unreachable):
            # Whether EC2 grants again what is there already is not documented, and an answer may have been lost.
            if not self._has(interface_id, address):
                raise

    def _has(self, interface_id: str, address: IPv4Address) -> bool:
        pages = self._pages("DescribeNetworkInterfaces", {"network-interface-id": [interface_id]}, page_size=5)
        found = [_read(parse_interface, "DescribeNetworkInterfaces", i) for p in pages for i in p["NetworkInterfaces"]]
        return any(address in interface.addresses for interface in found)

    def _adopt(self, subnet_id: str, cidr: IPv4Network, tags: Mapping[str, str], refusal: AdapterError) -> Reservation:
        for there in self.fetch_reservations([subnet_id]):
            if not there.cidr.overlaps(cidr):
                continue
            if there.cidr == cidr and there.type == "explicit" and _of_same_cluster(there.tags, tags):
                missing = {key: value for key, value in tags.items() if there.tags.get(key) != value}
                self.tag_reservation(there.id, missing, ())
                return replace(there, tags={**there.tags, **missing})
            detail = f"{cidr} in {subnet_id} overlaps {there.type} reservation {there.id} of {there.cidr}"
            raise Rejected(refusal.source, refusal.operation, detail) from refusal
        raise refusal

    def _instances(self, filters: Mapping[str, list[str]], page_size: int) -> Iterator[Mapping[str, Any]]:
        for page in self._pages("DescribeInstances", filters, page_size=page_size):
            for reservation in page["Reservations"]:
                yield from reservation["Instances"]

    def _pages(
        self, operation: str, filters: Mapping[str, list[str]], *, page_size: int
    ) -> Iterator[Mapping[str, Any]]:
        named = [{"Name": name, "Values": values} for name, values in filters.items()]
        return self._aws.pages("ec2", operation, Filters=named, MaxResults=page_size)


def _of_same_cluster(there: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(key in wanted and there.get(key) == wanted[key] for key in (TAG_OWNER, TAG_CLUSTER))


def _read(parse: Callable[[Mapping[str, Any]], T], operation: str, raw: Mapping[str, Any]) -> T:
    """Parse one item; one that is not as EC2 documents it makes the whole list unusable, not shorter."""
    try:
        return parse(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise Unreachable("EC2", operation, f"an item is not as EC2 documents it: {error!r}") from error


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
