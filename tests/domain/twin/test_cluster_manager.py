"""What the cluster manager remembers, repeats, wipes and forgets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.twin import cluster_manager, outside
from chalicelib.domain.twin.api import DeleteCpic, PatchEgressIp
from chalicelib.domain.twin.behaviours import Behaviours, behaviours_of
from chalicelib.domain.twin.choices import first
from chalicelib.domain.twin.cluster_manager import SawChange
from chalicelib.domain.twin.exploring import settle_every_way
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.turn import Operation
from chalicelib.domain.twin.values import CpicChange, EgressIpChange
from chalicelib.domain.twin.world import WakeManager as Wake
from chalicelib.domain.twin.world import advance, perform, settle, start_manager, stop_manager
from tests.domain.twin.clusters import (
    applied,
    assigned,
    carried,
    cluster,
    cpic,
    denied,
    edited,
    events,
    free,
    held,
    kicked,
    settled,
    status,
    unchanged,
    with_node,
    without_node,
)

RELEASES = ["1.1", "1.2", "1.3", "master", "later"]


def test_the_first_mark_wipes_every_other_annotation() -> None:
    """Once the mark is there, annotations put back stay; labels are never touched."""
    world = cluster("a1")
    plan: dict[str, Any] = {"annotations": {"x/plan": "1"}, "labels": {"x/label": "1"}}
    world = settled(outside.apply_egress_ip(world, "web", ("10.0.1.100",), **plan)[0])
    web = world.objects.egress_ips["web"]
    assert (web.annotations, web.labels, web.mark) == ((), (("x/label", "1"),), 50000)
    world = settled(outside.apply_egress_ip(world, "web", ("10.0.1.100",), **plan)[0])
    world = edited(edited(world, "a1", labelled=False), "a1", labelled=True)
    assert world.objects.egress_ips["web"].annotations == (("x/plan", "1"),)


def test_a_start_marks_objects_that_were_never_assigned() -> None:
    """Mark present does not mean assigned once; a start wipes their annotations too."""
    world, _, _ = outside.apply_egress_ip(cluster(), "web", ("10.0.1.100",), annotations={"x/plan": "1"})
    world = settled(start_manager(settled(world)))
    web = world.objects.egress_ips["web"]
    assert (web.mark, web.annotations, web.status) == (50000, (), ())


def test_nobody_else_sets_the_mark() -> None:
    """The admission policy denies it, at creation and later; repeating the value that is there is no change."""
    mine, other = {"k8s.ovn.org/egressip-mark": "50000"}, {"k8s.ovn.org/egressip-mark": "50001"}
    assert outside.apply_egress_ip(cluster(), "web", (), annotations=mine)[1] == outside.DENIED
    world = assigned(cluster("a1"), "web", "10.0.1.100")
    assert outside.apply_egress_ip(world, "web", ("10.0.1.100",), annotations=other)[1] == outside.DENIED
    assert outside.apply_egress_ip(world, "web", ("10.0.1.100",), annotations=mine)[1:] == (outside.OK, ())


def test_without_a_free_mark_objects_are_served_all_the_same() -> None:
    """There are five thousand; running out is only logged."""
    world = cluster("a1")
    assert world.manager is not None
    taken = Table((f"x{mark}", mark) for mark in range(50000, 55000))
    world = assigned(replace(world, manager=replace(world.manager, marks=taken)), "web", "10.0.1.100")
    assert (status(world, "web"), world.objects.egress_ips["web"].mark) == ({"10.0.1.100": "a1"}, None)


def test_marks_are_kept_and_given_back() -> None:
    """One a name; a deleted object's mark may be given again, but not before the others."""
    world = assigned(assigned(cluster("a1"), "one", "10.0.1.101"), "two", "10.0.1.102")
    world = settled(start_manager(world))
    world = settled(outside.delete_egress_ip(world, "one")[0])
    world = assigned(assigned(world, "one", "10.0.1.101"), "three", "10.0.1.103")
    assert sorted(e.mark or 0 for e in world.objects.egress_ips.values()) == [50000, 50001, 50002]


@pytest.mark.parametrize("release", RELEASES)
def test_a_kick_on_a_healthy_object_changes_nothing(release: str) -> None:
    """That is what makes it a safe remedy, in every release."""
    world = assigned(cluster("a1", "a2", "b1", behaviours=behaviours_of(release)), "web", "10.0.1.100", "10.0.2.100")
    assert unchanged(world, kicked(kicked(world, "web"), "web"))


