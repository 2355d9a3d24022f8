"""The OCM adapter on the simulated OCM: what it reads and writes, and that all of it is as OCM's document says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.errors import Conflict, Denied, NotFound, Rejected, Unreachable
from chalicelib.adapters.exchange import Http
from chalicelib.adapters.ocm import OcmApi
from chalicelib.adapters.ocm_token import OcmToken
from chalicelib.adapters.ocm_wire import OcmWire
from chalicelib.adapters.secrets import ClientCredentials
from chalicelib.domain.pools import MachinePool, NewPool, OcmCluster, Scaling, Taint
from chalicelib.usecases.ports import Ocm as OcmPort
from sandbox.ocm import ACCOUNT, Fault, Ocm, OcmServer, PoolsWithoutMachines, cluster_document
from sandbox.ocm import OcmCluster as Simulated
from sandbox.rosa import Flavour, PoolSpec, Scenario
from tests import ocm_document
from tests.adapters.wire import FakeTime

EGRESS = "k8s.ovn.org/egress-assignable"
ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")
SUBNETS = {f"subnet-{zone[-1]}": zone for zone in ZONES}
SCENARIOS = {flavour: Scenario(name=flavour.value, flavour=flavour) for flavour in Flavour}
ONE = Scaling(1, 1, auto=False)


def known(ocm: Ocm, scenario: Scenario) -> Simulated:
    zones = ZONES[:1] if scenario.flavour is Flavour.HCP else ZONES
    web = PoolSpec(name="web", zones=zones, replicas=3, labels={"team": "web"})
    document = cluster_document(scenario, "https://api.example.com:443", tuple(SUBNETS))
    return ocm.add_cluster(Simulated(document, scenario.flavour, PoolsWithoutMachines(web), SUBNETS))


@pytest.fixture
def ocm() -> Iterator[Ocm]:
    """An OCM that knows a cluster of each flavour; every exchange is checked against OCM's document."""
    ocm = Ocm()
    for scenario in SCENARIOS.values():
        known(ocm, scenario)
    yield ocm
    ocm_document.check(ocm.exchanges)


@pytest.fixture
def server(ocm: Ocm) -> Iterator[OcmServer]:  # in place of the scripted one
    with OcmServer(ocm) as server:
        yield server


def adapter(server: OcmServer, time: FakeTime, account: tuple[str, str] = ACCOUNT) -> OcmApi:
    http, calls = Http(), CallCounter()
    source = ClientCredentials(*account, place="secret egress-keeper/ocm")
    token = OcmToken(server.token_url, lambda *, force=False: source, http, calls=calls)
    return OcmApi(OcmWire(server.url, token, http, calls=calls, sleep=time.sleep))


@pytest.fixture
def api(server: OcmServer, time: FakeTime) -> OcmPort:
    return adapter(server, time)


def cluster_of(api: OcmPort, flavour: Flavour) -> OcmCluster:
    return api.fetch_cluster(SCENARIOS[flavour].cluster_id)


@pytest.mark.parametrize("flavour", Flavour)
def test_cluster_is_read_by_id(api: OcmPort, flavour: Flavour) -> None:
    """What decides about egress, in one shape for both flavours."""
    scenario = SCENARIOS[flavour]
    assert cluster_of(api, flavour) == OcmCluster(
        id=scenario.cluster_id,
        name=scenario.name,
        infra_id=scenario.infra_id,
        hosted=flavour is Flavour.HCP,
        state="ready",
        multi_az=True,
        region="eu-central-1",
        version="4.20.3",
        subnet_ids=tuple(SUBNETS),
        zones=ZONES,
    )


