"""What is remembered between visits: findings with their history, and runs.

Losing it loses no address and no repair, only the memory of who was told what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """A finding's memory between visits. Times in UTC.

    Attributes:
        state: "seen" (not settled yet), "due" (people must hear of it), "alerted", or "resolved".
        alerted_at: When people were last told; None before the first message.
        document: The finding as JSON-ready values, as last seen.
        version: Counter for conditional writes; 0 for a record that is not stored yet.
        tries: How many times an action that repairs it was applied while it was open.
        tried_at: The last of these times.
    """

    fingerprint: str
    cluster: str
    state: str
    first_seen: datetime
    last_seen: datetime
    alerted_at: datetime | None
    document: Mapping[str, Any]
    version: int = 0
    tries: int = 0
    tried_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One visit's summary. `status` is queued, running, done, refused or failed."""

    run_id: str
    cluster: str
    status: str
    started_at: datetime
    document: Mapping[str, Any]
