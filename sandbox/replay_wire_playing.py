"""Playing a recording on the sandbox's wire, step by step, and comparing with the code that compares the model alone.

Belongs here: order and time on the wire, the verdict. Does not belong here: requests (`replay_wire_actions`), reading
(`replay_wire`), how long is quiet (`replay_playing`), the comparison (`replay_state`).

The wire goes one way at a time. Where a recording leaves a line open (`any_of`), it must end in one of the recorded
states. Where it ends elsewhere and the platform had a choice, others are tried from the beginning, a few of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from chalicelib.domain.twin.choices import Choose, first
from sandbox.replay_playing import (
    SLOW_ACTIONS,
    Played,
    WrongStatus,
    check_status,
    quiet_end,
    quiet_seconds,
)
from sandbox.replay_recording import Recording, Step
from sandbox.replay_state import change_sequences, changes_difference, several_addresses, state_difference
from sandbox.replay_verdict import Difference, Verdict
from sandbox.replay_wire import WirePlatform
from sandbox.replay_wire_actions import do

T = TypeVar("T")

OTHER_WAYS = 8


def replay_on_wire(recording: Recording, *, changes: bool = True) -> Verdict:
    """Play a recording on the wire and compare.

    Args:
        changes: Also compare the changes of every object between the states.

    Raises:
        UnreadableRecording: It names a version, or an action, that is not known.
    """
    usual = _Counted()
    verdict = _once(recording, usual, changes=changes)
    if verdict.difference is None or not usual.choices:
        return verdict
    for number, choose in enumerate(_other_ways(), start=1):
        other = _once(recording, choose, changes=changes)
        if other.difference is None:
            return replace(other, notes=(f"passes with the platform's choices number {number}",))
    return verdict


class _Counted:
    """The usual choices, and how often there was one."""

    def __init__(self) -> None:
        self.choices = 0

    def __call__(self, what: str, options: Sequence[T], /) -> T:
        """The first option."""
        self.choices += len(options) > 1
        return first(what, options)


def _other_ways() -> Iterator[Choose]:
    def last(_what: str, options: Sequence[T], /) -> T:
        return options[-1]

    yield last
    for seed in range(OTHER_WAYS):
        dice = random.Random(seed)  # noqa: S311 - repeatable, which is the point

        def any_of(_what: str, options: Sequence[T], /, dice: random.Random = dice) -> T:
            return options[dice.randrange(len(options))]

        yield any_of


def _once(recording: Recording, choose: Choose, *, changes: bool) -> Verdict:
    """Play it with these choices, up to the first difference."""
    with WirePlatform(recording, choose) as platform:
        played = Played(platform.world())
        for step in recording.steps:
            before = played.world
            try:
                played = _play(platform, replace(played, changes=()), step)
            except WrongStatus as error:
                return Verdict(Difference(step.line, str(error)))
            what = _states_difference(played, step)
            if what is None and changes and step.exact:
                got = change_sequences(played.changes, played.failing_before, played.shown_failed)
                several = several_addresses(before, played.world)
                what = changes_difference(got, step.changes or (), step.vary, several)
            if what is not None:
                return Verdict(Difference(step.line, what))
    return Verdict(None)


def _states_difference(played: Played, step: Step) -> str | None:
    """The difference from the recorded state, or from the first of several of which none is met."""
    found = [state_difference(played.world, played.shown_failed, state) for state in step.states]
    if None in found:
        return None
    return found[0] if step.exact else f"none of the {len(found)} recorded states; from the first: {found[0]}"


def _play(platform: WirePlatform, played: Played, step: Step) -> Played:
    """One step, in the recorder's time: see `replay_playing.play`."""
    played = replace(played, failing_before=played.shown_failed)
    for action in step.actions:
        if action["do"] == "wait":
            platform.timeline.advance(action["seconds"])
            continue
        check_status(action, do(platform, action))
        if action["do"] in SLOW_ACTIONS:
            platform.timeline.advance(0)
        else:
            platform.controllers.let_manager_act()
    platform.timeline.advance(0)
    played = _later(platform, played)
    changed_at = played.world.now
    while True:
        end = quiet_end(played, changed_at, quiet_seconds(step))
        timer = platform.timeline.next_due()
        if timer is None or timer > end:
            platform.timeline.advance(max(0.0, end - platform.timeline.now()))
            return _later(platform, played)
        before = played.state()
        platform.timeline.advance(max(0.0, timer - platform.timeline.now()))
        played = _later(platform, played)
        if played.state() != before:
            changed_at = played.world.now


def _later(platform: WirePlatform, played: Played) -> Played:
    return played.later(platform.world(), platform.take_changes())
