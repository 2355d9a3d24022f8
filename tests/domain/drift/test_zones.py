"""A zone without a node: on its way for the first time, or lost."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain.findings import Kind
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import Snapshot
from tests import factories as make
from tests.domain.reading import A, B, finding
from tests.factories import known

DESIRED = make.cluster(make.policy("ns", A, B))
FIRST = make.instance("a", 1, launched_at=make.NOW - timedelta(minutes=1))
ELSEWHERE = make.snapshot("b")


def patience(observed: Snapshot) -> int:
    return finding(plan(observed, DESIRED), Kind.NO_ELIGIBLE_NODE).patience_seconds


def test_a_zone_that_waits_for_its_first_node_has_time() -> None:
    """Nothing was promised of it yet, and a new node may take 25 minutes."""
    instances = (*known(ELSEWHERE.instances), FIRST)
    assert patience(make.snapshot("b", instances=instances)) == 25 * 60


def test_a_zone_that_lost_its_nodes_is_told_at_once() -> None:
    """A node that joins does not make up for the old one that can't carry any more."""
    there = make.snapshot("b", instances=(*known(ELSEWHERE.instances), make.instance("a"), FIRST))
    nodes = (*known(there.nodes), make.node("a", ready=False))
    assert patience(make.snapshot("b", instances=known(there.instances), nodes=nodes)) == 0


def test_a_zone_whose_address_was_asked_for_is_told_at_once() -> None:
    """Its pods count on it: that they leave by another address meanwhile is news."""
    instances = (*known(ELSEWHERE.instances), FIRST)
    assert patience(make.snapshot("b", instances=instances, egress_ips=(make.egress_ip("ns", A, B),))) == 0
