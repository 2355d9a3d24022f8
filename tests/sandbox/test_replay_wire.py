"""The recordings of the real programs on the sandbox's wire: cluster API over HTTP, moto, and the twin driving both."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_the_first_difference_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File, line, field, expected and got; exit 1, and how many passed."""
    lines = [json.loads(line) for line in (TRACES / "kick-healthy.jsonl").read_text().splitlines()]
    lines[2]["settled"]["nodes"]["a1"]["capacity"]["ipv4"] = 99
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["--wire", str(path)]) == 1
    assert capsys.readouterr().out == (
        f"FAIL {path}:3: nodes a1 capacity ipv4: expected 99, got 14\n0 of 1 pass on the sandbox's wire, 1 differ\n"
    )


def test_an_action_that_is_not_known_is_refused(tmp_path: Path) -> None:
    """As on the model alone."""
    lines = [json.loads(line) for line in (TRACES / "kick-healthy.jsonl").read_text().splitlines()]
    lines[1]["do"] = "fly"
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UnreadableRecording, match="unknown action 'fly'"):
        replay_on_wire(read(path))
