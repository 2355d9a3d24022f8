"""One visit, with in-memory adapters: what is changed, in which order, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.adapters.errors import Conflict, Unreachable
from chalicelib.domain.findings import Kind
from chalicelib.domain.spec import Mode
from tests import factories
from tests.fakes import FakeMemory, assign_all
from tests.worlds import ADDRESSES, READS, World


def test_a_first_visit_reserves_before_it_assigns() -> None:
    """An address is protected before the cluster is asked to use it."""
    world = World()
    outcome = world.visit()
    assert outcome.status == "done"
    assert world.writes == ["reserve_cidr"] * 3 + ["apply_egress_ip"]
    assert outcome.revisit_in == timedelta(seconds=20), "it comes back to see that the changes took"


def test_a_visit_after_everything_took_plans_nothing_and_rests() -> None:
    """Applying a plan and planning again gives an empty plan."""
    world = World()
    world.settle()
    outcome = world.visit()
    assert outcome.look.planned.actions == ()
    assert outcome.findings == ()
    assert outcome.revisit_in is None
    assert world.writes == []


def test_observe_mode_shows_the_same_plan_and_writes_nothing() -> None:
    """A dry run is the absence of the executor: adapters that fail on any write are never asked to."""
    enforced = World().visit()
    world = World()
    world.desired = replace(world.desired, mode=Mode.OBSERVE)
    for operation in ("reserve_cidr", "tag_reservation", "release_reservation"):
        world.ec2.fail(operation)
    for operation in ("apply_egress_ip", "delete_egress_ip", "label_node"):
        world.cluster.fail(operation)
    observed = world.visit()
    assert observed.report is None
    assert observed.status == "done"
    assert observed.look.planned.actions == enforced.look.planned.actions
    assert observed.look.planned.digest == enforced.look.planned.digest


@pytest.mark.parametrize(("side", "operation"), [(side, name) for side, names in READS.items() for name in names])
def test_one_failed_read_changes_nothing_and_is_said(side: str, operation: str) -> None:
    """Unknown is not empty: a plan needs every section, and what could not be read is a finding."""
    world = World()
    world.settle()
    world.cluster.edit("ns", ADDRESSES[0])
    getattr(world, side).fail(operation)
    outcome = world.visit()
    assert world.writes == []
    assert outcome.status == "failed"
    assert {finding.kind for finding in outcome.findings} == {Kind.SECTION_UNKNOWN}
    assert outcome.look.observed.unknown()


def test_missing_address_limits_are_said_and_block_nothing() -> None:
    """The limits only cross-check the annotation."""
    world = World()
    world.ec2.fail("fetch_address_limits")
    assert world.visit().look.planned.actions


def test_a_deleted_egress_ip_comes_back_with_the_same_addresses() -> None:
    """An address once given stays given, whoever deletes the object, with every table of ours lost."""
    world = World(factories.cluster(factories.policy("pod", per_zone=1)))
    world.settle()
    before = world.cluster.egress_ips["pod"].spec.addresses
    del world.cluster.egress_ips["pod"]
    world.memory = FakeMemory()
    assign_all(world.cluster, world.ec2)
    world.visit()
    assert world.cluster.egress_ips["pod"].spec.addresses == before


def test_chosen_addresses_survive_the_loss_of_their_reservations() -> None:
    """The object remembers what the tags have lost."""
    world = World(factories.cluster(factories.policy("pod", per_zone=1)))
    world.settle()
    before = world.cluster.egress_ips["pod"].spec.addresses
    world.ec2.reservations.clear()
    world.visit()
    assert world.cluster.egress_ips["pod"].spec.addresses == before
    assert {str(r.cidr) for r in world.ec2.reservations.values()} == {f"10.10.{n}.224/28" for n in (100, 150, 200)}


def test_a_removed_policy_needs_a_person_and_their_digest() -> None:
    """Taking a policy's last serving address is refused; the digest of exactly this plan lets it through."""
    world = World()
    world.settle()
    world.desired = replace(world.desired, policies=())
    refused = world.visit()
    assert refused.status == "refused"
    assert world.writes == []
    assert refused.look.refusal is not None
    wrong = world.visit(approved="0" * 12)
    assert wrong.status == "refused"
    approved = world.visit(approved=refused.look.refusal.digest)
    assert approved.status == "done"
    assert world.writes == ["delete_egress_ip"]


