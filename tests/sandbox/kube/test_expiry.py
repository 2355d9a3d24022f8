"""What happens when the history a client relies on has been compacted away, and when tokens end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.kube import KubeCluster, KubeServer
from sandbox.kube.resources import by_plural
from sandbox.kube.store import Store, TooOld, key_of
from sandbox.kube.watching import Watch
from sandbox.kube.wire import Accepted, Request
from sandbox.kube.writing import Target
from tests.sandbox.kube.client import ADMIN, EGRESS_IPS, NODES, Api, egress_ip


def test_a_watch_from_a_forgotten_version_is_told_so(cluster: KubeCluster, served: Api) -> None:
    """HTTP 200 and one ERROR event with the 410 inside, after which the stream ends."""
    version = served.get(EGRESS_IPS).body["metadata"]["resourceVersion"]
    cluster.create("egressips", egress_ip("web"), manager="test")
    cluster.compact()
    (event,) = served.watch(EGRESS_IPS, f"resourceVersion={version}")
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert event["object"]["message"].startswith(f"too old resource version: {version} (")


def test_the_history_is_bounded() -> None:
    """The oldest change goes first, and what needs it is too old from then on."""
    store, nodes = Store(history_limit=3), by_plural("nodes")
    start = store.revision
    with store.changed:
        for index in range(4):
            store.put(nodes, key_of("", f"n{index}"), {"metadata": {"name": f"n{index}"}})
    with pytest.raises(TooOld):
        store.changes_after(start)
    assert [change.key for change in store.changes_after(start + 1)] == ["/n1", "/n2", "/n3"]
    assert [key for key, _ in store.versions_at(nodes, start + 2)] == ["/n0", "/n1"]


def watch_nodes(store: Store, query: str, bookmark_seconds: float = 60.0) -> Iterator[dict[str, Any]]:
    """The events of a watch on nodes, without a server."""
    request = Request("GET", NODES, query, {}, b"")
    target = Target(by_plural("nodes"), "")
    watch = Watch(
        store, target, request, Accepted(), clock=time.time, closing=lambda: False, bookmark_seconds=bookmark_seconds
    )
    return map(json.loads, watch)


def test_a_watch_that_falls_behind_is_told_so() -> None:
    """When more was written between two looks than the history holds."""
    store, nodes = Store(history_limit=1), by_plural("nodes")
    events = watch_nodes(store, "timeoutSeconds=5")
    with store.changed:
        store.put(nodes, "/n0", {"metadata": {"name": "n0"}})
    assert next(events)["type"] == "ADDED"
    with store.changed:
        for index in range(1, 4):
            store.put(nodes, f"/n{index}", {"metadata": {"name": f"n{index}"}})
    (event,) = events
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_bookmarks_come_regularly_and_at_the_end(cluster: KubeCluster) -> None:
    """They carry the version reached, other resources' changes included, and nothing else of the object."""
    query = f"timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion={cluster.resource_version}"
    events = watch_nodes(cluster.store, query, 0.3)
    cluster.create("egressips", egress_ip("web"), manager="test")
    first, *_, last = events
    for event in (first, last):
        assert event["type"] == "BOOKMARK"
        assert event["object"]["metadata"] == {"resourceVersion": str(cluster.resource_version)}


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guarded(clock: Clock) -> Iterator[tuple[KubeCluster, Api]]:
    """A cluster that asks for tokens."""
    cluster = KubeCluster(tokens={"secret": "alice"}, clock=clock)
    with KubeServer(cluster) as server:
        client = Api(server.url, {ADMIN: "secret"})
        yield cluster, client
        client.close()


def test_a_requested_token_stands_for_its_account_until_it_expires(
    guarded: tuple[KubeCluster, Api], clock: Clock
) -> None:
    """By the cluster's clock."""
    cluster, api = guarded
    cluster.create("serviceaccounts", {"metadata": {"name": "keeper"}}, manager="test")
    request = api.post("/api/v1/namespaces/default/serviceaccounts/keeper/token", {"spec": {"expirationSeconds": 600}})
    token = request.body["status"]["token"]
    cluster.faults.deny(resource="nodes", user="system:serviceaccount:default:keeper")
    assert api.get(NODES, token=token).status == 403
    clock.now += 600
    assert api.get(NODES, token=token).status == 401


def test_tokens_are_granted_and_revoked(guarded: tuple[KubeCluster, Api]) -> None:
    """At once."""
    cluster, api = guarded
    assert api.get(NODES, token="new").status == 401
    cluster.tokens.grant("new", "bob")
    assert api.get(NODES, token="new").status == 200
    cluster.tokens.revoke("new")
    assert api.get(NODES, token="new").status == 401


def test_health_and_version_need_no_token(guarded: tuple[KubeCluster, Api]) -> None:
    """As on OpenShift, where anybody may ask."""
    _, api = guarded
    assert [api.get(path, role=None).body for path in ("/healthz", "/livez", "/readyz")] == ["ok"] * 3
    assert api.get("/version", role=None).body["major"] == "1"
