from __future__ import annotations

import json
import os
import string
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from chalice import BadRequestError, Chalice, Rate

from sandbox.aws import AwsSandbox, InstanceStateChange
from sandbox.aws.faults import broken
from sandbox.plumbing import (
    FunctionError,
    InProcessInvoker,
    Plumbing,
    TemplateError,
    create_resources,
    read_wiring,
)
from sandbox.plumbing.polling import failed_items
from sandbox.plumbing.schedules import rate_seconds
from sandbox.timeline import SteppedTimeline

TEMPLATE = """
Parameters:
  Bucket: {Type: String}
  WorkDelaySeconds: {Type: Number, Default: 35}
  Nets: {Type: CommaDelimitedList, Default: "a, b"}
Conditions:
  HasNets: !Not [!Equals [!Join ["", !Ref Nets], ""]]
  Never: {"Fn::Equals": ["a", "b"]}
Globals:
  Function:
    Environment:
      Variables:
        FLEET: !Sub "s3://${Bucket}/${!literal}"
        WORK: !Ref WorkQueue
        NETS: {"Fn::If": [HasNets, yes-nets, no-nets]}
Resources:
  WorkQueue:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      DelaySeconds: !Ref WorkDelaySeconds
      VisibilityTimeout: 100
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadWork.Arn, maxReceiveCount: 2}
  DeadWork:
    Type: AWS::SQS::Queue
    Properties: {FifoQueue: true}
  EventsQueue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: events, VisibilityTimeout: 60}
  Dead:
    Type: AWS::SQS::Queue
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: expires_at, Enabled: true}
  Topic:
    Type: AWS::SNS::Topic
  NotWanted:
    Type: AWS::SNS::Topic
    Condition: Never
  Role:
    Type: AWS::IAM::Role
  Intake:
    Properties:
      Role: !GetAtt Role.Arn
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Dead.Arn}
      Environment: {Variables: {TABLE: !Ref Table}}
  Work:
    Properties:
      Timeout: 7
      Events:
        WorkSqsEventSource:
          Properties:
            Queue: {"Fn::Sub": "${WorkQueue.Arn}"}
            FunctionResponseTypes: [ReportBatchItemFailures]
  Tick:
    Properties:
      EventInvokeConfig: {MaximumRetryAttempts: 0}
      Events: {TickEvent: {Properties: {Schedule: rate(5 minutes)}}}
"""

seen: list[tuple[str, Any]] = []
behaviour: dict[str, Callable[[Any], Any]] = {}


def noted(name: str, event: Any) -> Any:
    seen.append((name, event))
    return behaviour.get(name, lambda _event: None)(event)


def make_app() -> Chalice:
    app = Chalice(app_name="tiny", configure_logs=False)

    @app.on_cw_event({"source": ["aws.ec2"], "detail": {"state": [{"prefix": "run"}]}}, name="intake")
    def intake(event: Any) -> Any:
        return noted("intake", event.to_dict())

    @app.on_sqs_message(queue="events", batch_size=100, maximum_batching_window_in_seconds=5, name="route")
    def route(event: Any) -> Any:
        return noted("route", event.to_dict())

    @app.on_sqs_message(queue="overridden", batch_size=1, name="work")
    def work(event: Any) -> Any:
        return noted("work", event.to_dict())

    @app.schedule(Rate(1, unit=Rate.MINUTES), name="tick")
    def tick(event: Any) -> Any:
        return noted("tick", event.to_dict())

    @app.route("/clusters/{name}", methods=["GET", "POST"])
    def clusters(name: str) -> Any:
        if name == "bad":
            raise BadRequestError("bad name")
        request = app.current_request
        return {"name": name, "body": request.json_body, "who": request.context["identity"].get("userArn")}

    return app


@pytest.fixture(scope="module")
def running() -> Iterator[AwsSandbox]:
    with AwsSandbox(SteppedTimeline()) as sandbox:
        yield sandbox


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "infrastructure.yaml"
    path.write_text(TEMPLATE, encoding="utf-8")
    return path


@pytest.fixture
def plumbing(running: AwsSandbox, template: Path) -> Iterator[Plumbing]:
    running.reset()
    seen.clear()
    behaviour.clear()
    app = make_app()
    resources = create_resources(running, template, {"Bucket": "fleet"})
    invoker = InProcessInvoker(app, running.environment())
    tiny = Plumbing(app, running, resources, read_wiring(app, resources), invoker)
    yield tiny
    tiny.stop()


def send(plumbing: Plumbing, queue: str, *bodies: str, **options: Any) -> None:
    for body in bodies:
        plumbing.aws.client("sqs").send_message(QueueUrl=plumbing.resources.refs[queue], MessageBody=body, **options)