def test_reservations_are_released_only_after_object_cpic_and_interface() -> None:
    """The safe order: a reservation outlives everything that uses it."""
    world = World()
    world.settle()
    world.desired = replace(world.desired, policies=())
    refusal = world.visit().look.refusal
    assert refusal is not None
    world.visit(approved=refusal.digest)
    world.visit()
    assert "release_reservation" not in world.writes, "the CPICs are still there"
    assign_all(world.cluster, world.ec2)
    world.visit()
    assert world.writes.count("release_reservation") == 3
    assert world.ec2.reservations == {}


def test_a_failed_reservation_holds_back_its_policy_and_no_other() -> None:
    """One bad subnet must not stop the others, and no address is used unprotected."""
    world = World(factories.cluster(factories.policy("ns", *ADDRESSES), factories.policy("pod", "10.10.100.240")))
    original = world.ec2.reserve_cidr

    def reserve(subnet_id, cidr, tags, description):  # type: ignore[no-untyped-def]
        if str(cidr) == "10.10.150.253/32":
            raise Unreachable("EC2", "CreateSubnetCidrReservation", "500")
        return original(subnet_id, cidr, tags, description)

    world.ec2.reserve_cidr = reserve  # type: ignore[method-assign]
    outcome = world.visit()
    assert outcome.status == "failed"
    assert set(world.cluster.egress_ips) == {"pod"}
    assert outcome.report is not None
    assert [failure.error is None for failure in outcome.report.failed] == [False, True, True]


def test_a_visit_killed_anywhere_is_finished_by_the_next() -> None:
    """Every prefix of a plan, followed by a whole visit, ends where one whole visit ends."""
    whole = World()
    whole.settle()
    for stop_after in range(4):
        world = World()
        calls = iter(range(100))

        def limited(original, calls=calls, stop=stop_after):  # type: ignore[no-untyped-def]
            def call(*arguments, **named):  # type: ignore[no-untyped-def]
                if next(calls) >= stop:
                    raise Unreachable("test", "killed", "here")
                return original(*arguments, **named)

            return call

        healthy_reserve, healthy_apply = world.ec2.reserve_cidr, world.cluster.apply_egress_ip
        world.ec2.reserve_cidr = limited(healthy_reserve)  # type: ignore[method-assign]
        world.cluster.apply_egress_ip = limited(healthy_apply)  # type: ignore[method-assign]
        world.visit()
        world.ec2.reserve_cidr = healthy_reserve  # type: ignore[method-assign]
        world.cluster.apply_egress_ip = healthy_apply  # type: ignore[method-assign]
        world.visit()
        assert set(world.ec2.reservations) == set(whole.ec2.reservations)
        assert world.cluster.egress_ips["ns"].spec == whole.cluster.egress_ips["ns"].spec


def test_a_conflict_at_apply_names_the_other_manager() -> None:
    """Somebody who took the field between reading and writing is named, not overwritten."""
    world = World()
    error = Conflict("cluster API", "apply EgressIP", "conflict", {".spec.egressIPs": "argocd"})
    world.cluster.fail("apply_egress_ip", error)
    finding = next(f for f in world.visit().findings if f.kind is Kind.FIELD_CONFLICT)
    assert "argocd" in finding.summary


def test_a_stray_address_is_taken_out_again_though_nothing_else_serves() -> None:
    """An edit that replaces all addresses by one nobody knows is put back without asking: it was never the policy's."""
    world = World()
    world.settle()
    world.cluster.edit("ns", "10.10.100.77")
    assign_all(world.cluster, world.ec2)
    assert world.visit().status == "done"
    assert world.cluster.egress_ips["ns"].spec.addresses == tuple(ADDRESSES)


def test_an_address_that_was_the_policys_is_guarded_even_after_an_edit() -> None:
    """The fleet file moves to other addresses: the ones that serve were given, so a person decides."""
    world = World()
    world.settle()
    world.desired = factories.cluster(factories.policy("ns", "10.10.100.77", "10.10.150.77", "10.10.200.77"))
    assert world.visit().status == "refused"
