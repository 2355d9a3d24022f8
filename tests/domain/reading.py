"""What the tests of placing read out of a plan, and the few worlds they share."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from chalicelib.domain.actions import ApplyEgressIp
from chalicelib.domain.findings import Finding, Kind
from chalicelib.domain.plan import Plan
from chalicelib.domain.snapshot import EgressIp, EgressIpConfig, Snapshot
from tests import factories as make

A, B, C = "10.10.100.253", "10.10.150.253", "10.10.200.253"


def finding(planned: Plan, kind: Kind, subject: str = "") -> Finding:
    found = [f for f in planned.findings if f.kind is kind and f.subject.startswith(subject)]
    assert len(found) == 1, [f"{f.kind}: {f.summary}" for f in planned.findings]
    return found[0]


def found(planned: Plan, kind: Kind) -> tuple[Finding, ...]:
    return tuple(finding for finding in planned.findings if finding.kind is kind)


def applied(planned: Plan) -> dict[str, tuple[str, ...]]:
    return {a.name: a.after.addresses for a in planned.actions if isinstance(a, ApplyEgressIp)}


def held(planned: Plan) -> dict[str, str]:
    return {str(a.address): a.held for a in planned.allocations if a.held}


def given(planned: Plan, policy: str = "ns") -> set[str]:
    return {str(a.address) for a in planned.allocations if a.policy == policy}


def with_nodes(*pairs: tuple[str, int], capacity: int = 14, **changes: Any) -> Snapshot:
    """A cluster of just these nodes, each with this capacity."""
    nodes = [
        make.node(z, n, egress_config=EgressIpConfig(f"eni-{z}{n}", IPv4Network(make.ZONES[z]), capacity))
        for z, n in pairs
    ]
    return make.snapshot(
        **{
            "nodes": tuple(nodes),
            "instances": tuple(make.instance(*pair) for pair in pairs),
            "interfaces": tuple(make.interface(*pair) for pair in pairs),
            **changes,
        }
    )


def foreign(name: str, *addresses: str) -> EgressIp:
    return make.egress_ip(name, *addresses, labels={}, owned_fields=frozenset(), other_managers={".spec": "kubectl"})
