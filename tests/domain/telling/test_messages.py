from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.plan import plain
from chalicelib.domain.quiet import Quiet
from chalicelib.domain.telling.headlines import HEADLINES
from chalicelib.domain.telling.messages import (
    BODY_LIMIT,
    MOST_LISTED,
    SUBJECT_LIMIT,
    Alert,
    Occasion,
    Place,
    Told,
    render_alert,
)
from tests import factories as make

REPAIR = "apply EgressIP ns: +10.10.100.253"


def finding(number: int = 253, **changes: Any) -> Finding:
    return Finding(
        **{
            "kind": Kind.ADDRESS_UNASSIGNED,
            "subject": f"address 10.10.100.{number} of ns",
            "severity": Severity.CRITICAL,
            "summary": f"10.10.100.{number} (ns, eu-central-1a) is assigned to no node.",
            "impact": "Its pods leave with their nodes' addresses.",
            "todo": "Look at it.",
            "repaired_by": REPAIR,
            "evidence": ("CloudPrivateIPConfig: none", "network interface: none"),
            **changes,
        }
    )


def told(*findings: Finding, occasion: Occasion = Occasion.NEW) -> tuple[Told, ...]:
    since = make.NOW - timedelta(minutes=3)
    return tuple(Told(plain(made), made.fingerprint("demo"), since, occasion) for made in findings)


def render(items: tuple[Told, ...], done: frozenset[str] = frozenset()) -> Alert:
    return render_alert(Place("demo", "eu-central-1"), items, done=done, run_id="demo.1", now=make.NOW)


def test_a_message_as_it_is_read() -> None:
    """What, since when, what it means, what was done, what to do, what was seen, and where to look it up."""
    made = render(told(finding()), frozenset({REPAIR}))
    assert made.subject == "CRITICAL demo: address 10.10.100.253 of ns: on no node"
    assert made.attributes == {"cluster": "demo", "severity": "critical", "kind": "address-unassigned"}
    assert (
        made.body
        == f"""\
CRITICAL: cluster demo, address-unassigned

10.10.100.253 (ns, eu-central-1a) is assigned to no node.
  Since:   2026-03-01 11:57:00 UTC
  Traffic: Its pods leave with their nodes' addresses.
  Done:    apply EgressIP ns: +10.10.100.253: applied, being verified
  To do:   Look at it.
  Look:    oc get egressip ns -o yaml --show-managed-fields
           oc get events -n default --field-selector involvedObject.kind=EgressIP,involvedObject.name=ns
           egress-keeper capacity --cluster demo
  Seen:    CloudPrivateIPConfig: none
  Seen:    network interface: none
  Runbook: docs/runbooks/address-unassigned.md
  Finding: {finding().fingerprint("demo")} address-unassigned

Known, and to be quiet for a while: egress-keeper silence {finding().fingerprint("demo")} --for 2h --why "..."
Cluster demo, 2026-03-01 12:00:00 UTC, visit demo.1.
"""
    )


@pytest.mark.parametrize(
    ("changes", "done", "says"),
    [
        ({}, frozenset(), f"nothing yet; planned: {REPAIR}"),
        ({"repaired_by": ""}, frozenset({REPAIR}), "nothing; there is no repair that is safe without a person"),
    ],
)
def test_what_was_done_is_not_overstated(changes: dict[str, Any], done: frozenset[str], says: str) -> None:
    """A planned repair is not an applied one, and no repair is said to be none."""
    assert f"  Done:    {says}\n" in render(told(finding(**changes)), done).body


def test_empty_lines_are_left_out() -> None:
    """No impact and nothing to do means no line for it."""
    body = render(told(finding(impact="", todo="", evidence=()))).body
    assert "Traffic:" not in body
    assert "To do:" not in body


def told_once(**changes: Any) -> tuple[Told, ...]:
    (one,) = told(finding())
    return (replace(one, **changes),)


