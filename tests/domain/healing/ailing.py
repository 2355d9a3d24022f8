"""A policy of which one address ails in this way or that, on snapshots: what the tests of healing begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from ipaddress import IPv4Address
from typing import Any

from chalicelib.domain.actions import LABEL_CYCLE_PREFIX, ApplyEgressIp
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.plan import Plan
from chalicelib.domain.remembered import Memo, Remembered
from chalicelib.domain.snapshot import EgressIpConfig, Node, Snapshot
from chalicelib.domain.tried import Tried
from tests import factories as make
from tests.domain.world import converge
from tests.factories import known

A, B = "10.10.100.253", "10.10.150.253"
DESIRED = make.cluster(make.policy("ns", A, B))
SUBJECT = f"address {A} of ns"
CYCLE_A = f"{LABEL_CYCLE_PREFIX}{A}"
LONG_AGO = make.NOW - timedelta(hours=1)


def with_capacity(node: Node, number: int) -> Node:
    assert isinstance(node.egress_config, EgressIpConfig)
    return replace(node, egress_config=replace(node.egress_config, capacity_ipv4=number))


@cache
def served() -> Snapshot:
    """Both addresses of the policy serve; two nodes in each zone."""
    return converge(make.snapshot(nodes_per_zone=2), DESIRED)


def broken(
    *,
    cpic: Mapping[str, Any] | None = None,
    claimed: str = "node-a0",
    on: str = "eni-a0",
    labels: Mapping[str, str] | None = None,
    listed: bool = True,
    **changes: Any,
) -> Snapshot:
    """The same with A's CPIC (None: there is none), its status and its interface changed like this; B serves."""
    observed = served()
    (there,) = known(observed.egress_ips)
    items = tuple(pair for pair in there.items if pair[0] != A) + (((A, claimed),) if claimed else ())
    marks = dict(labels or {})
    owned = there.owned_fields | {f".metadata.labels.{key}" for key in marks}
    spec = there.spec if listed else replace(there.spec, addresses=(B,))
    stranger = make.interface("a", 9, id="eni-x", instance_id=None, addresses=(), holder="load balancer app/x")
    interfaces = tuple(
        replace(i, addresses=(*(a for a in i.addresses if str(a) != A), *((IPv4Address(A),) if i.id == on else ())))
        for i in (*known(observed.interfaces), stranger)
    )
    others = tuple(c for c in known(observed.cpics) if c.address != A)
    return replace(
        observed,
        egress_ips=(replace(there, spec=spec, items=items, labels={**there.labels, **marks}, owned_fields=owned,
                            version="7"),),
        cpics=others if cpic is None else (*others, make.cpic(A, **{"changed_at": LONG_AGO, **cpic})),
        interfaces=interfaces,
        **changes,
    )  # fmt: skip


FAILED = {"assigned": "False", "message": "Error processing cloud assignment request, err: InternalError"}
UNASSIGNED: dict[str, Any] = {"cpic": None, "claimed": "", "on": ""}
LOST: dict[str, Any] = {"cpic": {}, "claimed": ""}
REFUSED: dict[str, Any] = {"cpic": FAILED, "claimed": "", "on": ""}


def seen_since(kind: Kind, since: datetime, subject: str = SUBJECT) -> Remembered:
    finding = Finding(kind, subject, Severity.CRITICAL, "")
    return Remembered({finding.fingerprint("demo"): Memo(since, make.NOW)})


def long_seen(*kinds: Kind) -> Remembered:
    """All findings have settled long ago."""
    return Remembered({k: m for kind in kinds or Kind for k, m in seen_since(kind, LONG_AGO).memos.items()})


def apply(planned: Plan) -> ApplyEgressIp:
    (action,) = planned.actions
    assert isinstance(action, ApplyEgressIp)
    return action


def told(planned: Plan) -> Finding:
    (found,) = (f for f in planned.findings if f.subject == SUBJECT)
    return found


def tried(kind: Kind, tries: int, ago: timedelta = timedelta()) -> str:
    return Tried(kind, tries, make.NOW - ago).value
