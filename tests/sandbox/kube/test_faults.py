"""Injected faults and denials, and the log of requests."""

from __future__ import annotations

import time

import pytest
import urllib3

from sandbox.kube import Denial, Fault, KubeCluster
from tests.sandbox.kube.client import CONTROL_PLANE, EGRESS_IPS, NODES, Api, egress_ip, node


def test_an_error_with_retry_after(cluster: KubeCluster, served: Api) -> None:
    """A Status with reason and header, for as many requests as asked; then the real answer."""
    cluster.faults.add(Fault(path="/nodes$", status=429, retry_after=3, times=2))
    replies = [served.get(NODES) for _ in range(3)]
    assert [reply.status for reply in replies] == [429, 429, 200]
    assert (replies[0].reason, replies[0].headers["Retry-After"]) == ("TooManyRequests", "3")
    assert replies[0].body["details"] == {"retryAfterSeconds": 3}


def test_a_body_of_html(cluster: KubeCluster, served: Api) -> None:
    """What a load balancer in front of the cluster answers."""
    cluster.faults.add(Fault(status=503, body="<html>no backend</html>"))
    reply = served.get(NODES)
    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (503, "<html>no backend</html>", "text/html")


def test_only_matching_requests_are_met(cluster: KubeCluster, served: Api) -> None:
    """By method, path and query."""
    cluster.faults.add(Fault(method="GET", path="/nodes", query="limit=1", status=500))
    assert served.get(f"{NODES}?limit=1").status == 500
    assert served.get(f"{NODES}?limit=2").status == 200
    assert served.get(EGRESS_IPS).status == 200
    assert served.post(f"{NODES}?limit=1", node("n1")).status == 201


def test_a_dropped_connection(cluster: KubeCluster, served: Api) -> None:
    """No answer at all, and nothing done."""
    cluster.faults.add(Fault(method="POST", drop=True, times=1))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        served.post(NODES, node("n1"))
    assert cluster.list("nodes") == []
    assert [record.status for record in cluster.requests] == [None]
    assert served.post(NODES, node("n1")).status == 201


def test_an_answer_lost_after_the_commit(cluster: KubeCluster, served: Api) -> None:
    """The write happened, which the client cannot know."""
    cluster.faults.add(Fault(method="POST", drop=True, after_commit=True, times=1))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        served.post(NODES, node("n1"))
    cluster.faults.add(Fault(method="POST", status=504, after_commit=True, times=1))
    assert served.post(NODES, node("n2")).status == 504
    assert [each["metadata"]["name"] for each in cluster.list("nodes")] == ["n1", "n2"]


def test_a_truncated_body(cluster: KubeCluster, served: Api) -> None:
    """Fewer bytes than announced."""
    cluster.create("nodes", node("n1"), manager="kubelet")
    cluster.faults.add(Fault(truncate=True, times=1))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        served.get(NODES)
    assert served.get(NODES).status == 200


def test_a_truncated_watch(cluster: KubeCluster, served: Api) -> None:
    """Cut off in the middle of an event."""
    cluster.create("nodes", node("n1"), manager="kubelet")
    cluster.faults.add(Fault(query="watch", truncate=True))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        served.watch(NODES, "")


def test_a_slow_answer(cluster: KubeCluster, served: Api) -> None:
    """Late, then real."""
    cluster.faults.add(Fault(delay_seconds=0.2, times=1))
    started = time.monotonic()
    assert served.get(NODES).status == 200
    assert time.monotonic() - started >= 0.2


def test_faults_are_listed_removed_and_cleared(cluster: KubeCluster, served: Api) -> None:
    """Each by the object that was added; equal ones count apart."""
    first = cluster.faults.add(Fault(status=500))
    second = cluster.faults.add(Fault(status=500))
    assert list(cluster.faults) == [first, second]
    cluster.faults.remove(first)
    cluster.faults.remove(first)
    assert list(cluster.faults) == [second]
    cluster.faults.clear()
    assert (list(cluster.faults), served.get(NODES).status) == ([], 200)


def test_a_denied_permission_is_403_as_rbac_words_it(cluster: KubeCluster, served: Api) -> None:
    """With name, without, and back again."""
    denial = cluster.faults.deny(resource="egressips")
    listed = served.get(EGRESS_IPS)
    assert (listed.status, listed.reason) == (403, "Forbidden")
    assert listed.message == (
        'egressips.k8s.ovn.org is forbidden: User "kube:admin" cannot list resource "egressips" '
        'in API group "k8s.ovn.org" at the cluster scope'
    )
    assert served.delete(f"{EGRESS_IPS}/web").message.startswith('egressips.k8s.ovn.org "web" is forbidden')
    assert served.get(NODES).status == 200
    cluster.faults.remove(denial)
    assert served.get(EGRESS_IPS).status == 200


def test_a_denial_is_for_a_verb_and_a_user() -> None:
    """None stands for any of them."""
    assert Denial("patch", "nodes", "alice").meets("patch", "nodes", "alice")
    assert not Denial("patch", "nodes", "alice").meets("patch", "nodes", "bob")
    assert not Denial("patch", "nodes").meets("patch", "nodes/status", "alice")
    assert Denial().meets("get", "nodes", "alice")


def test_requests_are_recorded(cluster: KubeCluster, served: Api) -> None:
    """Method, path, query, agent, user, content type and status; found by method and path."""
    served.apply(f"{EGRESS_IPS}/web", egress_ip("web"), "keeper")
    served.get(NODES, role=CONTROL_PLANE, token="another")
    (record,) = cluster.requests.matching("PATCH", "/egressips/")
    assert (record.path, record.query, record.status) == (f"{EGRESS_IPS}/web", {"fieldManager": "keeper"}, 201)
    assert (record.user_agent, record.content_type) == ("contract/1.0 (test)", "application/apply-patch+yaml")
    assert record.user == "kube:admin"
    assert len(cluster.requests) == 2
    cluster.requests.clear()
    assert list(cluster.requests) == []


def test_one_request_is_intercepted_by_who_asks(cluster: KubeCluster, served: Api) -> None:
    """A fault can be chosen by everything that the request says; what was answered in full is overheard."""
    heard: list[int] = []
    cluster.overhear = lambda _request, answer: heard.append(answer.status)
    cluster.intercept = lambda request: Fault(status=503) if request.method == "GET" else None
    assert served.get(NODES).status == 503
    assert served.post(NODES, node("n1")).status == 201
    cluster.intercept = lambda _request: None
    assert served.get(NODES).status == 200
    assert heard == [201, 200]
