"""Whether an object is what its type says: unknown members dropped, wrong types and broken rules named.

Belongs here: :func:`prune` for every kind, :func:`violations` (the full check that custom resources get, in the words
of the server's structural validation) and :func:`decoding_fault` (the coarser check of core kinds, which fail while
being decoded).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sandbox.kube.errors import Cause
from sandbox.kube.schema import ANY, Schema

_INVALID, _TYPE_INVALID = "FieldValueInvalid", "FieldValueTypeInvalid"


def prune(schema: Schema, value: Any) -> tuple[Any, list[str]]:
    """*value* without members its type does not have, and the paths of what was dropped.

    Members that are null are left out too, silently: a decoder cannot tell them from absent ones (nulls in lists stay).
    """
    if type(value) is dict and schema.type == "object":
        kept: dict[str, Any] = {}
        dropped: list[str] = []
        for name, part in value.items():
            member = schema.fields.get(name) or schema.values
            if member is None:
                dropped.append(name)
            elif type(part) is dict or type(part) is list:
                kept[name], below = prune(member, part)
                dropped += [f"{name}{path}" if path.startswith("[") else f"{name}.{path}" for path in below]
            elif part is not None:
                kept[name] = part
        return kept, dropped
    if type(value) is list and schema.element.type in ("object", "array"):
        items = []
        dropped = []
        for index, item in enumerate(value):
            pruned, below = prune(schema.element, item)
            items.append(pruned)
            dropped += [f"[{index}]{path}" if path.startswith("[") else f"[{index}].{path}" for path in below]
        return items, dropped
    return value, []


def shown_with_defaults(schema: Schema, value: Any) -> Any:
    """*value* with the members the server always shows, in every object that is there."""
    if type(value) is dict and schema.type == "object":
        full = dict(value)
        for name, default in schema.always.items():
            full.setdefault(name, default)
        for name, part in full.items():
            if type(part) is dict or type(part) is list:
                full[name] = shown_with_defaults(schema.member(name), part)
        return full
    if type(value) is list and schema.element.type in ("object", "array"):
        return [shown_with_defaults(schema.element, item) for item in value]
    return value


_TYPES: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def json_type(value: Any) -> str:
    """The JSON Schema name of the type of *value*."""
    return _TYPES[type(value)]


def _has_type(schema: Schema, value: Any) -> bool:
    actual = _TYPES[type(value)]
    return schema.type in (actual, "any") or (schema.type == "number" and actual == "integer")


def decoding_fault(schema: Schema, kind: str, obj: Mapping[str, Any]) -> str:
    """The first member of a wrong type, as the JSON decoder reports it; empty if all can be decoded."""
    for name, part in obj.items():
        owner = {"metadata": "ObjectMeta", "spec": f"{kind}Spec.spec", "status": f"{kind}Status.status"}.get(name)
        fault = _decoding_fault(schema.member(name), part)
        if fault:
            path, sent, wanted = fault
            return (
                f"json: cannot unmarshal {sent} into Go struct field {owner or f'{kind}.{name}'}{path} of type {wanted}"
            )
    return ""


def _decoding_fault(schema: Schema, value: Any) -> tuple[str, str, str] | None:
    """(path, type sent, type wanted) of the first fault; map entries and list items are not in the path."""
    if value is None or schema.type == "any":
        return None
    if not _has_type(schema, value):
        sent, wanted = json_type(value), schema.type
        return "", _GO_SENT.get(sent, sent), _GO_WANTED.get(wanted, wanted)
    if type(value) is dict:
        for name, part in value.items():
            member = schema.fields.get(name) or schema.values or ANY
            if member.type == "string" and type(part) is str:
                continue  # by far the most frequent case
            fault = _decoding_fault(member, part)
            if fault:
                return (f".{name}{fault[0]}" if name in schema.fields else fault[0], *fault[1:])
    elif type(value) is list:
        return next(filter(None, (_decoding_fault(schema.element, item) for item in value)), None)
    return None


_GO_SENT = {"integer": "number", "boolean": "bool"}
_GO_WANTED = {"integer": "int64", "boolean": "bool", "array": "[]interface {}", "object": "map[string]interface {}"}


def undeclared(schema: Schema, value: Any, path: str = "") -> str:
    """Why *value* cannot be applied, in the words of Server-Side Apply; empty if it can.

    The first fault only: a member its type lacks, or a part of a wrong type.
    """
    if value is None or schema.type == "any":
        return ""
    if not _has_type(schema, value):
        return f"{path}: expected {_APPLY_NAMES[schema.type]}, got {_go_value(schema, value)}"
    faults: Iterator[str] = iter(())
    if type(value) is dict:
        unknown = sorted(name for name in value if name not in schema.fields and not schema.keeps_unknown)
        if unknown:
            return f"{path}.{unknown[0]}: field not declared in schema"
        faults = (undeclared(schema.member(name), value[name], f"{path}.{name}") for name in sorted(value))
    elif type(value) is list:
        faults = (undeclared(schema.element, item, f"{path}[{index}]") for index, item in enumerate(value))
    return next(filter(None, faults), "")


_APPLY_NAMES = {
    "object": "map",
    "array": "list",
    "string": "string",
    "boolean": "boolean",
    "integer": "numeric (int or float)",
    "number": "numeric (int or float)",
}


def _go_value(schema: Schema, value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value)
    return f"&{{{shown}}}" if schema.type in ("object", "array") else f"&value.valueUnstructured{{Value:{shown}}}"


def violations(schema: Schema, value: Any, path: str, shown: str = "") -> list[Cause]:
    """Everything that is wrong with *value*: wrong types and values first, members missing last.

    Args:
        schema, value: what it should be and what it is.
        path: where it is, for ``details.causes[].field``.
        shown: the same as the sentence names it; the ``status`` subresource is checked by itself and named without
        ``status``.
    """
    if not _has_type(schema, value):
        actual = json_type(value)
        text = f'Invalid value: "{actual}": {shown} in body must be of type {schema.type}: "{actual}"'
        return [Cause(_TYPE_INVALID, text, path)]
    found = _broken_rules(schema, value, path, shown)
    if type(value) is dict:
        for name in sorted(value):
            below = f"{shown}.{name}" if shown else name
            found += violations(schema.member(name), value[name], f"{path}.{name}" if path else name, below)
        prefix = f"{path}." if path else ""
        found += [Cause("FieldValueRequired", "Required value", prefix + n) for n in schema.required if n not in value]
    elif type(value) is list:
        for index, item in enumerate(value):
            found += violations(schema.element, item, f"{path}[{index}]", f"{shown}[{index}]")
        if not found:
            found += list(_duplicates(schema, value, path))
    return found


def _broken_rules(schema: Schema, value: Any, path: str, shown: str) -> list[Cause]:
    if schema.any_of and not any(not violations(option, value, path, shown) for option in schema.any_of):
        summary = f'Invalid value: "": "{shown}" must validate at least one schema (anyOf)'
        return [Cause(_INVALID, summary, "<nil>"), *violations(schema.any_of[0], value, path, shown)]
    if schema.enum and value not in schema.enum:
        supported = ", ".join(json.dumps(option) for option in schema.enum)
        text = f"Unsupported value: {json.dumps(value)}: supported values: {supported}"
        return [Cause("FieldValueNotSupported", text, path)]
    if schema.format in _FORMATS and not _FORMATS[schema.format](value):
        text = f'Invalid value: "{value}": {shown} in body must be of type {schema.format}: "{value}"'
        return [Cause(_TYPE_INVALID, text, path)]
    if schema.minimum is not None and value < schema.minimum:
        text = f"Invalid value: {value}: {shown} in body should be greater than or equal to {schema.minimum}"
        return [Cause(_INVALID, text, path)]
    return _broken_text_rules(schema, value, path, shown)


def _broken_text_rules(schema: Schema, value: Any, path: str, shown: str) -> list[Cause]:
    if schema.min_length is not None and len(value) < schema.min_length:
        text = f'Invalid value: "{value}": {shown} in body should be at least {schema.min_length} chars long'
        return [Cause(_INVALID, text, path)]
    if schema.max_length is not None and len(value) > schema.max_length:
        return [Cause("FieldValueTooLong", f"Too long: may not be more than {schema.max_length} bytes", path)]
    if schema.pattern and not re.search(schema.pattern, value):
        text = f"Invalid value: {json.dumps(value)}: {shown} in body should match '{schema.pattern}'"
        return [Cause(_INVALID, text, path)]
    return []


def _duplicates(schema: Schema, items: list[Any], path: str) -> Iterator[Cause]:
    """Items of a list map or set whose identity was seen before."""
    seen: list[Any] = []
    for index, item in enumerate(items):
        identity = {key: item.get(key) for key in schema.keys} if schema.keys else item
        if not schema.associative:
            return
        if identity in seen:
            text = f"Duplicate value: {json.dumps(identity, separators=(',', ':'))}"
            yield Cause("FieldValueDuplicate", text, f"{path}[{index}]")
        seen.append(identity)


def _is_date_time(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text):
        return False
    try:
        dt.datetime.fromisoformat(re.sub(r"\.\d+", "", text.upper()))
    except ValueError:
        return False
    return True


def _is_ipv4(text: str) -> bool:
    """Four numbers up to 255; leading zeros pass, as they do on the server."""
    parts = text.split(".")
    return len(parts) == 4 and all(re.fullmatch(r"\d{1,3}", part) and int(part) <= 255 for part in parts)


_FORMATS: Mapping[str, Callable[[str], bool]] = {"date-time": _is_date_time, "ipv4": _is_ipv4}
