"""A plain HTTP client for the cluster API, that cleans up what it made; it knows nothing of the simulator."""

from __future__ import annotations

import itertools
import json
import secrets
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

EGRESS_IPS = "/apis/k8s.ovn.org/v1/egressips"
CLOUD_IPS = "/apis/cloud.network.openshift.io/v1/cloudprivateipconfigs"
NODES = "/api/v1/nodes"
NAMESPACES = "/api/v1/namespaces"
EVENTS = "/api/v1/namespaces/default/events"

ADMIN, CONTROL_PLANE, NOBODY = "admin", "control plane", "nobody"

_RUN = secrets.token_hex(3)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Reply:
    """An answer: *body* is parsed JSON, or text where it is none."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))

    @property
    def message(self) -> str:
        return str(self.body["message"])

    @property
    def causes(self) -> list[dict[str, str]]:
        return list(self.body.get("details", {}).get("causes", []))

    @property
    def owners(self) -> dict[tuple[str, str, str], Any]:
        """(manager, operation, subresource) → fieldsV1."""
        entries = self.body["metadata"].get("managedFields", [])
        return {(e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"] for e in entries}


class Api:
    """Talks to one server. *tokens* has one for each role."""

    def __init__(self, url: str, tokens: Mapping[str, str], ca_file: str | None = None) -> None:
        context = ssl.create_default_context(cafile=ca_file) if ca_file else None
        self._pool = urllib3.PoolManager(retries=False, timeout=10.0, ssl_context=context)
        self._url = url
        self._tokens = tokens
        self._made: dict[str, None] = {}

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        kind: str = "application/json",
        *,
        accept: str = "application/json",
        agent: str = "contract/1.0 (test)",
        role: str | None = ADMIN,
        token: str | None = None,
    ) -> Reply:
        """One request; *body* is sent as it is if text, else as JSON."""
        headers = {"User-Agent": agent, "Accept": accept}
        sent = self._tokens[role] if role and token is None else token
        if sent:
            headers["Authorization"] = f"Bearer {sent}"
        data = None
        if body is not None:
            headers["Content-Type"] = kind
            data = body if isinstance(body, str) else json.dumps(body)
        answer = self._pool.request(method, self._url + path, body=data, headers=headers)
        reply = Reply(answer.status, _parsed(answer.data), answer.headers)
        made = reply.body.get("metadata") if isinstance(reply.body, dict) else None
        if answer.status == 201 and "dryRun" not in path and made and "name" in made:
            collection = path.partition("?")[0]
            name = made["name"]
            self._made[collection if collection.endswith(f"/{name}") else f"{collection}/{name}"] = None
        return reply

    def get(self, path: str, **options: Any) -> Reply:
        return self.call("GET", path, **options)

    def post(self, path: str, body: object, **options: Any) -> Reply:
        return self.call("POST", path, body, **options)

    def apply(self, path: str, body: object, manager: str = "keeper", *, force: bool = False, more: str = "") -> Reply:
        query = f"fieldManager={manager}" + ("&force=true" if force else "") + more
        return self.call("PATCH", f"{path}?{query}", body, APPLY)

    def merge(self, path: str, body: object, **options: Any) -> Reply:
        return self.call("PATCH", path, body, MERGE, **options)

    def delete(self, path: str, body: object = None, **options: Any) -> Reply:
        return self.call("DELETE", path, body, **options)

    def watch(self, path: str, query: str) -> list[dict[str, Any]]:
        """All events of a watch that ends after one second."""
        answer = self._pool.request(
            "GET",
            f"{self._url}{path}?watch=true&timeoutSeconds=1&{query}",
            headers={"Authorization": f"Bearer {self._tokens[ADMIN]}", "Accept": "application/json"},
        )
        return [json.loads(line) for line in answer.data.splitlines()]

    def clean_up(self) -> None:
        """Delete everything this client created."""
        for path in self._made:
            self.merge(path, {"metadata": {"finalizers": None}})
            self.delete(path)
        self._made.clear()

    def close(self) -> None:
        self._pool.clear()


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode()


def pages(api: Api, path: str, limit: int) -> Iterator[Reply]:
    """Every page of a list."""
    separator = "&" if "?" in path else "?"
    token = ""
    while True:
        page = api.get(f"{path}{separator}limit={limit}" + (f"&continue={token}" if token else ""))
        yield page
        token = page.body["metadata"].get("continue", "")
        if not token:
            return


def unique(prefix: str) -> str:
    """A name nothing else in this run has."""
    return f"{prefix}-{_RUN}-{next(_numbers)}"


def egress_ip(name: str, *addresses: str, labels: Mapping[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"labels": dict(labels)} if labels else {})}
    wanted = {"egressIPs": list(addresses), "namespaceSelector": {"matchLabels": {"team": "web"}}, **spec}
    return {"apiVersion": "k8s.ovn.org/v1", "kind": "EgressIP", "metadata": metadata, "spec": wanted}


def cloud_ip(address: str, node: str) -> dict[str, Any]:
    return {
        "apiVersion": "cloud.network.openshift.io/v1",
        "kind": "CloudPrivateIPConfig",
        "metadata": {"name": address},
        "spec": {"node": node},
    }


def node(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, **metadata},
        "spec": {"providerID": f"aws:///us-east-1a/{name}"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "10.0.1.10"}, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }


def applied(api: Api, *addresses: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """(path, configuration) of an EgressIP applied by ``keeper``."""
    config = egress_ip(unique("web"), *addresses, **more)
    path = f"{EGRESS_IPS}/{config['metadata']['name']}"
    assert api.apply(path, config).status == 201
    return path, config


def make_group(api: Api, count: int) -> str:
    """A selector that finds *count* new objects, whose label ``i`` counts from 0."""
    label = unique("group")
    for index in range(count):
        api.post(EGRESS_IPS, egress_ip(unique(f"{label}-x"), labels={"group": label, "i": str(index)}))
    return f"{EGRESS_IPS}?labelSelector=group%3D{label}"
