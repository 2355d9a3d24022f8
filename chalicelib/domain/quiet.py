"""Quiet: why people are not told of a finding now, although they would be otherwise.

A silence is set by a person for one finding, a maintenance window stands in the fleet file. Both hold messages back and
nothing else: what can be repaired is repaired, and what is still open when they end is told then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.findings import Severity


@dataclass(frozen=True, slots=True)
class Quiet:
    """Why nothing is said of one finding.

    Attributes:
        reason: "silence" or "maintenance".
        until: When it ends, UTC.
        who: Who set the silence; empty for a maintenance window.
        severity: The worst severity that it covers: what gets worse than that is told all the same.
    """

    reason: str
    until: datetime
    who: str
    why: str
    severity: Severity = Severity.CRITICAL

    def covers(self, severity: Severity) -> bool:
        """Whether a finding of this severity is held back."""
        order = list(Severity)
        return order.index(severity) >= order.index(self.severity)
