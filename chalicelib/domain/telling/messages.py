"""Findings as messages to people: subject, plain-text body, attributes.

Written for someone who is woken by it: what, where, since when, what it means for traffic, what was done, what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from chalicelib.domain.findings import Kind, telling_order
from chalicelib.domain.quiet import Quiet
from chalicelib.domain.telling.advice import commands_for
from chalicelib.domain.telling.headlines import HEADLINES

SUBJECT_LIMIT = 100
"""SNS: at most 100 characters, printable ASCII (API reference, Publish)."""

MOST_LISTED = 25
"""A message lists this many findings in full and counts the rest: it must stay readable."""

BODY_LIMIT = 200_000
"""And this many bytes of them. SNS takes 256 KiB (API reference, Publish), attributes included."""


class Occasion(StrEnum):
    """Why people hear of a finding now."""

    NEW = "new"
    BACK = "back again"
    WORSE = "worse"
    REMINDER = "still open"
    RESOLVED = "resolved"


RUNBOOKS = "docs/runbooks"
"""Where the runbooks are, unless a setting says where they are published."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message comes from: cluster, its AWS Region, where the runbooks are.

    Attributes:
        enforces: False where changes are only planned: mode observe.
    """

    cluster: str
    region: str = ""
    runbooks: str = RUNBOOKS
    enforces: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """One finding in a message.

    Attributes:
        document: `plain(Finding)`.
        since: Since when it is open.
        tries: How many times its repair was applied, this visit included, and the last of these times.
        returns: How many times it had gone away and come back.
        heard: People were told of it before.
        told_as: In which words; empty where they were not.
        repair: The last action that was applied to repair it.
        quiet: What would have held the message back, had the finding not grown worse.
    """

    document: Mapping[str, Any]
    fingerprint: str
    since: datetime
    occasion: Occasion
    tries: int = 0
    tried_at: datetime | None = None
    returns: int = 0
    heard: bool = True
    told_as: str = ""
    repair: str = ""
    quiet: Quiet | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One message. `subject` fits SNS: printable ASCII, at most 100 characters. `told` is what it is about."""

    subject: str
    body: str
    attributes: Mapping[str, str]
    told: tuple[Told, ...] = ()


def render_alert(place: Place, told: tuple[Told, ...], *, done: frozenset[str], run_id: str, now: datetime) -> Alert:
    """Render findings, all resolved or all open, as one message; the most severe first.

    Args:
        told: At least one.
        done: Summaries of the actions applied by this visit.
    """
    told = tuple(sorted(told, key=_telling_order))
    worst = told[0]
    resolved = worst.occasion is Occasion.RESOLVED
    severity, kind = str(worst.document["severity"]), str(worst.document["kind"])
    state = "RESOLVED" if resolved else severity.upper()
    blocks = _that_fit((_resolved_block(i, now) for i in told) if resolved else _open_blocks(told, done, place))
    if len(told) > len(blocks):
        blocks.append(f"... and {len(told) - len(blocks)} more: egress-keeper drift --cluster {place.cluster}")
    return Alert(
        subject=_subject(state, place.cluster, told),
        body="\n\n".join(
            [f"{state}: cluster {place.cluster}, {kind}{_company(told)}", *blocks, _foot(place, told, run_id, now)]
        )
        + "\n",
        attributes={"cluster": place.cluster, "severity": severity, "kind": kind},
        told=told,
    )


def _company(told: tuple[Told, ...]) -> str:
    """What the findings of one message have in common."""
    if all(item.occasion is Occasion.REMINDER for item in told):
        return f"; {len(told)} still open, told once a day" if len(told) > 1 else "; still open, told once a day"
    what = "cause" if told[0].document.get("cause") else "kind"
    return f", {len(told)} findings of one {what}" if len(told) > 1 else ""


def _foot(place: Place, told: tuple[Told, ...], run_id: str, now: datetime) -> str:
    last = f"Cluster {place.cluster}, {now:%Y-%m-%d %H:%M:%S} UTC, visit {run_id}."
    if told[0].occasion is Occasion.RESOLVED:
        return last
    fingerprints = " ".join(item.fingerprint for item in told[:MOST_LISTED])
    return f'Known, and to be quiet for a while: egress-keeper silence {fingerprints} --for 2h --why "..."\n{last}'


def _that_fit(blocks: Iterable[str]) -> list[str]:
    """The first blocks, as many as one message may hold."""
    listed: list[str] = []
    size = 0
    for block in islice(blocks, MOST_LISTED):
        size += len(block.encode())
        if size > BODY_LIMIT:
            break
        listed.append(block)
    return listed


def _open_blocks(told: Iterable[Told], done: frozenset[str], place: Place) -> Iterator[str]:
    """One block a finding. What a later one would repeat of the first of its kind is left out: it is read at night."""
    said: dict[str, frozenset[str]] = {}
    for item in told:
        kind = str(item.document["kind"])
        parts = _parts(item, done, place)
        repeated = said.get(kind, frozenset())
        yield "\n".join(
            [
                f"{item.document['summary']}{_why_again(item)}",
                f"  Since:   {item.since:%Y-%m-%d %H:%M:%S} UTC",
                *(part for part in parts if part not in repeated),
                f"  Finding: {item.fingerprint} {kind}",
            ]
        )
        said.setdefault(kind, frozenset(parts))


