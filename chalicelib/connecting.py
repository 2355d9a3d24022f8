"""Adapters from settings and fleet file: one a cluster or account, made on first use, and kept.

Belongs here: what is shared by whom, and what each is built with. Does not belong here: what is done with them
(`wiring`, `usecases`). Each adapter is imported where it is made: a function pays for those that it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.calls import CallCounter
from chalicelib.domain.spec import ClusterSpec, SecretRef
from chalicelib.settings import Settings


class Adapters:
    """Adapters by cluster and account, sharing clients, caches and one counter of calls."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self.calls = CallCounter()
        self._environment = environment
        self._address_limits: dict[str, int] = {}
        self._ec2: dict[tuple[str, str | None], Any] = {}
        self._cluster: dict[ClusterSpec, Any] = {}
        self._ocm: dict[tuple[str, str, SecretRef], Any] = {}
        self._tokens: dict[ClusterSpec, Any] = {}

    @cached_property
    def aws(self) -> Aws:
        """The account and Region that the functions run in."""
        return Aws(calls=self.calls)

    @cached_property
    def queues(self) -> Any:
        """Both queues."""
        from chalicelib.adapters.queues import SqsQueues

        return SqsQueues(self.settings.events_queue_url, self.settings.work_queue_url, self.aws)

    @cached_property
    def memory(self) -> Any:
        """Findings and runs."""
        from chalicelib.adapters.memory import DynamoMemory

        return DynamoMemory(self.settings.table, self.aws)

    @cached_property
    def alerts(self) -> Any:
        """The topic."""
        from chalicelib.adapters.alerts import SnsAlerts

        return SnsAlerts(self.settings.topic_arn, self.aws)

    def caller(self) -> str:
        """Who we are to AWS, as an ARN. STS answers that to everyone who has credentials."""
        return str(self.aws.call("sts", "GetCallerIdentity")["Arn"])

    @cached_property
    def _secrets(self) -> Any:
        from chalicelib.adapters.secrets import Secrets

        return Secrets(self.aws, environment=self._environment)

    def ec2(self, cluster: ClusterSpec) -> Any:
        """EC2 in the cluster's account and Region."""
        from chalicelib.adapters.ec2 import Ec2Api

        key = (cluster.region, cluster.role_arn)
        if key not in self._ec2:
            aws = Aws(cluster.region, role_arn=cluster.role_arn, calls=self.calls)
            self._ec2[key] = Ec2Api(aws, limits=self._address_limits)
        return self._ec2[key]

    def cluster(self, cluster: ClusterSpec) -> Any:
        """The cluster's API, with its connection and token kept between visits."""
        from chalicelib.adapters.cluster import KubernetesApi

        if cluster not in self._cluster:
            self._cluster[cluster] = KubernetesApi(self._wire(cluster, self._secrets.token_source(cluster.api.token)))
        return self._cluster[cluster]

    def ocm(self, cluster: ClusterSpec) -> Any:
        """OCM as the cluster's account there sees it, its token kept between visits; None where the fleet names none.

        Clusters of one account share one adapter, and so one token.
        """
        if cluster.ocm is None or cluster.ocm.credentials is None:
            return None
        from chalicelib.adapters.exchange import Http
        from chalicelib.adapters.ocm import OcmApi
        from chalicelib.adapters.ocm_token import OcmToken
        from chalicelib.adapters.ocm_wire import OcmWire

        key = (cluster.ocm.url, cluster.ocm.token_url, cluster.ocm.credentials)
        if key not in self._ocm:
            http = Http()
            credentials = self._secrets.credential_source(cluster.ocm.credentials)
            token = OcmToken(cluster.ocm.token_url, credentials, http, calls=self.calls)
            self._ocm[key] = OcmApi(OcmWire(cluster.ocm.url, token, http, calls=self.calls))
        return self._ocm[key]

    def token(self, cluster: ClusterSpec) -> Any:
        """The token that the cluster's API is asked with, where it is kept."""
        from chalicelib.adapters.cluster_token import ClusterTokenStore

        if cluster not in self._tokens:
            self._tokens[cluster] = ClusterTokenStore(
                self._secrets, cluster.api.token, lambda token: self._wire(cluster, token)
            )
        return self._tokens[cluster]

    def _wire(self, cluster: ClusterSpec, token: Any) -> Any:
        from chalicelib.adapters.cluster_wire import ClusterWire

        return ClusterWire(cluster.api.url, token, ca=cluster.api.ca, calls=self.calls)
