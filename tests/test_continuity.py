"""The continuity benchmark plays what it says, and its arithmetic is right."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from bench.continuity import alarms
from bench.continuity.__main__ import main
from bench.continuity.alarms import Said
from bench.continuity.breaking import BROKEN
from bench.continuity.clusters import at_rest
from bench.continuity.lives import HEALTHY, broken_life, healthy_life
from bench.continuity.playing import Measured, Played, play
from bench.continuity.summary import Side, summarise
from bench.continuity.timelines import TIMELINES
from bench.continuity.truth import Condition, Record
from chalicelib.domain.spec import Mode
from sandbox.rosa.scenario import Flavour
from sandbox.virtual import PACE, Interval


def test_the_same_seed_tells_the_same_story() -> None:
    """A table that cannot be made again proves nothing."""
    unlabelled = next(timeline for timeline in TIMELINES if timeline.name == "unlabelled")
    assert play(unlabelled, 1) == play(unlabelled, 1)


def test_without_the_tool_nobody_puts_a_label_back() -> None:
    """The comparison is against the platform left alone, not against nothing happening."""
    unlabelled = next(timeline for timeline in TIMELINES if timeline.name == "unlabelled")
    ours, alone = play(unlabelled, 2)
    assert [policy.correct_after_seconds for policy in alone.policies] == [None] * 3
    assert all(policy.correct_after_seconds is not None for policy in ours.policies)
    assert ours.writes == 3


def test_runs_that_never_heal_count_as_late_and_not_into_the_median() -> None:
    """Losses are said: a run that never came right must not vanish from the table."""
    runs = [
        (Played((Measured("p", 10.0, 50.0),), writes=1), Played((Measured("p", 3600.0, None),))),
        (Played((Measured("p", 30.0, 130.0),), writes=3), Played((Measured("p", 100.0, 100.0),))),
    ]
    (line,) = summarise("x", runs)
    assert line.ours == Side((20.0, 30.0), (90.0, 130.0), never=0, late=1)
    assert line.alone == Side((1850.0, 3600.0), (100.0, 100.0), never=1, late=1)
    assert line.writes == (2.0, 3.0)


def test_every_event_and_accident_is_drawn() -> None:
    """A kind of event that is never drawn would be a rate about something else."""
    lives = [healthy_life(seed) for seed in range(200)]
    assert {name for life in lives for name in life.names} == set(HEALTHY)
    assert {broken_life(seed).names[-1] for seed in range(200)} == set(BROKEN)
    assert {life.shape.flavour for life in lives} == set(Flavour)
    assert {life.mode for life in lives} == set(Mode)
    assert {size for life in lives for size in life.shape.sizes.values()} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("seed", [103, 110])
def test_a_node_on_its_way_to_be_replaced_wakes_nobody(seed: int) -> None:
    """Its zone has no spare for a while, it is unusable for ten minutes: a new one comes by itself."""
    judged = alarms.judge(healthy_life(seed), seed)
    assert (judged.needless, judged.missed) == ((), ())


def test_the_judge_hears_a_tool_that_speaks_too_soon() -> None:
    """A rate of false alarms that no false alarm can raise proves nothing."""
    hasty = replace(PACE, timing=replace(PACE.timing, settle=timedelta(0)))
    judged = alarms.judge(healthy_life(1), 1, hasty)
    assert judged.needless


def test_the_judge_misses_a_tool_that_keeps_silent() -> None:
    """What stays broken and is told an hour later is missed."""
    slow = replace(PACE, timing=replace(PACE.timing, settle=timedelta(hours=1)))
    judged = alarms.judge(broken_life(4), 4, slow)
    assert judged.missed


@pytest.mark.parametrize(("over", "missed"), [((), False), ((60.0,), True)])
def test_what_was_told_as_over_has_to_be_told_anew(over: tuple[float, ...], missed: bool) -> None:
    """Who was told that a zone is back does not know that it is lost again."""
    said = [Said(when, "zone a", True, ("zone a: lost",)) for when in (10.0, *over)]
    again = Condition("zone empty", frozenset({"zone a"}), Interval(100.0, 9000.0), 60.0)
    assert bool(list(alarms._unheard([again], said[:1], said[1:]))) is missed


def test_what_is_known_and_not_over_is_not_missed() -> None:
    """A zone that is lost again before people heard of its return, and an assignment that nobody ever answers."""
    judged = alarms.judge(healthy_life(3120), 3120)
    assert (judged.needless, judged.missed) == ((), ())


def test_a_spare_for_a_moment_is_none() -> None:
    """A zone had one for 100 seconds of its life, and people hear that it has none shortly after these."""
    judged = alarms.judge(healthy_life(2328), 2328)
    assert (judged.needless, judged.missed) == ((), ())


def test_a_node_whose_machine_has_ended_carries_nothing() -> None:
    """The cluster believes in it for a while longer; a message of that time, that its zone is lost, is right."""
    rosa = at_rest(healthy_life(0).shape, Random(0)).rosa  # noqa: S311 - the same in each run
    record, began = Record(rosa), rosa.now
    node = next(iter(rosa.facts.machines.values())).node
    rosa.accidents.terminate(node, release_after_seconds=60.0)
    rosa.run(began + 10.0)
    assert rosa.world.objects.nodes[node].ready
    (idle,) = (c for c in record.conditions() if c.what == "node" and node in c.names)
    assert (idle.span.since, idle.span.until) == (began, began + 10.0)


@pytest.mark.parametrize("options", [["--seeds", "0"], ["flood"]])
def test_wrong_options_are_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The message names what is there."""
    with pytest.raises(SystemExit):
        main(options)
    said = capsys.readouterr().err
    assert "too few" in said or "no such trouble" in said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_said_needlessly_and_nothing_broken_is_missed() -> None:
    """Healthy failovers, upgrades, scaling and restarts wake nobody; what stays broken is heard of."""
    for seed in range(10):
        for life in (healthy_life(seed), broken_life(seed)):
            judged = alarms.judge(life, seed)
            assert (seed, judged.names, judged.needless, judged.missed) == (seed, judged.names, (), ())
