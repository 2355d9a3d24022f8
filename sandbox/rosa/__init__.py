"""A small ROSA: machine pools as EC2 instances, nodes in a cluster API, and the life that both lead together.

`Scenario` says what there is, `Rosa` runs it on an `AwsSandbox`. The controllers
of egress addresses (OVN-Kubernetes and the cloud network config controller) are
plugged in as objects with `start` and `stop`; nothing here decides about egress.

`Rosa` is imported when it is asked for: it brings moto along, which names, timings and scenarios do not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sandbox.rosa.scenario import Flavour, PoolSpec, Scenario, ScenarioError, load_scenario
from sandbox.rosa.timing import RosaTiming

if TYPE_CHECKING:
    from sandbox.rosa.rosa import Controller, PoolState, Rosa

__all__ = [
    "Controller",
    "Flavour",
    "PoolSpec",
    "PoolState",
    "Rosa",
    "RosaTiming",
    "Scenario",
    "ScenarioError",
    "load_scenario",
]


def __getattr__(name: str) -> Any:
    if name in ("Controller", "PoolState", "Rosa"):
        return getattr(import_module("sandbox.rosa.rosa"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
