"""Schedules: how often, and what EventBridge says when one is due."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox.plumbing.wiring import Schedule

_UNIT_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}


def rate_seconds(expression: str) -> float:
    """The period of a `rate(…)` expression in seconds. Raises ValueError for any other expression."""
    value, _, unit = expression.removeprefix("rate(").removesuffix(")").partition(" ")
    seconds = _UNIT_SECONDS.get(unit.removesuffix("s"))
    if not expression.startswith("rate(") or seconds is None or not value.isdigit():
        raise ValueError(f"the sandbox runs rate(…) schedules only, not {expression!r}")
    return int(value) * seconds


def scheduled_event(schedule: Schedule, when: float, *, region: str, account: str) -> dict[str, Any]:
    """The event that a schedule rule sends to its function at *when* (epoch seconds)."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:events:{region}:{account}:rule/{schedule.function}"],
        "detail": {},
    }
