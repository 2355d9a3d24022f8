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
    """Leaves of a canonical LabelSelector by field path: one a label, one for all of matchExpressions."""
    if selector is None:
        return {}
    parsed = json.loads(selector)
    leaves = {f"{path}.matchLabels.{key}": str(value) for key, value in (parsed.get("matchLabels") or {}).items()}
    if parsed.get("matchExpressions"):
        leaves[f"{path}.matchExpressions"] = json.dumps(parsed["matchExpressions"], sort_keys=True)
    return leaves or {path: "{}"}


def compare_selectors(wish: EgressIpSpec, actual: EgressIp) -> SpecDifference:
    """Compare both selectors of the wish with the object's."""
    wanted = _leaves(wish)
    there = _leaves(actual.spec)
    ours = [path for path, value in wanted.items() if there.get(path) != value and not _implied(path, there)]
    foreign: list[str] = []
    for path in there:
        if path in wanted or _implied(path, wanted):
            continue
        (ours if _owned(path, actual) else foreign).append(path)
    return SpecDifference(tuple(sorted(ours)), tuple(sorted(foreign)))


def _leaves(spec: EgressIpSpec) -> Mapping[str, str]:
    return {
        **selector_leaves(spec.namespace_selector, ".spec.namespaceSelector"),
        **selector_leaves(spec.pod_selector, ".spec.podSelector"),
    }


def _implied(path: str, others: Mapping[str, str]) -> bool:
    """An empty selector `{}` is there as soon as anything inside it is."""
    return any(other.startswith(f"{path}.") for other in others)


def _owned(path: str, actual: EgressIp) -> bool:
    """We own the leaf itself, or the selector that contains it as one atomic value."""
    return any(path == owned or path.startswith(f"{owned}.") for owned in actual.owned_fields if owned != ".spec")
