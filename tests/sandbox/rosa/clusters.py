"""The small clusters that the tests of this folder play with, and what they read of their machines and nodes."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from sandbox.rosa import Flavour, PoolSpec, Rosa, RosaTiming, Scenario
from sandbox.rosa.machines import Machine
from sandbox.rosa.naming import EGRESS_LABEL
from sandbox.timeline import SteppedTimeline

ZONE = "eu-central-1a"
SMALL = Scenario(
    name="prod",
    zones={ZONE: IPv4Network("10.10.100.0/24")},
    pools=(PoolSpec(name="egress-a", zones=(ZONE,), replicas=1, labels={EGRESS_LABEL: ""}),),
)
CLASSIC = SMALL.model_copy(update={"flavour": Flavour.CLASSIC})
PACED = RosaTiming(10, 10, 10, 10, 10, 10, 10, 10)


def advance(rosa: Rosa, seconds: float) -> None:
    assert isinstance(rosa.aws.timeline, SteppedTimeline)
    rosa.aws.timeline.advance(seconds)


def only(rosa: Rosa, pool: str = "egress-a") -> Machine:
    (machine,) = rosa.pool_machines(pool)
    return machine


def node(rosa: Rosa, machine: Machine) -> dict[str, Any]:
    return rosa.kube.get("nodes", rosa.node_name(machine))


def ready(found: dict[str, Any]) -> str:
    return next(c["status"] for c in found["status"]["conditions"] if c["type"] == "Ready")


def taints(found: dict[str, Any]) -> set[str]:
    return {taint["key"].rpartition("/")[2] for taint in found["spec"].get("taints") or []}


def tags(entry: dict[str, Any], key: str = "Tags") -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in entry.get(key, [])}
