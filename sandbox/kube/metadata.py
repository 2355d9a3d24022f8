"""The rules of ``metadata``: names, labels, what may change and what may not, and its tidy form.

The rules and their wording are those of apimachinery's ``ValidateObjectMeta`` and ``ValidateObjectMetaUpdate``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.kube.errors import Cause
from sandbox.kube.resources import NAMESPACES, Resource

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"

_IS_SUBDOMAIN = re.compile(_SUBDOMAIN).fullmatch
_IS_QUALIFIED = re.compile(_QUALIFIED).fullmatch
_IS_LABEL_VALUE = re.compile(_LABEL_VALUE).fullmatch

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_NAME_PART_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
    f"is '{_LABEL_VALUE}')"
)

_ANNOTATIONS_LIMIT_BYTES = 256 * 1024
_IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def tidy(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """*metadata* without members that say nothing: the server never shows an empty one."""
    return {name: value for name, value in metadata.items() if value not in (None, "", {}, [])}


def _invalid(field: str, value: Any, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {json.dumps(value)}: {why}", f"metadata.{field}")


def faults(resource: Resource, metadata: Mapping[str, Any]) -> list[Cause]:
    """What is wrong with the metadata of a new object, its name generated already."""
    name = metadata.get("name", "")
    if not name:
        return [Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")]
    found = [_invalid("name", name, why) for why in _name_faults(resource, name)]
    return [*found, *_map_faults(metadata)]


def change_faults(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Cause]:
    """What is wrong with *new* metadata given the *old*: members that never change, and the rules of a new object."""
    found = [
        _invalid(field, new[field], "field is immutable") for field in _IMMUTABLE if new.get(field) != old.get(field)
    ]
    if old.get("deletionTimestamp"):
        added = [name for name in new.get("finalizers") or [] if name not in (old.get("finalizers") or [])]
        if added:
            listed = ", ".join(json.dumps(name) for name in added)
            text = (
                "Forbidden: no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            found.append(Cause("FieldValueForbidden", text, "metadata.finalizers"))
    return [*found, *_map_faults(new)]


def _name_faults(resource: Resource, name: str) -> Iterator[str]:
    if resource.plural == NAMESPACES and "." in name:
        yield "must not contain dots"
    elif not _IS_SUBDOMAIN(name):
        yield _SUBDOMAIN_TEXT
    if len(name) > 253:
        yield "must be no more than 253 characters"


def _map_faults(metadata: Mapping[str, Any]) -> Iterator[Cause]:
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    for key, value in labels.items():
        yield from (_invalid("labels", key, why) for why in _key_faults(key))
        if len(value) > 63:
            yield _invalid("labels", value, "must be no more than 63 characters")
        if not _IS_LABEL_VALUE(value):
            yield _invalid("labels", value, _LABEL_VALUE_TEXT)
    for key in annotations:
        yield from (_invalid("annotations", key, why) for why in _key_faults(key.lower()))
    if sum(len(key) + len(value.encode()) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT_BYTES:
        text = f"Too long: may not be more than {_ANNOTATIONS_LIMIT_BYTES} bytes"
        yield Cause("FieldValueTooLong", text, "metadata.annotations")


def _key_faults(key: str) -> Iterator[str]:
    """What is wrong with the key of a label or annotation: ``[prefix/]name``."""
    prefix, slash, name = key.rpartition("/")
    if prefix.count("/"):
        yield (
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            f"'{_QUALIFIED}') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        )
        return
    if slash and not prefix:
        yield "prefix part must be non-empty"
    elif slash and not _IS_SUBDOMAIN(prefix):
        yield f"prefix part {_SUBDOMAIN_TEXT}"
    if not name:
        yield "name part must be non-empty"
    elif len(name) > 63:
        yield "name part must be no more than 63 characters"
    if not _IS_QUALIFIED(name):
        yield _NAME_PART_TEXT
