"""What everything that is an `Ocm` does alike: the adapter on the simulated OCM, and the fake that use cases run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.adapters.errors import Conflict, NotFound
from chalicelib.domain.pools import MachinePool, NewPool, OcmCluster, Scaling, Taint
from chalicelib.usecases.ports import Ocm as OcmPort
from sandbox.ocm import Ocm, OcmServer, PoolsWithoutMachines, cluster_document
from sandbox.ocm import OcmCluster as Simulated
from sandbox.rosa import PoolSpec, Scenario
from tests.adapters.test_ocm import adapter
from tests.adapters.wire import FakeTime
from tests.fakes import FakeOcm

SCENARIO = Scenario(name="prod")
ZONE = next(iter(SCENARIO.zones))
WEB = MachinePool("web", {"team": "web"}, "m5.xlarge", Scaling(2, 2, auto=False), (ZONE,), ("subnet-a",))
API = MachinePool("api", {}, "m5.xlarge", Scaling(1, 1, auto=False), (ZONE,), ("subnet-a",))
NEW = NewPool(
    "egress", "m5.xlarge", Scaling(2, 4, auto=True), {"a": "b"}, (Taint("k", "v", "NoSchedule"),), subnet="subnet-a"
)


def spec(pool: MachinePool) -> PoolSpec:
    return PoolSpec(name=pool.name, zones=pool.zones, replicas=pool.scaling.least, labels=dict(pool.labels))


@pytest.fixture(params=["simulated", "fake"])
def ocm(request: pytest.FixtureRequest, time: FakeTime) -> Iterator[OcmPort]:
    if request.param == "fake":
        yield FakeOcm(OcmCluster(SCENARIO.cluster_id, "prod", SCENARIO.infra_id, hosted=True, state="ready"), WEB, API)
        return
    simulated = Ocm()
    pools = PoolsWithoutMachines(spec(WEB), spec(API))
    document = cluster_document(SCENARIO, "https://api.example.com:443", ("subnet-a",))
    simulated.add_cluster(Simulated(document, SCENARIO.flavour, pools, {"subnet-a": ZONE}))
    with OcmServer(simulated) as server:
        yield adapter(server, time)


@pytest.fixture
def cluster(ocm: OcmPort) -> OcmCluster:
    return ocm.fetch_cluster(SCENARIO.cluster_id)


def test_cluster_is_found_by_its_id_alone(ocm: OcmPort, cluster: OcmCluster) -> None:
    """Another id is not found; the use cases make a finding of that."""
    assert (cluster.id, cluster.hosted, cluster.state) == (SCENARIO.cluster_id, True, "ready")
    with pytest.raises(NotFound):
        ocm.fetch_cluster("0" * 32)


def test_pools_are_sorted_and_complete(ocm: OcmPort, cluster: OcmCluster) -> None:
    """One by one they are the same as in the list; None is not an error."""
    assert ocm.fetch_pools(cluster) == (API, WEB)
    assert (ocm.fetch_pool(cluster, "web"), ocm.fetch_pool(cluster, "nosuch")) == (WEB, None)


def test_labels_are_replaced_and_nothing_else_is(ocm: OcmPort, cluster: OcmCluster) -> None:
    """Whoever wants to keep a label sends it along."""
    ocm.set_pool_labels(cluster, "web", {"other": ""})
    found = ocm.fetch_pool(cluster, "web")
    assert found is not None
    assert (found.labels, found.scaling, ocm.fetch_pool(cluster, "api")) == ({"other": ""}, WEB.scaling, API)


def test_pool_that_is_gone_cannot_be_labelled(ocm: OcmPort, cluster: OcmCluster) -> None:
    """Somebody deleted it between the read and the write."""
    with pytest.raises(NotFound):
        ocm.set_pool_labels(cluster, "nosuch", {})


def test_pool_is_made_once(ocm: OcmPort, cluster: OcmCluster) -> None:
    """It is what was asked for; a second one of its name is a conflict and changes nothing."""
    made = ocm.create_pool(cluster, NEW)
    assert (made.name, made.labels, made.scaling, made.taints) == (NEW.name, NEW.labels, NEW.scaling, NEW.taints)
    assert (made.instance_type, made.subnets) == (NEW.instance_type, ("subnet-a",))
    with pytest.raises(Conflict):
        ocm.create_pool(cluster, NEW)
    assert [pool.name for pool in ocm.fetch_pools(cluster)] == ["api", "egress", "web"]
