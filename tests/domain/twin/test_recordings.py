"""The recordings of the real programs, each played on the model alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.replay import replay
from sandbox.replay_recording import read

TRACES = Path(__file__).parents[2] / "traces"
RECORDINGS = sorted(TRACES.rglob("*.jsonl"))


def test_all_recordings_are_there() -> None:
    """A glob that finds nothing would make every replay pass."""
    assert len(RECORDINGS) == 91
    assert {path.parent.name for path in RECORDINGS} == {"traces", "ovnk-1.1", "ovnk-1.2", "ovnk-1.3", "cncc-4.18"}


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: str(path.relative_to(TRACES).with_suffix("")))
def test_the_model_does_what_the_real_programs_did(path: Path) -> None:
    """States, events, HTTP statuses and the changes of every object are those recorded from the real programs."""
    verdict = replay(read(path))
    assert (verdict.difference, verdict.weaker) == (None, ())
