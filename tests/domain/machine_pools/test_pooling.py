"""Machine pools in a plan: which are looked after at all, and what is told of those that are not as wished."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.planning import plan
from chalicelib.domain.pools import OcmView, Scaling, Taint
from chalicelib.domain.remembered import NOTHING_REMEMBERED
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, Unknown
from chalicelib.domain.spec import PoolSpec
from tests import factories as make
from tests.domain.machine_pools.pooled import UNLABELLED, fleet, in_ocm, remembering, seen, wish
from tests.domain.reading import finding as one
from tests.domain.reading import found
from tests.domain.world import apply_plan


def test_applying_a_plan_leaves_nothing_to_plan() -> None:
    """Labelled and made once, whatever is asked again."""
    desired = fleet(PoolSpec("egress-a"), replace(wish(zones=("eu-central-1b",)), name="new"))
    before = seen(make.ocm_view(UNLABELLED))
    after = apply_plan(before, plan(before, desired))
    assert in_ocm(plan(before, desired))
    assert plan(after, desired).actions == ()


def test_without_ocm_no_pool_is_looked_at() -> None:
    """Not configured is neither unknown nor empty: nothing planned, nothing told."""
    planned = plan(seen(None), fleet(PoolSpec("egress-a"), PoolSpec("nowhere")))
    assert in_ocm(planned) == ()
    assert planned.findings == ()


def test_an_unknown_ocm_stops_nothing_but_pools() -> None:
    """No address depends on OCM: reservations, objects and nodes' labels go on, and people hear of it."""
    desired = replace(fleet(PoolSpec("egress-a")), policies=(make.policy("ns", "10.10.100.253"),))
    bare = make.snapshot(nodes=(make.node("a", assignable=None), make.node("b")))
    blind = replace(bare, ocm=Unknown("machine pools", "503", "OCM"))
    known, unknown = plan(bare, desired), plan(blind, desired)
    assert [a for a in known.actions if a not in in_ocm(known)] == list(unknown.actions) != []
    finding = one(unknown, Kind.SECTION_UNKNOWN)
    assert (finding.severity, finding.subject) == (Severity.WARNING, "machine pools")
    assert "ocm.credentials" in finding.todo


@pytest.mark.parametrize("state", ["hibernating", "powering_down", "error", "uninstalling", "unknown"])
def test_nothing_is_written_to_a_cluster_that_is_not_ready(state: str) -> None:
    """OCM refuses it, or worse, takes it and never finishes; the state is said, and what was not done."""
    planned = plan(seen(make.ocm_view(UNLABELLED, state=state)), fleet(PoolSpec("egress-a"), wish()))
    assert in_ocm(planned) == ()
    assert state in one(planned, Kind.OCM_CLUSTER_NOT_READY).summary
    assert {item.what for item in planned.withheld} == {"machine pool egress-a", "machine pool egress"}


def test_a_cluster_that_sleeps_wakes_nobody() -> None:
    """While OCM says that it hibernates, an API that does not answer is as it should be."""
    unknown = Unknown("nodes", "connection refused", "cluster API")
    awake = plan(seen(make.ocm_view(), nodes=unknown), fleet(PoolSpec("egress-a")))
    asleep = plan(seen(make.ocm_view(state="hibernating"), nodes=unknown), fleet(PoolSpec("egress-a")))
    assert one(awake, Kind.SECTION_UNKNOWN).severity is Severity.CRITICAL
    assert one(asleep, Kind.SECTION_UNKNOWN).severity is Severity.INFO
    assert one(asleep, Kind.OCM_CLUSTER_NOT_READY)
    assert asleep.actions == ()


@pytest.mark.parametrize("hosted", [True, False])
def test_pools_of_another_cluster_are_left_alone(hosted: bool) -> None:
    """One wrong id in the fleet file must not label somebody else's pools."""
    desired = replace(fleet(PoolSpec("egress-a"), wish()), infra_id="other-x7k2p")
    planned = plan(seen(make.ocm_view(UNLABELLED, hosted=hosted)), desired)
    assert in_ocm(planned) == ()
    assert "other-x7k2p" in one(planned, Kind.OCM_CLUSTER_MISMATCH).summary


