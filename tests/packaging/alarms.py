"""CloudWatch alarms as CloudWatch judges them: the template's own, over metrics that a test collects."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.packaging.generated import infrastructure

Key = tuple[str, str, frozenset[tuple[str, str]]]

COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
}
STATISTICS: Mapping[str, Callable[[list[float]], float]] = {"Sum": sum, "Maximum": max, "Minimum": min}


@dataclass
class Metrics:
    """Data points by namespace, name and dimensions: (moment in seconds, value)."""

    points: dict[Key, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def put(self, namespace: str, name: str, at: float, value: float, **dimensions: str) -> None:
        self.points[namespace, name, frozenset(dimensions.items())].append((at, value))

    def put_embedded(self, line: Mapping[str, Any], at: float) -> None:
        """One line in embedded metric format, as the functions write it to their log."""
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = {name: str(line[name]) for name in names}
                for metric in directive["Metrics"]:
                    values = line[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        self.put(directive["Namespace"], metric["Name"], at, value, **dimensions)

    def series(self, key: Key, statistic: str, period: float, now: float, count: int) -> list[float | None]:
        """The statistic of the last *count* periods, oldest first; None where there is no point."""
        found: list[float | None] = []
        for back in range(count, 0, -1):
            begin, end = now - back * period, now - (back - 1) * period
            values = [value for at, value in self.points.get(key, ()) if begin <= at < end]
            found.append(STATISTICS[statistic](values) if values else None)
        return found


class Series(list[float | None]):
    """Metric math over series, as far as the template uses it."""

    def __add__(self, other: Any) -> Series:  # type: ignore[override]  # a sum, where a list would be longer
        return Series(None if None in pair else pair[0] + pair[1] for pair in zip(self, other, strict=True))

    def __sub__(self, other: Any) -> Series:
        return Series(None if None in pair else pair[0] - pair[1] for pair in zip(self, other, strict=True))


def fill(series: Series, value: float) -> Series:
    return Series(value if one is None else one for one in series)


def diff(series: Series) -> Series:
    return Series([None, *(None if a is None or b is None else b - a for a, b in pairwise(series))])


def alarms() -> dict[str, dict[str, Any]]:
    """The template's alarms by name."""
    resources = infrastructure()["Resources"].items()
    return {name: made["Properties"] for name, made in resources if made.get("Type") == "AWS::CloudWatch::Alarm"}


def rings(alarm: Mapping[str, Any], metrics: Metrics, now: float, resolve: Callable[[Any], Any]) -> bool:
    """Whether the alarm is in state ALARM at *now*; *resolve* evaluates the template's intrinsic functions."""
    wanted = int(alarm["EvaluationPeriods"])
    series = _series(alarm, metrics, now, resolve, wanted + 2)[-wanted:]
    missing_rings = alarm["TreatMissingData"] == "breaching"
    compare, threshold = COMPARE[alarm["ComparisonOperator"]], float(resolve(alarm["Threshold"]))
    breaching = [missing_rings if value is None else compare(value, threshold) for value in series]
    return sum(breaching) >= int(alarm.get("DatapointsToAlarm", wanted))


def _series(
    alarm: Mapping[str, Any], metrics: Metrics, now: float, resolve: Callable[[Any], Any], count: int
) -> list[float | None]:
    def read(metric: Mapping[str, Any], statistic: str, period: float) -> Series:
        dimensions = frozenset((one["Name"], str(resolve(one["Value"]))) for one in metric["Dimensions"])
        key = (metric["Namespace"], metric["MetricName"], dimensions)
        return Series(metrics.series(key, statistic, period, now, count))

    if "Metrics" not in alarm:
        return read(alarm, alarm["Statistic"], float(alarm["Period"]))
    named: dict[str, Any] = {"FILL": fill, "DIFF": diff}
    for one in alarm["Metrics"]:
        if "MetricStat" in one:
            stat = one["MetricStat"]
            named[one["Id"]] = read(stat["Metric"], stat["Stat"], float(stat["Period"]))
    (expression,) = [one["Expression"] for one in alarm["Metrics"] if one.get("ReturnData", True)]
    return list(eval(expression, {"__builtins__": {}}, named))  # noqa: S307 - the template's own arithmetic
