"""The flow: events to rules, schedules and queues to functions, requests to the REST function; each run recorded.

`Plumbing` runs one function at a time, in the thread that pumps. With a stepped timeline `pump` and `run_for` jump from
one moment at which something happens to the next; with real time they wait for it.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalice import Chalice
from chalice.local import LambdaEventConverter, RouteMatcher
from moto.events.models import EventPattern

from sandbox.aws import AwsSandbox
from sandbox.plumbing.invoking import FunctionError, Invoker
from sandbox.plumbing.polling import Poller
from sandbox.plumbing.records import Answer, Invocation
from sandbox.plumbing.resources import Resources
from sandbox.plumbing.schedules import rate_seconds, scheduled_event
from sandbox.plumbing.wiring import REST_FUNCTION, Schedule, Wiring
from sandbox.timeline import SteppedTimeline, Timer

_MILLISECOND = 0.001
_ASYNC_RETRY_SECONDS = (60.0, 120.0)  # Lambda waits one minute before the first retry and two before the second
_REAL_POLL_SECONDS = 0.05


@dataclass
class _Asynchronous:
    function: str
    trigger: str
    event: Mapping[str, Any]
    not_before: float
    attempt: int = 1


@dataclass
class Plumbing:
    """Everything between the functions of one application in one sandbox.

    `invocations` keeps the last runs; `on_invocation` hears of each as it ends.
    """

    app: Chalice
    aws: AwsSandbox
    resources: Resources
    wiring: Wiring
    invoker: Invoker
    on_invocation: Callable[[Invocation], None] = lambda _invocation: None
    invocations: deque[Invocation] = field(default_factory=lambda: deque(maxlen=10_000))

    def __post_init__(self) -> None:
        self._pending: list[_Asynchronous] = []
        self._arrived = threading.Condition()
        self._pumping = threading.RLock()
        self._pollers = [
            Poller(self.aws, mapping, self.resources.queue_url(mapping.queue_arn)) for mapping in self.wiring.queues
        ]
        self._timers: dict[str, Timer] = {}
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    # --- what comes in ---

    def emit(self, event: Mapping[str, Any]) -> int:
        """Put *event* on the bus: every rule that matches will run its function. Returns how many do.

        Only takes note, so it may be called from anywhere, a subscriber to instance states included.
        """
        matching = [rule for rule in self.wiring.rules if EventPattern(None, rule.pattern).matches_event(event)]
        for rule in matching:
            self._enqueue(_Asynchronous(rule.function, "event", event, self.aws.timeline.now()))
        return len(matching)

    def tick_schedules(self) -> None:
        """Let every schedule be due once, now."""
        for schedule in self.wiring.schedules:
            self._enqueue_scheduled(schedule)

    def start_schedules(self) -> None:
        """Let every `rate(…)` schedule run from now on by the
        timeline. Raises ValueError for a `cron(…)` expression.
        """
        for schedule in self.wiring.schedules:
            period = rate_seconds(schedule.expression)
            self._plan_schedule(schedule, period)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        identity: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask the REST API, synchronously; *body* is sent as JSON. *identity* is what IAM would say about the caller.

        A path that no route has is answered 403, as API Gateway does.
        Raises FunctionError where a client would see a 502.
        """
        sent = {"content-type": "application/json", **(headers or {})}
        text = None if body is None else json.dumps(body)
        try:
            converter = LambdaEventConverter(RouteMatcher(list(self.app.routes)))
            event = converter.create_lambda_event(method.upper(), path, sent, text)
        except ValueError:
            return Answer(403, {}, '{"message":"Missing Authentication Token"}')
        event["requestContext"]["identity"].update(identity or {})
        with self._pumping:
            answer = self._run(REST_FUNCTION, "request", event)
        return Answer(answer["statusCode"], answer.get("headers") or {}, answer.get("body") or "")

    # --- letting it flow ---

    def pump(self, max_seconds: float = 30.0) -> int:
        """Run what is waiting until nothing is left, or for *max_seconds* of the timeline; return the number of runs.

        Messages that are delayed or in flight are waited for; dead-letter queues are not looked at. With a stepped
        timeline whatever else is planned on it happens on the way.
        """
        return self._flow(self.aws.timeline.now() + max_seconds, until_quiet=True)

    def run_for(self, seconds: float) -> int:
        """Let exactly *seconds* of the timeline pass, running what falls due; return the number of runs."""
        return self._flow(self.aws.timeline.now() + seconds, until_quiet=False)

    def start(self) -> None:
        """Pump in a thread of its own from now on; for a sandbox that lives in real time."""
        self._thread = threading.Thread(target=self._pump_for_ever, name="sandbox-plumbing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the schedules; a run that has begun is waited for. The invoker is closed."""
        self._stopping.set()
        for timer in self._timers.values():
            timer.cancel()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.invoker.close()

    def _flow(self, end: float, *, until_quiet: bool) -> int:
        runs = 0
        timeline = self.aws.timeline
        while True:
            with self._pumping:
                ran = self._run_what_is_due()
            runs += ran
            now = timeline.now()
            if ran and now < end:
                continue
            if now >= end or (until_quiet and self._is_quiet()):
                return runs
            moment = self._next_moment()
            if until_quiet and (moment is None or moment > end):
                return runs
            self._pass_time(min(end, moment if moment is not None else end))

    def _pass_time(self, until: float) -> None:
        timeline = self.aws.timeline
        if isinstance(timeline, SteppedTimeline):
            timeline.advance(max(0.0, until - timeline.now()))
        else:
            time.sleep(max(0.0, min(_REAL_POLL_SECONDS, until - timeline.now())))

    def _next_moment(self) -> float | None:
        """When something is due next. A millisecond on top: SQS shows a message only *after* its delay."""
        moments = [poller.next_moment() for poller in self._pollers]
        moments.extend(waiting.not_before for waiting in self._pending)
        if isinstance(self.aws.timeline, SteppedTimeline):
            moments.append(self.aws.timeline.next_due())
        return min((moment + _MILLISECOND for moment in moments if moment is not None), default=None)

    def _is_quiet(self) -> bool:
        return not self._pending and all(poller.is_empty() for poller in self._pollers)

    def _pump_for_ever(self) -> None:
        while not self._stopping.is_set():
            with self._pumping:
                ran = self._run_what_is_due()
            if not ran:
                self._stopping.wait(_REAL_POLL_SECONDS)

    # --- running ---

    def _run_what_is_due(self) -> int:
        """Run each asynchronous event and each complete batch that is due, once; return how many ran."""
        now = self.aws.timeline.now()
        with self._arrived:
            due = [waiting for waiting in self._pending if waiting.not_before <= now]
            self._pending = [waiting for waiting in self._pending if waiting.not_before > now]
        for waiting in due:
            self._run_asynchronously(waiting)
        return len(due) + sum(self._run_batch(poller) for poller in self._pollers)

    def _run_asynchronously(self, waiting: _Asynchronous) -> None:
        try:
            self._run(waiting.function, waiting.trigger, waiting.event, waiting.attempt)
        except FunctionError as error:
            function = self.wiring.functions[waiting.function]
            if waiting.attempt <= function.async_retries:
                pause = _ASYNC_RETRY_SECONDS[min(waiting.attempt, len(_ASYNC_RETRY_SECONDS)) - 1]
                waiting.not_before, waiting.attempt = self.aws.timeline.now() + pause, waiting.attempt + 1
                self._enqueue(waiting)
            elif function.dead_letter_arn is not None:
                self._bury(function.dead_letter_arn, waiting.event, error)

    def _bury(self, queue_arn: str, event: Mapping[str, Any], error: FunctionError) -> None:
        """What Lambda puts on a dead-letter queue: the event as it was, the error in attributes."""
        attributes = {
            "RequestID": {"DataType": "String", "StringValue": str(uuid.uuid4())},
            "ErrorCode": {"DataType": "Number", "StringValue": "200"},
            "ErrorMessage": {"DataType": "String", "StringValue": str(error)[:1024] or "error"},
        }
        url = self.resources.queue_url(queue_arn)
        self.aws.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(event), MessageAttributes=attributes)

    def _run_batch(self, poller: Poller) -> int:
        batch = poller.take_batch()
        if not batch:
            return 0
        try:
            answer = self._run(poller.mapping.function, "queue", poller.event(batch))
        except FunctionError:
            return (
                1  # nothing is deleted: the batch comes back after its visibility time-out, at last to the dead letters
            )
        poller.delete_done(batch, answer)
        return 1

    def _run(self, function: str, trigger: str, event: Mapping[str, Any], attempt: int = 1) -> Any:
        when, begun = self.aws.timeline.now(), time.perf_counter()
        result, error = None, None
        try:
            result = self.invoker.invoke(self.wiring.functions[function], event)
        except FunctionError as failure:
            error = failure
        took = time.perf_counter() - begun
        invocation = Invocation(function, trigger, event, when, took, result, error, attempt)
        self.invocations.append(invocation)
        self.on_invocation(invocation)
        if error is not None:
            raise error
        return result

    # --- schedules ---

    def _plan_schedule(self, schedule: Schedule, period: float) -> None:
        def due() -> None:
            self._enqueue_scheduled(schedule)
            self._plan_schedule(schedule, period)

        if not self._stopping.is_set():
            self._timers[schedule.function] = self.aws.timeline.call_later(period, due)

    def _enqueue_scheduled(self, schedule: Schedule) -> None:
        now = self.aws.timeline.now()
        event = scheduled_event(schedule, now, region=self.aws.region, account=self.aws.account_id)
        self._enqueue(_Asynchronous(schedule.function, "schedule", event, now))

    def _enqueue(self, waiting: _Asynchronous) -> None:
        with self._arrived:
            self._pending.append(waiting)
