"""Server-side apply: owners, conflicts, removal.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.kube.client import APPLY, EGRESS_IPS, Api, applied, egress_ip, unique

STALE = "the object has been modified; please apply your changes to the latest version and try again"


def test_apply_creates_and_owns_leaf_by_leaf(api: Api) -> None:
    """Lists are atomic, selectors granular, and parents of what is owned are not owned."""
    config = egress_ip(unique("web"), "10.0.1.5", labels={"app": "x"})
    reply = api.apply(f"{EGRESS_IPS}/{config['metadata']['name']}", config)
    assert reply.status == 201
    assert reply.owners == {
        ("keeper", "Apply", ""): {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {"f:egressIPs": {}, "f:namespaceSelector": {"f:matchLabels": {"f:team": {}}}},
        }
    }


def test_applying_the_same_again_is_no_write(api: Api) -> None:
    """Version, generation and the manager's time stay."""
    path, config = applied(api, "10.0.1.5")
    before = api.get(path).body
    again = api.apply(path, config)
    assert (again.status, again.body) == (200, before)


def test_apply_takes_yaml(api: Api) -> None:
    """The body need not be JSON."""
    name = unique("web")
    text = f"""
apiVersion: k8s.ovn.org/v1
kind: EgressIP
metadata:
  name: {name}
spec:
  egressIPs: [10.0.1.5]
  namespaceSelector: {{}}
"""
    assert api.apply(f"{EGRESS_IPS}/{name}", text).body["spec"] == {"egressIPs": ["10.0.1.5"], "namespaceSelector": {}}


def test_a_field_others_changed_is_a_conflict(api: Api) -> None:
    """409 with one cause a field; an Update manager is named with its version."""
    path, config = applied(api, "10.0.1.5")
    api.merge(path, {"spec": {"egressIPs": ["10.0.1.7"]}}, agent="kubectl-edit/v1")
    reply = api.apply(path, config)
    assert (reply.status, reply.reason) == (409, "Conflict")
    assert reply.message == (
        'Apply failed with 1 conflict: conflict with "kubectl-edit" using k8s.ovn.org/v1: .spec.egressIPs'
    )
    assert reply.causes == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-edit" using k8s.ovn.org/v1',
            "field": ".spec.egressIPs",
        }
    ]


def test_several_conflicts_are_listed_by_manager(api: Api) -> None:
    """An applier is named without version; causes are flat, the message is grouped."""
    path, config = applied(api, "10.0.1.5")
    other = {**egress_ip(config["metadata"]["name"], "10.0.1.5"), "metadata": {"labels": {"a": "other"}}}
    assert api.apply(path, other, "other").status == 200
    api.merge(path, {"spec": {"egressIPs": ["10.0.1.7"]}}, agent="editor/1")
    wanted = {**config, "metadata": {"labels": {"a": "mine"}}}
    reply = api.apply(path, wanted)
    assert reply.message == (
        'Apply failed with 2 conflicts: conflicts with "editor" using k8s.ovn.org/v1:\n- .spec.egressIPs\n'
        'conflicts with "other":\n- .metadata.labels.a'
    )
    assert {(cause["message"], cause["field"]) for cause in reply.causes} == {
        ('conflict with "editor" using k8s.ovn.org/v1', ".spec.egressIPs"),
        ('conflict with "other"', ".metadata.labels.a"),
    }


def test_force_takes_the_field_over(api: Api) -> None:
    """The other manager loses the field, and disappears when it was its only one."""
    path, config = applied(api, "10.0.1.5")
    api.merge(path, {"spec": {"egressIPs": ["10.0.1.7"]}}, agent="editor/1")
    reply = api.apply(path, config, force=True)
    assert reply.body["spec"]["egressIPs"] == ["10.0.1.5"]
    assert list(reply.owners) == [("keeper", "Apply", "")]


def test_a_field_no_longer_applied_is_removed(api: Api) -> None:
    """Only if nobody else owns it."""
    path, config = applied(api, "10.0.1.5", labels={"mine": "1", "shared": "1"})
    shared = {**config, "metadata": {"labels": {"shared": "1"}}}
    assert api.apply(path, shared, "other").status == 200
    bare = {**config, "metadata": {"name": config["metadata"]["name"]}}
    assert api.apply(path, bare).body["metadata"]["labels"] == {"shared": "1"}


def test_equal_values_are_owned_together(api: Api) -> None:
    """No conflict; the second manager has no time until it changes something."""
    path, config = applied(api, "10.0.1.5")
    reply = api.apply(path, config, "other")
    assert set(reply.owners) == {("keeper", "Apply", ""), ("other", "Apply", "")}
    times = {entry["manager"]: "time" in entry for entry in reply.body["metadata"]["managedFields"]}
    assert times == {"keeper": True, "other": False}
    assert reply.body["metadata"]["generation"] == 1


