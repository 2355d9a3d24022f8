"""Node objects as ROSA's parts write them, step by step. Pure functions; who writes when is `rosa`'s.

kubelet registers the node tainted and not ready; the cloud controller says where it is;
the pool gives labels; OVN-Kubernetes writes its annotations; at last it is ready. The
egress-ipconfig annotation is the cloud network config controller's and never written here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

UNINITIALISED = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true", "effect": "NoSchedule"}
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}
CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
_READY = {
    "True": ("KubeletReady", "kubelet is posting ready status"),
    "False": (
        "KubeletNotReady",
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady",
    ),
    "Unknown": ("NodeStatusUnknown", "Kubelet stopped posting node status."),
}


def private_dns_name(address: IPv4Address, region: str) -> str:
    """The name of a node: the private DNS name of its instance."""
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{str(address).replace('.', '-')}.{domain}"


def registered(name: str, kubelet_version: str, now: float, padding: int = 0) -> dict[str, Any]:
    """The Node as kubelet creates it. *padding* adds about so many bytes, as images that the node has pulled."""
    resources = {"cpu": "4", "memory": "16086396Ki", "pods": "250", "ephemeral-storage": "313981932Ki"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "kubernetes.io/hostname": name,
                "node-role.kubernetes.io/worker": "",
                "node.openshift.io/os_id": "rhel",
            },
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": {"taints": [UNINITIALISED, NOT_READY]},
        "status": {
            "capacity": resources,
            "allocatable": {**resources, "cpu": "3500m", "memory": "14935420Ki"},
            "conditions": [
                *(_condition(kind, "False", "KubeletHasSufficientResources", "", now) for kind in _PRESSURES),
                ready_condition("False", now),
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "cri-o://1.33.5",
                "kernelVersion": "5.14.0-570.el9.x86_64",
                "kubeProxyVersion": "",
                "kubeletVersion": kubelet_version,
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "Red Hat Enterprise Linux CoreOS",
                "systemUUID": "",
            },
            "images": _images(padding),
        },
    }


def initialised(node: Mapping[str, Any], instance: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch by which the cloud controller places *node* on
    its EC2 *instance* (as DescribeInstances shows it).
    """
    zone = instance["Placement"]["AvailabilityZone"]
    return {
        "metadata": {
            "labels": {
                "node.kubernetes.io/instance-type": instance["InstanceType"],
                "topology.kubernetes.io/region": zone[:-1],
                "topology.kubernetes.io/zone": zone,
            }
        },
        "spec": {
            "providerID": f"aws:///{zone}/{instance['InstanceId']}",
            "taints": without_taint(node, UNINITIALISED["key"]),
        },
    }


def addresses(name: str, address: IPv4Address) -> list[dict[str, str]]:
    """`status.addresses` of a node with that one address."""
    return [
        {"type": "InternalIP", "address": str(address)},
        {"type": "InternalDNS", "address": name},
        {"type": "Hostname", "address": name},
    ]


def networked(address: IPv4Address, subnet: IPv4Network, pods: IPv4Network) -> dict[str, str]:
    """The annotations by which OVN-Kubernetes knows a node: its address, all its networks, its pods' network."""
    own = f"{address}/{subnet.prefixlen}"
    return {
        "k8s.ovn.org/node-primary-ifaddr": json.dumps({"ipv4": own}),
        "k8s.ovn.org/host-cidrs": json.dumps([own]),
        "k8s.ovn.org/node-subnets": json.dumps({"default": [str(pods)]}),
    }


def ready_condition(status: str, now: float) -> dict[str, str]:
    """The Ready condition: `True`, `False` (kubelet says so) or `Unknown` (kubelet is silent)."""
    reason, message = _READY[status]
    return _condition("Ready", status, reason, message, now)


def with_condition(node: Mapping[str, Any], condition: Mapping[str, str]) -> list[dict[str, str]]:
    """*node*'s conditions with *condition* in place of the one of its type."""
    others = [c for c in node.get("status", {}).get("conditions", []) if c["type"] != condition["type"]]
    return [*others, dict(condition)]


def without_taint(node: Mapping[str, Any], *keys: str) -> list[dict[str, Any]]:
    """*node*'s taints without those of these keys."""
    return [taint for taint in node.get("spec", {}).get("taints") or [] if taint["key"] not in keys]


def with_taint(node: Mapping[str, Any], taint: Mapping[str, Any]) -> list[dict[str, Any]]:
    """*node*'s taints and *taint*."""
    return [*without_taint(node, taint["key"]), dict(taint)]


def _condition(kind: str, status: str, reason: str, message: str, now: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": moment,
        "lastTransitionTime": moment,
    }


def _images(total_bytes: int) -> list[dict[str, Any]]:
    """Entries of some 275 bytes each, the bulk of a real Node object; without them one has about 4,800."""
    count = max(0, total_bytes - 4_800) // 275
    repository = "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:"
    return [
        {"names": [f"{repository}{n:064x}", f"{repository}{n + 10_000:064x}"], "sizeBytes": n} for n in range(count)
    ]
