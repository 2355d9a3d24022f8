"""The merged template says what the handlers, the settings and the queues' meaning require."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import app
from chalicelib.events import EC2_STATE_CHANGE
from chalicelib.settings import NUMBERS, VARIABLES, Settings
from tests.packaging.generated import STAGES, infrastructure, merged_template
from tools.package import write_template

LOGICAL_IDS = {"EventsQueue", "EventsDeadLetters", "WorkQueue", "WorkDeadLetters", "FindingsTable", "AlertsTopic"}
FUNCTIONS = {
    "Intake": "app.intake",
    "Route": "app.route",
    "Reconcile": "app.reconcile",
    "DriftCheck": "app.drift_check",
    "APIHandler": "app.app",
}
LOG_GROUPS = {
    "IntakeLogGroup": "Intake",
    "RouteLogGroup": "Route",
    "ReconcileLogGroup": "Reconcile",
    "DriftCheckLogGroup": "DriftCheck",
    "ApiHandlerLogGroup": "APIHandler",
}
SETTING_PARAMETERS = {
    "window_seconds": "WindowSeconds",
    "settle_seconds": "SettleSeconds",
    "revisit_seconds": "RevisitSeconds",
    "reminder_seconds": "ReminderSeconds",
}


@pytest.fixture(params=STAGES)
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    return merged_template(request.param)


def of_type(template: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: found["Properties"] for name, found in template["Resources"].items() if found["Type"] == kind}


def functions(template: dict[str, Any]) -> dict[str, Any]:
    return of_type(template, "AWS::Serverless::Function")


def events_of(template: dict[str, Any], function: str) -> Any:
    (event,) = functions(template)[function]["Events"].values()
    return event["Properties"]


def parameter(name: str) -> dict[str, Any]:
    found: dict[str, Any] = infrastructure()["Parameters"][name]
    return found


def test_functions_are_those_of_the_app(template: dict[str, Any]) -> None:
    """Each function's handler is an attribute of app.py, and each decorated function is deployed."""
    handlers = {name: found["Handler"] for name, found in functions(template).items()}
    assert handlers == FUNCTIONS
    assert all(callable(getattr(app, handler.removeprefix("app."))) for handler in handlers.values())


def test_merge_template_invents_no_resource(template: dict[str, Any]) -> None:
    """An override that misspells a generated name would become a resource without a type."""
    assert [name for name, found in template["Resources"].items() if "Type" not in found] == []
    assert set(template["Resources"]) >= LOGICAL_IDS


def test_every_setting_reaches_every_function(template: dict[str, Any]) -> None:
    """The variables are exactly those that chalicelib.settings reads; a name spelled differently is a missing one."""
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert sorted(variables) == sorted(VARIABLES.values())
    own = [found["Environment"]["Variables"] for found in functions(template).values()]
    assert all(names.keys().isdisjoint(VARIABLES.values()) for names in own)


def test_parameters_default_to_the_settings_defaults() -> None:
    """The template and chalicelib.settings tell the same numbers."""
    assert set(SETTING_PARAMETERS) == set(NUMBERS)
    defaults = {field: parameter(name)["Default"] for field, name in SETTING_PARAMETERS.items()}
    assert defaults == {field: getattr(Settings(), field) for field in NUMBERS}


def test_logs_carry_one_service_and_metrics_one_namespace(template: dict[str, Any]) -> None:
    """Logger and metrics read these variables; without them every line says service_undefined."""
    for found in functions(template).values():
        variables = found["Environment"]["Variables"]
        assert variables["POWERTOOLS_SERVICE_NAME"] == "egress-keeper"
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "EgressKeeper"
        assert variables["LOG_LEVEL"] in {"DEBUG", "INFO"}