@pytest.mark.parametrize("ocm", [None, make.ocm_view()])
def test_another_cluster_is_told_even_when_nothing_else_can_be(ocm: OcmView | None) -> None:
    """With a section unknown nothing is planned; what OCM says about the cluster is told all the same."""
    unknown = Unknown("nodes", "503", "cluster API")
    planned = plan(seen(ocm, nodes=unknown), replace(fleet(), infra_id="other-x7k2p"))
    assert len(found(planned, Kind.OCM_CLUSTER_MISMATCH)) == (1 if ocm else 0)


def test_a_pool_that_is_not_there_is_told_with_those_that_are() -> None:
    """One error: the field, the value, and what is allowed."""
    planned = plan(seen(make.ocm_view(UNLABELLED)), fleet(PoolSpec("egres-a")))
    assert in_ocm(planned) == ()
    assert one(planned, Kind.POOL_MISSING).summary == (
        "machine_pools: 'egres-a': the cluster has no such machine pool in OCM; it has egress-a."
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"instance_type": "m5.large"}, "instance_type is m5.large, not m5.xlarge"),
        ({"scaling": Scaling(2, 2, auto=False)}, "it has 2 nodes, not 1 node"),
        ({"scaling": Scaling(1, 4, auto=True)}, "it has 1 to 4 nodes by autoscaling, not 1 node"),
        ({"taints": (Taint("a", "", "NoSchedule"),)}, "its taints are other ones"),
        ({"labels": {ASSIGNABLE_LABEL: "", "team": "x"}}, "label team is 'x', not 'net'"),
        ({"labels": {ASSIGNABLE_LABEL: ""}}, "label team is 'missing', not 'net'"),
        ({"zones": ("eu-central-1b",), "subnets": ("subnet-b",)}, "it is in eu-central-1b, not eu-central-1a"),
        ({"zones": (), "subnets": ("subnet-b",)}, "it is in eu-central-1b, not eu-central-1a"),
    ],
)
def test_a_pool_with_other_values_is_told_and_not_changed(changes: dict[str, Any], said: str) -> None:
    """We never scale, edit or delete a pool: what differs is a finding."""
    as_wished = make.pool("a", name="egress", labels={ASSIGNABLE_LABEL: "", "team": "net"})
    desired = fleet(wish(labels=(("team", "net"),)))
    instance = make.instance("a", pool="egress")
    assert found(plan(seen(make.ocm_view(as_wished)), desired), Kind.POOL_DIFFERENT) == ()
    planned = plan(seen(make.ocm_view(replace(as_wished, **changes)), instances=(instance,)), desired)
    assert in_ocm(planned) == ()
    assert said in one(planned, Kind.POOL_DIFFERENT).summary


def test_a_subnet_other_than_wished_is_told() -> None:
    """Where both are named, they are compared by name."""
    planned = plan(seen(make.ocm_view(make.pool("b", name="egress"))), fleet(wish(zones=(), subnets=("subnet-a",))))
    assert "it is in subnet-b, not subnet-a" in one(planned, Kind.POOL_DIFFERENT).summary


# Machines that do not come


@pytest.mark.parametrize(
    ("first_seen", "severity"),
    [
        (None, Severity.INFO),
        (make.NOW - timedelta(minutes=5), Severity.INFO),
        (make.NOW - timedelta(minutes=26), Severity.WARNING),
    ],
)
def test_machines_that_do_not_come_are_told_when_they_are_late(first_seen: datetime | None, severity: Severity) -> None:
    """A pool that grows is in motion; one that can't is a finding."""
    pool = make.pool("a", scaling=Scaling(2, 2, auto=False))
    memory = (
        remembering(Kind.POOL_SHORT, "machine pool egress-a", first_seen=first_seen)
        if first_seen
        else NOTHING_REMEMBERED
    )
    planned = plan(seen(make.ocm_view(pool)), fleet(PoolSpec("egress-a")), memory)
    finding = one(planned, Kind.POOL_SHORT)
    assert (finding.summary, finding.severity) == ("Machine pool egress-a has 1 of 2 nodes.", severity)
    assert bool(planned.moving) == (severity is Severity.INFO)


def test_a_pool_that_is_short_once_more_has_its_time_once_more() -> None:
    """It had all its machines in between: what is remembered of the last time makes nothing late."""
    pool = make.pool("a", scaling=Scaling(2, 2, auto=False))
    memory = remembering(Kind.POOL_SHORT, "machine pool egress-a", open=False)
    planned = plan(seen(make.ocm_view(pool)), fleet(PoolSpec("egress-a")), memory)
    assert one(planned, Kind.POOL_SHORT).severity is Severity.INFO
