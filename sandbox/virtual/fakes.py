"""In-memory stand-ins for what is the same with every kind of cluster: the table, the topic, and trouble on demand.

The tests' other adapters build on `Failing` too, so that a fault is asked for in the same words everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chalicelib.adapters.errors import AdapterError, Unreachable
from chalicelib.domain.quiet import Silence
from chalicelib.domain.records import ApprovedPlan, FindingRecord, RunRecord
from chalicelib.domain.telling.messages import Alert

EVERYTHING = "*"
"""Stands for every operation of an adapter."""


class Failing:
    """Operations that fail, by method name, until healed. `writes` keeps what was written: operation and arguments."""

    def __init__(self) -> None:
        self.errors: dict[str, AdapterError] = {}
        self.late_errors: dict[str, AdapterError] = {}
        self.writes: list[tuple[Any, ...]] = []

    def fail(self, operation: str, error: AdapterError | None = None) -> None:
        """From now on that operation fails without any effect; `EVERYTHING` for all."""
        self.errors[operation] = error or Unreachable("test", operation, "503 Service Unavailable")

    def fail_late(self, operation: str, error: AdapterError | None = None) -> None:
        """From now on that operation takes effect, and its answer is lost."""
        self.late_errors[operation] = error or Unreachable("test", operation, "no answer in time")

    def heal(self) -> None:
        """Nothing fails any more."""
        self.errors.clear()
        self.late_errors.clear()

    def _check(self, operation: str) -> None:
        for name in (operation, EVERYTHING):
            if name in self.errors:
                raise self.errors[name]

    def _check_late(self, operation: str) -> None:
        if operation in self.late_errors:
            raise self.late_errors[operation]

    def _wrote(self, operation: str, *arguments: Any) -> None:
        self._check(operation)
        self.writes.append((operation, *arguments))


@dataclass
class FakeAlerts:
    """The topic."""

    sent: list[Alert] = field(default_factory=list)
    broken: AdapterError | None = None

    def publish(self, alert: Alert) -> None:
        """Keep the message, or raise while the topic is broken."""
        if self.broken is not None:
            raise self.broken
        self.sent.append(alert)


class FakeMemory(Failing):
    """The table, conditional writes included."""

    def __init__(self) -> None:
        super().__init__()
        self.findings: dict[str, FindingRecord] = {}
        self.silences: dict[str, Silence] = {}
        self.good_visits: dict[str, datetime] = {}
        self.runs: dict[str, RunRecord] = {}
        self.approved: dict[tuple[str, str], ApprovedPlan] = {}

    def fetch_findings(self, cluster: str) -> tuple[FindingRecord, ...]:
        """All records of the cluster."""
        self._check("fetch_findings")
        return tuple(self.findings[key] for key in sorted(self.findings) if self.findings[key].cluster == cluster)

    def store_finding(self, record: FindingRecord) -> bool:
        """Write if the version is the stored one."""
        self._check("store_finding")
        there = self.findings.get(record.fingerprint)
        if there is not None and there.version != record.version:
            return False
        self.findings[record.fingerprint] = replace(record, version=record.version + 1)
        return True

    def drop_finding(self, record: FindingRecord) -> bool:
        """Forget a finding, under the same condition."""
        self._check("drop_finding")
        there = self.findings.get(record.fingerprint)
        if there is not None and there.version != record.version:
            return False
        self.findings.pop(record.fingerprint, None)
        return True

    def fetch_silences(self, cluster: str) -> tuple[Silence, ...]:
        """All silences of the cluster."""
        self._check("fetch_silences")
        return tuple(self.silences[key] for key in sorted(self.silences) if self.silences[key].cluster == cluster)

    def store_silence(self, silence: Silence) -> None:
        """Write or replace a silence."""
        self._check("store_silence")
        self.silences[silence.fingerprint] = silence

    def fetch_good_visits(self) -> dict[str, datetime]:
        """When each cluster's last good visit ended."""
        self._check("fetch_good_visits")
        return dict(self.good_visits)

    def store_good_visit(self, cluster: str, at: datetime) -> None:
        """Remember a good visit."""
        self._check("store_good_visit")
        self.good_visits[cluster] = at

    def store_run(self, record: RunRecord) -> None:
        """Write or replace a run."""
        self._check("store_run")
        self.runs[record.run_id] = record

    def fetch_run(self, run_id: str) -> RunRecord | None:
        """One run."""
        return self.runs.get(run_id)

    def fetch_runs(self, cluster: str, limit: int) -> tuple[RunRecord, ...]:
        """The latest runs, newest first."""
        found = [record for record in self.runs.values() if record.cluster == cluster]
        return tuple(sorted(found, key=lambda record: record.started_at, reverse=True)[:limit])

    def fetch_approved(self, cluster: str, digest: str) -> ApprovedPlan | None:
        """The note of one plan."""
        self._check("fetch_approved")
        return self.approved.get((cluster, digest))

    def store_approved(self, plan: ApprovedPlan) -> None:
        """Write or replace a note."""
        self._check("store_approved")
        self.approved[plan.cluster, plan.digest] = plan
