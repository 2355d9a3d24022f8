"""The label of a pool: put beside those it has, and put back ever more rarely where somebody takes it away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.actions import LabelPool
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.machine_pools.pooling import second_writer_subject
from chalicelib.domain.planning import plan
from chalicelib.domain.remembered import Remembered
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, Node
from chalicelib.domain.spec import PoolSpec
from tests import factories as make
from tests.domain.machine_pools.pooled import MARKED, UNLABELLED, fleet, in_ocm, remembering, seen
from tests.domain.reading import finding as one
from tests.domain.reading import found
from tests.factories import known


def test_a_pool_gets_the_label_beside_those_it_has() -> None:
    """The whole map is replaced, so the whole map is in the action: every label that is there stays."""
    planned = plan(seen(make.ocm_view(UNLABELLED)), fleet(PoolSpec("egress-a")))
    (action,) = in_ocm(planned)
    assert isinstance(action, LabelPool)
    assert action.after == {"team": "net", "tier": "front", **MARKED}
    assert action.summary == f"label machine pool egress-a: +{ASSIGNABLE_LABEL}, 2 other labels kept"
    assert one(planned, Kind.POOL_LABEL_MISSING).repaired_by == action.summary


@pytest.mark.parametrize(
    ("listed", "labelled", "said"),
    [
        (("10.10.100.253",), False, ", and so do its nodes, though addresses were assigned there before."),
        (("10.10.150.253",), False, " in OCM."),
        (("10.10.100.253",), True, ", though its nodes have it: somebody took it off."),
    ],
)
def test_a_pool_that_lost_its_label_with_its_nodes_is_told_at_once(
    listed: tuple[str, ...], labelled: bool, said: str
) -> None:
    """Once it is put back nothing would show why the addresses were out; not for one that is new to the fleet file."""
    there = make.snapshot("ab")
    nodes = tuple(node if labelled else unlabelled(node, "a") for node in known(there.nodes))
    observed = replace(there, ocm=make.ocm_view(UNLABELLED), nodes=nodes, egress_ips=(make.egress_ip("ns", *listed),))
    desired = replace(fleet(PoolSpec("egress-a")), policies=(make.policy("ns", *listed),))
    finding = one(plan(observed, desired), Kind.POOL_LABEL_MISSING)
    assert finding.summary.endswith(said)
    assert finding.settles is said.endswith("OCM.")
    assert ("Find who writes" in finding.todo) is not finding.settles


def unlabelled(node: Node, zone: str) -> Node:
    return replace(node, assignable=None) if node.zone == make.zone_name(zone) else node


@pytest.mark.parametrize("value", ["", "true", "false"])
def test_a_label_that_is_there_stays_as_it_is(value: str) -> None:
    """Any value counts, and nothing is sent: not even our mark, for the label is somebody else's."""
    pool = make.pool("a", labels={ASSIGNABLE_LABEL: value})
    planned = plan(seen(make.ocm_view(pool)), fleet(PoolSpec("egress-a")))
    assert in_ocm(planned) == ()
    assert found(planned, Kind.POOL_LABEL_MISSING) == ()


def tried(tries: int, minutes_ago: float) -> Remembered:
    at = make.NOW - timedelta(minutes=minutes_ago)
    return remembering(
        Kind.SECOND_WRITER, second_writer_subject("egress-a"), tries=tries, tried_at=at if tries else None
    )


@pytest.mark.parametrize(
    ("tries", "minutes_ago", "acts", "severity"),
    [
        pytest.param(0, 0, True, Severity.INFO, id="never set"),
        pytest.param(1, 5, False, Severity.INFO, id="a slip: waits ten minutes"),
        pytest.param(1, 11, True, Severity.INFO, id="a slip: put back"),
        pytest.param(2, 15, False, Severity.WARNING, id="twice: waits twice as long"),
        pytest.param(2, 21, True, Severity.WARNING, id="twice: put back, and said"),
        pytest.param(5, 120, False, Severity.WARNING, id="five times: waits hours"),
        pytest.param(5, 161, True, Severity.WARNING, id="five times: put back"),
        pytest.param(60, 719, False, Severity.WARNING, id="at most half a day"),
        pytest.param(60, 721, True, Severity.WARNING, id="and then again"),
    ],
)
def test_a_label_that_somebody_takes_away_is_put_back_ever_more_rarely(
    tries: int, minutes_ago: float, acts: bool, severity: Severity
) -> None:
    """Two writers that undo each other each minute help nobody: back off, and say that there is another."""
    planned = plan(seen(make.ocm_view(UNLABELLED)), fleet(PoolSpec("egress-a")), tried(tries, minutes_ago))
    assert bool(in_ocm(planned)) == acts
    assert one(planned, Kind.SECOND_WRITER).severity is severity
    assert bool(planned.withheld) != acts
    assert bool(one(planned, Kind.POOL_LABEL_MISSING).repaired_by) == acts


@pytest.mark.parametrize(
    ("tries", "hours_ago", "severity"),
    [(1, 1, Severity.INFO), (2, 1, Severity.INFO), (3, 1, Severity.WARNING), (3, 25, None), (0, 0, None)],
)
def test_a_label_that_was_put_back_is_watched_for_a_day(
    tries: int, hours_ago: float, severity: Severity | None
) -> None:
    """Forgetting at once would make every disappearance the first one."""
    planned = plan(seen(make.ocm_view(make.pool("a"))), fleet(PoolSpec("egress-a")), tried(tries, hours_ago * 60))
    expected = [] if severity is None else [severity]
    assert [finding.severity for finding in found(planned, Kind.SECOND_WRITER)] == expected
    assert in_ocm(planned) == ()
