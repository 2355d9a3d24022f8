"""Who may ask, and what the server says of itself.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

import pytest

from tests.sandbox.kube.client import EGRESS_IPS, EVENTS, NOBODY, NODES, Api, applied, egress_ip


def test_an_unknown_token_is_401(api: Api) -> None:
    """Whatever is asked for; a Status without details."""
    reply = api.get(NODES, token="nobody-knows-this")
    assert (reply.status, reply.reason, reply.message) == (401, "Unauthorized", "Unauthorized")
    assert "details" not in reply.body


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/apis", 'forbidden: User "system:anonymous" cannot get path "/apis"'),
        ("/nothing", 'forbidden: User "system:anonymous" cannot get path "/nothing"'),
        (
            NODES,
            'nodes is forbidden: User "system:anonymous" cannot list resource "nodes" in API group ""',
        ),
    ],
)
def test_without_a_token_one_is_anonymous_and_may_nothing(api: Api, path: str, message: str) -> None:
    """403, not 401: anonymous is a user like any other. Health and version are for everybody."""
    reply = api.get(path, role=None)
    assert (reply.status, reply.reason, message in reply.message) == (403, "Forbidden", True)
    assert api.get("/version", role=None).status == 200
    assert api.get("/readyz", role=None).status == 200


DENIED = [
    pytest.param("GET", NODES, "", 'nodes is forbidden: User "nobody" cannot list resource "nodes"', id="list"),
    pytest.param(
        "GET", f"{NODES}/n", "n", 'nodes "n" is forbidden: User "nobody" cannot get resource "nodes"', id="get"
    ),
    pytest.param(
        *("PATCH", f"{NODES}/n/status", "n"),
        'nodes "n" is forbidden: User "nobody" cannot patch resource "nodes/status"',
        id="subresource",
    ),
    pytest.param("POST", EGRESS_IPS, "", 'cannot create resource "egressips" in API group "k8s.ovn.org"', id="create"),
    pytest.param("DELETE", f"{EGRESS_IPS}/x", "x", 'cannot delete resource "egressips"', id="delete"),
    pytest.param("DELETE", EGRESS_IPS, "", 'cannot deletecollection resource "egressips"', id="collection"),
    pytest.param("GET", EVENTS, "", 'in the namespace "default"', id="namespace"),
]


@pytest.mark.parametrize(("method", "path", "name", "words"), DENIED)
def test_what_a_user_may_not_do_is_403(api: Api, method: str, path: str, name: str, words: str) -> None:
    """Before anything else is looked at: verb, resource and scope are named, in details only what the path names."""
    body = egress_ip("x") if method in ("POST", "PATCH") else None
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    reply = api.call(method, path, body, kind, role=NOBODY)
    assert (reply.status, reply.reason, reply.body["details"].get("name", "")) == (403, "Forbidden", name)
    assert words in reply.message
    assert "causes" not in reply.body["details"]


def test_an_absent_object_is_a_404_that_names_it(api: Api) -> None:
    """details.kind is the plural, the message the qualified plural."""
    reply = api.get(f"{EGRESS_IPS}/nothing")
    assert (reply.status, reply.reason) == (404, "NotFound")
    assert reply.message == 'egressips.k8s.ovn.org "nothing" not found'
    assert reply.body["details"] == {"name": "nothing", "group": "k8s.ovn.org", "kind": "egressips"}


def test_an_egress_ip_has_no_status_subresource(api: Api) -> None:
    """Its status is an ordinary field; the path answers as if the object were absent."""
    path, _ = applied(api, "10.0.1.5")
    assert api.get(f"{path}/status").status == 404


def test_unknown_resources_are_404_in_two_ways(api: Api) -> None:
    """Core paths answer with a Status, paths of other groups with plain text."""
    core, custom = api.get("/api/v1/unknowns"), api.get("/apis/k8s.ovn.org/v1/unknowns")
    assert (core.status, core.message) == (404, "the server could not find the requested resource")
    assert (custom.status, custom.body) == (404, "404 page not found\n")


def test_discovery_names_what_kubectl_needs(api: Api) -> None:
    """Short name, singular, scope, verbs; no status subresource for EgressIP, one for CloudPrivateIPConfig."""
    egress = {entry["name"]: entry for entry in api.get("/apis/k8s.ovn.org/v1").body["resources"]}
    assert list(egress) == ["egressips"]
    assert egress["egressips"]["shortNames"] == ["eip"]
    assert egress["egressips"]["singularName"] == "egressip"
    assert egress["egressips"]["namespaced"] is False
    assert set(egress["egressips"]["verbs"]) == {
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"
    }  # fmt: skip
    cloud = [entry["name"] for entry in api.get("/apis/cloud.network.openshift.io/v1").body["resources"]]
    assert cloud == ["cloudprivateipconfigs", "cloudprivateipconfigs/status"]
    assert {"nodes", "nodes/status", "namespaces", "pods", "events", "secrets", "serviceaccounts/token"} <= {
        entry["name"] for entry in api.get("/api/v1").body["resources"]
    }
    assert "k8s.ovn.org" in [group["name"] for group in api.get("/apis").body["groups"]]
