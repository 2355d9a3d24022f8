"""The search: random clusters, random trouble, our visits in between, through the twin; three laws that always hold.

1. No visit makes an address stop serving that would have gone on serving, unless the fleet file asks for it.
2. From wherever it got, once the faults stop, a bounded number of visits reaches what is possible, and keeps it: the
   liveness law that "eventually stable reconciliation" names for controllers.
3. Nothing that is not ours changes.

The first and the third are checked at each visit (`Life.befall`), the second at the end of each life. What the search
has found is kept, by name, in `test_found`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from chalicelib.domain.twin.behaviours import OVNK_RELEASES
from sandbox.rosa.scenario import Flavour
from tests.model import laws
from tests.model.happenings import WORDS, Event
from tests.model.life import Life, Shape

number = st.integers(0, 11)
arguments: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "scale": (st.integers(0, 2), st.integers(0, 4)),
    "edit cpic": (number, number),
    "claim": (number, number),
    "put address": (number, number),
    "reserve": (number, st.sampled_from(["explicit", "prefix"])),
    "refuse": (st.integers(0, 2), st.booleans()),
    "wait": (st.sampled_from([3.0, 20.0, 60.0, 90.0, 400.0]),),
    **dict.fromkeys(("restore nodes", "networks", "let go", "accept", "heal"), ()),
    **dict.fromkeys(("restart manager", "stop manager", "restart cncc", "stop cncc"), ()),
}

happenings: st.SearchStrategy[Event] = st.sampled_from(sorted(WORDS)).flatmap(
    lambda word: st.tuples(st.just(word), *arguments.get(word, (number,)))
)
shapes = st.builds(
    Shape,
    nodes=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
    wishes=st.lists(st.tuples(st.integers(1, 2), st.booleans()), min_size=1, max_size=3).map(tuple),
    flavour=st.sampled_from(Flavour),
    release=st.sampled_from(sorted(OVNK_RELEASES)),
    cncc=st.sampled_from(["main", "4.18", "4.15"]),
    instance_type=st.sampled_from(["m5.xlarge", "t3.small", "t3.nano"]),
    seed=st.integers(0, 3),
)


class Search(RuleBasedStateMachine):
    """One life a run."""

    choosers: laws.Choosers = laws.FEW

    @initialize(shape=shapes)
    def begin(self, shape: Shape) -> None:
        self.life = Life(shape, self.choosers)
        self.events: list[Event] = []
        note(f"life = Life({shape!r})")
        self.happens(("visit",))

    def happens(self, event: Event) -> None:
        note(f"life.befall(*{event!r})")
        self.life.befall(*event)

    @rule(seconds=st.sampled_from([0.0, 20.0, 90.0]))
    def visit(self, seconds: float) -> None:
        self.happens(("visit",))
        self.happens(("wait", seconds))

    @rule(before=st.integers(0, 6))
    def killed_visit(self, before: int) -> None:
        self.happens(("killed", before))

    @rule(before=st.integers(0, 4), meanwhile=happenings)
    def raced_visit(self, before: int, meanwhile: Event) -> None:
        self.happens(("raced", before, meanwhile))

    @rule(before=st.integers(0, 4))
    def overlapped_visit(self, before: int) -> None:
        self.happens(("overlapped", before))

    @rule(event=happenings)
    def trouble(self, event: Event) -> None:
        self.happens(event)

    @rule(event=happenings, seconds=st.sampled_from([3.0, 60.0, 400.0]))
    def lasting_trouble(self, event: Event, seconds: float) -> None:
        self.happens(event)
        self.happens(("wait", seconds))

    @rule(policy=st.integers(0, 2), more=st.booleans())
    def other_wish(self, policy: int, more: bool) -> None:
        self.happens(("fleet", policy, more))

    @rule()
    def lost_table(self) -> None:
        self.happens(("forget",))

    def teardown(self) -> None:
        if hasattr(self, "life"):
            missing = self.life.settles()
            assert not missing, missing
            assert self.life.is_kept() == []


class ThoroughSearch(Search):
    """The same under more falls of chance."""

    choosers = laws.MANY


def test_a_few_lives() -> None:
    """The same ones every time; `test_many_lives` looks further."""
    run_state_machine_as_test(Search, settings=settings(max_examples=4, stateful_step_count=6))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_lives() -> None:
    """Longer ones, more of them, and more falls of chance."""
    run_state_machine_as_test(ThoroughSearch, settings=settings(max_examples=60, stateful_step_count=12))
