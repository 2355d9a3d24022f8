"""Machines come and go, step by step: pools are scaled, added and removed."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws import AwsSandbox, InstanceStateChange
from sandbox.kube import ApiError
from sandbox.rosa import Flavour, PoolSpec, Rosa, Scenario
from sandbox.rosa.naming import EGRESS_LABEL
from sandbox.rosa.rosa import _spread
from tests.sandbox.rosa.clusters import PACED, ZONE, advance, node, only, ready, taints


def test_node_joins_step_by_step(aws: AwsSandbox, rosa: Rosa) -> None:
    """Registered with the uninitialized taint, then placed, labelled,
    networked and at last ready; events before the node.
    """
    states: list[InstanceStateChange] = []
    aws.on_instance_state(states.append)
    aws.timing.running_after_seconds = 5
    rosa.scale_pool("egress-a", 2, timing=PACED)
    machine = rosa.pool_machines("egress-a")[1]
    assert [s.state for s in states] == ["pending"]
    advance(rosa, 14)
    assert [s.state for s in states] == ["pending", "running"]
    with pytest.raises(ApiError):
        node(rosa, machine)

    advance(rosa, 1)
    registered = node(rosa, machine)
    assert (ready(registered), taints(registered)) == ("False", {"uninitialized", "not-ready"})
    assert "providerID" not in registered["spec"]
    advance(rosa, 10)
    assert (taints(node(rosa, machine)), "providerID" in node(rosa, machine)["spec"]) == ({"not-ready"}, True)
    assert EGRESS_LABEL not in node(rosa, machine)["metadata"]["labels"]
    advance(rosa, 10)
    assert EGRESS_LABEL in node(rosa, machine)["metadata"]["labels"]
    assert "k8s.ovn.org/host-cidrs" not in node(rosa, machine)["metadata"]["annotations"]
    advance(rosa, 10)
    assert "k8s.ovn.org/host-cidrs" in node(rosa, machine)["metadata"]["annotations"]
    assert ready(node(rosa, machine)) == "False"
    advance(rosa, 10)
    assert (ready(node(rosa, machine)), taints(node(rosa, machine))) == ("True", set())


def test_node_leaves_step_by_step(aws: AwsSandbox, rosa: Rosa) -> None:
    """Cordoned, its instance ended, silent, deleted; its addresses are free when EC2 lets them go."""
    states: list[InstanceStateChange] = []
    aws.on_instance_state(states.append)
    aws.timing.terminated_after_seconds = 12
    machine = only(rosa)
    rosa.scale_pool("egress-a", 0, timing=PACED)
    assert rosa.pool_machines("egress-a") == ()
    assert taints(node(rosa, machine)) == {"unschedulable"}
    assert (node(rosa, machine)["spec"]["unschedulable"], states) == (True, [])
    advance(rosa, 10)
    assert [s.state for s in states] == ["shutting-down"]
    advance(rosa, 10)
    assert (ready(node(rosa, machine)), taints(node(rosa, machine))) == ("Unknown", {"unschedulable", "unreachable"})
    assert len(aws.client("ec2").describe_network_interfaces()["NetworkInterfaces"]) == 1
    advance(rosa, 10)
    assert [s.state for s in states] == ["shutting-down", "terminated"]
    assert aws.client("ec2").describe_network_interfaces()["NetworkInterfaces"] == []
    assert rosa.kube.list("nodes") == []


def test_the_newest_machines_leave_first(rosa: Rosa) -> None:
    """Scaling in keeps the oldest machines."""
    rosa.scale_pool("egress-a", 3)
    before = rosa.pool_machines("egress-a")
    rosa.scale_pool("egress-a", 1)
    assert rosa.pool_machines("egress-a") == before[:1]
    assert [n["metadata"]["name"] for n in rosa.kube.list("nodes")] == [rosa.node_name(before[0])]


def test_machine_that_leaves_while_joining_never_becomes_ready(rosa: Rosa) -> None:
    """Scaling in stops the node's remaining steps; in the end nothing is left of it."""
    rosa.scale_pool("egress-a", 2, timing=PACED)
    machine = rosa.pool_machines("egress-a")[1]
    advance(rosa, 25)
    rosa.scale_pool("egress-a", 1, timing=PACED)
    advance(rosa, 15)
    assert EGRESS_LABEL not in node(rosa, machine)["metadata"]["labels"]
    advance(rosa, 60)
    assert len(rosa.kube.list("nodes")) == 1


def test_node_deleted_by_hand_stops_its_own_steps_only(rosa: Rosa) -> None:
    """A node that somebody deletes while it joins stays away and disturbs nobody."""
    rosa.scale_pool("egress-a", 3, timing=PACED)
    gone = rosa.pool_machines("egress-a")[1]
    advance(rosa, 15)
    rosa.kube.delete("nodes", rosa.node_name(gone))
    advance(rosa, 60)
    names = {n["metadata"]["name"]: ready(n) for n in rosa.kube.list("nodes")}
    assert rosa.node_name(gone) not in names
    assert list(names.values()) == ["True", "True"]


def test_full_subnet_refuses_a_launch(aws: AwsSandbox, rosa: Rosa) -> None:
    """What EC2 says when no address is left for machines reaches whoever scales; the pool keeps what it has."""
    aws.client("ec2").create_subnet_cidr_reservation(
        SubnetId=rosa.machines.subnet_ids[ZONE], Cidr="10.10.100.0/24", ReservationType="explicit"
    )
    with pytest.raises(ClientError, match="InsufficientFreeAddressesInSubnet"):
        rosa.scale_pool("egress-a", 2)
    assert len(rosa.pool_machines("egress-a")) == 1


@given(replicas=st.integers(0, 50), zones=st.integers(1, 4))
def test_replicas_are_spread_evenly(replicas: int, zones: int) -> None:
    """No zone has two machines more than another, and none is lost."""
    spread = _spread(replicas, [f"zone-{n}" for n in range(zones)])
    assert sum(spread.values()) == replicas
    assert max(spread.values()) - min(spread.values()) <= 1


def test_pool_of_several_zones_fills_them_evenly(aws: AwsSandbox) -> None:
    """A classic pool over three zones scales in all of them."""
    zones = tuple(Scenario().zones)
    pool = PoolSpec(name="worker", zones=zones, replicas=2)
    with Rosa(Scenario(flavour=Flavour.CLASSIC, pools=(pool,)), aws) as rosa:
        rosa.scale_pool("worker", 3)
        assert [m.zone for m in rosa.pool_machines("worker")] == list(zones)


def test_pool_can_be_added(rosa: Rosa) -> None:
    """A new pool's nodes carry its labels; a name that is taken or an unknown zone is refused."""
    rosa.add_pool(PoolSpec(name="extra", zones=(ZONE,), instance_type="t3.small", labels={"team": "x"}))
    labels = node(rosa, only(rosa, "extra"))["metadata"]["labels"]
    assert (labels["team"], labels["node.kubernetes.io/instance-type"]) == ("x", "t3.small")
    for spec in (PoolSpec(name="extra", zones=(ZONE,)), PoolSpec(name="more", zones=("eu-central-1z",))):
        with pytest.raises(ValueError, match=spec.name):
            rosa.add_pool(spec)


def test_pool_can_be_removed(aws: AwsSandbox, rosa: Rosa) -> None:
    """Its machines leave, and it is known no more."""
    instance = only(rosa).instance_id
    assert rosa.pool_state("egress-a").replicas == 1
    rosa.remove_pool("egress-a")
    advance(rosa, 60)
    described = aws.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert (described["State"]["Name"], "egress-a" in rosa.pool_names()) == ("terminated", False)
