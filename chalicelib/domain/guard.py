"""The guard: may this plan run without a human?

It counts what the plan takes away from addresses that serve now, and hears what the rehearsal objects to. A refusal
names the numbers and carries the digest with which a person approves exactly this plan; a plan that changed in between
has another digest and is refused again, unless it is what is left of the approved one (`approving`).
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.actions import ApplyEgressIp, DeleteEgressIp
from chalicelib.domain.approving import covers, objections_of
from chalicelib.domain.findings import Finding, Kind, Severity, some_of
from chalicelib.domain.plan import Plan
from chalicelib.domain.records import ApprovedPlan
from chalicelib.domain.snapshot import Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec

MOST_QUOTED = 20
"""A refusal quotes this many reasons and changes: it is sent as a message and must stay small enough to be sent."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What one action takes from one EgressIP: the serving addresses it removes, and those that remain."""

    egress_ip: str
    removed: tuple[str, ...]
    remaining: tuple[str, ...]


class UnsafePlan(Exception):
    """The plan needs a human.

    Attributes:
        reasons: One sentence for each rule it breaks, with the numbers.
        digest: What approves exactly this plan.
    """

    def __init__(self, reasons: tuple[str, ...], digest: str) -> None:
        self.reasons = reasons
        self.digest = digest
        super().__init__(" ".join(reasons))


def refuse_if_unsafe(
    planned: Plan,
    observed: Snapshot,
    desired: ClusterSpec,
    *,
    approved: str | None = None,
    begun: ApprovedPlan | None = None,
    lapsed: str = "",
) -> None:
    """Raise `UnsafePlan` where the plan would take a policy's last serving address, or too large a share of them, or
    where its rehearsal ended badly.

    Args:
        approved: Digest that a person has approved; the plan passes if it is this plan's.
        begun: What was approved by that digest, where it has been begun; the plan passes if it is what is left of it.
        lapsed: Why the approval that there was does not count, as a sentence.
    """
    if approved == planned.digest:
        return
    losses = serving_losses(planned, observed)
    begun = begun if begun is not None and begun.digest == approved else None
    if begun is not None and _is_left_of(begun, planned, losses):
        return
    reasons = [
        f"It takes the last serving address of EgressIP {loss.egress_ip} ({some_of(loss.removed)}):"
        " its pods would leave with their nodes' addresses."
        for loss in losses
        if loss.removed and not loss.remaining
    ]
    serving = _serving(observed) | _on_their_way(observed)
    removed = {address for loss in losses for address in loss.removed}
    if serving and len(removed) / len(serving) > desired.max_change_share:
        reasons.append(
            f"It takes {len(removed)} of {len(serving)} serving addresses away"
            f" ({len(removed) / len(serving):.0%}; allowed unattended is {desired.max_change_share:.0%})."
        )
    reasons += [objection.sentence for objection in objections_of(planned)]
    if reasons and begun is not None:
        reasons.append(f"It takes more than is left of the approved plan {approved}; this one is {planned.digest}.")
    elif reasons and approved is not None:
        reasons.append(f"The approved digest {approved} is that of another plan; this one is {planned.digest}.")
    elif reasons and lapsed:
        reasons.append(lapsed)
    if reasons:
        raise UnsafePlan(tuple(reasons), planned.digest)


def serving_losses(planned: Plan, observed: Snapshot) -> tuple[Loss, ...]:
    """What the plan removes from each EgressIP, counting only addresses that serve now or are on their way.

    An address in the middle of a failover is a loss where it is removed, and no comfort where it remains. A stray one,
    written in by somebody else, is no loss: whoever relies on the policy never got it. Nor is one that a cycle takes
    out to put it back, as long as it serves nobody.
    """
    serving = _serving(observed)
    lost = serving | _on_their_way(observed)
    losses = []
    for action in planned.actions:
        if isinstance(action, ApplyEgressIp) and action.before is not None:
            dead = {a for a in action.cycled if not _carries_traffic(observed, action.name, a)}
            before, after = action.before.addresses, {*action.after.addresses, *action.strays, *dead}
        elif isinstance(action, DeleteEgressIp):
            before, after = action.before.addresses, set()
        else:
            continue
        removed = tuple(a for a in before if a in lost and a not in after)
        losses.append(Loss(action.name, removed, tuple(a for a in before if a in serving and a in after)))
    return tuple(losses)


def _is_left_of(begun: ApprovedPlan, planned: Plan, losses: tuple[Loss, ...]) -> bool:
    """Whether all that needs an approval is part of the approved plan; what needs none may stand beside it."""
    losers = {loss.egress_ip for loss in losses if loss.removed}
    taking = [a for a in planned.actions if isinstance(a, ApplyEgressIp | DeleteEgressIp) and a.name in losers]
    return covers(begun, taking, objections_of(planned))


def _carries_traffic(observed: Snapshot, egress_ip: str, address: str) -> bool:
    """Whether the object's status, the CPIC and an interface agree on it: without any one of them it serves nobody."""
    if isinstance(observed.egress_ips, Unknown) or isinstance(observed.interfaces, Unknown):
        return True
    there = next((e for e in observed.egress_ips if e.name == egress_ip), None)
    on_an_interface = any(str(a) == address for i in observed.interfaces for a in i.addresses)
    claimed = there is not None and address in dict(there.items)
    return claimed and on_an_interface and address in _serving(observed)


def _serving(observed: Snapshot) -> frozenset[str]:
    """Addresses with a healthy CPIC. With CPICs unknown there is no plan to judge (`planning`)."""
    if isinstance(observed.cpics, Unknown):
        return frozenset()
    return frozenset(cpic.address for cpic in observed.cpics if cpic.healthy)


def _on_their_way(observed: Snapshot) -> frozenset[str]:
    """Addresses that the cloud network controller is adding or moving just now."""
    if isinstance(observed.cpics, Unknown):
        return frozenset()
    return frozenset(cpic.address for cpic in observed.cpics if cpic.in_transit and not cpic.deleting)


def _quoted(reasons: tuple[str, ...]) -> str:
    more = len(reasons) - MOST_QUOTED
    return " ".join([*reasons[:MOST_QUOTED], *([f"And {more} more reasons."] if more > 0 else [])])


def _changes(number: int) -> str:
    return "1 change" if number == 1 else f"{number} changes"


def refusal_finding(planned: Plan, refusal: UnsafePlan) -> Finding:
    """The refusal as a finding, with the command that approves it."""
    return Finding(
        Kind.PLAN_REFUSED,
        f"plan of {planned.cluster}",
        Severity.CRITICAL,
        f"A plan with {_changes(len(planned.actions))} needs a person's approval: {_quoted(refusal.reasons)}",
        impact="Egress goes on as it is; no change is made until a person approves or the fleet file changes.",
        todo="Read the plan. If it is what you want, approve exactly this one; otherwise mend the fleet file:\n"
        f"egress-keeper plan --cluster {planned.cluster}\n"
        f"egress-keeper apply --cluster {planned.cluster} --approve {refusal.digest}",
        evidence=tuple(action.summary for action in planned.actions[:MOST_QUOTED])
        + ((f"and {more} more changes",) if (more := len(planned.actions) - MOST_QUOTED) > 0 else ()),
    )
