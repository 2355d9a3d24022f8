"""Visit: one observe → plan → rehearse → guard → act → tell pass over one cluster.

The same pass serves the queue, the schedule, the API and the command line. It may be killed at any point and run
again: what is done is not done twice, what is not is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.approving import Approval
from chalicelib.domain.capacity import CapacityReport, report_capacity
from chalicelib.domain.findings import SEEN_IN_OCM, Finding, Kind
from chalicelib.domain.guard import UnsafePlan, refusal_finding, refuse_if_unsafe
from chalicelib.domain.plan import Plan
from chalicelib.domain.pools import OcmView
from chalicelib.domain.quiet import Quiet, Silence, quiet_of
from chalicelib.domain.records import FindingRecord
from chalicelib.domain.rehearsed_planning import plan_rehearsed
from chalicelib.domain.remembered import NOTHING_REMEMBERED, Remembered, remembered
from chalicelib.domain.snapshot import Known, Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec, Mode
from chalicelib.domain.telling.messages import RUNBOOKS, Place
from chalicelib.domain.terrain import all_known
from chalicelib.usecases.act import Report, execute
from chalicelib.usecases.approving import NOT_APPROVED, Standing, begin, finish, weigh
from chalicelib.usecases.credential import keep_token
from chalicelib.usecases.observe import observe
from chalicelib.usecases.pools import PoolWriter
from chalicelib.usecases.ports import Alerts, ClusterApi, ClusterToken, Ec2, Memory, Ocm
from chalicelib.usecases.tell import Bulletin, Timing, foretell, tell

MOST_REVISITS = 8
"""With pauses that double, eight visits span the 25 minutes that the platform gives a new node."""

LONGEST_PAUSE = timedelta(minutes=15)
"""SQS delays a message by 15 minutes at most."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen and decided without changing anything: the answer to `plan`, `capacity` and `drift`."""

    desired: ClusterSpec
    observed: Snapshot
    capacity: Known[CapacityReport]
    planned: Plan
    refusal: UnsafePlan | None
    silences: tuple[Silence, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the guard's refusal included."""
        if self.refusal is None:
            return self.planned.findings
        return (refusal_finding(self.planned, self.refusal), *self.planned.findings)

    def quiet(self, findings: Iterable[Finding]) -> dict[str, Quiet]:
        """Why findings of this cluster are not told now, by fingerprint."""
        desired, now = self.desired, self.observed.taken_at
        return quiet_of(desired.name, findings, self.silences, desired.maintenance, now)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One visit's result.

    Attributes:
        report: What was applied; None where nothing was tried (observe mode, or refused).
        credential: The finding that the cluster's token ends, where it could not be renewed.
        revisit_in: When to look again; None where the cluster is at rest, or has been looked at often enough.
        approval: The approval that the next look needs too, because this visit could not carry out all of it.
    """

    run_id: str
    look: Look
    report: Report | None
    bulletin: Bulletin | None
    revisit_in: timedelta | None
    started_at: datetime
    ended_at: datetime
    credential: tuple[Finding, ...] = ()
    approval: Approval | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, failed actions included."""
        return (*self.credential, *self.look.findings, *(self.report.findings if self.report else ()))

    @property
    def status(self) -> str:
        """`done`, `refused` by the guard, or `failed`: something could not be read or applied."""
        if self.look.refusal is not None:
            return "refused"
        failed = self.look.observed.unknown() or (self.report is not None and self.report.failed)
        return "failed" if failed else "done"


@dataclass(frozen=True, slots=True)
class Outside:
    """The adapters a visit needs. Memory and alerts may be absent on the command line: then nobody is told.

    OCM is absent where the fleet file gives no credentials for it.
    """

    cluster: ClusterApi
    ec2: Ec2
    clock: Callable[[], datetime]
    memory: Memory | None = None
    alerts: Alerts | None = None
    ocm: Ocm | None = None
    token: ClusterToken | None = None

    def pools(self, observed: Snapshot) -> PoolWriter | None:
        """What writes machine pools of the cluster that was observed; None where OCM is not known."""
        if self.ocm is None or not isinstance(observed.ocm, OcmView):
            return None
        return PoolWriter(self.ocm, observed.ocm.cluster)


@dataclass(frozen=True, slots=True)
class Pace:
    """The pauses of a visit's surroundings."""

    timing: Timing
    revisit: timedelta


def look(
    desired: ClusterSpec,
    outside: Outside,
    *,
    memory: Remembered = NOTHING_REMEMBERED,
    silences: tuple[Silence, ...] = (),
    standing: Standing = NOT_APPROVED,
) -> Look:
    """Observe, plan, rehearse and judge; change nothing."""
    observed = observe(desired, outside.cluster, outside.ec2, outside.clock(), outside.ocm)
    planned = plan_rehearsed(observed, desired, memory)
    refusal = None
    try:
        refuse_if_unsafe(
            planned, observed, desired, approved=standing.digest, begun=standing.begun, lapsed=standing.lapsed
        )
    except UnsafePlan as error:
        refusal = error
    return Look(desired, observed, report_capacity(observed), planned, refusal, silences)


def visit(
    desired: ClusterSpec,
    outside: Outside,
    pace: Pace,
    *,
    run_id: str,
    attempt: int = 0,
    approval: Approval | None = None,
    settled: bool = False,
    runbooks: str = RUNBOOKS,
) -> Outcome:
    """One complete visit.

    Args:
        attempt: How many revisits led here; the pause to the next one doubles with it.
        approval: A person's, for a plan that the guard refuses.
        settled: A person says that what is wrong has been so for a while: remedies need not wait.
        runbooks: Where messages say that the runbooks are.

    Raises:
        AdapterError: People could not be told. What was to be changed has been changed.
    """
    started_at = outside.clock()
    enforce = desired.mode is Mode.ENFORCE
    credential = keep_token(outside.token, started_at, may_write=enforce) if outside.token is not None else ()
    known = recall(desired.name, outside.memory)
    memory = replace(remembered(known.records, pace.timing.settle), vouched=settled)
    standing = weigh(desired.name, approval, outside.memory, started_at)
    seen = look(desired, outside, memory=memory, silences=known.silences, standing=standing)
    report, records = None, known.records
    if enforce and seen.refusal is None:
        if outside.memory is not None and outside.alerts is not None and known.error is None:
            records = foretell(
                desired.name,
                seen.findings,
                records,
                now=outside.clock(),
                memory=outside.memory,
                timing=pace.timing,
                quiet=seen.quiet(seen.findings),
            )
        report = _carry_out(seen, standing, outside)
    findings = (*credential, *seen.findings, *(report.findings if report else ()))
    bulletin = None
    if known.error is not None and outside.alerts is not None:
        raise known.error  # who was told what is not known: a message now could be a repetition, or missing
    if outside.memory is not None and outside.alerts is not None:
        bulletin = tell(
            Place(desired.name, desired.region, runbooks, enforces=enforce),
            findings,
            _within_sight(records, seen.observed, {found.fingerprint(desired.name) for found in findings}),
            complete=seen.observed.addresses_known,
            done=frozenset(action.summary for action in report.applied) if report else frozenset(),
            run_id=run_id,
            now=outside.clock(),
            memory=outside.memory,
            alerts=outside.alerts,
            timing=pace.timing,
            quiet=seen.quiet(findings),
            notes=seen.planned.notes,
        )
    unfinished = _unfinished(standing, seen, report)
    pause = _pause(seen, report, bulletin, pace, attempt, unfinished=unfinished is not None)
    return Outcome(run_id, seen, report, bulletin, pause, started_at, outside.clock(), credential, unfinished)


def _carry_out(seen: Look, standing: Standing, outside: Outside) -> Report:
    """Do what is planned. Of an approved plan it is noted before what it was, and after that nothing is left of it."""
    standing = begin(standing, seen.planned, outside.memory)
    report = execute(seen.planned, outside.cluster, outside.ec2, outside.pools(seen.observed))
    if not report.failed and all_known(seen.observed) is not None:
        finish(standing, outside.memory)
    return report


def _unfinished(standing: Standing, seen: Look, report: Report | None) -> Approval | None:
    """The approval, where the next visit has a use for it: something could not be read, or not all be done."""
    blind = all_known(seen.observed) is None or (seen.refusal is not None and standing.unread)
    return standing.approval if blind or (report is not None and report.failed) else None


def _within_sight(
    stored: tuple[FindingRecord, ...], observed: Snapshot, seen: Collection[str]
) -> tuple[FindingRecord, ...]:
    """The records that this visit can say something about: those that it has seen, and those it could find gone.

    Without OCM those of machine pools stay as they are, without labels of namespaces and pods those of overlaps.
    """
    hidden: frozenset[str] = SEEN_IN_OCM if isinstance(observed.ocm, Unknown) else frozenset()
    if not observed.overlaps_known:
        hidden |= {Kind.SELECTOR_OVERLAP}
    return tuple(r for r in stored if r.fingerprint in seen or r.document.get("kind") not in hidden)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What earlier visits and people stored, or why it could not be read."""

    records: tuple[FindingRecord, ...] = ()
    silences: tuple[Silence, ...] = ()
    error: AdapterError | None = None


def recall(cluster: str, memory: Memory | None) -> Recalled:
    """What was stored. Without it a visit repairs what needs no memory, and fails when it is to tell."""
    if memory is None:
        return Recalled()
    try:
        return Recalled(memory.fetch_findings(cluster), memory.fetch_silences(cluster))
    except AdapterError as error:
        return Recalled(error=error)


def _pause(
    seen: Look, report: Report | None, bulletin: Bulletin | None, pace: Pace, attempt: int, *, unfinished: bool
) -> timedelta | None:
    """When to come back: while things move, after changes (to see that they took), and to let findings settle."""
    if attempt >= MOST_REVISITS:
        return None
    moving = unfinished or bool(seen.planned.moving) or bool(report and (report.applied or report.failed))
    if seen.planned.awaits:
        return pace.revisit  # what joins is there in minutes, and each doubled pause is time without the address
    if moving:
        return min(pace.revisit * (1 << attempt), LONGEST_PAUSE)
    if bulletin is not None and bulletin.unsettled:
        return min(max(pace.timing.settle, pace.revisit * (1 << attempt)), LONGEST_PAUSE)
    return None
