"""A cluster's nodes, EgressIP objects, CloudPrivateIPConfigs, and labels of namespaces and pods, by its API server.

Lists are read page by page, and each page becomes snapshot values before the next one is fetched: that, not the client,
is what bounds memory (5,000 nodes of 13 kB: 37 MB by pages of 100, 280 MB at once). Writes are server-side applies of
our fields alone, never `status`, annotations or a replace: OVN-Kubernetes does not survive those.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from chalicelib.adapters.cluster_answers import SOURCE, Gone
from chalicelib.adapters.cluster_parse import parse_cpic, parse_egress_ip, parse_labelled, parse_node
from chalicelib.adapters.cluster_wire import ClusterWire, Operation, Request
from chalicelib.adapters.errors import NotFound, Unreachable
from chalicelib.domain.actions import OWNER
from chalicelib.domain.snapshot import Cpic, EgressIp, EgressIpSpec, Labelled, Node

T = TypeVar("T", Node, EgressIp, Cpic, Labelled)

NODES = "/api/v1/nodes"
EGRESS_IPS = "/apis/k8s.ovn.org/v1/egressips"
CPICS = "/apis/cloud.network.openshift.io/v1/cloudprivateipconfigs"
NAMESPACES = "/api/v1/namespaces"

NODES_PER_PAGE = 100
OBJECTS_PER_PAGE = 500
"""Nodes are large (13 kB and more): 100 a page was both the fastest and the smallest in memory."""

RESTARTS = 2
"""How often a list is begun again because its continue token got too old (410): with our pages that takes minutes."""

METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Names and labels without the rest: specs and statuses of pods are most of what a cluster has."""

RUNNING = "status.phase!=Succeeded,status.phase!=Failed"
"""Pods that have ended send nothing, and OVN-Kubernetes serves them no more."""

LABELS_SECONDS = 15.0
"""All the time there is for namespaces, and again for pods: repairs wait for them, and one finding depends on them."""

APPLY = "application/apply-patch+yaml"
"""The body is JSON, which is YAML as well."""

MERGE = "application/merge-patch+json"
"""Where a label is taken away: null removes a key, and nothing else is touched."""


