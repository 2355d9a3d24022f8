"""From a snapshot and a wish to one plan. Pure: the same inputs give the same plan, byte for byte.

The steps, each in a module of its own: index the snapshot (`terrain`), give addresses to policies (`placement`),
judge every address (`verdicts`) and decide what to do about those that don't serve (`remedies`), compare reservations
(`reserving`), machine pools (`pooling`), nodes' labels (`labelling`) and objects (`objects`), and say what is wrong
(`address_findings`, `drift`). Applying a plan and planning again gives a plan without actions.
"""

from __future__ import annotations

from chalicelib.domain.capacity import report_capacity
from chalicelib.domain.drift.flapping import notice_moves
from chalicelib.domain.drift.nodes import diagnose_nodes, what_moves
from chalicelib.domain.drift.overlaps import diagnose_overlaps
from chalicelib.domain.drift.surroundings import diagnose_surroundings
from chalicelib.domain.drift.unread import unread_finding
from chalicelib.domain.drift.zones import diagnose_zones, lost_zones
from chalicelib.domain.findings import Finding, Severity, telling_order
from chalicelib.domain.healing.address_findings import diagnose_addresses
from chalicelib.domain.healing.remedies import plan_remedies
from chalicelib.domain.machine_pools.labelling import plan_node_labels
from chalicelib.domain.machine_pools.pooling import obstacle_in_ocm, plan_pools
from chalicelib.domain.objects import plan_objects
from chalicelib.domain.plan import Allocation, Plan, Withheld
from chalicelib.domain.policies.placement import NO_HOLDS, Holds, place
from chalicelib.domain.policies.reserving import plan_reservations
from chalicelib.domain.remembered import NOTHING_REMEMBERED, Remembered
from chalicelib.domain.snapshot import Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.terrain import Terrain, all_known, is_our_object
from chalicelib.domain.verdicts import Verdict, judge


def plan(
    observed: Snapshot,
    desired: ClusterSpec,
    memory: Remembered = NOTHING_REMEMBERED,
    *,
    holds: Holds = NO_HOLDS,
) -> Plan:
    """Decide what to change, what to report, and what to leave alone and why.

    Args:
        memory: What earlier visits saw and tried; remedies wait until it says that a finding has settled.
        holds: Addresses not to ask for yet, and why (`rehearsed_planning`).

    With a section unknown the plan holds no action: which address is free, covered or carried is a question to all of
    them at once, and a guess could take away what works. Only the address limits of instance types and OCM may be
    missing: without them machine pools are left alone, and nothing else.
    """
    blind = tuple(unread_finding(section, observed) for section in observed.unknown())
    known = all_known(observed)
    capacity = report_capacity(observed)
    if known is None or isinstance(capacity, Unknown):
        withheld = tuple(Withheld("every change", f"{s.what} could not be read: {s.why}") for s in observed.unknown())
        return Plan(
            desired.name,
            findings=in_telling_order((*blind, *obstacle_in_ocm(observed.ocm, desired))),
            withheld=withheld,
        )
    terrain = Terrain(known, desired, capacity)
    placement = place(terrain, holds)
    reserving = plan_reservations(terrain, placement)
    pooling = plan_pools(terrain, memory)
    labelling = plan_node_labels(terrain, memory)
    allocations = tuple(placement.allocations)
    verdicts = _verdicts(terrain, allocations)
    remedies = plan_remedies(terrain, verdicts, placement, memory)
    objects = plan_objects(terrain, placement, remedies)
    noticed = (
        *notice_moves(terrain, verdicts, memory),
        *diagnose_nodes(terrain, lost_zones(terrain, placement), memory),
    )
    repairs = {action.name: action.summary for action in objects.apply}
    findings = (
        *blind,
        *placement.findings,
        *reserving.findings,
        *pooling.findings,
        *labelling.findings,
        *objects.findings,
        *diagnose_addresses(terrain, verdicts, remedies, repairs),
        *diagnose_zones(terrain, placement),
        *diagnose_surroundings(terrain),
        *diagnose_overlaps(terrain),
        *(finding for finding in noticed if finding.severity is not Severity.INFO),
    )
    return Plan(
        desired.name,
        actions=(
            *reserving.release,
            *reserving.reserve,
            *reserving.record,
            *pooling.create,
            *pooling.label,
            *labelling.label,
            *remedies.assignments,
            *objects.apply,
            *objects.delete,
        ),
        findings=in_telling_order(findings),
        withheld=(*placement.withheld, *pooling.withheld, *objects.withheld),
        allocations=allocations,
        verdicts=tuple(remedies.told(verdict) for verdict in verdicts),
        moving=tuple(sorted({*what_moves(terrain, verdicts), *pooling.moving, *labelling.moving})),
        awaits=bool(terrain.joining or terrain.blinding) and any(allocation.held for allocation in allocations),
        notes=tuple(finding for finding in noticed if finding.severity is Severity.INFO),
    )


def _verdicts(terrain: Terrain, allocations: tuple[Allocation, ...]) -> tuple[Verdict, ...]:
    wanted: dict[str, set[str]] = {policy.name: set() for policy in terrain.desired.policies}
    for allocation in allocations:
        wanted[allocation.policy].add(str(allocation.address))
    leftover = {e.name for e in terrain.observed.egress_ips if is_our_object(e)}
    return judge(terrain, tuple(sorted(leftover | set(wanted))), wanted)


def in_telling_order(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Each (kind, subject) once, the worst first."""
    unique = {(f.kind, f.subject): f for f in findings}
    return tuple(sorted(unique.values(), key=lambda f: telling_order(f.severity, f.kind, f.subject)))
