"""WATCH: resuming, selectors, initial events.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

import pytest

from tests.sandbox.kube.client import EGRESS_IPS, Api, applied, unique


def test_a_watch_resumes_after_a_version(api: Api) -> None:
    """Everything since, once, in order."""
    start = api.get(EGRESS_IPS).body["metadata"]["resourceVersion"]
    path, _ = applied(api, "10.0.1.5")
    api.merge(path, {"metadata": {"labels": {"kick": "1"}}})
    api.delete(path)
    events = api.watch(EGRESS_IPS, f"resourceVersion={start}")
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


def test_a_watch_without_version_starts_with_what_is_there(api: Api) -> None:
    """As ADDED events."""
    path, config = applied(api, "10.0.1.5")
    name = config["metadata"]["name"]
    events = api.watch(EGRESS_IPS, f"fieldSelector=metadata.name%3D{name}")
    assert [(event["type"], event["object"]) for event in events] == [("ADDED", api.get(path).body)]


def test_a_selector_turns_changes_into_arrivals_and_departures(api: Api) -> None:
    """An object that stops matching is DELETED in its last matching state, under the new version."""
    path, _ = applied(api, "10.0.1.5")
    start = api.get(path).body["metadata"]["resourceVersion"]
    label = unique("group")
    api.merge(path, {"metadata": {"labels": {"group": label}}})
    last = api.merge(path, {"metadata": {"labels": {"group": None}}}).body
    arrived, left = api.watch(EGRESS_IPS, f"resourceVersion={start}&labelSelector=group%3D{label}")
    assert (arrived["type"], left["type"]) == ("ADDED", "DELETED")
    assert left["object"]["metadata"]["labels"] == {"group": label}
    assert left["object"]["metadata"]["resourceVersion"] == last["metadata"]["resourceVersion"]


def test_initial_events_end_with_a_bookmark(api: Api) -> None:
    """sendInitialEvents: the state, then a bookmark that says it was complete."""
    _, config = applied(api, "10.0.1.5")
    name = config["metadata"]["name"]
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = api.watch(EGRESS_IPS, f"{query}&fieldSelector=metadata.name%3D{name}")
    assert [event["type"] for event in events[:2]] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


@pytest.mark.parametrize("query", ["sendInitialEvents=true", "resourceVersionMatch=NotOlderThan&resourceVersion=1"])
def test_watch_parameters_that_do_not_fit(api: Api, query: str) -> None:
    """422 before anything is streamed."""
    reply = api.get(f"{EGRESS_IPS}?watch=true&timeoutSeconds=1&{query}")
    assert (reply.status, reply.causes[0]["field"]) == (422, "resourceVersionMatch")


def test_a_watch_version_must_be_a_number(api: Api) -> None:
    """500 (sic), before anything is streamed."""
    assert api.get(f"{EGRESS_IPS}?watch=true&timeoutSeconds=1&resourceVersion=abc").status == 500
    wrong = api.get(f"{EGRESS_IPS}?watch=true&sendInitialEvents=true&resourceVersionMatch=Exact")
    assert (wrong.status, len(wrong.causes)) == (422, 2)
