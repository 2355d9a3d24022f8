"""Findings as messages to people: subject, plain-text body, attributes.

Written for someone who is woken by it: what, where, since when, what it means for traffic, what was done, what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from chalicelib.domain.findings import telling_order

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


@dataclass(frozen=True, slots=True)
class Told:
    """One finding in a message: its document (`plain(Finding)`), since when it is open, and the occasion."""

    document: Mapping[str, Any]
    fingerprint: str
    since: datetime
    occasion: Occasion


@dataclass(frozen=True, slots=True)
class Alert:
    """One message. `subject` fits SNS: printable ASCII, at most 100 characters. `told` is what it is about."""

    subject: str
    body: str
    attributes: Mapping[str, str]
    told: tuple[Told, ...] = ()


def render_alert(cluster: str, told: tuple[Told, ...], *, done: frozenset[str], run_id: str, now: datetime) -> Alert:
    """Render the findings of one cause, all resolved or all open, as one message; the most severe first.

    Args:
        told: At least one.
        done: Summaries of the actions applied by this visit.
    """
    told = tuple(sorted(told, key=_telling_order))
    worst = told[0].document
    resolved = told[0].occasion is Occasion.RESOLVED
    severity, kind = str(worst["severity"]), str(worst["kind"])
    headline = f"{worst['subject']}: {kind.replace('-', ' ')}"
    more = f" and {len(told) - 1} more" if len(told) > 1 else ""
    state = "RESOLVED" if resolved else severity.upper()
    blocks = _that_fit(_resolved_block(item, now) if resolved else _open_block(item, done) for item in told)
    if len(told) > len(blocks):
        blocks.append(f"... and {len(told) - len(blocks)} more of the same cause.")
    first = f"{state}: cluster {cluster}, {kind}" + (f", {len(told)} findings of one cause" if more else "")
    last = f"Cluster {cluster}, {now:%Y-%m-%d %H:%M:%S} UTC, visit {run_id}."
    return Alert(
        subject=_subject(f"{state} {cluster}: {headline}{more}"),
        body="\n\n".join([first, *blocks, last]) + "\n",
        attributes={"cluster": cluster, "severity": severity, "kind": kind},
        told=told,
    )


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


def _open_block(item: Told, done: frozenset[str]) -> str:
    document = item.document
    since = "" if item.occasion is Occasion.NEW else f" ({item.occasion.value})"
    lines = [f"{document['summary']}{since}", f"  Since:   {item.since:%Y-%m-%d %H:%M:%S} UTC"]
    if document["impact"]:
        lines.append(f"  Traffic: {document['impact']}")
    lines.append(f"  Done:    {_done(str(document['repaired_by']), done, str(document.get('remedy', '')))}")
    if document["todo"]:
        lines.append(f"  To do:   {document['todo']}")
    lines.extend(f"  Seen:    {evidence}" for evidence in document["evidence"])
    lines.append(f"  Finding: {item.fingerprint} {document['kind']}")
    return "\n".join(lines)


def _done(repair: str, done: frozenset[str], remedy: str) -> str:
    if not repair and remedy:
        return f"nothing in this visit; the remedy is {remedy}"
    if not repair:
        return "nothing; there is no repair that is safe without a person"
    return f"{repair}: applied, being verified" if repair in done else f"nothing yet; planned: {repair}"


def _resolved_block(item: Told, now: datetime) -> str:
    minutes = max(1, round((now - item.since).total_seconds() / 60))
    return (
        f"No longer the case: {item.document['summary']}\n"
        f"  Lasted:  from {item.since:%Y-%m-%d %H:%M:%S} UTC, about {minutes} min\n"
        f"  Finding: {item.fingerprint} {item.document['kind']}"
    )


def _subject(text: str) -> str:
    ascii_only = "".join(character if " " <= character <= "~" else "?" for character in text)
    return ascii_only if len(ascii_only) <= SUBJECT_LIMIT else f"{ascii_only[: SUBJECT_LIMIT - 3]}..."


def _telling_order(item: Told) -> tuple[int, int, str]:
    return telling_order(item.document["severity"], item.document["kind"], item.document["subject"])
