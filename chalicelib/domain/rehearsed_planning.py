"""Planning and rehearsing in turns, until what is planned does no harm as far as the twin can tell.

Belongs here: what follows from an objection. Does not belong here: finding objections (`rehearsal`), planning itself.

    an address that the plan asks for jams, or would not serve instead of what it replaces
                                             → it is held: reserved and remembered, not asked for yet; then planning
                                               takes nothing from its policy either
    one action makes something stop or fail  → the plan goes without this action
    only all of them together do             → the guard refuses the plan, for a person to look at
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chalicelib.domain.findings import FAIL_OPEN, Finding, Kind, Severity, seconds
from chalicelib.domain.plan import Plan, Withheld
from chalicelib.domain.planning import in_telling_order, plan
from chalicelib.domain.rehearsing.rehearsal import Objection, rehearse
from chalicelib.domain.remembered import NOTHING_REMEMBERED, Remembered
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.terrain import LEAVING_TIME

MOST_ROUNDS = 6
"""One is usual. Each round holds or drops all that it objects to, so that a further one is for what this brought up."""


def plan_rehearsed(observed: Snapshot, desired: ClusterSpec, memory: Remembered = NOTHING_REMEMBERED) -> Plan:
    """The plan, rehearsed, without what the rehearsal objects to; what it still objects to is in `Plan.rehearsal`."""
    held: dict[tuple[str, str], Objection] = {}
    dropped: dict[str, Objection] = {}
    for _ in range(MOST_ROUNDS):
        whole = plan(observed, desired, memory, holds={key: o.sentence for key, o in held.items()})
        planned = _without(whole, dropped)
        rehearsal = rehearse(planned.actions, observed)
        planned = replace(planned, rehearsal=rehearsal)
        objections = rehearsal.objections if rehearsal else ()
        more = {(o.policy, o.address): o for o in objections if o.adds}
        if more:
            # The rest may be their doing.
            held.update(more)
            continue
        to_drop = {planned.actions[o.position].summary: o for o in objections if o.position is not None}
        if not to_drop:
            break
        dropped.update(to_drop)
    findings = [_finding(objection) for objection in (*held.values(), *dropped.values())]
    return replace(planned, findings=in_telling_order((*planned.findings, *findings))) if findings else planned


def _without(planned: Plan, dropped: Mapping[str, Objection]) -> Plan:
    gone = {action.summary for action in planned.actions if action.summary in dropped}
    if not gone:
        return planned
    return replace(
        planned,
        actions=tuple(action for action in planned.actions if action.summary not in gone),
        findings=tuple(replace(f, repaired_by="") if f.repaired_by in gone else f for f in planned.findings),
        withheld=(*planned.withheld, *(Withheld(summary, dropped[summary].sentence) for summary in sorted(gone))),
    )


def _finding(objection: Objection) -> Finding:
    """A change that is not made because of what it would do, for people, if it does not come to pass soon after all."""
    return Finding(
        Kind.PLAN_REFUSED,
        f"address {objection.address} of {objection.policy}",
        Severity.WARNING,
        f"A change is held back. {objection.sentence}",
        impact=FAIL_OPEN if objection.adds and objection.kind != "leaves" else "Egress goes on as it is.",
        todo="What keeps it from ending well is in its reason, and as a rule a finding of its own. To have it all the"
        " same, change the EgressIP by hand.",
        remedy="rehearses it anew at every visit, and does it once it ends well",
        cause="rehearsal",
        patience_seconds=seconds(LEAVING_TIME),
    )
