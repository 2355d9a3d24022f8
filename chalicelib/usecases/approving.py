"""Approving: what was approved is noted before it is begun, so that a killed visit is finished by its own order.

Belongs here: reading and writing the note. Does not belong here: what it covers (`domain.approving`).

Where the table cannot be

- read, what is left of a plan is refused as any other plan is: unknown is not approved. The plan itself passes;
- written before the first action, that is done all the same: a person waits for exactly this;
- written after the last one, an order that comes again could use its approval once more, for the rest of its hour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.approving import Approval, lapse, note_of
from chalicelib.domain.plan import Plan
from chalicelib.domain.records import ApprovedPlan
from chalicelib.usecases.ports import Memory


@dataclass(frozen=True, slots=True)
class Standing:
    """What an approval is worth in one visit.

    Attributes:
        approval: The one that counts; None where there is none, or it does not count any more.
        begun: What is noted of its plan; None where nothing is, or it could not be read.
        lapsed: Why there is none that counts, as a sentence.
        unread: The note could not be read.
    """

    approval: Approval | None = None
    begun: ApprovedPlan | None = None
    lapsed: str = ""
    unread: bool = False

    @property
    def digest(self) -> str | None:
        """What the approval is of."""
        return None if self.approval is None else self.approval.digest


NOT_APPROVED = Standing()


def weigh(cluster: str, approval: Approval | None, memory: Memory | None, now: datetime) -> Standing:
    """What the approval is worth now. Asks the table only where there is one to weigh."""
    if approval is None:
        return NOT_APPROVED
    begun, unread = None, False
    try:
        begun = memory.fetch_approved(cluster, approval.digest) if memory is not None else None
    except AdapterError:
        unread = True
    if lapsed := lapse(approval, begun, now):
        return Standing(lapsed=lapsed)
    return Standing(approval, begun, unread=unread)


def begin(standing: Standing, planned: Plan, memory: Memory | None) -> Standing:
    """Note what is about to be carried out, where it is the approved plan itself."""
    if standing.approval is None or planned.digest != standing.digest:
        return standing
    begun = note_of(planned, standing.approval)
    _store(begun, memory)
    return replace(standing, begun=begun)


def finish(standing: Standing, memory: Memory | None) -> None:
    """Note that nothing is left of it: the same approval counts no more."""
    if standing.begun is not None and not standing.begun.done:
        _store(standing.begun.carried_out, memory)


def _store(begun: ApprovedPlan, memory: Memory | None) -> None:
    if memory is None:
        return
    try:
        memory.store_approved(begun)
    except AdapterError:
        return
