"""Values seen through their types, field by field: what Server-Side Apply means by "owned", "changed" and "merged".

Belongs here: pure functions over plain JSON values and a :class:`~sandbox.kube.schema.Schema`. Who owns what, and what
a conflict is, is decided in ``managed_fields``. The rules are those of structured-merge-diff v6, the library the API
server uses:

======================= ========================== =================================
value                   identity of a part         owned as
======================= ========================== =================================
object                  member name                each member for itself
atomic object, list     none                       one field
list map                the items' key members     each item, and each member in it
set                     the value                  each value
======================= ========================== =================================

A path is a tuple of elements in the notation of ``fieldsV1``: ``f:name``, ``k:{"type":"Ready"}``, ``v:"value"``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sandbox.kube.schema import Schema

Path = tuple[str, ...]
FieldSet = frozenset[Path]

EMPTY: Final[FieldSet] = frozenset()


class _Missing:
    """The absence of a value, which JSON's null is not."""


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Difference:
    """The fields in which two values differ."""

    added: FieldSet
    removed: FieldSet
    modified: FieldSet

    @property
    def written(self) -> FieldSet:
        """Fields that have a new value."""
        return self.added | self.modified


def element_of(schema: Schema, item: Any) -> str:
    """The path element of one *item* of an associative list whose type is *schema*."""
    if schema.is_set:
        return "v:" + json.dumps(item, separators=(",", ":"))
    members = item if type(item) is dict else {}
    keys = {key: members[key] for key in sorted(schema.keys) if key in members}
    return "k:" + json.dumps(keys, separators=(",", ":"))


def _items_by_element(schema: Schema, items: Iterable[Any]) -> dict[str, Any]:
    """The items of an associative list by identity; the first one counts where two have the same."""
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(element_of(schema, item), item)
    return found


def _parts(schema: Schema, value: Any) -> Iterator[tuple[str, Schema, Any]] | None:
    """The parts of a value that are owned for themselves, or None if it is owned as a whole."""
    if type(value) is dict and not schema.atomic:
        return (("f:" + name, schema.member(name), part) for name, part in value.items())
    if type(value) is list and schema.associative:
        return ((name, schema.element, item) for name, item in _items_by_element(schema, value).items())
    return None


def field_set(schema: Schema, value: Any) -> FieldSet:
    """Every field that *value* gives an opinion on."""
    found: set[Path] = set()
    _collect(schema, value, (), found)
    return frozenset(found)


def _collect(schema: Schema, value: Any, path: Path, found: set[Path]) -> None:
    parts = _parts(schema, value)
    if parts is None:
        found.add(path)
        return
    in_list = type(value) is list
    for element, part_schema, part in parts:
        part_path = (*path, element)
        _collect(part_schema, part, part_path, found)
        # A named member is only the sum of its parts; a list item, a map entry or an empty object is a field of its
        # own.
        if in_list or part is None or part == {} or element[2:] not in schema.fields:
            found.add(part_path)


def compare(schema: Schema, old: Any, new: Any) -> Difference:
    """The fields in which *new* differs from *old*; an object that appears or goes counts with all its parts."""
    comparison = _Comparison()
    comparison.visit(schema, old, new, ())
    return Difference(frozenset(comparison.added), frozenset(comparison.removed), frozenset(comparison.modified))


class _Comparison:
    """Collects differences while walking two values at once."""

    def __init__(self) -> None:
        self.added: set[Path] = set()
        self.removed: set[Path] = set()
        self.modified: set[Path] = set()

    def visit(self, schema: Schema, old: Any, new: Any, path: Path) -> None:
        old_parts, new_parts = _comparable_parts(schema, old), _comparable_parts(schema, new)
        if old_parts is not None and new_parts is not None and (old_parts or new_parts):
            self._visit_parts(old_parts, new_parts, path)
        elif old is not MISSING and new is not MISSING:
            if old != new:
                self.modified.add(path)
            return
        if old is MISSING:
            self.added.add(path)
        elif new is MISSING:
            self.removed.add(path)

    def _visit_parts(self, old_parts: _Parts, new_parts: _Parts, path: Path) -> None:
        for element, (schema, old) in old_parts.items():
            new = new_parts[element][1] if element in new_parts else MISSING
            if old is not new:
                self.visit(schema, old, new, (*path, element))
        for element, (schema, new) in new_parts.items():
            if element not in old_parts:
                self.visit(schema, MISSING, new, (*path, element))


