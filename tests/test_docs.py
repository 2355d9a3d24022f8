"""What the pages show is what the program does: outputs, commands, links and settings."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from chalicelib import cli_silence
from chalicelib.cli import COMMANDS
from chalicelib.settings import VARIABLES
from tools import docs

PROJECT = Path(__file__).resolve().parents[1]
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#]+)(#[^)]*)?\)")
COMMAND = re.compile(
    r"`(egress-keeper [a-z][^`]*|make [a-z-]+|python -m [a-z.]+[^`]*)`|^ {4}((?:make|egress-keeper) [^#\n]*)",
    re.MULTILINE,
)


@pytest.mark.slow
def test_the_outputs_in_the_pages_are_current() -> None:
    """`python -m tools.docs` would change nothing."""
    outputs = docs.make_outputs()
    shown = {name for page in docs.PAGES for _, name, _, _ in docs.BLOCK.findall((PROJECT / page).read_text())}
    assert shown == set(outputs)
    for page in docs.PAGES:
        assert docs.updated(page, outputs) == (PROJECT / page).read_text(), f"{page}: run python -m tools.docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file that is there."""
    for target, _ in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_command_exists(page: Path) -> None:
    """Commands of ours, make targets and modules that a page names are there."""
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for quoted, indented in COMMAND.findall(page.read_text()):
        words = shlex.split((quoted or indented).replace("…", "x"))
        if words[0] == "make":
            assert words[1] in targets
        elif words[0] == "egress-keeper":
            named = set(words[1].split("|"))
            assert named <= {*COMMANDS, *cli_silence.COMMANDS, "validate"}, f"{page.name}: {' '.join(words)}"
        else:
            path = PROJECT / words[2].replace(".", "/")
            assert path.is_dir() or path.with_suffix(".py").exists(), f"{page.name}: {' '.join(words)}"


def test_the_readme_lists_every_setting_with_its_default() -> None:
    """A variable that the code reads and the README does not name would be found by accident only."""
    readme = (PROJECT / "README.md").read_text()
    for variable in VARIABLES.values():
        assert f"`{variable}`" in readme
