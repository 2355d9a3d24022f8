"""API objects as the twin's values, and the twin's writes as API writes.

Each program writes under the field manager it has on a real cluster: OVN-Kubernetes its host's name, CNCC its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_never

from chalicelib.domain.twin import addressing
from chalicelib.domain.twin.api import (
    AnnotateNode,
    CreateCpic,
    DeleteCpic,
    EmitEvent,
    MoveCpic,
    PatchEgressIp,
    SetCpicStatus,
    SetFinalizer,
    Write,
    WritePodSubnets,
)
from chalicelib.domain.twin.values import (
    MARK_ANNOTATION,
    UNSCHEDULABLE_TAINT,
    Assigned,
    Change,
    Cpic,
    CpicChange,
    EgressConfig,
    EgressIp,
    EgressIpChange,
    Node,
    NodeChange,
)
from sandbox.kube import ApiError, Kube

NODES, EGRESS_IPS, CPICS = "nodes", "egressips", "cloudprivateipconfigs"
MANAGER = "ovnkube-control-plane"
CNCC = "cloud-network-config-controller"

EGRESS_CONFIG = "cloud.network.openshift.io/egress-ipconfig"
HOST_CIDRS = "k8s.ovn.org/host-cidrs"
PRIMARY_IFADDR = "k8s.ovn.org/node-primary-ifaddr"
POD_SUBNETS = "k8s.ovn.org/node-subnets"
OWNER_REF = "k8s.ovn.org/egressip-owner-ref"
ASSIGNABLE = "k8s.ovn.org/egress-assignable"
FINALIZER = "cloudprivateipconfig.cloud.network.openshift.io/finalizer"


def node_of(raw: Mapping[str, Any]) -> Node:
    """A Node object as the twin sees it."""
    metadata, spec = raw["metadata"], raw.get("spec") or {}
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    taints = {(taint["key"], taint["effect"]) for taint in spec.get("taints") or ()}
    if spec.get("unschedulable"):
        taints.add((UNSCHEDULABLE_TAINT, "NoSchedule"))
    conditions = (raw.get("status") or {}).get("conditions") or ()
    return Node(
        metadata["name"],
        str(spec.get("providerID") or "").rpartition("/")[2],
        labelled=ASSIGNABLE in labels,
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        host_cidrs=tuple(json.loads(annotations[HOST_CIDRS])) if HOST_CIDRS in annotations else None,
        primary_ifaddr=PRIMARY_IFADDR in annotations,
        pod_subnets=POD_SUBNETS in annotations,
        taints=tuple(sorted(taints)),
        egress_config=_egress_config(annotations.get(EGRESS_CONFIG)),
    )


def _egress_config(annotation: str | None) -> EgressConfig | None:
    if not annotation:
        return None
    first = json.loads(annotation)[0]
    subnets, capacity = first.get("ifaddr") or {}, first.get("capacity") or {}
    return EgressConfig(
        first["interface"], subnets.get("ipv4"), capacity.get("ipv4"), capacity.get("ipv6"), subnets.get("ipv6")
    )


def egress_ip_of(raw: Mapping[str, Any]) -> EgressIp:
    """An EgressIP object as the twin sees it."""
    metadata, spec = raw["metadata"], raw["spec"]
    annotations = dict(metadata.get("annotations") or {})
    mark = annotations.pop(MARK_ANNOTATION, None)
    items = (raw.get("status") or {}).get("items") or ()
    return EgressIp(
        metadata["name"],
        tuple(spec.get("egressIPs") or ()),
        status=tuple(sorted((item["egressIP"], item["node"]) for item in items)),
        mark=int(mark) if mark else None,
        labels=tuple(sorted((metadata.get("labels") or {}).items())),
        annotations=tuple(sorted(annotations.items())),
        selectors=json.dumps([spec.get("namespaceSelector"), spec.get("podSelector")], sort_keys=True),
    )


def cpic_of(raw: Mapping[str, Any]) -> Cpic:
    """A CloudPrivateIPConfig as the twin sees it."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    condition = next(iter(status.get("conditions") or ()), None)
    return Cpic(
        addressing.cpic_address(metadata["name"]),
        (raw.get("spec") or {}).get("node") or "",
        owner=(metadata.get("annotations") or {}).get(OWNER_REF),
        status_node=status.get("node") or "",
        assigned=Assigned(condition["status"]) if condition else None,
        reason=condition["reason"] if condition else None,
        message=condition["message"] if condition else None,
        finalizer=FINALIZER in (metadata.get("finalizers") or ()),
        deleting="deletionTimestamp" in metadata,
    )


