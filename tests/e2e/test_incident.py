"""The story that the demo tells: it must really happen, be told once, be repaired, and be drawn."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sandbox.incident import play


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_is_left_over_is_told_and_brought_back(tmp_path: Path) -> None:
    """A jam that the platform never leaves ends with every address serving, and people hear of it and of its end."""
    said = StringIO()
    with redirect_stdout(said):
        good = play("A bad night", tmp_path / "night.svg")
    told = said.getvalue()
    assert good
    assert "was the one too many" in told
    assert "PrivateIpAddressLimitExceeded" in told
    jams = told.count("one too many")
    assert told.count("Subject: CRITICAL") == told.count("Subject: RESOLVED") == jams
    picture = ET.parse(tmp_path / "night.svg")  # noqa: S314 - our own text
    lanes = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text") if text.get("x") == "16"]
    assert len([lane for lane in lanes if lane and "partner-" in lane]) == 8
