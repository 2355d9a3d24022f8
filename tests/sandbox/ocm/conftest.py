"""An OCM with one cluster of each flavour, on a socket; whatever a test asked of it is checked against the document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sandbox.ocm import Ocm, OcmCluster, OcmServer, PoolsWithoutMachines, cluster_document
from sandbox.rosa import Flavour, PoolSpec, Scenario
from tests import ocm_document
from tests.sandbox.ocm.client import Client

ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")
SUBNETS = {f"subnet-{zone[-1]}": zone for zone in ZONES}

HCP = Scenario(name="hcp")
CLASSIC = Scenario(name="classic", flavour=Flavour.CLASSIC)


@dataclass
class Setting:
    ocm: Ocm
    client: Client
    hcp: OcmCluster
    classic: OcmCluster


def ocm_cluster(scenario: Scenario, *pools: PoolSpec) -> OcmCluster:
    document = cluster_document(scenario, "https://api.example.com:443", tuple(SUBNETS))
    return OcmCluster(document, scenario.flavour, PoolsWithoutMachines(*pools), SUBNETS)


@pytest.fixture
def setting() -> Iterator[Setting]:
    ocm = Ocm()
    labels = {"team": "web", "tier": "front"}
    web = PoolSpec(name="web", zones=ZONES[:1], replicas=2, labels=labels)
    hcp = ocm.add_cluster(ocm_cluster(HCP, web))
    classic = ocm.add_cluster(ocm_cluster(CLASSIC, PoolSpec(name="web", zones=ZONES, replicas=3, labels=labels)))
    with OcmServer(ocm) as server, Client(server.url) as client:
        yield Setting(ocm, client, hcp, classic)
    ocm_document.check(ocm.exchanges)
