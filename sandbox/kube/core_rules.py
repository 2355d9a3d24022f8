"""What the server adds to objects of the core kinds by itself, and the few rules of theirs that are checked here.

Belongs here: per-kind behaviour of Namespace, Node, Pod, Secret and Event. Deliberately left out, because other
programs of a real cluster undo it within seconds: the not-ready taint a new Node gets, and the grace period of a
deleted Pod.
"""

from __future__ import annotations

import base64
from typing import Any

from sandbox.kube.errors import Cause
from sandbox.kube.resources import NAMESPACES, Resource

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"

_POD_DEFAULTS = {
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}


_CONTAINER_DEFAULTS = {
    "imagePullPolicy": "IfNotPresent",
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}


def set_defaults(resource: Resource, obj: dict[str, Any]) -> None:
    """Fill in, in place, what counts as said by the writer: defaults of the type."""
    match resource.plural:
        case "namespaces":
            metadata = obj["metadata"]
            if metadata.get("name"):
                metadata["labels"] = {**(metadata.get("labels") or {}), NAMESPACE_NAME_LABEL: metadata["name"]}
        case "nodes":
            status = obj["status"]
            if "capacity" in status:
                status.setdefault("allocatable", dict(status["capacity"]))
        case "pods":
            for name, value in _POD_DEFAULTS.items():
                obj["spec"].setdefault(name, value)
            for container in obj["spec"].get("containers") or []:
                tag = container.get("image", "").rpartition("/")[2].partition(":")[2]
                latest = {"imagePullPolicy": "Always"} if tag in ("", "latest") else {}
                for name, value in {**_CONTAINER_DEFAULTS, **latest}.items():
                    container.setdefault(name, value)
            if obj["status"].get("podIP"):
                obj["status"].setdefault("podIPs", [{"ip": obj["status"]["podIP"]}])
        case "secrets":
            plain = obj.pop("stringData", None) or {}
            encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
            if encoded:
                obj["data"] = {**obj.get("data", {}), **encoded}
            obj.setdefault("type", "Opaque")


def prepare_for_create(resource: Resource, obj: dict[str, Any]) -> None:
    """Fill in, in place, what the server itself says of a new object."""
    match resource.plural:
        case "namespaces":
            obj["spec"]["finalizers"] = ["kubernetes"]
            obj["status"] = {"phase": "Active"}
        case "pods":
            obj["status"] = {"phase": "Pending", "qosClass": "BestEffort"}


def faults(resource: Resource, obj: dict[str, Any], namespace: str) -> list[Cause]:
    """What is wrong with an object of a core kind beyond its metadata."""
    required = "FieldValueRequired"
    match resource.plural:
        case "nodes":
            taints = enumerate(obj["spec"].get("taints") or [])
            return [
                Cause(required, "Required value", f"metadata.taints[{index}].{member}")
                for index, taint in taints
                for member in ("key", "effect")
                if not taint.get(member)
            ]
        case "pods" if not obj["spec"].get("containers"):
            return [Cause(required, "Required value", "spec.containers")]
        case "events":
            about = obj["involvedObject"].get("namespace", "")
            # Events about cluster-scoped objects live in the default namespace.
            if about != namespace and not (about == "" and namespace == "default"):
                text = f'Invalid value: "{about}": does not match event.namespace'
                return [Cause("FieldValueInvalid", text, "involvedObject.namespace")]
    return []


def is_namespace(resource: Resource) -> bool:
    """Whether objects of this resource contain others."""
    return resource.plural == NAMESPACES
