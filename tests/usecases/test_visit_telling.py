"""Whom a visit tells of what, and when; what is told when it was cut short, or nothing can be remembered."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.adapters.errors import AdapterError, Denied, Throttled, Unreachable
from chalicelib.domain.findings import Kind
from chalicelib.usecases.documents import visit_document
from tests import factories
from tests.fakes import assign_all
from tests.worlds import ADDRESSES, READS, World


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


@pytest.mark.parametrize(
    ("error", "minutes", "messages"),
    [(Unreachable, 4, 0), (Unreachable, 6, 1), (Throttled, 4, 0), (Denied, 2, 1)],
)
def test_findings_of_one_cause_are_one_message(error: type[AdapterError], minutes: int, messages: int) -> None:
    """An API server that does not answer is one message, not one a section; none where it is back within minutes."""
    world = World()
    for operation in READS["cluster"]:
        world.cluster.fail(operation, error("cluster API", operation, "timed out"))
    for _ in range(minutes):
        world.visit()
        world.clock.advance(61)
    assert len(world.alerts.sent) == messages
    assert all("and 2 more" in alert.subject for alert in world.alerts.sent)


def test_a_visit_without_memory_still_acts() -> None:
    """The command line may run where nobody can be told."""
    world = World()
    outcome = world.visit_on_a_terminal()
    assert outcome.bulletin is None
    assert outcome.status == "done"
    assert visit_document(outcome)["told"] is None


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
