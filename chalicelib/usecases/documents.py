"""Answers as JSON-ready documents: what the command line prints with `--json` and the REST API returns.

Each document names its schema and version; `docs/schemas/` describes them and the tests hold both together. Text for
people (`chalicelib.text`) is rendered from the same documents, so that the two can't say different things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.domain.findings import Finding, some_of
from chalicelib.domain.plan import Plan, action_document, plain
from chalicelib.domain.quiet import Silence
from chalicelib.domain.records import RunRecord
from chalicelib.domain.rehearsing.what_if import Answer
from chalicelib.domain.snapshot import Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.verdicts import Verdict
from chalicelib.usecases.act import Report
from chalicelib.usecases.releasing import Released
from chalicelib.usecases.visit import Look, Outcome
from chalicelib.usecases.waiting import Waited

Document = dict[str, Any]


def envelope(kind: str, clusters: Sequence[Mapping[str, Any]]) -> Document:
    """Wrap the clusters' parts: `{"schema": "egress-keeper/<kind>/1", "clusters": [...]}`."""
    return {"schema": f"egress-keeper/{kind}/1", "clusters": list(clusters)}


def capacity_document(look: Look) -> Document:
    """What nodes, subnets and zones can carry; the lists are null where nodes could not be read."""
    report = look.capacity
    rows: Document = {"nodes": None, "subnets": None, "zones": None, "total": None}
    if not isinstance(report, Unknown):
        rows = {
            "nodes": [{**plain(row), "headroom": row.headroom} for row in report.nodes],
            "subnets": plain(report.subnets),
            "zones": plain(report.zones),
            "total": plain(report.cluster),
        }
    return {**_header(look), **rows, "unknown": _unknown(look.observed)}


def plan_document(look: Look) -> Document:
    """What a visit would do, what is wrong, what is left alone and why."""
    return {**_header(look), **_plan(look), **_verdict_of_guard(look), "unknown": _unknown(look.observed)}


def drift_document(look: Look) -> Document:
    """One verdict per address across the three sides, and every finding."""
    return {
        **_header(look),
        "addresses": _addresses(look.planned.verdicts),
        "findings": _findings(look, look.findings),
        "moving": list(look.planned.moving),
        "unknown": _unknown(look.observed),
    }


def visit_document(outcome: Outcome) -> Document:
    """One visit: the plan, what became of it, who was told, when it comes back."""
    return {
        **plan_document(outcome.look),
        "addresses": drift_document(outcome.look)["addresses"],
        "findings": _findings(outcome.look, outcome.findings),
        "run_id": outcome.run_id,
        "status": outcome.status,
        "started_at": outcome.started_at.isoformat(),
        "ended_at": outcome.ended_at.isoformat(),
        **_report(outcome.report),
        "told": list(outcome.bulletin.sent) if outcome.bulletin else None,
        "revisit_in_seconds": outcome.revisit_in.total_seconds() if outcome.revisit_in else None,
    }


def wait_document(desired: ClusterSpec, waited: Waited) -> Document:
    """How far machine pools are, and what each of their nodes lacks."""
    return {
        **_header_of(desired, waited.observed),
        "complete": waited.complete,
        "pools": [{**plain(pool), "complete": pool.complete, "reasons": list(pool.reasons)} for pool in waited.pools],
        "unknown": _unknown(waited.observed),
    }


def release_document(desired: ClusterSpec, released: Released) -> Document:
    """What was to be given back, what was, and what is still waited for."""
    done = released.applied is not None
    failed = [{"action": failure.action.summary, "why": failure.why} for failure in released.failed or ()]
    return {
        **_header_of(desired, released.observed),
        **actions_document(released.plan),
        "withheld": plain(released.plan.withheld),
        "complete": released.complete,
        "applied": [action.summary for action in released.applied or ()] if done else None,
        "failed": failed if done else None,
        "waiting": list(released.waiting),
        "stopped": released.stopped or None,
        "unknown": _unknown(released.observed),
    }


