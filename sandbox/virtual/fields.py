"""Who holds which field of an EgressIP: as much of server-side apply as an object of ours can meet. Pure.

Belongs here: the fields of `spec` and the labels by path, their managers, and what an apply or an update makes of them.
Does not belong here: status and annotations, which are the twin's; paging, versions and the rest of an API server,
which the contract tests hold against a real one (`sandbox.kube`).

Selectors are granular, label by label, as on OpenShift's CRD; the list of addresses is atomic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from chalicelib.domain.selectors import selector_leaves
from chalicelib.domain.snapshot import EgressIpSpec

ADDRESSES = ".spec.egressIPs"
NAMESPACES, PODS = ".spec.namespaceSelector", ".spec.podSelector"
LABELS = ".metadata.labels."
_EXPRESSIONS = ".matchExpressions"
_MATCH = ".matchLabels."

Values: TypeAlias = Mapping[str, Any]
"""Values by field path. Those of `.spec.egressIPs` are a tuple of texts, all others texts."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its value, and who holds it."""

    value: Any
    managers: frozenset[str]


Fields: TypeAlias = Mapping[str, Field]


class Conflicting(Exception):
    """An apply without force met fields that others hold with other values; `managers` by path."""

    def __init__(self, managers: dict[str, str]) -> None:
        super().__init__(", ".join(managers))
        self.managers = managers


def values_of(spec: EgressIpSpec, labels: Mapping[str, str]) -> Values:
    """The fields that an apply of this spec and these labels names."""
    values: dict[str, Any] = {ADDRESSES: spec.addresses}
    for path, selector in ((NAMESPACES, spec.namespace_selector), (PODS, spec.pod_selector)):
        leaves = dict(selector_leaves(selector, path))
        values.update(leaves if leaves or selector is None else {path: "{}"})
    return {**values, **{f"{LABELS}{key}": value for key, value in labels.items()}}


def spec_of(fields: Fields) -> EgressIpSpec:
    """The spec that those fields make, selectors canonical."""
    addresses = fields[ADDRESSES].value if ADDRESSES in fields else ()
    return EgressIpSpec(addresses, _selector(fields, NAMESPACES) or "{}", _selector(fields, PODS))


def labels_of(fields: Fields) -> dict[str, str]:
    """The labels among those fields, sorted by key."""
    return {p.removeprefix(LABELS): f.value for p, f in sorted(fields.items()) if p.startswith(LABELS)}


def apply(fields: Fields, manager: str, wanted: Values, *, force: bool) -> Fields:
    """Server-side apply. What the manager held alone and no longer names goes.

    Raises:
        Conflicting: Others hold fields with other values, and it is not forced.
    """
    others = {
        path: ", ".join(sorted(held.managers - {manager}))
        for path, value in wanted.items()
        if (held := fields.get(path)) is not None and held.value != value and held.managers - {manager}
    }
    if others and not force:
        raise Conflicting(others)
    after: dict[str, Field] = {}
    for path, held in fields.items():
        rest = held.managers - {manager}
        if path not in wanted and rest:
            after[path] = Field(held.value, rest)
    for path, value in wanted.items():
        there = fields.get(path)
        shared = there.managers if there is not None and there.value == value else frozenset[str]()
        after[path] = Field(value, shared | {manager})
    return after


def update(fields: Fields, manager: str, changes: Values) -> Fields:
    """An edit or a patch: changed fields become the manager's alone, those set to None go."""
    after = dict(fields)
    for path, value in changes.items():
        if value is None:
            after.pop(path, None)
        elif path not in after or after[path].value != value:
            after[path] = Field(value, frozenset({manager}))
    return after


def _selector(fields: Fields, root: str) -> str | None:
    """A selector as canonical JSON; None where nothing says that there is one."""
    inside = {path: field.value for path, field in fields.items() if path == root or path.startswith(f"{root}.")}
    if not inside:
        return None
    labels = {p.removeprefix(root + _MATCH): v for p, v in inside.items() if p.startswith(root + _MATCH)}
    selector: dict[str, Any] = {"matchLabels": labels} if labels else {}
    if expressions := inside.get(root + _EXPRESSIONS):
        selector["matchExpressions"] = json.loads(expressions)
    return json.dumps(selector, sort_keys=True, separators=(",", ":"))
