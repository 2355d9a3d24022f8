"""The types of the core kinds the product meets: Node, Namespace, Pod, Event, ServiceAccount, Secret.

As far as they matter here: what identifies the items of a list (owners, strategic merge), what the server always shows,
and which members exist (others are dropped with a warning, as a real server does). Of a pod only what selectors and
listings need is described; the rest of its ``spec`` and ``status`` passes unchecked.
"""

from __future__ import annotations

from sandbox.kube.metadata_types import OBJECT_META
from sandbox.kube.schema import (
    ANY,
    BOOLEAN,
    INTEGER,
    STRING,
    TIME,
    Schema,
    atomic_list,
    list_map,
    map_of,
    string_set,
    struct,
)

_QUANTITIES = map_of(ANY)  # "4", "500m" or a number


def _kind(fields: dict[str, Schema], **always: object) -> Schema:
    """A top-level kind; *always* is what its empty object already shows."""
    named = {"apiVersion": STRING, "kind": STRING, "metadata": OBJECT_META, **fields}
    return struct(named, always={"metadata": {}, **always})


_TAINT = struct({"effect": STRING, "key": STRING, "timeAdded": TIME, "value": STRING}, required=("effect", "key"))

_NODE_CONDITION = struct(
    {
        "lastHeartbeatTime": TIME,
        "lastTransitionTime": TIME,
        "message": STRING,
        "reason": STRING,
        "status": STRING,
        "type": STRING,
    },
    required=("status", "type"),
    always={"lastHeartbeatTime": None, "lastTransitionTime": None},
)

_NODE_INFO_MEMBERS = (
    "architecture",
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "kubeletVersion",
    "machineID",
    "operatingSystem",
    "osImage",
    "systemUUID",
)

_NODE_STATUS = struct(
    {
        "addresses": list_map(struct({"address": STRING, "type": STRING}, required=("address", "type")), "type"),
        "allocatable": _QUANTITIES,
        "capacity": _QUANTITIES,
        "conditions": list_map(_NODE_CONDITION, "type"),
        "config": ANY,
        "daemonEndpoints": struct(
            {"kubeletEndpoint": struct({"Port": INTEGER}, always={"Port": 0})}, always={"kubeletEndpoint": {}}
        ),
        "features": ANY,
        "images": atomic_list(struct({"names": atomic_list(STRING), "sizeBytes": INTEGER})),
        "nodeInfo": struct(
            {**dict.fromkeys(_NODE_INFO_MEMBERS, STRING), "swap": ANY}, always=dict.fromkeys(_NODE_INFO_MEMBERS, "")
        ),
        "phase": STRING,
        "runtimeHandlers": atomic_list(ANY),
        "volumesAttached": atomic_list(struct({"devicePath": STRING, "name": STRING})),
        "volumesInUse": atomic_list(STRING),
    },
    always={"daemonEndpoints": {}, "nodeInfo": {}},
)

NODE: Schema = _kind(
    {
        "spec": struct(
            {
                "configSource": ANY,
                "externalID": STRING,
                "podCIDR": STRING,
                "podCIDRs": string_set(),
                "providerID": STRING,
                "taints": atomic_list(_TAINT),
                "unschedulable": BOOLEAN,
            }
        ),
        "status": _NODE_STATUS,
    },
    spec={},
    status={},
)

NAMESPACE: Schema = _kind(
    {
        "spec": struct({"finalizers": atomic_list(STRING)}),
        "status": struct(
            {
                "conditions": list_map(
                    struct(
                        {
                            "lastTransitionTime": TIME,
                            "message": STRING,
                            "reason": STRING,
                            "status": STRING,
                            "type": STRING,
                        }
                    ),
                    "type",
                ),
                "phase": STRING,
            }
        ),
    },
    spec={},
    status={},
)

_CONTAINER = Schema("object", fields={"name": STRING, "image": STRING}, values=ANY, required=("name",))

POD: Schema = _kind(
    {
        "spec": Schema(
            "object",
            fields={
                "containers": list_map(_CONTAINER, "name"),
                "hostNetwork": BOOLEAN,
                "initContainers": list_map(_CONTAINER, "name"),
                "nodeName": STRING,
                "nodeSelector": Schema("object", values=STRING, atomic=True),
                "restartPolicy": STRING,
                "schedulerName": STRING,
                "serviceAccountName": STRING,
                "tolerations": atomic_list(ANY),
                "volumes": list_map(ANY, "name"),
            },
            values=ANY,
            required=("containers",),
            always={"containers": None},
        ),
        "status": Schema(
            "object",
            fields={
                "conditions": list_map(ANY, "type"),
                "phase": STRING,
                "podIP": STRING,
                "podIPs": list_map(ANY, "ip"),
            },
            values=ANY,
        ),
    },
    spec={},
    status={},
)

_OBJECT_REFERENCE = struct(
    dict.fromkeys(("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid"), STRING),
    atomic=True,
)

EVENT: Schema = _kind(
    {
        "action": STRING,
        "count": INTEGER,
        "eventTime": TIME,
        "firstTimestamp": TIME,
        "involvedObject": _OBJECT_REFERENCE,
        "lastTimestamp": TIME,
        "message": STRING,
        "reason": STRING,
        "related": _OBJECT_REFERENCE,
        "reportingComponent": STRING,
        "reportingInstance": STRING,
        "series": ANY,
        "source": struct({"component": STRING, "host": STRING}),
        "type": STRING,
    },
    eventTime=None,
    firstTimestamp=None,
    involvedObject={},
    lastTimestamp=None,
    reportingComponent="",
    reportingInstance="",
    source={},
)

SERVICE_ACCOUNT: Schema = _kind(
    {
        "automountServiceAccountToken": BOOLEAN,
        "imagePullSecrets": list_map(struct({"name": STRING}), "name"),
        "secrets": list_map(_OBJECT_REFERENCE, "name"),
    }
)

SECRET: Schema = _kind({"data": map_of(STRING), "immutable": BOOLEAN, "stringData": map_of(STRING), "type": STRING})
