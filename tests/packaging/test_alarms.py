"""The keeper's own alarms: what each watches exists, and none is told only by what it is about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib import telemetry
from tests.packaging.alarms import Metrics, alarms, rings
from tests.packaging.generated import PROJECT


def emitted(capsys: pytest.CaptureFixture[str]) -> Metrics:
    metrics = Metrics()
    for line in capsys.readouterr().out.splitlines():
        metrics.put_embedded(json.loads(line), 100.0)
    return metrics


def resolve(value: Any) -> Any:
    known = {"AWS::StackName": "prod", "LateVisitMinutes": 5, "CredentialDays": 7}
    return known[value["Ref"]] if isinstance(value, dict) else value


def test_every_alarm_is_told_outside_of_the_alerts_topic() -> None:
    """An alarm about messages that can't be sent must not go the same way."""
    watch = {"Fn::If": ["OwnWatchTopic", {"Ref": "WatchTopic"}, {"Ref": "WatchTopicArn"}]}
    assert [name for name, alarm in alarms().items() if alarm["AlarmActions"] != [watch]] == []


def test_every_alarm_and_metric_is_explained() -> None:
    """Whoever is called by an alarm finds it on the page."""
    page = (PROJECT / "docs" / "watching.md").read_text()
    metrics = {"MinutesSinceGoodVisit", "AlertsNotSent", "CredentialDaysLeft"}
    assert [name for name in (*alarms(), *sorted(metrics)) if f"`{name}`" not in page] == []


@pytest.mark.parametrize(("minutes", "ringing"), [(5.0, False), (5.1, True)])
def test_the_worst_cluster_rings(minutes: float, ringing: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """One alarm for all clusters, whose names the template does not know."""
    telemetry.record_watch("prod", {"a": 0.5, "b": minutes, "c": 1.0})
    assert rings(alarms()["LateVisitAlarm"], emitted(capsys), 101.0, resolve) is ringing


def test_without_numbers_the_watch_rings(capsys: pytest.CaptureFixture[str]) -> None:
    """A table that does not answer, a schedule that does not run, another stack's numbers: all of it is silence."""
    alarm = alarms()["LateVisitAlarm"]
    assert rings(alarm, Metrics(), 101.0, resolve)
    telemetry.record_watch("dev", {"a": 0.5})
    assert rings(alarm, emitted(capsys), 101.0, resolve)


@pytest.mark.parametrize(("days", "ringing"), [(7.5, False), (6.5, True)])
def test_the_credential_that_ends_first_rings(days: float, ringing: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the other clusters' tokens are good for."""
    telemetry.record_credential("prod", "a", 300.0)
    telemetry.record_credential("prod", "b", days)
    assert rings(alarms()["CredentialEndingAlarm"], emitted(capsys), 101.0, resolve) is ringing
    assert not rings(alarms()["CredentialEndingAlarm"], Metrics(), 101.0, resolve)


def test_one_visit_that_could_not_tell_rings(capsys: pytest.CaptureFixture[str]) -> None:
    """Alerts that cannot be sent are an alarm at once, and no alarm where all went out."""
    assert not rings(alarms()["AlertsNotSentAlarm"], Metrics(), 101.0, resolve)
    telemetry.record_unsent("prod", "a", "SNS: Publish: 500")
    assert rings(alarms()["AlertsNotSentAlarm"], emitted(capsys), 101.0, resolve)
