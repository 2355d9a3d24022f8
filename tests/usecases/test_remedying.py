"""Remedies through whole visits, on in-memory adapters: when they begin, who may begin them, how they end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chalicelib.adapters.errors import Conflict
from chalicelib.domain.findings import Kind
from chalicelib.domain.spec import Mode
from tests.situations import World
from tests.worlds import ADDRESSES


class Broken(World):
    """The status of one address was lost; everything else serves."""

    def __init__(self) -> None:
        super().__init__()
        self.settle()
        there = self.cluster.egress_ips["ns"]
        self.cluster.egress_ips["ns"] = replace(there, items=tuple(i for i in there.items if i[0] != ADDRESSES[0]))

    @property
    def listed(self) -> set[str]:
        return set(self.cluster.egress_ips["ns"].spec.addresses)


def test_a_remedy_begins_when_two_visits_a_minute_apart_agree() -> None:
    """The first visit only comes back to see; the second one takes the address out, and no other."""
    world = Broken()
    first = world.visit()
    assert world.cluster.writes == []
    assert first.revisit_in is not None
    world.clock.advance(first.revisit_in.total_seconds())
    world.visit()
    assert world.listed == set(ADDRESSES[1:])


def test_on_a_terminal_without_a_table_no_remedy_begins() -> None:
    """One look cannot tell a failover from a fault; a person who has watched it can say so."""
    world = Broken()
    assert world.visit_on_a_terminal().look.planned.actions == ()
    world.clock.advance(3600)
    assert world.visit_on_a_terminal().look.planned.actions == ()
    world.visit_on_a_terminal(settled=True)
    assert world.listed == set(ADDRESSES[1:])


def test_on_a_terminal_with_a_table_what_visits_saw_counts() -> None:
    """The table says that it has settled; nobody is told from there, and nothing is stored."""
    world = Broken()
    world.visit()
    world.clock.advance(61)
    before = dict(world.memory.findings)
    world.visit_on_a_terminal(table=True)
    assert world.listed == set(ADDRESSES[1:])
    assert world.memory.findings == before


def test_a_table_that_cannot_be_read_is_no_reason_to_fail_on_a_terminal() -> None:
    """Nobody is to be told; what needs no memory is done, and no remedy begins."""
    world = Broken()
    world.memory.fail("fetch_findings")
    assert world.visit_on_a_terminal(table=True).status == "done"
    assert world.listed == set(ADDRESSES)


def test_in_mode_observe_remedies_are_only_proposed() -> None:
    """The plan says what it would do, and nothing is done."""
    world = Broken()
    world.desired = replace(world.desired, mode=Mode.OBSERVE)
    world.visit()
    world.clock.advance(61)
    outcome = world.visit()
    assert [action.summary for action in outcome.look.planned.actions] == [f"apply EgressIP ns: cycle {ADDRESSES[0]}"]
    assert world.cluster.writes == []


def test_an_object_that_has_changed_meanwhile_is_not_cycled() -> None:
    """The apply names the version that the plan was made from; the next visit looks again."""
    world = Broken()
    world.visit()
    world.clock.advance(61)
    world.cluster.fail("apply_egress_ip", Conflict("cluster API", "apply egressip", "409: modified"))
    outcome = world.visit()
    assert world.listed == set(ADDRESSES)
    assert Kind.ACTION_FAILED in {finding.kind for finding in outcome.findings}
    world.cluster.heal()
    world.clock.advance(20)
    world.visit()
    assert world.listed == set(ADDRESSES[1:])


def test_while_an_address_is_out_visits_come_back_with_growing_pauses_and_end() -> None:
    """Its assignment may take long to go: they follow it for a while, and then the schedule does."""
    world = Broken()
    world.visit()
    world.clock.advance(61)
    world.visit()
    pauses = []
    for attempt in range(10):
        pauses.append(world.visit(attempt=attempt).revisit_in)
        world.clock.advance(20)
    assert pauses[:3] == [timedelta(seconds=20), timedelta(seconds=40), timedelta(seconds=80)]
    assert pauses[-1] is None
    assert world.listed == set(ADDRESSES[1:])
