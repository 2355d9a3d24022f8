"""Actions, findings and the plan as values: what they say of themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from chalicelib.domain.actions import (
    Action,
    ApplyEgressIp,
    DeleteEgressIp,
    LabelNode,
    ReleaseReservation,
    ReserveCidr,
    TagReservation,
)
from chalicelib.domain.findings import SETTLES, Finding, Kind, Severity, some_of
from chalicelib.domain.plan import Allocation, Plan, action_document, plain
from chalicelib.domain.snapshot import EgressIpSpec, Unknown
from tests import factories as make

CIDR = IPv4Network("10.10.100.224/28")
BEFORE = EgressIpSpec(("10.0.0.1", "10.0.0.2"), make.NAMESPACES, None)
AFTER = EgressIpSpec(("10.0.0.2", "10.0.0.3"), '{"matchLabels":{"a":"b"}}', make.PODS)


def apply(before: EgressIpSpec | None, after: EgressIpSpec) -> ApplyEgressIp:
    return ApplyEgressIp("ns", before, after, {}, force=False, policies=("ns",), reason="r")


TAGS = TagReservation(
    "scr-1",
    "subnet-a",
    CIDR,
    {"egress-keeper/policy/old": "10.10.100.224", "egress-keeper/held/p": "10.10.100.226", "team": "x"},
    {"egress-keeper/policy/ns": "10.10.100.225", "egress-keeper/held/q": "10.10.100.227", "team": "x"},
    ("ns",),
    "r",
)


@pytest.mark.parametrize(
    ("action", "summary"),
    [
        (ReserveCidr("subnet-a", CIDR, {}, (), "r"), "reserve 10.10.100.224/28 in subnet-a"),
        (
            TAGS,
            (
                "record on reservation 10.10.100.224/28: q (held) = 10.10.100.227, ns = 10.10.100.225,"
                " no longer p (held), no longer old"
            ),
        ),
        (ReleaseReservation("scr-1", "subnet-a", CIDR, (), "r"), "release reservation 10.10.100.224/28 in subnet-a"),
        (LabelNode("node-a0", (), "r"), "label node node-a0 k8s.ovn.org/egress-assignable"),
        (apply(None, BEFORE), "create EgressIP ns: +10.0.0.1 +10.0.0.2"),
        (
            apply(BEFORE, AFTER),
            (
                f"apply EgressIP ns: +10.0.0.3 -10.0.0.1 namespaceSelector {make.NAMESPACES} →"
                f' {{"matchLabels":{{"a":"b"}}}} podSelector None → {make.PODS}'
            ),
        ),
        (apply(BEFORE, BEFORE), "apply EgressIP ns: labels"),
        (DeleteEgressIp("ns", "uid", BEFORE, (), "r"), "delete EgressIP ns: -10.0.0.1 -10.0.0.2"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_summaries(action: Action, summary: str) -> None:
    """Each change in one line that people read in plans and alerts."""
    assert action.summary == summary


def test_what_an_apply_adds_and_removes() -> None:
    """In the object's own order; a new object removes nothing."""
    assert (apply(BEFORE, AFTER).adds, apply(BEFORE, AFTER).removes) == (("10.0.0.3",), ("10.0.0.1",))
    assert apply(None, AFTER).removes == ()


def test_tags_are_written_only_where_they_differ() -> None:
    """People's tags are neither written nor removed."""
    assert TAGS.write == {"egress-keeper/held/q": "10.10.100.227", "egress-keeper/policy/ns": "10.10.100.225"}
    assert TAGS.remove == ("egress-keeper/held/p", "egress-keeper/policy/old")


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more")],
)
def test_some_of_many(names: list[str], text: str) -> None:
    """Two of them in full, the rest counted."""
    assert some_of(names, 2) == text


def finding(**changes: Any) -> Finding:
    return replace(Finding(Kind.ADDRESS_UNASSIGNED, "address 10.0.0.1 of ns", Severity.CRITICAL, "s"), **changes)