def change_of(plural: str, old: Any, new: Any) -> Change:
    """The change from one value to the next, None standing for no object."""
    if plural == NODES:
        return NodeChange(old, new)
    return EgressIpChange(old, new) if plural == EGRESS_IPS else CpicChange(old, new)


READERS = {NODES: node_of, EGRESS_IPS: egress_ip_of, CPICS: cpic_of}


def write(kube: Kube, change: Write) -> bool:
    """Make one write of the twin's; False where the API refused it (the object is gone, or there already).

    The real programs give up the handler then and find on their retry that there is nothing to do.
    """
    try:
        _write(kube, change)
    except ApiError as error:
        if error.code not in (404, 409):
            raise
        return False
    return True


def _write(kube: Kube, change: Write) -> None:
    match change:
        case WritePodSubnets(node):
            _annotate(kube, node, POD_SUBNETS, json.dumps({"default": ["10.128.0.0/23"]}), MANAGER)
        case AnnotateNode(node, config):
            _annotate(kube, node, EGRESS_CONFIG, _annotation(config), CNCC)
        case PatchEgressIp():
            _patch_egress_ip(kube, change)
        case CreateCpic(address, node, owner):
            metadata = {"name": addressing.cpic_name(address), "annotations": {OWNER_REF: owner}}
            kube.create(CPICS, {"metadata": metadata, "spec": {"node": node}}, manager=MANAGER)
        case MoveCpic(address, node):
            kube.patch(CPICS, addressing.cpic_name(address), {"spec": {"node": node}}, manager=MANAGER)
        case DeleteCpic(address):
            kube.delete(CPICS, addressing.cpic_name(address))
        case EmitEvent():
            _emit(kube, change)
        case SetCpicStatus():
            _set_status(kube, change)
        case SetFinalizer(address, present):
            finalizers = [FINALIZER] if present else []
            patch = {"metadata": {"finalizers": finalizers}}
            kube.patch(CPICS, addressing.cpic_name(address), patch, manager=CNCC)
        case _:
            assert_never(change)


def _annotate(kube: Kube, node: str, key: str, value: str, manager: str) -> None:
    kube.patch(NODES, node, {"metadata": {"annotations": {key: value}}}, manager=manager)


def _annotation(config: EgressConfig) -> str:
    """As CNCC serialises it; an absent family has no key."""
    subnets = {"ipv4": config.subnet, "ipv6": config.subnet_ipv6}
    capacity = {"ipv4": config.capacity_ipv4, "ipv6": config.capacity_ipv6}
    entry = {
        "interface": config.interface,
        "ifaddr": {family: subnet for family, subnet in subnets.items() if subnet is not None},
        "capacity": {family: number for family, number in capacity.items() if number is not None},
    }
    return json.dumps([entry], separators=(",", ":"))


def _patch_egress_ip(kube: Kube, change: PatchEgressIp) -> None:
    """A JSON patch, with "add" for both members: that is what erases all other annotations with the first mark."""
    operations: list[dict[str, Any]] = []
    if change.mark is not None:
        mark = {MARK_ANNOTATION: str(change.mark)}
        operations.append({"op": "add", "path": "/metadata/annotations", "value": mark})
    if change.items is not None:
        items = [{"egressIP": address, "node": node} for address, node in change.items]
        operations.append({"op": "add", "path": "/status", "value": {"items": items}})
    kube.patch(EGRESS_IPS, change.egress_ip, operations, manager=MANAGER)


def _set_status(kube: Kube, change: SetCpicStatus) -> None:
    condition = {
        "type": "Assigned",
        "status": change.assigned.value,
        "reason": change.reason,
        "message": change.message,
        "lastTransitionTime": _stamp(kube),
    }
    patch = {"status": {"node": change.node, "conditions": [condition]}}
    kube.patch(CPICS, addressing.cpic_name(change.address), patch, manager=CNCC, subresource="status")


def _emit(kube: Kube, change: EmitEvent) -> None:
    """A repeated event counts up, as the event recorder of the real program does."""
    name = f"{change.egress_ip}.{change.reason.lower()}"
    there = [event for event in kube.list("events", "default") if event["metadata"]["name"] == name]
    if there:
        patch = {"count": there[0]["count"] + 1, "lastTimestamp": _stamp(kube), "message": change.message}
        kube.patch("events", name, patch, manager=MANAGER, namespace="default")
        return
    event = {
        "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": "EgressIP", "name": change.egress_ip},
        "reason": change.reason,
        "message": change.message,
        "type": "Warning",
        "count": 1,
        "firstTimestamp": _stamp(kube),
        "lastTimestamp": _stamp(kube),
        "source": {"component": "ovnk-controlplane"},
    }
    kube.create("events", event, manager=MANAGER, namespace="default")


def _stamp(kube: Kube) -> str:
    return datetime.fromtimestamp(kube.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
