"""What is left of an approved plan: what passes, what does not, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.actions import ApplyEgressIp, DeleteEgressIp
from chalicelib.domain.approving import APPROVAL_HOLDS, Approval, lapse, note_of
from chalicelib.domain.guard import UnsafePlan, refuse_if_unsafe
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.records import ApprovedPlan
from chalicelib.domain.rehearsing.rehearsal import Objection, Rehearsal
from chalicelib.domain.snapshot import EgressIp, Snapshot
from chalicelib.domain.spec import ClusterSpec, PolicySpec
from tests import factories as make
from tests.domain.world import converge
from tests.factories import known

A, B, C = "10.10.100.253", "10.10.150.253", "10.10.200.253"
WEB, API, DB = make.policy("web", A, B), make.policy("api", C), make.policy("db", per_zone=1)
FULL = make.cluster(WEB, API, DB)
GIVEN = Approval("", make.NOW)
OBJECTION = Objection("loses", "db", A, None, adds=False, behaviours="as release 4.18", why="would stop")


def rested() -> Snapshot:
    return converge(make.snapshot(nodes_per_zone=2), FULL)


def without(observed: Snapshot, name: str) -> Snapshot:
    """The object is deleted, and the platform has let go of its addresses."""
    gone = next(e for e in known(observed.egress_ips) if e.name == name)
    return replace(
        observed,
        egress_ips=tuple(e for e in known(observed.egress_ips) if e is not gone),
        cpics=tuple(c for c in known(observed.cpics) if c.address not in gone.spec.addresses),
        interfaces=tuple(
            replace(i, addresses=tuple(a for a in i.addresses if str(a) not in gone.spec.addresses))
            for i in known(observed.interfaces)
        ),
    )


def approved(planned: Plan) -> ApprovedPlan:
    return note_of(planned, replace(GIVEN, digest=planned.digest))


def judge(planned: Plan, observed: Snapshot, begun: ApprovedPlan, desired: ClusterSpec | None = None) -> str:
    """The refusal's text; empty where the plan passes."""
    try:
        refuse_if_unsafe(planned, observed, desired or make.cluster(DB), approved=begun.digest, begun=begun)
    except UnsafePlan as refusal:
        return str(refusal)
    return ""


def test_what_is_left_of_an_approved_plan_passes() -> None:
    """One of two deletions done: the other one, and the reservations that became free, need nobody again."""
    whole = plan(rested(), make.cluster(DB))
    assert [type(action) for action in whole.actions] == [DeleteEgressIp, DeleteEgressIp]
    half = without(rested(), "api")
    left = plan(half, make.cluster(DB))
    assert [type(action).__name__ for action in left.actions] == ["ReleaseReservation", "DeleteEgressIp"]
    assert left.digest != whole.digest
    assert judge(left, half, approved(whole)) == ""


@pytest.mark.parametrize(
    ("beside", "name"),
    [((DB, make.policy("new", "10.10.200.20")), "new"), ((make.policy("db", per_zone=2),), "db")],
    ids=["a new policy", "a policy with more addresses"],
)
def test_what_needs_nobody_may_stand_beside_what_is_left(beside: tuple[PolicySpec, ...], name: str) -> None:
    """The fleet file asks for more meanwhile: that takes addresses from nobody."""
    whole = plan(rested(), make.cluster(DB))
    half = without(rested(), "api")
    more = plan(half, make.cluster(*beside))
    assert [action.name for action in more.actions if isinstance(action, ApplyEgressIp)] == [name]
    assert judge(more, half, approved(whole), make.cluster(*beside)) == ""


def test_one_more_loss_is_refused_whole() -> None:
    """Somebody takes another policy out of the fleet file meanwhile: nobody has approved that."""
    whole = plan(rested(), make.cluster(DB))
    half = without(rested(), "api")
    more = plan(half, make.cluster())
    text = judge(more, half, approved(whole), make.cluster())
    assert "It takes the last serving address of EgressIP db" in text
    assert text.endswith(f"It takes more than is left of the approved plan {whole.digest}; this one is {more.digest}.")


def test_a_loss_that_alone_would_need_nobody_is_refused_beside_what_is_left() -> None:
    """What is left of an approved plan is a part of it: what takes more is another plan, and is judged as a whole."""
    whole = plan(rested(), make.cluster(WEB, DB, max_change_share=0.5))
    half = rested()
    wish = make.cluster(make.policy("web", A), DB, max_change_share=0.5)
    assert judge(plan(half, make.cluster(make.policy("web", A), API, DB)), half, approved(whole), wish) == ""
    assert "EgressIP api" in judge(plan(half, wish), half, approved(whole), wish)


