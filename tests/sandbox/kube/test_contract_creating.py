"""Creating: server-made metadata, checks, dry run.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

import pytest

from tests.sandbox.kube.client import CLOUD_IPS, EGRESS_IPS, Api, applied, cloud_ip, egress_ip, unique


def test_post_creates_with_server_made_metadata(api: Api) -> None:
    """uid, version, generation 1, creation time, and the writer by the first part of its user agent."""
    name = unique("web")
    reply = api.post(EGRESS_IPS, egress_ip(name, "10.0.1.5"), agent="kubectl-create/v1.32 (linux)")
    meta = reply.body["metadata"]
    assert reply.status == 201
    assert meta["generation"] == 1
    assert meta["uid"]
    assert meta["creationTimestamp"].endswith("Z")
    assert int(meta["resourceVersion"]) > 0
    assert reply.owners == {
        ("kubectl-create", "Update", ""): {
            "f:spec": {
                ".": {},
                "f:egressIPs": {},
                "f:namespaceSelector": {".": {}, "f:matchLabels": {".": {}, "f:team": {}}},
            }
        }
    }


def test_post_of_an_existing_name_is_409(api: Api) -> None:
    """Reason AlreadyExists, not Conflict."""
    path, config = applied(api, "10.0.1.5")
    reply = api.post(EGRESS_IPS, config)
    assert (reply.status, reply.reason) == (409, "AlreadyExists")
    assert reply.message == f'egressips.k8s.ovn.org "{path.rpartition("/")[2]}" already exists'


def test_generate_name_makes_a_name(api: Api) -> None:
    """Five characters are appended."""
    config = egress_ip("", "10.0.1.5")
    config["metadata"] = {"generateName": "made-"}
    name = api.post(EGRESS_IPS, config).body["metadata"]["name"]
    assert len(name) == len("made-") + 5
    assert name.startswith("made-")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "[spec.egressIPs: Required value, spec.namespaceSelector: Required value]"),
        (
            {"egressIPs": "x", "namespaceSelector": {}},
            'spec.egressIPs: Invalid value: "string": spec.egressIPs in body must be of type array: "string"',
        ),
        (
            {"egressIPs": [5], "namespaceSelector": {}},
            'spec.egressIPs[0]: Invalid value: "integer": spec.egressIPs[0] in body must be of type string: "integer"',
        ),
        (
            {"egressIPs": [], "namespaceSelector": {"matchExpressions": [{"key": "a"}]}},
            "spec.namespaceSelector.matchExpressions[0].operator: Required value",
        ),
    ],
    ids=["members missing", "no list", "no string", "deep member missing"],
)
def test_an_egress_ip_is_checked_for_types_and_required_members(api: Api, spec: object, message: str) -> None:
    """422 Invalid, each fault named with its path; details.kind is the kind here."""
    name = unique("bad")
    reply = api.post(EGRESS_IPS, {**egress_ip(name), "spec": spec})
    assert (reply.status, reply.reason) == (422, "Invalid")
    assert reply.message == f'EgressIP.k8s.ovn.org "{name}" is invalid: {message}'
    assert reply.body["details"]["kind"] == "EgressIP"


def test_an_egress_ip_may_ask_for_anything(api: Api) -> None:
    """No list is too short, no address checked: only OVN-Kubernetes looks at the values."""
    assert api.post(EGRESS_IPS, egress_ip(unique("odd"))).status == 201
    assert api.post(EGRESS_IPS, egress_ip(unique("odd"), "nonsense", "nonsense", "10.0.0.0/8")).status == 201


def test_a_null_member_counts_as_absent(api: Api) -> None:
    """In a new object; in a list null is a value of a wrong type."""
    created = api.post(f"{EGRESS_IPS}?dryRun=All", egress_ip(unique("web"), "10.0.1.5", podSelector=None))
    assert (created.status, "podSelector" in created.body["spec"]) == (201, False)
    refused = api.post(f"{EGRESS_IPS}?dryRun=All", {**egress_ip("web"), "spec": {"egressIPs": [None]}})
    assert 'spec.egressIPs[0]: Invalid value: "null"' in refused.message


def test_unknown_members_are_dropped_with_a_warning(api: Api) -> None:
    """fieldValidation decides: Warn drops and says so, Ignore drops, Strict refuses."""
    body = egress_ip(unique("web"), foo=1)
    warned = api.post(f"{EGRESS_IPS}?dryRun=All", body)
    assert "foo" not in warned.body["spec"]
    assert warned.headers["Warning"] == '299 - "unknown field \\"spec.foo\\""'
    ignored = api.post(f"{EGRESS_IPS}?dryRun=All&fieldValidation=Ignore", body)
    assert (ignored.status, "Warning" in ignored.headers) == (201, False)
    strict = api.post(f"{EGRESS_IPS}?dryRun=All&fieldValidation=Strict", body)
    assert (strict.status, strict.reason) == (400, "BadRequest")
    assert strict.message.endswith('strict decoding error: unknown field "spec.foo"')


@pytest.mark.parametrize(
    ("name", "status"),
    [("10.0.1.5", 201), ("fc00.f853.0ccd.e793.0000.0000.0000.0054", 201), ("web", 422), ("10.0.1.256", 422)],
)
def test_the_name_of_a_cloud_ip_is_its_address(api: Api, name: str, status: int) -> None:
    """IPv4 as written, IPv6 expanded with dots for colons, nothing else."""
    reply = api.post(f"{CLOUD_IPS}?dryRun=All", cloud_ip(name, "n1"))
    assert reply.status == status
    if status == 422:
        assert f'metadata.name in body must be of type ipv4: "{name}"' in reply.message


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ({"team": "a/b"}, "a valid label must be an empty string or consist of alphanumeric characters"),
        ({"team": "x" * 64}, "must be no more than 63 characters"),
        ({"a b": "x"}, "name part must consist of alphanumeric characters"),
        ({"/x": "x"}, "prefix part must be non-empty"),
    ],
    ids=["slash", "long", "space in key", "no prefix"],
)
def test_labels_follow_the_syntax_of_labels(api: Api, labels: dict[str, str], why: str) -> None:
    """The field is metadata.labels, whichever label is wrong."""
    reply = api.post(f"{EGRESS_IPS}?dryRun=All", egress_ip(unique("web"), labels=labels))
    assert (reply.status, reply.reason) == (422, "Invalid")
    assert reply.causes[0]["field"] == "metadata.labels"
    assert why in reply.causes[0]["message"]


def test_a_dry_run_changes_nothing(api: Api) -> None:
    """Create, apply, patch and delete with dryRun=All answer as if done, and nothing is."""
    name = unique("dry")
    created = api.post(f"{EGRESS_IPS}?dryRun=All", egress_ip(name, "10.0.1.5"))
    assert (created.status, "resourceVersion" in created.body["metadata"]) == (201, False)
    assert api.get(f"{EGRESS_IPS}/{name}").status == 404
    path, config = applied(api, "10.0.1.5")
    before = api.get(path).body
    changed = {**config, "spec": {**config["spec"], "egressIPs": ["10.0.1.9"]}}
    assert api.apply(path, changed, more="&dryRun=All").body["spec"]["egressIPs"] == ["10.0.1.9"]
    assert api.merge(f"{path}?dryRun=All", {"metadata": {"labels": {"a": "b"}}}).body["metadata"]["labels"] == {
        "a": "b"
    }
    assert api.delete(f"{path}?dryRun=All").status == 200
    assert api.get(path).body == before


def test_dry_run_knows_one_value(api: Api) -> None:
    """Anything but All is refused rather than executed."""
    reply = api.apply(f"{EGRESS_IPS}/x", egress_ip("x"), more="&dryRun=Yes")
    assert (reply.status, reply.causes[0]["field"]) == (422, "dryRun")
