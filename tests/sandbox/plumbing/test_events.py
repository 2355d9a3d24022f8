"""Events and schedules: which function runs, when, how often again, and where what fails is buried."""

from __future__ import annotations

import json

import pytest

from sandbox.aws import InstanceStateChange
from sandbox.plumbing import Plumbing
from sandbox.plumbing.schedules import rate_seconds
from tests.sandbox.plumbing.tiny import RUNNING, STOPPED, behaviour, fail, in_queue, seen


def test_matching_event_runs_the_function_and_others_do_not(plumbing: Plumbing) -> None:
    """Content filters of the pattern decide; the function gets the event as it was sent."""
    assert plumbing.emit(RUNNING) == 1
    assert plumbing.emit(STOPPED) == 0
    assert plumbing.pump() == 1
    assert seen == [("intake", RUNNING)]


def test_launched_instance_is_announced_to_the_functions(plumbing: Plumbing) -> None:
    """EC2's events reach the rules as soon as somebody connects the two; `pending` matches none here."""
    ec2 = plumbing.aws.client("ec2")

    def announce(change: InstanceStateChange) -> None:
        plumbing.emit(change.to_event())

    disconnect = plumbing.aws.on_instance_state(announce)
    made = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    disconnect()
    ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)
    plumbing.pump()
    assert [event["detail"] for _, event in seen] == [{"instance-id": made, "state": "running"}]


def test_failing_event_is_retried_twice_then_buried(plumbing: Plumbing) -> None:
    """Lambda tries an asynchronous event three times, minutes apart,
    then puts it on the function's dead-letter queue.
    """
    behaviour["intake"] = fail()
    plumbing.emit(RUNNING)
    start = plumbing.aws.timeline.now()
    plumbing.pump(600)
    assert [(i.attempt, round(i.when - start)) for i in plumbing.invocations] == [(1, 0), (2, 60), (3, 180)]
    (dead,) = in_queue(plumbing, "Dead")
    assert json.loads(dead["Body"]) == RUNNING
    assert "RuntimeError: broken" in dead["MessageAttributes"]["ErrorMessage"]["StringValue"]


def test_schedule_without_retries_fails_once(plumbing: Plumbing) -> None:
    """MaximumRetryAttempts 0 of the template is obeyed; without a dead-letter queue the event is gone."""
    behaviour["tick"] = fail()
    plumbing.tick_schedules()
    plumbing.pump(600)
    assert [(i.function, i.trigger, i.error.message if i.error else "") for i in plumbing.invocations] == [
        ("tick", "schedule", "broken")
    ]


def test_schedules_run_by_the_timeline(plumbing: Plumbing) -> None:
    """A rate runs every period from its start, not at once."""
    plumbing.start_schedules()
    plumbing.run_for(299)
    assert seen == []
    plumbing.run_for(602)
    assert [name for name, _ in seen] == ["tick"] * 3
    assert seen[0][1]["detail-type"] == "Scheduled Event"


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(2 hours)", 7200), ("rate(1 day)", 86400)]
)
def test_rates_are_read(expression: str, seconds: float) -> None:
    """A rate is a number and a unit."""
    assert rate_seconds(expression) == seconds


@pytest.mark.parametrize("expression", ["cron(0 12 * * ? *)", "rate(x minutes)", "rate(5 weeks)"])
def test_other_expressions_are_refused(expression: str) -> None:
    """What the sandbox cannot run it says."""
    with pytest.raises(ValueError, match="rate"):
        rate_seconds(expression)