@pytest.mark.parametrize("lost", [{"labelled": False}, {"ready": False}], ids=["label", "readiness"])
def test_a_node_that_is_lost_and_comes_back(lost: dict[str, bool]) -> None:
    """Its addresses move to the peer and stay there; without a peer they wait and come back."""
    world = with_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a2")
    world = edited(world, "a1", **lost)
    assert status(world, "web") == {"10.0.1.100": "a2"}
    world = edited(world, "a1", labelled=True, ready=True)
    assert (status(world, "web"), carried(world, "a2")) == ({"10.0.1.100": "a2"}, ["10.0.1.100"])
    world = without_node(edited(world, "a1", **lost), "a2")
    assert (status(world, "web"), "10.0.1.100" in world.objects.cpics) == ({}, False)


def test_taints_do_not_matter() -> None:
    """A cordoned node keeps its addresses and gets new ones."""
    world = edited(
        assigned(cluster("a1"), "web", "10.0.1.100"), "a1", taints=(("node.kubernetes.io/unschedulable", ""),)
    )
    world = assigned(world, "db", "10.0.1.101")
    assert (status(world, "web"), status(world, "db")) == ({"10.0.1.100": "a1"}, {"10.0.1.101": "a1"})


def test_new_addresses_wait_until_old_ones_are_gone() -> None:
    """Replacing one address by another is break before make."""
    world = assigned(cluster("a1"), "web", "10.0.1.100")
    world, changes = settle(applied(world, "web", "10.0.1.101"))
    statuses = [c.new.status for c in changes if isinstance(c, EgressIpChange) and c.new]
    assert statuses[0] == ()
    assert statuses[-1] == (("10.0.1.101", "a1"),)
    assert carried(world, "a1") == ["10.0.1.101"]


def test_an_addition_waits_in_the_pass_that_removes() -> None:
    """The first step after the change releases, and creates nothing yet."""
    world = applied(assigned(cluster("a1"), "web", "10.0.1.100"), "web", "10.0.1.101")
    assert world.manager is not None
    _, writes = cluster_manager.step(
        world.manager,
        SawChange(world.inbox[0]),
        objects=world.objects,
        now=world.now,
        behaviours=world.behaviours,
        choose=first,
    )
    assert writes == (PatchEgressIp("web", ()), DeleteCpic("10.0.1.100"))


@pytest.mark.parametrize(
    ("release", "seconds", "served"), [("master", 0.0, True), ("1.3", 0.0, False), ("1.3", 5.0, True)]
)
def test_when_a_node_with_a_late_annotation_is_taken_up(release: str, seconds: float, served: bool) -> None:
    """At once where egress-ipconfig is a trigger, otherwise by the 5 s loop."""
    world = assigned(cluster(behaviours=behaviours_of(release)), "web", "10.0.1.100")
    world, _ = settle(start_manager(world))
    late = with_node(cluster(), "a1").objects.nodes["a1"]
    world = replace(world, plane=with_node(cluster(), "a1").plane)
    world, _, _ = outside.put_node(world, replace(late, egress_config=None, pod_subnets=False))
    world, _ = advance(world, world.now + seconds)
    assert bool(status(world, "web")) is served


def test_a_changed_capacity_serves_waiting_objects_only_in_master() -> None:
    """Older releases note it and try nothing again."""
    for release, served in (("1.3", False), ("master", True)):
        world = cluster("a1", behaviours=behaviours_of(release))
        config = world.objects.nodes["a1"].egress_config
        assert config is not None
        full = replace(config, capacity_ipv4=0, capacity_ipv6=0)
        world = assigned(edited(world, "a1", egress_config=full), "web", "10.0.1.100")
        assert bool(status(edited(world, "a1", egress_config=config), "web")) is served


@pytest.mark.parametrize(("release", "heals"), [("1.1", False), ("1.2", True), ("master", True)])
def test_a_kick_on_a_failure_whose_node_is_gone(release: str, heals: bool) -> None:
    """From 1.2 on the failed CPIC is deleted and created on a peer, with an event; in 1.1 nothing happens."""
    world = held(cluster("a1", behaviours=behaviours_of(release)), "10.0.1.100")
    world = with_node(assigned(world, "web", "10.0.1.100"), "a2")
    world = settled(free(without_node(world, "a1")), seconds=60)
    assert status(world, "web") == {}
    world = kicked(world, "web")
    assert status(world, "web") == ({"10.0.1.100": "a2"} if heals else {})
    assert events(world, "web").get("CloudAssignmentRetry", 0) == int(heals)


