from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.selectors import SpecDifference, compare_selectors, manager_of, selector_leaves
from chalicelib.domain.snapshot import EgressIp, EgressIpSpec
from tests import factories as make

NS, POD = ".spec.namespaceSelector", ".spec.podSelector"


def there(namespaces: str, pods: str | None = None, *, owned: tuple[str, ...] = (), **others: Any) -> EgressIp:
    managers = {path.replace("__", "."): manager for path, manager in others.items()}
    return make.egress_ip(
        spec=EgressIpSpec((), namespaces, pods), owned_fields=frozenset(owned), other_managers=managers
    )


def labels(**pairs: str) -> str:
    inner = ",".join(f'"{key.replace("__", ".")}":"{value}"' for key, value in pairs.items())
    return f'{{"matchLabels":{{{inner}}}}}'


def compare(namespaces: str, actual: EgressIp, pods: str | None = None) -> SpecDifference:
    return compare_selectors(EgressIpSpec((), namespaces, pods), actual)


@pytest.mark.parametrize(
    ("selector", "leaves"),
    [
        (None, {}),
        ("{}", {}),
        ('{"matchLabels":null}', {}),
        (labels(app="a", app__x="b"), {f"{NS}.matchLabels.app": "a", f"{NS}.matchLabels.app.x": "b"}),
        (
            '{"matchExpressions":[{"key":"k","operator":"Exists"}]}',
            {f"{NS}.matchExpressions": '[{"key": "k", "operator": "Exists"}]'},
        ),
    ],
)
def test_leaves(selector: str | None, leaves: dict[str, str]) -> None:
    """One leaf a label, one for all expressions, none for a selector that matches everything."""
    assert selector_leaves(selector, NS) == leaves


def test_equal_selectors_do_not_differ() -> None:
    """Whoever owns the fields: equal is equal."""
    assert compare(labels(app="a"), there(labels(app="a")), None) == SpecDifference((), ())


def test_a_changed_and_a_missing_leaf_are_ours_to_set() -> None:
    """What the wish says and the object does not is set by an apply."""
    difference = compare(labels(app="a", team="b"), there(labels(app="x")), labels(run="r"))
    assert difference == SpecDifference(
        (f"{NS}.matchLabels.app", f"{NS}.matchLabels.team", f"{POD}.matchLabels.run"), ()
    )


def test_a_leaf_of_ours_that_is_wished_no_more_is_dropped() -> None:
    """An apply without a field that only we hold removes it."""
    actual = there(labels(app="a"), labels(run="r"), owned=(f"{POD}.matchLabels.run",))
    assert compare(labels(app="a"), actual) == SpecDifference((f"{POD}.matchLabels.run",), ())


@pytest.mark.parametrize("owned", [(), (f"{NS}.matchLabels.team",)], ids=["theirs", "theirs and ours"])
def test_a_leaf_that_another_manager_holds_is_foreign(owned: tuple[str, ...]) -> None:
    """On OpenShift's CRD an apply of ours can't remove what somebody else added, or holds with us."""
    actual = there(labels(app="a", team="b"), owned=owned, **{f"{NS}.matchLabels.team": "kubectl-edit"})
    assert compare(labels(app="a"), actual) == SpecDifference((), (f"{NS}.matchLabels.team",))


def test_a_leaf_that_nobody_holds_is_foreign() -> None:
    """Without a manager on record an apply would not remove it."""
    assert compare(labels(app="a"), there(labels(app="a", team="b"))).foreign == (f"{NS}.matchLabels.team",)


@pytest.mark.parametrize("holder", ["ours", "theirs"])
def test_an_atomic_selector_is_replaced_as_a_whole(holder: str) -> None:
    """Where the CRD marks selectors atomic, they are held as one field, and an apply of ours replaces all of it."""
    owned, others = ((NS,), {}) if holder == "ours" else ((), {NS: "kubectl-edit"})
    actual = there(labels(app="a", team="b"), owned=owned, **others)
    assert compare(labels(app="a"), actual) == SpecDifference((f"{NS}.matchLabels.team",), ())


def test_label_keys_with_dots_are_not_prefixes_of_each_other() -> None:
    """To hold the label `app` is not to hold `app.kubernetes.io/name`, and the one does not stand in for the other."""
    actual = there(labels(app__x="b"), owned=(f"{NS}.matchLabels.app",))
    assert compare(labels(app="a"), actual) == SpecDifference((f"{NS}.matchLabels.app",), (f"{NS}.matchLabels.app.x",))


@pytest.mark.parametrize(
    ("path", "others", "manager"),
    [
        (".spec.egressIPs", {".spec.egressIPs": "kubectl-edit"}, "kubectl-edit"),
        (".spec.egressIPs", {".spec.egressIPsX": "kubectl-edit"}, ""),
        (f"{NS}.matchLabels.app", {NS: "argocd"}, "argocd"),
        (f"{NS}.matchLabels.app", {f"{NS}.matchLabels": "argocd"}, "argocd"),
        (f"{NS}.matchLabels.app", {f"{NS}.matchLabels.app.x": "argocd"}, ""),
        (f"{POD}.matchLabels.app", {NS: "argocd"}, ""),
        (".metadata.labels.a", {".metadata.labels.a.b": "argocd"}, ""),
    ],
)
def test_who_else_holds_a_field(path: str, others: dict[str, Any], manager: str) -> None:
    """The field itself, or the selector that contains it as one value; never a namesake."""
    assert manager_of(path, there("{}", **others)) == manager
