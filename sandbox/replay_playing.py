"""Playing the steps of a recording on worlds of the twin: one world with default choices, or every way it can go.

Belongs here: the order of actions and time between them. Does not belong here: what is compared (`replay`).

Time between two lines is what the recorder waited for: nothing changing for 4 s (6.5 s after what a new node can depend
on), trying a failed CPIC again not counting as a change. Back-to-back actions leave the cluster manager time to react
but not CNCC, which is slower; starts and stops of programs take long enough for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from chalicelib.domain.twin.cncc_work import Work
from chalicelib.domain.twin.exploring import Outcomes, advance_every_way, settle_every_way
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Assigned, Change, Cpic, CpicChange
from chalicelib.domain.twin.world import (
    Deliver,
    Move,
    WakeManager,
    World,
    advance,
    at,
    moves,
    next_timer,
    perform,
    settle,
)
from sandbox.replay_actions import Zones, do
from sandbox.replay_recording import Json, Step
from sandbox.replay_state import state_of

QUIET_SECONDS = 4.0
QUIET_SECONDS_WITH_NODES = 6.5
QUIET_SECONDS_UNKNOWN = 30.0
"""How long a CPIC must have been Unknown without any change to count as settled."""

SLOW_ACTIONS = frozenset(
    f"{what}_{program}" for what in ("start", "stop", "restart") for program in ("cluster_manager", "cncc")
)
_NODE_ACTIONS = SLOW_ACTIONS | {"add_node", "readd_node", "taint", "untaint", "cordon_node"}


class WrongStatus(Exception):
    """A request got another HTTP status than recorded."""


@dataclass(frozen=True, slots=True)
class Played:
    """A world after a step.

    Attributes:
        failing: The failed form of CPICs that have only gone from False to Unknown since.
        failing_before: Those of them that were shown as failed when the step began.
        changes: Everything that changed in the cluster API during the step.
    """

    world: World
    failing: Mapping[str, Cpic] = field(default_factory=dict)
    failing_before: Mapping[str, Cpic] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    def later(self, world: World, changes: Iterable[Change]) -> Played:
        """The same step after some more happened."""
        failing = dict(self.failing)
        for change in changes:
            if isinstance(change, CpicChange):
                _follow(failing, change)
        return replace(self, world=world, failing=failing, changes=(*self.changes, *changes))

    @property
    def shown_failed(self) -> Mapping[str, Cpic]:
        """The CPICs that CNCC is at this moment trying again, in their failed form."""
        active = self.world.cncc.cpics.active if self.world.cncc else Table[str, Work]()
        return {address: cpic for address, cpic in self.failing.items() if address in active}

    def state(self) -> Json:
        """The state as a recording shows it."""
        return state_of(self.world, self.shown_failed)


def _follow(failing: dict[str, Cpic], change: CpicChange) -> None:
    """Keep *failing* up to date: a CPIC stays in it while it only goes from False to Unknown and back."""
    old, new = change.old, change.new
    if new is None:
        failing.pop(old.address if old else "", None)
    elif new.assigned is Assigned.FALSE:
        failing[new.address] = new
    elif (known := failing.get(new.address)) is not None:
        same = replace(new, assigned=known.assigned, reason=known.reason, message=known.message) == known
        if new.assigned is not Assigned.UNKNOWN or not same:
            del failing[new.address]


def quiet_seconds(step: Step) -> float:
    """How long nothing may change before the state of this step is taken."""
    if step.quiet_seconds is not None:
        return step.quiet_seconds
    nodes = any(action["do"] in _NODE_ACTIONS for action in step.actions)
    return QUIET_SECONDS_WITH_NODES if nodes else QUIET_SECONDS


def play(world: World, failing: Mapping[str, Cpic], step: Step, zones: Zones) -> Played:
    """Play one step on one world, with default choices.

    Raises:
        WrongStatus: A request got another HTTP status than recorded.
        UnreadableRecording: An action that cannot be done.
    """
    played = Played(world, failing)
    played = replace(played, failing_before=played.shown_failed)
    for action in step.actions:
        if action["do"] == "wait":
            played = played.later(*advance(played.world, played.world.now + action["seconds"]))
            continue
        acted, status, changes = do(played.world, action, zones)
        check_status(action, status)
        played = played.later(acted, changes)
        played = played.later(*(settle(acted) if action["do"] in SLOW_ACTIONS else _manager_reacts(acted)))
    return _quieten(played.later(*settle(played.world)), quiet_seconds(step))


def check_status(action: Json, status: int | None) -> None:
    """Raise WrongStatus where a request got another status than recorded."""
    if "result" in action and status != action["result"]:
        raise WrongStatus(f"{action['do']} {action.get('name', '')}: expected HTTP {action['result']}, got {status}")


def _manager_moves(world: World) -> Iterator[Move]:
    return (move for move in moves(world) if isinstance(move, Deliver | WakeManager))


def _manager_reacts(world: World) -> tuple[World, tuple[Change, ...]]:
    changes: list[Change] = []
    while (move := next(_manager_moves(world), None)) is not None:
        world, more = perform(world, move)
        changes += more
    return world, tuple(changes)


def _quieten(played: Played, seconds: float) -> Played:
    """Let time pass until nothing has changed for *seconds*."""
    changed_at = played.world.now
    while True:
        end = quiet_end(played, changed_at, seconds)
        timer = next_timer(played.world)
        if timer is None or timer > end:
            return played.later(*advance(played.world, end))
        before = played.state()
        played = played.later(*settle(at(played.world, max(timer, played.world.now))))
        if played.state() != before:
            changed_at = played.world.now


def quiet_end(played: Played, changed_at: float, seconds: float) -> float:
    """When it will have been quiet for long enough, if nothing changes."""
    return changed_at + (QUIET_SECONDS_UNKNOWN if _undecided(played) else seconds)


def _undecided(played: Played) -> bool:
    cpics = played.world.objects.cpics
    failed = played.shown_failed
    return any(c.assigned is Assigned.UNKNOWN and a not in failed for a, c in cpics.items())


def play_every_way(worlds: Iterable[World], step: Step, zones: Zones, *, delays: int) -> Outcomes:
    """Play one step on each of *worlds*, with every choice and in other orders too, as far as *delays* allows.

    Raises as `play`.
    """
    current = Outcomes(tuple(worlds), complete=True)
    for action in step.actions:
        if action["do"] == "wait":
            current = _wait_every_way(current, action["seconds"], delays)
            continue
        acted = []
        for world in current.worlds:
            after, status, _ = do(world, action, zones)
            check_status(action, status)
            acted.append(after)
        react = moves if action["do"] in SLOW_ACTIONS else _manager_moves
        reacted = settle_every_way(acted, delays=delays, options=react)
        current = Outcomes(reacted.worlds, current.complete and reacted.complete)
    settled = settle_every_way(current.worlds, delays=delays)
    quiet = _quieten_every_way(settled.worlds, quiet_seconds(step), delays)
    return Outcomes(quiet.worlds, current.complete and settled.complete and quiet.complete)


def _wait_every_way(outcomes: Outcomes, seconds: float, delays: int) -> Outcomes:
    later = [advance_every_way([world], world.now + seconds, delays=delays) for world in outcomes.worlds]
    worlds = dict.fromkeys(world for outcome in later for world in outcome.worlds)
    return Outcomes(tuple(worlds), outcomes.complete and all(outcome.complete for outcome in later))


def _quieten_every_way(worlds: Iterable[World], seconds: float, delays: int) -> Outcomes:
    complete = True
    waiting = [(world, world.now) for world in worlds]
    quiet: dict[World, None] = {}
    while waiting:
        world, changed_at = waiting.pop()
        played = Played(world)
        end = quiet_end(played, changed_at, seconds)
        timer = next_timer(world)
        if timer is None or timer > end:
            quiet[at(world, max(end, world.now))] = None
            continue
        woken = settle_every_way([at(world, max(timer, world.now))], delays=delays)
        complete = complete and woken.complete
        before = played.state()
        waiting += [(after, changed_at if state_of(after, {}) == before else after.now) for after in woken.worlds]
    return Outcomes(tuple(quiet), complete)