def test_cluster_is_found_by_name(api: OcmPort, ocm: Ocm) -> None:
    """A name is searched for; one that several clusters carry is refused with their ids."""
    assert api.fetch_cluster("hcp") == cluster_of(api, Flavour.HCP)
    twin = SCENARIOS[Flavour.HCP]
    document = {**cluster_document(twin, "https://api.example.com:443", ()), "id": "z" * 32}
    ocm.add_cluster(Simulated(document, Flavour.HCP, PoolsWithoutMachines(), {}))
    with pytest.raises(Rejected, match=f"2 clusters are called hcp; give one of the ids {twin.cluster_id}, zzz"):
        api.fetch_cluster("hcp")


@pytest.mark.parametrize("key", ["nosuch", "0" * 32])
def test_unknown_cluster_is_not_found(api: OcmPort, key: str) -> None:
    """By name as by id."""
    with pytest.raises(NotFound):
        api.fetch_cluster(key)


@pytest.mark.parametrize("flavour", Flavour)
def test_pools_are_listed(api: OcmPort, flavour: Flavour) -> None:
    """All of them, by name."""
    hosted = flavour is Flavour.HCP
    zones = ZONES[:1] if hosted else ZONES
    subnets = ("subnet-a",) if hosted else tuple(SUBNETS)
    cluster = cluster_of(api, flavour)
    web = MachinePool("web", {"team": "web"}, "m5.xlarge", Scaling(3, 3, auto=False), zones, subnets)
    assert api.fetch_pools(cluster) == (web,)
    assert (api.fetch_pool(cluster, "web"), api.fetch_pool(cluster, "nosuch")) == (web, None)


@pytest.mark.parametrize("flavour", Flavour)
def test_labels_are_set_and_nothing_else(api: OcmPort, ocm: Ocm, flavour: Flavour) -> None:
    """The body holds the whole map of labels alone: an echoed `replicas` would undo a scaling done in between."""
    cluster = cluster_of(api, flavour)
    wanted = {"team": "web", EGRESS: ""}
    api.set_pool_labels(cluster, "web", wanted)
    found = api.fetch_pool(cluster, "web")
    assert found is not None
    assert found.labels == wanted
    assert [each.body for each in ocm.exchanges.matching("PATCH")] == [{"labels": wanted}]
    api.set_pool_labels(cluster, "web", {})
    assert api.fetch_pools(cluster)[0].labels == {}


@pytest.mark.parametrize(
    ("flavour", "pool", "zones"),
    [
        pytest.param(
            Flavour.HCP, NewPool("egress", "m5.xlarge", ONE, {EGRESS: ""}, subnet="subnet-b"), ZONES[1:2], id="hcp"
        ),
        pytest.param(
            Flavour.HCP,
            NewPool(
                "egress",
                "m5.xlarge",
                Scaling(2, 4, auto=True),
                taints=(Taint("a", "b", "NoSchedule"),),
                subnet="subnet-a",
            ),
            ZONES[:1],
            id="hcp, scaled, tainted",
        ),
        pytest.param(Flavour.CLASSIC, NewPool("egress", "m5.xlarge", Scaling(3, 3, auto=False)), ZONES, id="all zones"),
        pytest.param(
            Flavour.CLASSIC, NewPool("egress", "m5.xlarge", Scaling(3, 6, auto=True)), ZONES, id="all zones, scaled"
        ),
        pytest.param(Flavour.CLASSIC, NewPool("egress", "m5.xlarge", ONE, zone=ZONES[2]), ZONES[2:], id="one zone"),
        pytest.param(
            Flavour.CLASSIC, NewPool("egress", "m5.xlarge", ONE, subnet="subnet-b"), ZONES[1:2], id="one subnet"
        ),
    ],
)
def test_pool_is_created(api: OcmPort, flavour: Flavour, pool: NewPool, zones: tuple[str, ...]) -> None:
    """What comes back is what was asked for, and a second time is a conflict."""
    cluster = cluster_of(api, flavour)
    made = api.create_pool(cluster, pool)
    assert (made.name, made.labels, made.scaling, made.taints) == (pool.name, pool.labels, pool.scaling, pool.taints)
    assert (made.zones, made.instance_type) == (zones, pool.instance_type)
    assert api.fetch_pool(cluster, "egress") == made
    with pytest.raises(Conflict, match=r"409: .* with id 'egress' already exists \(CLUSTERS-MGMT-409, operation "):
        api.create_pool(cluster, pool)