def test_every_route_is_authorised_by_iam(template: dict[str, Any]) -> None:
    """Chalice has no default authorizer: a route without one is open to the world."""
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    operations = {
        (path, method): operation
        for path, methods in definition["paths"].items()
        for method, operation in methods.items()
    }
    assert len(operations) == sum(len(methods) for methods in app.app.routes.values())
    assert {key for key, operation in operations.items() if operation.get("security") != [{"sigv4": []}]} == set()
    assert definition["securityDefinitions"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"


@pytest.mark.parametrize(("function", "queue"), [("Route", "EventsQueue"), ("Reconcile", "WorkQueue")])
def test_queue_sources(template: dict[str, Any], function: str, queue: str) -> None:
    """The source is the stack's own queue, and only the failed messages of a batch come back."""
    source = events_of(template, function)
    assert source["Queue"] == {"Fn::Sub": f"${{{queue}.Arn}}"}
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_route_reads_with_the_least_concurrency(template: dict[str, Any]) -> None:
    """A burst of events must not become a burst of DescribeInstances, nor throttled messages dead letters."""
    assert events_of(template, "Route")["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert all("ReservedConcurrentExecutions" not in found for found in functions(template).values())


def test_visits_take_one_message_each(template: dict[str, Any]) -> None:
    """A batch of visits would fail or time out together, and FIFO takes no batching window."""
    source = events_of(template, "Reconcile")
    assert (source["BatchSize"], source["MaximumBatchingWindowInSeconds"]) == (1, 0)


def test_events_stay_hidden_for_six_timeouts(template: dict[str, Any]) -> None:
    """Shorter, and a message in work is handed out again (Lambda's guide: six times the timeout plus the window)."""
    hidden = template["Resources"]["EventsQueue"]["Properties"]["VisibilityTimeout"]
    window = events_of(template, "Route")["MaximumBatchingWindowInSeconds"]
    assert hidden >= 6 * functions(template)["Route"]["Timeout"] + window


def test_a_failed_visit_comes_back_soon_and_never_beside_itself(template: dict[str, Any]) -> None:
    """Longer than the timeout, or two visits would overlap; hardly longer, or a cluster waits behind its failure."""
    hidden = template["Resources"]["WorkQueue"]["Properties"]["VisibilityTimeout"]
    timeout = functions(template)["Reconcile"]["Timeout"]
    assert timeout < hidden <= 1.5 * timeout


def test_queues_lose_nothing(template: dict[str, Any]) -> None:
    """Every queue keeps messages for the longest time there is, encrypted, and both work queues have dead letters."""
    queues = of_type(template, "AWS::SQS::Queue")
    assert {name: found["MessageRetentionPeriod"] for name, found in queues.items()} == dict.fromkeys(queues, 1209600)
    assert all(found["SqsManagedSseEnabled"] is True for found in queues.values())
    redrive = {name: found["RedrivePolicy"] for name, found in queues.items() if "RedrivePolicy" in found}
    assert {name: policy["deadLetterTargetArn"]["Fn::GetAtt"][0] for name, policy in redrive.items()} == {
        "EventsQueue": "EventsDeadLetters",
        "WorkQueue": "WorkDeadLetters",
    }
    assert redrive["WorkQueue"]["maxReceiveCount"] == 3


def test_work_queue_is_fifo_with_given_ids(template: dict[str, Any]) -> None:
    """Groups keep visits to a cluster apart; a deduplication by content would swallow the next window's visit."""
    queues = of_type(template, "AWS::SQS::Queue")
    assert {name for name, found in queues.items() if found.get("FifoQueue")} == {"WorkQueue", "WorkDeadLetters"}
    assert queues["WorkQueue"]["ContentBasedDeduplication"] is False
    assert queues["WorkQueue"]["DelaySeconds"] == {"Ref": "WorkDelaySeconds"}


def test_nothing_has_a_physical_name(template: dict[str, Any]) -> None:
    """Two stages must fit into one account."""
    naming = {
        "AWS::SQS::Queue": "QueueName",
        "AWS::SNS::Topic": "TopicName",
        "AWS::DynamoDB::Table": "TableName",
        "AWS::Serverless::Function": "FunctionName",
        "AWS::Serverless::Api": "Name",
        "AWS::IAM::Role": "RoleName",
        "AWS::CloudWatch::Alarm": "AlarmName",
    }
    named = [
        (kind, name) for kind, key in naming.items() for name, own in of_type(template, kind).items() if key in own
    ]
    assert named == []


def test_delay_is_longer_than_the_window_by_default() -> None:
    """Otherwise a visit could start before the last event of its window arrived, and that event would be lost."""
    assert parameter("WorkDelaySeconds")["Default"] > parameter("WindowSeconds")["Default"]
    assert parameter("WindowSeconds")["Default"] in parameter("WindowSeconds")["AllowedValues"]
    assert parameter("WorkDelaySeconds")["Default"] in parameter("WorkDelaySeconds")["AllowedValues"]


def test_stack_refuses_a_delay_within_the_window() -> None:
    """The rules admit exactly the pairs with a longer delay, for every window that may be chosen."""
    admitted = {
        int(rule["RuleCondition"]["Fn::Equals"][1]): {
            int(d) for d in rule["Assertions"][0]["Assert"]["Fn::Contains"][0]
        }
        for rule in infrastructure()["Rules"].values()
    }
    delays = parameter("WorkDelaySeconds")["AllowedValues"]
    assert admitted == {
        window: {delay for delay in delays if delay > window} for window in parameter("WindowSeconds")["AllowedValues"]
    }
    assert all(admitted.values())


def test_window_fits_the_deduplication_interval() -> None:
    """SQS remembers a deduplication id for five minutes, and delays by at most fifteen."""
    assert max(parameter("WindowSeconds")["AllowedValues"]) < 300
    assert max(parameter("WorkDelaySeconds")["AllowedValues"]) <= 900
    assert parameter("RevisitSeconds")["MaxValue"] <= 900


def test_rule_of_intake(template: dict[str, Any]) -> None:
    """The packaged pattern is the tested one, and what cannot be delivered or handled is kept as it came."""
    rule = events_of(template, "Intake")
    dead_letters = {"Fn::GetAtt": ["EventsDeadLetters", "Arn"]}
    assert rule["Pattern"] == EC2_STATE_CHANGE
    assert rule["DeadLetterConfig"] == {"Arn": dead_letters}
    assert rule["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert functions(template)["Intake"]["DeadLetterQueue"] == {"Type": "SQS", "TargetArn": dead_letters}


def test_schedule_is_a_parameter(template: dict[str, Any]) -> None:
    """Chalice's schedule gives way to the operator's, and a failed run does not pile up behind the next."""
    assert events_of(template, "DriftCheck")["Schedule"] == {"Ref": "ScheduleExpression"}
    assert parameter("ScheduleExpression")["Default"] == "rate(1 minute)"
    assert functions(template)["DriftCheck"]["EventInvokeConfig"]["MaximumRetryAttempts"] == 0


def test_log_groups_name_their_functions(template: dict[str, Any]) -> None:
    """Chalice names the API's log group after a function that it renames: unrepaired, the stack is refused."""
    groups = of_type(template, "AWS::Logs::LogGroup")
    expected = {name: {"Fn::Sub": f"/aws/lambda/${{{function}}}"} for name, function in LOG_GROUPS.items()}
    assert {name: found["LogGroupName"] for name, found in groups.items()} == expected
    assert all(found["RetentionInDays"] == {"Ref": "LogRetentionDays"} for found in groups.values())


def test_nothing_is_traced(template: dict[str, Any]) -> None:
    """Tracing costs money and a quarter of a second per cold start; no policy allows it."""
    assert {found["Tracing"] for found in functions(template).values()} == {"PassThrough"}


def test_api_answers_before_the_gateway_gives_up(template: dict[str, Any]) -> None:
    """API Gateway waits 29 seconds."""
    assert functions(template)["APIHandler"]["Timeout"] <= 29


def test_only_what_calls_clusters_is_in_the_vpc(template: dict[str, Any]) -> None:
    """The others need no route to a cluster, and would need one to AWS."""
    assert {name for name, found in functions(template).items() if "VpcConfig" in found} == {"Reconcile", "APIHandler"}


def test_table_forgets_and_recovers(template: dict[str, Any]) -> None:
    """The keys and the expiry attribute are the ones that the memory adapter writes."""
    table = template["Resources"]["FindingsTable"]["Properties"]
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [("pk", "HASH"), ("sk", "RANGE")]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_written_template_has_no_aliases(template: dict[str, Any], tmp_path: Path) -> None:
    """Chalice's YAML refers back to equal values; CloudFormation does not support that."""
    source, target = tmp_path / "sam.yaml", tmp_path / "plain.yaml"
    source.write_text(yaml.safe_dump(template), encoding="utf-8")
    assert "&id001" in source.read_text(encoding="utf-8")
    write_template(source, target)
    assert "&id" not in target.read_text(encoding="utf-8")
    assert yaml.safe_load(target.read_text(encoding="utf-8")) == template
