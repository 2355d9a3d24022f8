"""The replay command: what it says, and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.replay import main, replay
from sandbox.replay_recording import UnreadableRecording, read
from tests.domain.twin.test_recordings import TRACES

KICK = TRACES / "kick-healthy.jsonl"
PAIRS = TRACES / "two-addresses-two-nodes.jsonl"


def forged(tmp_path: Path, source: Path, edit: Callable[[list[Any]], None]) -> Path:
    """A recording with its lines edited."""
    lines = [json.loads(line) for line in source.read_text().splitlines()]
    edit(lines)
    path = tmp_path / source.name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_pass_is_told_by_file(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a file, exit 0."""
    assert main([str(KICK), str(PAIRS)]) == 0
    assert capsys.readouterr().out == f"pass {KICK}\npass {PAIRS}\n2 of 2 pass on the model alone, 0 differ\n"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(
            lambda lines: lines[2]["settled"]["nodes"]["a1"]["capacity"].update(ipv4=99),
            ":3: nodes a1 capacity ipv4: expected 99, got 14",
            id="a field",
        ),
        pytest.param(
            lambda lines: lines[2]["settled"]["enis"].update(a9=["10.0.1.9"]),
            ":3: enis a9: expected ['10.0.1.9'], got nothing",
            id="an object too few",
        ),
        pytest.param(
            lambda lines: lines[2]["settled"]["nodes"].clear(),
            ":3: nodes a1: expected nothing, got {'ready': True",
            id="an object too many",
        ),
        pytest.param(
            lambda lines: lines[2]["settled"]["events"].append(
                {"reason": "InvalidEgressIP", "egressip": "web", "count_at_least": 1}
            ),
            ":3: events InvalidEgressIP on web: expected at least 1, got 0",
            id="an event",
        ),
        pytest.param(
            lambda lines: lines[2]["changes"].pop(),
            ":3: changes of node a1, number 2: expected None, got {'capacity'",
            id="a change",
        ),
        pytest.param(
            lambda lines: lines[3].update(result=409),
            ":6: apply_egressip web: expected HTTP 409, got 201",
            id="a status",
        ),
    ],
)
def test_the_first_difference_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], edit: Callable[[list[Any]], None], message: str
) -> None:
    """File, line, field, expected and got; exit 1."""
    path = forged(tmp_path, KICK, edit)
    assert main([str(path)]) == 1
    assert f"FAIL {path}{message}" in capsys.readouterr().out


def _without_events(lines: list[Any]) -> None:
    for line in lines:
        if "settled" in line:
            line["settled"]["events"].clear()


def test_events_nobody_recorded_are_a_difference(tmp_path: Path) -> None:
    """Only listed pairs may occur."""
    path = forged(
        tmp_path,
        TRACES / "no-peer.jsonl",
        _without_events,
    )
    difference = replay(read(path)).difference
    assert difference is not None
    assert difference.what.startswith("events NoMatchingNodeFound on web: expected none")


def test_changes_can_be_left_out(tmp_path: Path) -> None:
    """`--states-only` compares states alone."""
    path = forged(tmp_path, KICK, lambda lines: lines[2]["changes"].pop())
    assert main(["--states-only", str(path)]) == 0


