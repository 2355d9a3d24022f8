"""DELETE: preconditions, finalizers, collections.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

import pytest

from tests.sandbox.kube.client import EGRESS_IPS, Api, applied, egress_ip, unique


def test_delete_answers_with_a_status(api: Api) -> None:
    """The uid says which object it was; a second delete is 404."""
    path, config = applied(api, "10.0.1.5")
    uid = api.get(path).body["metadata"]["uid"]
    reply = api.delete(path)
    assert (reply.status, reply.body["status"]) == (200, "Success")
    assert reply.body["details"] == {
        "name": config["metadata"]["name"],
        "group": "k8s.ovn.org",
        "kind": "egressips",
        "uid": uid,
    }
    assert api.delete(path).status == 404


@pytest.mark.parametrize("precondition", ["uid", "resourceVersion"])
def test_delete_keeps_to_its_preconditions(api: Api, precondition: str) -> None:
    """409 when another object or version is there; details.kind is the kind here."""
    path, _ = applied(api, "10.0.1.5")
    reply = api.delete(path, {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {precondition: "1"}})
    assert (reply.status, reply.reason, reply.body["details"]["kind"]) == (409, "Conflict", "EgressIP")
    assert api.get(path).status == 200


def test_an_object_with_finalizers_waits(api: Api) -> None:
    """Marked as being deleted, one generation on; no new finalizers; gone with the last one."""
    path, _ = applied(api, "10.0.1.5")
    api.merge(path, {"metadata": {"finalizers": ["a.b/c"]}})
    reply = api.delete(path)
    meta = reply.body["metadata"]
    assert (reply.status, reply.body["kind"], meta["generation"], meta["deletionGracePeriodSeconds"]) == (
        200,
        "EgressIP",
        2,
        0,
    )
    assert api.delete(path).body["metadata"]["deletionTimestamp"] == meta["deletionTimestamp"]
    assert api.merge(path, {"metadata": {"labels": {"a": "b"}}}).status == 200
    more = api.merge(path, {"metadata": {"finalizers": ["a.b/c", "d.e/f"]}})
    assert (more.status, more.causes[0]["field"]) == (422, "metadata.finalizers")
    assert api.merge(path, {"metadata": {"finalizers": None}}).status == 200
    assert api.get(path).status == 404


def test_a_collection_is_deleted_by_selector(api: Api) -> None:
    """The answer lists what went."""
    label = unique("group")
    for _ in range(2):
        api.post(EGRESS_IPS, egress_ip(unique("web"), labels={"group": label}))
    kept, _ = applied(api, "10.0.1.5")
    reply = api.delete(f"{EGRESS_IPS}?labelSelector=group={label}")
    assert (reply.status, len(reply.body["items"])) == (200, 2)
    assert api.get(f"{EGRESS_IPS}?labelSelector=group={label}").body["items"] == []
    assert api.get(kept).status == 200
