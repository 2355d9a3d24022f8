"""A small ROSA: machine pools as EC2 instances, nodes in a cluster API, and the life that both lead together.

`Scenario` says what there is, `Rosa` runs it on an `AwsSandbox`. The controllers
of egress addresses (OVN-Kubernetes and the cloud network config controller) are
plugged in as objects with `start` and `stop`; nothing here decides about egress.
"""

from sandbox.rosa.rosa import Controller, PoolState, Rosa
from sandbox.rosa.scenario import Flavour, PoolSpec, Scenario, ScenarioError, load_scenario
from sandbox.rosa.timing import RosaTiming

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