@pytest.mark.parametrize(
    "changed",
    [
        lambda there: replace(there, uid="another"),
        lambda there: replace(there, spec=replace(there.spec, addresses=(A, B, "10.10.100.9"))),
    ],
    ids=["a namesake", "with other addresses"],
)
def test_an_action_of_another_form_is_another_action(changed: Callable[[EgressIp], EgressIp]) -> None:
    """The object that is to be deleted must be the one that was: a namesake or an edited one was not approved."""
    whole = plan(rested(), make.cluster(DB))
    half = without(rested(), "api")
    objects = tuple(changed(e) if e.name == "web" else e for e in known(half.egress_ips))
    half = replace(half, egress_ips=objects)
    assert "more than is left" in judge(plan(half, make.cluster(DB)), half, approved(whole))


def test_a_replacement_that_got_smaller_is_another_action() -> None:
    """An old address for a new one was approved, not the old one for nothing."""
    desired = make.cluster(make.policy("web", "10.10.100.20", "10.10.150.20"), API, DB)
    whole = plan(rested(), desired)
    assert judge(whole, rested(), approved(whole), desired) == ""
    (action,) = [action for action in whole.actions if isinstance(action, ApplyEgressIp)]
    less = replace(action, after=replace(action.after, addresses=action.after.addresses[:1]))
    assert "more than is left" in judge(Plan("demo", (less,)), rested(), approved(whole), desired)


def test_what_an_action_says_of_its_moment_makes_no_other_action() -> None:
    """Words, labels that hold times, and who serves just now may differ a minute later."""
    whole = plan(rested(), make.cluster(make.policy("web", "10.10.100.20"), DB))
    other = tuple(
        replace(action, reason="in other words", marks={"egress-keeper/kick": "later"}, version="7")
        if isinstance(action, ApplyEgressIp)
        else replace(action, serving=())
        for action in whole.actions
        if isinstance(action, ApplyEgressIp | DeleteEgressIp)
    )
    assert len(other) == 2
    assert judge(Plan("demo", other), rested(), approved(whole)) == ""


def test_the_rehearsal_may_object_to_nothing_new() -> None:
    """What a person has seen objected to passes; what shows only now is for a person to see."""
    whole = replace(plan(rested(), make.cluster(DB)), rehearsal=Rehearsal(objections=(OBJECTION,)))
    half = without(rested(), "api")
    left = plan(half, make.cluster(DB))
    again = replace(OBJECTION, behaviours="as release 4.19", why="would stop all the same")
    other = replace(OBJECTION, address=B)
    assert judge(replace(left, rehearsal=Rehearsal(objections=(again,))), half, approved(whole)) == ""
    assert B in judge(replace(left, rehearsal=Rehearsal(objections=(again, other))), half, approved(whole))
    assert A in judge(replace(left, rehearsal=Rehearsal(objections=(again,))), half, approved(plan(rested(), FULL)))


def test_a_note_approves_nothing_without_the_approval_that_it_is_of() -> None:
    """Not without one, not with that of another plan, and not once nothing is left of it."""
    whole = plan(rested(), make.cluster(DB))
    begun, half = approved(whole), without(rested(), "api")
    left = plan(half, make.cluster(DB))
    for digest in (None, "0" * 12):
        with pytest.raises(UnsafePlan):
            refuse_if_unsafe(left, half, make.cluster(DB), approved=digest, begun=begun)
    assert "more than is left" in judge(left, half, begun.carried_out)
    assert "more than is left" in judge(left, half, replace(begun, done=True))


def test_an_approval_holds_for_an_hour_and_for_one_time() -> None:
    """An order that comes back from a dead-letter queue, or was carried out already, empties nothing."""
    given = Approval("d" * 12, make.NOW)
    begun = ApprovedPlan("demo", given.digest, given.at, frozenset({"a"}))
    assert lapse(given, None, make.NOW + APPROVAL_HOLDS) == ""
    assert "one holds for an hour" in lapse(given, None, make.NOW + APPROVAL_HOLDS + timedelta(seconds=1))
    assert lapse(given, begun, make.NOW) == ""
    assert "carried out already" in lapse(given, begun.carried_out, make.NOW)
    earlier, later = (replace(given, at=make.NOW + timedelta(seconds=s)) for s in (-1, 1))
    assert "carried out already" in lapse(earlier, begun.carried_out, make.NOW)
    assert lapse(later, begun.carried_out, make.NOW) == "", "whoever approves it anew means it"


def test_a_refusal_says_that_an_approval_has_lapsed() -> None:
    """Otherwise a person would wonder why the digest that they approved is refused."""
    whole = plan(rested(), make.cluster(DB))
    with pytest.raises(UnsafePlan, match=r"away \(.*unattended is .*\)\. It is over\.$"):
        refuse_if_unsafe(whole, rested(), make.cluster(DB), lapsed="It is over.")
    refuse_if_unsafe(plan(rested(), FULL), rested(), FULL, lapsed="It is over.")