def actions_document(planned: Plan) -> Document:
    """The changes of a plan, and the digest that approves them."""
    return {"digest": planned.digest, "actions": [action_document(action) for action in planned.actions]}


def what_if_document(look: Look, answer: Answer) -> Document:
    """Before and after of what might happen."""
    return {
        **_header(look),
        "happens": list(answer.sentences),
        "versions": answer.versions,
        "runs": answer.runs,
        "addresses": [{**plain(fate), "lost": fate in answer.lost} for fate in answer.fates],
        "zones": plain(answer.zones),
        "unknown": _unknown(look.observed),
    }


def run_document(record: RunRecord) -> Document:
    """A remembered run: its summary, and the visit's document once it has ended."""
    return {
        "schema": "egress-keeper/run/1",
        "run_id": record.run_id,
        "cluster": record.cluster,
        "status": record.status,
        "started_at": record.started_at.isoformat(),
        "visit": dict(record.document) or None,
    }


def runs_document(cluster: str, records: Sequence[RunRecord]) -> Document:
    """The latest runs, without their visits' documents."""
    runs = [{key: value for key, value in run_document(r).items() if key not in ("schema", "visit")} for r in records]
    return {"schema": "egress-keeper/runs/1", "cluster": cluster, "runs": runs}


def _addresses(verdicts: Sequence[Verdict]) -> list[Document]:
    """One row an address, with who serves it, or what its policy's pods leave by instead."""
    serving: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.serving_node:
            serving.setdefault(verdict.policy, []).append(f"{verdict.address} on {verdict.serving_node}")
    rows = []
    for verdict in verdicts:
        others = serving.get(verdict.policy, [])
        traffic = f"{verdict.address} on {verdict.serving_node}" if verdict.serving_node else some_of(others)
        traffic = traffic or "the nodes' own addresses"
        rows.append({**plain(verdict), "serving_node": verdict.serving_node, "traffic": traffic})
    return rows


def silences_document(silences: Sequence[Silence]) -> Document:
    """What is silenced, by whom and why; one that was ended says by whom."""
    return {"schema": "egress-keeper/silences/1", "silences": [plain(silence) for silence in silences]}


def _header(look: Look) -> Document:
    return _header_of(look.desired, look.observed)


def _header_of(desired: ClusterSpec, observed: Snapshot) -> Document:
    return {"cluster": desired.name, "mode": desired.mode.value, "taken_at": observed.taken_at.isoformat()}


def _plan(look: Look) -> Document:
    planned = look.planned
    return {
        **actions_document(planned),
        "findings": _findings(look, planned.findings),
        "withheld": plain(planned.withheld),
        "allocations": plain(planned.allocations),
        "moving": list(planned.moving),
        "rehearsal": plain(planned.rehearsal),
    }


def _verdict_of_guard(look: Look) -> Document:
    if look.refusal is None:
        return {"refused": None}
    return {"refused": {"reasons": list(look.refusal.reasons), "digest": look.refusal.digest}}


def _report(report: Report | None) -> Document:
    if report is None:
        return {"applied": None, "failed": None}
    return {
        "applied": [action.summary for action in report.applied],
        "failed": [{"action": failure.action.summary, "why": failure.why} for failure in report.failed],
    }


def _findings(look: Look, findings: Sequence[Finding]) -> list[Document]:
    quiet = {
        fingerprint: {"reason": why.reason, "until": why.until.isoformat(), "who": why.who, "why": why.why}
        for fingerprint, why in look.quiet(findings).items()
    }
    prints = [finding.fingerprint(look.desired.name) for finding in findings]
    return [
        {"fingerprint": one, **plain(finding), "quiet": quiet.get(one)}
        for one, finding in zip(prints, findings, strict=True)
    ]


def _unknown(observed: Snapshot) -> list[Document]:
    return [plain(section) for section in observed.unknown()]