class KubernetesApi:
    """The `ClusterApi` port over HTTP; see `ClusterWire` for what it is built with."""

    def __init__(self, wire: ClusterWire) -> None:
        self._wire = wire

    def fetch_nodes(self) -> tuple[Node, ...]:
        """All nodes, sorted by name."""
        found = self._list("list nodes", NODES, NODES_PER_PAGE, parse_node)
        return tuple(sorted(found, key=lambda node: node.name))

    def fetch_egress_ips(self) -> tuple[EgressIp, ...]:
        """All EgressIP objects, ours or not, sorted by name."""
        found = self._list("list egressips", EGRESS_IPS, OBJECTS_PER_PAGE, parse_egress_ip)
        return tuple(sorted(found, key=lambda egress_ip: egress_ip.name))

    def fetch_cpics(self) -> tuple[Cpic, ...]:
        """All CloudPrivateIPConfig objects, sorted by name; IPv6 ones included under their object name."""
        found = self._list("list cloudprivateipconfigs", CPICS, OBJECTS_PER_PAGE, parse_cpic)
        return tuple(sorted(found, key=lambda cpic: cpic.address))

    def fetch_namespaces(self, keys: Collection[str]) -> tuple[Labelled, ...]:
        """All namespaces, sorted by name, each with its labels of these keys."""
        operation = self._wire.begin("list namespaces", most_seconds=LABELS_SECONDS)
        return self._labelled(operation, NAMESPACES, keys)

    def fetch_pods(self, namespaces: Collection[str], keys: Collection[str]) -> Mapping[str, tuple[Labelled, ...]]:
        """Pods of these namespaces that have not ended, sorted by name, each with its labels of these keys."""
        operation = self._wire.begin("list pods", most_seconds=LABELS_SECONDS)
        only_running = {"fieldSelector": RUNNING}
        return {
            namespace: self._labelled(operation, f"{NAMESPACES}/{quote(namespace, safe='')}/pods", keys, only_running)
            for namespace in sorted(namespaces)
        }

    def apply_egress_ip(
        self, name: str, spec: EgressIpSpec, labels: Mapping[str, str], *, force: bool, version: str = ""
    ) -> None:
        """Create the object, or set exactly these fields of it; fields we applied before and no longer name go away.

        Args:
            version: resourceVersion that the object must still have; "" where it need not.

        Raises:
            Conflict: Other managers own fields with other values; `managers` says who and which. Not with *force*.
                Without managers: the object has changed since it had that version.
            Rejected: The values are not valid, or an admission policy refuses them.
        """
        wanted: dict[str, Any] = {
            "egressIPs": list(spec.addresses),
            "namespaceSelector": json.loads(spec.namespace_selector),
        }
        if spec.pod_selector is not None:
            wanted["podSelector"] = json.loads(spec.pod_selector)
        body = {
            "apiVersion": "k8s.ovn.org/v1",
            "kind": "EgressIP",
            "metadata": {"name": name, "labels": dict(labels)} | ({"resourceVersion": version} if version else {}),
            "spec": wanted,
        }
        self._apply(self._wire.begin("apply egressip"), f"{EGRESS_IPS}/{quote(name, safe='')}", body, force=force)

    def delete_egress_ip(self, name: str, uid: str) -> None:
        """Delete the object with that uid; already gone is success.

        Raises:
            Conflict: An object of that name exists, with another uid.
        """
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        operation = self._wire.begin("delete egressip")
        try:
            self._wire.send(operation, Request("DELETE", f"{EGRESS_IPS}/{quote(name, safe='')}", body=options))
        except NotFound:
            return

    def label_node(self, name: str, labels: Mapping[str, str]) -> None:
        """Set labels on a node, taking them over from whoever set them otherwise.

        An apply to an object that does not exist creates it, and nobody wants a Node without a machine. So the node's
        uid is read first and sent along: the server refuses when there is no such object any more.

        Raises:
            NotFound: There is no such node.
            Conflict: It went away, or was replaced, in between.
        """
        operation = self._wire.begin("label node")
        path = f"{NODES}/{quote(name, safe='')}"
        node = self._wire.send(operation, Request("GET", path))
        uid = (node.get("metadata") or {}).get("uid")
        if node.get("kind") != "Node" or not uid:
            raise Unreachable(SOURCE, operation.name, "the answer is not a Node")
        metadata = {"name": name, "uid": uid, "labels": dict(labels)}
        self._apply(operation, path, {"apiVersion": "v1", "kind": "Node", "metadata": metadata}, force=True)

    def unlabel_node(self, name: str, keys: Collection[str]) -> None:
        """Take labels off a node, whoever set them; a node that is gone, or has none of them, is success.

        A merge patch, not an apply: an apply gives up our ownership only, and a label that the platform wrote when the
        node was born would stay. The uid keeps a namesake born in between from losing its labels.

        Raises:
            Conflict: The node was replaced in between.
        """
        operation = self._wire.begin("unlabel node")
        path = f"{NODES}/{quote(name, safe='')}"
        try:
            metadata = self._wire.send(operation, Request("GET", path)).get("metadata") or {}
            there = sorted(set(keys) & set(metadata.get("labels") or {}))
            if not there:
                return
            body = {"metadata": {"uid": metadata.get("uid"), "labels": dict.fromkeys(there)}}
            query = {"fieldManager": OWNER}
            answer = self._wire.send(operation, Request("PATCH", path, query, body, MERGE))
        except NotFound:
            return
        if answer.get("kind") != "Node":
            raise Unreachable(SOURCE, operation.name, "the answer is not a Node")

    def _apply(self, operation: Operation, path: str, body: Mapping[str, Any], *, force: bool) -> None:
        query = {"fieldManager": OWNER} | ({"force": "true"} if force else {})
        answer = self._wire.send(operation, Request("PATCH", path, query, body, APPLY))
        if answer.get("kind") != body["kind"]:  # something between us and the server said yes to what it never saw
            raise Unreachable(SOURCE, operation.name, f"the answer is not a {body['kind']}")

    def _labelled(
        self, operation: Operation, path: str, keys: Collection[str], query: Mapping[str, str] | None = None
    ) -> tuple[Labelled, ...]:
        request = Request("GET", path, {"limit": str(OBJECTS_PER_PAGE), **(query or {})}, accept=METADATA)
        found = self._listed(operation, request, lambda raw: parse_labelled(operation.name, raw, keys))
        return tuple(sorted(found, key=lambda labelled: labelled.name))

    def _list(self, name: str, path: str, page_size: int, parse: Callable[[Any], T]) -> list[T]:
        return self._listed(self._wire.begin(name), Request("GET", path, {"limit": str(page_size)}), parse)

    def _listed(self, operation: Operation, request: Request, parse: Callable[[Any], T]) -> list[T]:
        for _ in range(1 + RESTARTS):
            try:
                return [parse(item) for page in self._pages(operation, request) for item in page]
            except Gone as error:
                expired = error
        raise Unreachable(SOURCE, operation.name, "the list kept changing faster than it could be read") from expired

    def _pages(self, operation: Operation, request: Request) -> Iterator[list[Any]]:
        seen: set[str] = set()
        while True:
            page = self._wire.send(operation, request)
            metadata = page.get("metadata") or {}
            if "items" not in page or not isinstance(page["items"] or [], list) or not isinstance(metadata, dict):
                raise Unreachable(SOURCE, operation.name, "the answer is not a list")
            yield page["items"] or []
            token = metadata.get("continue")
            if not token:
                return
            if token in seen:
                raise Unreachable(SOURCE, operation.name, "the pages repeat themselves")
            seen.add(token)
            request = replace(request, query={**request.query, "continue": token})
