from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.guard import MOST_QUOTED, Loss, UnsafePlan, refusal_finding, refuse_if_unsafe, serving_losses
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec
from tests import factories as make
from tests.domain.world import converge
from tests.factories import known

A, B, C = "10.10.100.253", "10.10.150.253", "10.10.200.253"
FULL = make.cluster(make.policy("ns", A, B, C), make.policy("pod", per_zone=1))


def rested() -> Snapshot:
    return converge(make.snapshot(nodes_per_zone=2), FULL)


def refused(observed: Snapshot, desired: ClusterSpec, approved: str | None = None) -> UnsafePlan:
    with pytest.raises(UnsafePlan) as caught:
        refuse_if_unsafe(plan(observed, desired), observed, desired, approved=approved)
    return caught.value


def test_a_plan_that_takes_nothing_passes() -> None:
    """Creating, adding, tagging and labelling need nobody."""
    observed = make.snapshot()
    refuse_if_unsafe(plan(observed, FULL), observed, FULL)


def test_the_last_serving_address_needs_a_person() -> None:
    """However small its share: its pods would leave with their nodes' addresses."""
    desired = make.cluster(make.policy("ns", A, B, C), max_change_share=1.0)
    refusal = refused(rested(), desired)
    (reason,) = refusal.reasons
    assert reason == (
        "It takes the last serving address of EgressIP pod (10.10.100.224, 10.10.150.224, 10.10.200.224):"
        " its pods would leave with their nodes' addresses."
    )


def test_a_replacement_of_the_only_address_needs_a_person_too() -> None:
    """The platform removes before it adds, so for a while there would be none."""
    one = converge(make.snapshot(), make.cluster(make.policy("ns", A)))
    assert "last serving address" in str(refused(one, make.cluster(make.policy("ns", "10.10.100.20"))))


def test_too_large_a_share_needs_a_person() -> None:
    """One of six is too much at a tenth, and allowed at a quarter; the refusal has the numbers."""
    fewer = (make.policy("ns", A, B), make.policy("pod", per_zone=1))
    desired = make.cluster(*fewer, max_change_share=0.1)
    assert refused(rested(), desired).reasons == (
        "It takes 1 of 6 serving addresses away (17%; allowed unattended is 10%).",
    )
    refuse_if_unsafe(plan(rested(), make.cluster(*fewer)), rested(), make.cluster(*fewer))


def test_exactly_the_allowed_share_passes() -> None:
    """The limit itself is allowed."""
    desired = make.cluster(make.policy("ns", A, B), make.policy("pod", per_zone=1), max_change_share=1 / 6)
    refuse_if_unsafe(plan(rested(), desired), rested(), desired)


def test_what_does_not_serve_can_go() -> None:
    """Taking away an address whose assignment failed costs nothing."""
    dead = tuple(replace(c, assigned="False") if c.address == C else c for c in known(rested().cpics))
    observed = replace(rested(), cpics=dead)
    desired = make.cluster(make.policy("ns", A, B), make.policy("pod", per_zone=1), max_change_share=0.0)
    refuse_if_unsafe(plan(observed, desired), observed, desired)


def test_an_address_in_failover_is_a_loss_and_no_comfort() -> None:
    """On its way it counts as serving where it is removed, and not where it remains."""
    moving = tuple(replace(c, assigned="Unknown") if c.address == A else c for c in known(rested().cpics))
    observed = replace(rested(), cpics=moving)
    without = make.cluster(make.policy("ns", B, C), make.policy("pod", per_zone=1))
    assert serving_losses(plan(observed, without), observed) == (Loss("ns", (A,), (B, C)),)
    only = make.cluster(make.policy("ns", A), make.policy("pod", per_zone=1), max_change_share=1.0)
    assert "last serving address of EgressIP ns" in str(refused(observed, only))


def test_approval_is_of_exactly_this_plan() -> None:
    """The digest lets its own plan through; another plan's digest is refused, and both are named."""
    desired = make.cluster(make.policy("ns", A, B, C))
    digest = refused(rested(), desired).digest
    refuse_if_unsafe(plan(rested(), desired), rested(), desired, approved=digest)
    assert f"digest 000000000000 is that of another plan; this one is {digest}" in str(
        refused(rested(), desired, approved="000000000000")
    )


def test_a_needless_approval_does_no_harm() -> None:
    """A safe plan passes, whatever was approved."""
    observed = make.snapshot()
    refuse_if_unsafe(plan(observed, FULL), observed, FULL, approved="000000000000")


def test_without_cpics_there_is_nothing_to_lose() -> None:
    """With CPICs unknown the plan has no actions, so the guard has nothing to count."""
    observed = replace(rested(), cpics=Unknown("CPICs", "503", "cluster API"))
    refuse_if_unsafe(plan(observed, make.cluster()), observed, make.cluster())
    assert serving_losses(plan(rested(), make.cluster()), observed) == (Loss("ns", (), ()), Loss("pod", (), ()))


def test_the_refusal_has_the_command_that_approves_it() -> None:
    """A person at night can read what would happen, and copy the line."""
    desired = make.cluster(make.policy("ns", A, B, C))
    planned = plan(rested(), desired)
    found = refusal_finding(planned, refused(rested(), desired))
    assert f"\negress-keeper apply --cluster demo --approve {planned.digest}" in found.todo
    assert found.summary.startswith("A plan with 1 change needs a person's approval: It takes")
    assert found.evidence == tuple(action.summary for action in planned.actions)


def test_a_huge_refusal_stays_small_enough_to_send() -> None:
    """Thousands of changes and reasons are counted, not listed."""
    many = [make.policy(f"p{n:03}", f"10.10.{third}.{n}") for third in (100, 150) for n in range(20, 34)]
    names = make.cluster(*(replace(p, name=f"{p.name}-{i}") for i, p in enumerate(many)))
    observed = converge(make.snapshot(nodes_per_zone=2), names)
    planned = plan(observed, make.cluster())
    found = refusal_finding(planned, refused(observed, make.cluster()))
    assert len(found.evidence) == MOST_QUOTED + 1
    assert found.evidence[-1] == "and 8 more changes"
    assert found.summary.endswith("And 9 more reasons.")
    assert len(Plan("demo", planned.actions).digest) == 12
