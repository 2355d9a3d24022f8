"""The Lambda functions: decorators, decode, one call, encode. Nothing here knows what egress is.

`chalicelib.wiring.runtime()` gives the use cases with their adapters, built on first use and kept for the life of the
container, so that a cold start pays only for what its function needs.
"""

from __future__ import annotations

from typing import Any

from chalice import Chalice, IAMAuthorizer, Rate, Response
from chalice.app import CloudWatchEvent, SQSEvent

from chalicelib import http, telemetry, wiring
from chalicelib.events import EC2_STATE_CHANGE

app = Chalice(app_name="egress-keeper", configure_logs=False)
app.register_middleware(telemetry.observe, "all")
iam = IAMAuthorizer()


@app.on_cw_event(EC2_STATE_CHANGE)
def intake(event: CloudWatchEvent) -> None:
    """Keep the raw event, and make no other call: a burst here must not become a burst of EC2 requests."""
    wiring.runtime().accept(event.to_dict())


@app.on_sqs_message(queue="egress-keeper-events", batch_size=100, maximum_batching_window_in_seconds=5)
def route(event: SQSEvent) -> dict[str, Any]:
    """Turn a batch of events into at most one visit a cluster and window."""
    return wiring.runtime().route(event.to_dict())


@app.on_sqs_message(queue="egress-keeper-work.fifo", batch_size=1)
def reconcile(event: SQSEvent) -> dict[str, Any]:
    """One visit to one cluster; the message group keeps a second one out."""
    return wiring.runtime().reconcile(event.to_dict())


@app.schedule(Rate(1, unit=Rate.MINUTES))
def drift_check(_event: CloudWatchEvent) -> None:
    """Have every cluster visited: events are hints, the schedule alone must be enough to be right."""
    wiring.runtime().visit_all("schedule")


@app.route("/clusters", authorizer=iam)
def list_clusters() -> Response:
    """Names and modes of the clusters in the fleet file."""
    return http.answer(wiring.runtime().clusters)


@app.route("/clusters/{name}/capacity", authorizer=iam)
def get_capacity(name: str) -> Response:
    """What each node, subnet and zone can carry, carries, and could after losing a node."""
    return http.answer(wiring.runtime().capacity, name)


@app.route("/clusters/{name}/plan", authorizer=iam)
def get_plan(name: str) -> Response:
    """What a visit would do now, and the digest that approves it."""
    return http.answer(wiring.runtime().plan, name)


@app.route("/clusters/{name}/drift", authorizer=iam)
def get_drift(name: str) -> Response:
    """One verdict per address, and every finding."""
    return http.answer(wiring.runtime().drift, name)


@app.route("/clusters/{name}/runs", authorizer=iam)
def list_runs(name: str) -> Response:
    """The latest visits of a cluster, newest first."""
    return http.answer(wiring.runtime().runs, name)


@app.route("/runs/{run_id}", authorizer=iam)
def get_run(run_id: str) -> Response:
    """One visit: queued, running, done, refused or failed, with its report."""
    return http.answer(wiring.runtime().run, run_id)


@app.route("/clusters/{name}/silences", authorizer=iam)
def list_silences(name: str) -> Response:
    """What nobody is told of for a while, who wanted that and why."""
    return http.answer(wiring.runtime().silences, name)


@app.route("/clusters/{name}/silences", methods=["POST"], authorizer=iam)
def post_silence(name: str) -> Response:
    """Silence one finding. The body has `fingerprint`, `for` (such as 2h) and `why`; who it is, IAM says."""
    request = app.current_request
    return http.answer(wiring.runtime().silence, name, lambda: http.body(request), http.caller(request), status=201)


@app.route("/clusters/{name}/silences/{fingerprint}", methods=["DELETE"], authorizer=iam)
def delete_silence(name: str, fingerprint: str) -> Response:
    """End a silence before its time."""
    return http.answer(wiring.runtime().unsilence, name, fingerprint, http.caller(app.current_request))


@app.route("/clusters/{name}/reconcile", methods=["POST"], authorizer=iam)
def post_reconcile(name: str) -> Response:
    """Have a cluster visited; answers 202 with the run's id. The body may carry `approve`: a plan's digest."""
    return http.answer(wiring.runtime().request_visit, name, lambda: http.body(app.current_request), status=202)
