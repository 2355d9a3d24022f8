"""What of the keeper's own work is not done."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.adapters.errors import Denied, Unreachable
from tests.alert_situations.night import C, Night
from tests.alert_situations.objections import wants


def plan_refused() -> Night:
    """A policy was deleted from the fleet file."""
    night = Night()
    night.desired = replace(night.desired, policies=night.desired.policies[1:])
    return night.watch()


def action_refused() -> Night:
    night = wants(C)
    night.ec2.fail("reserve_cidr", Denied("EC2", "CreateSubnetCidrReservation", "UnauthorizedOperation"))
    return night.watch()


def action_unanswered() -> Night:
    night = wants(C)
    night.ec2.fail("reserve_cidr", Unreachable("EC2", "CreateSubnetCidrReservation", "no answer in time"))
    return night.watch()
