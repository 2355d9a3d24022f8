"""OpenAPI v3 as far as kubectl reads it: ``apply`` asks whether PATCH takes fieldValidation, ``explain`` prints types.

Version 2 is not served; kubectl copes with the 404.
"""

from __future__ import annotations

from typing import Any

from sandbox.kube.resources import RESOURCES, Resource, group_versions
from sandbox.kube.schema import Schema
from sandbox.kube.wire import JSON, patch_types

_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")


def _base_path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def index() -> dict[str, Any]:
    """``/openapi/v3``: where the document of each group version is."""
    paths = {_base_path(*served) for served in group_versions()}
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in sorted(paths)}}


def document(path: str) -> dict[str, Any] | None:
    """``/openapi/v3/PATH``; None for a path that is not in the index."""
    served = [resource for resource in RESOURCES if _base_path(resource.group, resource.version) == path]
    if not served:
        return None
    paths: dict[str, Any] = {}
    for resource in served:
        collection = f"/{path}/{'namespaces/{namespace}/' if resource.namespaced else ''}{resource.plural}"
        paths[collection] = {"post": _operation(resource, "post")}
        paths[f"{collection}/{{name}}"] = {
            verb: _operation(resource, verb) for verb in ("get", "put", "patch", "delete")
        }
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.34.4"},
        "paths": paths,
        "components": {"schemas": {_name(resource): _described(resource) for resource in served}},
    }


def _name(resource: Resource) -> str:
    group = ".".join(reversed((resource.group or "core.api.k8s.io").split(".")))
    return f"{group}.{resource.version}.{resource.kind}"


def _kind(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


def _operation(resource: Resource, verb: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{_name(resource)}"}
    operation: dict[str, Any] = {
        "x-kubernetes-action": verb,
        "x-kubernetes-group-version-kind": _kind(resource),
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
    }
    if verb in ("post", "put", "patch"):
        names = (*_WRITE_PARAMETERS, *(("force",) if verb == "patch" else ()))
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "boolean" if name == "force" else "string"}}
            for name in names
        ]
        types = patch_types(resource) if verb == "patch" else (JSON,)
        operation["requestBody"] = {"content": {media_type: {"schema": reference} for media_type in types}}
    return operation


def _described(resource: Resource) -> dict[str, Any]:
    return {**_type(resource.schema), "x-kubernetes-group-version-kind": [_kind(resource)]}


def _type(schema: Schema) -> dict[str, Any]:
    if schema.type == "any":
        return {"x-kubernetes-preserve-unknown-fields": True}
    described: dict[str, Any] = {"type": schema.type}
    if schema.fields:
        described["properties"] = {name: _type(member) for name, member in schema.fields.items()}
    if schema.values is not None:
        described["additionalProperties"] = _type(schema.values)
    if schema.required:
        described["required"] = list(schema.required)
    if schema.type == "array":
        described["items"] = _type(schema.element)
    if schema.keys:
        described |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(schema.keys)}
    if schema.merge_key and schema.keys:
        described |= {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": schema.merge_key}
    if schema.format:
        described["format"] = schema.format
    return described
