"""One visit, with in-memory adapters: what is changed, what is not, who is told, when it comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.adapters.errors import Conflict, Denied, Unreachable
from chalicelib.domain.approving import Approval
from chalicelib.domain.findings import Kind
from chalicelib.domain.spec import ClusterSpec, Mode
from chalicelib.usecases.documents import visit_document
from chalicelib.usecases.ports import ClusterToken
from chalicelib.usecases.tell import Timing
from chalicelib.usecases.visit import MOST_REVISITS, Outcome, Outside, Pace, visit
from tests import factories
from tests.fakes import Clock, FakeAlerts, FakeCluster, FakeEc2, FakeMemory, assign_all

ADDRESSES = ("10.10.100.253", "10.10.150.253", "10.10.200.253")
PACE = Pace(Timing(timedelta(seconds=60), timedelta(days=1)), timedelta(seconds=20))


class World:
    """A healthy cluster with two nodes a zone, and everything a visit writes to."""

    def __init__(self, desired: ClusterSpec | None = None, nodes_per_zone: int = 2) -> None:
        start = factories.snapshot(nodes_per_zone=nodes_per_zone)
        self.desired = desired or factories.cluster(factories.policy("ns", *ADDRESSES))
        self.cluster, self.ec2 = FakeCluster(start), FakeEc2(start)
        self.memory, self.alerts, self.clock = FakeMemory(), FakeAlerts(), Clock()
        self.token: ClusterToken | None = None

    def visit(self, *, attempt: int = 0, approved: str | None = None) -> Outcome:
        outside = Outside(self.cluster, self.ec2, self.clock, memory=self.memory, alerts=self.alerts, token=self.token)
        approval = Approval(approved, self.clock()) if approved else None
        return visit(self.desired, outside, PACE, run_id="demo.1", attempt=attempt, approval=approval)

    def settle(self) -> None:
        """Bring the cluster to rest: applied, assigned, nothing left to plan."""
        self.visit()
        assign_all(self.cluster, self.ec2)
        self.forget_writes()

    def forget_writes(self) -> None:
        self.cluster.writes.clear()
        self.ec2.writes.clear()

    @property
    def writes(self) -> list[str]:
        return [write[0] for write in (*self.ec2.writes, *self.cluster.writes)]


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


READS = {
    "cluster": ["fetch_nodes", "fetch_egress_ips", "fetch_cpics"],
    "ec2": ["fetch_instances", "fetch_subnets", "fetch_interfaces", "fetch_reservations"],
}


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


def test_a_blind_visit_resolves_no_finding() -> None:
    """What could not be seen may still be so: no recovery message while a section is unknown."""
    world = World()
    world.settle()
    del world.ec2.reservations["scr-10.10.100.253/32"]
    world.ec2.fail("reserve_cidr", Denied("EC2", "CreateSubnetCidrReservation", "UnauthorizedOperation"))
    world.visit()
    told = len(world.alerts.sent)
    assert told
    world.ec2.fail("fetch_reservations")
    world.clock.advance(60)
    world.visit()
    assert not [alert for alert in world.alerts.sent[told:] if alert.subject.startswith("RESOLVED")]


def test_a_hand_edit_is_put_back_told_and_its_end_told() -> None:
    """People hear once that somebody edited the object, and once that it is over."""
    world = World()
    world.settle()
    world.cluster.edit("ns", *ADDRESSES[:2], manager="kubectl-edit")
    world.visit()
    assert ("apply_egress_ip", "ns", ADDRESSES, True) in world.cluster.writes
    assign_all(world.cluster, world.ec2)
    world.clock.advance(20)
    world.visit()
    world.clock.advance(20)
    world.visit()
    first, second = world.alerts.sent
    assert first.attributes == {"cluster": "demo", "severity": "critical", "kind": "spec-edited"}
    assert "kubectl-edit" in first.body
    assert "applied, being verified" in first.body
    assert second.subject.startswith("RESOLVED demo: EgressIP ns")


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


def test_an_alert_that_cannot_be_sent_fails_the_visit_after_it_has_acted() -> None:
    """Repairs come first; then the failure to tell anyone is raised, so that the queue delivers again."""
    world = World()
    world.settle()
    world.cluster.edit("ns", *ADDRESSES[:2])
    world.alerts.broken = Unreachable("SNS", "Publish", "503")
    with pytest.raises(Unreachable):
        world.visit()
    assert world.writes == ["apply_egress_ip"]
    world.alerts.broken = None
    world.visit()
    (alert,) = world.alerts.sent
    assert alert.attributes["kind"] == "spec-edited", "told although the edit was put back before anyone could be"
    assert alert.subject.startswith("RESOLVED")


def test_a_visit_killed_after_its_repair_leaves_the_message_to_the_next() -> None:
    """What was put back before anybody could be told is told all the same: somebody has edited what they should not."""

    class Killed(BaseException):
        pass

    world = World()
    world.settle()
    world.cluster.edit("ns", *ADDRESSES[:2])
    apply = world.cluster.apply_egress_ip

    def apply_and_die(*arguments: Any, **named: Any) -> None:
        apply(*arguments, **named)
        raise Killed

    world.cluster.apply_egress_ip = apply_and_die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        world.visit()
    world.cluster.apply_egress_ip = apply  # type: ignore[method-assign]
    assign_all(world.cluster, world.ec2)
    world.visit()
    assert world.alerts.sent == []  # it may still be telling
    world.clock.advance(150)
    world.visit()
    (alert,) = world.alerts.sent
    assert alert.attributes["kind"] == "spec-edited"
    assert "perhaps by a visit that was cut short; it had set out to: apply EgressIP ns" in alert.body
    world.clock.advance(600)
    world.visit()
    assert len(world.alerts.sent) == 1


def test_a_conflict_at_apply_names_the_other_manager() -> None:
    """Somebody who took the field between reading and writing is named, not overwritten."""
    world = World()
    error = Conflict("cluster API", "apply EgressIP", "conflict", {".spec.egressIPs": "argocd"})
    world.cluster.fail("apply_egress_ip", error)
    finding = next(f for f in world.visit().findings if f.kind is Kind.FIELD_CONFLICT)
    assert "argocd" in finding.summary


def test_revisits_back_off_and_end() -> None:
    """Pauses double up to a quarter of an hour; then the schedule is enough."""
    world = World()
    pauses = []
    for attempt in range(MOST_REVISITS + 1):
        outcome = World().visit(attempt=attempt)
        pauses.append(outcome.revisit_in)
    seconds = [pause.total_seconds() for pause in pauses if pause is not None]
    assert seconds == [20, 40, 80, 160, 320, 640, 900, 900]
    assert pauses[-1] is None
    assert world.writes == []


def test_a_node_that_joins_holds_back_its_address_and_brings_the_visit_back() -> None:
    """An address is asked for when a node can carry it, and reserved from the start."""
    world = World(nodes_per_zone=1)
    young = factories.NOW - timedelta(minutes=2)
    name = "node-c0"
    world.cluster.nodes[name] = replace(world.cluster.nodes[name], ready=False, created_at=young)
    world.ec2.instances["i-c0"] = replace(world.ec2.instances["i-c0"], launched_at=young)
    first = world.visit()
    assert world.cluster.egress_ips["ns"].spec.addresses == tuple(ADDRESSES)[:2]
    assert len(world.ec2.reservations) == 3
    assert any("joining" in item for item in first.look.planned.moving)
    assert first.revisit_in is not None
    world.cluster.nodes[name] = replace(world.cluster.nodes[name], ready=True)
    world.visit()
    assert world.cluster.egress_ips["ns"].spec.addresses == tuple(ADDRESSES)


def test_while_an_address_waits_for_a_node_visits_do_not_back_off() -> None:
    """What waits for a moment is asked for soon after it; each doubled pause would be time without the address."""
    young = factories.NOW - timedelta(minutes=2)
    pauses = []
    for attempt in (*range(1, 4), MOST_REVISITS):
        world = World(nodes_per_zone=1)
        node = world.cluster.nodes["node-c0"]
        world.cluster.nodes["node-c0"] = replace(node, ready=False, host_addresses=None, created_at=young)
        world.ec2.instances["i-c0"] = replace(world.ec2.instances["i-c0"], launched_at=young)
        pauses.append(world.visit(attempt=attempt).revisit_in)
    assert pauses == [*3 * [timedelta(seconds=20)], None]


def test_a_passing_movement_is_not_told_and_a_lasting_one_is() -> None:
    """Kinds that every healthy failover passes through count when two visits a while apart agree."""
    world = World()
    world.settle()
    del world.cluster.cpics[ADDRESSES[0]]
    first = world.visit()
    assert world.alerts.sent == []
    assert first.bulletin is not None
    assert first.bulletin.unsettled
    assert first.revisit_in is not None, "it comes back to see whether the finding settles"
    world.clock.advance(30)
    world.visit()
    assert world.alerts.sent == []
    world.clock.advance(31)
    world.visit()
    assert [alert.attributes["kind"] for alert in world.alerts.sent] == ["status-unbacked"]


def test_an_open_finding_is_told_again_once_a_day() -> None:
    """No storm: one message when it settles, one reminder a day."""
    world = World(factories.cluster(factories.policy("ns", "10.99.0.1")))
    for _ in range(10):
        world.visit()
        world.clock.advance(600)
    assert len(world.alerts.sent) == 1
    world.clock.advance(86_400)
    world.visit()
    assert len(world.alerts.sent) == 2
    assert "still open" in world.alerts.sent[1].body


def test_findings_of_one_cause_are_one_message() -> None:
    """An API server that does not answer is one message, not one a section."""
    world = World()
    for operation in READS["cluster"]:
        world.cluster.fail(operation, Unreachable("cluster API", operation, "timed out"))
    world.visit()
    world.clock.advance(61)
    world.visit()
    assert len(world.alerts.sent) == 1
    assert "and 2 more" in world.alerts.sent[0].subject


def test_a_visit_without_memory_still_acts() -> None:
    """The command line may run where nobody can be told."""
    world = World()
    outcome = visit(world.desired, Outside(world.cluster, world.ec2, world.clock), PACE, run_id="demo.cli")
    assert outcome.bulletin is None
    assert outcome.status == "done"
    assert visit_document(outcome)["told"] is None


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


def test_applied_repairs_are_counted_while_their_finding_is_open() -> None:
    """A remedy that never holds must be told from one that was applied once: tries and the last try are remembered."""
    world = World()
    world.settle()
    for number in (1, 2):
        world.cluster.edit("ns", *ADDRESSES[:2], "10.10.200.77")
        world.visit()
        (record,) = (r for r in world.memory.findings.values() if r.document["kind"] == Kind.SPEC_EDITED)
        assert (record.tries, record.tried_at) == (number, world.clock())
        world.clock.advance(20)


def test_a_visit_without_memory_acts_and_fails() -> None:
    """A lost table keeps no address from its policy, and hides nothing: the order is delivered again."""
    world = World()
    world.memory.fail("fetch_findings")
    with pytest.raises(Unreachable):
        world.visit()
    assert world.writes == ["reserve_cidr"] * 3 + ["apply_egress_ip"]
    assert world.alerts.sent == []
