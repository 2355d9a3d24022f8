"""Strategic merge patch: a merge patch that knows which lists have items with an identity. Core kinds only.

The directives understood: ``$patch`` (replace, delete, merge), ``$retainKeys``, ``$setElementOrder/LIST`` and
``$deleteFromPrimitiveList/LIST``. What kubectl and client-go send contains no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.kube.schema import Schema

_PATCH, _RETAIN = "$patch", "$retainKeys"
_ORDER, _DELETE_FROM = "$setElementOrder/", "$deleteFromPrimitiveList/"


def strategic_merge(schema: Schema, document: Any, patch: Any) -> Any:
    """*document* after *patch*, lists merged by the merge keys of *schema*; null removes a member."""
    if not isinstance(patch, Mapping):
        return patch
    if patch.get(_PATCH) == "replace":
        return {name: value for name, value in patch.items() if name != _PATCH}
    if patch.get(_PATCH) == "delete":
        return {}
    merged = dict(document) if isinstance(document, Mapping) else {}
    if _RETAIN in patch:
        merged = {name: value for name, value in merged.items() if name in patch[_RETAIN]}
    for name, value in patch.items():
        if name.startswith(_DELETE_FROM):
            target = name.removeprefix(_DELETE_FROM)
            merged[target] = [item for item in merged.get(target) or [] if item not in value]
        elif not name.startswith("$"):
            _merge_member(schema, merged, name, value, patch.get(_ORDER + name))
    for name, order in patch.items():
        if name.startswith(_ORDER):
            target = name.removeprefix(_ORDER)
            if target not in patch and isinstance(merged.get(target), list):
                merged[target] = _ordered(schema.member(target), merged[target], order)
    return merged


def _merge_member(schema: Schema, merged: dict[str, Any], name: str, value: Any, order: list[Any] | None) -> None:
    member = schema.member(name)
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, list) and member.merge_key:
        items = _merge_list(member, merged.get(name) or [], value)
        merged[name] = _ordered(member, items, order) if order is not None else items
    else:
        merged[name] = strategic_merge(member, merged.get(name), value)


def _merge_list(schema: Schema, items: list[Any], patch: list[Any]) -> list[Any]:
    """The items of both; items the document lacks come first, in the order of the patch."""
    if schema.is_set:
        return [*(item for item in patch if item not in items), *items]
    if any(isinstance(item, Mapping) and item.get(_PATCH) == "replace" for item in patch):
        return [item for item in patch if item.get(_PATCH) != "replace"]
    found = {item.get(schema.merge_key): item for item in items}
    new: list[Any] = []
    for item in patch:
        key = item.get(schema.merge_key)
        if item.get(_PATCH) == "delete":
            found.pop(key, None)
        elif key in found:
            found[key] = strategic_merge(schema.element, found[key], item)
        else:
            new.append(strategic_merge(schema.element, {}, item))
    return [*new, *found.values()]


def _ordered(schema: Schema, items: list[Any], order: list[Any]) -> list[Any]:
    """*items* in the order asked for; those the order does not name keep their place relative to their neighbours."""

    def identity(item: Any) -> Any:
        return item if schema.is_set else item.get(schema.merge_key)

    wanted = [identity(entry) for entry in order]
    named = sorted((item for item in items if identity(item) in wanted), key=lambda item: wanted.index(identity(item)))
    queue = iter(named)
    return [next(queue) if identity(item) in wanted else item for item in items]
