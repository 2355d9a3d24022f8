"""What the sandbox's AWS holds now, read beside the wire: no request is made, none is counted, nothing is paged.

For scenarios and checks, which look often. What the product sees it gets over the wire like everybody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.sqs.models import sqs_backends

from sandbox.aws.address_plane import addresses_of


@dataclass(frozen=True)
class InterfaceState:
    """One network interface; `addresses` has the primary first, `instance_id` is "" where it is on none."""

    id: str
    subnet_id: str
    instance_id: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class ReservationState:
    """One IPv4 subnet CIDR reservation."""

    id: str
    subnet_id: str
    cidr: str
    kind: str
    description: str
    tags: dict[str, str]


def interfaces(region: str) -> list[InterfaceState]:
    """Every network interface of the account in *region*."""
    return [
        InterfaceState(
            eni.id,
            eni.subnet.id,
            eni.instance.id if eni.instance is not None else "",
            tuple(map(str, addresses_of(eni))),
        )
        for eni in list(_ec2(region).enis.values())
    ]


def reservations(region: str) -> list[ReservationState]:
    """Every IPv4 reservation in *region*."""
    ec2 = _ec2(region)
    subnets = [subnet for zone in list(ec2.subnets.values()) for subnet in list(zone.values())]
    return [
        ReservationState(
            found.id,
            subnet.id,
            str(found.cidr),
            found.reservation_type,
            getattr(found, "description", None) or "",
            {tag["key"]: tag["value"] for tag in found.get_tags()},
        )
        for subnet in subnets
        for found in list(subnet._cidr_reservations)
        if found.cidr.version == 4
    ]


def items(region: str, table: str) -> list[dict[str, Any]]:
    """Every item of a DynamoDB table, in DynamoDB's JSON, sorted by its keys."""
    return [item.to_json()["Attributes"] for item in _table(region, table).all_items()]


def forget_items(region: str, table: str) -> None:
    """Empty a DynamoDB table."""
    _table(region, table).items.clear()


def forget_messages(region: str, *queue_urls: str) -> None:
    """Empty queues, whatever is delayed or in flight included; unlike PurgeQueue, as often as one likes."""
    queues = sqs_backends[DEFAULT_ACCOUNT_ID][region].queues
    for url in queue_urls:
        queue = queues[url.rpartition("/")[2]]
        queue._messages.clear()
        queue.pending_messages.clear()


def _ec2(region: str) -> Any:
    return ec2_backends[DEFAULT_ACCOUNT_ID][region]


def _table(region: str, table: str) -> Any:
    return dynamodb_backends[DEFAULT_ACCOUNT_ID][region].tables[table]