def test_an_allocation_is_forgotten_with_its_node() -> None:
    """A failed CPIC on a node that lost its label is created on the peer, not there, once it is deleted by hand."""
    world = with_node(assigned(held(cluster("a1"), "10.0.1.100"), "web", "10.0.1.100"), "a2")
    world = kicked(edited(world, "a1", labelled=False), "web")
    assert cpic(world, "10.0.1.100").spec_node == "a1"
    world, changes = settle(outside.delete_cpic(free(world), "10.0.1.100")[0])
    created = [c.new.spec_node for c in changes if isinstance(c, CpicChange) and c.old is None and c.new is not None]
    assert (created, status(world, "web")) == (["a2"], {"10.0.1.100": "a2"})


def test_an_operation_is_pending_until_its_address_has_arrived() -> None:
    """The release in the middle of a move does not end it."""
    world = with_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a2")
    world = edited(denied(world, "AssignPrivateIpAddresses"), "a1", labelled=False)
    assert (cpic(world, "10.0.1.100").status_node, carried(world, "a1")) == ("a2", [])
    assert world.manager is not None
    assert world.manager.pending["web"] == (("10.0.1.100", Operation(add="a2", delete="a1")),)
    done = settled(outside.heal_calls(world), seconds=20)
    assert done.manager is not None
    assert not done.manager.pending


def test_two_addresses_of_an_object_claimed_on_one_node_are_both_placed_anew() -> None:
    """A status written by hand while the cluster manager was down is not believed."""
    world = stop_manager(assigned(cluster("a1", "a2"), "web", "10.0.1.100", "10.0.1.101"))
    both = (("10.0.1.100", "a1"), ("10.0.1.101", "a1"))
    world = settled(start_manager(outside.edit_egress_ip_status(world, "web", both)[0]))
    assert sorted(status(world, "web").values()) == ["a1", "a2"]


def test_the_cycle_heals_what_a_kick_does_not() -> None:
    """A failure on a living node after CNCC gave up: out of the spec, and in again."""
    world = free(settled(applied(held(cluster("a1"), "10.0.1.100"), "web", "10.0.1.100"), seconds=400))
    assert status(kicked(world, "web"), "web") == {}
    assert status(assigned(assigned(world, "web"), "web", "10.0.1.100"), "web") == {"10.0.1.100": "a1"}


def test_a_lost_status_is_restored_by_a_restart_and_not_by_a_kick() -> None:
    """The CPIC is healthy, so nothing triggers; a start reads the CPICs."""
    world = assigned(cluster("a1"), "web", "10.0.1.100")
    world = settled(outside.put_egress_ip_without_status(world, "web")[0])
    assert status(kicked(world, "web"), "web") == {}
    assert status(settled(start_manager(world)), "web") == {"10.0.1.100": "a1"}


def test_the_mark_cannot_be_dropped_by_a_put() -> None:
    """OpenShift's admission policy denies it; without the mark there is nothing to keep."""
    world = assigned(cluster("a1"), "web", "10.0.1.100")
    assert outside.put_egress_ip_without_status(world, "web", drop_annotations=True)[1] == outside.DENIED
    world, _, _ = outside.apply_egress_ip(cluster(), "web", (), annotations={"x": "1"})
    world, code, _ = outside.put_egress_ip_without_status(world, "web", drop_annotations=True)
    assert (code, world.objects.egress_ips["web"].annotations) == (outside.OK, ())


@pytest.mark.parametrize(("release", "kept"), [("1.1", "a2"), ("master", None)])
def test_a_status_item_edited_by_hand(release: str, kept: str | None) -> None:
    """It is removed where the cache must confirm it, and believed in 1.1."""
    world = with_node(assigned(cluster("a1", behaviours=behaviours_of(release)), "web", "10.0.1.100"), "a2")
    world = settled(outside.edit_egress_ip_status(world, "web", (("10.0.1.100", "a2"),))[0])
    assert status(world, "web").get("10.0.1.100") == kept


@pytest.mark.parametrize(("release", "node"), [("1.1", "a2"), ("master", "a1")])
def test_a_cpic_node_edited_by_hand(release: str, node: str) -> None:
    """It is moved back, or in 1.1 adopted."""
    world = with_node(assigned(cluster("a1", behaviours=behaviours_of(release)), "web", "10.0.1.100"), "a2")
    world = settled(outside.edit_cpic_node(world, "10.0.1.100", "a2")[0])
    assert (cpic(world, "10.0.1.100").spec_node, carried(world, node)) == (node, ["10.0.1.100"])


