"""The message of each kind of finding, as somebody reads it at night: kept as text, so that a change of words is seen.

`KEEPER_WRITE_TEXTS=1 python -m pytest tests/test_alert_texts.py` writes the texts anew; read them aloud before keeping.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from chalicelib.domain.drift.credential import TokenClaims, ending_finding
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.plan import plain
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.telling.messages import SUBJECT_LIMIT, Alert, Occasion, Place, Told, render_alert
from tests import factories as make
from tests.situations import ADDRESSES, SITUATIONS

TEXTS = Path(__file__).parent / "alert_texts"
POLICY = make.policy("ns", *ADDRESSES)

SHOWN_ELSEWHERE = {
    Kind.OCM_CLUSTER_NOT_READY: "tests/domain/machine_pools/test_pooling.py",
    Kind.OCM_CLUSTER_MISMATCH: "tests/domain/machine_pools/test_pooling.py",
    Kind.POOL_IMPOSSIBLE: "tests/domain/machine_pools/test_pooling.py",
    Kind.POOL_CONFLICT: "tests/usecases",
    Kind.POOL_SHORT: "tests/domain/machine_pools/test_pooling.py",
    Kind.SUBNET_CHANGED: "tests/domain",
    Kind.INTERFACE_UNTAGGED: "tests/domain",
    Kind.ADDRESS_LEFTOVER: "tests/domain",
    Kind.ADDRESS_FLAPPING: "tests/domain/drift/test_flapping.py",
    Kind.SELECTOR_OVERLAP: "tests/domain",
    Kind.NODE_OUTSIDE_POOLS: "tests/domain/machine_pools/test_labelling.py",
}
"""Kinds that no situation here leads to, and where their words are looked at."""


def snapshots() -> Iterator[Snapshot]:
    """What the situations of whole visits do not have."""
    start = make.snapshot(nodes_per_zone=2)
    address = ADDRESSES[0]
    yield replace(start, subnets=(make.subnet("a", available=3), make.subnet("b"), make.subnet("c")))
    foreign = replace(make.interface("a", 9, address), instance_id=None, holder="load balancer app/payments")
    yield replace(start, interfaces=(*make_known(start.interfaces), foreign))
    yield replace(start, egress_ips=(make.egress_ip("team-b", address, labels={}),))
    stale = make.cpic(address, "node-a0", owner="old")
    yield replace(start, egress_ips=(make.egress_ip("ns", *ADDRESSES),), cpics=(stale,))
    owned = make.reservation(f"{address}/32", tags=make.tags(ns=address))
    yield replace(start, reservations=(owned,))
    yield replace(start, reservations=(make.reservation("10.10.100.240/28", cluster=None, description="printers"),))


def make_known(section):  # type: ignore[no-untyped-def]
    return section


@cache
def findings() -> dict[Kind, Finding]:
    """One finding of each kind that some situation leads to, the first in the order of situations."""
    found: dict[Kind, Finding] = {}
    for situation in SITUATIONS:
        for finding in situation().findings:
            found.setdefault(finding.kind, finding)
    for snapshot in snapshots():
        for finding in plan(snapshot, make.cluster(POLICY)).findings:
            found.setdefault(finding.kind, finding)
    claims = TokenClaims(None, make.NOW - timedelta(days=364), make.NOW + timedelta(hours=20))
    ending = ending_finding("secret egress-keeper/demo", claims, "PutSecretValue: AccessDenied", make.NOW)
    return {ending.kind: ending, **found}


def alert(finding: Finding) -> Alert:
    since = make.NOW - timedelta(minutes=3)
    told = Told(plain(finding), finding.fingerprint("demo"), since, Occasion.NEW)
    return render_alert(Place("demo", "eu-central-1"), (told,), done=frozenset(), run_id="demo.1", now=make.NOW)


def test_every_kind_has_a_text() -> None:
    """A new kind comes with words that somebody has read."""
    assert set(findings()) | set(SHOWN_ELSEWHERE) == set(Kind)
    if not os.environ.get("KEEPER_WRITE_TEXTS"):
        assert {path.stem for path in TEXTS.glob("*.txt")} == {kind.value for kind in findings()}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in SHOWN_ELSEWHERE])
def test_the_text_of_a_kind(kind: Kind) -> None:
    """Subject and body, word for word."""
    made = alert(findings()[kind])
    text = f"Subject: {made.subject}\n\n{made.body}"
    path = TEXTS / f"{kind}.txt"
    if os.environ.get("KEEPER_WRITE_TEXTS"):
        TEXTS.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert len(made.subject) <= SUBJECT_LIMIT


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in SHOWN_ELSEWHERE])
def test_a_text_says_all_that_is_needed_at_night(kind: Kind) -> None:
    """What it means, what was done, where to look, the runbook, and how to have quiet."""
    finding = findings()[kind]
    body = alert(finding).body
    for part in (
        "  Since:   ",
        "  Done:    ",
        "  Look:    ",
        f"  Runbook: docs/runbooks/{kind}.md",
        "egress-keeper silence ",
    ):
        assert part in body, part
    assert "  Traffic: " in body or finding.severity is Severity.INFO
