"""PATCH, PUT and the status subresource.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.kube.client import (
    APPLY,
    CLOUD_IPS,
    JSON_PATCH,
    MERGE,
    NODES,
    STRATEGIC,
    Api,
    applied,
    cloud_ip,
    node,
    unique,
)

STALE = "the object has been modified; please apply your changes to the latest version and try again"


def test_merge_patch_counts_as_update_and_takes_ownership(api: Api) -> None:
    """The applier loses what was changed; the generation counts on."""
    path, _ = applied(api, "10.0.1.5")
    reply = api.merge(path, {"spec": {"egressIPs": ["10.0.1.7"]}}, agent="editor/1")
    assert reply.body["metadata"]["generation"] == 2
    assert reply.owners == {
        ("keeper", "Apply", ""): {"f:spec": {"f:namespaceSelector": {"f:matchLabels": {"f:team": {}}}}},
        ("editor", "Update", ""): {"f:spec": {"f:egressIPs": {}}},
    }


def test_labels_do_not_count_in_the_generation(api: Api) -> None:
    """Only what is outside metadata does; of an EgressIP that includes the status."""
    path, _ = applied(api, "10.0.1.5")
    assert api.merge(path, {"metadata": {"labels": {"kick": "1"}}}).body["metadata"]["generation"] == 1
    status = {"items": [{"node": "n1", "egressIP": "10.0.1.5"}]}
    assert api.merge(path, {"status": status}).body["metadata"]["generation"] == 2


def test_json_patch_may_replace_a_status_that_is_not_there(api: Api) -> None:
    """OVN-Kubernetes' first write: adding the annotations wipes those of others."""
    path, _ = applied(api, "10.0.1.5")
    api.merge(path, {"metadata": {"annotations": {"mine": "1"}}})
    items = [{"node": "n1", "egressIP": "10.0.1.5"}]
    operations = [
        {"op": "add", "path": "/metadata/annotations", "value": {"theirs": "2"}},
        {"op": "replace", "path": "/status", "value": {"items": items}},
    ]
    reply = api.call("PATCH", path, operations, JSON_PATCH, agent="ovnhost/1")
    assert reply.body["metadata"]["annotations"] == {"theirs": "2"}
    assert reply.body["status"] == {"items": items}
    assert reply.owners["ovnhost", "Update", ""] == {
        "f:metadata": {"f:annotations": {"f:theirs": {}}},
        "f:status": {".": {}, "f:items": {}},
    }


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/spec/egressIPs", "value": []},
        {"op": "remove", "path": "/spec/nothing"},
        {"op": "add", "path": "/spec/nothing/deep", "value": 1},
        {"op": "nonsense", "path": "/spec", "value": 1},
    ],
    ids=["test", "remove", "add", "op"],
)
def test_a_json_patch_that_cannot_be_done_is_422(api: Api, operation: dict[str, Any]) -> None:
    """One sentence for every cause."""
    path, _ = applied(api, "10.0.1.5")
    reply = api.call("PATCH", path, [operation], JSON_PATCH)
    assert (reply.status, reply.reason) == (422, "Invalid")
    assert reply.message == "the server rejected our request due to an error in our request"


def test_custom_resources_have_no_strategic_merge(api: Api) -> None:
    """415, naming what is accepted."""
    path, _ = applied(api, "10.0.1.5")
    reply = api.call("PATCH", path, {"metadata": {}}, STRATEGIC)
    assert (reply.status, reply.reason) == (415, "UnsupportedMediaType")
    assert reply.message.endswith(f"accepted media types include: {JSON_PATCH}, {MERGE}, {APPLY}")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_stale_version_is_a_conflict(api: Api, method: str) -> None:
    """Optimistic concurrency for whoever sends a version."""
    path, _ = applied(api, "10.0.1.5")
    stale = api.get(path).body
    api.merge(path, {"metadata": {"labels": {"kick": "1"}}})
    reply = api.call(method, path, stale, "application/json" if method == "PUT" else MERGE)
    assert (reply.status, reply.reason) == (409, "Conflict")
    assert reply.message.endswith(STALE)


