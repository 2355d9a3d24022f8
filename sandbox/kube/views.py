"""Objects and lists in the shape a client asked for: as they are, metadata only, or as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sandbox.kube import tables
from sandbox.kube.errors import ApiError
from sandbox.kube.listing import Page
from sandbox.kube.resources import Resource
from sandbox.kube.store import Version
from sandbox.kube.wire import Accepted, Response, Shape, respond


def show_object(version: Version, accepted: Accepted, now: float, status: int = 200) -> Response:
    """One object."""
    if accepted.shape is Shape.METADATA and accepted.kind == "PartialObjectMetadataList":
        raise _not_acceptable(accepted, f"is not a list (*core.{version.resource.kind})")
    return respond(object_json(version, accepted, now), accepted, status)


def object_json(version: Version, accepted: Accepted, now: float, *, with_columns: bool = True) -> bytes:
    """One object as JSON, by itself or in a watch event; only the first table of a watch describes its columns."""
    match accepted.shape:
        case Shape.METADATA:
            return _versioned(version.json_metadata_only(), accepted)
        case Shape.TABLE:
            metadata = {"resourceVersion": version.obj["metadata"].get("resourceVersion", "")}
            return _table(version.resource, [version], metadata, accepted, now, with_columns=with_columns)
    return version.json()


def show_list(resource: Resource, page: Page, accepted: Accepted, now: float) -> Response:
    """One page of a list."""
    if accepted.shape is Shape.METADATA and accepted.kind == "PartialObjectMetadata":
        raise _not_acceptable(accepted, f"is a list (*core.{resource.list_kind})")
    metadata: dict[str, Any] = {"resourceVersion": str(page.revision)}
    if page.continue_token:
        metadata["continue"] = page.continue_token
    elif resource.custom and accepted.shape is Shape.OBJECT:
        metadata["continue"] = ""
    if page.remaining is not None:
        metadata["remainingItemCount"] = page.remaining
    match accepted.shape:
        case Shape.TABLE:
            body = _table(resource, page.versions, metadata, accepted, now)
        case Shape.METADATA:
            items = (_versioned(version.json_metadata_only(), accepted) for version in page.versions)
            body = _list("PartialObjectMetadataList", f"meta.k8s.io/{accepted.version}", metadata, items)
            if not page.versions:
                body = body.replace(b'"items":[]', b'"items":null')  # as the server has it, for this kind alone
        case Shape.OBJECT:
            items = (version.json_in_list() for version in page.versions)
            body = _list(resource.list_kind, resource.api_version, metadata, items)
    return respond(body, accepted)


def _list(kind: str, api_version: str, metadata: dict[str, Any], items: Iterable[bytes]) -> bytes:
    head = json.dumps({"kind": kind, "apiVersion": api_version, "metadata": metadata}, separators=(",", ":")).encode()
    return b"".join((head[:-1], b',"items":[', b",".join(items), b"]}"))


def _table(
    resource: Resource,
    versions: list[Version],
    metadata: dict[str, Any],
    accepted: Accepted,
    now: float,
    *,
    with_columns: bool = True,
) -> bytes:
    head: dict[str, Any] = {"kind": "Table", "apiVersion": f"meta.k8s.io/{accepted.version}", "metadata": metadata}
    head["columnDefinitions"] = [column.definition() for column in tables.columns(resource)] if with_columns else None
    rows = []
    for version in versions:
        shown = {"None": b"null", "Object": version.json()}.get(accepted.include) or version.json_metadata_only()
        rows.append(tables.row(resource, version.obj, shown, now))
    return b"".join((json.dumps(head, separators=(",", ":")).encode()[:-1], b',"rows":[', b",".join(rows), b"]}"))


def _versioned(partial: bytes, accepted: Accepted) -> bytes:
    """PartialObjectMetadata in the version of the meta group that was asked for."""
    return partial if accepted.version == "v1" else partial.replace(b"meta.k8s.io/v1", b"meta.k8s.io/v1beta1", 1)


def _not_acceptable(accepted: Accepted, why: str) -> ApiError:
    message = f"you requested {accepted.kind}, but the requested object {why}"
    return ApiError(406, "NotAcceptable", message)
