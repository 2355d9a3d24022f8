"""Comparing label selectors the way server-side apply owns them: label by label.

On OpenShift's CRD `matchLabels` is a granular map: another manager may add a label beside ours, and our apply neither
sees nor removes it. So equality of the whole selector is the wrong question. The right ones: is every leaf that we
want there, and is any leaf there that we own and no longer want?
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.snapshot import EgressIp, EgressIpSpec

_SELECTORS = ("namespaceSelector", "podSelector")


@dataclass(frozen=True, slots=True)
class SpecDifference:
    """How an object's selectors differ from the wish, as field paths.

    Attributes:
        ours: Leaves that an apply of the wish would set or drop.
        foreign: Leaves that somebody else added and that no apply of ours removes.
    """

    ours: tuple[str, ...]
    foreign: tuple[str, ...]


def selector_leaves(selector: str | None, path: str) -> Mapping[str, str]:
    """Leaves of a canonical LabelSelector by field path: one a label, one for all of matchExpressions.

    An empty selector has none, and neither has an absent one: both match everything.
    """
    if selector is None:
        return {}
    parsed = json.loads(selector)
    leaves = {f"{path}.matchLabels.{key}": str(value) for key, value in (parsed.get("matchLabels") or {}).items()}
    if parsed.get("matchExpressions"):
        leaves[f"{path}.matchExpressions"] = json.dumps(parsed["matchExpressions"], sort_keys=True)
    return leaves


def compare_selectors(wish: EgressIpSpec, actual: EgressIp) -> SpecDifference:
    """Compare both selectors of the wish with the object's."""
    wanted = _leaves(wish)
    there = _leaves(actual.spec)
    ours = [path for path, value in wanted.items() if there.get(path) != value]
    foreign: list[str] = []
    for path in there:
        if path not in wanted:
            (ours if _can_be_dropped(path, actual) else foreign).append(path)
    return SpecDifference(tuple(sorted(ours)), tuple(sorted(foreign)))


def manager_of(path: str, actual: EgressIp) -> str:
    """Who else holds the field, or the selector that contains it as one atomic value; "" for nobody."""
    others = actual.other_managers
    return others.get(path) or next((others[outer] for outer in _containers(path) if outer in others), "")


def _leaves(spec: EgressIpSpec) -> Mapping[str, str]:
    return {
        **selector_leaves(spec.namespace_selector, f".spec.{_SELECTORS[0]}"),
        **selector_leaves(spec.pod_selector, f".spec.{_SELECTORS[1]}"),
    }


def _can_be_dropped(path: str, actual: EgressIp) -> bool:
    """Whether an apply without the leaf removes it.

    Where the selector is granular, whoever holds the leaf decides: it goes only if that is us alone. Where it is
    atomic, it is held as a whole, and an apply of the whole replaces it.
    """
    if path in actual.other_managers:
        return False
    return path in actual.owned_fields or any(
        outer in actual.owned_fields or outer in actual.other_managers for outer in _containers(path)
    )


def _containers(path: str) -> tuple[str, ...]:
    """The selector's own paths around a leaf. By name, not by prefix: label keys contain dots."""
    selector = next((f".spec.{name}" for name in _SELECTORS if path.startswith(f".spec.{name}.")), None)
    return () if selector is None else (f"{selector}.matchLabels", selector)
