"""One run of a function: its request and environment, its answer, and who is told."""

from __future__ import annotations

import os
import threading
from typing import Any

import boto3

from sandbox.plumbing import FunctionError, Plumbing
from tests.sandbox.plumbing.tiny import RUNNING, behaviour, in_queue, seen, send_work


def test_rest_requests_reach_the_route_with_body_and_caller(plumbing: Plumbing) -> None:
    """A request carries its JSON body and what IAM says about its caller."""
    answer = plumbing.request("POST", "/clusters/prod", {"approve": "x"}, identity={"userArn": "arn:me"})
    assert (answer.status, answer.json) == (200, {"name": "prod", "body": {"approve": "x"}, "who": "arn:me"})
    assert plumbing.request("GET", "/clusters/bad").status == 400
    assert plumbing.request("GET", "/nowhere").status == 403
    assert [i.trigger for i in plumbing.invocations] == ["request", "request"]


def test_handler_sees_its_environment_only_while_it_runs(plumbing: Plumbing) -> None:
    """The function's variables and the sandbox's endpoint are set for
    the run and gone after it; boto3 in a handler just works.
    """
    found: dict[str, Any] = {}

    def look(_event: Any) -> None:
        found.update(fleet=os.environ["FLEET"], queues=len(boto3.client("sqs").list_queues()["QueueUrls"]))

    behaviour["intake"] = look
    before = dict(os.environ)
    plumbing.emit(RUNNING)
    plumbing.pump()
    assert plumbing.invocations[-1].error is None
    assert found == {"fleet": "s3://fleet/${literal}", "queues": 4}
    assert dict(os.environ) == before


def test_answer_that_is_not_json_is_an_error(plumbing: Plumbing) -> None:
    """Lambda refuses to marshal it, so the message is not done."""
    behaviour["work"] = lambda _event: {"when": object()}
    send_work(plumbing, "one")
    plumbing.run_for(40)
    (invocation,) = plumbing.invocations
    assert isinstance(invocation.error, FunctionError)
    assert invocation.error.error_type == "Runtime.MarshalError"
    assert in_queue(plumbing, "WorkQueue") == []  # in flight, not deleted
    plumbing.run_for(120)
    assert len(plumbing.invocations) == 2


def test_every_run_is_told(plumbing: Plumbing) -> None:
    """Whoever narrates hears of each run as it ends, with function, trigger, result and duration."""
    told: list[Any] = []
    plumbing.on_invocation = told.append
    behaviour["intake"] = lambda _event: {"accepted": 1}
    plumbing.emit(RUNNING)
    plumbing.pump()
    (invocation,) = told
    assert (invocation.function, invocation.trigger, invocation.result) == ("intake", "event", {"accepted": 1})
    assert invocation.duration_seconds >= 0


def test_background_thread_pumps_in_real_time(plumbing: Plumbing) -> None:
    """Started, the plumbing runs what arrives without being asked, and stops clean."""
    arrived = threading.Event()
    plumbing.on_invocation = lambda _invocation: arrived.set()
    plumbing.start()
    plumbing.emit(RUNNING)
    assert arrived.wait(5)
    plumbing.stop()
    assert seen == [("intake", RUNNING)]
