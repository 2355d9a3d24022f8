"""Act: walk the plan through the adapters, in its order, and say what was applied, what failed, what was not tried.

Every action is idempotent, so an interrupted walk is finished by the next visit. A failed action holds back the later
ones of the same policies, and nothing else: one bad subnet must not stop the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from chalicelib.adapters.errors import AdapterError, Conflict, Denied, Rejected
from chalicelib.domain.actions import (
    POOL_LABELS,
    Action,
    ApplyEgressIp,
    AssignAddress,
    CreatePool,
    DeleteEgressIp,
    LabelNode,
    LabelPool,
    ReleaseReservation,
    ReserveCidr,
    TagReservation,
    UnlabelNode,
    UnlabelPool,
)
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.plan import Plan
from chalicelib.usecases.pools import PoolConflict, PoolWriter
from chalicelib.usecases.ports import ClusterApi, Ec2


@dataclass(frozen=True, slots=True)
class Failure:
    """An action that failed, or was not tried because one before it failed (`error` is None then)."""

    action: Action
    why: str
    error: AdapterError | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a plan: applied and failed actions, in the order of the plan."""

    applied: tuple[Action, ...] = ()
    failed: tuple[Failure, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One finding for each action that failed; those held back behind it need none of their own."""
        return tuple(_finding(failure, failure.error) for failure in self.failed if failure.error is not None)


def execute(plan: Plan, cluster: ClusterApi, ec2: Ec2, pools: PoolWriter | None = None) -> Report:
    """Perform the plan's actions. Raises nothing for outside trouble: it is in the report.

    Args:
        pools: What writes machine pools; None where OCM is not configured or not known, and no plan holds such a write.
    """
    applied: list[Action] = []
    failed: list[Failure] = []
    held_back: dict[str, str] = {}
    for action in plan.actions:
        blocker = next((held_back[policy] for policy in action.policies if policy in held_back), None)
        if blocker is not None:
            failed.append(Failure(action, f"not tried, because this failed before: {blocker}"))
            continue
        try:
            perform(action, cluster, ec2, pools)
        except AdapterError as error:
            failed.append(Failure(action, str(error), error))
            held_back.update(dict.fromkeys(action.policies, action.summary))
        else:
            applied.append(action)
    return Report(tuple(applied), tuple(failed))


def perform(action: Action, cluster: ClusterApi, ec2: Ec2, pools: PoolWriter | None = None) -> None:
    """Perform one action."""
    match action:
        case ReserveCidr():
            ec2.reserve_cidr(action.subnet_id, action.cidr, action.tags, f"egress addresses: {action.reason}"[:255])
        case TagReservation():
            ec2.tag_reservation(action.reservation_id, action.write, action.remove)
        case ReleaseReservation():
            ec2.release_reservation(action.reservation_id)
        case LabelNode():
            cluster.label_node(action.node, POOL_LABELS)
        case UnlabelNode():
            cluster.unlabel_node(action.node, tuple(POOL_LABELS))
        case CreatePool() | LabelPool() | UnlabelPool():
            if pools is None:
                raise Rejected("OCM", "edit machine pool", "OCM is not configured for this cluster")
            pools.perform(action)
        case AssignAddress():
            ec2.assign_address(action.interface_id, action.address)
        case ApplyEgressIp():
            labels = {**action.labels, **action.marks}
            cluster.apply_egress_ip(action.name, action.after, labels, force=action.force, version=action.version)
        case DeleteEgressIp():
            cluster.delete_egress_ip(action.name, action.uid)
        case _:
            assert_never(action)


def _todo(error: AdapterError) -> str:
    """What a person can do about a refusal; nothing about what may pass by itself."""
    if error.retryable:
        return ""
    match error:
        case Denied(source="EC2"):
            return (
                f"Give the role for the cluster's account the right ec2:{error.operation} (its policy comes with the"
                " package), and see that no service control policy denies it. The next visit tries again."
            )
        case Denied(source="cluster API"):
            return (
                "Give the service account its rights back, as cluster-admin; the next visit tries again:\n"
                "oc apply -f deploy/rbac.yaml"
            )
        case Denied(source="OCM"):
            return "Give the service account of ocm.credentials the role OCM Machine Pool Editor."
        case _:
            return (
                f"{error.source} will not do it as it is asked: change what stands above, as a rule in the fleet file."
            )


def _finding(failure: Failure, error: AdapterError) -> Finding:
    if isinstance(error, PoolConflict):
        return Finding(
            Kind.POOL_CONFLICT,
            f"labels of machine pool {error.pool}",
            Severity.WARNING,
            f"Somebody else writes the labels of machine pool {error.pool} at this moment: {error.detail}.",
            impact="Addresses that serve go on serving. The pool may lack the egress label until the next visit.",
            todo=f"See that machine pool {error.pool} has all the labels it should: {', '.join(error.keys)}.",
            remedy="" if error.lost else "the next visit looks again, and writes when nobody else does",
            cause=f"labels of machine pool {error.pool}",
            certain=error.lost,
        )
    if isinstance(error, Conflict) and error.managers:
        fields = ", ".join(f"{path} ({manager})" for path, manager in sorted(error.managers.items()))
        return Finding(
            Kind.FIELD_CONFLICT,
            f"action {failure.action.summary}",
            Severity.CRITICAL,
            f"Could not {failure.action.summary}: another manager holds {fields}.",
            impact="What the fleet file says is not in force.",
            todo="Let that manager give the field up, or write its value into the fleet file.",
        )
    return Finding(
        Kind.ACTION_FAILED,
        f"action {failure.action.summary}",
        Severity.CRITICAL,
        f"Could not {failure.action.summary}: {failure.why}.",
        impact="Addresses that serve go on serving; what the fleet file says is not fully in force.",
        remedy="the next visit tries again" if error.retryable else "",
        todo=_todo(error),
        cause=f"{error.source} refuses {error.operation}",
    )
