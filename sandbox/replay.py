"""Play golden recordings on the twin alone, and say where it differs: `python -m sandbox replay FILE...`.

Belongs here: what is checked, the verdict, the command. Does not belong here: the file format (`replay_recording`), the
actions (`replay_actions`), orders and time (`replay_playing`), the comparison of states (`replay_state`).

What is checked, line by line:

- A settled line: the state, field by field; Events at least as often as recorded, and no others; the HTTP status of
  every request that has one; the changes of every object, in order, except those that the recording leaves open. The
  twin makes its usual choices; if those lead elsewhere, others may lead there, which is said under the pass.
- An `any_of` line: the twin runs with every choice, in its usual order and then in more and more unusual ones (see
  `exploring`), until every recorded state is reached; it fails if one is not. The recording goes on from every world
  that looks like one of them. States that are reachable and not recorded are reported with `--notes` and are no
  failure: a recording lists what was seen in its few runs.

Exit status: 0 all pass, 1 some differ, 2 a file could not be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chalicelib.domain.twin.behaviours import behaviours_of
from chalicelib.domain.twin.ec2 import Plane, Subnet
from chalicelib.domain.twin.exploring import USUAL_DELAYS
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Cpic
from chalicelib.domain.twin.world import World, running, settle
from sandbox.replay_actions import Zones
from sandbox.replay_playing import WrongStatus, play, play_every_way
from sandbox.replay_recording import Recording, Step, UnreadableRecording, read
from sandbox.replay_state import change_sequences, changes_difference, state_difference


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a world of the twin first differs from a recording: the line, and what was expected and got."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one recording.

    Attributes:
        difference: The first one; None if it passes.
        weaker: Lines that pass only with another choice or order than the usual one.
        notes: Remarks that are no failure.
    """

    difference: Difference | None
    weaker: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def replay(recording: Recording, *, changes: bool = True) -> Verdict:
    """Play a recording and compare.

    Args:
        changes: Also compare the changes of every object between the states.

    Raises:
        UnreadableRecording: It names a version, or an action, that is not known.
    """
    return _Replay(recording, changes=changes).run()


@dataclass(frozen=True, slots=True)
class Way:
    """One world the recording may be in, and which of its CPICs are shown as failed."""

    world: World
    failing: Mapping[str, Cpic]


class _Replay:
    def __init__(self, recording: Recording, *, changes: bool) -> None:
        self._recording = recording
        self._zones = Zones(recording.zones)
        self._changes = changes
        self._ways = [Way(settle(empty_world(recording))[0], {})]
        self._weaker: list[str] = []
        self._notes: list[str] = []

    def run(self) -> Verdict:
        """Play all steps, up to the first difference."""
        for step in self._recording.steps:
            try:
                what = self._exactly(step) if step.exact else self._one_of(step)
            except WrongStatus as error:
                what = str(error)
            if what is not None:
                return self._verdict(Difference(step.line, what))
        return self._verdict(None)

    def _verdict(self, difference: Difference | None) -> Verdict:
        return Verdict(difference, tuple(self._weaker), tuple(self._notes))

    def _exactly(self, step: Step) -> str | None:
        """Play a step with one recorded state; it must come out so in every world the recording may be in."""
        after = []
        for way in self._ways:
            played = play(way.world, way.failing, step, self._zones)
            what = state_difference(played.world, played.shown_failed, step.states[0])
            if what is not None:
                return self._otherwise(step, what)
            if self._changes:
                got = change_sequences(played.changes, played.failing_before, played.shown_failed)
                several = _with_several_addresses(way.world, played.world)
                what = changes_difference(got, step.changes or (), step.vary, several)
            if what is not None:
                return what
            after.append(Way(played.world, played.failing))
        self._ways = after
        return None

    def _otherwise(self, step: Step, what: str) -> str | None:
        """What the usual way does not lead to may be what the real programs chose in each of their few runs."""
        if self._one_of(step) is not None:
            return what
        self._weaker.append(f"line {step.line}: not by the usual choices and order; changes not compared")
        return None

    def _one_of(self, step: Step) -> str | None:
        """Play a step with several recorded states: each must be reachable, by however rare an order."""
        worlds = [way.world for way in self._ways]
        for delays in range(USUAL_DELAYS + 1):
            ways = play_every_way(worlds, step, self._zones, delays=delays)
            found = [[w for w in ways.worlds if state_difference(w, {}, state) is None] for state in step.states]
            if all(found):
                break
        searched = f"{len(ways.worlds)} worlds with up to {delays} delays{'' if ways.complete else ', not all'}"
        for number, (state, matching) in enumerate(zip(step.states, found, strict=True), start=1):
            if not matching:
                nearest = state_difference(ways.worlds[0], {}, state) if ways.worlds else "no world at all"
                return f"state {number} of {len(step.states)} is not among {searched}; in one: {nearest}"
        alike = dict.fromkeys(world for matching in found for world in matching)
        if len(alike) < len(ways.worlds):
            self._notes.append(f"line {step.line}: {len(ways.worlds) - len(alike)} of {searched} look otherwise")
        self._ways = [Way(world, {}) for world in alike]
        return None


def empty_world(recording: Recording) -> World:
    """The world in which a recording begins: its releases, its zones, both programs just started."""
    try:
        behaviours = behaviours_of(recording.ovnk, recording.cncc)
    except ValueError as error:
        raise UnreadableRecording(str(error)) from error
    subnets = Table((zone, Subnet(zone, cidr)) for zone, cidr in recording.zones.items())
    return running(behaviours, Plane(subnets=subnets))


def _with_several_addresses(*worlds: World) -> frozenset[str]:
    egress_ips = (egress_ip for world in worlds for egress_ip in world.objects.egress_ips.values())
    return frozenset(f"egressip {egress_ip.name}" for egress_ip in egress_ips if len(set(egress_ip.spec)) > 1)


def main(argv: Sequence[str]) -> int:
    """Replay the recordings named on the command line; print a line each.

    Returns:
        The exit status: 0 all pass, 1 some differ, 2 a file could not be read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sandbox replay", description="Play golden recordings on the twin and compare."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings (JSON Lines)")
    parser.add_argument("--states-only", action="store_true", help="do not compare the changes between states")
    parser.add_argument("--notes", action="store_true", help="also print remarks that are no failure")
    arguments = parser.parse_args(argv)
    worst = 0
    for path in arguments.files:
        try:
            verdict = replay(read(path), changes=not arguments.states_only)
        except UnreadableRecording as error:
            print(f"unreadable: {path}: {error}", file=sys.stderr)
            worst = 2
            continue
        if verdict.difference is None:
            print(f"pass {path}")
        else:
            print(f"FAIL {path}:{verdict.difference.line}: {verdict.difference.what}")
            worst = max(worst, 1)
        for remark in (*verdict.weaker, *(verdict.notes if arguments.notes else ())):
            print(f"     {remark}")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