_Parts = dict[str, tuple[Schema, Any]]


def _comparable_parts(schema: Schema, value: Any) -> _Parts | None:
    """The parts by element; none for an absent or null value, whatever its type; None for a value without parts."""
    if value is MISSING or value is None:
        return {}
    parts = _parts(schema, value)
    return None if parts is None else {element: (part_schema, part) for element, part_schema, part in parts}


def merge(schema: Schema, live: Any, config: Any) -> Any:
    """*live* with everything that *config* says laid over it; nothing is removed."""
    if config is MISSING or (config in ({}, None) and type(live) is dict and not schema.atomic):
        return live
    if type(live) is dict and type(config) is dict and not schema.atomic:
        merged = dict(live)
        for name, part in config.items():
            merged[name] = merge(schema.member(name), live.get(name, MISSING), part)
        return merged
    if type(live) is list and type(config) is list and schema.associative:
        return _merge_lists(schema, live, config)
    return config


def _merge_lists(schema: Schema, live: list[Any], config: list[Any]) -> list[Any]:
    """The items of both: shared ones in the order of *config*, items only *live* has where they stood."""
    live_items, config_items = _items_by_element(schema, live), _items_by_element(schema, config)
    order_live, order_config = list(live_items), list(config_items)
    shared = [element for element in order_config if element in live_items]
    merged: list[Any] = []
    while order_live or order_config:
        head = order_live[0] if order_live else None
        if head is not None and head not in config_items:
            merged.append(live_items[order_live.pop(0)])
        elif head is not None and shared and head != shared[0]:
            order_live.pop(0)  # comes later, when config asks for it
        elif order_config:
            element = order_config.pop(0)
            if element == head:
                order_live.pop(0)
            if shared and element == shared[0]:
                shared.pop(0)
            merged.append(merge(schema.element, live_items.get(element, MISSING), config_items[element]))
        else:
            order_live.pop(0)
    return merged


Tree = dict[str, Any]  # element → Tree; the element "." marks the path itself as a member


def tree_of(fields: FieldSet) -> Tree:
    """The same set as nested dictionaries, every member marked with ``"."``."""
    root: Tree = {}
    for path in fields:
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return root


def remove(schema: Schema, value: Any, fields: FieldSet) -> Any:
    """*value* without *fields*; an object or list that loses its last part becomes null, as in the library."""
    return _remove(schema, value, tree_of(fields))


def _remove(schema: Schema, value: Any, tree: Tree) -> Any:
    parts = _parts(schema, value)
    if parts is None:
        return value
    kept: dict[str, Any] = {}
    for element, part_schema, part in parts:
        subtree = tree.get(element)
        if subtree is None:
            kept[element] = part
        elif "." not in subtree:
            kept[element] = _remove(part_schema, part, subtree)
    if not kept:
        return None
    return list(kept.values()) if type(value) is list else {element[2:]: part for element, part in kept.items()}


def with_named_parents(schema: Schema, fields: FieldSet) -> FieldSet:
    """*fields* and the named members they are inside of (``spec`` for ``spec.egressIPs``), which own nothing by
    themselves.
    """
    found = set(fields)
    for path in fields:
        here = schema
        for depth, element in enumerate(path[:-1], start=1):
            if element.startswith("f:"):
                name = element[2:]
                if name in here.fields:
                    found.add(path[:depth])
                here = here.member(name)
            else:
                here = here.element
    return frozenset(found)
