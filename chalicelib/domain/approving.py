"""Approvals: how long a person's word for a plan holds, and what it still covers once the plan has been begun.

A plan that was broken off half way is a shorter one with another digest. What was approved is therefore noted before
the first action (`records.ApprovedPlan`), and what is left passes on the strength of that note, but only together with
the approval itself.

Belongs here: what is noted of an approved plan, and what it covers. Does not belong here: what needs an approval at all
(`guard`), keeping the note (`usecases.approving`).

The approved plan passes while the approval holds, and until it has been carried out. What is left of it passes if

- it takes serving addresses only by actions of the approved plan, each in the form that it had there,
- its rehearsal objects to nothing that it did not object to then.

Beside it may stand what needs no approval: the release of reservations that have become free, a kick.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.domain.actions import Action, ApplyEgressIp, DeleteEgressIp
from chalicelib.domain.plan import Plan, action_document
from chalicelib.domain.records import ApprovedPlan
from chalicelib.domain.rehearsing.rehearsal import Objection

APPROVAL_HOLDS = timedelta(hours=1)
"""Many times what the work queue needs for its three deliveries; what comes back after days approves nothing."""

_PASSING = frozenset({"marks", "version", "summary", "reason", "serving"})
"""What an action says of the moment in which it was planned: the same change a minute later may say something else."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word for one plan: its digest, and when they gave it."""

    digest: str
    at: datetime


def note_of(planned: Plan, approval: Approval) -> ApprovedPlan:
    """What is to be remembered of an approved plan before it is begun."""
    on_objects = [action for action in planned.actions if isinstance(action, ApplyEgressIp | DeleteEgressIp)]
    return ApprovedPlan(
        planned.cluster,
        approval.digest,
        approval.at,
        frozenset(_action_key(action) for action in on_objects),
        frozenset(_objection_key(objection) for objection in objections_of(planned)),
    )


def covers(begun: ApprovedPlan, taking: Collection[Action], objections: Collection[Objection]) -> bool:
    """Whether all of these actions that take serving addresses, and all of these objections, were approved with it."""
    return (
        not begun.done
        and {_action_key(action) for action in taking} <= begun.actions
        and {_objection_key(objection) for objection in objections} <= begun.objections
    )


def lapse(approval: Approval, begun: ApprovedPlan | None, now: datetime) -> str:
    """Why an approval does not count any more, as a sentence; empty where it does.

    An order that is delivered once more after its plan was carried out must not empty a cluster that came back to the
    same state. Whoever approves such a plan anew does so later, and is heard.
    """
    if begun is not None and begun.done and approval.at <= begun.approved_at:
        return f"The approved plan {approval.digest} has been carried out already."
    if now - approval.at > APPROVAL_HOLDS:
        return f"The approval of {approval.digest} does not count any more: one holds for an hour."
    return ""


def objections_of(planned: Plan) -> tuple[Objection, ...]:
    """What its rehearsal objects to."""
    return planned.rehearsal.objections if planned.rehearsal is not None else ()


def _action_key(action: Action) -> str:
    lasting = {key: value for key, value in action_document(action).items() if key not in _PASSING}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:16]


def _objection_key(objection: Objection) -> str:
    """Without its words: they name versions, and nodes that come and go."""
    return f"{objection.kind} {objection.policy} {objection.address}"
