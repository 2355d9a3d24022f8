"""Addresses that something speaks against."""

from __future__ import annotations

from tests import factories as make
from tests.alert_situations.night import STRANGER, A, B, C, Night, for_policy


def wants(address: str) -> Night:
    """Somebody adds an address to the fleet file."""
    night = for_policy(A, B)
    night.settle()
    night.desired = make.cluster(make.policy("ns", A, B, address))
    return night


def address_outside() -> Night:
    return wants("10.99.0.1").watch()


def address_reserved_by_aws() -> Night:
    return wants("10.10.200.1").watch()


def address_is_host() -> Night:
    return wants(str(make.host("c", 0))).watch()


def address_taken() -> Night:
    night = wants(C)
    night.put_on(STRANGER.id, C)
    return night.watch()


def address_duplicate() -> Night:
    night = wants(C)
    night.cluster.egress_ips["team-b"] = make.egress_ip("team-b", C, labels={})
    return night.watch()


def address_duplicate_serving() -> Night:
    night = Night()
    night.cluster.egress_ips["team-b"] = make.egress_ip("team-b", C, labels={})
    return night.watch()


def reservation_foreign() -> Night:
    night = wants(C)
    night.ec2.reservations["scr-0b7e"] = make.reservation(
        "10.10.200.240/28", "c", cluster=None, description="printers", id="scr-0b7e"
    )
    return night.watch()
