"""Every kind of node side by side: the guide's jq line, and the report, from the same raw Node objects."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any

import jq
import pytest

from chalicelib.adapters.cluster_parse import parse_node
from chalicelib.domain.capacity import CapacityReport, NodeCapacity, report_capacity
from tests import factories as make

GUIDE = """
.items[] |
  {
    "name": .metadata.name,
    "ips": (.status.addresses | map(select(.type == "InternalIP") | .address)),
    "capacity": (.metadata.annotations."cloud.network.openshift.io/egress-ipconfig" | fromjson[] | .capacity.ipv4)
  }
"""
"""The line by which the ROSA egress IP guide reads capacity."""

STOPS = "stops here"
NOTHING = "says nothing"

GOOD = '[{"interface":"eni-a0","ifaddr":{"ipv4":"10.10.100.0/24"},"capacity":{"ipv4":14,"ipv6":15}}]'


@dataclass(frozen=True)
class Row:
    """One kind of node: what is odd about it, what the guide's line says of it, what we say."""

    id: str
    guide: Any
    capacity: int
    eligible: bool
    says: str = ""
    annotation: str | None = GOOD
    ready: str = "True"
    label: str | None = ""
    zone: str | None = "eu-central-1a"
    provider: str | None = "aws:///eu-central-1a/i-0a0"


ROWS = (
    Row("healthy", 14, 14, True),
    Row("annotation missing", STOPS, 0, False, "annotation is missing", annotation=None),
    Row("annotation empty", STOPS, 0, False, "annotation is empty", annotation=""),
    Row("annotation null", STOPS, 0, False, "annotation is null", annotation="null"),
    Row("annotation not JSON", STOPS, 0, False, "annotation is not JSON", annotation="{eni"),
    Row("an empty list", NOTHING, 0, False, "annotation is an empty list", annotation="[]"),
    Row("a later shape", STOPS, 0, False, "annotation is not a list", annotation='{"interfaces":[]}'),
    Row("a list of something else", STOPS, 0, False, "its first entry is not an object", annotation='["eni-a0"]'),
    Row(
        "capacity a text",
        "14",
        0,
        False,
        "capacity.ipv4 is not a whole number",
        annotation=GOOD.replace(":14,", ':"14",'),
    ),
    Row("capacity absent", None, 0, True, "has no capacity.ipv4", annotation=GOOD.replace('"ipv4":14,', "")),
    Row("capacity zero", 0, 0, True, "announces 0", annotation=GOOD.replace(":14,", ":0,")),
    Row("capacity negative", -2, 0, True, "announces -2", annotation=GOOD.replace(":14,", ":-2,")),
    Row(
        "IPv6 only",
        None,
        0,
        False,
        "no IPv4 subnet",
        annotation='[{"interface":"eni-a0","ifaddr":{"ipv6":"2600:1f14::/64"},"capacity":{"ipv6":15}}]',
    ),
    Row(
        "several interfaces",
        [14, 9],
        14,
        True,
        annotation=GOOD[:-1] + ',{"interface":"eni-b","ifaddr":{"ipv4":"10.10.150.0/24"},"capacity":{"ipv4":9}}]',
    ),
    Row("not ready", 14, 14, False, "not Ready", ready="False"),
    Row("unreachable", 14, 14, False, "not Ready", ready="Unknown"),
    Row("not labelled", 14, 14, False, "label k8s.ovn.org/egress-assignable is missing", label=None),
    Row("label value false", 14, 14, True, "only the key matters", label="false"),
    Row("zone by providerID alone", 14, 14, True, zone=None),
    Row("no zone anywhere", 14, 14, True, "zone is not known", zone=None, provider="aws:///i-0a0"),
    Row("no providerID", 14, 14, False, "no providerID", zone=None, provider=None),
    Row("unknown to EC2", 14, 14, False, "EC2 does not list its instance i-0ff", provider="aws:///eu-central-1a/i-0ff"),
    Row("stopping", 14, 14, False, "instance i-0bb is stopping", provider="aws:///eu-central-1a/i-0bb"),
)


