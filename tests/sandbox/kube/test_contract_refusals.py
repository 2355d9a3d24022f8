"""Requests that make no sense, and how the server says so.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.kube.client import (
    APPLY,
    CLOUD_IPS,
    EGRESS_IPS,
    EVENTS,
    JSON_PATCH,
    MERGE,
    NAMESPACES,
    NODES,
    Api,
    applied,
    egress_ip,
    node,
    unique,
)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{NODES}/n1", 405),
        ("PUT", NODES, 405),
        ("PATCH", NODES, 405),
        ("OPTIONS", NODES, 405),
        ("POST", f"{NODES}/n1/status", 405),
        ("GET", f"{NODES}/n1/nothing", 404),
        ("POST", "/api/v1/secrets", 405),
        ("GET", f"{NAMESPACES}/default/nodes", 404),
        ("GET", "/apis/k8s.ovn.org/v1/namespaces/default/egressips", 404),
        ("PATCH", EGRESS_IPS, 400),
        ("GET", f"{NAMESPACES}/default/serviceaccounts/x/token", 405),
        ("GET", "/apis/nothing.example.com", 404),
        ("GET", "/apis/nothing.example.com/v1", 404),
        ("GET", "/nothing", 404),
    ],
)
def test_methods_and_paths_that_do_not_fit(api: Api, method: str, path: str, status: int) -> None:
    """405 where the path exists, 404 where it does not."""
    body: dict[str, Any] | None = {} if method in ("POST", "PUT", "PATCH") else None
    assert api.call(method, path, body, MERGE if method == "PATCH" else "application/json").status == status


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"kind": "Foo"}, 422, 'kind: Invalid value: "Foo": must be EgressIP'),
        ({"apiVersion": "k8s.ovn.org/v2"}, 400, "does not match the expected API version (k8s.ovn.org/v1)"),
        ({"kind": None}, 400, "Object 'Kind' is missing"),
        ({"metadata": {}}, 422, "metadata.name: Required value: name or generateName is required"),
        ({"metadata": {"name": "Bad_Name"}}, 422, "a lowercase RFC 1123 subdomain must consist of"),
        ({"metadata": {"name": "web", "annotations": {"a": 1}}}, 400, "cannot unmarshal number into Go struct field"),
        (
            {"metadata": {"name": "web", "annotations": {"a": "x" * 262_144}}},
            422,
            "Too long: may not be more than 262144",
        ),
        ({"metadata": {"name": "web", "annotations": {"a b": "x"}}}, 422, "metadata.annotations: Invalid value"),
        ({"metadata": {"name": "web", "labels": {"a/b/c": "x"}}}, 422, "a qualified name must consist of"),
        ({"metadata": {"name": "web", "labels": {"A_B/c": "x"}}}, 422, "prefix part a lowercase RFC 1123 subdomain"),
        ({"metadata": {"name": "web", "labels": {"x" * 64: "x"}}}, 422, "name part must be no more than 63 characters"),
        ({"metadata": {"name": "x" * 254}}, 422, "must be no more than 253 characters"),
    ],
)
def test_objects_that_cannot_be_created(api: Api, change: dict[str, Any], status: int, words: str) -> None:
    """The status and the words that say why."""
    body = {name: value for name, value in {**egress_ip("web"), **change}.items() if value is not None}
    reply = api.post(f"{EGRESS_IPS}?dryRun=All", body)
    assert (reply.status, words in reply.message) == (status, True)


def test_a_new_object_has_no_version_yet(api: Api) -> None:
    """500 (sic) for one that brings its own."""
    config = egress_ip(unique("web"))
    config["metadata"]["resourceVersion"] = "1"
    reply = api.post(EGRESS_IPS, config)
    assert (reply.status, reply.message) == (500, "resourceVersion should not be set on objects to be created")


def test_bodies_that_cannot_be_read(api: Api) -> None:
    """400; a body of another kind is 415, and custom resources say what they take."""
    assert api.post(EGRESS_IPS, "{{{").status == 400
    assert api.post(EGRESS_IPS, "").status == 400
    assert api.post(EGRESS_IPS, [1]).status == 400
    assert api.call("PATCH", f"{EGRESS_IPS}/web?fieldManager=k", "{{{", APPLY).status == 400
    text = api.post(EGRESS_IPS, "x", kind="text/plain")
    assert (text.status, text.reason) == (415, "UnsupportedMediaType")
    path, _ = applied(api, "10.0.1.5")
    assert api.call("PATCH", path, [1], MERGE).status == 400
    assert api.call("PATCH", path, {}, JSON_PATCH).status == 400
    assert api.call("PATCH", path, {}, "application/json").status == 415
    name = unique("n")
    api.post(NODES, node(name))
    core = api.call("PATCH", f"{NODES}/{name}", {}, "application/json")
    assert (core.status, core.message) == (415, "415: Unsupported Media Type")


@pytest.mark.parametrize(
    ("query", "field"),
    [("fieldManager=" + "x" * 129, "fieldManager"), ("fieldValidation=Maybe", "fieldValidation")],
)
def test_parameters_of_writes(api: Api, query: str, field: str) -> None:
    """422 for the options of the verb."""
    reply = api.post(f"{EGRESS_IPS}?{query}", egress_ip("web"))
    assert (reply.status, reply.body["details"]["kind"], reply.causes[0]["field"]) == (422, "CreateOptions", field)


def test_a_patch_cannot_make_another_object(api: Api) -> None:
    """Name and uid stay; a version must be a number."""
    path, _ = applied(api, "10.0.1.5")
    assert api.merge(path, {"metadata": {"name": "another"}}).status == 400
    uid = api.merge(path, {"metadata": {"uid": "another"}})
    assert uid.status == 422
    assert [cause["message"] for cause in uid.causes] == ['Invalid value: "another": field is immutable'] * 2
    assert api.merge(path, {"metadata": {"resourceVersion": "abc"}}).status == 500
    current = api.get(path).body
    current["metadata"]["uid"] = "another"
    put = api.call("PUT", path, current)
    assert (put.status, put.reason, "Precondition failed: UID" in put.message) == (409, "Conflict", True)
    assert api.merge(f"{EGRESS_IPS}/nothing", {}).status == 404


def test_a_status_must_be_complete(api: Api) -> None:
    """Conditions are required and unique by type."""
    name = "10.99.2.1"
    spec = {"spec": {"node": "n1"}, "metadata": {"name": name}}
    kind = {"apiVersion": "cloud.network.openshift.io/v1", "kind": "CloudPrivateIPConfig"}
    api.post(CLOUD_IPS, {**kind, **spec})
    missing = api.merge(f"{CLOUD_IPS}/{name}/status", {"status": {"node": "n1"}})
    assert (missing.status, missing.causes[0]["field"]) == (422, "status.conditions")
    condition = {
        "type": "Assigned",
        "status": "True",
        "reason": "R",
        "message": "",
        "lastTransitionTime": "2024-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    twice = api.merge(f"{CLOUD_IPS}/{name}/status", {"status": {"conditions": [condition, condition]}})
    assert twice.causes[0]["reason"] == "FieldValueDuplicate"
    bad = {**condition, "reason": "no spaces", "observedGeneration": -1, "type": "x" * 317}
    refused = api.merge(f"{CLOUD_IPS}/{name}/status", {"status": {"conditions": [bad]}})
    assert {cause["field"].rpartition(".")[2] for cause in refused.causes} == {"reason", "observedGeneration", "type"}
    assert api.merge(f"{CLOUD_IPS}/{name}/status", {"status": {"conditions": [condition]}}).status == 200


def test_rules_of_the_core_kinds(api: Api) -> None:
    """Containers of a pod, effects of a taint, the namespace of an event, the name of a namespace."""
    pod = api.post(f"{NAMESPACES}/default/pods", {"metadata": {"name": "p"}, "spec": {}})
    assert (pod.status, pod.causes[0]["field"]) == (422, "spec.containers")
    taint = api.post(NODES, {**node("n"), "spec": {"taints": [{"key": "k"}]}})
    assert (taint.status, taint.causes[0]["field"]) == (422, "metadata.taints[0].effect")
    about = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "other"}}
    event = api.post(EVENTS, about)
    assert (event.status, event.causes[0]["field"]) == (422, "involvedObject.namespace")
    dotted = api.post(NAMESPACES, {"metadata": {"name": "a.b"}})
    assert dotted.message.endswith("must not contain dots")
    kept = api.delete(f"{NAMESPACES}/default")
    assert (kept.status, kept.message.endswith("this namespace may not be deleted")) == (403, True)


def test_core_kinds_of_another_version_are_400(api: Api) -> None:
    """And may leave kind and version out altogether."""
    assert api.post(NODES, {**node("n"), "apiVersion": "v2"}).status == 400
    assert api.post(f"{NODES}?dryRun=All", {"metadata": {"name": unique("n")}}).status == 201


def test_delete_options_must_be_such(api: Api) -> None:
    """500 (sic) for anything else."""
    path, _ = applied(api, "10.0.1.5")
    assert api.delete(path, "{{{").status == 500
    assert api.delete(path, {"kind": "Foo", "apiVersion": "v1"}).status == 500
    assert api.get(path).status == 200


def test_a_version_to_come_is_504(api: Api) -> None:
    """For one object too; the client is told when to try again."""
    path, _ = applied(api, "10.0.1.5")
    reply = api.get(f"{path}?resourceVersion=99999999")
    assert (reply.status, reply.reason, reply.headers["Retry-After"]) == (504, "Timeout", "1")
