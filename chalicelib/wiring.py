"""Settings and adapters into use cases: what the handlers and the command line call.

Use cases are imported where they are called, adapters are made on first use (`connecting`): a function that only sends
to a queue never loads the cluster client. A warm container reads the fleet file once a minute instead of once a call.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib import telemetry
from chalicelib.connecting import Adapters
from chalicelib.domain.spec import ClusterSpec, Fleet
from chalicelib.problems import BadInput, NoSuchThing
from chalicelib.settings import Settings, read_settings

FLEET_KEPT = timedelta(minutes=1)
DIGEST = re.compile(r"[0-9a-f]{12}")


def utc_now() -> datetime:
    """The time of day, aware."""
    return datetime.now(UTC)


class Runtime:
    """The use cases with their adapters. One method a handler; documents in, documents out."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str] = os.environ,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = settings
        self.adapters = Adapters(settings, environment)
        self.clock = clock
        self._fleet: tuple[datetime, Fleet] | None = None

    @property
    def fleet(self) -> Fleet:
        """The fleet file's content, at most a minute old."""
        now = self.clock()
        if self._fleet is None or now - self._fleet[0] > FLEET_KEPT:
            self._fleet = (now, self._load_fleet(None if self._fleet is None else self._fleet[1]))
        return self._fleet[1]

    def _load_fleet(self, last_good: Fleet | None) -> Fleet:
        """Read the file anew. A broken edit must not blind a fleet that is being watched: the last good one stays."""
        from chalicelib.adapters.files import S3Files
        from chalicelib.fleet import FleetError, load_fleet

        try:
            return load_fleet(self.settings.fleet, S3Files(self.adapters.aws).fetch_text)
        except FleetError as error:
            if last_good is None:
                raise
            telemetry.drop("fleet file not usable, the last good one stays in force", str(error))
            return last_good

    def cluster(self, name: str) -> ClusterSpec:
        """One cluster of the fleet.

        Raises:
            NoSuchThing: No cluster of that name; the message lists those there are.
        """
        found = self.fleet.clusters.get(name)
        if found is None:
            raise NoSuchThing(
                f"cluster: {name[:80]!r} is not in the fleet file; it has {', '.join(self.fleet.clusters)}"
            )
        return found

    # Functions

    def accept(self, event: Mapping[str, Any]) -> None:
        """Keep a raw event for `route`."""
        import json

        self.adapters.queues.send_events([json.dumps(event)])

    def route(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Route a batch of the events queue; the answer gives back the messages that must come again."""
        from chalicelib.events import sqs_records
        from chalicelib.usecases.route import route

        records = sqs_records(event)
        routing = route(
            records,
            self.fleet,
            ec2_of=self.adapters.ec2,
            queues=self.adapters.queues,
            now=self.clock(),
            window_seconds=self.settings.window_seconds,
        )
        for why in routing.malformed:
            telemetry.drop("event dropped", why)
        for outcome, number in sorted(routing.outcomes.items()):
            telemetry.emit({"Events": number}, outcome=outcome)
        telemetry.say("events routed", outcomes=routing.outcomes, runs=routing.runs, correlation=routing.correlation)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in routing.failed]}

    def reconcile(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Visit the cluster of each work message (one a batch)."""
        from chalicelib.events import Malformed, parse_work, sqs_records

        for record in sqs_records(event):
            order = parse_work(record.body)
            if isinstance(order, Malformed):
                telemetry.drop("work message dropped", order.why)
            elif order.cluster not in self.fleet.clusters:
                telemetry.drop("work message dropped", f"cluster {order.cluster} is not in the fleet file any more")
            else:
                self._work(order)
        return {"batchItemFailures": []}

    def _work(self, order: Any) -> None:
        from chalicelib.adapters.errors import AdapterError
        from chalicelib.usecases.work import work

        telemetry.say(
            "visit starts",
            cluster=order.cluster,
            run_id=order.run_id,
            reasons=order.reasons,
            correlation=order.correlation_id,
        )
        try:
            worked = work(order, self.cluster(order.cluster), self.adapters, self.clock)
        except AdapterError as error:
            if error.source != "SQS":  # with the topic or the table out of reach people were not told
                telemetry.record_unsent(self.settings.stack, order.cluster, str(error))
            raise
        telemetry.record_visit(worked.outcome, worked.calls)
        if worked.credential_days is not None:
            telemetry.record_credential(self.settings.stack, order.cluster, worked.credential_days)
        if not worked.remembered:
            telemetry.say("run not remembered", run_id=order.run_id)

    def visit_all(self, reason: str) -> None:
        """Order a visit to every cluster, and say since when none came to its good end.

        One that can't be ordered does not keep the others from theirs.
        """
        from chalicelib.adapters.errors import AdapterError
        from chalicelib.usecases.watching import minutes_since_good_visit

        failure: AdapterError | None = None
        for name in self.fleet.clusters:
            try:
                self._order(name, reason, None)
            except AdapterError as error:
                failure = failure or error
        try:
            minutes = minutes_since_good_visit(self.fleet.clusters, self.adapters.memory, self.clock())
            telemetry.record_watch(self.settings.stack, minutes)
        except AdapterError as error:
            failure = failure or error
        if failure is not None:
            raise failure

    def _order(self, cluster: str, reason: str, approve: str | None) -> str:
        from chalicelib.usecases.route import order_visit

        now = self.clock()
        return order_visit(
            cluster,
            self.adapters.queues,
            now,
            self.settings.window_seconds,
            reasons=(reason,),
            correlation_id=reason,
            approve=approve,
            approved_at=now if approve else None,
        )

    # REST

    def clusters(self) -> dict[str, Any]:
        """Names, regions and modes."""
        listed = [{"cluster": c.name, "region": c.region, "mode": c.mode.value} for c in self.fleet.clusters.values()]
        return {"schema": "egress-keeper/clusters/1", "clusters": listed}

    def capacity(self, name: str) -> dict[str, Any]:
        """The capacity report of one cluster, read now."""
        from chalicelib.usecases.documents import capacity_document, envelope

        return envelope("capacity", [capacity_document(self.look(name))])

    def plan(self, name: str) -> dict[str, Any]:
        """What a visit would do now."""
        from chalicelib.usecases.documents import envelope, plan_document

        return envelope("plan", [plan_document(self.look(name))])

    def drift(self, name: str) -> dict[str, Any]:
        """One verdict per address, read now."""
        from chalicelib.usecases.documents import drift_document, envelope

        return envelope("drift", [drift_document(self.look(name))])

    def look(self, name: str, *, settled: bool = False) -> Any:
        """Observe and plan one cluster, with what earlier visits remember where there is a table; change nothing.

        Args:
            settled: A person says that what is wrong has been so for a while.
        """
        from dataclasses import replace

        from chalicelib.domain.remembered import remembered
        from chalicelib.usecases.visit import Outside, look, recall
        from chalicelib.usecases.work import pace_of

        desired = self.cluster(name)
        known = recall(desired.name, self.adapters.memory if self.settings.table else None)
        adapters = self.adapters
        memory = replace(remembered(known.records, pace_of(self.settings).timing.settle), vouched=settled)
        outside = Outside(adapters.cluster(desired), adapters.ec2(desired), self.clock, ocm=adapters.ocm(desired))
        return look(desired, outside, memory=memory, silences=known.silences)

    def runs(self, name: str) -> dict[str, Any]:
        """The latest runs of one cluster."""
        from chalicelib.usecases.documents import runs_document

        return runs_document(name, self.adapters.memory.fetch_runs(self.cluster(name).name, 50))

    def run(self, run_id: str) -> dict[str, Any]:
        """One run, with its result once it has one."""
        from chalicelib.usecases.documents import run_document

        record = self.adapters.memory.fetch_run(run_id)
        if record is None:
            raise NoSuchThing(f"run: {run_id[:80]!r} is not known; runs are kept for 30 days")
        return run_document(record)

    def request_visit(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Order a visit and remember that it was ordered, so that its run can be asked for at once."""
        from chalicelib.domain.records import RunRecord

        unknown = sorted(set(body) - {"approve"})
        if unknown:
            raise BadInput(f"body.{unknown[0]}: is not known; allowed is approve")
        approve = body.get("approve")
        if approve is not None and not (isinstance(approve, str) and DIGEST.fullmatch(approve)):
            raise BadInput(f"body.approve: {str(approve)[:80]!r} is no digest; allowed are 12 hexadecimal digits")
        cluster = self.cluster(name)
        run_id = self._order(cluster.name, "requested over the API", approve)
        if self.adapters.memory.fetch_run(run_id) is None:
            self.adapters.memory.store_run(RunRecord(run_id, cluster.name, "queued", self.clock(), {}))
        return {"schema": "egress-keeper/accepted/1", "cluster": cluster.name, "run_id": run_id}

    def silences(self, name: str) -> dict[str, Any]:
        """What is silenced in one cluster."""
        from chalicelib.usecases.documents import silences_document
        from chalicelib.usecases.silencing import silences_of

        return silences_document(silences_of([self.cluster(name).name], self.adapters.memory, self.clock()))

    def silence(self, name: str, body: Mapping[str, Any], who: str) -> dict[str, Any]:
        """Silence one finding; *who* is the identity that IAM knows the caller by."""
        from chalicelib.usecases.documents import silences_document
        from chalicelib.usecases.silencing import parse_fingerprint, parse_reason, parse_span, silence

        unknown = sorted(set(body) - {"fingerprint", "for", "why"})
        if unknown:
            raise BadInput(f"body.{unknown[0]}: is not known; allowed are fingerprint, for and why")
        fingerprint = parse_fingerprint(body.get("fingerprint"), "body.fingerprint")
        span, why = parse_span(body.get("for"), "body.for"), parse_reason(body.get("why"), "body.why")
        clusters, now = [self.cluster(name).name], self.clock()
        made = silence([fingerprint], clusters, self.adapters.memory, span=span, why=why, who=who, now=now)
        return silences_document(made)

    def unsilence(self, name: str, fingerprint: str, who: str) -> dict[str, Any]:
        """End one silence."""
        from chalicelib.usecases.documents import silences_document
        from chalicelib.usecases.silencing import parse_fingerprint, unsilence

        one = parse_fingerprint(fingerprint, "fingerprint")
        return silences_document(
            unsilence([one], [self.cluster(name).name], self.adapters.memory, who=who, now=self.clock())
        )


_runtime: Runtime | None = None
_make: Callable[[Settings], Runtime] = Runtime


def provide(make: Callable[[Settings], Runtime]) -> None:
    """Have runtimes made by *make* from now on: for a process whose clock is not the wall clock's (the sandbox)."""
    global _make, _runtime
    _make, _runtime = make, None


def runtime() -> Runtime:
    """The runtime for the environment as it is now; kept as long as the settings stay the same.

    Raises:
        SettingsError: The environment lacks something; every problem in one message.
    """
    global _runtime  # noqa: PLW0603 - the container's one cache: warm invocations reuse clients and tokens
    settings = read_settings(os.environ)
    if _runtime is None or _runtime.settings != settings:
        _runtime = _make(settings)
    return _runtime