def raw_node(row: Row) -> dict[str, Any]:
    labels = {"k8s.ovn.org/egress-assignable": row.label, "topology.kubernetes.io/zone": row.zone}
    annotations = {
        "cloud.network.openshift.io/egress-ipconfig": row.annotation,
        "k8s.ovn.org/host-cidrs": '["10.10.100.10/24"]',
        "k8s.ovn.org/node-primary-ifaddr": '{"ipv4":"10.10.100.10/24"}',
        "k8s.ovn.org/node-subnets": '{"default":["10.128.0.0/23"]}',
    }
    return {
        "metadata": {
            "name": row.id.replace(" ", "-").lower(),
            "creationTimestamp": "2026-02-27T12:00:00Z",
            "labels": {key: value for key, value in labels.items() if value is not None},
            "annotations": {key: value for key, value in annotations.items() if value is not None},
        },
        "spec": {} if row.provider is None else {"providerID": row.provider},
        "status": {
            "conditions": [{"type": "Ready", "status": row.ready}],
            "addresses": [{"type": "InternalIP", "address": "10.10.100.10"}, {"type": "Hostname", "address": "x"}],
        },
    }


def by_guide(rows: tuple[Row, ...]) -> tuple[list[dict[str, Any]], str]:
    """What the guide's line prints, and the error that ends it."""
    printed = []
    try:
        for item in jq.compile(GUIDE).input_value({"items": [raw_node(row) for row in rows]}):
            printed.append(item)  # noqa: PERF402 - what came before the error must be kept
    except ValueError as error:
        return printed, str(error)
    return printed, ""


def by_us(rows: tuple[Row, ...]) -> dict[str, NodeCapacity]:
    observed = make.snapshot(
        nodes=tuple(parse_node(raw_node(row)) for row in rows),
        instances=(make.instance(id="i-0a0"), make.instance(id="i-0bb", state="stopping")),
        interfaces=(make.interface(),),
    )
    report = report_capacity(observed)
    assert isinstance(report, CapacityReport)
    return {row.node: row for row in report.nodes}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_one_node(row: Row) -> None:
    """Whatever state a node is in, it gets a row that says what it carries and why not; the guide's line may not."""
    printed, error = by_guide((row,))
    match row.guide:
        case "stops here":
            assert error
        case "says nothing":
            assert (printed, error) == ([], "")
        case list():
            assert [item["capacity"] for item in printed] == row.guide
        case _:
            assert [item["capacity"] for item in printed] == [row.guide]
    (ours,) = by_us((row,)).values()
    assert (ours.capacity, ours.eligible) == (row.capacity, row.eligible)
    assert row.says in " ".join((*ours.reasons, *ours.notes))
    assert bool(ours.reasons) is not row.eligible


def test_all_nodes_together() -> None:
    """The guide's line stops at the first node without the annotation and hides the rest; the report has them all."""
    printed, error = by_guide(ROWS)
    assert [item["name"] for item in printed] == ["healthy"]
    assert error
    assert len(by_us(ROWS)) == len(ROWS)


def test_control_plane_nodes_hide_the_workers() -> None:
    """One node without the annotation, first in the list as control planes are, and the guide's line prints nothing."""
    rows = (replace(ROWS[1], id="control plane"), replace(ROWS[0], id="worker"))
    assert by_guide(rows)[0] == []
    assert by_us(rows)["worker"].capacity == 14


def test_the_annotation_used_is_the_one_of_the_subnet() -> None:
    """The first entry decides, as in OVN-Kubernetes: its subnet is the node's, whatever later entries say."""
    (ours,) = by_us((next(row for row in ROWS if row.id == "several interfaces"),)).values()
    assert ours.subnet == IPv4Network("10.10.100.0/24")
    assert json.loads(GOOD)[0]["ifaddr"]["ipv4"] == "10.10.100.0/24"
