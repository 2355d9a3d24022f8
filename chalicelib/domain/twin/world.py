"""The three programs together, with a pure API object store and the pure EC2 plane: a cluster that runs by itself.

Belongs here: the state of the whole, what may happen next, running until quiet, advancing in time. Does not belong
here: what people and other programs do to it (`outside`), every order it could have happened in (`exploring`).

    quiet, changes = settle(world)              # until nothing is left to do at this moment
    later, changes = advance(world, to=seconds) # with every timer in between
    next_timer(world)                           # when something happens by itself; None if never

Calls to EC2 and to the API take no time, except where a program waits on purpose. Of what may happen at one moment the
cluster manager's part comes first, in the order of the changes it saw: it is much quicker than CNCC, whose API client
allows itself five requests a second. `moves` lists all that may happen, for those who want another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from chalicelib.domain.twin import api, cluster_manager, cncc, ec2
from chalicelib.domain.twin.api import EmitEvent, Write
from chalicelib.domain.twin.behaviours import Behaviours
from chalicelib.domain.twin.choices import Choose, first
from chalicelib.domain.twin.cluster_manager import ClusterManager
from chalicelib.domain.twin.cncc import Cncc, Key
from chalicelib.domain.twin.ec2 import Plane
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Change, Objects

Changes: TypeAlias = tuple[Change, ...]

KINDS = 3
"""Of objects that the cluster manager watches."""


@dataclass(frozen=True, slots=True)
class World:
    """A cluster with its part of EC2, at one moment.

    Attributes:
        now: Seconds since some beginning.
        manager: None while the cluster manager is down; so for `cncc`.
        inbox: Changes that the cluster manager has yet to see, oldest first.
        events: How many Kubernetes Events there were, by (reason, EgressIP).
    """

    behaviours: Behaviours
    objects: Objects = field(default_factory=Objects)
    plane: Plane = field(default_factory=Plane)
    now: float = 0.0
    manager: ClusterManager | None = None
    cncc: Cncc | None = None
    inbox: Changes = ()
    events: Table[tuple[str, str], int] = field(default_factory=Table)


@dataclass(frozen=True, slots=True)
class Deliver:
    """The cluster manager handles one change that it saw: the one at this place of the inbox."""

    place: int


@dataclass(frozen=True, slots=True)
class WakeManager:
    """A timer of the cluster manager fires."""


@dataclass(frozen=True, slots=True)
class RunCncc:
    """CNCC begins a piece of work, or sends a call that waited."""

    event: cncc.Begin | cncc.Send


@dataclass(frozen=True, slots=True)
class AnswerCall:
    """EC2 answers a call of CNCC's, and the next ones of the same piece of work up to its next write."""

    key: Key


Move: TypeAlias = Deliver | WakeManager | RunCncc | AnswerCall


def running(behaviours: Behaviours, plane: Plane | None = None) -> World:
    """An empty cluster with both programs just started."""
    world = World(behaviours, plane=plane or Plane())
    return start_cncc(start_manager(world))


def start_manager(world: World) -> World:
    """The cluster manager starts, anew if it was running: whatever it knew is gone."""
    return replace(world, manager=cluster_manager.started(world.now), inbox=())


def stop_manager(world: World) -> World:
    """The cluster manager stops."""
    return replace(world, manager=None, inbox=())


def start_cncc(world: World) -> World:
    """CNCC starts, anew if it was running: its queues and failure counts are gone, everything is enqueued."""
    return replace(world, cncc=cncc.started(world.objects))


def stop_cncc(world: World) -> World:
    """CNCC stops."""
    return replace(world, cncc=None)


def moves(world: World) -> Iterator[Move]:
    """Everything that may happen next at this moment, the order that `settle` takes first."""
    if world.manager is not None:
        if not world.manager.starting:
            yield from _deliveries(world.inbox)
        due = cluster_manager.next_due(world.manager)
        if due is not None and due <= world.now:
            yield WakeManager()
    if world.cncc is not None:
        for key, _ in cncc.calls(world.cncc):
            yield AnswerCall(key)
        for event in cncc.runnable(world.cncc, world.now):
            yield RunCncc(event)


