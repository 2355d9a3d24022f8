"""From a snapshot and a wish to one plan. Pure: the same inputs give the same plan, byte for byte.

The steps, each in a module of its own: index the snapshot (`terrain`), give addresses to policies (`placement`),
judge every address (`verdicts`) and decide what to do about those that don't serve (`remedies`), compare reservations
(`reserving`), nodes' labels (here) and objects (`objects`), and say what is wrong (`address_findings`, `diagnosis`).
Applying a plan and planning again gives a plan without actions.
"""

from __future__ import annotations

from chalicelib.domain.actions import LabelNode
from chalicelib.domain.address_findings import diagnose_addresses
from chalicelib.domain.capacity import report_capacity
from chalicelib.domain.diagnosis import diagnose_capacity, diagnose_nodes, what_moves
from chalicelib.domain.findings import Finding, Kind, Severity, telling_order
from chalicelib.domain.objects import plan_objects
from chalicelib.domain.placement import JOINING_TIME, place
from chalicelib.domain.plan import Allocation, Plan, Withheld
from chalicelib.domain.remedies import plan_remedies
from chalicelib.domain.remembered import NOTHING_REMEMBERED, Remembered
from chalicelib.domain.reserving import plan_reservations
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.terrain import Terrain, all_known, is_our_object
from chalicelib.domain.verdicts import Verdict, judge


def plan(observed: Snapshot, desired: ClusterSpec, memory: Remembered = NOTHING_REMEMBERED) -> Plan:
    """Decide what to change, what to report, and what to leave alone and why.

    Args:
        memory: What earlier visits saw and tried; remedies wait until it says that a finding has settled.

    With a section unknown the plan holds no action: which address is free, covered or carried is a question to all of
    them at once, and a guess could take away what works. Only the address limits of instance types may be missing.
    """
    blind = tuple(_unknown_finding(section) for section in observed.unknown())
    known = all_known(observed)
    capacity = report_capacity(observed)
    if known is None or isinstance(capacity, Unknown):
        withheld = tuple(Withheld("every change", f"{s.what} could not be read: {s.why}") for s in observed.unknown())
        return Plan(desired.name, findings=_sorted(blind), withheld=withheld)
    terrain = Terrain(known, desired, capacity)
    placement = place(terrain)
    reserving = plan_reservations(terrain, placement)
    labelling, label_findings = _plan_labels(terrain)
    allocations = tuple(placement.allocations)
    verdicts = _verdicts(terrain, allocations)
    remedies = plan_remedies(terrain, verdicts, placement, memory)
    objects = plan_objects(terrain, placement, remedies)
    repairs = {action.name: action.summary for action in objects.apply}
    findings = (
        *blind,
        *placement.findings,
        *reserving.findings,
        *label_findings,
        *objects.findings,
        *diagnose_addresses(terrain, verdicts, remedies, repairs),
        *diagnose_capacity(terrain, placement),
        *diagnose_nodes(terrain),
    )
    return Plan(
        desired.name,
        actions=(
            *reserving.release,
            *reserving.reserve,
            *reserving.record,
            *labelling,
            *objects.apply,
            *objects.delete,
        ),
        findings=_sorted(findings),
        withheld=(*placement.withheld, *objects.withheld),
        allocations=allocations,
        verdicts=verdicts,
        moving=what_moves(terrain, verdicts),
    )


def _verdicts(terrain: Terrain, allocations: tuple[Allocation, ...]) -> tuple[Verdict, ...]:
    wanted: dict[str, set[str]] = {policy.name: set() for policy in terrain.desired.policies}
    for allocation in allocations:
        wanted[allocation.policy].add(str(allocation.address))
    leftover = {e.name for e in terrain.observed.egress_ips if is_our_object(e)}
    return judge(terrain, tuple(sorted(leftover | set(wanted))), wanted)


def _plan_labels(terrain: Terrain) -> tuple[tuple[LabelNode, ...], tuple[Finding, ...]]:
    """Nodes of the fleet file's pools that lack the label.

    HCP applies pool labels once, when a node is born, and never again: there we set it. On classic an operator does,
    and a label set by hand makes it take the label from sibling nodes: there a person is told.
    """
    pools = {pool.name for pool in terrain.desired.machine_pools}
    actions: list[LabelNode] = []
    findings: list[Finding] = []
    for node in sorted(terrain.observed.nodes, key=lambda node: node.name):
        instance = terrain.instance_by_id.get(node.instance_id or "")
        pool = instance.pool if instance else None
        if pool not in pools or node.assignable is not None or node.deleting or node.uninitialized:
            continue
        hosted = node.pool is not None
        grown_up = node.created_at <= terrain.observed.taken_at - JOINING_TIME
        action = LabelNode(node.name, (), f"machine pool {pool} is to carry egress addresses")
        if hosted:
            actions.append(action)
        findings.append(
            Finding(
                Kind.NODE_LABEL_MISSING,
                f"node {node.name}",
                Severity.WARNING,
                f"Node {node.name} of machine pool {pool} lacks the label {ASSIGNABLE_LABEL}.",
                impact="OVN-Kubernetes moves every egress address off it, and gives it none.",
                todo="" if hosted else f"Check the labels of machine pool {pool} in OCM; never label the node by hand.",
                repaired_by=action.summary if hosted else "",
                cause=f"labels of machine pool {pool}",
                certain=grown_up,
            )
        )
    return tuple(actions), tuple(findings)


def _unknown_finding(section: Unknown) -> Finding:
    return Finding(
        Kind.SECTION_UNKNOWN,
        section.what,
        Severity.CRITICAL,
        f"{section.what[:1].upper()}{section.what[1:]} could not be read: {section.why}.",
        impact="Egress goes on as it is; what depends on it is neither checked nor repaired.",
        todo=f"See that {section.source} answers and that its credentials are valid.",
        cause=f"{section.source} does not answer",
    )


def _sorted(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    unique = {(f.kind, f.subject): f for f in findings}
    return tuple(sorted(unique.values(), key=lambda f: telling_order(f.severity, f.kind, f.subject)))
