"""Labels of nodes that exist: set on HCP, waited for on classic, and nodes that no pool will ever label."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.actions import LabelNode
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.machine_pools.labelling import PROPAGATION_TIME
from chalicelib.domain.planning import plan
from chalicelib.domain.pools import OcmView
from chalicelib.domain.remembered import NOTHING_REMEMBERED, Memo, Remembered
from chalicelib.domain.snapshot import Node, Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec
from tests import factories as make

HCP = make.node("a", assignable=None)
CLASSIC = make.node("a", assignable=None, pool=None)
DESIRED = make.cluster(infra_id=make.ocm_cluster().id)
CLASSIC_VIEW = make.ocm_view(hosted=False, infra_id=DESIRED.infra_id)


def seen(*nodes: Node, ocm: OcmView | Unknown | None = None) -> Snapshot:
    return make.snapshot(nodes=nodes, instances=tuple(make.instance(zone) for zone in "abc"), ocm=ocm)


def missing(observed: Snapshot, memory: Remembered = NOTHING_REMEMBERED, desired: ClusterSpec = DESIRED) -> Finding:
    (finding,) = (f for f in plan(observed, desired, memory).findings if f.kind is Kind.NODE_LABEL_MISSING)
    return finding


def waited(time: timedelta) -> Remembered:
    fingerprint = Finding(Kind.NODE_LABEL_MISSING, "node node-a0", Severity.INFO, "").fingerprint("demo")
    return Remembered({fingerprint: Memo(make.NOW - time, make.NOW)})


@pytest.mark.parametrize(
    "ocm", [None, Unknown("machine pools", "503", "OCM"), make.ocm_view()], ids=["none", "unknown", "known"]
)
def test_on_hcp_nodes_of_the_pools_are_labelled_by_us(ocm: OcmView | Unknown | None) -> None:
    """HCP gives a node its labels once: whatever OCM says or does not say, the node's own label is ours to set."""
    planned = plan(seen(HCP, make.node("b"), ocm=ocm), DESIRED)
    assert planned.actions == (LabelNode("node-a0", (), "machine pool egress-a is to carry egress addresses"),)


@pytest.mark.parametrize("flaw", [{"deleting": True}, {"uninitialized": True}, {"instance_id": "i-elsewhere"}])
def test_nodes_that_leave_arrive_or_are_of_other_pools_are_not_labelled(flaw: dict[str, Any]) -> None:
    """Only nodes that stay, and that the fleet file names by their pool."""
    assert plan(seen(replace(HCP, **flaw), ocm=make.ocm_view()), DESIRED).actions == ()


def test_on_classic_no_node_is_ever_labelled_by_hand() -> None:
    """That would make the platform's operator take the label from sibling nodes."""
    for ocm in (None, CLASSIC_VIEW):
        assert plan(seen(CLASSIC, ocm=ocm), DESIRED).actions == ()


def test_on_classic_the_label_is_waited_for() -> None:
    """It takes minutes from the pool to its nodes: in motion, and nobody is told."""
    planned = plan(seen(CLASSIC, ocm=CLASSIC_VIEW), DESIRED, waited(PROPAGATION_TIME / 2))
    assert "node node-a0 waits for the label of its machine pool egress-a" in planned.moving
    finding = missing(seen(CLASSIC, ocm=CLASSIC_VIEW), waited(PROPAGATION_TIME / 2))
    assert (finding.severity, finding.certain) == (Severity.INFO, False)


def test_on_classic_a_label_that_is_late_is_said_once_and_at_once() -> None:
    """After that time it does not come by itself; the visit need not come back for it either."""
    observed = seen(CLASSIC, ocm=CLASSIC_VIEW)
    finding = missing(observed, waited(PROPAGATION_TIME))
    assert (finding.severity, finding.certain) == (Severity.WARNING, True)
    assert "10 minutes and more" in finding.summary
    assert not [item for item in plan(observed, DESIRED, waited(PROPAGATION_TIME)).moving if "waits" in item]


def test_on_classic_a_label_that_goes_missing_again_has_its_time_again() -> None:
    """What is remembered of the last time is no reason to call this one late before the platform had a chance."""
    fingerprint, memo = next(iter(waited(PROPAGATION_TIME * 9).memos.items()))
    again = Remembered({fingerprint: replace(memo, open=False)})
    assert missing(seen(CLASSIC, ocm=CLASSIC_VIEW), again).severity is Severity.INFO


def test_on_classic_a_pool_without_the_label_is_the_cause_and_told_alone() -> None:
    """One message, not one a node; the nodes' time begins when the pool has it."""
    bare = make.ocm_view(make.pool("a", labels={}), hosted=False, infra_id=DESIRED.infra_id)
    planned = plan(seen(CLASSIC, ocm=bare), replace(DESIRED, machine_pools=DESIRED.machine_pools[:1]))
    kinds = {finding.kind for finding in planned.findings}
    assert Kind.POOL_LABEL_MISSING in kinds
    assert Kind.NODE_LABEL_MISSING not in kinds


def test_on_classic_without_ocm_a_person_is_told() -> None:
    """Nobody here can see the pool's labels."""
    finding = missing(seen(CLASSIC))
    assert finding.severity is Severity.WARNING
    assert "Never label the node by hand" in finding.todo


def test_nodes_of_autonode_are_named_as_such() -> None:
    """Karpenter's nodes are of no machine pool: nobody of us labels them, and people know."""
    karpenter = make.node("b", instance_id="i-k", pool=None, autonode="general", assignable=None)
    observed = replace(seen(make.node("a"), karpenter, ocm=make.ocm_view()))
    (finding,) = (f for f in plan(observed, DESIRED).findings if f.kind is Kind.NODE_OUTSIDE_POOLS)
    assert (finding.subject, finding.severity) == ("nodes of AutoNode", Severity.INFO)
    assert "node-b0 (general)" in finding.summary


def test_labelled_nodes_of_no_pool_are_named_as_such() -> None:
    """They carry addresses, and what replaces them will not."""
    instances = (make.instance("a"), make.instance("b", pool=None))
    observed = make.snapshot(nodes=(make.node("a"), make.node("b")), instances=instances)
    (finding,) = (f for f in plan(observed, DESIRED).findings if f.kind is Kind.NODE_OUTSIDE_POOLS)
    assert finding.subject == "labelled nodes of no machine pool"
    assert "node-b0" in finding.summary
    assert finding.severity is Severity.INFO
