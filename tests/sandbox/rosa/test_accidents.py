"""What can go wrong with nodes and zones, and back."""

from __future__ import annotations

import pytest

from sandbox.aws import AwsSandbox
from sandbox.rosa import Rosa, Scenario
from tests.sandbox.rosa.clusters import node, only, ready, taints


def test_node_can_fall_ill_and_recover(rosa: Rosa) -> None:
    """Ready and the lifecycle controller's taint go together; other taints stay."""
    name = rosa.node_name(only(rosa))
    rosa.kube.patch("nodes", name, {"spec": {"taints": [{"key": "a/own", "effect": "NoSchedule"}]}}, manager="me")
    rosa.node_ready(name, ready=False)
    assert (ready(node(rosa, only(rosa))), taints(node(rosa, only(rosa)))) == ("False", {"own", "not-ready"})
    rosa.node_ready(name, ready=True)
    assert (ready(node(rosa, only(rosa))), taints(node(rosa, only(rosa)))) == ("True", {"own"})


def test_lost_zone_falls_silent_and_comes_back(aws: AwsSandbox) -> None:
    """Its nodes become Unknown while EC2 still shows their instances running; other zones are untouched."""
    with Rosa(Scenario(), aws) as rosa:
        rosa.lose_zone("eu-central-1b")
        by_zone = {
            (n["metadata"]["labels"]["topology.kubernetes.io/zone"][-1], ready(n)) for n in rosa.kube.list("nodes")
        }
        assert by_zone == {("a", "True"), ("b", "Unknown"), ("c", "True")}
        states = {
            i["State"]["Name"] for r in aws.client("ec2").describe_instances()["Reservations"] for i in r["Instances"]
        }
        assert states == {"running"}
        rosa.restore_zone("eu-central-1b")
        assert {ready(n) for n in rosa.kube.list("nodes")} == {"True"}
        with pytest.raises(KeyError):
            rosa.lose_zone("eu-central-1z")
