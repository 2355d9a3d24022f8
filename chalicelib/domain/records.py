"""What is remembered between visits: findings with their history, silences, runs, and plans that a person approved.

Losing it loses no address and no repair, only the memory of who was told what, and an approval whose plan was begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

SEEN, DUE, ALERTED, RESOLVED = "seen", "due", "alerted", "resolved"
"""Not settled yet; people must hear of it; people have heard; people have heard of its end.

DUE outlives a message that could not be sent. RESOLVED is kept for a while, so that what comes back is not new.
"""


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """A finding's memory between visits. Times in UTC. How the fields change is `domain.telling.life`.

    Attributes:
        state: One of the four above.
        first_seen: When it was first seen; anew once it came back after its end was told.
        alerted_at: When people were last told; None before the first message.
        document: The finding as JSON-ready values, as last seen.
        version: Counter for conditional writes; 0 for a record that is not stored yet.
        tries: How many times an action that repairs it was applied; kept while it comes and goes.
        tried_at: The last of these times.
        present_since: Since when it has been seen without a gap; None means since `first_seen`.
        absent_since: Since when complete visits have not seen it; None while it is there.
        returns: How many times it went away and came back.
        told: The severity that people were told of; empty where they know of nothing, or of its end.
        claimed_at: When a visit set out to tell; None once it has told. Keeps two visits from telling the same.
        told_as: The summary that people were told of; its end is told in the same words.
        repair: Summary of the last action that was applied to repair it.
        hushed: A silence or a maintenance window holds back what people would have heard since they were last told.
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
    present_since: datetime | None = None
    absent_since: datetime | None = None
    returns: int = 0
    told: str = ""
    claimed_at: datetime | None = None
    hushed: bool = False
    told_as: str = ""
    repair: str = ""

    @property
    def open_since(self) -> datetime | None:
        """Since when every visit has seen it; None where the last complete one did not."""
        return None if self.absent_since is not None else (self.present_since or self.first_seen)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One visit's summary. `status` is queued, running, done, refused or failed."""

    run_id: str
    cluster: str
    status: str
    started_at: datetime
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ApprovedPlan:
    """What a person approved, noted before it was begun. It approves nothing by itself (`approving`).

    Attributes:
        digest: The plan's.
        approved_at: When the approval was given with which it was begun.
        actions: Keys of its actions on EgressIPs, the only ones that can take a serving address.
        objections: Keys of what its rehearsal objected to.
        done: It was carried out: an approval given until then counts no more.
    """

    cluster: str
    digest: str
    approved_at: datetime
    actions: frozenset[str] = frozenset()
    objections: frozenset[str] = frozenset()
    done: bool = False

    @property
    def carried_out(self) -> ApprovedPlan:
        """The same, with nothing left."""
        return replace(self, actions=frozenset(), objections=frozenset(), done=True)
