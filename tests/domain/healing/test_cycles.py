"""Cycle: when an address is taken out and put back, and what must hold meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.actions import ApplyEgressIp
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.guard import UnsafePlan, refuse_if_unsafe
from chalicelib.domain.healing.treatment import CYCLE_PAUSE, LONGEST_SILENCE, MOST_CYCLES, RETRIES
from chalicelib.domain.planning import plan
from chalicelib.domain.remembered import Remembered
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.verdicts import State
from tests import factories as make
from tests.domain.healing.ailing import (
    CYCLE_A,
    DESIRED,
    FAILED,
    LONG_AGO,
    LOST,
    REFUSED,
    UNASSIGNED,
    A,
    B,
    apply,
    broken,
    long_seen,
    seen_since,
    served,
    told,
    tried,
    with_capacity,
)
from tests.domain.world import apply_plan
from tests.factories import known

OUT: dict[str, Any] = {"listed": False, "labels": {CYCLE_A: tried(Kind.ASSIGNMENT_FAILED, 1, timedelta(minutes=1))}}


@pytest.mark.parametrize(
    ("observed", "kind"),
    [
        (broken(**REFUSED), Kind.ASSIGNMENT_FAILED),
        (broken(**LOST), Kind.STATUS_LOST),
        (broken(cpic={"owner": "gone"}, claimed=""), Kind.CPIC_STALE),
    ],
)
def test_d06_d11_d13_a_stuck_address_is_taken_out_alone(observed: Snapshot, kind: Kind) -> None:
    """The object's other address stays in the list; the label that brings it back comes with the same apply."""
    action = apply(plan(observed, DESIRED, long_seen()))
    assert action.cycled == (A,)
    assert action.after.addresses == (B,)
    assert action.marks == {CYCLE_A: tried(kind, 1)}
    assert action.version == "7"
    assert action.summary == f"apply EgressIP ns: cycle {A}"


@pytest.mark.parametrize("trouble", [UNASSIGNED, LOST, REFUSED])
def test_nothing_is_done_before_it_has_settled(trouble: dict[str, Any]) -> None:
    """Every failover passes through these states; a visit without a memory does nothing about them either."""
    for memory in (Remembered(), seen_since(told(plan(broken(**trouble), DESIRED)).kind, make.NOW)):
        planned = plan(broken(**trouble), DESIRED, memory)
        assert planned.actions == ()
        assert told(planned).remedy.endswith("once it has settled")


@pytest.mark.parametrize(
    ("changed", "since", "waits"),
    [
        (timedelta(seconds=30), LONG_AGO, True),
        (timedelta(minutes=2), make.NOW - timedelta(minutes=3), True),
        (timedelta(minutes=2), make.NOW - RETRIES, False),
        (LONGEST_SILENCE, make.NOW - timedelta(minutes=2), False),
    ],
)
def test_d06_the_controllers_own_tries_come_first(changed: timedelta, since: datetime, waits: bool) -> None:
    """It has stopped when its condition stands still for longer than its longest pause, or its time is over."""
    cpic = FAILED | {"changed_at": make.NOW - changed}
    planned = plan(broken(cpic=cpic, claimed="", on=""), DESIRED, seen_since(Kind.ASSIGNMENT_FAILED, since))
    assert (planned.actions == ()) is waits
    assert waits is (told(planned).remedy == "cycle, once the cloud network controller has stopped trying")


def test_d06_without_a_time_memory_alone_decides() -> None:
    """A condition that does not say when it changed is given the controller's whole time."""
    cpic = FAILED | {"changed_at": None}
    recent = seen_since(Kind.ASSIGNMENT_FAILED, make.NOW - timedelta(minutes=2))
    assert plan(broken(cpic=cpic, claimed="", on=""), DESIRED, recent).actions == ()
    assert apply(plan(broken(cpic=cpic, claimed="", on=""), DESIRED, long_seen())).cycled == (A,)


@pytest.mark.parametrize(
    ("label", "cycles", "person"),
    [
        (tried(Kind.ASSIGNMENT_FAILED, 1, CYCLE_PAUSE - timedelta(seconds=1)), False, False),
        (tried(Kind.ASSIGNMENT_FAILED, 1, CYCLE_PAUSE), True, False),
        (tried(Kind.ASSIGNMENT_FAILED, 2, CYCLE_PAUSE), False, False),
        (tried(Kind.ASSIGNMENT_FAILED, MOST_CYCLES, 4 * CYCLE_PAUSE), False, True),
        (tried(Kind.CPIC_STALE, 1), True, False),
        (tried(Kind.CPIC_STALE, MOST_CYCLES), False, True),
        (tried(Kind.ASSIGNMENT_FAILED, 9999), False, False),
        (tried(Kind.ASSIGNMENT_FAILED, 9999, timedelta(days=1)), False, True),
        (tried(Kind.ASSIGNMENT_FAILED, 1, timedelta(days=-1)), True, False),
    ],
)
def test_cycles_end(label: str, cycles: bool, person: bool) -> None:
    """Growing pauses; another trouble than before is progress and need not wait; in the end it takes a person."""
    planned = plan(broken(**REFUSED, labels={CYCLE_A: label}), DESIRED, long_seen())
    assert [isinstance(a, ApplyEgressIp) and a.cycled for a in planned.actions] == [(A,)] * cycles
    assert ("A person is needed: 3 cycles did not help" in told(planned).todo) is person
    assert told(planned).severity is (Severity.CRITICAL if person else Severity.WARNING)


