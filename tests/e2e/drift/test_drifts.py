"""Each drift of the catalogue, caused on the wire: what the visits say, what people hear, what heals, what is spared.

A stage costs seconds, so drifts that leave all as it was share one. What the product does not do yet is in `MISSING`:
such a drift must fail here, and does not stay in the table once it passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stdout
from io import StringIO
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from chalicelib.domain.findings import Severity
from sandbox.__main__ import main
from sandbox.drift import DRIFTS, Drift
from sandbox.drift.command import show
from sandbox.drift.performing import Performance, bring_to_rest, perform
from sandbox.drift.sides import serving, wanted_addresses
from sandbox.stage import Stage
from tests.e2e.drift.expected import EXPECTED, Expected
from tests.e2e.staging import staged

MISSING: dict[str, str] = {}

FAST = ("D8", "D20", "D23")
"""One of each family; the others are for `make test-slow`."""


CHANGES_THE_WISH = ("D16", "D26", "D28")
"""Their end, or their cause, is another fleet file."""


class Stages:
    """The stage for a drift: the one there is, where it fits and all is well on it, or a new one."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._stage: Stage | None = None
        self._made_for: tuple[object, ...] = ()

    def stage_for(self, drift: Drift) -> Stage:
        shape = (drift.scenario, drift.policies, drift.mode)
        if self._stage is None or not drift.shared or self._made_for != shape or not self._is_well(self._stage):
            self.close()
            self._stage = self._open.enter_context(staged(drift.scenario, drift.policies, ocm=drift.ocm))
            bring_to_rest(self._stage)
            if drift.mode != "enforce":  # what is only watched has been set up by somebody, too
                self._stage.put_fleet(self._stage.default_fleet.replace("enforce", drift.mode))
            self._made_for = shape if drift.shared else ()
        return self._stage

    def close(self) -> None:
        self._open.close()
        self._open, self._stage = ExitStack(), None

    def _is_well(self, stage: Stage) -> bool:
        bring_to_rest(stage)
        (drift,) = stage.documents(f"/clusters/{stage.scenario.name}/drift")["clusters"]
        return set(serving(stage)) == set(wanted_addresses(stage)) and not drift["findings"]


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    made = Stages()
    yield made
    made.close()


def _cases() -> list[ParameterSet]:
    cases = []
    for number, drift in sorted(DRIFTS.items(), key=lambda item: (not item[1].shared, item[0] not in FAST)):
        marks = [] if number in FAST else [pytest.mark.slow]
        if number in MISSING:
            marks.append(pytest.mark.xfail(strict=True, reason=MISSING[number]))
        cases.append(pytest.param(drift, id=number, marks=marks))
    return cases


@pytest.mark.parametrize("drift", _cases())
def test_a_drift_is_found_told_and_ended_and_nothing_else_is_touched(drift: Drift, stages: Stages) -> None:
    """Kind, subject, severity and evidence are right; it heals by the catalogue's remedy or a person is told how."""
    with redirect_stdout(StringIO()):  # the functions' own logs
        stage = stages.stage_for(drift)
        played, expected = perform(stage, drift), EXPECTED[drift.number]
    show(played, stage)  # read when it fails
    assert set(played.before) == set(played.wanted) or drift.number in CHANGES_THE_WISH
    if not expected.kind:
        _nothing_is_said(played, expected)
    else:
        _the_finding_is_right(played, expected)
        _the_remedy_is_right(played, expected)
        _people_hear_of_it(played, expected)
    _all_is_well_in_the_end(played, expected)
    _nothing_else_is_touched(played)


def _nothing_is_said(played: Performance, expected: Expected) -> None:
    assert [mail.subject for mail in played.alone.mail] == []
    assert [a for a in played.alone.applied if not (expected.remedy and re.search(expected.remedy, a))] == []


def _the_finding_is_right(played: Performance, expected: Expected) -> None:
    versions = _versions(played, expected)
    assert min((v["severity"] for v in versions), key=list(Severity).index) == expected.severity
    text = "\n".join(line for v in versions for line in (v["summary"], *v["evidence"]))
    assert [word for word in expected.evidence if word not in text] == [], text


def _versions(played: Performance, expected: Expected) -> list[dict[str, Any]]:
    """What the visits said of the drift's subject, one after the other."""
    said = {(vs[0]["kind"], vs[0]["subject"]): vs for vs in played.alone.versions.values()}
    found = [vs for (kind, subject), vs in said.items() if kind == expected.kind and played.play.subject in subject]
    assert found, f"no {expected.kind} on {played.play.subject!r}, only {list(said)}"
    return found[0]


def _the_remedy_is_right(played: Performance, expected: Expected) -> None:
    applied = played.alone.applied
    if expected.remedy:
        assert applied, "nothing was done"
        assert [action for action in applied if not re.search(expected.remedy, action)] == []
    else:
        assert applied == []
    todos = [version["todo"] for version in _versions(played, expected)]
    assert any(expected.person in todo for todo in todos), todos


def _people_hear_of_it(played: Performance, expected: Expected) -> None:
    """Once that it is so, and once that it is over; the platform's own healing is no news."""
    fingerprint = _versions(played, expected)[0]["fingerprint"]
    mails = [mail for mail in played.alone.mail + played.ended.mail if fingerprint in mail.body]
    subjects = [mail.subject for mail in mails]
    ends = [subject for subject in subjects if subject.startswith("RESOLVED")]
    assert len(subjects) - len(ends) == (1 if expected.told else 0), subjects
    assert len(ends) == (1 if expected.told else 0), subjects
    assert all(len(subject) <= 100 for subject in subjects)


def _all_is_well_in_the_end(played: Performance, expected: Expected) -> None:
    if expected.heals:
        assert set(played.left_alone) >= set(played.before), "the tool alone does not heal it"
    assert set(played.after) == set(played.wanted)
    if expected.kind:
        assert _versions(played, expected)[0]["fingerprint"] not in played.ended.open


def _nothing_else_is_touched(played: Performance) -> None:
    assert played.alone.disturbed == set()
    assert played.foreign_alone == played.foreign_before


def test_every_number_of_the_catalogue_has_a_drift_and_an_expectation() -> None:
    """28 of 28: a number that is left out would be a way of breaking that nobody looks for."""
    assert {number.partition("-")[0] for number in DRIFTS} == {f"D{number}" for number in range(1, 29)}
    assert set(EXPECTED) == set(DRIFTS)
    assert set(MISSING) <= set(DRIFTS)


def test_drifts_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m sandbox drift` names each one with its condition."""
    assert main(["drift"]) == 0
    listed = capsys.readouterr().out
    assert all(number in listed and drift.condition in listed for number, drift in DRIFTS.items())
