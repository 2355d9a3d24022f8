"""The watchman is watched: the template's alarms, judged over the metrics that the deployed functions really emit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.aws.faults import denied
from sandbox.stage import Stage
from tests.e2e.staging import staged
from tests.e2e.test_main_job import POLICIES, scenario
from tests.packaging.alarms import Metrics, alarms, rings
from tests.packaging.generated import infrastructure

pytestmark = pytest.mark.slow

LAMBDA = "AWS/Lambda"


class Watch:
    """A stage whose minutes are collected as CloudWatch would see them."""

    def __init__(self, stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
        self.stage, self.metrics, self._capsys, self._seen = stage, Metrics(), capsys, 0

    def minutes(self, number: int, *, schedule: bool = True) -> None:
        for _ in range(number):
            if schedule:
                self.stage.plumbing.tick_schedules()
            self.stage.run_for(60)
            self._collect()

    def ringing(self) -> set[str]:
        now = self.stage.timeline.now() + 1
        return {name for name, alarm in alarms().items() if rings(alarm, self.metrics, now, self._resolve)}

    def bury(self, queue: str, number: int) -> None:
        """Let messages end in a dead-letter queue."""
        for count in range(number):
            grouping = {"MessageGroupId": "a", "MessageDeduplicationId": f"{self.stage.timeline.now()}-{count}"}
            self.stage.aws.client("sqs").send_message(
                QueueUrl=self.stage.resources.refs[queue],
                MessageBody="{}",
                **(grouping if queue == "WorkDeadLetters" else {}),
            )

    def _resolve(self, value: Any) -> Any:
        match value:
            case {"Ref": "AWS::StackName"}:
                return "egress-keeper"
            case {"Ref": name} if name in infrastructure()["Parameters"]:
                return infrastructure()["Parameters"][name]["Default"]
            case {"Ref": name} if name not in self.stage.resources.refs:
                return name  # a function, which the sandbox calls by its logical name
            case {"Ref": name}:
                return self.stage.resources.refs[name]
            case {"Fn::GetAtt": [name, attribute]}:
                return self.stage.resources.attribute(name, attribute)
        return value

    def _collect(self) -> None:
        now = self.stage.timeline.now()
        for line in self._capsys.readouterr().out.splitlines():
            if line.startswith('{"_aws"'):
                self.metrics.put_embedded(json.loads(line), now)
        runs = list(self.stage.plumbing.invocations)
        for run in runs[self._seen :]:
            if run.function == "drift_check":
                self.metrics.put(LAMBDA, "Invocations", now, 1, FunctionName="DriftCheck")
                self.metrics.put(LAMBDA, "Errors", now, float(run.error is not None), FunctionName="DriftCheck")
        self._seen = len(runs)
        for queue in ("EventsDeadLetters", "WorkDeadLetters"):
            url = self.stage.resources.refs[queue]
            name = "ApproximateNumberOfMessages"
            answer = self.stage.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
            waiting = float(answer["Attributes"][name])
            dimension = self.stage.resources.attribute(queue, "QueueName")
            self.metrics.put("AWS/SQS", "ApproximateNumberOfMessagesVisible", now, waiting, QueueName=dimension)


@pytest.fixture
def watch(capsys: pytest.CaptureFixture[str]) -> Iterator[Watch]:
    with staged(scenario(), POLICIES) as stage:
        yield Watch(stage, capsys)


def test_alerts_that_cannot_be_sent_ring_and_stop(watch: Watch) -> None:
    """Quiet in good times; with the topic refusing, visits count for nothing; once it takes messages, all ends."""
    watch.minutes(6)
    assert watch.ringing() == set()
    heal = watch.stage.aws.faults.inject("sns", "Publish", denied("sns"))
    watch.stage.put_fleet(watch.stage.default_fleet.replace("10.10.100.253", "10.99.0.1"))
    watch.minutes(9)
    assert {"AlertsNotSentAlarm", "LateVisitAlarm"} <= watch.ringing()
    assert "NoVisitsAlarm" not in watch.ringing(), "the schedule itself runs"
    heal()
    watch.minutes(14)
    assert watch.ringing() <= {"WorkDeadLettersAlarm"}, "visits that failed three times still lie there"


def test_a_schedule_that_stops_rings_and_one_that_returns_ends_it(watch: Watch) -> None:
    """Without a schedule there are no numbers either, and that is a bad number."""
    watch.minutes(6)
    watch.minutes(6, schedule=False)
    assert {"NoVisitsAlarm", "LateVisitAlarm"} <= watch.ringing()
    watch.minutes(8)
    assert watch.ringing() == set()


def test_dead_letters_ring_and_growing_ones_ring_again(watch: Watch) -> None:
    """What lies there is one alarm, what keeps coming another."""
    watch.minutes(5)
    for _ in range(3):
        watch.bury("EventsDeadLetters", 2)
        watch.minutes(5, schedule=False)
    assert {"EventsDeadLettersAlarm", "DeadLettersGrowAlarm"} <= watch.ringing()
    watch.minutes(16, schedule=False)
    assert "DeadLettersGrowAlarm" not in watch.ringing(), "what only lies there does not grow"
    assert "EventsDeadLettersAlarm" in watch.ringing()