def send_work(plumbing: Plumbing, body: str, group: str = "g") -> None:
    send(plumbing, "WorkQueue", body, MessageGroupId=group, MessageDeduplicationId=body)


def bodies(name: str) -> list[list[str]]:
    return [[record["body"] for record in event["Records"]] for function, event in seen if function == name]


def in_queue(plumbing: Plumbing, queue: str) -> list[dict[str, Any]]:
    url = plumbing.resources.refs[queue]
    answer = plumbing.aws.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
    )
    return list(answer.get("Messages", []))


def fail(message: str = "broken") -> Callable[[Any], Any]:
    def raise_it(_event: Any) -> Any:
        raise RuntimeError(message)

    return raise_it


RUNNING: Mapping[str, Any] = InstanceStateChange("i-1", "running", "123456789012", "eu-central-1", 0.0).to_event()
STOPPED: Mapping[str, Any] = InstanceStateChange("i-1", "stopped", "123456789012", "eu-central-1", 0.0).to_event()


# --- the template ---


def test_resources_are_made_with_the_template_s_properties(plumbing: Plumbing) -> None:
    """Queues, redrive, table and TTL come out in AWS as the template
    says; a resource whose condition is false does not.
    """
    aws, refs = plumbing.aws, plumbing.resources.refs
    got = aws.client("sqs").get_queue_attributes(QueueUrl=refs["WorkQueue"], AttributeNames=["All"])["Attributes"]
    assert (got["FifoQueue"], got["DelaySeconds"], got["VisibilityTimeout"]) == ("true", "35", "100")
    policy = {"deadLetterTargetArn": plumbing.resources.attribute("DeadWork", "Arn"), "maxReceiveCount": 2}
    assert json.loads(got["RedrivePolicy"]) == policy
    ttl = aws.client("dynamodb").describe_time_to_live(TableName=refs["Table"])["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert [t["TopicArn"] for t in aws.client("sns").list_topics()["Topics"]] == [refs["Topic"]]


def test_functions_get_the_template_s_environment_and_settings(plumbing: Plumbing) -> None:
    """Environment, time-outs, retries and dead letters are the
    deployed ones; what the sandbox lacks is not looked at.
    """
    functions, refs = plumbing.wiring.functions, plumbing.resources.refs
    common = {"FLEET": "s3://fleet/${literal}", "WORK": refs["WorkQueue"], "NETS": "yes-nets"}
    assert functions["work"].environment == common
    assert functions["intake"].environment == {**common, "TABLE": refs["Table"]}
    assert functions["intake"].dead_letter_arn == plumbing.resources.attribute("Dead", "Arn")
    assert (functions["work"].timeout_seconds, functions["intake"].timeout_seconds) == (7, 60)
    assert (functions["tick"].async_retries, functions["intake"].async_retries) == (0, 2)
    assert (functions["intake"].handler, functions["api_handler"].handler) == ("app.intake", "app.app")
    assert [schedule.expression for schedule in plumbing.wiring.schedules] == ["rate(5 minutes)"]


@pytest.mark.parametrize(
    ("document", "overrides", "message"),
    [
        ({"Parameters": {"A": {"Type": "String"}}}, {}, "a value is needed for A"),
        ({}, {"B": "1"}, "no parameter B"),
        ({"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "No"}}}}}, {}, "No"),
        (
            {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::Cidr": []}}}}},
            {},
            "Fn::Cidr",
        ),
        (
            {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "T"}}}}},
            {},
            "circular dependency: T → T",
        ),
    ],
)
def test_template_that_cannot_be_followed_says_why(
    running: AwsSandbox, document: dict[str, Any], overrides: dict[str, str], message: str
) -> None:
    """A missing value, an unknown name, an unknown function and a circle are errors with the name in them."""
    with pytest.raises(TemplateError, match=message):
        create_resources(running, document, overrides)


# --- events ---


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


# --- queues ---


def test_record_has_the_shape_of_lambda_s_sqs_events(plumbing: Plumbing) -> None:
    """Ids, group, sequence, counts and times are the message's own."""
    send_work(plumbing, "one")
    plumbing.pump(60)
    (record,) = seen[0][1]["Records"]
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == plumbing.resources.attribute("WorkQueue", "Arn")
    attributes = record["attributes"]
    assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == ("g", "one")
    assert attributes["ApproximateReceiveCount"] == "1"
    assert len(attributes["SequenceNumber"]) == 20
    assert int(attributes["SentTimestamp"]) <= plumbing.aws.timeline.now() * 1000
    assert {"messageId", "receiptHandle", "body", "md5OfBody", "messageAttributes", "awsRegion"} <= record.keys()


