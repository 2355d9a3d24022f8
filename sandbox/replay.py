"""Play golden recordings on the twin, and say where it differs: `python -m sandbox replay [--wire] FILE...`.

Belongs here: what is checked, the verdict, the command. Does not belong here: the file format (`replay_recording`), the
actions (`replay_actions`), orders and time (`replay_playing`), the comparison of states (`replay_state`), playing on
the wire (`replay_wire_playing`).

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.domain.twin.ec2 import Plane, Subnet
from chalicelib.domain.twin.exploring import USUAL_DELAYS
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Cpic
from chalicelib.domain.twin.world import World, running, settle
from sandbox.replay_actions import Zones
from sandbox.replay_playing import WrongStatus, play, play_every_way
from sandbox.replay_recording import Recording, Step, UnreadableRecording, read
from sandbox.replay_state import (
    change_sequences,
    changes_difference,
    recorded_behaviours,
    several_addresses,
    state_difference,
)
from sandbox.replay_verdict import Difference, Verdict


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
                several = several_addresses(way.world, played.world)
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
    plane = Plane()
    for kind in sorted(_types(recording) - set(plane.limits)):
        if (limits := _limits_of(kind)) is not None:
            plane = replace(plane, limits=plane.limits.put(kind, limits))
    subnets = Table((zone, Subnet(zone, cidr)) for zone, cidr in recording.zones.items())
    return running(recorded_behaviours(recording), replace(plane, subnets=subnets))


def _types(recording: Recording) -> set[str]:
    """Instance types that the recording names."""
    return {str(action["type"]) for step in recording.steps for action in step.actions if "type" in action}


def _limits_of(kind: str) -> tuple[int, int] | None:
    """Addresses per interface of a type that the model does not know by itself, from moto's copy of EC2's table."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    network = INSTANCE_TYPES.get(kind, {}).get("NetworkInfo")
    return (network["Ipv4AddressesPerInterface"], network.get("Ipv6AddressesPerInterface", 0)) if network else None


def main(argv: Sequence[str]) -> int:
    """Replay the recordings named on the command line; print a line each.

    Returns:
        The exit status: 0 all pass, 1 some differ, 2 a file could not be read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sandbox replay", description="Play golden recordings on the twin and compare."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings (JSON Lines)")
    parser.add_argument(
        "--wire", action="store_true", help="play on the sandbox's cluster API and EC2 instead of on the model alone"
    )
    parser.add_argument("--states-only", action="store_true", help="do not compare the changes between states")
    parser.add_argument("--notes", action="store_true", help="also print remarks that are no failure")
    arguments = parser.parse_args(argv)
    play_one = _on_wire() if arguments.wire else replay
    count = {"pass": 0, "FAIL": 0, "unreadable": 0}
    for path in arguments.files:
        count[_report(path, play_one, changes=not arguments.states_only, notes=arguments.notes)] += 1
    how = "on the sandbox's wire" if arguments.wire else "on the model alone"
    unreadable = f", {count['unreadable']} unreadable" if count["unreadable"] else ""
    print(f"{count['pass']} of {len(arguments.files)} pass {how}, {count['FAIL']} differ{unreadable}")
    return 2 if count["unreadable"] else min(count["FAIL"], 1)


def _on_wire() -> Callable[..., Verdict]:
    """Imported only when asked for: the wire brings moto with it."""
    from sandbox.replay_wire_playing import replay_on_wire

    return replay_on_wire


def _report(path: Path, play_one: Callable[..., Verdict], *, changes: bool, notes: bool) -> str:
    """Play one recording and print its line; returns "pass", "FAIL" or "unreadable"."""
    try:
        verdict = play_one(read(path), changes=changes)
    except UnreadableRecording as error:
        print(f"unreadable: {path}: {error}", file=sys.stderr)
        return "unreadable"
    if verdict.difference is None:
        print(f"pass {path}", flush=True)
    else:
        print(f"FAIL {path}:{verdict.difference.line}: {verdict.difference.what}", flush=True)
    for remark in (*verdict.weaker, *(verdict.notes if notes else ())):
        print(f"     {remark}")
    return "pass" if verdict.difference is None else "FAIL"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
