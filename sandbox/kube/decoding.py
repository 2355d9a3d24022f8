"""From what a client sent to an object of the API: kinds checked, unknown members dropped, defaults filled in.

Belongs here: everything that looks at one object alone, before anybody asks who wrote it or what was there before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.kube import core_rules, metadata, validation
from sandbox.kube.errors import ApiError, Cause, bad_request, internal, invalid
from sandbox.kube.metadata_types import OBJECT_META
from sandbox.kube.resources import Resource
from sandbox.kube.schema import Schema, struct

STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"

_METADATA_ONLY: Schema = struct({"metadata": OBJECT_META})


@dataclass(frozen=True, slots=True)
class Decoded:
    """An object ready to be judged, and the warnings its decoding gave."""

    obj: dict[str, Any]
    warnings: tuple[str, ...] = ()


def decode(resource: Resource, body: Mapping[str, Any], field_validation: str) -> Decoded:
    """The object a POST or PUT brings.

    Raises:
        ApiError: 400 for members of a wrong type, and for unknown ones when *field_validation* is Strict.
    """
    fault = _fault(resource, body)
    decoded = None if fault else _clean(resource, body, field_validation)
    if decoded is not None and not isinstance(decoded, str):
        return decoded
    shown = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    raise bad_request(f"{shown}: {fault or decoded}")


def decode_patched(resource: Resource, patched: Mapping[str, Any], field_validation: str) -> Decoded:
    """The object a PATCH made; a fault is 422 and quotes the whole object, as the server does."""
    fault = _fault(resource, patched)
    decoded = None if fault else _clean(resource, patched, field_validation)
    if decoded is not None and not isinstance(decoded, str):
        return decoded
    quoted = json.dumps(json.dumps(patched, separators=(",", ":")))
    text = f"Invalid value: {quoted}: {fault or decoded}"
    raise ApiError(422, "Invalid", f' "" is invalid: patch: {text}', causes=[Cause("FieldValueInvalid", text, "patch")])


def _fault(resource: Resource, body: Mapping[str, Any]) -> str:
    """A member of a wrong type; of custom resources only the metadata is decoded, the rest is judged by its schema."""
    return validation.decoding_fault(_METADATA_ONLY if resource.custom else resource.schema, resource.kind, body)


def _clean(resource: Resource, body: Mapping[str, Any], field_validation: str) -> Decoded | str:
    """The object without unknown members and with its defaults; a sentence if unknown members are not to be there."""
    obj, unknown = validation.prune(resource.schema, body)
    texts = [f'unknown field "{path}"' for path in sorted(unknown)]
    if texts and field_validation == STRICT:
        return "strict decoding error: " + ", ".join(texts)
    return Decoded(normal_form(resource, obj), tuple(texts) if field_validation == WARN else ())


def normal_form(resource: Resource, obj: Mapping[str, Any]) -> dict[str, Any]:
    """*obj* as the server shows it: kind and version, tidy metadata, and for core kinds the members that are always
    there.
    """
    normal = dict(obj)
    if not resource.custom:
        normal = validation.shown_with_defaults(resource.schema, normal)
    normal["apiVersion"], normal["kind"] = resource.api_version, resource.kind
    normal["metadata"] = metadata.tidy(normal.get("metadata") or {})
    if not resource.custom:
        core_rules.set_defaults(resource, normal)
    return normal


def without_nulls(value: Any) -> Any:
    """*value* without null members, as :func:`~sandbox.kube.validation.prune` leaves them out."""
    if type(value) is dict:
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    if type(value) is list:
        return [without_nulls(item) for item in value]
    return value


def empty_object(resource: Resource) -> dict[str, Any]:
    """The object of this kind that says nothing; what new objects are compared with to see what their writer said."""
    return dict(validation.shown_with_defaults(resource.schema, {}))


def check_sent_kind(resource: Resource, body: Any, text: str) -> None:
    """Refuse a POST or PUT whose body is no object of this resource; *text* is the body as sent, for the message.

    Core objects may leave out apiVersion and kind; custom ones may not.
    """
    if not isinstance(body, Mapping):
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind}): ({text[:100]})")
    kind, version = body.get("kind", ""), body.get("apiVersion", "")
    if resource.custom:
        _check_custom_kind(resource, body, text)
    elif (kind or resource.kind) != resource.kind or (version or resource.api_version) != resource.api_version:
        raise bad_request(
            f'{kind or resource.kind} in version "{version}" cannot be handled as a {resource.kind}: '
            f'no kind "{kind}" is registered for version "{version}"'
        )


def _check_custom_kind(resource: Resource, body: Mapping[str, Any], text: str) -> None:
    kind, version = body.get("kind", ""), body.get("apiVersion", "")
    if not kind:
        raise bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): "
            f"Object 'Kind' is missing in '{text}' ({text})"
        )
    if version != resource.api_version:
        expected = f"does not match the expected API version ({resource.api_version})"
        raise bad_request(f"the API version in the data ({version}) {expected}")
    if kind != resource.kind:
        name = (body.get("metadata") or {}).get("name", "")
        why = Cause("FieldValueInvalid", f'Invalid value: "{kind}": must be {resource.kind}', "kind")
        raise invalid(resource.group, kind, name, [why])


def check_applied(resource: Resource, config: Any, namespace: str, name: str) -> dict[str, Any]:
    """The configuration of a Server-Side Apply, named; ApiError for one that cannot be applied here.

    Raises:
        ApiError: 400 for another kind or name, or with managedFields; 500 (sic) for members the type does not have.
    """
    sent = config if isinstance(config, Mapping) else {}
    version, kind = sent.get("apiVersion", ""), sent.get("kind", "")
    if (version, kind) != (resource.api_version, resource.kind):
        raise bad_request(f"invalid object type: {version or '/'}, Kind={kind}")
    meta = dict(sent.get("metadata") or {})
    if meta.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    check_name(meta, name)
    check_namespace(resource, meta, namespace)
    meta["name"] = name
    if resource.namespaced:
        meta["namespace"] = namespace
    named = {**sent, "metadata": meta}
    fault = validation.undeclared(resource.schema, named)
    if fault:
        version = version if resource.group else f"/{version}"
        raise internal(f"failed to create typed patch object ({namespace}/{name}; {version}, Kind={kind}): {fault}")
    return named


def check_name(meta: Mapping[str, Any], name: str) -> None:
    """Refuse a body that names another object than the URL."""
    sent = meta.get("name") or name
    if sent != name:
        raise bad_request(f"the name of the object ({sent}) does not match the name on the URL ({name})")


def check_namespace(resource: Resource, meta: Mapping[str, Any], namespace: str) -> None:
    """Refuse a body that names another namespace than the URL."""
    if resource.namespaced and (meta.get("namespace") or namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
