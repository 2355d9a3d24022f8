"""Silences and maintenance at work: what is held back, what is told all the same, and what when they end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.findings import Severity
from chalicelib.domain.quiet import Maintenance
from chalicelib.problems import BadInput, NoSuchThing
from chalicelib.usecases.documents import visit_document
from chalicelib.usecases.silencing import LONGEST, parse_fingerprint, parse_reason, parse_span, silences_of, unsilence
from chalicelib.usecases.silencing import silence as silence_finding
from tests import factories
from tests.situations import World


class Quietly(World):
    """An address that is in no subnet: a finding that is told at once, and lasts until the fleet file changes."""

    def __init__(self) -> None:
        super().__init__(factories.cluster(factories.policy("ns", "10.99.0.1")))

    @property
    def told(self) -> list[str]:
        return [alert.told[0].occasion.value for alert in self.alerts.sent]

    def later(self, **span: float) -> None:
        self.clock.advance(timedelta(**span).total_seconds())
        self.visit()

    @property
    def fingerprint(self) -> str:
        return next(iter(self.memory.findings))

    def silence(self, span: timedelta = timedelta(hours=2)) -> None:
        who, why = "arn:aws:iam::1:user/ann", "known"
        silence_finding([self.fingerprint], ["demo"], self.memory, span=span, why=why, who=who, now=self.clock())

    def mend(self) -> None:
        self.desired = replace(self.desired, policies=())


def test_a_silenced_finding_is_not_told_and_its_silence_shows() -> None:
    """Nothing for two days, and whoever asks learns who silenced it until when."""
    world = Quietly()
    world.visit()
    world.silence(timedelta(days=2))
    for _ in range(3):
        world.later(hours=15)
    assert world.told == ["new"]
    outcome = world.visit()
    (finding,) = [f for f in visit_document(outcome)["findings"] if f["fingerprint"] == world.fingerprint]
    assert finding["quiet"]["who"] == "arn:aws:iam::1:user/ann"
    assert outcome.bulletin is not None
    assert list(outcome.bulletin.quiet or ()) == [world.fingerprint]


def test_a_silence_that_ends_reminds_once() -> None:
    """Whoever wanted two hours of quiet hears after two hours that it is still so."""
    world = Quietly()
    world.visit()
    world.silence()
    world.later(hours=1)
    world.later(hours=1, minutes=1)
    world.later(minutes=1)
    assert world.told == ["new", "still open"]


def test_the_end_of_a_silenced_finding_is_told() -> None:
    """People know of its beginning, so they hear of its end; a silence hides trouble, not good news."""
    world = Quietly()
    world.visit()
    world.silence()
    world.mend()
    world.later(minutes=2)
    world.later(minutes=2)
    assert world.told == ["new", "resolved"]


def test_a_finding_that_grows_worse_breaks_its_silence() -> None:
    """The silence was for what was known then."""
    world = Quietly()
    world.visit()
    record = world.memory.findings[world.fingerprint]
    mild = replace(record, told="warning", document={**record.document, "severity": "warning"})
    world.memory.findings[world.fingerprint] = mild
    world.silence()
    world.later(minutes=2)
    assert world.told == ["new", "worse"]
    assert "silence by arn:aws:iam::1:user/ann" in world.alerts.sent[-1].body


def test_planned_work_tells_nothing_and_afterwards_what_is_left() -> None:
    """During the window neither beginning nor reminder; after it, what is still open; its end only if it was told."""
    window = Maintenance("zone test", UTC, datetime(2026, 3, 1, 11), datetime(2026, 3, 1, 13))  # noqa: DTZ001
    world, brief = Quietly(), Quietly()
    for one in (world, brief):
        one.desired = replace(one.desired, maintenance=(window,))
        one.visit()
        one.later(minutes=5)
        assert one.told == []
    brief.mend()
    for one in (world, brief):
        one.later(minutes=30)
        one.later(minutes=30)
    assert world.told == ["new"]
    assert brief.told == []


def test_silences_are_listed_and_ended_with_a_name() -> None:
    """Who ended one early stays on record."""
    world = Quietly()
    world.visit()
    world.silence()
    (lasting,) = silences_of(["demo"], world.memory, world.clock())
    assert (lasting.severity, lasting.why) == (Severity.CRITICAL, "known")
    (ended,) = unsilence([lasting.fingerprint], ["demo"], world.memory, who="arn:ben", now=world.clock())
    assert ended.ended_by == "arn:ben"
    assert silences_of(["demo"], world.memory, world.clock()) == ()
    with pytest.raises(NoSuchThing, match="is not silenced"):
        unsilence([lasting.fingerprint], ["demo"], world.memory, who="arn:ben", now=world.clock())


def test_only_open_findings_are_silenced_all_or_none() -> None:
    """A mistyped fingerprint is said, with those there are; nothing is stored."""
    world = Quietly()
    world.visit()
    with pytest.raises(NoSuchThing, match=f"0000000000000000 is not open; open are .*{world.fingerprint}"):
        silence_finding(
            [world.fingerprint, "0" * 16], ["demo"], world.memory, span=LONGEST, why="x", who="y", now=world.clock()
        )
    assert world.memory.silences == {}


@pytest.mark.parametrize("text", ["", "2", "h", "2w", "0h", "15d", "-1h", "1.5h", " 2h", None, 7])
def test_spans_that_are_none(text: object) -> None:
    """One sentence: field, value, what is allowed."""
    with pytest.raises(BadInput, match=r"^--for: .* allowed is 1m to 14d"):
        parse_span(text, "--for")


def test_spans_reasons_and_fingerprints() -> None:
    """Minutes, hours and days; one line of text; sixteen digits."""
    spans = [parse_span(text, "--for") for text in ("30m", "2h", "14d")]
    assert spans == [timedelta(minutes=30), timedelta(hours=2), timedelta(days=14)]
    assert parse_reason(" known ", "--why") == "known"
    for bad in ("", " ", "a\nb", "x" * 501, None):
        with pytest.raises(BadInput, match=r"^--why: "):
            parse_reason(bad, "--why")
    with pytest.raises(BadInput, match="is no fingerprint"):
        parse_fingerprint("ABC", "FINGERPRINT")
