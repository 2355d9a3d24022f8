"""Which resources the cluster API serves, and what is particular about each.

Belongs here: names, scope, subresources and the rules in which one kind differs from another, as data. What the rules
do is in ``registry``; the types are in ``core_types`` and ``custom_types``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sandbox.kube import core_types, custom_types
from sandbox.kube.errors import no_such_path
from sandbox.kube.schema import Schema

_CORE_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")

NAMESPACES = "namespaces"


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource of the API; known by identity, for there is one of each.

    Attributes:
        custom: defined by a CRD: unstructured, fully validated, no strategic merge patch.
        has_status: ``status`` is written through its own subresource only.
        status_on_create: a POST may bring a status along (kubelet registers nodes that way).
        has_generation: ``metadata.generation`` counts changes of what is desired.
        returns_deleted: DELETE answers with the object instead of a Status.
        selectable: field paths a fieldSelector may name, with the value of an absent one; the name always does.
        subresources: further paths under an object, beside ``status``.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    schema: Schema
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = False
    custom: bool = False
    has_status: bool = False
    status_on_create: bool = False
    has_generation: bool = False
    returns_deleted: bool = False
    selectable: Mapping[str, str] = field(default_factory=dict)
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """What objects carry as ``apiVersion``: ``v1`` or ``group/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        """The kind of its lists."""
        return f"{self.kind}List"

    @property
    def qualified(self) -> str:
        """The plural as messages name it: ``nodes`` or ``egressips.k8s.ovn.org``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def verbs(self) -> tuple[str, ...]:
        """What can be done with it, in the order discovery shows."""
        if self.custom:
            return _CUSTOM_VERBS
        if self.plural == NAMESPACES:
            return tuple(verb for verb in _CORE_VERBS if verb != "deletecollection")
        return _CORE_VERBS


_EVENT_FIELDS = (
    "involvedObject.apiVersion",
    "involvedObject.fieldPath",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.resourceVersion",
    "involvedObject.uid",
    "reason",
    "reportingComponent",
    "source",
    "type",
)

_POD_FIELDS = MappingProxyType(
    {
        "spec.hostNetwork": "false",
        "spec.nodeName": "",
        "spec.restartPolicy": "",
        "spec.schedulerName": "",
        "spec.serviceAccountName": "",
        "status.nominatedNodeName": "",
        "status.phase": "",
        "status.podIP": "",
    }
)

RESOURCES: tuple[Resource, ...] = (
    Resource(
        group="",
        version="v1",
        plural="events",
        singular="event",
        kind="Event",
        schema=core_types.EVENT,
        short_names=("ev",),
        namespaced=True,
        selectable=MappingProxyType(dict.fromkeys(_EVENT_FIELDS, "")),
    ),
    Resource(
        group="",
        version="v1",
        plural=NAMESPACES,
        singular="namespace",
        kind="Namespace",
        schema=core_types.NAMESPACE,
        short_names=("ns",),
        has_status=True,
        returns_deleted=True,
        selectable=MappingProxyType({"status.phase": ""}),
    ),
    Resource(
        group="",
        version="v1",
        plural="nodes",
        singular="node",
        kind="Node",
        schema=core_types.NODE,
        short_names=("no",),
        has_status=True,
        status_on_create=True,
        selectable=MappingProxyType({"spec.unschedulable": "false"}),
    ),
    Resource(
        group="",
        version="v1",
        plural="pods",
        singular="pod",
        kind="Pod",
        schema=core_types.POD,
        short_names=("po",),
        categories=("all",),
        namespaced=True,
        has_status=True,
        has_generation=True,
        returns_deleted=True,
        selectable=_POD_FIELDS,
    ),
    Resource(
        group="",
        version="v1",
        plural="secrets",
        singular="secret",
        kind="Secret",
        schema=core_types.SECRET,
        namespaced=True,
        selectable=MappingProxyType({"type": ""}),
    ),
    Resource(
        group="",
        version="v1",
        plural="serviceaccounts",
        singular="serviceaccount",
        kind="ServiceAccount",
        schema=core_types.SERVICE_ACCOUNT,
        short_names=("sa",),
        namespaced=True,
        returns_deleted=True,
        subresources=("token",),
    ),
    Resource(
        group="cloud.network.openshift.io",
        version="v1",
        plural="cloudprivateipconfigs",
        singular="cloudprivateipconfig",
        kind="CloudPrivateIPConfig",
        schema=custom_types.CLOUD_PRIVATE_IP_CONFIG,
        custom=True,
        has_status=True,
        has_generation=True,
    ),
    Resource(
        group="k8s.ovn.org",
        version="v1",
        plural="egressips",
        singular="egressip",
        kind="EgressIP",
        schema=custom_types.EGRESS_IP,
        short_names=("eip",),
        custom=True,
        has_generation=True,
    ),
)

_BY_PLURAL = {resource.plural: resource for resource in RESOURCES}
_BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}


def by_plural(plural: str) -> Resource:
    """The resource of that plural name, which is unique here; ApiError 404 for any other word."""
    try:
        return _BY_PLURAL[plural]
    except KeyError:
        raise no_such_path() from None


def by_path(group: str, version: str, plural: str) -> Resource | None:
    """The resource under ``/api/v1`` (group empty) or ``/apis/GROUP/VERSION``; None if there is none."""
    return _BY_PATH.get((group, version, plural))


def group_versions() -> tuple[tuple[str, str], ...]:
    """Every (group, version) served, the core group (empty name) first."""
    return tuple(sorted({(resource.group, resource.version) for resource in RESOURCES}))
