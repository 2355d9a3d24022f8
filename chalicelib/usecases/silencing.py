"""Silencing: a person knows of a finding and wants to hear nothing of it for a while; who and why are kept.

Belongs here: what may be silenced, for how long, and what is stored. What a silence holds back is `domain.quiet`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.domain.findings import Severity
from chalicelib.domain.quiet import Silence
from chalicelib.domain.records import RESOLVED, FindingRecord
from chalicelib.problems import BadInput, NoSuchThing
from chalicelib.usecases.ports import Memory

LONGEST = timedelta(days=14)
"""What is to be quiet for longer is no incident: change the fleet file, or the cluster."""

LONGEST_REASON = 500
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
SPAN = re.compile(r"([1-9][0-9]{0,4})(m|h|d)")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_span(text: object, field: str) -> timedelta:
    """Read a span of time: whole minutes, hours or days.

    Raises:
        BadInput: It is none, or longer than two weeks.
    """
    found = SPAN.fullmatch(text) if isinstance(text, str) else None
    span = int(found[1]) * UNITS[found[2]] if found else LONGEST * 2
    if span > LONGEST:
        raise BadInput(f"{field}: {str(text)[:40]!r}: allowed is 1m to 14d: a whole number and m, h or d, such as 2h")
    return span


def parse_reason(text: object, field: str) -> str:
    """Read why something is silenced.

    Raises:
        BadInput: It is empty, too long or not one line of text.
    """
    if not (isinstance(text, str) and text.strip() and len(text) <= LONGEST_REASON and text.isprintable()):
        raise BadInput(f"{field}: {str(text)[:40]!r}: allowed is one line of 1 to {LONGEST_REASON} characters")
    return text.strip()


def parse_fingerprint(text: object, field: str) -> str:
    """Read a finding's fingerprint.

    Raises:
        BadInput: It is none.
    """
    if not (isinstance(text, str) and FINGERPRINT.fullmatch(text)):
        raise BadInput(
            f"{field}: {str(text)[:40]!r} is no fingerprint: allowed are 16 hexadecimal digits, see the alert"
        )
    return text


def silence(
    fingerprints: Iterable[str],
    clusters: Iterable[str],
    memory: Memory,
    *,
    span: timedelta,
    why: str,
    who: str,
    now: datetime,
) -> tuple[Silence, ...]:
    """Silence open findings, wherever among *clusters* they are. Nothing is stored unless all of them are open.

    Raises:
        NoSuchThing: A fingerprint is none of an open finding; the message lists those there are.
    """
    open_findings = _open_findings(clusters, memory)
    made = []
    for fingerprint in dict.fromkeys(fingerprints):
        record = open_findings.get(fingerprint)
        if record is None:
            there = ", ".join(f"{r.fingerprint} ({r.document['kind']})" for r in list(open_findings.values())[:20])
            raise NoSuchThing(f"finding: {fingerprint} is not open; open are {there or 'none'}")
        severity = Severity(record.document["severity"])
        made.append(Silence(record.cluster, fingerprint, now, now + span, who, why, severity))
    for one in made:
        memory.store_silence(one)
    return tuple(made)


def silences_of(clusters: Iterable[str], memory: Memory, now: datetime) -> tuple[Silence, ...]:
    """The silences that last, sorted by cluster and fingerprint."""
    return tuple(one for cluster in clusters for one in memory.fetch_silences(cluster) if one.until > now)


def unsilence(
    fingerprints: Iterable[str], clusters: Iterable[str], memory: Memory, *, who: str, now: datetime
) -> tuple[Silence, ...]:
    """End silences now. Who ended them stays on record.

    Raises:
        NoSuchThing: A fingerprint is not silenced.
    """
    lasting = {one.fingerprint: one for one in silences_of(clusters, memory, now)}
    ended = []
    for fingerprint in dict.fromkeys(fingerprints):
        if fingerprint not in lasting:
            raise NoSuchThing(f"silence: {fingerprint} is not silenced; silenced are {', '.join(lasting) or 'none'}")
        ended.append(replace(lasting[fingerprint], until=now, ended_by=who))
    for one in ended:
        memory.store_silence(one)
    return tuple(ended)


def _open_findings(clusters: Iterable[str], memory: Memory) -> dict[str, FindingRecord]:
    records = (record for cluster in clusters for record in memory.fetch_findings(cluster))
    return {record.fingerprint: record for record in records if record.state != RESOLVED}
