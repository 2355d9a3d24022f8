"""What a visit reads to know which EgressIPs select the same pods, and what becomes of it when it can't."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chalicelib.adapters.errors import Denied
from chalicelib.domain.drift.contenders import MOST_NAMESPACES
from chalicelib.domain.findings import Kind
from chalicelib.domain.snapshot import EgressIpSpec
from tests import factories
from tests.worlds import ADDRESSES, World

LEGACY = '{"matchLabels":{"team":"legacy"}}'
OURS = json.loads(factories.NAMESPACES)["matchLabels"]
FORBIDDEN = Denied("cluster API", "list namespaces", '403: namespaces is forbidden: cannot list resource "namespaces"')


def met(namespaces: str = LEGACY, pods: str | None = None) -> World:
    """A settled world beside somebody's EgressIP, and namespaces with the labels of both."""
    world = World()
    world.settle()
    there = factories.egress_ip("theirs", labels={})
    world.cluster.egress_ips["theirs"] = replace(there, spec=EgressIpSpec((), namespaces, pods))
    world.cluster.namespaces = {"web": {**OURS, "team": "legacy", "x": "y"}, "quiet": {"team": "legacy"}}
    return world


def kinds(world: World) -> set[Kind]:
    return {finding.kind for finding in world.visit().findings}


def test_nothing_is_read_where_no_two_objects_can_meet() -> None:
    """One object, or selectors that exclude each other: a quiet cluster costs not one request more."""
    world = World()
    world.settle()
    world.visit()
    assert world.cluster.looked_at == []
    key = next(iter(OURS))
    world = met(json.dumps({"matchLabels": {key: "another"}}))
    assert kinds(world) == set()
    assert world.cluster.looked_at == []


def test_pods_are_read_only_where_they_decide() -> None:
    """A namespace shared as a whole needs none; else those of the shared namespace alone, with the labels asked for."""
    world = met()
    assert kinds(world) == {Kind.SELECTOR_OVERLAP}
    assert world.cluster.looked_at == ["namespaces"]
    world = met(pods='{"matchLabels":{"app":"db"}}')
    world.cluster.pods = {"web": {"db-0": {"app": "db", "x": "y"}}}
    assert kinds(world) == {Kind.SELECTOR_OVERLAP}
    assert world.cluster.looked_at == ["namespaces", "web"]


def test_a_visit_reads_the_pods_of_so_many_namespaces_and_says_when_there_are_more() -> None:
    """However many namespaces two objects share, repairs do not wait for them."""
    world = met(pods='{"matchLabels":{"app":"db"}}')
    world.cluster.namespaces = {f"n{n:02}": {**OURS, "team": "legacy"} for n in range(MOST_NAMESPACES + 5)}
    (found,) = world.visit().findings
    assert len(world.cluster.looked_at) == 1 + MOST_NAMESPACES
    assert "5 more" in found.summary


@pytest.mark.parametrize("operation", ["fetch_namespaces", "fetch_pods"])
def test_a_missing_right_stops_nothing_else(operation: str) -> None:
    """The ClusterRole of an earlier version: the address is put back all the same, and one warning names the file."""
    world = met(pods='{"matchLabels":{"app":"db"}}')
    world.cluster.fail(operation, FORBIDDEN)
    world.cluster.edit("ns", ADDRESSES[0])
    outcome = world.visit()
    assert [write[0] for write in world.cluster.writes if write[0] == "apply_egress_ip"]
    assert outcome.status == "done"
    (found,) = [finding for finding in outcome.findings if finding.kind is Kind.SECTION_UNKNOWN]
    assert "deploy/rbac.yaml" in found.todo


def test_an_open_overlap_is_not_over_because_it_cannot_be_looked_for() -> None:
    """A failed read is no reason to tell people that all is well; once it can be read and is gone, it is over."""
    world = met()
    world.visit()
    world.clock.advance(90)
    world.visit()
    assert any("select the same pods" in alert.subject for alert in world.alerts.sent)
    told = len(world.alerts.sent)
    world.cluster.fail("fetch_namespaces")
    for _ in range(3):
        world.clock.advance(90)
        world.visit()
    assert not any("theirs" in alert.body and "RESOLVED" in alert.subject for alert in world.alerts.sent[told:])
    world.cluster.heal()
    del world.cluster.namespaces["web"]
    for _ in range(3):
        world.clock.advance(90)
        world.visit()
    assert any("theirs" in alert.body and "RESOLVED" in alert.subject for alert in world.alerts.sent[told:])


def test_a_dark_cluster_is_not_asked_for_labels_too() -> None:
    """Where nodes or assignments could not be read, nothing will be said of overlaps, and time is short."""
    world = met()
    world.cluster.fail("fetch_nodes")
    world.visit()
    assert world.cluster.looked_at == []
