"""The laws of telling, over random histories: everything once, nothing lost, no storm, whatever happens in between."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings

from chalicelib.domain.findings import Severity
from chalicelib.domain.telling.messages import Occasion
from tests.usecases.histories import (
    HEALTHY,
    JUMPS,
    KINDS,
    LOSSES,
    TIMING,
    UNLUCKY,
    Event,
    History,
    Together,
    Trouble,
    Visit,
    Wait,
    World,
    at_once,
    histories,
)

RANKS = list(Severity)


def played(events: list[Event]) -> History:
    history = History()
    for event in events:
        history.play(event)
    history.calm_down()
    return history


def oddities(history: History, name: str) -> list[str]:
    """Where the messages about one finding are not: beginning, then worse or still open, then end, and so on."""
    found, known = [], False
    for one in history.about(name):
        begins = one.occasion in (Occasion.NEW, Occasion.BACK)
        if begins == known:
            found.append(f"{one.occasion} while people {'know' if known else 'do not know'}")
        known = one.occasion is not Occasion.RESOLVED
    return found


def unheard(history: History) -> list[str]:
    """What people do not know at the end of a calm day: a lasting finding, how bad it is, or the end of one."""
    found = []
    for name in KINDS:
        said = history.about(name)
        knows = bool(said) and said[-1].occasion is not Occasion.RESOLVED
        severity = history.wrong.get(name)
        if severity is None and knows:
            found.append(f"{name}: its end")
        if severity not in (None, Severity.INFO) and not knows:
            found.append(f"{name}: that it is so")
        if severity not in (None, Severity.INFO) and knows:
            since = max(i for i, one in enumerate(said) if one.occasion not in (Occasion.REMINDER, Occasion.WORSE))
            if min(RANKS.index(one.severity) for one in said[since:]) > RANKS.index(severity):
                found.append(f"{name}: how bad it is")
    return found


def unsaid_repairs(history: History) -> list[str]:
    """What was mended on the spot, without settling first, and never told."""
    mended = [(name, said) for name, said in history.repaired if name == "edit"]
    return [f"{name} after {said}" for name, said in mended if len(history.about(name)) <= said]


def early_reminders(history: History) -> list[str]:
    found = []
    for name in KINDS:
        times = [one.at for one in history.about(name) if one.occasion is Occasion.REMINDER]
        found += [f"{name} at {later}" for earlier, later in pairwise(times) if later - earlier < TIMING.reminder]
    return found


@given(histories(at_once(HEALTHY)))
@settings(max_examples=80)
def test_everything_is_told_once(events: list[Event]) -> None:
    """Whoever visits at once: each settled finding is told once, its end once and only if its beginning was."""
    history = played(events)
    assert unheard(history) == []
    assert unsaid_repairs(history) == []
    assert [oddity for name in KINDS for oddity in oddities(history, name)] == []
    assert early_reminders(history) == []


@given(histories(UNLUCKY, at_once(UNLUCKY), at_once(HEALTHY)))
@settings(max_examples=120)
def test_crashes_lose_nothing_and_repeat_little(events: list[Event]) -> None:
    """Killed between any two calls, refused by table or topic: nothing is lost; a message is repeated only for that."""
    history = played(events)
    assert unheard(history) == []
    assert unsaid_repairs(history) == []
    for name in KINDS:
        assert len(oddities(history, name)) <= history.excuses


@given(histories(JUMPS, UNLUCKY))
@settings(max_examples=80)
def test_a_clock_that_jumps_loses_nothing_and_storms_nobody(events: list[Event]) -> None:
    """Years ahead or back: all is known in the end, and each jump costs a message a finding at most."""
    history = played(events)
    assert unheard(history) == []
    for name in KINDS:
        assert len(oddities(history, name)) <= history.excuses
    assert len(early_reminders(history)) <= history.excuses * len(KINDS)


@given(histories(LOSSES, at_once(HEALTHY)))
@settings(max_examples=50)
def test_a_lost_table_repeats_what_is_open_and_nothing_else(events: list[Event]) -> None:
    """What is open is told once more for each loss; only the end of what ended meanwhile can go unsaid."""
    history = played(events)
    lost = history.excuses > 0
    assert [text for text in unheard(history) if not (lost and text.endswith("its end"))] == []
    for name in KINDS:
        assert len(oddities(history, name)) <= history.excuses


@given(histories(UNLUCKY, at_once(HEALTHY), JUMPS))
@settings(max_examples=50)
def test_a_visit_in_calm_times_says_nothing_twice(events: list[Event]) -> None:
    """After everything was told, another visit at the same time says nothing."""
    history = played(events)
    before = len(history.messages)
    history.play(Visit())
    assert len(history.messages) == before


@pytest.mark.parametrize(("on", "off"), [(2, 2), (3, 1), (2, 10), (10, 3), (10, 45), (45, 10)])
def test_a_finding_that_flaps_is_no_storm(on: int, off: int) -> None:
    """Whatever its rhythm in minutes, a finding that comes and goes all day is told a handful of times."""
    history = History()
    for minute in range(24 * 60):
        history.play(World((("alone", Severity.CRITICAL),) if minute % (on + off) < on else ()))
        history.play(Visit())
        history.play(Wait(60))
    assert 1 <= len(history.messages) <= 12
    assert oddities(history, "alone") == []


def test_what_comes_back_later_is_new_again() -> None:
    """A day away makes it a new finding: its end is told within its normal time."""
    history = History()
    wrong = World((("edit", Severity.WARNING),))
    for event in (wrong, Visit(), World(()), Visit(), Wait(90_000), Visit(), wrong, Visit(), World(()), Visit()):
        history.play(event)
    told = [one.occasion for one in history.about("edit")]
    assert told == [Occasion.NEW, Occasion.RESOLVED, Occasion.NEW, Occasion.RESOLVED]


def test_effects_are_told_with_their_cause() -> None:
    """One message lists them, although they have not settled; one that shows later waits for the next message."""
    history = History()
    for event in (World((("cause", Severity.CRITICAL),)), Visit(), Wait(61)):
        history.play(event)
    history.play(World((("cause", Severity.CRITICAL), ("effect", Severity.CRITICAL))))
    history.play(Visit())
    assert [sorted(told.document["subject"] for told in alert.told) for alert in history.messages] == [
        ["cause", "effect"]
    ]


def test_a_cause_does_not_wait_for_its_effects() -> None:
    """Addresses that were told as something else are counted to a zone that is lost later: the zone is told at once."""
    history = History()
    effect, both = (("effect", Severity.CRITICAL),), (("cause", Severity.CRITICAL), ("effect", Severity.CRITICAL))
    for world in (effect, both):
        history.play(World(world))
        for _ in range(3):
            history.play(Visit())
            history.play(Wait(61))
    assert len(history.about("cause")) == 1


def test_a_late_effect_waits_and_its_end_comes_with_the_others() -> None:
    """Of one cause there is a message in ten minutes, not one an effect; the end of all is one message."""
    history = History()
    cause, both = (("cause", Severity.CRITICAL),), (("cause", Severity.CRITICAL), ("effect", Severity.CRITICAL))
    for world, minutes in ((cause, 2), (both, 15), (cause, 5), ((), 5)):
        history.play(World(world))
        for _ in range(minutes):
            history.play(Visit())
            history.play(Wait(61))
    about = [(alert.subject.split()[0], len(alert.told)) for alert in history.messages]
    assert about == [("CRITICAL", 1), ("CRITICAL", 1), ("RESOLVED", 2)]
    assert history.about("effect")[0].at - history.about("cause")[0].at >= timedelta(minutes=10)


def test_a_day_later_one_message_reminds_of_all() -> None:
    """Reminders come once a day and cluster, not once a finding."""
    history = History()
    wrong = tuple((name, Severity.WARNING) for name in KINDS)
    for event in (World(wrong), Visit(), Wait(61), Visit(), Wait(90_000), Visit(), Wait(60), Visit()):
        history.play(event)
    reminders = [alert for alert in history.messages if alert.told[0].occasion is Occasion.REMINDER]
    assert [len(alert.told) for alert in reminders] == [len(KINDS)]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("how", ["killed", "refused"])
@pytest.mark.parametrize("at", range(8))
def test_a_repair_is_told_wherever_its_visit_ends(at: int, how: str, after: bool) -> None:
    """Remembered, repaired, told: whatever stops a visit on the way, people hear of what it has mended."""
    history = played([World((("edit", Severity.WARNING),)), Visit(trouble=Trouble(at, how, after), repairs=True)])
    assert unsaid_repairs(history) == []
    assert unheard(history) == []


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("first", range(9))
@pytest.mark.parametrize("second", range(7))
def test_a_repair_is_told_once_whoever_looks_on(both: bool, first: int, second: int) -> None:
    """A visit that comes while another one repairs neither tells the same nor only that it is over."""
    turns = (False,) * first + (True,) * second
    history = played([World((("edit", Severity.WARNING),)), Together(Visit(repairs=True), Visit(repairs=both), turns)])
    assert [one.occasion for one in history.about("edit")] == [Occasion.NEW, Occasion.RESOLVED]


@pytest.mark.parametrize("turns", range(7))
def test_who_looks_on_leaves_a_claim_as_it_is(turns: int) -> None:
    """What another visit is just telling it will have to mark as told: a write in between makes it tell that again."""
    history = played([World((("edit", Severity.WARNING),)), Together(Visit(), Visit(), (True,) * turns)])
    assert [one.occasion for one in history.about("edit")] == [Occasion.NEW]
