"""A tiny application with a function for each kind of trigger, and its template; what tests do to it and see of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalice import BadRequestError, Chalice, Rate

from sandbox.aws import InstanceStateChange
from sandbox.plumbing import Plumbing

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
