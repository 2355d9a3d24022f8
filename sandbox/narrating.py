"""How the sandbox tells stories on a terminal: paragraphs, headings, indented blocks."""

from __future__ import annotations

import textwrap

WIDTH = 118


def say(paragraph: str) -> None:
    """Print one paragraph, wrapped."""
    print(textwrap.fill(paragraph, WIDTH), flush=True)


def scene(title: str) -> None:
    """Print a heading."""
    print(f"\n{'=' * WIDTH}\n{title}\n{'=' * WIDTH}", flush=True)


def show(block: str) -> None:
    """Print a block of output, indented."""
    print(textwrap.indent(block.rstrip("\n"), "    "), flush=True)
