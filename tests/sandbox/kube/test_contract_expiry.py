"""What happens to a client when the history that it relies on has been compacted away.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

import time
from typing import Any

from tests.sandbox.kube.client import EGRESS_IPS, Api, Reply, applied, make_group
from tests.sandbox.kube.conftest import Target

NOTICE_SECONDS = 60.0
"""A real server gives old versions from its cache until it sees that etcd compacted them: it looks every 15 seconds."""


def once_expired(api: Api, path: str) -> Reply:
    end = time.monotonic() + NOTICE_SECONDS
    while (reply := api.get(path)).status == 200 and time.monotonic() < end:
        time.sleep(0.5)
    return reply


def names(reply: Reply) -> list[Any]:
    return [item["metadata"]["name"] for item in reply.body["items"]]


def test_a_continue_token_expires(api: Api, target: Target) -> None:
    """410 with a token that goes on regardless, showing what is there by then."""
    path = make_group(api, 4)
    first = api.get(f"{path}&limit=2")
    token = first.body["metadata"]["continue"]
    third, last = names(api.get(path))[2:]
    api.delete(f"{EGRESS_IPS}/{last}")
    target.forget()
    reply = once_expired(api, f"{path}&limit=2&continue={token}")
    assert (reply.status, reply.reason) == (410, "Expired")
    assert reply.message.startswith("The provided continue parameter is too old to display a consistent list result.")
    rest = api.get(f"{path}&limit=2&continue={reply.body['metadata']['continue']}")
    assert names(rest) == [third]


def test_a_token_of_the_latest_state_outlives_a_compaction(api: Api, target: Target) -> None:
    """Nothing was written since, so nothing is lost."""
    path = make_group(api, 3)
    token = api.get(f"{path}&limit=2").body["metadata"]["continue"]
    target.forget()
    assert names(api.get(f"{path}&limit=2&continue={token}")) == names(api.get(path))[2:]


def test_an_exact_version_expires(api: Api, target: Target) -> None:
    """410."""
    version = api.get(EGRESS_IPS).body["metadata"]["resourceVersion"]
    applied(api, "10.0.1.5")
    target.forget()
    reply = once_expired(api, f"{EGRESS_IPS}?resourceVersion={version}&resourceVersionMatch=Exact")
    assert (reply.status, reply.message) == (410, "The resourceVersion for the provided list is too old.")