def test_hcp_pool_without_subnet_is_rejected_before_it_is_sent(api: OcmPort, ocm: Ocm) -> None:
    """A zone is not enough there."""
    cluster = cluster_of(api, Flavour.HCP)
    with pytest.raises(Rejected, match="made in one subnet"):
        api.create_pool(cluster, NewPool("egress", "m5.xlarge", ONE, zone=ZONES[0]))
    assert ocm.exchanges.matching("POST", "node_pools") == []


def test_uneven_pool_is_rejected_with_ocm_s_reason(api: OcmPort) -> None:
    """The reader gets OCM's sentence and what support asks for."""
    with pytest.raises(Rejected, match=r"400: A multi AZ .* \(CLUSTERS-MGMT-400, operation [0-9a-f-]{36}\)"):
        api.create_pool(cluster_of(api, Flavour.CLASSIC), NewPool("egress", "m5.xlarge", ONE))


def test_many_node_pools_come_by_ordered_pages(api: OcmPort, ocm: Ocm) -> None:
    """`order=id` until `total` is reached: without it the simulated pages would not fit together."""
    cluster = cluster_of(api, Flavour.HCP)
    for number in range(105):
        ocm.cluster(cluster.id).create_pool(
            {"id": f"p{number}", "subnet": "subnet-a", "replicas": 0, "aws_node_pool": {"instance_type": "m5.xlarge"}}
        )
    assert len(api.fetch_pools(cluster)) == 106
    pages = [each.query for each in ocm.exchanges.matching("GET", "node_pools$")]
    assert pages == [{"page": str(number), "size": "100", "order": "id"} for number in (1, 2)]


def test_token_that_ends_in_mid_visit_is_renewed(api: OcmPort, ocm: Ocm) -> None:
    """A write that meets a 401 has not happened, so it is sent again with a new token."""
    cluster = cluster_of(api, Flavour.HCP)
    ocm.accounts.revoke()
    api.set_pool_labels(cluster, "web", {EGRESS: ""})
    assert [each.status for each in ocm.exchanges.matching("PATCH")] == [401, 200]
    assert len(ocm.exchanges.matching("POST", "token$")) == 2


def test_wrong_credentials_name_their_place(server: OcmServer, time: FakeTime) -> None:
    """One error: which value, from where, and what is allowed; never the secret."""
    with pytest.raises(Denied) as raised:
        adapter(server, time, ("sandbox", "hunter2")).fetch_cluster("hcp")
    assert str(raised.value) == (
        "OCM: get token: the token endpoint refuses (401 invalid_client) client_id sandbox with its client_secret, "
        "both from secret egress-keeper/ocm; allowed are those of a service account that is neither deleted nor rotated"
    )


def test_write_whose_answer_is_lost_is_not_sent_again(api: OcmPort, ocm: Ocm) -> None:
    """It may have happened: whoever asked looks, as after every write."""
    cluster = cluster_of(api, Flavour.HCP)
    ocm.faults.add(Fault(method="PATCH", drop=True, after_commit=True))
    with pytest.raises(Unreachable, match="the connection was cut"):
        api.set_pool_labels(cluster, "web", {EGRESS: ""})
    assert len(ocm.exchanges.matching("PATCH")) == 1
    assert api.fetch_pools(cluster)[0].labels == {EGRESS: ""}


def test_pool_of_a_cluster_that_is_hidden_is_not_absent(api: OcmPort, ocm: Ocm) -> None:
    """A 404 for the cluster must not look like "no such pool", or the pool would be created."""
    cluster = cluster_of(api, Flavour.HCP)
    ocm.faults.add(Fault(path="node_pools", status=404))
    with pytest.raises(NotFound):
        api.fetch_pool(cluster, "web")