def _deliveries(inbox: Changes) -> Iterator[Deliver]:
    """The oldest change of each kind, oldest first: each kind has a watch of its own."""
    kinds: set[type] = set()
    for place, change in enumerate(inbox):
        if type(change) not in kinds:
            kinds.add(type(change))
            yield Deliver(place)
        if len(kinds) == KINDS:
            break


def perform(world: World, move: Move, choose: Choose = first) -> tuple[World, Changes]:
    """Let one of `moves` happen: the world after it, and what changed in the cluster API."""
    match move:
        case Deliver(place):
            change = world.inbox[place]
            rest = replace(world, inbox=world.inbox[:place] + world.inbox[place + 1 :])
            return _step_manager(rest, cluster_manager.SawChange(change), choose)
        case WakeManager():
            return _step_manager(world, cluster_manager.Wake(), choose)
        case RunCncc(event):
            return _step_cncc(world, event)
        case AnswerCall(key):
            return _answer(world, key)
        case _:
            assert_never(move)


def _step_manager(world: World, event: cluster_manager.ManagerEvent, choose: Choose) -> tuple[World, Changes]:
    if world.manager is None:
        return world, ()
    manager, writes = cluster_manager.step(
        world.manager, event, objects=world.objects, now=world.now, behaviours=world.behaviours, choose=choose
    )
    return written(replace(world, manager=manager), writes)


def _step_cncc(world: World, event: cncc.CnccEvent) -> tuple[World, Changes]:
    if world.cncc is None:
        return world, ()
    state, writes = cncc.step(world.cncc, event, objects=world.objects, now=world.now, behaviours=world.behaviours)
    return written(replace(world, cncc=state), writes)


def _answer(world: World, key: Key) -> tuple[World, Changes]:
    while world.cncc is not None:
        work = world.cncc.queue(key.kind).active.get(key.name)
        if work is None or work.send_at is not None:
            break
        plane, answer = ec2.call(world.plane, work.request)
        world, changes = _step_cncc(replace(world, plane=plane), cncc.Answered(key, answer))
        if changes:
            return world, changes
    return world, ()


def written(world: World, writes: tuple[Write, ...]) -> tuple[World, Changes]:
    """The world after those writes, every program having been told of the changes."""
    changes: list[Change] = []
    events = world.events
    for write in writes:
        if isinstance(write, EmitEvent):
            events = events.put((write.reason, write.egress_ip), events.get((write.reason, write.egress_ip), 0) + 1)
            continue
        objects, change = api.apply(world.objects, write)
        if change is not None:
            world = told(replace(world, objects=objects), change)
            changes.append(change)
    return world if events is world.events else replace(world, events=events), tuple(changes)


def told(world: World, change: Change) -> World:
    """The world after the watches have delivered *change*: CNCC enqueues at once, the cluster manager gets to it."""
    if world.manager is not None and world.manager.watches(change):
        world = replace(world, inbox=(*world.inbox, change))
    if world.cncc is not None:
        world, _ = _step_cncc(world, cncc.SawChange(change))
    return world


def settle(world: World, choose: Choose = first) -> tuple[World, Changes]:
    """Run until nothing is left to do at this moment.

    Returns:
        The quiet world, and every change of the cluster API on the way, in order.
    """
    changes: list[Change] = []
    while (move := next(moves(world), None)) is not None:
        world, more = perform(world, move, choose)
        changes += more
    return world, tuple(changes)


def next_timer(world: World) -> float | None:
    """When something happens by itself in a quiet world, in seconds of its time; None if nothing ever does."""
    timers = (
        cluster_manager.next_due(world.manager) if world.manager else None,
        cncc.next_due(world.cncc) if world.cncc else None,
        ec2.next_release(world.plane),
    )
    return min((at for at in timers if at is not None), default=None)


def at(world: World, moment: float) -> World:
    """The world at a later moment, before anything has happened then. No timer may lie in between."""
    return replace(world, now=moment, plane=ec2.free_due(world.plane, moment))


def advance(world: World, to: float, choose: Choose = first) -> tuple[World, Changes]:
    """Let time pass until *to*, with every timer in between; the world is quiet before and after.

    Returns:
        The world at *to*, and every change of the cluster API on the way, in order.
    """
    world, changes = settle(world, choose)
    while (timer := next_timer(world)) is not None and timer <= to:
        world, more = settle(at(world, max(timer, world.now)), choose)
        changes += more
    return replace(world, now=max(to, world.now)), changes