def test_what_was_tried_is_counted() -> None:
    """The reader sees that the tool has been at it, how often, and when last."""
    body = render(told_once(tries=3, tried_at=make.NOW - timedelta(minutes=5))).body
    assert f"planned: {REPAIR}; tried 3 times so far, the last time at 2026-03-01 11:55:00 UTC" in body


def test_what_came_back_says_so() -> None:
    """It is no new incident."""
    assert "(back again, 4 times by now)" in render(told_once(occasion=Occasion.BACK, returns=4)).body


def test_an_end_nobody_knew_the_beginning_of_says_so() -> None:
    """A message that could not be sent in time is not a riddle."""
    body = render(told_once(occasion=Occasion.RESOLVED, heard=False)).body
    assert "over before anybody had been told of its beginning" in body
    assert f"Ended:   perhaps by a visit that was cut short; it had set out to: {REPAIR}" in body
    unaided = told(finding(repaired_by=""), occasion=Occasion.RESOLVED)
    assert "Ended:   without a change of ours" in render((replace(unaided[0], heard=False),)).body


def test_an_end_is_told_in_the_words_of_the_beginning_with_what_was_done() -> None:
    """Whoever heard the one recognises the other, whatever became of the finding in between."""
    at = make.NOW - timedelta(minutes=1)
    body = render(told_once(occasion=Occasion.RESOLVED, told_as="It was so.", tries=1, tried_at=at, repair=REPAIR)).body
    assert "No longer the case: It was so." in body
    assert f"Ended:   after this change of ours at 2026-03-01 11:59:00 UTC: {REPAIR}" in body


def test_a_silence_that_no_longer_covers_is_named() -> None:
    """Whoever silenced it, and why, stands in the message that breaks the silence."""
    quiet = Quiet("silence", make.NOW + timedelta(hours=1), "arn:aws:iam::1:user/ann", "known", Severity.WARNING)
    body = render(told_once(occasion=Occasion.WORSE, quiet=quiet)).body
    assert "silence by arn:aws:iam::1:user/ann until 2026-03-01 13:00 UTC: known" in body


def test_reminders_are_one_list() -> None:
    """The subject says that nothing is new."""
    made = render(told(finding(1), finding(2), occasion=Occasion.REMINDER))
    assert made.subject == "CRITICAL demo: still open: address 10.10.100.1 of ns: on no node and 1 more"
    assert "2 still open, told once a day" in made.body.splitlines()[0]


def test_a_resolved_finding() -> None:
    """Says that it is over and how long it took."""
    made = render(told(finding(), occasion=Occasion.RESOLVED))
    assert made.subject.startswith("RESOLVED demo: address 10.10.100.253")
    assert "No longer the case: 10.10.100.253 (ns, eu-central-1a) is assigned to no node." in made.body
    assert "from 2026-03-01 11:57:00 UTC, about 3 min" in made.body


@pytest.mark.parametrize("occasion", [Occasion.REMINDER, Occasion.WORSE])
def test_a_repeated_message_says_why_it_comes_again(occasion: Occasion) -> None:
    """Still open, or worse than before."""
    assert f"is assigned to no node. ({occasion.value})\n" in render(told(finding(), occasion=occasion)).body


def test_findings_of_one_cause_are_one_message_the_worst_first() -> None:
    """Subject and attributes are those of the worst; among equals a cause comes before its effects."""
    mild = finding(1, severity=Severity.WARNING, kind=Kind.CAPACITY_NO_SPARE, cause="zone a")
    effect = finding(3, kind=Kind.STATUS_LOST, cause="zone a")
    made = render(told(mild, effect, finding(2, cause="zone a")))
    assert made.subject == "CRITICAL demo: address 10.10.100.2 of ns: on no node and 2 more"
    assert made.attributes["severity"] == "critical"
    assert [line for line in made.body.splitlines() if "(ns, " in line] == [
        f"10.10.100.{number} (ns, eu-central-1a) is assigned to no node." for number in (2, 3, 1)
    ]
    assert "3 findings of one cause" in made.body.splitlines()[0]


