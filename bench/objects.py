"""Cluster objects as an API server sends them: nodes padded to the size that real ones have, EgressIPs, CPICs.

A worker node of a ROSA cluster is about 13 kB of JSON, most of it nothing that decides about egress: field managers,
the kubelet's list of images, other controllers' annotations. Reading past that is what the comparison is about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

NODE_BYTES = 13_000
ZONES = {
    "eu-central-1a": IPv4Network("10.0.0.0/18"),
    "eu-central-1b": IPv4Network("10.0.64.0/18"),
    "eu-central-1c": IPv4Network("10.0.128.0/18"),
}
MADE = "2026-02-01T08:00:00Z"


def zone_of(number: int) -> str:
    """Nodes go round the zones."""
    return list(ZONES)[number % len(ZONES)]


def host_of(number: int) -> IPv4Address:
    """The node's own address: from the start of its subnet, after AWS's four."""
    return ZONES[zone_of(number)][10 + number // len(ZONES)]


def node_name(number: int) -> str:
    """As AWS names them."""
    return f"ip-{str(host_of(number)).replace('.', '-')}.eu-central-1.compute.internal"


def node(number: int) -> dict[str, Any]:
    """One Ready, labelled m5.xlarge, without kind and apiVersion, `NODE_BYTES` long give or take an image."""
    zone, name = zone_of(number), node_name(number)
    made: dict[str, Any] = {
        "metadata": {
            "name": name,
            "uid": f"5b1f2c6e-0000-4000-8000-{number:012x}",
            "creationTimestamp": MADE,
            "labels": _labels(name, zone),
            "annotations": _annotations(number),
            "managedFields": [_manager(*entry) for entry in _MANAGERS],
        },
        "spec": {"providerID": f"aws:///{zone}/i-{number:017x}"},
        "status": _status(number),
    }
    images = made["status"]["images"]
    missing = NODE_BYTES - len(json.dumps(made, separators=(",", ":")))
    images.extend(_image(index) for index in range(max(0, missing // len(json.dumps(_image(0))))))
    return made


def egress_objects(policies: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """(plural, object) of *policies* EgressIPs with one address a zone, each assigned, and of their CPICs."""
    for number in range(policies):
        items = []
        for index, subnet in enumerate(ZONES.values()):
            address, on = str(subnet[-2 - number]), node_name(index + len(ZONES) * (number % 30))
            items.append({"egressIP": address, "node": on})
            yield "cloudprivateipconfigs", _cpic(address, on, f"policy-{number:04d}")
        yield "egressips", _egress_ip(f"policy-{number:04d}", items)


def _egress_ip(name: str, items: list[dict[str, str]]) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "egress-keeper", "egress-keeper/policy": name}
    return {
        "apiVersion": "k8s.ovn.org/v1",
        "kind": "EgressIP",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "egressIPs": [item["egressIP"] for item in items],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
        },
        "status": {"items": items},
    }


def _cpic(address: str, on: str, owner: str) -> dict[str, Any]:
    condition = {
        "type": "Assigned",
        "status": "True",
        "observedGeneration": 1,
        "lastTransitionTime": MADE,
        "reason": "CloudResponseSuccess",
        "message": "IP address successfully added",
    }
    return {
        "apiVersion": "cloud.network.openshift.io/v1",
        "kind": "CloudPrivateIPConfig",
        "metadata": {"name": address, "annotations": {"k8s.ovn.org/egressip-owner-ref": owner}},
        "spec": {"node": on},
        "status": {"node": on, "conditions": [condition]},
    }


def _labels(name: str, zone: str) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/instance-type": "m5.xlarge",
        "beta.kubernetes.io/os": "linux",
        "failure-domain.beta.kubernetes.io/region": "eu-central-1",
        "failure-domain.beta.kubernetes.io/zone": zone,
        "hypershift.openshift.io/managed": "true",
        "hypershift.openshift.io/nodePool": f"payments-egress-{zone[-1]}",
        "k8s.ovn.org/egress-assignable": "",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node-role.kubernetes.io/worker": "",
        "node.kubernetes.io/instance-type": "m5.xlarge",
        "node.openshift.io/os_id": "rhel",
        "topology.ebs.csi.aws.com/zone": zone,
        "topology.k8s.aws/zone-id": f"euc1-az{1 + list(ZONES).index(zone)}",
        "topology.kubernetes.io/region": "eu-central-1",
        "topology.kubernetes.io/zone": zone,
    }


def _annotations(number: int) -> dict[str, str]:
    host, subnet = host_of(number), ZONES[zone_of(number)]
    pods = IPv4Network((int(IPv4Address("10.128.0.0")) + number * 512, 23))
    mac = ":".join(f"{octet:02x}" for octet in (10, 88, *int(host).to_bytes(4, "big")))
    egress = {
        "interface": f"eni-{number:017x}",
        "ifaddr": {"ipv4": str(subnet)},
        "capacity": {"ipv4": 14, "ipv6": 15},
    }
    gateway = {
        "mode": "shared",
        "bridge-id": "br-ex",
        "interface-id": f"br-ex_{node_name(number)}",
        "mac-address": mac,
        "ip-addresses": [f"{host}/{subnet.prefixlen}"],
        "next-hops": [str(subnet[1])],
        "node-port-enable": "true",
        "vlan-id": "0",
    }
    return {
        "alpha.kubernetes.io/provided-node-ip": str(host),
        "cloud.network.openshift.io/egress-ipconfig": json.dumps([egress], separators=(",", ":")),
        "cluster.x-k8s.io/cluster-name": "payments-prod-x7k2p",
        "cluster.x-k8s.io/cluster-namespace": "ocm-production-payments-prod",
        "cluster.x-k8s.io/machine": f"payments-egress-{number:05d}",
        "cluster.x-k8s.io/owner-kind": "MachineSet",
        "csi.volume.kubernetes.io/nodeid": json.dumps({"ebs.csi.aws.com": f"i-{number:017x}"}),
        "hypershift.openshift.io/nodePoolCurrentConfig": "8f2c1a77",
        "hypershift.openshift.io/nodePoolCurrentConfigVersion": "3c9d04be",
        "k8s.ovn.org/host-cidrs": json.dumps([f"{host}/{subnet.prefixlen}"]),
        "k8s.ovn.org/l3-gateway-config": json.dumps({"default": gateway}, separators=(",", ":")),
        "k8s.ovn.org/network-ids": '{"default":"0"}',
        "k8s.ovn.org/node-chassis-id": f"9d0c7f1e-0000-4000-8000-{number:012x}",
        "k8s.ovn.org/node-encap-ips": json.dumps([str(host)]),
        "k8s.ovn.org/node-id": str(number + 2),
        "k8s.ovn.org/node-primary-ifaddr": json.dumps({"ipv4": f"{host}/{subnet.prefixlen}"}),
        "k8s.ovn.org/node-subnets": json.dumps({"default": [str(pods)]}),
        "k8s.ovn.org/zone-name": node_name(number),
        "machineconfiguration.openshift.io/controlPlaneTopology": "External",
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    }


def _status(number: int) -> dict[str, Any]:
    host, name = str(host_of(number)), node_name(number)
    return {
        "addresses": [
            {"type": "InternalIP", "address": host},
            {"type": "InternalDNS", "address": name},
            {"type": "Hostname", "address": name},
        ],
        "allocatable": _resources("15269464Ki", "3500m"),
        "capacity": _resources("16072280Ki", "4"),
        "conditions": [_condition(*entry) for entry in _CONDITIONS],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "images": [],
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": f"0e3b1c52-0000-4000-8000-{number:012x}",
            "containerRuntimeVersion": "cri-o://1.31.6-3.rhaos4.18.git5a3a1b0.el9",
            "kernelVersion": "5.14.0-427.62.1.el9_4.x86_64",
            "kubeProxyVersion": "v1.31.6",
            "kubeletVersion": "v1.31.6",
            "machineID": f"ec2{number:029x}",
            "operatingSystem": "linux",
            "osImage": "Red Hat Enterprise Linux CoreOS 418.94.202503121207-0",
            "systemUUID": f"ec2c6e5b-0000-4000-8000-{number:012x}",
        },
    }


def _resources(memory: str, cpu: str) -> dict[str, str]:
    return {
        "attachable-volumes-aws-ebs": "39",
        "cpu": cpu,
        "ephemeral-storage": "314020844Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": memory,
        "pods": "250",
    }


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    times = {"lastHeartbeatTime": "2026-03-01T11:58:12Z", "lastTransitionTime": MADE}
    return {"type": kind, "status": status, **times, "reason": reason, "message": message}


def _image(index: int) -> dict[str, Any]:
    repository = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
    digests = [f"{repository}@sha256:{(index * 7919 + part) * 0x9E3779B97F4A7C15:064x}" for part in (1, 2)]
    return {"names": digests, "sizeBytes": 410_000_000 + index * 1_048_577}


def _manager(name: str, operation: str, subresource: str, fields: dict[str, Any]) -> dict[str, Any]:
    entry = {"manager": name, "operation": operation, "apiVersion": "v1", "time": MADE, "fieldsType": "FieldsV1"}
    return {**entry, "fieldsV1": fields, **({"subresource": subresource} if subresource else {})}


def _owned(kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {"f:metadata": {f"f:{kind}": {".": {}, **{f"f:{name}": {} for name in names}}}}


_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
_CONDITION_FIELDS: dict[str, Any] = {
    f'k:{{"type":"{kind}"}}': {
        ".": {},
        **{f"f:{field}": {} for field in ("lastHeartbeatTime", "lastTransitionTime", "message", "reason", "status")},
        "f:type": {},
    }
    for kind, *_ in _CONDITIONS
}
_MANAGERS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("kubelet", "Update", "", _owned("labels", tuple(_labels("", "eu-central-1a")))),
    ("cloud-network-config-controller", "Update", "", _owned("annotations", tuple(_annotations(0))[1:2])),
    ("ip-10-0-0-10.eu-central-1.compute.internal", "Update", "", _owned("annotations", tuple(_annotations(0))[9:18])),
    ("capi-controller-manager", "Update", "", _owned("annotations", tuple(_annotations(0))[2:6])),
    ("manager", "Update", "", _owned("annotations", tuple(_annotations(0))[7:9])),
    ("aws-cloud-controller-manager", "Update", "", {"f:spec": {"f:providerID": {}}}),
    (
        "kubelet",
        "Update",
        "status",
        {"f:status": {"f:conditions": {".": {}, **_CONDITION_FIELDS}, "f:images": {}, "f:nodeInfo": {"f:bootID": {}}}},
    ),
)
