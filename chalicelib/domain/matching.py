"""Which labels a Kubernetes label selector selects, exactly as the platform evaluates it. Pure.

Belongs here: one selector against labels, and whether two selectors rule each other out. Does not belong here: how
server-side apply owns selectors (`selectors`), which EgressIPs meet (`contenders`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

IN, NOT_IN, EXISTS, DOES_NOT_EXIST = "In", "NotIn", "Exists", "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement on one label. `In` without values is met by nothing."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def met_by(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it. `NotIn` is met, too, where the label is absent."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
        return self.key not in labels

    def rules_out(self, other: Requirement) -> bool:
        """Whether no value of the same label, absence included, meets both."""
        if self.key != other.key:
            return False
        if self.operator == IN:
            return not any(other.met_by({self.key: value}) for value in self.values)
        if other.operator == IN:
            return other.rules_out(self)
        return {self.operator, other.operator} == {EXISTS, DOES_NOT_EXIST}


Selector: TypeAlias = tuple[Requirement, ...]
"""All of them must be met; none selects everything."""


@lru_cache(maxsize=1 << 14)
def parse_selector(text: str | None) -> Selector:
    """The requirements of a LabelSelector in JSON; absent and empty ones have none.

    What the platform refuses to evaluate (an unknown operator, `In` without values) becomes a requirement that nothing
    meets: OVN-Kubernetes logs an error and selects no pod.
    """
    parsed = json.loads(text or "{}")
    labels = [Requirement(key, IN, frozenset({str(value)})) for key, value in (parsed.get("matchLabels") or {}).items()]
    return (*labels, *(_requirement(expression) for expression in parsed.get("matchExpressions") or ()))


def _requirement(expression: Mapping[str, object]) -> Requirement:
    key, operator = str(expression.get("key")), str(expression.get("operator"))
    listed = expression.get("values") or ()
    values = frozenset(map(str, listed)) if isinstance(listed, list) else frozenset()
    valid = bool(values) if operator in (IN, NOT_IN) else operator in (EXISTS, DOES_NOT_EXIST) and not values
    return Requirement(key, operator, values) if valid else Requirement(key, IN)


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether the selector selects what has these labels."""
    return all(requirement.met_by(labels) for requirement in selector)


def exclusive(one: Selector, other: Selector) -> bool:
    """Whether no labels at all are selected by both, as far as single requirements tell: True is certain."""
    impossible = any(r.operator == IN and not r.values for r in (*one, *other))
    return impossible or any(mine.rules_out(theirs) for mine in one for theirs in other)
