"""Who owns which field: ``metadata.managedFields``, and Server-Side Apply on top of it.

Belongs here: pure bookkeeping over objects *without* their ``managedFields``. The arithmetic on fields is in ``typed``;
when to call it, and with which manager name, is up to ``registry``. The rules are those of the API server (apimachinery
``util/managedfields`` over structured-merge-diff), checked against kube-apiserver 1.34.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.kube import typed
from sandbox.kube.errors import ApiError, Cause
from sandbox.kube.schema import Schema
from sandbox.kube.typed import EMPTY, FieldSet, Path, Tree

APPLY, UPDATE = "Apply", "Update"

_BEFORE_FIRST_APPLY = "before-first-apply"

# Members everybody sends and nobody owns.
_UNOWNED: FieldSet = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Manager:
    """One owner. The same name is another owner when it applies, or when it writes through a subresource."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def __str__(self) -> str:
        """The owner as conflict messages show it."""
        shown = json.dumps(self.name)
        if self.subresource:
            shown += f' with subresource "{self.subresource}"'
        return f"{shown} using {self.api_version}" if self.operation == UPDATE else shown


@dataclass(frozen=True, slots=True)
class Writer:
    """One write: who, when, and through which endpoint.

    Attributes:
        manager: who writes.
        now: time stamp of the write.
        reset: top-level members this endpoint never stores (``status`` on the main resource); nobody comes to own them
            through it.
    """

    manager: Manager
    now: str
    reset: FieldSet = EMPTY


@dataclass(frozen=True, slots=True)
class Ownership:
    """The fields of every manager, and when each last changed something (None: it only agreed with others so far)."""

    fields: Mapping[Manager, FieldSet]
    times: Mapping[Manager, str | None]


def read(entries: Iterable[Mapping[str, Any]] | None) -> Ownership:
    """The ownership that ``metadata.managedFields`` records."""
    fields: dict[Manager, FieldSet] = {}
    times: dict[Manager, str | None] = {}
    for entry in entries or ():
        manager = Manager(
            entry.get("manager", ""),
            entry.get("operation", ""),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        fields[manager] = frozenset(_paths(entry.get("fieldsV1") or {}, ()))
        times[manager] = entry.get("time")
    return Ownership(fields, times)


def _paths(tree: Tree, path: Path) -> Iterable[Path]:
    for element, below in tree.items():
        if element == ".":
            yield path
        elif not below:
            yield (*path, element)
        else:
            yield from _paths(below, (*path, element))


def write(ownership: Ownership) -> list[dict[str, Any]]:
    """``metadata.managedFields``: appliers first, then by time and name."""

    def position(manager: Manager) -> tuple[str, str, str, str, str]:
        time = ownership.times.get(manager) or ""
        return (manager.operation, time, manager.name, manager.api_version, manager.subresource)

    return [_entry(manager, ownership) for manager in sorted(ownership.fields, key=position)]


def _entry(manager: Manager, ownership: Ownership) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": ownership.times.get(manager),
        "fieldsType": "FieldsV1",
        "fieldsV1": _fields_v1(typed.tree_of(ownership.fields[manager])),
        "subresource": manager.subresource,
    }
    return {key: value for key, value in entry.items() if value not in (None, "")}


def _fields_v1(tree: Tree) -> Tree:
    """*tree* in sorted order, with ``"."`` only where it says something: on members that have parts."""
    return {
        element: _fields_v1(
            {key: below for key, below in tree[element].items() if key != "." or len(tree[element]) > 1}
        )
        for element in sorted(tree)
    }


def after_update(schema: Schema, old: Any, new: Any, ownership: Ownership, writer: Writer) -> Ownership:
    """Who owns what after *writer* replaced *old* by *new* (PUT, PATCH or POST), both without managedFields.

    The writer takes every field it changed from everybody else; a field that goes is owned by nobody.
    """
    changed = _outside(typed.compare(schema, old, new), writer.reset)
    fields = _without(ownership.fields, changed.written | changed.removed, spare=None)
    taken = changed.written - _UNOWNED
    times = dict(ownership.times)
    if taken:
        fields[writer.manager] = fields.get(writer.manager, EMPTY) | taken
        times[writer.manager] = writer.now
    return Ownership(fields, times)


