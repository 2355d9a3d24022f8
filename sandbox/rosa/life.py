"""How a node joins and leaves: the steps that kubelet, cloud controller,
labeller, OVN-Kubernetes and machine controller take in turn.

The order between labels, network and Ready is not fixed on ROSA; here it is the usual one. Every step is a write to the
cluster API by the part that really makes it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from sandbox.aws import AwsSandbox
from sandbox.kube import ApiError, Kube
from sandbox.rosa import metadata_operator, nodes
from sandbox.rosa.machines import Machine, Machines
from sandbox.rosa.naming import pool_annotations, pool_labels
from sandbox.rosa.scenario import Flavour, Scenario
from sandbox.rosa.timing import RosaTiming

KUBELET = "kubelet"
CLOUD_CONTROLLER = "aws-cloud-controller-manager"
NODE_LIFECYCLE = "kube-controller-manager"
OVN_NODE = "ovnkube-node"
LABELLERS = {Flavour.HCP: "hosted-cluster-config-operator", Flavour.CLASSIC: metadata_operator.MANAGER}

_PODS = IPv4Network("10.128.0.0/14")
_POD_PREFIX = 23

Step = tuple[float, Callable[[], None]]
"""Seconds to wait after the step before, and what is then done."""


class NodeLife:
    """Takes the steps of every node of one cluster, on the sandbox's timeline."""

    def __init__(self, kube: Kube, machines: Machines, aws: AwsSandbox, scenario: Scenario) -> None:
        self._kube = kube
        self._machines = machines
        self._aws = aws
        self._scenario = scenario
        self._pod_networks = _PODS.subnets(new_prefix=_POD_PREFIX)
        self._lock = threading.Lock()
        self._leaving: set[str] = set()

    def join(
        self,
        machine: Machine,
        timing: RosaTiming,
        labels: Callable[[], Mapping[str, str]],
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Let the node of *machine* join; *labels* are asked for when they are put on, *then* follows its readiness."""
        name = self._name(machine)
        steps = (
            (self._aws.timing.running_after_seconds + timing.registers_seconds, lambda: self._register(name)),
            (timing.initialised_seconds, lambda: self._initialise(name, machine)),
            (timing.labelled_seconds, lambda: self._label(name, machine, labels())),
            (timing.networked_seconds, lambda: self._network(name, machine)),
            (timing.ready_seconds, lambda: self.set_ready(name, "True")),
            (0.0, then),
        )
        self._take(steps, while_=lambda: machine.instance_id not in self._leaving)

    def leave(self, machine: Machine, timing: RosaTiming) -> None:
        """Drain the node of *machine*, end its instance, and let the
        node go. A node that is still joining stops there.
        """
        name = self._name(machine)
        self._leaving.add(machine.instance_id)
        steps = (
            (0.0, lambda: self._cordon(name)),
            (timing.drain_seconds, lambda: self._machines.terminate(machine)),
            (timing.unreachable_seconds, lambda: self.set_ready(name, "Unknown")),
            (timing.deleted_seconds, lambda: self._kube.delete("nodes", name)),
        )
        self._take(steps, while_=lambda: True)

    def set_ready(self, name: str, status: str) -> None:
        """The Ready condition (`True`, `False`, `Unknown`) and the
        taint that the node lifecycle controller derives from it.

        Nothing happens when there is no such node.
        """

        def change() -> None:
            node = self._kube.get("nodes", name)
            now = self._aws.timeline.now()
            conditions = nodes.with_condition(node, nodes.ready_condition(status, now))
            writer = KUBELET if status != "Unknown" else NODE_LIFECYCLE
            self._kube.patch(
                "nodes", name, {"status": {"conditions": conditions}}, manager=writer, subresource="status"
            )
            taints = nodes.without_taint(node, nodes.NOT_READY["key"], nodes.UNREACHABLE["key"])
            if status != "True":
                taints.append(nodes.NOT_READY if status == "False" else nodes.UNREACHABLE)
            self._patch(name, {"spec": {"taints": taints or None}}, NODE_LIFECYCLE)

        self._unless_gone(change)

    # --- steps ---

    def _register(self, name: str) -> None:
        scenario = self._scenario
        node = nodes.registered(name, scenario.kubernetes_version, self._aws.timeline.now(), scenario.node_bytes)
        self._kube.create("nodes", node, manager=KUBELET)

    def _initialise(self, name: str, machine: Machine) -> None:
        placed = nodes.initialised(self._kube.get("nodes", name), self._machines.describe(machine))
        self._patch(name, placed, CLOUD_CONTROLLER)
        where = {"status": {"addresses": nodes.addresses(name, machine.address)}}
        self._kube.patch("nodes", name, where, manager=CLOUD_CONTROLLER, subresource="status")

    def _label(self, name: str, machine: Machine, labels: Mapping[str, str]) -> None:
        metadata = {
            "labels": pool_labels(self._scenario, machine.pool, labels),
            "annotations": pool_annotations(self._scenario, machine.name, labels),
        }
        self._patch(name, {"metadata": metadata}, LABELLERS[self._scenario.flavour])

    def _network(self, name: str, machine: Machine) -> None:
        with self._lock:
            pods = next(self._pod_networks)
        annotations = nodes.networked(machine.address, self._machines.networks[machine.zone], pods)
        self._patch(name, {"metadata": {"annotations": annotations}}, OVN_NODE)

    def _cordon(self, name: str) -> None:
        taints = nodes.with_taint(self._kube.get("nodes", name), nodes.CORDONED)
        self._patch(name, {"spec": {"unschedulable": True, "taints": taints}}, "machine-controller")

    # --- taking them ---

    def _take(self, steps: Sequence[Step], *, while_: Callable[[], bool]) -> None:
        """Take *steps* one after the other; a wait of zero is none. It ends early when *while_* no longer holds."""
        for index, (wait, act) in enumerate(steps):
            if wait > 0:
                rest = ((0.0, act), *steps[index + 1 :])
                self._aws.timeline.call_later(wait, functools.partial(self._take, rest, while_=while_))
                return
            if not while_():
                return
            self._unless_gone(act)

    def _unless_gone(self, act: Callable[[], None]) -> None:
        """Do *act*; that the node has been deleted meanwhile, by hand perhaps, is no error of the cluster's."""
        try:
            act()
        except ApiError as error:
            if error.code != 404:
                raise

    def _name(self, machine: Machine) -> str:
        return nodes.private_dns_name(machine.address, self._scenario.region)

    def _patch(self, name: str, patch: Mapping[str, Any], manager: str) -> None:
        self._kube.patch("nodes", name, patch, manager=manager)
