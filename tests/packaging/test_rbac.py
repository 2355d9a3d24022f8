"""`deploy/rbac.yaml` grants what the cluster adapter sends, and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

from chalicelib.adapters.cluster import KubernetesApi
from chalicelib.adapters.cluster_wire import ClusterWire
from chalicelib.domain.snapshot import EgressIpSpec
from tests.packaging.generated import PROJECT

VERBS = {"GET": "get", "DELETE": "delete", "PATCH": "patch"}
KINDS = {
    "nodes": "Node",
    "egressips": "EgressIP",
    "cloudprivateipconfigs": "CloudPrivateIPConfig",
    "namespaces": "Namespace",
    "pods": "Pod",
}
CREATED_BY_APPLY = {"egressips"}
"""Server-side apply of an object that does not exist is authorised as create, too. Nodes must never come about so."""


class Recorder(BaseHTTPRequestHandler):
    """A cluster that says yes, and notes what was asked: method, API group, and resource with or without a name."""

    requests: list[tuple[str, str, list[str]]]

    def answer(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        rest = rest[2:] if rest[0] == "namespaces" and len(rest) > 2 else rest
        self.requests.append((self.command, group, rest))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = KINDS[rest[0]] if len(rest) == 2 else f"{KINDS[rest[0]]}List"
        metadata = {"uid": "u-1", "labels": {"k8s.ovn.org/egress-assignable": ""}}
        body = json.dumps({"kind": kind, "metadata": metadata, "items": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

    def log_request(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def recording() -> Iterator[tuple[str, list[tuple[str, str, list[str]]]]]:
    requests: list[tuple[str, str, list[str]]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Noting", (Recorder,), {"requests": requests}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class FixedToken:
    """A token source that never changes."""

    def __call__(self, *, force: bool = False) -> str:
        return "token"


def permissions_needed() -> set[tuple[str, str, str]]:
    """Return API group, resource and verb of everything that the adapter can send."""
    with recording() as (url, requests):
        cluster = KubernetesApi(ClusterWire(url, FixedToken()))
        cluster.fetch_nodes()
        cluster.fetch_egress_ips()
        cluster.fetch_cpics()
        cluster.fetch_namespaces(["team"])
        cluster.fetch_pods(["web"], ["app"])
        cluster.apply_egress_ip("a", EgressIpSpec(("10.0.0.9",), "{}", None), {}, force=False)
        cluster.delete_egress_ip("a", "u-1")
        cluster.label_node("n", {"k8s.ovn.org/egress-assignable": ""})
        cluster.unlabel_node("n", ["k8s.ovn.org/egress-assignable"])
    found = set()
    for method, group, rest in requests:
        verb = "list" if method == "GET" and len(rest) == 1 else VERBS[method]
        found.add((group, rest[0], verb))
        if verb == "patch" and rest[0] in CREATED_BY_APPLY:
            found.add((group, rest[0], "create"))
    return found


def test_cluster_roles_grant_what_the_adapter_sends() -> None:
    """A missing verb is a visit that fails at a customer's; one too many is a right nobody asked for."""
    documents = list(yaml.safe_load_all((PROJECT / "deploy" / "rbac.yaml").read_text(encoding="utf-8")))
    granted = {
        (group, resource, verb)
        for document in documents
        if document["kind"] == "ClusterRole"
        for rule in document["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == permissions_needed()


def test_every_role_is_bound_to_the_service_account() -> None:
    """Four bindings by hand are easily one short."""
    documents = list(yaml.safe_load_all((PROJECT / "deploy" / "rbac.yaml").read_text(encoding="utf-8")))
    roles = {(one["kind"], one["metadata"]["name"]) for one in documents if one["kind"] in {"Role", "ClusterRole"}}
    bindings = [one for one in documents if one["kind"].endswith("Binding")]
    assert {(one["roleRef"]["kind"], one["roleRef"]["name"]) for one in bindings} == roles
    account = {"kind": "ServiceAccount", "name": "egress-keeper", "namespace": "egress-keeper"}
    assert all(one["subjects"] == [account] for one in bindings)
    (service_account,) = [one["metadata"] for one in documents if one["kind"] == "ServiceAccount"]
    assert service_account == {"name": "egress-keeper", "namespace": "egress-keeper"}
