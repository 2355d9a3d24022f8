"""Every payload in events/ through the exported handlers: acted, dropped with a reason, or failed; nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.plumbing import FunctionError
from sandbox.stage import Stage
from tests.e2e.test_main_job import POLICIES, scenario

EVENTS = Path(__file__).resolve().parents[2] / "events"
FUNCTION_BY_FILE = {
    "ec2-instance-running": "intake",
    "ec2-instance-terminated": "intake",
    "schedule": "drift_check",
    "sqs-events-batch": "route",
    "sqs-work": "reconcile",
    "api-get-capacity": "api_handler",
    "api-post-reconcile": "api_handler",
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage(scenario(), POLICIES) as running:
        yield running


def payload(name: str) -> dict[str, Any]:
    return dict(json.loads((EVENTS / f"{name}.json").read_text()))


def invoke(stage: Stage, function: str, event: dict[str, Any]) -> Any:
    return stage.plumbing.invoker.invoke(stage.plumbing.wiring.functions[function], event)


def test_there_is_a_payload_for_every_trigger_and_a_trigger_for_every_payload() -> None:
    """A new trigger needs a payload here."""
    assert {path.stem for path in EVENTS.glob("*.json")} == set(FUNCTION_BY_FILE)
    assert set(FUNCTION_BY_FILE.values()) == {"intake", "route", "reconcile", "drift_check", "api_handler"}


@pytest.mark.parametrize("name", sorted(FUNCTION_BY_FILE))
def test_every_payload_is_understood(stage: Stage, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As AWS documents it, each payload leads to an orderly end, and nothing secret into the log."""
    answer = invoke(stage, FUNCTION_BY_FILE[name], payload(name))
    if FUNCTION_BY_FILE[name] in ("route", "reconcile"):
        assert answer == {"batchItemFailures": []}
    elif FUNCTION_BY_FILE[name] == "api_handler":
        assert answer["statusCode"] in (200, 202, 404)
    else:
        assert answer is None
    token = next(iter(stage.rosa.tokens))
    assert f"Bearer {token}" not in capsys.readouterr().out


def test_a_finding_is_silenced_over_the_api(stage: Stage) -> None:
    """The record has the identity that IAM knows the caller by; what is wrong is one sentence."""
    body = {"fingerprint": "0" * 16, "for": "2h", "why": "known"}
    answer = stage.plumbing.request("POST", "/clusters/payments/silences", body)
    assert (answer.status, answer.json["error"].partition(";")[0]) == (404, f"finding: {'0' * 16} is not open")
    answer = stage.plumbing.request("POST", "/clusters/payments/silences", {**body, "for": "2 hours"})
    assert (answer.status, answer.json["error"].partition(":")[0]) == (400, "body.for")
    stage.put_fleet(stage.default_fleet.replace("10.10.100.253", "10.99.0.1"))
    stage.run_for(70)
    stage.plumbing.tick_schedules()
    stage.run_for(70)
    drift = stage.plumbing.request("GET", "/clusters/payments/drift").json["clusters"][0]
    fingerprint = next(f["fingerprint"] for f in drift["findings"] if f["kind"] == "address-outside")
    ann = {"userArn": "arn:aws:iam::123456789012:user/ann"}
    answer = stage.plumbing.request(
        "POST", "/clusters/payments/silences", {**body, "fingerprint": fingerprint}, identity=ann
    )
    assert (answer.status, answer.json["silences"][0]["who"]) == (201, ann["userArn"])
    drift = stage.plumbing.request("GET", "/clusters/payments/drift").json["clusters"][0]
    (quiet,) = [f["quiet"] for f in drift["findings"] if f["fingerprint"] == fingerprint]
    assert (quiet["who"], quiet["why"]) == (ann["userArn"], "known")
    assert stage.plumbing.request("GET", "/clusters/payments/silences").json["silences"]
    answer = stage.plumbing.request("DELETE", f"/clusters/payments/silences/{fingerprint}", identity=ann)
    assert answer.json["silences"][0]["ended_by"] == ann["userArn"]
    stage.put_fleet(stage.default_fleet)


def test_a_malformed_message_is_dropped_and_counted(
    stage: Stage, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is never given back: a message that nobody can read would come again for ever."""
    for function, source in (("route", "sqs-events-batch"), ("reconcile", "sqs-work")):
        caplog.clear()
        event = payload(source)
        for record in event["Records"]:
            record["body"] = '{"keeper": "nonsense"}'
        assert invoke(stage, function, event) == {"batchItemFailures": []}
        dropped = [record for record in caplog.records if "dropped" in record.getMessage()]
        assert len(dropped) == len(event["Records"])
        assert all("keeper" in vars(record)["why"] for record in dropped)
        assert '"Dropped":[1.0]' in capsys.readouterr().out


def test_a_missing_setting_is_one_error_that_names_all(stage: Stage) -> None:
    """A function without its environment says what it lacks."""
    function = stage.plumbing.wiring.functions["drift_check"]
    bare = type(function)(**{**function.__dict__, "environment": {"KEEPER_TABLE": "", "KEEPER_TOPIC_ARN": ""}})
    with pytest.raises(FunctionError, match="KEEPER_TABLE is not set; KEEPER_TOPIC_ARN is not set"):
        stage.plumbing.invoker.invoke(
            type(function)(**{**bare.__dict__, "environment": {**function.environment, **bare.environment}}),
            payload("schedule"),
        )


def test_a_visit_emits_its_metrics(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Capacity, headroom and N−1 by zone, drifted addresses, duration and calls, in embedded metric format."""
    stage.plumbing.tick_schedules()
    stage.run_for(60)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]
    names = {metric["Name"] for line in lines for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert {"Capacity", "Headroom", "HeadroomAfterLoss", "DriftedAddresses", "VisitDuration", "Calls"} <= names
    zones = {line["zone"] for line in lines if "zone" in line}
    assert zones == {"eu-central-1a", "eu-central-1b", "eu-central-1c"}


def test_a_broken_edit_of_the_fleet_file_leaves_the_last_good_one_in_force(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """A typo at night must not end the watch; it is said and counted."""
    assert stage.plumbing.request("GET", "/clusters").status == 200
    stage.put_fleet("clusters: 7")
    stage.run_for(120)
    answer = stage.plumbing.request("GET", "/clusters")
    assert [cluster["cluster"] for cluster in answer.json["clusters"]] == ["payments"]
    assert any("last good one stays" in record.getMessage() for record in caplog.records)
    stage.put_fleet(stage.default_fleet)