def _parts(item: Told, done: frozenset[str], place: Place) -> list[str]:
    document = item.document
    kind, subject = str(document["kind"]), str(document["subject"])
    commands = commands_for(kind, subject, cluster=place.cluster, region=place.region)
    parts = [
        _part("Traffic", [document["impact"]]),
        _part("Done", [_done(item, done, place)]),
        _part("To do", str(document["todo"]).split("\n")),
        _part("Look", commands),
        *(_part("Seen", [evidence]) for evidence in document["evidence"]),
    ]
    if item.quiet is not None:
        parts.append(_part("Quiet", [f"{quiet_words(item.quiet)}; told because it is worse than that covers"]))
    parts.append(_part("Runbook", [f"{place.runbooks.rstrip('/')}/{kind}.md"]))
    return [part for part in parts if part]


def _part(name: str, lines: Iterable[str]) -> str:
    """A name and its lines, the first one beside it; empty where they are."""
    text = "\n           ".join(lines)
    return f"  {name + ':':<9}{text}" if text else ""


def _why_again(item: Told) -> str:
    """Why it is told again, where it is."""
    if item.occasion is Occasion.NEW:
        return ""
    times = f", {item.returns} times by now" if item.returns > 1 else ""
    return f" ({item.occasion.value}{times if item.occasion is Occasion.BACK else ''})"


def _done(item: Told, done: frozenset[str], place: Place) -> str:
    """What was done about it, not overstated: planned is not applied, and applied is not yet repaired."""
    repair, remedy = str(item.document["repaired_by"]), str(item.document.get("remedy", ""))
    if repair and repair in done:
        return f"{repair}: applied, being verified{_the_time(item.tries)}"
    before = ""
    if item.tries and item.tried_at is not None:
        times = "once" if item.tries == 1 else f"{item.tries} times"
        before = f"; tried {times} so far, the last time at {item.tried_at:%Y-%m-%d %H:%M:%S} UTC"
    if (repair or remedy) and not place.enforces:
        return f"nothing: mode observe changes nothing; mode enforce would: {repair or remedy}{before}"
    if repair:
        return f"nothing yet; planned: {repair}{before}"
    if remedy:
        return f"nothing in this visit ({remedy}){before}"
    return f"nothing; there is no repair that is safe without a person{before}"


def _the_time(tries: int) -> str:
    ordinal = {2: "2nd", 3: "3rd"}.get(tries, f"{tries}th")
    return f", for the {ordinal} time" if tries > 1 else ""


def _resolved_block(item: Told, now: datetime) -> str:
    minutes = max(1, round((now - item.since).total_seconds() / 60))
    lines = [
        f"No longer the case: {item.told_as or item.document['summary']}",
        f"  Lasted:  from {item.since:%Y-%m-%d %H:%M:%S} UTC, about {minutes} min",
    ]
    if not item.heard:
        lines.append("  Note:    it was over before anybody had been told of its beginning")
    lines.append(f"  Ended:   {_how_it_ended(item)}")
    if item.returns:
        lines.append(f"  Note:    it had come back {'once' if item.returns == 1 else f'{item.returns} times'} before")
    lines.append(f"  Finding: {item.fingerprint} {item.document['kind']}")
    return "\n".join(lines)


def _how_it_ended(item: Told) -> str:
    if not item.repair or item.tried_at is None or item.tried_at < item.since:
        if not item.heard and (planned := item.document["repaired_by"]):
            return f"perhaps by a visit that was cut short; it had set out to: {planned}"
        return "without a change of ours"
    return f"after this change of ours at {item.tried_at:%Y-%m-%d %H:%M:%S} UTC: {item.repair}"


def quiet_words(quiet: Quiet) -> str:
    """Who holds messages back, until when and why."""
    who = f" by {quiet.who}" if quiet.who else ""
    return f"{quiet.reason}{who} until {quiet.until:%Y-%m-%d %H:%M} UTC: {quiet.why}"


def _subject(state: str, cluster: str, told: tuple[Told, ...]) -> str:
    """What and where. Names give way where it gets too long: what is the case and how many more stay readable."""
    worst = told[0]
    still = ": still open" if worst.occasion is Occasion.REMINDER else ""
    head = f"{state} {cluster}{still}: "
    tail = f": {HEADLINES[Kind(worst.document['kind'])]}"
    tail += f" and {len(told) - 1} more" if len(told) > 1 else ""
    name = _printable(str(worst.document["subject"]))
    room = SUBJECT_LIMIT - len(head) - len(tail)
    if len(name) > room:
        name = f"{name[: max(0, room - 3)]}..."
    return _printable(f"{head}{name}{tail}")[:SUBJECT_LIMIT]


def _printable(text: str) -> str:
    return "".join(character if " " <= character <= "~" else "?" for character in text)


def _telling_order(item: Told) -> tuple[int, int, str]:
    return telling_order(item.document["severity"], item.document["kind"], item.document["subject"])
