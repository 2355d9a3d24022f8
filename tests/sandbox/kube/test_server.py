"""The server on its socket: connections, TLS, shutdown, size."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from pathlib import Path

import pytest
import urllib3
import yaml

from sandbox.kube import KubeCluster, KubeServer, kubeconfig, make_certificates
from tests.sandbox.kube.client import ADMIN, EGRESS_IPS, NODES, Api, egress_ip, node, pages


def test_a_connection_serves_many_requests(cluster: KubeCluster) -> None:
    """Keep-alive, after errors too."""
    with KubeServer(cluster) as server:
        connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]))
        connection.connect()
        first = connection.sock
        for path, status in ((NODES, 200), (f"{NODES}/nothing", 404), ("/nowhere", 404), (NODES, 200)):
            connection.request("GET", path)
            answer = connection.getresponse()
            assert (answer.status, len(answer.read()) > 0) == (status, True)
        assert connection.sock is first
        connection.close()


def test_https_with_an_authority_of_our_own(cluster: KubeCluster, tmp_path: Path) -> None:
    """Trusted by name and by address with that authority, and not without it."""
    files, authority = make_certificates(tmp_path)
    ca_file = tmp_path / "ca.crt"
    ca_file.write_text(authority)
    with KubeServer(cluster, tls=files) as server:
        trusting = Api(server.url, {ADMIN: "x"}, str(ca_file))
        assert trusting.get(NODES).status == 200
        by_name = Api(server.url.replace("127.0.0.1", "localhost"), {ADMIN: "x"}, str(ca_file))
        assert by_name.get(NODES).status == 200
        stranger = urllib3.PoolManager(retries=False, ssl_context=ssl.create_default_context())
        with pytest.raises(urllib3.exceptions.SSLError):
            stranger.request("GET", server.url + NODES)
        with pytest.raises(urllib3.exceptions.ProtocolError):
            stranger.request("GET", server.url.replace("https", "http") + NODES)
        assert trusting.get(NODES).status == 200
        trusting.close()
        by_name.close()
        stranger.clear()


def test_the_kubeconfig_names_server_token_and_authority() -> None:
    """In the places kubectl and the client libraries look."""
    config = yaml.safe_load(kubeconfig("https://127.0.0.1:1", "secret", "PEM"))
    assert config["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:1",
        "certificate-authority-data": "UEVN",
    }
    assert config["users"][0]["user"] == {"token": "secret"}
    assert config["current-context"] == config["contexts"][0]["name"]


def test_closing_ends_watches_and_connections(cluster: KubeCluster) -> None:
    """At once, and nothing is left running."""
    before = set(threading.enumerate())
    server = KubeServer(cluster)
    pool = urllib3.PoolManager(retries=False, timeout=10.0)
    answer = pool.request("GET", f"{server.url}{EGRESS_IPS}?watch=1", preload_content=False)
    cluster.create("egressips", egress_ip("web"), manager="test")
    assert json.loads(next(iter(answer.stream())))["type"] == "ADDED"
    started = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - started < 3
    answer.close()
    pool.clear()
    assert set(threading.enumerate()) <= before


def test_events_reach_a_watch_as_they_happen(cluster: KubeCluster) -> None:
    """Not when the watch ends."""
    with KubeServer(cluster) as server:
        pool = urllib3.PoolManager(retries=False, timeout=10.0)
        answer = pool.request("GET", f"{server.url}{EGRESS_IPS}?watch=1", preload_content=False)
        stream = answer.stream()
        for index in range(3):
            cluster.create("egressips", egress_ip(f"web-{index}"), manager="test")
            event = json.loads(next(stream))
            assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", f"web-{index}")
        answer.close()
        pool.clear()


def test_two_servers_may_serve_one_cluster(cluster: KubeCluster) -> None:
    """What one writes the other reads."""
    with KubeServer(cluster) as first, KubeServer(cluster) as second:
        writer, reader = Api(first.url, {ADMIN: "x"}), Api(second.url, {ADMIN: "x"})
        writer.post(NODES, node("n1"))
        assert reader.get(f"{NODES}/n1").status == 200
        writer.close()
        reader.close()


def heavy_node(index: int) -> dict[str, object]:
    """A Node of about 13 kB, as on a real cluster; most of it is the list of images."""
    image = f"quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:{'0' * 64}"
    big = node(f"node-{index:05}", labels={f"label-{i}": "value" for i in range(30)})
    big["status"]["images"] = [{"names": [f"{image}{i}"], "sizeBytes": i} for i in range(50)]
    return big


@pytest.mark.slow
def test_five_thousand_nodes_are_listed_in_pages(cluster: KubeCluster, served: Api) -> None:
    """Every node comes once, whatever the page size. How long it takes is for the benchmarks to say."""
    for index in range(5000):
        cluster.create("nodes", heavy_node(index), manager="kubelet")
    served.get(f"{NODES}?limit=1")
    for limit in (500, 100):
        names = [node["metadata"]["name"] for page in pages(served, NODES, limit) for node in page.body["items"]]
        assert len(names) == len(set(names)) == 5000