def test_put_of_a_custom_resource_needs_a_version(api: Api) -> None:
    """422, where a Node would be replaced unconditionally."""
    path, config = applied(api, "10.0.1.5")
    reply = api.call("PUT", path, config)
    assert (reply.status, reply.causes[0]["field"]) == (422, "metadata.resourceVersion")
    name = unique("n")
    api.post(NODES, node(name))
    assert api.call("PUT", f"{NODES}/{name}", node(name, labels={"a": "b"})).status == 200


def test_put_without_status_removes_it(api: Api) -> None:
    """What makes a careless replace of an EgressIP harmful."""
    path, _ = applied(api, "10.0.1.5")
    current = api.merge(path, {"status": {"items": []}}).body
    reply = api.call("PUT", path, {name: value for name, value in current.items() if name != "status"})
    assert (reply.status, "status" in reply.body) == (200, False)


def test_a_write_that_changes_nothing_is_none(api: Api) -> None:
    """PUT and PATCH of what is there keep the version."""
    path, _ = applied(api, "10.0.1.5")
    current = api.get(path).body
    assert api.call("PUT", path, current).body == current
    assert api.merge(path, {"spec": {"egressIPs": ["10.0.1.5"]}}).body == current


def test_the_status_of_a_cloud_ip_has_its_own_endpoint(api: Api) -> None:
    """Each endpoint stores its part only, and the generation counts the spec."""
    name = "10.99.1.5"
    api.post(CLOUD_IPS, cloud_ip(name, "n1"))
    condition = {
        "type": "Assigned",
        "status": "True",
        "reason": "CloudResponseSuccess",
        "message": "IP address successfully added",
        "lastTransitionTime": "2024-01-01T00:00:00Z",
    }
    status = {"node": "n1", "conditions": [condition]}
    assert "status" not in api.merge(f"{CLOUD_IPS}/{name}", {"status": status}).body
    written = api.merge(f"{CLOUD_IPS}/{name}/status", {"status": status, "spec": {"node": "n9"}}, agent="cncc/1")
    assert written.body["status"] == status
    assert written.body["spec"] == {"node": "n1"}
    assert written.body["metadata"]["generation"] == 1
    keyed = 'k:{"type":"Assigned"}'
    assert list(written.owners["cncc", "Update", "status"]["f:status"]["f:conditions"]) == [".", keyed]
    assert api.merge(f"{CLOUD_IPS}/{name}", {"spec": {"node": "n2"}}).body["metadata"]["generation"] == 2


def test_conditions_are_checked(api: Api) -> None:
    """Enum, format, length and required members, named below the status."""
    api.post(CLOUD_IPS, cloud_ip("10.99.1.6", "n1"))
    condition = {"type": "Assigned", "status": "Maybe", "reason": "", "lastTransitionTime": "yesterday"}
    reply = api.merge(f"{CLOUD_IPS}/10.99.1.6/status", {"status": {"conditions": [condition]}})
    assert reply.status == 422
    assert {cause["field"].rpartition(".")[2]: cause["reason"] for cause in reply.causes} == {
        "lastTransitionTime": "FieldValueTypeInvalid",
        "reason": "FieldValueInvalid",
        "status": "FieldValueNotSupported",
        "message": "FieldValueRequired",
    }


def test_apply_on_the_main_resource_owns_no_status(api: Api) -> None:
    """What an endpoint does not store, nobody owns through it."""
    config = {**cloud_ip("10.99.1.7", "n1"), "status": {"node": "n1", "conditions": []}}
    reply = api.apply(f"{CLOUD_IPS}/10.99.1.7", config)
    assert "status" not in reply.body
    assert reply.owners == {("keeper", "Apply", ""): {"f:spec": {"f:node": {}}}}