@pytest.mark.parametrize(("release", "moves"), [("1.1", False), ("1.2", True), ("1.3", False), ("master", False)])
def test_whether_a_restart_moves_healthy_addresses(release: str, moves: bool) -> None:
    """Release 1.2 checks the statuses against an empty cache, and places everything anew, at random."""
    world = with_node(cluster("a1", behaviours=behaviours_of(release)), "a2", labelled=False)
    world = edited(assigned(assigned(world, "web", "10.0.1.100"), "db", "10.0.1.101"), "a2", labelled=True)
    assert behaviours_of(release).restart_replaces is moves
    outcomes = settle_every_way([start_manager(world)])
    ends = {tuple(sorted({**status(w, "web"), **status(w, "db")}.items())) for w in outcomes.worlds}
    stay = (("10.0.1.100", "a1"), ("10.0.1.101", "a1"))
    assert outcomes.complete
    assert (stay not in ends) if moves else (ends == {stay})


def test_an_object_deleted_while_the_manager_was_down_leaves_its_cpic_for_ever() -> None:
    """An heir gets nothing and no event, kick or not; after the CPIC went by hand, its status still stays empty."""
    world = settled(stop_manager(assigned(cluster("a1"), "gone", "10.0.1.100")))
    world, _, _ = outside.delete_egress_ip(world, "gone")
    world = kicked(assigned(settled(start_manager(world)), "heir", "10.0.1.100"), "heir")
    assert (cpic(world, "10.0.1.100").owner, status(world, "heir"), events(world, "heir")) == ("gone", {}, {})
    world = kicked(settled(outside.delete_cpic(world, "10.0.1.100")[0]), "heir")
    assert (cpic(world, "10.0.1.100").owner, status(world, "heir")) == ("heir", {})
    assert status(settled(start_manager(world)), "heir") == {"10.0.1.100": "a1"}


def test_a_cpic_deleted_while_the_manager_was_down_is_created_again() -> None:
    """The start drops the claim first."""
    world, _, _ = outside.delete_cpic(stop_manager(assigned(cluster("a1"), "web", "10.0.1.100")), "10.0.1.100")
    world = settled(start_manager(settled(world)))
    assert (status(world, "web"), carried(world, "a1")) == ({"10.0.1.100": "a1"}, ["10.0.1.100"])


def test_a_failed_handling_is_repeated_on_the_tick() -> None:
    """The label comes back while the old CPIC cannot be released; nothing but the 30 s tick remembers (1.1)."""
    world = assigned(cluster("a1", behaviours=behaviours_of("1.1")), "web", "10.0.1.100")
    world = edited(denied(world, "UnassignPrivateIpAddresses"), "a1", labelled=False)
    world = edited(world, "a1", labelled=True)
    assert world.manager is not None
    assert "a1" in world.manager.node_retries
    world, _ = advance(outside.heal_calls(world), world.now + 1)
    assert status(world, "web") == {}
    world, _ = advance(world, world.now + 35)
    assert (status(world, "web"), len(world.manager.node_retries if world.manager else ())) == ({"10.0.1.100": "a1"}, 0)


def test_the_retry_book_gives_up_without_a_word() -> None:
    """Fifteen attempts, and the entry is gone."""
    world = settled(applied(cluster("a1"), "web", "not an address"), seconds=2000)
    assert world.manager is not None
    assert not world.manager.retrying
    assert events(world, "web") == {"InvalidEgressIP": 15}


def test_a_node_that_does_not_answer_loses_its_addresses() -> None:
    """The 5 s probe notices, and takes it up again when it answers."""
    world = with_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a2")
    world = settled(outside.node_answers(world, "a1", answers=False))
    assert status(world, "web") == {"10.0.1.100": "a2"}
    world = settled(outside.node_answers(outside.node_answers(world, "a2", answers=False), "a1", answers=True))
    assert status(world, "web") == {"10.0.1.100": "a1"}
    down = stop_manager(world)
    assert outside.node_answers(down, "a1", answers=False) == down


def test_changes_during_the_start_wait_for_its_end() -> None:
    """A driver may deliver them at once; they are handled after everything that was there."""
    world = start_manager(assigned(cluster("a1"), "web", "10.0.1.100"))
    for _ in range(4):
        world, _ = perform(world, Wake())
    manager, before = world.manager, world.objects.egress_ips["web"]
    assert manager is not None
    assert manager.starting
    world, _, changes = outside.apply_egress_ip(replace(world, manager=None), "web", ())
    manager, writes = cluster_manager.step(
        manager, SawChange(changes[0]), objects=world.objects, now=world.now, behaviours=Behaviours(), choose=first
    )
    assert (manager.early, writes, before.spec) == (changes, (), ("10.0.1.100",))
    done = settled(replace(world, manager=manager))
    assert (status(done, "web"), done.objects.cpics.get("10.0.1.100")) == ({}, None)
    assert settle(done)[0] == done