def test_fingerprints_are_of_cluster_kind_and_subject() -> None:
    """The same condition is the same finding however it is worded; anywhere else it is another."""
    assert finding().fingerprint("demo") == finding(summary="t", severity=Severity.INFO).fingerprint("demo")
    others = [finding(subject="x"), finding(kind=Kind.STATUS_LOST)]
    marks = {finding().fingerprint("demo"), finding().fingerprint("other"), *(o.fingerprint("demo") for o in others)}
    assert len(marks) == 4
    assert all(len(mark) == 16 for mark in marks)


def test_findings_settle_by_kind_unless_certain() -> None:
    """What healthy failovers pass through waits for a second look, unless the circumstances rule that out."""
    assert finding().settles
    assert not finding(certain=True).settles
    assert [kind for kind in Kind if finding(kind=kind).settles] == [kind for kind in Kind if kind in SETTLES]


def test_findings_are_told_by_cause() -> None:
    """The kind alone, where there is no other cause."""
    assert (finding().group, finding(cause="zone a").group) == ("address-unassigned", "zone a")


def test_the_digest_is_of_cluster_and_actions_alone() -> None:
    """What a person approves does not depend on time, findings or what is merely allocated."""
    one = Plan("demo", (LabelNode("node-a0", (), "r"),))
    same = replace(one, findings=(finding(),), moving=("x",), allocations=(_allocation(),))
    assert one.digest == same.digest
    assert len({one.digest, replace(one, cluster="x").digest, replace(one, actions=()).digest}) == 3


def _allocation() -> Allocation:
    return Allocation("ns", IPv4Address("10.0.0.1"), "subnet-a", "a", "fleet")


def test_values_as_json() -> None:
    """Every value of a plan has a JSON form, and sets are sorted."""
    document = plain(
        {
            "network": CIDR,
            "sets": frozenset({"b", "a"}),
            "time": make.NOW,
            "unknown": Unknown("nodes", "503", "cluster API"),
            "nested": [Allocation("ns", IPv4Address("10.0.0.1"), "subnet-a", "a", "fleet"), None, 1, Severity.INFO],
        }
    )
    assert json.loads(json.dumps(document)) == {
        "network": "10.10.100.224/28",
        "sets": ["a", "b"],
        "time": "2026-03-01T12:00:00+00:00",
        "unknown": {"what": "nodes", "why": "503", "source": "cluster API", "may_pass": False},
        "nested": [
            {
                "policy": "ns",
                "address": "10.0.0.1",
                "subnet_id": "subnet-a",
                "zone": "a",
                "source": "fleet",
                "held": "",
            },
            None,
            1,
            "info",
        ],
    }


def test_an_action_as_a_document() -> None:
    """With its class and its summary."""
    document = action_document(LabelNode("node-a0", (), "r"))
    assert document == {
        "action": "LabelNode",
        "summary": "label node node-a0 k8s.ovn.org/egress-assignable",
        "node": "node-a0",
        "policies": [],
        "reason": "r",
    }


def test_a_cpic_is_healthy_only_where_it_is_wanted() -> None:
    """Assigned, on the node that the cluster wants it on, and not on its way out; failed is not in transit."""
    good = make.cpic("10.0.0.1")
    assert (good.healthy, good.in_transit) == (True, False)
    for changes in (
        {"deleting": True},
        {"status_node": ""},
        {"status_node": "x"},
        {"assigned": "Unknown"},
        {"assigned": None},
    ):
        moving = replace(good, **changes)
        assert (moving.healthy, moving.in_transit) == (False, True), changes
    failed = replace(good, assigned="False")
    assert (failed.healthy, failed.in_transit) == (False, False)


def test_unknown_sections_are_listed_in_order() -> None:
    """The order of the fields, whatever failed first."""
    nodes, limits = Unknown("nodes", "a", "b"), Unknown("limits", "a", "b")
    assert make.snapshot(limits=limits, nodes=nodes).unknown() == (nodes, limits)
    assert make.snapshot().unknown() == ()
