"""CloudFormation's linter and the SAM transform accept the merged template."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.packaging.generated import STAGES, merged_template


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transform asks boto3 for the partition of its region."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


def translated(stage: str) -> dict[str, Any]:
    """Return plain CloudFormation, as the service's transform makes it."""
    template = copy.deepcopy(merged_template(stage))
    for function in template["Resources"].values():
        if function["Type"] == "AWS::Serverless::Function":
            function["Properties"]["CodeUri"] = "s3://bucket/deployment.zip"  # what `cloudformation package` writes
    result: dict[str, Any] = Translator(managed_policy_map={}, sam_parser=Parser()).translate(template, {})
    return result


def found(template: dict[str, Any]) -> list[Any]:
    """What the linter has to say. It is loaded here: that takes seconds, and every test process collects this file."""
    from cfnlint.api import lint

    return list(lint(json.dumps(template), regions=["eu-central-1"]))


def test_linter_finds_nothing() -> None:
    """No error and no warning: unknown properties, wrong references, policy actions that do not exist."""
    assert [f"{match.rule.id} {match.message}" for match in found(merged_template("prod"))] == []


@pytest.mark.slow
def test_linter_sees_the_log_group_that_chalice_misnames() -> None:
    """The lint is able to fail: without our repair it does."""
    template = copy.deepcopy(merged_template("prod"))
    template["Resources"]["ApiHandlerLogGroup"]["Properties"]["LogGroupName"] = {"Fn::Sub": "/aws/lambda/${ApiHandler}"}
    assert "E1019" in {match.rule.id for match in found(template)}


@pytest.mark.parametrize("stage", STAGES)
def test_transform_accepts_it(stage: str) -> None:
    """Both event source mappings come out with their own queue, batch reporting and concurrency."""
    resources = translated(stage)["Resources"]
    mappings = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::Lambda::EventSourceMapping"]
    assert {mapping["EventSourceArn"]["Fn::Sub"] for mapping in mappings} == {"${EventsQueue.Arn}", "${WorkQueue.Arn}"}
    assert all(mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for mapping in mappings)
    assert all(mapping["ScalingConfig"]["MaximumConcurrency"] for mapping in mappings)


@pytest.mark.parametrize("stage", STAGES)
def test_api_has_one_stage(stage: str) -> None:
    """Unless told the version of the definition, the transform publishes the API under a second name as well."""
    resources = translated(stage)["Resources"].values()
    names = [found["Properties"].get("StageName") for found in resources if found["Type"].startswith("AWS::ApiGateway")]
    assert [name for name in names if name] == [stage]


def test_transform_keeps_what_the_merge_added() -> None:
    """Rule, dead letters, schedule, VPC and settings survive the transform."""
    resources = translated("prod")["Resources"]
    rules = {name: found["Properties"] for name, found in resources.items() if found["Type"] == "AWS::Events::Rule"}
    assert {rule.get("ScheduleExpression", {"Ref": ""})["Ref"] for rule in rules.values()} == {"", "ScheduleExpression"}
    (pattern_rule,) = [rule for rule in rules.values() if "EventPattern" in rule]
    assert pattern_rule["Targets"][0]["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["EventsDeadLetters", "Arn"]}
    visit = resources["Reconcile"]["Properties"]
    assert visit["Environment"]["Variables"]["KEEPER_TABLE"] == {"Ref": "FindingsTable"}
    assert visit["VpcConfig"]["Fn::If"][0] == "InVpc"
    assert resources["Intake"]["Properties"]["DeadLetterConfig"]["TargetArn"]["Fn::GetAtt"][0] == "EventsDeadLetters"
