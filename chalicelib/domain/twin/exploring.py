"""Every way a world can go: all orders of the programs' steps, and all of their random choices.

Belongs here: the search over what `world.moves` offers and `choices` may answer. Does not belong here: what the
outcomes mean to anybody.

Worlds that are equal are visited once, so the cost is the number of different worlds on the way, not of the ways. That
is small for one object on a few nodes and hopeless for a cluster: the search stops at *limit* and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from chalicelib.domain.twin.choices import every_outcome
from chalicelib.domain.twin.world import Move, World, at, moves, next_timer, perform

DEFAULT_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Quiet worlds that were reached, without repeats.

    Attributes:
        complete: All there are. If not, the search was stopped at its limit.
    """

    worlds: tuple[World, ...]
    complete: bool


def settle_every_way(
    worlds: Iterable[World], *, limit: int = DEFAULT_LIMIT, key: Callable[[World], object] | None = None
) -> Outcomes:
    """Run each of *worlds* until quiet, in every order and with every choice.

    Args:
        limit: Different worlds to visit at most.
        key: What makes two worlds the same; the worlds themselves by default.
    """
    same = key or _itself
    waiting = list(worlds)
    seen = {same(world) for world in waiting}
    quiet: dict[object, World] = {}
    while waiting:
        world = waiting.pop()
        options = list(moves(world))
        if not options:
            quiet.setdefault(same(world), world)
        for move in options:
            if len(seen) > limit:
                return Outcomes(tuple(quiet.values()), complete=False)
            for after in after_every_choice(world, move):
                if same(after) not in seen:
                    seen.add(same(after))
                    waiting.append(after)
    return Outcomes(tuple(quiet.values()), complete=True)


def advance_every_way(
    worlds: Iterable[World], to: float, *, limit: int = DEFAULT_LIMIT, key: Callable[[World], object] | None = None
) -> Outcomes:
    """Let time pass until *to* in each of *worlds*, every timer's consequences running every way.

    Args:
        to: Seconds of the worlds' time.
        limit: Different worlds to visit between two timers at most.
        key: What makes two worlds the same; the worlds themselves by default.
    """
    same = key or _itself
    start = settle_every_way(worlds, limit=limit, key=key)
    complete = start.complete
    waiting, arrived = list(start.worlds), dict[object, World]()
    while waiting:
        world = waiting.pop()
        timer = next_timer(world)
        if timer is None or timer > to:
            arrived.setdefault(same(world), at(world, max(to, world.now)))
            continue
        woken = settle_every_way([at(world, max(timer, world.now))], limit=limit, key=key)
        complete = complete and woken.complete
        waiting.extend(woken.worlds)
    return Outcomes(tuple(arrived.values()), complete)


def after_every_choice(world: World, move: Move) -> Iterator[World]:
    """The worlds that one move can lead to, equal ones as often as they occur."""
    return every_outcome(lambda choose: perform(world, move, choose)[0])


def _itself(world: World) -> object:
    return world
