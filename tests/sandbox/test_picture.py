"""The picture of addresses over time: its arithmetic, and that a browser can read it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from sandbox.picture import COLOURS, MOVING, OPEN, SERVING, Mark, Stretch, draw, stretches

SVG = "{http://www.w3.org/2000/svg}"


def test_equal_neighbours_are_one_stretch() -> None:
    """A bar is a stretch of time, not a sample; another node is another stretch."""
    samples = [(0.0, SERVING, "a"), (10.0, SERVING, "a"), (20.0, OPEN, ""), (30.0, SERVING, "b"), (40.0, SERVING, "c")]
    assert stretches(samples, 50.0) == [
        Stretch(0.0, 20.0, SERVING, "a"),
        Stretch(20.0, 30.0, OPEN),
        Stretch(30.0, 40.0, SERVING, "b"),
        Stretch(40.0, 50.0, SERVING, "c"),
    ]


def test_bars_lie_where_their_times_are() -> None:
    """Twice as long is twice as wide, and nothing leaves the picture."""
    lanes = {"10.0.0.1 <web>": [Stretch(0.0, 60.0, SERVING, "node"), Stretch(60.0, 180.0, MOVING)]}
    root = ET.fromstring(  # noqa: S314 - our own text
        draw("Night & day", lanes, [Mark(60.0, "it <moves>")], 0.0, 180.0)
    )
    bars = [r for r in root.iter(f"{SVG}rect") if r.get("height") == "20"]
    first, second = ((float(bar.get("x", "")), float(bar.get("width", ""))) for bar in bars)
    assert abs(second[1] - 2 * first[1]) < 0.2
    assert abs(first[0] + first[1] - second[0]) < 0.2
    assert second[0] + second[1] <= float(root.get("width", ""))
    assert bars[1].get("fill") == COLOURS[MOVING]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "10.0.0.1 <web>" in texts
    assert [text for text in texts if text in ("1", "1:00", "it <moves>")] == ["1", "1:00", "it <moves>", "1"]


def test_what_happens_at_one_moment_shares_a_mark() -> None:
    """Two circles on one spot could not be read."""
    marks = [Mark(10.0, "a"), Mark(20.0, "b"), Mark(20.0, "c")]
    root = ET.fromstring(draw("x", {}, marks, 0.0, 60.0))  # noqa: S314 - our own text
    assert [t.text for t in root.iter(f"{SVG}text") if t.get("font-size") == "11"] == ["1", "2–3"]