def test_every_recorded_alternative_must_be_reachable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that no order and no choice leads to is a difference; one that is not recorded is only a note."""

    def invent(lines: list[Any]) -> None:
        alternatives = next(line["any_of"] for line in lines if "any_of" in line)
        alternatives[0]["egressips"]["web"]["status"] = {}

    assert main([str(forged(tmp_path, PAIRS, invent))]) == 1
    told = "state 1 of 2 is not among 2 worlds with up to 2 delays; in one: egressips web status"
    assert told in capsys.readouterr().out

    def forget(lines: list[Any]) -> None:
        next(line["any_of"] for line in lines if "any_of" in line).pop()

    assert main(["--notes", str(forged(tmp_path, PAIRS, forget))]) == 0
    assert "1 of 2 worlds with up to 0 delays look otherwise" in capsys.readouterr().out


def test_a_state_by_another_choice_passes_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All runs of the real programs may have chosen alike, and not as the twin usually does."""

    def choose(lines: list[Any]) -> None:
        line = next(line for line in lines if "any_of" in line)
        line.update(settled=line.pop("any_of")[1], changes=[])

    path = forged(tmp_path, PAIRS, choose)
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == (
        f"pass {path}\n     line 6: not by the usual choices and order; changes not compared\n"
        "1 of 1 pass on the model alone, 0 differ\n"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("{", "not JSON"),
        ("[]\n", "not an object"),
        ('{"trace": "x"}\n', "header lacks 'versions'"),
        ('{"trace": "x", "zones": {}, "versions": {}}\n', "header lacks 'ovn-kubernetes'"),
    ],
)
def test_a_file_that_is_no_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str) -> None:
    """Exit 2, and why; other files are still played."""
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    assert main([str(path), str(KICK)]) == 2
    captured = capsys.readouterr()
    assert why in captured.err
    assert f"pass {KICK}" in captured.out
    assert captured.out.endswith("1 of 2 pass on the model alone, 0 differ, 1 unreadable\n")


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda lines: lines[1].update(do="fly"), "unknown action 'fly'"),
        (lambda lines: lines[1].pop("zone"), "action add_node: 'zone' is missing"),
        (lambda lines: lines[1].update(do=7), "neither an action nor a state"),
        (lambda lines: lines.insert(1, {"do": "wait"}), "wait without seconds"),
        (lambda lines: lines[2]["settled"].pop("enis"), "no state, or one without"),
        (lambda lines: lines[2].update(changes=[7]), "cannot unpack"),
        (lambda lines: lines.append({"do": "ec2_heal"}), "ends with actions"),
        (
            lambda lines: lines[0]["versions"].update({"ovn-kubernetes": "release-9.9 x"}),
            "unknown OVN-Kubernetes release",
        ),
        (
            lambda lines: lines.insert(2, {"do": "ec2_hold_address", "holder": "x", "zone": "a", "ip": lines[1]["ip"]}),
            "on interface eni of a1 already",
        ),
    ],
)
def test_a_recording_that_cannot_be_played(tmp_path: Path, edit: Callable[[list[Any]], None], why: str) -> None:
    """The format is checked as far as it is used."""
    with pytest.raises(UnreadableRecording, match=why.replace("(", r"\(")):
        replay(read(forged(tmp_path, KICK, edit)))


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(
            lambda lines: lines[0].update(versions={"ovnk": "master x", "cncc": "main"}), id="programs by short names"
        ),
        pytest.param(lambda lines: lines[0].update(drift=["D1", "D2"], recorder="v9"), id="unknown keys of the header"),
        pytest.param(lambda lines: [line.update(note="…") for line in lines[1:]], id="unknown keys of a line"),
        pytest.param(lambda lines: lines[0].pop("drift"), id="nothing that is only told"),
        pytest.param(lambda lines: lines[1].update(type="m6i.xlarge"), id="another instance type"),
    ],
)
def test_a_recording_of_the_same_format_is_played(tmp_path: Path, edit: Callable[[list[Any]], None]) -> None:
    """What does not decide anything may differ, and come later."""
    assert replay(read(forged(tmp_path, KICK, edit))).difference is None


def test_blank_lines_and_a_byte_order_mark_are_no_content(tmp_path: Path) -> None:
    """Editors put them there."""
    path = tmp_path / "x.jsonl"
    path.write_text("\ufeff" + KICK.read_text().replace("\n", "\n\n"), encoding="utf-8")
    assert replay(read(path)).difference is None


def test_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2."""
    assert main(["nowhere.jsonl"]) == 2
    assert "nowhere.jsonl" in capsys.readouterr().err


def test_it_runs_as_a_module() -> None:
    """`python -m sandbox.replay FILE` without anything else of the sandbox."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.replay", str(KICK)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"pass {KICK}")
