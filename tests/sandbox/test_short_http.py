"""Without a socket a client of the sandbox's own servers hears the same as over one."""

from __future__ import annotations

from typing import Any

import pytest
from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from sandbox.kube import Fault, KubeCluster, KubeServer
from sandbox.short_http import ShortPools

FAULTS = (
    None,
    Fault(drop=True),
    Fault(drop=True, after_commit=True),
    Fault(truncate=True),
    Fault(status=429, retry_after=1),
    Fault(status=502, body="<html>Bad Gateway</html>"),
)


def heard(pools: PoolManager, server: KubeServer, method: str, path: str, body: bytes | None) -> Any:
    headers = {"Authorization": "Bearer sandbox", "User-Agent": "a client", "Content-Type": "application/json"}
    try:
        answer = pools.request(method, server.url + path, body=body, headers=headers, retries=False)
    except HTTPError as error:
        return type(error).__name__, [type(arg).__name__ for arg in error.args]
    return answer.status, answer.headers.get("Content-Type"), answer.headers.get("Retry-After"), answer.json


def everything(pools: PoolManager, cluster: KubeCluster, server: KubeServer, name: str) -> list[Any]:
    """Each fault at a read and at a write; then what has come of the writes."""
    told = []
    for number, fault in enumerate(FAULTS):
        made = f'{{"metadata": {{"name": "{name}-{number}"}}}}'.encode()
        for method, body in (("GET", None), ("POST", made)):
            if fault is not None:
                cluster.faults.add(fault)
            answer = heard(pools, server, method, "/api/v1/namespaces", body)
            told.append(answer[:3])
            cluster.faults.clear()
    there = [one["metadata"]["name"] for one in cluster.list("namespaces")]
    return [*told, [number for number in range(len(FAULTS)) if f"{name}-{number}" in there]]


def test_a_client_without_a_socket_hears_what_one_with_a_socket_hears() -> None:
    """Answers, refusals and broken connections are the same to the caller, and so is what was done."""
    cluster = KubeCluster(tokens={"sandbox": "system:admin"})
    with KubeServer(cluster) as server, PoolManager() as pools, ShortPools([server]) as short:
        by_socket = everything(pools, cluster, server, "by-socket")
        assert everything(short, cluster, server, "without") == by_socket
        assert [answer[0] for answer in by_socket[:2]] == [200, 201]
        asked = [(r.method, r.path, r.user, r.status) for r in cluster.requests]
    half = len(asked) // 2
    assert asked[:half] == asked[half:]


def test_only_the_servers_that_were_named_are_reached() -> None:
    """There is no way out of the process."""
    with KubeServer(KubeCluster()) as server, ShortPools([server]) as short, pytest.raises(KeyError):
        short.request("GET", "http://127.0.0.1:9/")
