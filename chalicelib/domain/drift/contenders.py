"""EgressIPs that may select the same pods, and where one has to look to know. Pure.

Belongs here: who contends, in which namespaces two meet, whose pods must be read. Does not belong here: a selector
itself (`matching`), what is said of it (`overlaps`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, zip_longest

from chalicelib.domain.matching import IN, Requirement, Selector, exclusive, parse_selector, selects
from chalicelib.domain.snapshot import EgressIp, Labelled
from chalicelib.domain.spec import PolicySpec
from chalicelib.domain.terrain import is_our_object

MOST_NAMESPACES = 20
"""Namespaces whose pods one visit reads: a request each and 500 pods, more rather than that would delay repairs."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One EgressIP, there or wished for. `ours`: made by us, or named by a policy."""

    name: str
    ours: bool
    namespaces: Selector
    pods: Selector


Pair = tuple[str, str]
"""Names of two contenders, in their order."""


def contenders_of(egress_ips: Iterable[EgressIp], policies: Iterable[PolicySpec]) -> tuple[Contender, ...]:
    """Every object that stays, as it is, and every policy that has none yet; sorted by name."""
    wished = {policy.name: policy for policy in policies}
    there = {egress_ip.name: egress_ip for egress_ip in egress_ips if not egress_ip.deleting}
    objects = [
        _contender(name, eip.spec.namespace_selector, eip.spec.pod_selector, ours=is_our_object(eip) or name in wished)
        for name, eip in there.items()
    ]
    missing = [
        _contender(name, policy.namespace_selector, policy.pod_selector, ours=True)
        for name, policy in wished.items()
        if name not in there
    ]
    return tuple(sorted((*objects, *missing), key=lambda contender: contender.name))


def _contender(name: str, namespaces: str, pods: str | None, *, ours: bool) -> Contender:
    return Contender(name, ours, parse_selector(namespaces), parse_selector(pods))


def may_meet(one: Contender, other: Contender) -> bool:
    """Whether one of them is ours, and the selectors alone leave room for a pod of both."""
    apart = exclusive(one.namespaces, other.namespaces) or exclusive(one.pods, other.pods)
    return (one.ours or other.ours) and not apart


def any_may_meet(contenders: tuple[Contender, ...]) -> bool:
    """Whether any two may: else nothing need be read. In most fleets each object has a namespace name to itself."""
    asked = Counter(r.key for c in contenders for r in c.namespaces if r.operator == IN)
    key = min(asked, key=lambda name: (-asked[name], name), default="")
    by_value: dict[str, list[Contender]] = {}
    for contender in contenders:
        for value in _values(contender, key):
            by_value.setdefault(value, []).append(contender)
    for mine in (contender for contender in contenders if contender.ours):
        values = _values(mine, key)
        near = contenders if "" in values else (c for value in (*values, "") for c in by_value.get(value, ()))
        if any(other is not mine and may_meet(mine, other) for other in near):
            return True
    return False


def _values(contender: Contender, key: str) -> frozenset[str]:
    """Values that its namespaces must have for that label; "" where it does not ask, and then it is near to all."""
    demanded = [r.values for r in contender.namespaces if r.operator == IN and r.key == key]
    return demanded[0] if demanded else frozenset({""})


def label_keys(contenders: Iterable[Contender]) -> tuple[frozenset[str], frozenset[str]]:
    """Labels of namespaces and of pods that any selector asks about: the others need not be kept."""
    listed = tuple(contenders)
    return (
        frozenset(requirement.key for contender in listed for requirement in contender.namespaces),
        frozenset(requirement.key for contender in listed for requirement in contender.pods),
    )


def namespaces_in_question(contenders: tuple[Contender, ...], namespaces: Iterable[Labelled]) -> tuple[str, ...]:
    """Namespaces in which only pods can tell whether two objects meet: each pair's first one, then its second, …

    A pair that shares a whole namespace anywhere is decided by that.
    """
    by_pair: dict[Pair, list[str]] = {}
    decided: set[Pair] = set()
    for namespace, there in in_namespaces(contenders, namespaces):
        for one, other in combinations(there, 2):
            pair = (one.name, other.name)
            if not may_meet(one, other) or pair in decided:
                continue
            if one.pods or other.pods:
                by_pair.setdefault(pair, []).append(namespace.name)
            else:
                decided.add(pair)
    rounds = zip_longest(*(names for pair, names in sorted(by_pair.items()) if pair not in decided))
    return tuple(dict.fromkeys(name for names in rounds for name in names if name is not None))


def in_namespaces(
    contenders: Iterable[Contender], namespaces: Iterable[Labelled]
) -> Iterator[tuple[Labelled, list[Contender]]]:
    """Namespaces by name, each with the contenders that select it, where there are two at least."""
    demanding: dict[tuple[str, str], list[Contender]] = {}
    undemanding: list[Contender] = []
    for contender in contenders:
        first = next((r for r in contender.namespaces if r.operator == IN), None)
        for place in _places(first):
            demanding.setdefault(place, []).append(contender)
        if first is None:
            undemanding.append(contender)
    for namespace in sorted(namespaces, key=lambda found: found.name):
        # Who demands a value is looked at only where a namespace has it: not every object at every namespace.
        near = [*undemanding, *(c for label in namespace.labels.items() for c in demanding.get(label, ()))]
        there = [contender for contender in near if selects(contender.namespaces, namespace.labels)]
        if len(there) > 1:
            yield namespace, sorted(there, key=lambda contender: contender.name)


def _places(first: Requirement | None) -> Iterator[tuple[str, str]]:
    return ((first.key, value) for value in sorted(first.values)) if first is not None else iter(())


def meetings(
    contenders: tuple[Contender, ...], namespaces: Iterable[Labelled], pods: Mapping[str, tuple[Labelled, ...]]
) -> Mapping[Pair, str]:
    """Pairs, one of each ours, that select the same pods, each with the first place in words."""
    found: dict[Pair, str] = {}
    for namespace, there in in_namespaces(contenders, namespaces):
        whole = [contender for contender in there if not contender.pods]
        _note(found, whole, f"every pod of namespace {namespace.name}")
        for pod in sorted(pods.get(namespace.name, ()), key=lambda one: one.name):
            both = [contender for contender in there if selects(contender.pods, pod.labels)]
            _note(found, both, f"pod {pod.name} in namespace {namespace.name}")
    return found


def _note(found: dict[Pair, str], together: list[Contender], place: str) -> None:
    for one, other in combinations(together, 2):
        if one.ours or other.ours:
            found.setdefault((one.name, other.name), place)
