"""The objects of the cluster API that the three programs read and write, and what a change of one looks like.

Belongs here: `Node`, `EgressIp`, `Cpic` with the fields that decide something, the set of all of them, and the `Change`
that a watch delivers. Does not belong here: what a write does to them (`api`), what a program makes of it.

These are not the objects of a visit's snapshot: a snapshot is what one visit could read, these are what the programs
themselves see, annotations, finalizers and all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from chalicelib.domain.twin.tables import Table

UNINITIALIZED_TAINT = "node.cloudprovider.kubernetes.io/uninitialized"
UNSCHEDULABLE_TAINT = "node.kubernetes.io/unschedulable"
MARK_ANNOTATION = "k8s.ovn.org/egressip-mark"

Labels: TypeAlias = tuple[tuple[str, str], ...]
StatusItems: TypeAlias = tuple[tuple[str, str], ...]
"""(address, node) pairs, sorted. The real list has no fixed order, and nothing depends on it."""


@dataclass(frozen=True, slots=True)
class EgressConfig:
    """The annotation `cloud.network.openshift.io/egress-ipconfig`, first element.

    Attributes:
        subnet: IPv4 CIDR of the interface's subnet, `subnet_ipv6` the IPv6 one; None where the subnet has none.
        capacity_ipv4: Addresses the node may carry in total; may be 0 or negative; None where the key is absent.
    """

    interface: str
    subnet: str | None
    capacity_ipv4: int | None
    capacity_ipv6: int | None
    subnet_ipv6: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One Node object.

    Attributes:
        instance: EC2 instance id, the last element of `spec.providerID`.
        labelled: The key `k8s.ovn.org/egress-assignable` is there, with any value.
        host_cidrs: `k8s.ovn.org/host-cidrs`; None where the annotation is missing.
        primary_ifaddr: `k8s.ovn.org/node-primary-ifaddr` is there.
        pod_subnets: `k8s.ovn.org/node-subnets` is there; the cluster manager writes it itself.
        taints: (key, effect) pairs, sorted; `spec.unschedulable` shows as its taint.
    """

    name: str
    instance: str
    labelled: bool = False
    ready: bool = True
    host_cidrs: tuple[str, ...] | None = ()
    primary_ifaddr: bool = True
    pod_subnets: bool = False
    taints: tuple[tuple[str, str], ...] = ()
    egress_config: EgressConfig | None = None


@dataclass(frozen=True, slots=True)
class EgressIp:
    """One EgressIP object.

    Attributes:
        spec: `spec.egressIPs` as written: any strings, in order.
        selectors: Namespace and pod selector as one canonical text; the twin only sees whether it changes.
        mark: Value of the annotation `k8s.ovn.org/egressip-mark`; None while it is missing.
        annotations: The other annotations, sorted.
        applied: Annotation keys that the last server-side apply owned; leaving one out of the next removes it.
    """

    name: str
    spec: tuple[str, ...]
    status: StatusItems = ()
    mark: int | None = None
    labels: Labels = ()
    annotations: Labels = ()
    selectors: str = ""
    applied: frozenset[str] = frozenset()


class Assigned(StrEnum):
    """Status of the one condition of a CloudPrivateIPConfig."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Cpic:
    """One CloudPrivateIPConfig, by the canonical address it is for.

    Attributes:
        assigned: None before CNCC has written any status.
        owner: EgressIP named by `k8s.ovn.org/egressip-owner-ref`; None if the annotation is missing.
    """

    address: str
    spec_node: str
    owner: str | None = None
    status_node: str = ""
    assigned: Assigned | None = None
    reason: str | None = None
    message: str | None = None
    finalizer: bool = False
    deleting: bool = False

    @property
    def status(self) -> tuple[str, Assigned | None, str | None, str | None]:
        """What the cluster manager compares to see whether a status changed."""
        return (self.status_node, self.assigned, self.reason, self.message)


@dataclass(frozen=True, slots=True)
class Objects:
    """Everything in the cluster API that matters here, by name."""

    nodes: Table[str, Node] = field(default_factory=Table)
    egress_ips: Table[str, EgressIp] = field(default_factory=Table)
    cpics: Table[str, Cpic] = field(default_factory=Table)


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A Node was added (no *old*), changed, or deleted (no *new*)."""

    old: Node | None
    new: Node | None


@dataclass(frozen=True, slots=True)
class EgressIpChange:
    """An EgressIP was added, changed or deleted."""

    old: EgressIp | None
    new: EgressIp | None


@dataclass(frozen=True, slots=True)
class CpicChange:
    """A CloudPrivateIPConfig was added, changed or deleted."""

    old: Cpic | None
    new: Cpic | None


Change: TypeAlias = NodeChange | EgressIpChange | CpicChange
