"""Laws of the OCM adapter under whatever goes wrong: the truth or an error, and never half a write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.errors import AdapterError
from chalicelib.adapters.ocm import OcmApi
from chalicelib.domain.pools import NewPool, OcmCluster, Scaling
from sandbox.ocm import Fault, Ocm, OcmServer, PoolsWithoutMachines, cluster_document
from sandbox.ocm import OcmCluster as Simulated
from sandbox.rosa import PoolSpec, Scenario
from tests.adapters.test_ocm import adapter
from tests.adapters.wire import FakeTime

SCENARIO = Scenario(name="prod")
ZONE = next(iter(SCENARIO.zones))
CLUSTER = OcmCluster(SCENARIO.cluster_id, "prod", SCENARIO.infra_id, hosted=True, state="ready")
BEFORE, WANTED = {"team": "web"}, {"team": "web", "k8s.ovn.org/egress-assignable": ""}
HTML = "<html>gateway</html>"

SITUATIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    **{str(status): {"status": status} for status in (401, 403, 404, 409, 429, 500, 503)},
    "429 later": {"status": 429, "retry_after": 2},
    "404 by a gateway": {"status": 404, "body": HTML},
    "502 by a gateway": {"status": 502, "body": HTML},
    "200 by a gateway": {"status": 200, "body": HTML},
    "another object": {"status": 200, "body": "{}"},
    "500 after the deed": {"status": 500, "after_commit": True},
    "hung up": {"drop": True},
    "hung up after the deed": {"drop": True, "after_commit": True},
    "half an answer": {"truncate": True},
    "no content type": {"content_type": ""},
    "a warning": {"headers": (("Warning", '299 - "soon"'),)},
}
"""What one request meets; one after the other, token requests included."""

TROUBLE = st.lists(st.sampled_from(sorted(SITUATIONS)), max_size=7)


class Place:
    """A simulated OCM with one pool, as it was, before every example."""

    def __init__(self, ocm: Ocm, api: OcmApi) -> None:
        self.ocm = ocm
        self.api = api

    def begin(self, trouble: list[str]) -> None:
        self.ocm.faults.clear()
        self.ocm.exchanges.clear()
        self.ocm.forget_clusters()
        pools = PoolsWithoutMachines(PoolSpec(name="web", zones=(ZONE,), replicas=2, labels=BEFORE))
        document = cluster_document(SCENARIO, "https://api.example.com:443", ("subnet-a",))
        self.ocm.add_cluster(Simulated(document, SCENARIO.flavour, pools, {"subnet-a": ZONE}))
        for name in trouble:
            self.ocm.faults.add(Fault(times=1, **SITUATIONS[name]))  # names of its fields

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.ocm.cluster(CLUSTER.id).pool("web").get("labels", {})
        return labels

    @property
    def names(self) -> list[str]:
        return [pool["id"] for pool in self.ocm.cluster(CLUSTER.id).pools()]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    ocm = Ocm()
    with OcmServer(ocm) as server:
        yield Place(ocm, adapter(server, FakeTime()))


@given(trouble=TROUBLE)
def test_a_read_tells_the_truth_or_fails(place: Place, trouble: list[str]) -> None:
    """No trouble makes a pool vanish, or a label."""
    place.begin(trouble)
    with contextlib.suppress(AdapterError):
        assert [(pool.name, dict(pool.labels)) for pool in place.api.fetch_pools(CLUSTER)] == [("web", BEFORE)]
    place.begin(trouble)
    with contextlib.suppress(AdapterError):
        found = place.api.fetch_pool(CLUSTER, "web")
        assert found is not None
        assert found.labels == BEFORE


@given(trouble=TROUBLE)
def test_a_write_is_done_or_it_is_said(place: Place, trouble: list[str]) -> None:
    """Labels are afterwards those before or those wanted, and those wanted if nobody says otherwise."""
    place.begin(trouble)
    try:
        place.api.set_pool_labels(CLUSTER, "web", WANTED)
    except AdapterError:
        assert place.labels in (BEFORE, WANTED)
    else:
        assert place.labels == WANTED
    # A PATCH that OCM answered well is not sent again, however little of the answer arrived.
    assert sum(each.status == 200 and not each.injected for each in place.ocm.exchanges.matching("PATCH")) <= 1


@given(trouble=TROUBLE)
def test_a_pool_is_made_once_or_it_is_said(place: Place, trouble: list[str]) -> None:
    """And asking until it works never makes a second."""
    place.begin(trouble)
    new = NewPool("egress", "m5.xlarge", Scaling(2, 2, auto=False), subnet="subnet-a")
    try:
        assert place.api.create_pool(CLUSTER, new).name == "egress"
    except AdapterError:
        assert place.names in (["web"], ["web", "egress"])
    else:
        assert place.names == ["web", "egress"]
