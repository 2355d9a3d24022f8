"""Lists from an API server: what is asked, page by page, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.cluster import METADATA, KubernetesApi
from chalicelib.adapters.errors import NotFound, Unreachable
from chalicelib.domain.snapshot import Labelled
from tests.adapters.cluster_helpers import Token, api, named, page, status
from tests.adapters.wire import FakeTime, Reply, ScriptedServer

Fetch = Callable[[KubernetesApi], tuple[Any, ...]]

LISTS = [
    pytest.param(KubernetesApi.fetch_nodes, "/api/v1/nodes", "100", id="nodes"),
    pytest.param(KubernetesApi.fetch_egress_ips, "/apis/k8s.ovn.org/v1/egressips", "500", id="egressips"),
    pytest.param(
        KubernetesApi.fetch_cpics, "/apis/cloud.network.openshift.io/v1/cloudprivateipconfigs", "500", id="cpics"
    ),
]


@pytest.mark.parametrize(("fetch", "path", "limit"), LISTS)
def test_a_list_is_read_to_its_last_page(
    server: ScriptedServer, time: FakeTime, fetch: Fetch, path: str, limit: str
) -> None:
    """Each page is asked for with the token of the one before; the result is all of them, sorted by name."""
    server.will(page(named("c"), more="token/2="), page(named("a"), more="token/3="), page(named("b")))
    found = fetch(api(server, time))
    assert [getattr(item, "name", None) or item.address for item in found] == ["a", "b", "c"]
    assert [(sent.method, sent.path, sent.query) for sent in server.sent] == [
        ("GET", path, {"limit": limit}),
        ("GET", path, {"limit": limit, "continue": "token/2="}),
        ("GET", path, {"limit": limit, "continue": "token/3="}),
    ]


def test_labels_are_read_without_the_objects(server: ScriptedServer, time: FakeTime) -> None:
    """Metadata alone is asked for, page by page, and of it only the labels that somebody asks about are kept."""
    labels = {"app": "db", "team": "a", "number": 7}
    server.will(page(_labelled("web", labels), more="t"), page(_labelled("api", {}), named("bare")))
    found = api(server, time).fetch_namespaces({"app", "number", "other"})
    assert found == (Labelled("api", {}), Labelled("bare", {}), Labelled("web", {"app": "db", "number": "7"}))
    assert [sent.query for sent in server.sent] == [{"limit": "500"}, {"limit": "500", "continue": "t"}]
    assert {sent.headers["Accept"] for sent in server.sent} == {METADATA}


def test_pods_that_have_ended_are_not_read(server: ScriptedServer, time: FakeTime) -> None:
    """OVN-Kubernetes serves a finished pod no more; each namespace is its own list."""
    server.will(page(_labelled("b", {"app": "x"}), _labelled("a", {})), page())
    assert api(server, time).fetch_pods(["web", "api"], ["app"]) == {
        "api": (Labelled("a", {}), Labelled("b", {"app": "x"})),
        "web": (),
    }
    assert [sent.path for sent in server.sent] == ["/api/v1/namespaces/api/pods", "/api/v1/namespaces/web/pods"]
    assert {sent.query["fieldSelector"] for sent in server.sent} == {"status.phase!=Succeeded,status.phase!=Failed"}


def test_reading_labels_takes_little_time_or_fails(server: ScriptedServer, time: FakeTime) -> None:
    """All pods share 15 seconds, however many namespaces: repairs wait for them."""
    began = time.clock()
    server.will(page(), *[Reply(503, "busy", {"Retry-After": "10"})] * 2)
    with pytest.raises(Unreachable, match="list pods"):
        api(server, time).fetch_pods(["a", "b"], [])
    assert time.clock() - began <= 15


def _labelled(name: str, labels: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def test_a_request_says_who_asks_for_what(server: ScriptedServer, time: FakeTime) -> None:
    """Token, user agent and accepted type are on every request; a read has no body."""
    server.will(page())
    api(server, time).fetch_nodes()
    headers = server.sent[0].headers
    assert headers["Authorization"] == "Bearer first-token"
    assert headers["User-Agent"] == "egress-keeper"
    assert headers["Accept"] == "application/json"
    assert "Content-Type" not in headers
    assert server.sent[0].body == b""


@pytest.mark.parametrize("items", [[], None])
def test_an_empty_list_is_empty(server: ScriptedServer, time: FakeTime, items: list[Any] | None) -> None:
    """A list without items, which older servers send as null, is a list of nothing."""
    server.will({"kind": "EgressIPList", "metadata": {}, "items": items})
    assert api(server, time).fetch_egress_ips() == ()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"kind": "Status", "status": "Success"}, id="no items"),
        pytest.param({"items": {"a": 1}}, id="items an object"),
        pytest.param({"items": [], "metadata": "x"}, id="metadata a text"),
    ],
)
def test_what_is_not_a_list_is_not_an_empty_list(server: ScriptedServer, time: FakeTime, answer: Any) -> None:
    """A friendly answer of something between us and the server must not look like a cluster without objects."""
    server.will(answer)
    with pytest.raises(Unreachable, match="the answer is not a list"):
        api(server, time).fetch_egress_ips()


def test_an_expired_page_token_starts_the_list_again(server: ScriptedServer, time: FakeTime) -> None:
    """After 410 the whole list is read anew: pages of two moments do not fit together."""
    server.will(
        page(named("a"), more="t1"),
        status(410, "The provided continue parameter is too old", reason="Expired"),
        page(named("a"), more="t2"),
        page(named("b")),
    )
    assert [node.name for node in api(server, time).fetch_nodes()] == ["a", "b"]
    assert [sent.query.get("continue") for sent in server.sent] == [None, "t1", None, "t2"]


def test_a_list_that_expires_again_and_again_is_unreachable(server: ScriptedServer, time: FakeTime) -> None:
    """Three beginnings are enough; the visit then knows that it does not know."""
    for turn in range(3):
        server.will(page(named("a"), more=f"t{turn}"), status(410, "too old", reason="Expired"))
    with pytest.raises(Unreachable, match="kept changing"):
        api(server, time).fetch_nodes()
    assert len(server.sent) == 6


def test_pages_that_go_in_circles_end(server: ScriptedServer, time: FakeTime) -> None:
    """A server that hands out the same page token twice is not followed for ever."""
    server.will(page(more="t"), page(more="t"))
    with pytest.raises(Unreachable, match="repeat themselves"):
        api(server, time).fetch_nodes()


def test_a_failed_second_page_fails_the_list(server: ScriptedServer, time: FakeTime) -> None:
    """A page that could not be fetched is an error, never a shorter list."""
    server.will(page(named("a"), more="t"), *[Reply(500, "boom")] * 3)
    with pytest.raises(Unreachable, match="cluster API: list nodes: 500"):
        api(server, time).fetch_nodes()


def test_one_object_that_nobody_understands_fails_the_list(server: ScriptedServer, time: FakeTime) -> None:
    """A node that cannot be read is not left out; the error names it."""
    server.will(page(named("a"), {"metadata": {"name": "odd"}}))
    with pytest.raises(Unreachable, match="cannot understand odd"):
        api(server, time).fetch_nodes()


def test_a_missing_resource_is_not_an_empty_list(server: ScriptedServer, time: FakeTime) -> None:
    """A cluster without OVN-Kubernetes has no EgressIPs to speak of, which is something else than having none."""
    server.will(Reply(404, "404 page not found\n"))
    with pytest.raises(NotFound, match="404"):
        api(server, time).fetch_egress_ips()


def test_every_page_and_repeat_is_counted(server: ScriptedServer, time: FakeTime) -> None:
    """The counter tells what the API server saw, not what was asked for."""
    calls = CallCounter()
    server.will(page(more="t"), Reply(503, "busy"), page())
    api(server, time, calls=calls).fetch_nodes()
    assert calls.by_operation == {("cluster API", "list nodes"): 3}


def test_a_token_is_read_for_every_request(server: ScriptedServer, time: FakeTime) -> None:
    """The token source decides how long a token is kept; a warm function outlives any token it would keep itself."""
    token = Token()
    server.will(page(more="t"), page())
    api(server, time, token=token).fetch_nodes()
    assert token.asked == [False, False]
