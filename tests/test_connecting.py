"""Adapters from settings: what is built when, and what is shared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.adapters.errors import Rejected
from chalicelib.connecting import Adapters
from chalicelib.domain.spec import ApiSpec, ClusterSpec, OcmSpec, SecretRef
from chalicelib.settings import Settings
from sandbox.ocm import ACCOUNT_SECRET, Ocm, OcmCluster, OcmServer, PoolsWithoutMachines, cluster_document
from sandbox.rosa import Scenario

SCENARIO = Scenario(name="prod")
API = ApiSpec("https://api.example.com:443", SecretRef(env="TOKEN"))


def cluster(ocm: OcmSpec | None, name: str = "prod") -> ClusterSpec:
    return ClusterSpec(name, "eu-central-1", SCENARIO.infra_id, API, (), ocm=ocm)


def test_ocm_is_none_where_the_fleet_names_none() -> None:
    """Neither without `ocm` nor without credentials is there anything to ask with."""
    adapters = Adapters(Settings(), {})
    assert (adapters.ocm(cluster(None)), adapters.ocm(cluster(OcmSpec(SCENARIO.cluster_id)))) == (None, None)


def test_clusters_of_one_account_share_one_token() -> None:
    """A fleet of a hundred clusters asks for one token, not for a hundred; another account has its own."""
    ocm = Ocm()
    document = cluster_document(SCENARIO, API.url, ("subnet-a",))
    ocm.add_cluster(OcmCluster(document, SCENARIO.flavour, PoolsWithoutMachines(), {}))
    with OcmServer(ocm) as server:
        spec = OcmSpec(SCENARIO.cluster_id, SecretRef(env="OCM"), server.url, server.token_url)
        other = OcmSpec(SCENARIO.cluster_id, SecretRef(env="OTHER"), server.url, server.token_url)
        adapters = Adapters(Settings(), {"OCM": ACCOUNT_SECRET, "OTHER": ACCOUNT_SECRET})
        found = {adapters.ocm(cluster(spec, name)).fetch_cluster(SCENARIO.cluster_id).name for name in ("a", "b")}
        assert (found, len(ocm.exchanges.matching("POST"))) == ({"prod"}, 1)
        adapters.ocm(cluster(other)).fetch_cluster(SCENARIO.cluster_id)
        assert len(ocm.exchanges.matching("POST")) == 2
    assert adapters.calls.by_operation == {("OCM", "get cluster"): 3, ("OCM", "get token"): 2}


def test_wrong_ocm_secret_is_told_when_it_is_used(tmp_path: Path) -> None:
    """Building adapters reads nothing: a mistake in one cluster's secret must not stop the others."""
    path = tmp_path / "ocm.json"
    path.write_text(json.dumps({"client_id": "keeper", "secret": "hunter2"}))
    api = Adapters(Settings(), {}).ocm(cluster(OcmSpec(SCENARIO.cluster_id, SecretRef(file=str(path)))))
    with pytest.raises(Rejected, match=r"ocm\.json is not a JSON object with a text under 'client_secret'"):
        api.fetch_cluster(SCENARIO.cluster_id)
