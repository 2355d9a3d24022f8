"""Writes to an API server: exactly what is sent, and that it is safe to send twice."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.adapters.errors import Conflict, Denied, NotFound, Rejected, Unreachable
from chalicelib.domain.snapshot import EgressIpSpec
from tests.adapters.cluster_helpers import api, named, page, status
from tests.adapters.wire import HANG_UP, FakeTime, Reply, ScriptedServer

SPEC = EgressIpSpec(("10.0.0.9", "10.0.1.9"), '{"matchLabels":{"team":"x"}}', None)
LABELS = {"egress-keeper/policy": "demo"}
DONE = {"kind": "EgressIP", "metadata": {"name": "demo"}}


@pytest.mark.parametrize(
    ("force", "query"),
    [
        pytest.param(False, {"fieldManager": "egress-keeper"}, id="asking"),
        pytest.param(True, {"fieldManager": "egress-keeper", "force": "true"}, id="by force"),
    ],
)
def test_apply_sends_our_fields_and_nothing_else(
    server: ScriptedServer, time: FakeTime, force: bool, query: dict[str, str]
) -> None:
    """No status, no annotations, no resourceVersion: OVN-Kubernetes' own fields must survive; force only when asked."""
    server.will(DONE)
    api(server, time).apply_egress_ip("demo", SPEC, LABELS, force=force)
    [sent] = server.sent
    assert (sent.method, sent.path, sent.query) == ("PATCH", "/apis/k8s.ovn.org/v1/egressips/demo", query)
    assert sent.headers["Content-Type"] == "application/apply-patch+yaml"
    assert sent.json == {
        "apiVersion": "k8s.ovn.org/v1",
        "kind": "EgressIP",
        "metadata": {"name": "demo", "labels": LABELS},
        "spec": {"egressIPs": ["10.0.0.9", "10.0.1.9"], "namespaceSelector": {"matchLabels": {"team": "x"}}},
    }


@pytest.mark.parametrize(("text", "sent_as"), [("{}", {}), ('{"matchLabels":{"a":"b"}}', {"matchLabels": {"a": "b"}})])
def test_a_pod_selector_is_sent_when_there_is_one(
    server: ScriptedServer, time: FakeTime, text: str, sent_as: dict[str, Any]
) -> None:
    """An empty selector is a selector; only None leaves the field out."""
    server.will(DONE)
    api(server, time).apply_egress_ip("demo", EgressIpSpec((), "{}", text), {}, force=False)
    assert server.sent[0].json["spec"] == {"egressIPs": [], "namespaceSelector": {}, "podSelector": sent_as}


def test_names_are_quoted(server: ScriptedServer, time: FakeTime) -> None:
    """A name cannot reach another resource's path."""
    server.will(DONE)
    api(server, time).apply_egress_ip("a/../b?x=1", SPEC, {}, force=False)
    assert server.sent[0].path == "/apis/k8s.ovn.org/v1/egressips/a%2F..%2Fb%3Fx%3D1"


@pytest.mark.parametrize(
    "trouble", [pytest.param(HANG_UP, id="cut"), Reply(429, b""), Reply(503, b""), Reply(200, DONE, cut=3)]
)
def test_an_apply_is_repeated(server: ScriptedServer, time: FakeTime, trouble: Reply) -> None:
    """Applying the same fields twice is the same as once, so a lost answer is no reason to give up."""
    server.will(trouble, DONE)
    api(server, time).apply_egress_ip("demo", SPEC, LABELS, force=False)
    first, second = server.sent
    assert (first.method, first.query, first.body) == (second.method, second.query, second.body)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(status(409, "Apply failed with 1 conflict"), Conflict, id="conflict"),
        pytest.param(status(422, "denied by policy egressip-mark-annotation-validation"), Rejected, id="policy"),
        pytest.param(status(403, "forbidden"), Denied, id="forbidden"),
        pytest.param(Reply(200, {"kind": "Status", "status": "Success"}), Unreachable, id="another kind"),
        pytest.param(Reply(200, {"ok": True}), Unreachable, id="a proxy's yes"),
    ],
)
def test_a_refused_apply(server: ScriptedServer, time: FakeTime, reply: Reply, kind: type[Exception]) -> None:
    """A refusal is told as what it is; only the object itself in the answer counts as done."""
    server.will(reply)
    with pytest.raises(kind):
        api(server, time).apply_egress_ip("demo", SPEC, LABELS, force=False)
    assert len(server.sent) == 1


