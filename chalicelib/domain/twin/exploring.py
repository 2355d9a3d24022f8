"""Other ways a world can go: other orders of the programs' steps, and all of their random choices.

Belongs here: the search over what `world.moves` offers and `choices` may answer. Does not belong here: what the
outcomes mean to anybody.

Every choice a program makes at random is tried. Orders are tried as far as they stray from the usual one (`moves`): to
take the second move on offer instead of the first costs one *delay*, the third two, and a way may cost so many in all.
None stands for any number. Races that decide something need one or two: CNCC being done before the cluster manager has
seen its last change, a watch being ahead of another. All orders of a handful of steps are already thousands.

Worlds that are equal are visited once. The search stops at *limit* worlds and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from chalicelib.domain.twin.choices import every_outcome
from chalicelib.domain.twin.world import Move, World, at, moves, next_timer, perform

USUAL_DELAYS = 2
DEFAULT_LIMIT = 50_000


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Worlds that were reached, without repeats.

    Attributes:
        complete: All there are within the delays. If not, the search was stopped at its limit.
    """

    worlds: tuple[World, ...]
    complete: bool


def settle_every_way(
    worlds: Iterable[World],
    *,
    delays: int | None = USUAL_DELAYS,
    limit: int = DEFAULT_LIMIT,
    options: Callable[[World], Iterator[Move]] = moves,
) -> Outcomes:
    """Run each of *worlds* until quiet, in other orders too and with every choice.

    Args:
        delays: How far orders may stray from the usual one; None for any order at all.
        limit: Different worlds to visit at most.
        options: What may happen next; a world without options is quiet.
    """
    ahead: list[list[World]] = [list(dict.fromkeys(worlds))]
    seen: set[World] = set()
    quiet: dict[World, None] = {}
    for spent in range(1 + (delays if delays is not None else 0)):
        if spent == len(ahead):
            break
        while ahead[spent]:
            world = ahead[spent].pop()
            if world in seen:
                continue
            if len(seen) >= limit:
                return Outcomes(tuple(quiet), complete=False)
            seen.add(world)
            on_offer = list(options(world))
            if not on_offer:
                quiet[world] = None
            for place, move in enumerate(on_offer if delays is None else on_offer[: delays - spent + 1]):
                cost = spent if delays is None else spent + place
                while len(ahead) <= cost:
                    ahead.append([])
                ahead[cost].extend(after for after in after_every_choice(world, move) if after not in seen)
    return Outcomes(tuple(quiet), complete=True)


def advance_every_way(
    worlds: Iterable[World], to: float, *, delays: int | None = USUAL_DELAYS, limit: int = DEFAULT_LIMIT
) -> Outcomes:
    """Let time pass until *to* in each of *worlds*, the consequences of every timer running every way.

    Args:
        to: Seconds of the worlds' time.
        delays: As in `settle_every_way`, anew at each timer; so for *limit*.
    """
    settled = settle_every_way(worlds, delays=delays, limit=limit)
    complete = settled.complete
    waiting, arrived = list(settled.worlds), dict[World, None]()
    while waiting:
        world = waiting.pop()
        timer = next_timer(world)
        if timer is None or timer > to:
            arrived[at(world, max(to, world.now))] = None
            continue
        woken = settle_every_way([at(world, max(timer, world.now))], delays=delays, limit=limit)
        complete = complete and woken.complete
        waiting.extend(woken.worlds)
    return Outcomes(tuple(arrived), complete)


def after_every_choice(world: World, move: Move) -> Iterator[World]:
    """The worlds that one move can lead to, equal ones as often as they occur."""
    return every_outcome(lambda choose: perform(world, move, choose)[0])
