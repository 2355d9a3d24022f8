"""One finding for each address that should serve and does not: what ails it, what is done, what a person can do.

Belongs here: what is told, and severity. Does not belong here: telling troubles apart (`troubles`), deciding on
remedies (`treatment`), what a person can do (`by_hand`), findings about zones and nodes (`drift`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from chalicelib.domain.findings import Finding, Severity, seconds
from chalicelib.domain.healing.by_hand import todo
from chalicelib.domain.healing.remedies import Remedies
from chalicelib.domain.healing.treatment import Need, Outlook, Step
from chalicelib.domain.healing.troubles import Trouble, kind_of, subject_of, trouble_of
from chalicelib.domain.spec import Mode
from chalicelib.domain.terrain import FAILOVER_TIME, LEAVING_TIME, Terrain, is_our_object, parse_address
from chalicelib.domain.verdicts import State, Verdict

_HEADLINE = {
    Trouble.UNASSIGNED: "is listed by the EgressIP and assigned to no node",
    Trouble.UNBACKED: "is not on the node that the EgressIP's status names",
    Trouble.STATUS_LOST: "is on its node, but the EgressIP's status does not say so",
    Trouble.STALE_CPIC: "is held by the CloudPrivateIPConfig of another EgressIP",
    Trouble.REFUSED: "could not be put on its node's network interface",
    Trouble.THROTTLED: "could not be put on its node's network interface: EC2 throttles the cloud network controller",
    Trouble.FULL: "could not be put on its node's network interface: that holds as many addresses as it may",
    Trouble.DENIED: "could not be put on its node's network interface: EC2 denies it to the cloud network controller",
    Trouble.HELD: "could not be put on its node's network interface: another interface had it",
    Trouble.NODE_GONE: "waits on a node that does not exist any more",
    Trouble.UNANSWERED: "waits for the cloud network controller, which does not answer",
    Trouble.LOST: "is assigned in the cluster, but no network interface has it",
    Trouble.ELSEWHERE: "is assigned in the cluster, but another network interface has it",
    Trouble.CYCLING: "is out of the EgressIP's list for a moment, to be put back",
    Trouble.RETURNING: "was put back into the EgressIP's list and does not serve yet",
}

_CAUSE = {
    Trouble.DENIED: "EC2 denies assignments",
    Trouble.THROTTLED: "EC2 throttles the cloud network controller",
    Trouble.UNANSWERED: "the cloud network controller does not answer",
}
"""Troubles of many addresses at once: one message. Where a zone has no node, that is the cause of all of its
addresses."""


def diagnose_addresses(
    terrain: Terrain, verdicts: tuple[Verdict, ...], remedies: Remedies, repairs: Mapping[str, str]
) -> Iterator[Finding]:
    """One finding for each address in trouble; movement alone is none.

    Args:
        repairs: Summary of the plan's apply of each EgressIP, by name.
    """
    served = {verdict.policy for verdict in verdicts if verdict.state is State.SERVING}
    claimed: dict[str, set[str]] = {}
    for verdict in verdicts:
        if verdict.claimed_node and verdict.in_spec:
            claimed.setdefault(verdict.policy, set()).add(verdict.address)
    for verdict in verdicts:
        trouble = trouble_of(terrain, verdict)
        there = terrain.egress_ip_by_name.get(verdict.policy)
        if trouble is None or (there is not None and not is_our_object(there)):
            continue  # somebody else's object of that name is told as such
        outlook = remedies.outlooks.get(verdict.policy, {}).get(verdict.address)
        yield Finding(
            kind_of(terrain, verdict, trouble),
            subject_of(verdict),
            _severity(terrain, outlook, others_serve=verdict.policy in served),
            f"{verdict.address} ({verdict.policy}, {verdict.zone}) {_headline(verdict, trouble)}.",
            impact=_impact(verdict, others=bool(claimed.get(verdict.policy, set()) - {verdict.address})),
            todo=todo(terrain, verdict, trouble, outlook),
            repaired_by=_repair(outlook, repairs.get(verdict.policy, "")),
            remedy=outlook.remedy if outlook else "",
            cause=_cause(terrain, verdict, trouble, outlook),
            evidence=_evidence(terrain, verdict),
            patience_seconds=_patience_seconds(terrain, verdict, outlook, others_serve=verdict.policy in served),
        )


def _cause(terrain: Terrain, verdict: Verdict, trouble: Trouble, outlook: Outlook | None) -> str:
    """What it is told with: its zone, where that is lost or short of room."""
    if _zone_is_lost(terrain, verdict):
        return f"zone {verdict.zone}"
    if outlook is not None and outlook.need is Need.ROOM:
        return f"shortfall {verdict.zone}"
    return _CAUSE.get(trouble, "")


def _headline(verdict: Verdict, trouble: Trouble) -> str:
    node = verdict.interface_node
    if node and node == verdict.claimed_node:
        return f"is on {node} and the EgressIP's status says so, but its CloudPrivateIPConfig does not ({verdict.cpic})"
    return _HEADLINE[trouble]


def _repair(outlook: Outlook | None, applied: str) -> str:
    """Summary of the action of this plan that repairs it: in EC2, or the apply of its EgressIP; empty if none does."""
    if outlook is None or (outlook.step is Step.NONE and not outlook.returns):
        return ""
    return outlook.action.summary if outlook.action is not None else applied


def _severity(terrain: Terrain, outlook: Outlook | None, *, others_serve: bool) -> Severity:
    """Critical where the policy has nothing left that serves, or where nobody but a person will repair it; not while it
    may serve.
    """
    if outlook is not None and outlook.need is Need.HOUR:
        return Severity.WARNING
    treated = outlook is not None and not outlook.person and terrain.desired.mode is Mode.ENFORCE
    return Severity.WARNING if treated and others_serve else Severity.CRITICAL


def _patience_seconds(terrain: Terrain, verdict: Verdict, outlook: Outlook | None, *, others_serve: bool) -> int:
    """The controller's own tries; where the policy still serves, the time that nodes take to come and go; where it
    does not, or its zone's last node went a moment before the next one is there, that of a failover.
    """
    address = parse_address(verdict.address)
    subnet = terrain.subnet_of(address) if address else None
    cidr = subnet.cidr if subnet is not None else None
    patience, more = outlook.patience if outlook is not None else timedelta(), timedelta()
    if _zone_is_lost(terrain, verdict):
        more = FAILOVER_TIME if cidr in terrain.joining else more
    elif verdict.state is State.UNASSIGNED:
        # Until a young node has its annotations, OVN-Kubernetes drops assignments; it looks again when that is Ready.
        dropped = bool(terrain.blinding or terrain.joining)
        renewing = dropped or cidr in terrain.unsteady | terrain.renewed
        more = LEAVING_TIME if renewing and others_serve else FAILOVER_TIME if dropped else more
    return seconds(max(patience, more))


def _impact(verdict: Verdict, *, others: bool) -> str:
    """OVN-Kubernetes goes by the status alone: what that names it uses, whether EC2 has it there or not."""
    if verdict.claimed_node and verdict.in_spec:
        if verdict.claimed_node == verdict.interface_node:
            return "It may serve for now; nothing moves it when its node goes."
        return "OVN-Kubernetes still sends connections out by it, and they hang: no reply comes back."
    if others:
        return "Pods that should leave by it leave by the policy's other addresses."
    return f"No other address of {verdict.policy} serves: its pods leave with their nodes' own addresses."


def _zone_is_lost(terrain: Terrain, verdict: Verdict) -> bool:
    address = parse_address(verdict.address)
    subnet = terrain.subnet_of(address) if address else None
    return subnet is not None and not terrain.eligible_in(subnet.cidr)


def _evidence(terrain: Terrain, verdict: Verdict) -> tuple[str, ...]:
    on = f" ({verdict.interface_node})" if verdict.interface_node else ""
    tried = terrain.cycles.get(verdict.policy, {}).get(verdict.address)
    return (
        f"status.items: {verdict.claimed_node or 'no node'}",
        f"CloudPrivateIPConfig: {verdict.cpic}",
        f"network interface: {verdict.interface or 'none'}{on}",
        f"reservation: {verdict.reservation or 'none'}",
        *([f"cycles: {tried.tries}, the last at {tried.at:%Y-%m-%d %H:%M:%S} UTC"] if tried else []),
    )