def test_labels_of_others_stay(api: Api) -> None:
    """Granular maps: each manager has its own keys, in labels and in selectors."""
    path, config = applied(api, "10.0.1.5", labels={"mine": "1"})
    api.merge(
        path, {"metadata": {"labels": {"theirs": "2"}}, "spec": {"namespaceSelector": {"matchLabels": {"b": "2"}}}}
    )
    reply = api.apply(path, config)
    assert reply.body["metadata"]["labels"] == {"mine": "1", "theirs": "2"}
    assert reply.body["spec"]["namespaceSelector"]["matchLabels"] == {"team": "web", "b": "2"}


def test_apply_needs_a_manager(api: Api) -> None:
    """422 for PatchOptions, with and without force."""
    for query in ("", "?force=true"):
        reply = api.call("PATCH", f"{EGRESS_IPS}/x{query}", egress_ip("x"), APPLY)
        assert (reply.status, reply.reason) == (422, "Invalid")
        assert reply.message == (
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
        )


def test_force_is_for_apply_only(api: Api) -> None:
    """A merge patch with force is refused."""
    reply = api.merge(f"{EGRESS_IPS}/x?force=true", {})
    assert (reply.status, reply.causes[0]["field"]) == (422, "force")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"metadata": {"name": "another"}},
            "the name of the object (another) does not match the name on the URL (web)",
        ),
        ({"metadata": {"managedFields": [{"manager": "x"}]}}, "metadata.managedFields must be nil"),
        ({"kind": "Foo"}, "invalid object type: k8s.ovn.org/v1, Kind=Foo"),
        ({"apiVersion": "k8s.ovn.org/v2"}, "invalid object type: k8s.ovn.org/v2, Kind=EgressIP"),
    ],
    ids=["name", "managedFields", "kind", "version"],
)
def test_what_cannot_be_applied_here_is_400(api: Api, change: dict[str, Any], message: str) -> None:
    """The configuration must be of the object the URL names, and must not carry owners."""
    reply = api.apply(f"{EGRESS_IPS}/web", {**egress_ip("web", "10.0.1.5"), **change})
    assert (reply.status, reply.message) == (400, message)


def test_apply_of_an_unknown_field_is_500(api: Api) -> None:
    """Server-side apply does not drop unknown fields; it has no reason word either."""
    reply = api.apply(f"{EGRESS_IPS}/web", egress_ip("web", "10.0.1.5", foo=1))
    assert (reply.status, reply.reason) == (500, "")
    assert reply.message == (
        "failed to create typed patch object (/web; k8s.ovn.org/v1, Kind=EgressIP): "
        ".spec.foo: field not declared in schema"
    )


def test_apply_keeps_to_the_uid_it_was_planned_for(api: Api) -> None:
    """For an absent object a conflict, for another one an immutable field."""
    name = unique("web")
    config = egress_ip(name, "10.0.1.5")
    config["metadata"]["uid"] = "abc"
    absent = api.apply(f"{EGRESS_IPS}/{name}", config)
    assert (absent.status, absent.reason) == (409, "Conflict")
    assert absent.message.endswith(
        "uid mismatch: the provided object specified uid abc, and no existing object was found"
    )
    path, existing = applied(api, "10.0.1.5")
    existing["metadata"]["uid"] = "abc"
    other = api.apply(path, existing)
    assert (other.status, other.causes[0]["field"]) == (422, "metadata.uid")


def test_apply_keeps_to_the_version_it_was_planned_for(api: Api) -> None:
    """resourceVersion in the configuration is a precondition."""
    path, config = applied(api, "10.0.1.5")
    config["metadata"]["resourceVersion"] = "1"
    config["spec"]["egressIPs"] = ["10.0.1.9"]
    reply = api.apply(path, config)
    assert (reply.status, reply.reason) == (409, "Conflict")
    assert reply.message.endswith(STALE)


def test_emptying_a_selector_that_was_applied_leaves_null_and_is_refused(api: Api) -> None:
    """A quirk: the removal of the last key turns the required selector into null."""
    path, config = applied(api, "10.0.1.5")
    reply = api.apply(path, {**config, "spec": {"egressIPs": ["10.0.1.5"], "namespaceSelector": {}}})
    assert reply.status == 422
    assert reply.causes[0]["field"] == "spec.namespaceSelector"
    assert reply.causes[0]["message"].startswith('Invalid value: "null"')


def test_after_a_reset_of_owners_apply_meets_before_first_apply(api: Api) -> None:
    """What was there before the first apply belongs to a manager of that name."""
    path, config = applied(api, "10.0.1.5")
    assert "managedFields" not in api.merge(path, {"metadata": {"managedFields": [{}]}}).body["metadata"]
    config["spec"]["egressIPs"] = ["10.0.1.9"]
    reply = api.apply(path, config)
    assert reply.message.startswith('Apply failed with 1 conflict: conflict with "before-first-apply"')
