"""The rules of changing an object: which parts a write may touch, what it must be planned against, what it counts as.

Belongs here: questions about one write and the version it meets. The order in which they are asked is in ``registry``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.kube import admission, core_rules, decoding, metadata, validation
from sandbox.kube.errors import ApiError, Cause, conflict, internal, invalid, stale_version
from sandbox.kube.resources import Resource
from sandbox.kube.store import Version, key_of
from sandbox.kube.typed import EMPTY, FieldSet

MANAGED_FIELDS = "managedFields"
MADE_BY_SERVER = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; *namespace* is empty for cluster-scoped resources, *name* for collections."""

    resource: Resource
    namespace: str
    name: str = ""

    @property
    def key(self) -> str:
        """Where the store keeps it."""
        return key_of(self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Write:
    """Who writes, and how."""

    manager: str
    user: str = admission.CONTROL_PLANE_USER
    subresource: str = ""
    dry_run: bool = False
    field_validation: str = decoding.WARN


@dataclass(frozen=True, slots=True)
class Outcome:
    """The object after a write, whether it is new, and what the writer should be warned of."""

    version: Version
    created: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What must hold for a deletion; empty = anything."""

    uid: str = ""
    resource_version: str = ""


ANYTHING = Preconditions()


def never_stored(resource: Resource, subresource: str) -> FieldSet:
    """Members that a write through this endpoint never stores, so that nobody comes to own them through it."""
    if not resource.has_status:
        return EMPTY
    return frozenset({("f:spec",)}) if subresource else frozenset({("f:status",)})


def prepared(resource: Resource, old: Mapping[str, Any], new: Mapping[str, Any], subresource: str) -> dict[str, Any]:
    """*new* with what this endpoint does not change taken from *old*, and the generation counted on."""
    obj = {**new, "metadata": dict(new["metadata"])}
    if subresource and resource.custom:
        obj = {**old, "metadata": dict(old["metadata"])}
        _carry(new, obj, "status")
    elif subresource:
        _carry(old, obj, "spec")
    elif resource.has_status:
        _carry(old, obj, "status")
    if core_rules.is_namespace(resource):
        _carry(old, obj, "spec")  # its finalizers have an endpoint of their own
    meta, before = obj["metadata"], old["metadata"]
    for name in MADE_BY_SERVER:
        if not meta.get(name) and name in before:
            meta[name] = before[name]
    meta["name"] = before["name"]
    for name in ("namespace", "generation", "resourceVersion"):
        _carry(before, meta, name)
    if resource.has_generation and _desired(resource, obj) != _desired(resource, old):
        meta["generation"] = before["generation"] + 1
    return obj


def _carry(source: Mapping[str, Any], target: dict[str, Any], name: str) -> None:
    """Give *target* the member of *source*, or none if *source* has none."""
    if name in source:
        target[name] = source[name]
    else:
        target.pop(name, None)


def _desired(resource: Resource, obj: Mapping[str, Any]) -> dict[str, Any]:
    """What the generation counts changes of: all but metadata, and the status where that has its own endpoint."""
    ignored = {"metadata", "status"} if resource.has_status else {"metadata"}
    return {name: value for name, value in obj.items() if name not in ignored}


def faults_of_changed(target: Target, old: Mapping[str, Any], obj: dict[str, Any], subresource: str) -> list[Cause]:
    """What is wrong with *obj* as the successor of *old*."""
    resource = target.resource
    found = metadata.change_faults(old["metadata"], obj["metadata"])
    found += found  # the server checks the metadata of an update twice and says so
    if not resource.custom:
        return found + core_rules.faults(resource, obj, target.namespace)
    if subresource:
        status = resource.schema.member("status")
        return found + (validation.violations(status, obj["status"], "status") if "status" in obj else [])
    return found + validation.violations(resource.schema, obj, "")


def without_times(obj: Mapping[str, Any]) -> dict[str, Any]:
    """*obj* without the times of its owners; a write that changes nothing else is no write."""
    meta = obj["metadata"]
    timeless = [
        {name: value for name, value in entry.items() if name != "time"} for entry in meta.get(MANAGED_FIELDS, [])
    ]
    return {**obj, "metadata": {**meta, MANAGED_FIELDS: timeless}}


def check_version(target: Target, sent: str, live: Version) -> None:
    """Refuse a write planned against another version than the live one; *sent* empty = against any."""
    if sent and not sent.isdecimal():
        raise internal(f'strconv.ParseUint: parsing "{sent}": invalid syntax')
    if sent and int(sent) != live.revision:
        raise stale_version(target.resource, target.name)


def check_put(target: Target, sent: Mapping[str, Any], live: Version) -> None:
    """Refuse a PUT whose metadata lacks the version a custom resource needs, or is of another object of that name."""
    resource, uid = target.resource, live.obj["metadata"]["uid"]
    if not sent.get("resourceVersion") and resource.custom:
        why = "Invalid value: 0: must be specified for an update"
        cause = Cause("FieldValueInvalid", why, "metadata.resourceVersion")
        raise invalid(resource.group, resource.plural, target.name, [cause])
    if sent.get("uid", uid) != uid:
        key = "/".join(part for part in (resource.group, resource.plural, target.namespace, target.name) if part)
        raise conflict(
            resource,
            target.name,
            f"StorageError: invalid object, Code: 4, Key: /registry/{key}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {sent['uid']}, UID in object meta: {uid}",
        )


def check_preconditions(target: Target, live: Version, preconditions: Preconditions) -> None:
    """Refuse the deletion of another object or version than the one meant."""
    meta, resource = live.obj["metadata"], target.resource
    why = ""
    if preconditions.uid and preconditions.uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({preconditions.uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
    elif preconditions.resource_version and preconditions.resource_version != meta["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({preconditions.resource_version}) does not match the "
            f"ResourceVersion in record ({meta['resourceVersion']}). The object might have been modified"
        )
    if why:
        kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
        message = f'Operation cannot be fulfilled on {kind} "{target.name}": {why}'
        details = {"name": target.name, "group": resource.group, "kind": resource.kind}
        raise ApiError(409, "Conflict", message, details=details)
