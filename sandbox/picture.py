"""A picture of addresses over time, as SVG: serving, moving, failing open; and what happened meanwhile.

Belongs here: drawing. Does not belong here: where the states come from (`incident`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

SERVING, MOVING, OPEN = "serving", "moving", "failing open"
COLOURS: Mapping[str, str] = {SERVING: "#2f7d5b", MOVING: "#e3b23c", OPEN: "#c8372d"}
"""Told apart by lightness too, for those who don't see the colours."""

WIDTH, LEFT, RIGHT = 1080, 190, 24
LANE, BAR, TOP = 34, 20, 56


@dataclass(frozen=True, slots=True)
class Stretch:
    """One address in one state for a while; `label` is written into it where there is room (the node)."""

    since: float
    until: float
    state: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, numbered in the picture and told in a line below it."""

    at: float
    text: str


def stretches(samples: Sequence[tuple[float, str, str]], end: float) -> list[Stretch]:
    """From samples (time, state, label) in order of time to stretches; equal neighbours become one."""
    found: list[Stretch] = []
    for index, (at, state, label) in enumerate(samples):
        until = samples[index + 1][0] if index + 1 < len(samples) else end
        if found and (found[-1].state, found[-1].label) == (state, label):
            found[-1] = Stretch(found[-1].since, until, state, label)
        else:
            found.append(Stretch(at, until, state, label))
    return found


def draw(title: str, lanes: Mapping[str, Sequence[Stretch]], marks: Sequence[Mark], begin: float, end: float) -> str:
    """The SVG text. Times in seconds; the axis counts minutes from *begin*."""
    scale = (WIDTH - LEFT - RIGHT) / (end - begin)
    bottom = TOP + LANE * len(lanes)
    height = bottom + 62 + 20 * len(marks)
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    font = 'font-family="system-ui, sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="16" font-weight="600" fill="#1b1f24">{escape(title)}</text>',
        *_key(),
        *_axis(begin, end, scale, bottom),
    ]
    for number, (name, row) in enumerate(lanes.items()):
        y = TOP + number * LANE
        parts.append(f'<text x="16" y="{y + 15}" fill="#1b1f24">{escape(name)}</text>')
        parts += [_bar(stretch, LEFT + (stretch.since - begin) * scale, y, scale) for stretch in row]
    for number, mark in enumerate(marks, 1):
        parts += _line_of_text(number, mark, bottom, begin)
    for at, label in _circles(marks):
        parts += _circle(label, LEFT + (at - begin) * scale, bottom)
    return "\n".join([*parts, "</svg>", ""])


def _key() -> list[str]:
    parts, x = [], WIDTH - RIGHT - 330
    for state, colour in COLOURS.items():
        parts.append(f'<rect x="{x}" y="14" width="14" height="14" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{x + 20}" y="26" fill="#1b1f24">{state}</text>')
        x += 110
    return parts


def _axis(begin: float, end: float, scale: float, bottom: int) -> list[str]:
    parts = []
    step = 5 if end - begin > 900 else 1
    for minute in range(0, int((end - begin) // 60) + 1, step):
        x = LEFT + minute * 60 * scale
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#e2e5e9"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#57606a">{minute} min</text>')
    return parts


def _bar(stretch: Stretch, x: float, y: int, scale: float) -> str:
    width = max((stretch.until - stretch.since) * scale, 1.0)
    label = ""
    if stretch.label and width > 8 * len(stretch.label):
        label = f'<text x="{x + 6:.1f}" y="{y + 15}" fill="#ffffff" font-size="11">{escape(stretch.label)}</text>'
    fill = COLOURS[stretch.state]
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{fill}"/>{label}'


def _circles(marks: Sequence[Mark]) -> list[tuple[float, str]]:
    """One circle for each moment: its time, and the number or numbers of what happened then."""
    numbers: dict[float, list[int]] = {}
    for number, mark in enumerate(marks, 1):
        numbers.setdefault(mark.at, []).append(number)
    return [(at, str(n[0]) if len(n) == 1 else f"{n[0]}–{n[-1]}") for at, n in numbers.items()]


def _circle(label: str, x: float, bottom: int) -> list[str]:
    half = 5 + 4 * len(label)
    return [
        f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#1b1f24" stroke-dasharray="3 3"/>',
        f'<rect x="{x - half:.1f}" y="{bottom + 25}" width="{2 * half}" height="18" rx="9" fill="#1b1f24"/>',
        f'<text x="{x:.1f}" y="{bottom + 38}" text-anchor="middle" fill="#ffffff" font-size="11">{label}</text>',
    ]


def _line_of_text(number: int, mark: Mark, bottom: int, begin: float) -> list[str]:
    y = bottom + 44 + 20 * number
    return [
        f'<text x="34" y="{y}" text-anchor="end" fill="#57606a">{number}</text>',
        f'<text x="84" y="{y}" text-anchor="end" fill="#57606a">{_clock(mark.at - begin)}</text>',
        f'<text x="96" y="{y}" fill="#1b1f24">{escape(mark.text)}</text>',
    ]


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
