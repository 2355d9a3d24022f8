"""An approved plan, killed anywhere: its own order finishes it, and nothing else does more than it could without."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.approving import APPROVAL_HOLDS, Approval
from chalicelib.domain.findings import Kind
from chalicelib.usecases.visit import Outside, visit
from sandbox.virtual import Killed
from sandbox.virtual.fakes import EVERYTHING
from sandbox.virtual.keeper import PACE
from tests.sandbox.virtual.fleets import policy, wish
from tests.usecases.desk import AFTER, BEFORE, Desk


def whole() -> Desk:
    desk = Desk()
    assert desk.whole_visit(desk.approval).status == "done"
    desk.rest()
    return desk


def test_killed_after_any_of_its_writes_it_is_finished_by_its_own_order() -> None:
    """Whatever was done when the visit ended, the same order, delivered again, does the rest and no more."""
    wanted = whole()
    kills = 0
    while True:
        desk = Desk()
        if desk.visit(desk.approval, lives=kills) is not None:
            break
        kills += 1
        desk.later()
        outcome = desk.whole_visit(desk.approval)
        assert outcome.status == "done", f"killed before write {kills}: {outcome.look.refusal}"
        assert not desk.objects & {"api", "web"}
        desk.rest()
        assert desk.state == wanted.state
        assert desk.deletions == {"api": 1, "web": 1}
        assert all(Kind.PLAN_REFUSED.value not in alert.attributes["kind"] for alert in desk.keeper.alerts.sent)
    assert kills >= 8, "the note, reservations, tags, three EgressIPs, the end of the note"


def test_killed_again_and_again_it_is_finished_all_the_same() -> None:
    """Each delivery goes a little further: here every one is killed before its third write."""
    desk = Desk()
    deliveries = 0
    while desk.visit(desk.approval, lives=3) is None:
        desk.later()
        deliveries += 1
        assert deliveries < 9
    assert deliveries >= 2
    desk.rest()
    assert desk.state == whole().state


def half_done() -> Desk:
    """Killed between the two deletions."""
    desk = Desk()
    rosa = desk.keeper.rosa

    def die(operation: str) -> None:
        if operation == "delete_egress_ip" and desk.deletions:
            raise Killed

    rosa.before_write = die
    assert desk.visit(desk.approval) is None
    rosa.before_write = None
    desk.later()
    assert len(desk.objects & {"api", "web"}) == 1
    return desk


def refused(desk: Desk, approval: Approval | None) -> str:
    before = desk.objects
    outcome = desk.whole_visit(approval)
    assert outcome.status == "refused"
    assert desk.objects == before
    return str(outcome.look.refusal)


def test_what_is_left_needs_the_order_with_its_approval() -> None:
    """The note approves nothing by itself: not for an ordinary visit, and not for another digest."""
    desk = half_done()
    assert "approved" not in refused(desk, None)
    assert "is that of another plan" in refused(desk, replace(desk.approval, digest="0" * 12))


def test_nothing_beyond_what_was_approved_is_done_with_it() -> None:
    """One policy more has left the fleet file meanwhile: all of it waits for a person."""
    desk = half_done()
    desk.keeper.wishes(wish(policy("new", "10.10.200.250")))
    assert "It takes more than is left of the approved plan" in refused(desk, desk.approval)


def test_only_the_approved_plan_itself_is_noted() -> None:
    """What passes beside an approval, being harmless or a part of it, becomes no part of what was approved."""
    desk = Desk()
    desk.keeper.wishes(replace(BEFORE, policies=(*BEFORE.policies, policy("new", "10.10.200.250"))))
    assert desk.whole_visit(desk.approval).status == "done"
    assert "new" in desk.objects
    assert desk.memory.approved == {}
    desk = half_done()
    note = desk.memory.approved["demo", desk.approval.digest]
    desk.keeper.rosa.cluster.fail("delete_egress_ip")
    desk.visit(desk.approval)
    assert desk.memory.approved["demo", desk.approval.digest] == note


def test_a_visit_that_saw_nothing_leaves_the_note_as_it_is() -> None:
    """An empty plan of a cluster that could not be read is not the end of what was begun."""
    desk = half_done()
    desk.keeper.rosa.ec2.fail("fetch_interfaces")
    assert desk.whole_visit(desk.approval).status == "failed"
    desk.keeper.rosa.ec2.heal()
    assert desk.whole_visit(desk.approval).status == "done"
    assert not desk.objects & {"api", "web"}


def test_an_approval_ends_with_its_hour() -> None:
    """What comes back from a dead-letter queue the next day is refused, begun or not."""
    desk = half_done()
    desk.later((APPROVAL_HOLDS - timedelta(seconds=200)).total_seconds())
    fork = Desk(desk.keeper.fork(desk.keeper.rosa.fork()))
    fork.keeper.memory.approved.update(desk.keeper.memory.approved)
    assert fork.whole_visit(desk.approval).status == "done", "it holds until then"
    desk.later(200)
    assert "one holds for an hour" in refused(desk, desk.approval)
    fresh = Desk()
    fresh.later(APPROVAL_HOLDS.total_seconds() + 1)
    assert "one holds for an hour" in refused(fresh, fresh.approval)


def test_a_cluster_that_came_back_to_the_same_state_is_not_emptied_by_an_old_order() -> None:
    """The order is delivered once more after all of it was done; a person who approves anew is heard."""
    desk = Desk()
    desk.keeper.wishes(wish(policy("db", per_zone=1), policy("web", "10.10.100.250")))
    desk.approval = desk.approve()
    assert desk.visit(desk.approval) is not None
    gone = desk.keeper.desired
    desk.later()
    desk.keeper.wishes(BEFORE)
    desk.rest()
    desk.keeper.wishes(gone)
    # A new object has a new uid, and so a new digest, but for a platform that gives the old one back.
    again = desk.approve()
    note = desk.memory.approved["demo", desk.approval.digest]
    assert note.done
    assert note.actions == frozenset()
    desk.memory.approved["demo", again.digest] = replace(note, digest=again.digest)
    assert "has been carried out already" in refused(desk, replace(desk.approval, digest=again.digest))
    assert desk.whole_visit(again).status == "done"
    assert "api" not in desk.objects


@pytest.mark.parametrize("operation", ["fetch_approved", EVERYTHING])
def test_without_the_table_what_is_left_is_refused_and_the_approval_kept_for_later(operation: str) -> None:
    """Unknown is not approved. The next visit is asked to look again with the approval."""
    desk = half_done()
    desk.memory.fail(operation)
    before = desk.objects
    outcome = desk.whole_visit(desk.approval, tells=False)
    assert outcome.status == "refused"
    assert desk.objects == before
    assert outcome.approval == desk.approval
    assert outcome.revisit_in is not None


def test_the_plan_itself_is_carried_out_whatever_the_table_does() -> None:
    """A person waits for exactly this; what is lost is only that it could be finished later."""
    for operation in ("fetch_approved", "store_approved"):
        desk = Desk()
        desk.memory.fail(operation)
        assert desk.whole_visit(desk.approval).status == "done"
        assert not desk.objects & {"api", "web"}


def test_without_any_table_it_is_as_it_was() -> None:
    """On a terminal without a table the plan passes, and what is left of it needs a person."""
    desk = Desk()
    rosa = desk.keeper.rosa
    outside = Outside(rosa.cluster, rosa.ec2, rosa.clock)
    done = visit(AFTER, outside, PACE, run_id="demo.cli", approval=desk.approval)
    assert done.status == "done"
    desk = half_done()
    outside = Outside(desk.keeper.rosa.cluster, desk.keeper.rosa.ec2, desk.keeper.rosa.clock)
    assert visit(AFTER, outside, PACE, run_id="demo.cli", approval=desk.approval).status == "refused"


def test_the_same_command_given_again_finishes_what_a_killed_one_began() -> None:
    """A person repeats the line: the same digest, said later."""
    desk = half_done()
    assert desk.whole_visit(Approval(desk.approval.digest, desk.keeper.rosa.clock())).status == "done"
    assert not desk.objects & {"api", "web"}
