"""What the server tells about itself: version, groups, resources."""

from __future__ import annotations

from typing import Any

from sandbox.kube.resources import RESOURCES, Resource, group_versions

VERSION = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.4",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}

_STATUS_VERBS = ["get", "patch", "update"]


def core_versions(address: str) -> dict[str, Any]:
    """``/api``; *address* is the host and port the client reached."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def groups() -> dict[str, Any]:
    """``/apis``."""
    named = [_group(group, version) for group, version in group_versions() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}


def group(name: str) -> dict[str, Any] | None:
    """``/apis/GROUP``; None for a group that is not served."""
    found = next(((each, version) for each, version in group_versions() if each == name and each), None)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(*found)} if found else None


def _group(name: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


def resources(name: str, version: str) -> dict[str, Any] | None:
    """``/api/v1`` (group name empty) or ``/apis/GROUP/VERSION``; None for one that is not served."""
    if (name, version) not in group_versions():
        return None
    served = [resource for resource in RESOURCES if (resource.group, resource.version) == (name, version)]
    head = {"kind": "APIResourceList", **({"apiVersion": "v1"} if name else {})}
    return {
        **head,
        "groupVersion": f"{name}/{version}" if name else version,
        "resources": [entry for resource in served for entry in _entries(resource)],
    }


def _entries(resource: Resource) -> list[dict[str, Any]]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    entries = [entry]
    common = {"singularName": "", "namespaced": resource.namespaced}
    if resource.has_status:
        entries.append({"name": f"{resource.plural}/status", **common, "kind": resource.kind, "verbs": _STATUS_VERBS})
    if "token" in resource.subresources:
        entries.append(
            {
                "name": f"{resource.plural}/token",
                **common,
                "group": "authentication.k8s.io",
                "version": "v1",
                "kind": "TokenRequest",
                "verbs": ["create"],
            }
        )
    return entries