def test_delete_names_the_uid(server: ScriptedServer, time: FakeTime) -> None:
    """A namesake created in the meantime is not deleted: the server compares the uid."""
    server.will({"kind": "Status", "status": "Success"})
    api(server, time).delete_egress_ip("demo", "u-7")
    [sent] = server.sent
    assert (sent.method, sent.path, sent.query) == ("DELETE", "/apis/k8s.ovn.org/v1/egressips/demo", {})
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.json == {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u-7"}}


def test_deleting_what_is_gone_is_done(server: ScriptedServer, time: FakeTime) -> None:
    """The repeat of a delete whose answer was lost finds nothing, and that is success."""
    server.will(HANG_UP, status(404, "not found"))
    api(server, time).delete_egress_ip("demo", "u-7")
    assert len(server.sent) == 2


def test_deleting_a_namesake_is_a_conflict(server: ScriptedServer, time: FakeTime) -> None:
    """Another object under the name is for the next visit to look at."""
    server.will(status(409, "Precondition failed: UID in precondition: u-7, UID in object meta: u-8"))
    with pytest.raises(Conflict):
        api(server, time).delete_egress_ip("demo", "u-7")


def test_a_label_goes_to_the_node_that_is_there(server: ScriptedServer, time: FakeTime) -> None:
    """Only the label is applied, by force, to the very object that was read: an apply alone could create a Node."""
    server.will(named("n1", kind="Node"), {"kind": "Node"})
    api(server, time).label_node("n1", {"k8s.ovn.org/egress-assignable": ""})
    read, apply = server.sent
    assert (read.method, read.path) == ("GET", "/api/v1/nodes/n1")
    assert (apply.method, apply.path) == ("PATCH", "/api/v1/nodes/n1")
    assert apply.query == {"fieldManager": "egress-keeper", "force": "true"}
    assert apply.headers["Content-Type"] == "application/apply-patch+yaml"
    assert apply.json == {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1", "uid": "uid-n1", "labels": {"k8s.ovn.org/egress-assignable": ""}},
    }


def labelled(**labels: str) -> dict[str, Any]:
    return {"kind": "Node", "metadata": {"name": "n1", "uid": "uid-n1", "labels": labels}}


def test_labels_are_taken_off_whoever_put_them_there(server: ScriptedServer, time: FakeTime) -> None:
    """A merge patch of the keys that are there, on the very object that was read: everything else stays."""
    server.will(labelled(a="", c=""), {"kind": "Node"})
    api(server, time).unlabel_node("n1", ["a", "b"])
    read, patch = server.sent
    assert (read.method, patch.method, patch.path) == ("GET", "PATCH", "/api/v1/nodes/n1")
    assert patch.headers["Content-Type"] == "application/merge-patch+json"
    assert patch.query == {"fieldManager": "egress-keeper"}
    assert patch.json == {"metadata": {"uid": "uid-n1", "labels": {"a": None}}}


@pytest.mark.parametrize("reply", [status(404, "not found"), Reply(200, labelled(c=""))], ids=["gone", "without"])
def test_where_there_is_no_label_nothing_is_taken_off(server: ScriptedServer, time: FakeTime, reply: Reply) -> None:
    """Already so is success: a release may be repeated."""
    server.will(reply)
    api(server, time).unlabel_node("n1", ["a", "b"])
    assert [sent.method for sent in server.sent] == ["GET"]


def test_only_a_node_in_the_answer_counts_as_unlabelled(server: ScriptedServer, time: FakeTime) -> None:
    """A proxy's yes is none."""
    server.will(labelled(a=""), Reply(200, {"ok": True}))
    with pytest.raises(Unreachable, match="the answer is not a Node"):
        api(server, time).unlabel_node("n1", ["a"])


def test_a_node_that_went_away_is_not_labelled(server: ScriptedServer, time: FakeTime) -> None:
    """Without the node nothing is sent that could make one."""
    server.will(status(404, 'nodes "n1" not found'))
    with pytest.raises(NotFound):
        api(server, time).label_node("n1", {"a": "b"})
    assert [sent.method for sent in server.sent] == ["GET"]


def test_a_node_without_uid_is_not_labelled(server: ScriptedServer, time: FakeTime) -> None:
    """An answer that is not a node gives nothing to hold the apply to."""
    server.will(page())
    with pytest.raises(Unreachable, match="the answer is not a Node"):
        api(server, time).label_node("n1", {"a": "b"})
    assert len(server.sent) == 1
