"""The message of each kind of finding, as somebody reads it at night: kept as text, so that a change of words is seen.

`KEEPER_WRITE_TEXTS=1 python -m pytest tests/test_alert_texts.py` writes the texts anew; read them aloud before keeping.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest

from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.plan import plain
from chalicelib.domain.telling.messages import SUBJECT_LIMIT, Alert, Occasion, Place, Told, render_alert
from tests import factories as make
from tests.alert_situations import SITUATIONS, kind_of
from tests.test_runbooks import problem

TEXTS = Path(__file__).parent / "alert_texts"
WRITES = bool(os.environ.get("KEEPER_WRITE_TEXTS"))
PLACEHOLDER = re.compile(r"<[a-z-]+>|\b(ADDRESS|CLUSTER|ENI|NODE|POLICY|REGION|SUBNET|POOL)\b")
"""What stands for a name in runbooks. A message has the name."""


@cache
def message(name: str) -> Alert:
    """What was sent; where nobody is told, for it is a note, what `drift` shows, in the same words."""
    night = SITUATIONS[name]()
    told = night.told(kind_of(name))
    if told is not None:
        return told
    assert night.last is not None
    (note,) = (found for found in night.last.findings if found.kind is kind_of(name))
    assert note.severity is Severity.INFO, note
    return as_message(note)


def as_message(finding: Finding) -> Alert:
    told = Told(plain(finding), finding.fingerprint("demo"), make.NOW, Occasion.NEW)
    return render_alert(Place("demo", "eu-central-1"), (told,), done=frozenset(), run_id="demo.1", now=make.NOW)


def test_every_kind_has_a_text() -> None:
    """A new kind comes with words that somebody has read."""
    assert {kind_of(name) for name in SITUATIONS} == set(Kind)
    if not WRITES:
        assert {path.stem for path in TEXTS.glob("*.txt")} == set(SITUATIONS)


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_text_of_a_kind(name: str) -> None:
    """Subject and body, word for word."""
    made = message(name)
    text = f"Subject: {made.subject}\n\n{made.body}"
    path = TEXTS / f"{name}.txt"
    if WRITES:
        TEXTS.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert len(made.subject) <= SUBJECT_LIMIT


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_text_says_all_that_is_needed_at_night(name: str) -> None:
    """What it means, what was done, where to look, the runbook, and how to have quiet; no name left to fill in."""
    made = message(name)
    for part in (
        "  Since:   ",
        "  Done:    ",
        "  Look:    ",
        f"  Runbook: docs/runbooks/{kind_of(name)}.md",
        "egress-keeper silence ",
    ):
        assert part in made.body, part
    worst = made.told[0].document
    assert "  Traffic: " in made.body or worst["severity"] == Severity.INFO
    assert worst["todo"] or worst["repaired_by"] or worst["remedy"]
    assert not PLACEHOLDER.search(made.body)


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_to_be_pasted_exists(name: str) -> None:
    """Commands in what is to be done, on lines of their own or within a sentence, with flags that they have."""
    for item in message(name).told:
        words, *commands = str(item.document["todo"]).split("\n")
        commands += [text for text in re.findall(r"`([^`]+)`", words) if text.startswith(("oc ", "aws ", "rosa "))]
        assert [found for command in commands if (found := problem(command))] == []
