"""What the programs write, and what the API server makes of it.

Belongs here: one frozen class per kind of write, and `apply`, the pure API object store. Does not belong here: who
writes and why (`cluster_manager`, `cncc`), what people write (`outside`).

A write to an object that is not there is refused without effect; the real programs get a 404, give up the handler and
find on their retry that there is nothing to do. A write that changes nothing makes no change, as in the API server.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar, assert_never

from chalicelib.domain.twin.values import (
    Assigned,
    Change,
    Cpic,
    CpicChange,
    EgressConfig,
    EgressIp,
    EgressIpChange,
    Node,
    NodeChange,
    Objects,
    StatusItems,
)


@dataclass(frozen=True, slots=True)
class WritePodSubnets:
    """Cluster manager: annotate the node with `k8s.ovn.org/node-subnets` (its value does not matter here)."""

    node: str


@dataclass(frozen=True, slots=True)
class PatchEgressIp:
    """Cluster manager: JSON patch of an EgressIP.

    Attributes:
        items: The new `status.items`; None leaves the status alone (the mark alone is set at start).
        mark: Set `metadata.annotations` to the mark and nothing else, which erases every other annotation; None leaves
            the annotations alone.
    """

    egress_ip: str
    items: StatusItems | None
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class CreateCpic:
    """Cluster manager: create the CloudPrivateIPConfig of *address*."""

    address: str
    node: str
    owner: str


@dataclass(frozen=True, slots=True)
class MoveCpic:
    """Cluster manager: set `spec.node`."""

    address: str
    node: str


@dataclass(frozen=True, slots=True)
class DeleteCpic:
    """Cluster manager: delete; the object stays until CNCC has taken its finalizer off."""

    address: str


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Cluster manager: a Kubernetes Event, type Warning, on the EgressIP. Not an object of the store."""

    reason: str
    egress_ip: str
    message: str


@dataclass(frozen=True, slots=True)
class AnnotateNode:
    """CNCC: set the annotation `cloud.network.openshift.io/egress-ipconfig`."""

    node: str
    config: EgressConfig


@dataclass(frozen=True, slots=True)
class SetCpicStatus:
    """CNCC: update the status subresource: `status.node` and the one condition."""

    address: str
    node: str
    assigned: Assigned
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """CNCC: put its finalizer on, or take it off (*present* False), which completes a deletion."""

    address: str
    present: bool


ManagerWrite: TypeAlias = WritePodSubnets | PatchEgressIp | CreateCpic | MoveCpic | DeleteCpic | EmitEvent
CnccWrite: TypeAlias = AnnotateNode | SetCpicStatus | SetFinalizer
Write: TypeAlias = ManagerWrite | CnccWrite


def apply(objects: Objects, write: Write) -> tuple[Objects, Change | None]:
    """The objects after *write*, and the change a watch would deliver; None where nothing changed."""
    match write:
        case EmitEvent():
            return objects, None
        case WritePodSubnets(name):
            node = objects.nodes.get(name)
            return store(objects, node, node and replace(node, pod_subnets=True))
        case AnnotateNode(name, config):
            node = objects.nodes.get(name)
            return store(objects, node, node and replace(node, egress_config=config))
        case PatchEgressIp(name):
            old = objects.egress_ips.get(name)
            return store(objects, old, old and _patched(old, write))
        case CreateCpic(address, name, owner):
            if address in objects.cpics:
                return objects, None
            return store(objects, None, Cpic(address, spec_node=name, owner=owner))
        case MoveCpic(address, name):
            cpic = objects.cpics.get(address)
            return store(objects, cpic, cpic and replace(cpic, spec_node=name))
        case DeleteCpic(address):
            cpic = objects.cpics.get(address)
            return store(objects, cpic, replace(cpic, deleting=True) if cpic and cpic.finalizer else None)
        case SetCpicStatus(address, name, assigned, reason, message):
            cpic = objects.cpics.get(address)
            return store(
                objects,
                cpic,
                cpic and replace(cpic, status_node=name, assigned=assigned, reason=reason, message=message),
            )
        case SetFinalizer(address, present):
            cpic = objects.cpics.get(address)
            gone = cpic is None or (cpic.deleting and not present)
            return store(objects, cpic, None if gone else cpic and replace(cpic, finalizer=present))
        case _:
            assert_never(write)


def _patched(old: EgressIp, write: PatchEgressIp) -> EgressIp:
    patched = old if write.items is None else replace(old, status=write.items)
    return patched if write.mark is None else replace(patched, mark=write.mark, annotations=())


def store(
    objects: Objects, old: Node | EgressIp | Cpic | None, new: Node | EgressIp | Cpic | None
) -> tuple[Objects, Change | None]:
    """Replace *old* by *new*; None stands for absent on either side. Both are of one kind and name."""
    if old == new:
        return objects, None
    match new if new is not None else old:
        case Node(name=name):
            nodes = objects.nodes.put(name, new) if isinstance(new, Node) else objects.nodes.drop(name)
            return replace(objects, nodes=nodes), NodeChange(_as(Node, old), _as(Node, new))
        case EgressIp(name=name):
            known = objects.egress_ips
            known = known.put(name, new) if isinstance(new, EgressIp) else known.drop(name)
            return replace(objects, egress_ips=known), EgressIpChange(_as(EgressIp, old), _as(EgressIp, new))
        case Cpic(address=address):
            cpics = objects.cpics.put(address, new) if isinstance(new, Cpic) else objects.cpics.drop(address)
            return replace(objects, cpics=cpics), CpicChange(_as(Cpic, old), _as(Cpic, new))
        case None:
            return objects, None
        case other:
            assert_never(other)


T = TypeVar("T")


def _as(kind: type[T], value: object) -> T | None:
    return value if isinstance(value, kind) else None
