"""Pools as the fleet file wishes them and as OCM shows them, and what a plan says of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from chalicelib.domain.actions import CreatePool, LabelPool, PoolAction
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.plan import Plan
from chalicelib.domain.pools import OcmView, Scaling
from chalicelib.domain.remembered import Memo, Remembered
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, MARK_LABEL, Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec, PoolCreation, PoolSpec
from tests import factories as make

MARKED = {ASSIGNABLE_LABEL: "", MARK_LABEL: "egress-keeper"}
UNLABELLED = make.pool("a", labels={"team": "net", "tier": "front"})
ONE = Scaling(1, 1, auto=False)


def fleet(*pools: PoolSpec) -> ClusterSpec:
    return make.cluster(infra_id=make.ocm_cluster().id, machine_pools=pools)


def wish(**changes: Any) -> PoolSpec:
    creation = PoolCreation("m5.xlarge", ONE, zones=("eu-central-1a",))
    return PoolSpec("egress", replace(creation, **changes))


def seen(view: OcmView | Unknown | None, **changes: Any) -> Snapshot:
    return make.snapshot(**{"ocm": view, **changes})


def in_ocm(planned: Plan) -> tuple[PoolAction, ...]:
    return tuple(action for action in planned.actions if isinstance(action, CreatePool | LabelPool))


def remembering(kind: Kind, subject: str, **memo: Any) -> Remembered:
    fingerprint = Finding(kind, subject, Severity.INFO, "").fingerprint("demo")
    times = {"first_seen": make.NOW - timedelta(hours=3), "last_seen": make.NOW, **memo}
    return Remembered({fingerprint: Memo(**times)})