def test_findings_that_only_share_their_kind_are_not_said_to_have_one_cause() -> None:
    """Whoever repairs the first must not think that the others are repaired with it."""
    assert "2 findings of one kind" in render(told(finding(1), finding(2))).body.splitlines()[0]


def test_what_findings_of_a_kind_have_in_common_is_said_once() -> None:
    """Five sections of one system that does not answer are read at a glance; what differs stays."""
    one, two = finding(1), finding(2, impact="Another one.")
    first, second = render(told(one, two)).body.split("\n\n")[1:3]
    assert "To do:   Look at it." in first
    assert second.splitlines()[0] == one.summary.replace("100.1", "100.2")
    assert "To do:" not in second
    assert "Traffic: Another one." in second
    assert "  Since:   2026-03-01 11:57:00 UTC" in second
    assert f"  Finding: {two.fingerprint('demo')} address-unassigned" in second
    other = finding(3, kind=Kind.STATUS_LOST)
    assert render(told(one, other)).body.count("To do:   Look at it.") == 2, "other kinds say it themselves"


def test_commands_to_paste_stand_on_lines_of_their_own() -> None:
    """Nobody has to take them out of a sentence."""
    body = render(told(finding(todo="By hand:\noc label egressip ns a=b\noc get egressip"))).body
    assert (
        "  To do:   By hand:\n           oc label egressip ns a=b\n           oc get egressip\n  Look:    oc get"
        in body
    )


def test_in_mode_observe_nothing_is_said_to_be_planned() -> None:
    """Nobody waits for a repair that will not come."""
    watched = replace(Place("demo", "eu-central-1"), enforces=False)
    for one in (finding(), finding(repaired_by="", remedy=REPAIR)):
        made = render_alert(watched, told(one), done=frozenset(), run_id="demo.1", now=make.NOW)
        assert f"Done:    nothing: mode observe changes nothing; mode enforce would: {REPAIR}\n" in made.body


@pytest.mark.parametrize(("tries", "says"), [(1, ""), (2, ", for the 2nd time"), (3, ", for the 3rd time"), (4, "4th")])
def test_a_repair_that_was_applied_before_says_so(tries: int, says: str) -> None:
    """The reader sees that it does not last."""
    (one,) = told(finding())
    body = render((replace(one, tries=tries, tried_at=make.NOW),), frozenset({REPAIR})).body
    assert f"{REPAIR}: applied, being verified" in body
    assert says in body
    assert ("time" in body) is (tries > 1)


def test_every_kind_has_a_headline() -> None:
    """Short enough to leave room for a name."""
    assert set(HEADLINES) == set(Kind)
    assert max(map(len, HEADLINES.values())) <= 40


def test_many_findings_are_cut_and_counted() -> None:
    """A lost zone of two hundred addresses is a message that can be read."""
    body = render(told(*(finding(number) for number in range(200)))).body
    assert body.count("  Since:") == MOST_LISTED
    assert f"... and {200 - MOST_LISTED} more: egress-keeper drift --cluster demo" in body


def test_long_findings_are_cut_by_size() -> None:
    """However long the evidence, SNS takes the message."""
    body = render(told(*(finding(number, evidence=("ü" * 20_000 + str(number),)) for number in range(10)))).body
    assert len(body.encode()) < BODY_LIMIT + 1_000
    assert "... and 6 more: egress-keeper drift --cluster demo" in body


@pytest.mark.parametrize("subject", ["zone “ü” → ✓", "x" * 300, "a\nb\tc"])
def test_subjects_fit_sns(subject: str) -> None:
    """At most 100 printable ASCII characters, on one line."""
    made = render(told(finding(subject=subject))).subject
    assert len(made) <= SUBJECT_LIMIT
    assert made.isascii()
    assert made.isprintable()
    assert made.startswith("CRITICAL demo: ")
    assert made.endswith(": on no node"), "what is wrong stays readable, names give way"
