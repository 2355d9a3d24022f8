"""managed-node-metadata-operator (classic): makes nodes that exist follow their MachineSet, as it really does it.

A node labelled by hand confuses it: `getExpectedLabels` takes a key that the node has, but not through its Machine, out
of the very map that all later machines of the same pass are compared with. Those never get the label, and lose it where
they had it from the pool. (Source: `controllers/machineset_controller.go`, 0c2ef88.)
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.kube import ApiError, Kube
from sandbox.rosa.machines import Machine
from sandbox.rosa.naming import CLASSIC_POOL_KEYS

MANAGER = "managed-node-metadata-operator"


class MetadataOperator:
    """The operator of one cluster, and the labels of the Machines, which only it reads here."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._machine_labels: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def make(self, machine: Machine, template: Mapping[str, str]) -> None:
        """A Machine is born with the labels that its MachineSet's template has at that moment."""
        self._machine_labels[machine.name] = dict(template)

    def labels_of(self, machine: Machine) -> Mapping[str, str]:
        """The labels of a Machine: what its node gets when it joins."""
        return self._machine_labels[machine.name]

    def follow(self, template: Mapping[str, str], machines: Sequence[tuple[Machine, str]]) -> None:
        """One pass over one MachineSet: its *template*'s labels, its machines and the names of their nodes."""
        with self._lock:
            expected = dict(template)
            for machine, node_name in machines:
                try:
                    node = self._kube.get("nodes", node_name)
                except ApiError:  # no node yet, or none any more
                    continue
                self._forget_foreign(expected, machine, node)
                self._machine_labels[machine.name] = dict(expected)
                self._write(node, expected)

    def _forget_foreign(self, expected: dict[str, str], machine: Machine, node: Mapping[str, Any]) -> None:
        """Take what the node has from somebody else out of *expected*, for this machine and all that follow."""
        through_pool = self._machine_labels[machine.name].keys() | set(_own_keys(node))
        for key in node["metadata"].get("labels", {}).keys() - through_pool:
            expected.pop(key, None)

    def _write(self, node: Mapping[str, Any], expected: Mapping[str, str]) -> None:
        labels = node["metadata"].get("labels", {})
        current = {key: labels[key] for key in _own_keys(node) if key in labels}
        if current == expected:
            return
        gone: dict[str, str | None] = {key: None for key in current if key not in expected}
        annotations = {CLASSIC_POOL_KEYS: ",".join(sorted(expected))}
        patch = {"metadata": {"labels": {**gone, **expected}, "annotations": annotations}}
        self._kube.patch("nodes", node["metadata"]["name"], patch, manager=MANAGER)


def _own_keys(node: Mapping[str, Any]) -> list[str]:
    """The keys that the operator has put on *node* before."""
    listed: str = node["metadata"].get("annotations", {}).get(CLASSIC_POOL_KEYS, "")
    return [key for key in listed.split(",") if key]
