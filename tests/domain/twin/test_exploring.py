"""The search for other ways a world can go."""

from __future__ import annotations

from chalicelib.domain.twin import outside
from chalicelib.domain.twin.behaviours import behaviours_of
from chalicelib.domain.twin.exploring import advance_every_way, settle_every_way
from chalicelib.domain.twin.world import advance, settle
from tests.domain.twin.clusters import applied, assigned, cluster, cpic, status


def test_the_usual_way_is_among_them() -> None:
    """Without delays and where nothing is left to chance, it is the only one."""
    world = applied(cluster("a1"), "web", "10.0.1.100")
    assert settle_every_way([world], delays=0).worlds == (settle(world)[0],)
    assert settle(world)[0] in settle_every_way([world]).worlds


def test_races_that_decide_something_are_found() -> None:
    """CNCC may be done with a move to nowhere before the cluster manager looks: recreated at once, or on the tick."""
    world = assigned(cluster("a1"), "web", "10.0.1.100")
    world, _, _ = outside.edit_cpic_node(world, "10.0.1.100", "ghost")
    usual = settle_every_way([world], delays=0)
    every = settle_every_way([world])
    assert {cpic(w, "10.0.1.100").spec_node for w in usual.worlds} == {"ghost"}
    assert {cpic(w, "10.0.1.100").spec_node for w in every.worlds} == {"ghost", "a1"}
    later = advance_every_way([world], world.now + 40)
    assert later.complete
    assert {tuple(status(w, "web").items()) for w in later.worlds} == {(("10.0.1.100", "a1"),)}
    assert all(w.now == world.now + 40 for w in later.worlds)


def test_any_order_at_all() -> None:
    """Without a bound on delays the same ends are reached, and none is missed that a bound finds."""
    world = applied(cluster("a1", behaviours=behaviours_of("1.1")), "web", "10.0.1.100")
    bounded, unbounded = settle_every_way([world]), settle_every_way([world], delays=None)
    assert unbounded.complete
    assert set(bounded.worlds) <= set(unbounded.worlds)


def test_a_search_that_is_stopped_says_so() -> None:
    """Whatever it has found is not all there is."""
    world = applied(cluster("a1", "a2"), "web", "10.0.1.100", "10.0.1.101")
    assert not settle_every_way([world], limit=5).complete
    assert not advance_every_way([world], world.now + 1, limit=5).complete


def test_a_quiet_world_goes_nowhere() -> None:
    """And time alone changes only the time."""
    world = settle(cluster("a1"))[0]
    assert settle_every_way([world]).worlds == (world,)
    assert advance_every_way([world], world.now + 100).worlds == (advance(world, world.now + 100)[0],)