def test_queue_delay_holds_a_message_back(plumbing: Plumbing) -> None:
    """A visit is not started before the queue's delay has passed on the timeline."""
    start = plumbing.aws.timeline.now()
    send_work(plumbing, "one")
    plumbing.run_for(34)
    assert seen == []
    plumbing.pump(10)
    assert [round(i.when - start) for i in plumbing.invocations] == [35]


def test_batching_window_gathers_messages(plumbing: Plumbing) -> None:
    """A batch that is not full waits for its window, longer than one ReceiveMessage can bring."""
    send(plumbing, "EventsQueue", *string.ascii_letters[:25])
    plumbing.run_for(4)
    send(plumbing, "EventsQueue", "Z")
    assert bodies("route") == []
    plumbing.pump(10)
    assert [sorted(batch) for batch in bodies("route")] == [sorted([*string.ascii_letters[:25], "Z"])]
    assert in_queue(plumbing, "EventsQueue") == []


def test_full_batch_does_not_wait_for_its_window(plumbing: Plumbing) -> None:
    """A hundred messages are one batch of a hundred, gathered from ten receives, at once."""
    for start in range(0, 110, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
        plumbing.aws.client("sqs").send_message_batch(QueueUrl=plumbing.resources.refs["EventsQueue"], Entries=entries)
    plumbing.run_for(1)
    assert [len(batch) for batch in bodies("route")] == [100]
    plumbing.run_for(5)
    assert [len(batch) for batch in bodies("route")] == [100, 10]


def test_failed_messages_come_back_after_their_time_out_and_then_die(plumbing: Plumbing) -> None:
    """An error deletes nothing: the message returns when its
    visibility ends, and after its last try it is a dead letter.
    """
    behaviour["work"] = fail()
    start = plumbing.aws.timeline.now()
    send_work(plumbing, "one")
    send_work(plumbing, "other group", group="h")
    plumbing.pump(1000)
    assert [(round(i.when - start), i.event["Records"][0]["body"]) for i in plumbing.invocations] == [
        (35, "one"),
        (35, "other group"),
        (135, "one"),
        (135, "other group"),
    ]
    assert [m["Body"] for m in in_queue(plumbing, "DeadWork")] == ["one", "other group"]


def test_group_waits_for_its_failed_message(plumbing: Plumbing) -> None:
    """Within a group nothing overtakes: while one message is to be retried the next ones wait."""
    tries: list[str] = []

    def first_try_fails(event: Any) -> None:
        body = event["Records"][0]["body"]
        tries.append(body)
        if tries == ["one"]:
            raise RuntimeError("once")

    behaviour["work"] = first_try_fails
    send_work(plumbing, "one")
    send_work(plumbing, "two")
    plumbing.pump(300)
    assert tries == ["one", "one", "two"]


def test_reported_items_come_back_and_the_rest_is_done(plumbing: Plumbing) -> None:
    """With ReportBatchItemFailures only the named messages are tried again."""
    behaviour["work"] = lambda event: {
        "batchItemFailures": [
            {"itemIdentifier": r["messageId"]}
            for r in event["Records"]
            if r["body"] == "bad" and r["attributes"]["ApproximateReceiveCount"] == "1"
        ]
    }
    send_work(plumbing, "bad", group="a")
    send_work(plumbing, "good", group="b")
    plumbing.pump(300)
    assert sorted(batch[0] for batch in bodies("work")) == ["bad", "bad", "good"]
    assert in_queue(plumbing, "WorkQueue") == []


def test_without_the_flag_the_answer_is_ignored(plumbing: Plumbing) -> None:
    """A mapping that does not ask for item failures deletes the whole batch, whatever the function says."""
    behaviour["route"] = lambda event: {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    send(plumbing, "EventsQueue", "a")
    plumbing.pump(300)
    assert bodies("route") == [["a"]]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "x"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"wrong": "a"}]}, {"a", "b"}),
        ({"batchItemFailures": ["a"]}, {"a", "b"}),
        ({"batchItemFailures": "a"}, {"a", "b"}),
        ("done", {"a", "b"}),
    ],
)
def test_answers_are_read_as_lambda_reads_them(answer: Any, failed: set[str]) -> None:
    """Nothing reported is success; anything that cannot be understood fails the whole batch."""
    assert failed_items(answer, {"a", "b"}) == failed


def test_message_that_could_not_be_deleted_comes_again(plumbing: Plumbing) -> None:
    """At least once: a run whose delete fails is repeated."""
    plumbing.aws.faults.inject("sqs", "DeleteMessageBatch", broken(), times=20)
    send_work(plumbing, "one")
    plumbing.run_for(40)
    plumbing.aws.faults.heal()
    plumbing.pump(300)
    assert bodies("work") == [["one"], ["one"]]


# --- requests, invoking ---


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