@pytest.mark.parametrize(
    "observed",
    [
        broken(**OUT, cpic={"deleting": True}, claimed="", on=""),
        broken(**OUT, cpic=FAILED, claimed="", on=""),
        broken(**OUT, cpic=None, claimed="node-a0", on=""),
    ],
)
def test_a_cycled_address_stays_out_until_nothing_is_left_of_it(observed: Snapshot) -> None:
    """Its CPIC gone, its claim gone; till then it is neither put back nor given away, and its finding stays open."""
    planned = plan(observed, DESIRED)
    assert planned.actions == ()
    assert [(v.address, v.state) for v in planned.verdicts] == [(A, State.CYCLING), (B, State.SERVING)]
    assert told(planned).kind is Kind.ASSIGNMENT_FAILED
    assert f"{A} is out of EgressIP ns for a cycle" in planned.moving


@pytest.mark.parametrize("cpic", [{"deleting": True}, None])
def test_a_cycled_address_is_wanted_once(cpic: dict[str, Any] | None) -> None:
    """What is still being released and what is to be put back are one address: its zone has room for it."""
    out = broken(**OUT, cpic=cpic, claimed="", on="")
    observed = replace(out, nodes=tuple(with_capacity(node, 1) for node in known(out.nodes)))
    told_of_zones = [f.summary for f in plan(observed, DESIRED).findings if f.subject.startswith("zone ")]
    assert told_of_zones == []


def test_a_cycled_address_is_put_back_without_any_memory() -> None:
    """The label says all that is needed: a lost table or another machine's command line finishes the cycle."""
    observed = broken(**OUT, cpic=None, claimed="", on="")
    planned = plan(observed, DESIRED)
    action = apply(planned)
    assert action.adds == (A,)
    assert action.marks == {CYCLE_A: tried(Kind.ASSIGNMENT_FAILED, 1)}
    assert told(planned).repaired_by == action.summary
    after = apply_plan(observed, planned)
    back = plan(after, DESIRED, long_seen())
    assert back.actions == ()
    assert told(back).kind is Kind.ASSIGNMENT_FAILED
    assert told(back).remedy == "cycle under way: put back, and the platform is at work on it"


def test_a_chosen_address_that_is_out_is_not_replaced() -> None:
    """Even with its reservation's tags lost: the object's label remembers it."""
    desired = make.cluster(make.policy("ns", per_zone=1), machine_pools=())
    observed = replace(broken(**OUT, cpic=None, claimed="", on=""), reservations=())
    given = {str(a.address) for a in plan(observed, desired).allocations}
    assert {A, B} <= given


def test_a_late_apply_cannot_take_out_again_what_another_visit_has_put_back() -> None:
    """While one is out, or goes, the apply names the version that it was made from; a kick or a return need not."""
    out = broken(**OUT, cpic={"deleting": True}, claimed="", on="")
    beside = plan(out, make.cluster(make.policy("ns", A, B, "10.10.200.253")), long_seen())
    (applied,) = (action for action in beside.actions if isinstance(action, ApplyEgressIp))
    assert (applied.after.addresses, applied.version) == ((B, "10.10.200.253"), "7")
    (fewer,) = plan(broken(cpic={}), make.cluster(make.policy("ns", A))).actions[-1:]
    assert isinstance(fewer, ApplyEgressIp)
    assert (fewer.removes, fewer.version) == ((B,), "7")
    assert apply(plan(broken(**OUT, cpic=None, claimed="", on=""), DESIRED)).version == ""
    assert apply(plan(broken(**UNASSIGNED), DESIRED, long_seen())).version == ""


def test_what_the_fleet_file_no_longer_wants_is_not_put_back() -> None:
    """The cycle is over, and its label goes."""
    planned = plan(broken(**OUT, cpic=None, claimed="", on=""), make.cluster(make.policy("ns", B)))
    applied = [action for action in planned.actions if isinstance(action, ApplyEgressIp)]
    assert [(action.after.addresses, action.marks) for action in applied] == [((B,), {})]


def test_an_address_that_is_out_keeps_its_room() -> None:
    """What is wanted anew has to wait behind it."""
    observed = broken(**OUT, cpic=None, claimed="", on="")
    tight = tuple(
        with_capacity(n, 1) if n.name == "node-a0" else n for n in known(observed.nodes) if n.name != "node-a1"
    )
    desired = make.cluster(make.policy("a", "10.10.100.20"), make.policy("ns", A, B))
    planned = plan(replace(observed, nodes=tight), desired)
    assert [a.name for a in planned.actions if isinstance(a, ApplyEgressIp)] == ["ns"]
    assert {str(a.address): bool(a.held) for a in planned.allocations} == {A: False, B: False, "10.10.100.20": True}


def test_the_guard_lets_a_dead_address_be_cycled() -> None:
    """Its CPIC may be healthy: what the status does not claim serves nobody, so nothing is lost."""
    desired = replace(DESIRED, max_change_share=0.0)
    observed = broken(**LOST)
    refuse_if_unsafe(plan(observed, desired, long_seen()), observed, desired)


def test_the_guard_does_not_believe_a_plan_that_cycles_what_serves() -> None:
    """It looks for itself."""
    planned = plan(broken(**LOST), DESIRED, long_seen())
    with pytest.raises(UnsafePlan):
        refuse_if_unsafe(planned, served(), replace(DESIRED, max_change_share=0.0))


def test_the_digest_of_a_cycle_does_not_depend_on_the_time() -> None:
    """A person may approve what another plan, a minute later, still proposes."""
    later = replace(broken(**LOST), taken_at=make.NOW + timedelta(minutes=1))
    assert plan(broken(**LOST), DESIRED, long_seen()).digest == plan(later, DESIRED, long_seen()).digest
