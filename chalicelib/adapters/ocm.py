"""Clusters and machine pools in OpenShift Cluster Manager (OCM), API `clusters_mgmt` v1.

There is no kept Python client for it, and three reads and two writes need none. Neither pool nor cluster has a version
to write against: whoever changes labels reads them before and after, and one visit at a time writes to a cluster.

What it needs in OCM: to see the cluster, and *Machine Pool Editor* for its pools.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from chalicelib.adapters.errors import NotFound, Rejected, Unreachable
from chalicelib.adapters.ocm_answers import SOURCE
from chalicelib.adapters.ocm_parse import Unreadable, parse_cluster, parse_pool, pool_body
from chalicelib.adapters.ocm_wire import OcmWire, Operation, Request
from chalicelib.domain.pools import MachinePool, NewPool, OcmCluster

CLUSTERS = "/api/clusters_mgmt/v1/clusters"

PAGE_SIZE = 100
RESTARTS = 2
"""How often a list is begun again whose pages did not fit together, because pools came or went meanwhile."""

WORD = re.compile(r"[A-Za-z0-9_-]+")
"""What may become part of a path or a search; the rule of `rosa`."""

CLUSTER_ID = re.compile(r"[a-z0-9]{32}")

T = TypeVar("T")


class OcmApi:
    """The `Ocm` port over HTTP; see `OcmWire` for what it is built with."""

    def __init__(self, wire: OcmWire) -> None:
        self._wire = wire

    def fetch_cluster(self, cluster_id: str) -> OcmCluster:
        """One cluster by its id, or by its name where *cluster_id* does not look like an id.

        Raises:
            NotFound: OCM knows none, or shows us none.
            Rejected: The text cannot be either, or several clusters carry the name.
        """
        operation = self._wire.begin("get cluster")
        word = _checked(operation, "cluster", cluster_id)
        if CLUSTER_ID.fullmatch(word):
            return _parse(operation, parse_cluster, self._wire.send(operation, Request("GET", f"{CLUSTERS}/{word}")))
        search = f"product.id = 'rosa' AND (id = '{word}' OR name = '{word}' OR external_id = '{word}')"
        found = self._list(operation, CLUSTERS, {"search": search, "order": "id"}, "ClusterList")
        if not found:
            raise NotFound(SOURCE, operation.name, f"there is no cluster with the id or name {word}")
        if len(found) > 1:
            ids = ", ".join(str(item.get("id")) for item in found)
            raise Rejected(
                SOURCE, operation.name, f"{len(found)} clusters are called {word}; give one of the ids {ids}"
            )
        return _parse(operation, parse_cluster, found[0])

    def fetch_pools(self, cluster: OcmCluster) -> tuple[MachinePool, ...]:
        """All pools of the cluster, sorted by name."""
        operation = self._wire.begin(f"list {_words(cluster)}s")
        # Without an order, pages do not fit together, and the list of machine pools takes none: all of them at once.
        query = {"order": "id"} if cluster.hosted else {"size": "-1"}
        kind = "NodePoolList" if cluster.hosted else "MachinePoolList"
        found = self._list(operation, _pools_path(operation, cluster), query, kind)
        pools = [_parse(operation, _pool_parser(cluster), item) for item in found]
        return tuple(sorted(pools, key=lambda pool: pool.name))

    def fetch_pool(self, cluster: OcmCluster, name: str) -> MachinePool | None:
        """One pool as it is now; None where there is none of that name.

        A 404 may be for the cluster as well as for the pool, so the list has the last word.
        """
        operation = self._wire.begin(f"get {_words(cluster)}")
        try:
            answer = self._wire.send(operation, Request("GET", _pool_path(operation, cluster, name)))
        except NotFound:
            return next((pool for pool in self.fetch_pools(cluster) if pool.name == name), None)
        return _parse(operation, _pool_parser(cluster), answer)

    def set_pool_labels(self, cluster: OcmCluster, name: str, labels: Mapping[str, str]) -> None:
        """Replace the whole map of labels, and nothing else of the pool: a field that is echoed is a field undone."""
        operation = self._wire.begin(f"label {_words(cluster)}")
        path = _pool_path(operation, cluster, name)
        answer = self._wire.send(operation, Request("PATCH", path, body={"labels": dict(labels)}))
        # `kind` and `id` are all that an answer to a PATCH has to have.
        if answer.get("kind") != _kind(cluster) or answer.get("id") != name:
            raise Unreachable(SOURCE, operation.name, f"the answer is not the {_words(cluster)}")

    def create_pool(self, cluster: OcmCluster, pool: NewPool) -> MachinePool:
        """Make a pool.

        Raises:
            Conflict: One of that name is there already.
            Rejected: OCM does not want it so.
        """
        operation = self._wire.begin(f"create {_words(cluster)}")
        _checked(operation, _words(cluster), pool.name)
        try:
            body = pool_body(pool, hosted=cluster.hosted)
        except ValueError as error:
            raise Rejected(SOURCE, operation.name, str(error)) from error
        answer = self._wire.send(operation, Request("POST", _pools_path(operation, cluster), body=body))
        return _parse(operation, _pool_parser(cluster), answer)

    def _list(self, operation: Operation, path: str, query: Mapping[str, str], kind: str) -> list[dict[str, Any]]:
        """All items, each once. Raises Unreachable where the pages will not fit together."""
        for _ in range(1 + RESTARTS):
            items = self._pages(operation, path, query, kind)
            if items is not None:
                return items
        raise Unreachable(SOURCE, operation.name, "the list is not complete: its pages do not fit together")

    def _pages(
        self, operation: Operation, path: str, query: Mapping[str, str], kind: str
    ) -> list[dict[str, Any]] | None:
        """One pass over the pages; None where an item came twice, or the pages ended before `total`."""
        by_id: dict[str, dict[str, Any]] = {}
        page = 1
        while True:
            asked = {"page": str(page), "size": str(PAGE_SIZE), **query}
            answer = self._wire.send(operation, Request("GET", path, asked))
            items, total = answer.get("items") or [], answer.get("total")
            if answer.get("kind") != kind or not isinstance(items, list) or not isinstance(total, int):
                raise Unreachable(SOURCE, operation.name, f"the answer is not a {kind}")
            for item in items:
                key = item.get("id") if isinstance(item, dict) else None
                if not isinstance(key, str):
                    raise Unreachable(SOURCE, operation.name, "an item of the list has no id")
                if key in by_id:
                    return None
                by_id[key] = item
            if len(by_id) >= total:
                return list(by_id.values())
            if not items or asked["size"] == "-1":
                return None
            page += 1


def _checked(operation: Operation, what: str, text: str) -> str:
    """*text*, if it may become part of a path or a search."""
    if not WORD.fullmatch(text):
        allowed = "allowed are letters, digits, hyphens and underscores"
        raise Rejected(SOURCE, operation.name, f"{what} {text[:80]!r} is no id: {allowed}")
    return text


def _pools_path(operation: Operation, cluster: OcmCluster) -> str:
    collection = "node_pools" if cluster.hosted else "machine_pools"
    return f"{CLUSTERS}/{_checked(operation, 'cluster', cluster.id)}/{collection}"


def _pool_path(operation: Operation, cluster: OcmCluster, name: str) -> str:
    return f"{_pools_path(operation, cluster)}/{_checked(operation, _words(cluster), name)}"


def _kind(cluster: OcmCluster) -> str:
    return "NodePool" if cluster.hosted else "MachinePool"


def _words(cluster: OcmCluster) -> str:
    return "node pool" if cluster.hosted else "machine pool"


def _pool_parser(cluster: OcmCluster) -> Callable[[Mapping[str, Any]], MachinePool]:
    return lambda item: parse_pool(item, hosted=cluster.hosted)


def _parse(operation: Operation, parse: Callable[[Mapping[str, Any]], T], item: Mapping[str, Any]) -> T:
    try:
        return parse(item)
    except Unreadable as error:
        raise Unreachable(SOURCE, operation.name, f"the answer cannot be read: {error}") from error
