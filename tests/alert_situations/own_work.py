"""What of the keeper's own work is not done."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.adapters.errors import Denied, Unreachable
from tests import factories as make
from tests.alert_situations.night import A, B, C, Night, for_policy
from tests.alert_situations.objections import wants


def plan_refused() -> Night:
    """A policy was deleted from the fleet file."""
    night = Night()
    night.desired = replace(night.desired, policies=night.desired.policies[1:])
    return night.watch()


def change_held_back() -> Night:
    """An address is replaced in the fleet file while OVN-Kubernetes drops new assignments: the old one would be taken
    off, and the new one be nowhere.
    """
    night = for_policy(A)
    night.settle()
    night.cluster.nodes["node-c1"] = replace(night.cluster.nodes["node-c1"], host_addresses=None)
    night.desired = make.cluster(make.policy("ns", B))
    return night.watch(65, 400, 400)


def action_refused() -> Night:
    night = wants(C)
    night.ec2.fail("reserve_cidr", Denied("EC2", "CreateSubnetCidrReservation", "UnauthorizedOperation"))
    return night.watch()


def action_unanswered() -> Night:
    night = wants(C)
    night.ec2.fail("reserve_cidr", Unreachable("EC2", "CreateSubnetCidrReservation", "no answer in time"))
    return night.watch()
