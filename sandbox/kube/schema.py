"""How the types of the API are described: a tree of :class:`Schema`, built with a few short functions.

Belongs here: the description and nothing else. What it is used for has modules of its own: checking and pruning objects
(``validation``), ownership of fields (``typed``), merging (``patches``), publishing (``openapi``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """One type.

    Attributes:
        type: ``object``, ``array``, ``string``, ``integer``, ``number``, ``boolean``, or ``any`` (unchecked; lists in
        it
            are atomic and maps granular).
        fields: of an object with named members.
        values: of an object used as a map: the type of every value.
        items: of an array.
        required: names of the members that must be there.
        atomic: the object is owned and replaced as a whole, like an array without identity.
        always: members the server always shows, with the value for when nobody gave one.
        keys: members that identify an item: the array is a list map, owned item by item.
        is_set: the array is a set of scalars, owned value by value.
        merge_key: member by which a strategic merge patch finds an item; empty means the array is replaced.
        enum, pattern, format, any_of, minimum, min_length, max_length: as in JSON Schema.
    """

    type: str = "any"
    fields: Mapping[str, Schema] = field(default_factory=dict)
    values: Schema | None = None
    items: Schema | None = None
    required: tuple[str, ...] = ()
    atomic: bool = False
    always: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    is_set: bool = False
    merge_key: str = ""
    enum: tuple[str, ...] = ()
    pattern: str = ""
    format: str = ""
    any_of: tuple[Schema, ...] = ()
    minimum: int | None = None
    min_length: int | None = None
    max_length: int | None = None

    @property
    def keeps_unknown(self) -> bool:
        """Whether members that are not described stay in the object."""
        return self.type == "any" or self.values is not None

    def member(self, name: str) -> Schema:
        """The type of one member of an object; ``ANY`` for one that is not described."""
        return self.fields.get(name) or self.values or ANY

    @property
    def associative(self) -> bool:
        """Whether the items of this array have an identity (list map or set) and so may have several owners."""
        return bool(self.keys) or self.is_set

    @property
    def element(self) -> Schema:
        """The type of the items of an array; ``ANY`` when not described."""
        return self.items or ANY


ANY = Schema()
STRING = Schema("string")
INTEGER = Schema("integer")
BOOLEAN = Schema("boolean")
TIME = Schema("string", format="date-time")


def struct(
    fields: Mapping[str, Schema],
    *,
    required: tuple[str, ...] = (),
    atomic: bool = False,
    always: Mapping[str, Any] | None = None,
) -> Schema:
    """An object with named members."""
    return Schema(
        "object",
        fields=MappingProxyType(dict(fields)),
        required=required,
        atomic=atomic,
        always=MappingProxyType(dict(always or {})),
    )


def map_of(values: Schema) -> Schema:
    """An object whose member names are data."""
    return Schema("object", values=values)


def atomic_list(items: Schema) -> Schema:
    """An array that is owned and replaced as a whole."""
    return Schema("array", items=items)


def list_map(items: Schema, *keys: str) -> Schema:
    """An array whose items are known by *keys*; a strategic merge patch uses the first of them."""
    return Schema("array", items=items, keys=keys, merge_key=keys[0])


def string_set(*, merges: bool = True) -> Schema:
    """An array of distinct strings, each owned by itself; *merges* = a strategic merge patch adds to it."""
    return Schema("array", items=STRING, is_set=True, merge_key="." if merges else "")
