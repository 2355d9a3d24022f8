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
        target = name.removeprefix(_ORDER)
        if target != name and target not in patch and isinstance(merged.get(target), list):
            items = merged[target]
            merged[target] = _arranged(schema.member(target), items, order, items)
    return merged


def _merge_member(schema: Schema, merged: dict[str, Any], name: str, value: Any, order: list[Any] | None) -> None:
    member = schema.member(name)
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, list) and member.merge_key:
        merged[name] = _merge_list(member, merged.get(name) or [], value, order)
    else:
        merged[name] = strategic_merge(member, merged.get(name), value)


def _merge_list(schema: Schema, items: list[Any], patch: list[Any], order: list[Any] | None) -> list[Any]:
    """The items of both, in the order asked for, or else in that of the patch."""
    if any(isinstance(item, Mapping) and item.get(_PATCH) == "replace" for item in patch):
        return [item for item in patch if item.get(_PATCH) != "replace"]
    found = {_identity(schema, item): item for item in items}
    for item in patch:
        key = _identity(schema, item)
        if isinstance(item, Mapping) and item.get(_PATCH) == "delete":
            found.pop(key, None)
        else:
            found[key] = strategic_merge(schema.element, found.get(key), item)
    return _arranged(schema, list(found.values()), patch if order is None else order, items)


def _identity(schema: Schema, item: Any) -> Any:
    return item if schema.is_set else item.get(schema.merge_key)


def _arranged(schema: Schema, items: list[Any], order: list[Any], before: list[Any]) -> list[Any]:
    """*items*: those that *order* names in that order, the others by their places *before*; new ones go first."""
    wanted = [_identity(schema, entry) for entry in order]
    places = {_identity(schema, item): place for place, item in enumerate(before)}
    named = sorted(
        (i for i in items if _identity(schema, i) in wanted), key=lambda i: wanted.index(_identity(schema, i))
    )
    others = [item for item in items if _identity(schema, item) not in wanted]
    arranged: list[Any] = []
    while named and others:
        first, other = _identity(schema, named[0]), _identity(schema, others[0])
        arranged.append((others if first in places and places[first] > places[other] else named).pop(0))
    return [*arranged, *named, *others]
