"""The recordings of the real programs on the sandbox's wire: cluster API over HTTP, moto, and the twin driving both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.replay import main
from sandbox.replay_recording import UnreadableRecording, read
from sandbox.replay_wire_playing import replay_on_wire
from tests.domain.twin.test_recordings import RECORDINGS, TRACES

A_FEW = [
    TRACES / name
    for name in (
        "foreign-holder.jsonl",
        "two-addresses-two-nodes.jsonl",
        "uninitialized-node.jsonl",
        "ovnk-1.1/over-allocation.jsonl",
        "cncc-4.18/failed-node-deleted.jsonl",
    )
]


@pytest.mark.parametrize("path", A_FEW, ids=lambda path: str(path.relative_to(TRACES).with_suffix("")))
def test_the_sandbox_does_what_the_real_programs_did(path: Path) -> None:
    """What a client sees over HTTP is what was recorded: states, events, statuses, the changes of every object."""
    assert replay_on_wire(read(path)).difference is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [path for path in RECORDINGS if path not in A_FEW],
    ids=lambda path: str(path.relative_to(TRACES).with_suffix("")),
)
def test_the_sandbox_does_so_in_all_recordings(path: Path) -> None:
    """The rest of them."""
    assert replay_on_wire(read(path)).difference is None


def changed(folder: Path, line: int, **fields: Any) -> Path:
    """A recording with some fields of one line (from 0) replaced."""
    lines = [json.loads(text) for text in (TRACES / "kick-healthy.jsonl").read_text().splitlines()]
    lines[line] |= fields
    path = folder / "x.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path


def test_the_first_difference_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File, line, field, expected and got; exit 1, and how many passed."""
    settled = json.loads((TRACES / "kick-healthy.jsonl").read_text().splitlines()[2])["settled"]
    settled["nodes"]["a1"]["capacity"]["ipv4"] = 99
    path = changed(tmp_path, 2, settled=settled)
    assert main(["--wire", str(path)]) == 1
    assert capsys.readouterr().out == (
        f"FAIL {path}:3: nodes a1 capacity ipv4: expected 99, got 14\n0 of 1 pass on the sandbox's wire, 1 differ\n"
    )


@pytest.mark.parametrize(
    ("line", "fields", "why"),
    [
        (0, {"versions": {"ovn-kubernetes": "0.9", "cncc": "main"}}, "0.9"),
        (1, {"do": "fly"}, "unknown action 'fly'"),
        (1, {"do": "edit_cpic_node"}, "action edit_cpic_node: 'node' is missing or names nothing that is there"),
        (
            1,
            {"do": "ec2_hold_address", "zone": "a", "ip": "10.99.0.1", "holder": "x"},
            "action ec2_hold_address: An error occurred",
        ),
    ],
    ids=["version", "action", "argument", "EC2 refuses"],
)
def test_what_cannot_be_played_is_refused(tmp_path: Path, line: int, fields: dict[str, Any], why: str) -> None:
    """As on the model alone; and here EC2 has a say, too."""
    with pytest.raises(UnreadableRecording, match=why):
        replay_on_wire(read(changed(tmp_path, line, **fields)))