def applied(
    schema: Schema,
    live: Any,
    config: Any,
    ownership: Ownership,
    writer: Writer,
    *,
    force: bool = False,
    empty: Any = None,
) -> tuple[Any, Ownership]:
    """The object and its owners after *writer* applied *config* to *live*.

    What the writer applied before and no longer mentions is removed, unless someone else owns it too.

    Args:
        schema: type of the object.
        live: the object as it is, without managedFields.
        config: what the writer wants, complete for its part.
        ownership: as recorded.
        force: take fields over from others instead of refusing.
        empty: the object of this kind that says nothing; what a live object without any owner is compared with.

    Returns:
        (object, ownership); the object equals *live* if the writer only says what is true already.

    Raises:
        ApiError: 409 with a cause for each field that others own and that would change.
    """
    manager = writer.manager
    if not ownership.fields:
        first = Manager(_BEFORE_FIRST_APPLY, UPDATE, manager.api_version)
        ownership = after_update(schema, empty or {}, live, ownership, Writer(first, writer.now))
    before = ownership.fields.get(manager, EMPTY)
    fields = dict(ownership.fields)
    wanted = typed.field_set(schema, config)
    fields[manager] = frozenset(path for path in wanted if not _inside(path, writer.reset))
    new = typed.merge(schema, live, config)
    if before:
        new = _prune(schema, new, before, fields.values())
    changed = _outside(typed.compare(schema, live, new), writer.reset)
    conflicts = _conflicts(fields, changed.written, spare=manager)
    if conflicts and not force:
        raise _refusal(conflicts)
    fields = _without(fields, changed.written | changed.removed, spare=manager)
    fields[manager] = fields.get(manager, EMPTY) - _UNOWNED
    times = dict(ownership.times)
    if new != live:
        times[manager] = writer.now
    return new, Ownership({owner: owned for owner, owned in fields.items() if owned}, times)


def _prune(schema: Schema, merged: Any, before: FieldSet, owned: Iterable[FieldSet]) -> Any:
    """*merged* without what the manager applied *before* and that nobody owns now."""
    pruned = typed.remove(schema, merged, typed.with_named_parents(schema, before))
    everything = typed.with_named_parents(schema, typed.field_set(schema, merged))
    left = typed.with_named_parents(schema, typed.field_set(schema, pruned))
    still_owned = typed.with_named_parents(schema, frozenset().union(*owned))
    kept = typed.remove(schema, merged, everything - (left | still_owned))
    # Fields that depended on a removed parent but were never the manager's own come back.
    remaining = typed.with_named_parents(schema, typed.field_set(schema, kept))
    dropped = (everything - remaining) & typed.with_named_parents(schema, before)
    return typed.remove(schema, merged, dropped)


def _inside(path: Path, reset: FieldSet) -> bool:
    return path[:1] in reset


def _outside(difference: typed.Difference, reset: FieldSet) -> typed.Difference:
    if not reset:
        return difference
    sets = (difference.added, difference.removed, difference.modified)
    return typed.Difference(*(frozenset(path for path in fields if not _inside(path, reset)) for fields in sets))


def _without(fields: Mapping[Manager, FieldSet], gone: FieldSet, spare: Manager | None) -> dict[Manager, FieldSet]:
    """*fields* after everybody but *spare* lost *gone*; a manager left with nothing is left out."""
    remaining = {owner: owned if owner == spare else owned - gone for owner, owned in fields.items()}
    return {owner: owned for owner, owned in remaining.items() if owned}


def _conflicts(
    fields: Mapping[Manager, FieldSet], written: FieldSet, spare: Manager
) -> list[tuple[Manager, list[Path]]]:
    """The written fields that others own, by owner."""
    found = ((owner, sorted(owned & written)) for owner, owned in sorted(fields.items()) if owner != spare)
    return [(owner, paths) for owner, paths in found if paths]


def _refusal(conflicts: list[tuple[Manager, list[Path]]]) -> ApiError:
    causes = [
        Cause("FieldManagerConflict", f"conflict with {owner}", show_path(path))
        for owner, paths in conflicts
        for path in paths
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        by_owner = sorted((str(owner), paths) for owner, paths in conflicts)
        blocks = [
            "\n".join([f"conflicts with {owner}:", *(f"- {show_path(p)}" for p in paths)]) for owner, paths in by_owner
        ]
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(blocks)
    return ApiError(409, "Conflict", message, causes=causes)


def show_path(path: Path) -> str:
    """A path as messages show it: ``.spec.egressIPs``, ``.status.conditions[type="Ready"].status``."""
    return "".join(_show_element(element) for element in path)


def _show_element(element: str) -> str:
    notation, _, text = element.partition(":")
    if notation == "f":
        return f".{text}"
    if notation == "v":
        return f"[={text}]"
    return "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(text).items()) + "]"
