"""OCM's API without HTTP: clusters and pools of `clusters_mgmt`, what `rosa` asks besides, and the token endpoint."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.kube import Fault, Faults
from sandbox.ocm import beside, kinds
from sandbox.ocm.cluster import OcmCluster
from sandbox.ocm.errors import OcmError, bad_request, not_found
from sandbox.ocm.listing import list_page
from sandbox.ocm.tokens import ACCOUNT, TOKEN_PATH, Accounts, Refused
from sandbox.ocm.wire import ExchangeLog, Request, Response


class Ocm:
    """What OCM knows, and its answers.

    Attributes:
        accounts: Who may ask; the service account `tokens.ACCOUNT` is there.
        faults: What goes wrong with HTTP requests, the token endpoint's too.
        exchanges: Requests that came over HTTP, and their answers.
        intercept: Asked for a fault of an HTTP request before `faults`.
        overhear: Told of each HTTP request and the answer that is sent in full.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.accounts = Accounts(clock)
        self.accounts.add(*ACCOUNT)
        self.faults = Faults()
        self.exchanges = ExchangeLog()
        self.intercept: Callable[[Request], Fault | None] = lambda _request: None
        self.overhear: Callable[[Request, Response], None] = lambda _request, _answer: None
        self._clusters: dict[str, OcmCluster] = {}
        self._lock = threading.RLock()
        self._lists = itertools.count()
        self._operations = itertools.count(1)

    def add_cluster(self, cluster: OcmCluster) -> OcmCluster:
        """Make a cluster known."""
        self._clusters[cluster.id] = cluster
        return cluster

    def forget_clusters(self) -> None:
        """Know no cluster any more."""
        self._clusters.clear()

    def cluster(self, cluster_id: str) -> OcmCluster:
        """One cluster. Raises OcmError 404."""
        if cluster_id not in self._clusters:
            raise not_found(f"Cluster '{cluster_id}'")
        return self._clusters[cluster_id]

    def answer(self, request: Request) -> Response:
        """The answer to one request, whatever it is."""
        if request.path == TOKEN_PATH:
            return self._token(request)
        if self.accounts.user_of(request.headers.get("authorization", "")) is None:
            return self.refusal(OcmError(401, "Bearer token is missing, unknown or over"))
        try:
            with self._lock:
                return self._route(request)
        except OcmError as error:
            return self.refusal(error)

    def refusal(self, error: OcmError) -> Response:
        """An error as OCM words it, with the next operation id."""
        operation_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"operation {next(self._operations)}"))
        headers = (("X-Operation-Id", operation_id),)
        return Response(error.status, error.body(operation_id, self.clock()), headers)

    def _token(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(405, {"error": "invalid_request"})
        try:
            return Response(200, self.accounts.grant(request.headers.get("authorization", ""), request.form))
        except Refused as refused:
            return Response(refused.status, refused.body)

    def _route(self, request: Request) -> Response:
        match request.method, request.segments:
            case _, ["api", "clusters_mgmt", "v1", "clusters", *rest] if rest:
                return self._of_cluster(request, self.cluster(rest[0]), rest[1:])
            case "GET", ["api", "clusters_mgmt", "v1", "clusters"]:
                return self._list(request, "Cluster", [each.document for each in self._clusters.values()])
            case _, ["api", service, "v1", *rest]:
                return self._beside(request, service, rest)
            case _:
                raise not_found(f"'{request.path}'")

    def _of_cluster(self, request: Request, cluster: OcmCluster, rest: Sequence[str]) -> Response:
        match request.method, rest:
            case "GET", []:
                return Response(200, cluster.document)
            case "GET", ["autoscaler"]:
                if cluster.autoscaler is None:
                    raise not_found(f"Autoscaler for cluster ID '{cluster.id}'")
                return Response(200, {"kind": "ClusterAutoscaler", **cluster.autoscaler})
            case "GET", ["tuning_configs"]:
                return self._list(request, "TuningConfig", [])
            case "GET", ["kubelet_configs"]:
                return self._list(request, "KubeletConfig", [])
            case _, [("machine_pools" | "node_pools") as collection, *names]:
                if collection != cluster.kind.collection:
                    other = next(kind for kind in kinds.KINDS.values() if kind is not cluster.kind)
                    raise bad_request(f"{other.words}s are not for cluster '{cluster.id}', {cluster.kind.words}s are")
                return self._of_pools(request, cluster, names)
            case _:
                raise not_found(f"'{request.path}'")

    def _of_pools(self, request: Request, cluster: OcmCluster, names: Sequence[str]) -> Response:
        match request.method, names:
            case "GET", []:
                return self._list(request, cluster.kind.kind, cluster.pools())
            case "POST", []:
                return Response(201, cluster.create_pool(request.json))
            case "GET", [name]:
                return Response(200, cluster.pool(name))
            case "PATCH", [name]:
                return Response(200, cluster.change_pool(name, request.json))
            case "DELETE", [name]:
                cluster.delete_pool(name)
                return Response(204)
            case "GET", [name, "upgrade_policies"]:
                cluster.pool(name)
                return self._list(request, "NodePoolUpgradePolicy", [])
            case _:
                raise OcmError(405, f"Method {request.method} is not allowed here")

    def _beside(self, request: Request, service: str, rest: Sequence[str]) -> Response:
        match request.method, service, rest:
            case "GET", "clusters_mgmt", ["cloud_providers", "aws", "regions"]:
                return self._list(request, "CloudRegion", beside.regions())
            case "POST", "clusters_mgmt", ["aws_inquiries", "machine_types"]:
                return self._list(request, "MachineType", beside.machine_types())
            case "GET", "clusters_mgmt", ["flavours", name]:
                return Response(200, beside.flavour(name))
            case "GET", "clusters_mgmt", ["versions"]:
                return self._list(request, "Version", beside.versions(self._version()))
            case "POST", "clusters_mgmt", ["events"]:
                return Response(201, request.json)
            case "GET", "accounts_mgmt", ["current_account"]:
                user = self.accounts.user_of(request.headers.get("authorization", ""))
                return Response(200, beside.current_account(str(user)))
            case "GET", "accounts_mgmt", ["organizations", _, "quota_cost"]:
                return self._list(request, "QuotaCost", beside.quota_costs())
            case _:
                raise not_found(f"'{request.path}'")

    def _version(self) -> str:
        known = [str(each.document["openshift_version"]) for each in self._clusters.values()]
        return known[0] if known else "4.20.3"

    def _list(self, request: Request, kind: str, items: Sequence[Mapping[str, Any]]) -> Response:
        return Response(200, list_page(kind, items, request.query, next(self._lists)))
