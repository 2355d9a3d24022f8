"""Golden recordings: the file format, read into values.

Belongs here: parsing and its errors. Does not belong here: playing a recording (`replay`), what the fields mean on the
twin's side (`replay_state`). The format is described in `tests/traces/README.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

OVNK_NAMES = ("ovn-kubernetes", "ovnk", "ovnkube")
CNCC_NAMES = ("cloud-network-config-controller", "cncc")

SECTIONS = ("egressips", "cpics", "nodes", "enis", "events")
"""What every recorded state has."""


class UnreadableRecording(Exception):
    """The file is not a recording that can be played; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """Actions done back to back, then what was seen when everything was quiet.

    Attributes:
        line: Number of the line that tells what was seen, for messages.
        actions: The actions before it, in order.
        states: The one state that must be, or those of which one must be (`any_of`).
        quiet_seconds: How long nothing changed before the state was taken.
        changes: (object, change) in order of one run; None for `any_of`, which records none.
        vary: Objects whose changes are not recorded.
    """

    line: int
    actions: tuple[Json, ...]
    states: tuple[Json, ...]
    quiet_seconds: float | None
    changes: tuple[tuple[str, Json], ...] | None
    vary: frozenset[str]

    @property
    def exact(self) -> bool:
        """One state was seen in all runs."""
        return self.changes is not None


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole recording.

    Attributes:
        ovnk: Release of OVN-Kubernetes as `behaviours_of` knows it; so for `cncc`.
        zones: Subnet CIDR by zone.
    """

    name: str
    ovnk: str
    cncc: str
    zones: dict[str, str]
    steps: tuple[Step, ...]


def read(path: Path) -> Recording:
    """Read a recording.

    Raises:
        UnreadableRecording: No such file, not JSON Lines, or not of this format.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableRecording(f"{path}: {error}") from error
    lines = list(_lines(path, text))
    if not lines:
        raise UnreadableRecording(f"{path}: empty")
    number, header = lines[0]
    try:
        versions = header["versions"]
        return Recording(
            name=header["trace"],
            ovnk=_release(_either(versions, OVNK_NAMES)),
            cncc=_release(_either(versions, CNCC_NAMES)),
            zones=dict(header["zones"]),
            steps=tuple(_steps(path, lines[1:])),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableRecording(f"{path}:{number}: header lacks {error}") from error


def _lines(path: Path, text: str) -> Iterator[tuple[int, Json]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise UnreadableRecording(f"{path}:{number}: not JSON: {error}") from error
        if not isinstance(value, dict):
            raise UnreadableRecording(f"{path}:{number}: not an object")
        yield number, value


def _either(versions: Json, names: tuple[str, ...]) -> str:
    """The version of a program, by the first of its names that is there."""
    return str(next((versions[name] for name in names if name in versions), None) or versions[names[0]])


def _release(version: str) -> str:
    """ "release-1.2 10a2fa…" → "1.2", "master 8871cd…" → "master"."""
    words = version.split()
    return words[0].removeprefix("release-").removeprefix("v") if words else version


def _steps(path: Path, lines: list[tuple[int, Json]]) -> Iterator[Step]:
    actions: list[Json] = []
    for number, line in lines:
        if isinstance(line.get("do"), str):
            if line["do"] == "wait" and not isinstance(line.get("seconds"), int | float):
                raise UnreadableRecording(f"{path}:{number}: wait without seconds")
            actions.append(line)
        elif "settled" in line or "any_of" in line:
            yield _step(path, number, line, tuple(actions))
            actions = []
        else:
            raise UnreadableRecording(f"{path}:{number}: neither an action nor a state: {', '.join(line)}")
    if actions:
        raise UnreadableRecording(f"{path}: ends with actions and no state after them")


def _step(path: Path, number: int, line: Json, actions: tuple[Json, ...]) -> Step:
    exact = "settled" in line
    try:
        states = (line["settled"],) if exact else tuple(line["any_of"])
        if not states or not all(name in state for state in states for name in SECTIONS):
            raise UnreadableRecording(f"{path}:{number}: no state, or one without {', '.join(SECTIONS)}")
        return Step(
            line=number,
            actions=actions,
            states=states,
            quiet_seconds=line.get("quiet_s"),
            changes=tuple((name, change) for name, change in line.get("changes", ())) if exact else None,
            vary=frozenset(line.get("changes_vary", ())),
        )
    except (TypeError, ValueError) as error:
        raise UnreadableRecording(f"{path}:{number}: {error}") from error
