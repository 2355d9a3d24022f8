"""One finding for each address that should serve and does not: what ails it, what is done, what a person can do.

Belongs here: words and severity. Does not belong here: telling troubles apart (`troubles`), deciding on remedies
(`treatment`), findings about zones and nodes (`diagnosis`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from chalicelib.domain.findings import FAIL_OPEN, Finding, Severity
from chalicelib.domain.healing.remedies import Remedies
from chalicelib.domain.healing.treatment import Need, Outlook, Step
from chalicelib.domain.healing.troubles import Trouble, kind_of, subject_of, trouble_of
from chalicelib.domain.snapshot import EgressIpConfig
from chalicelib.domain.spec import Mode
from chalicelib.domain.terrain import LEAVING_TIME, Terrain, parse_address
from chalicelib.domain.verdicts import State, Verdict

_HEADLINE = {
    Trouble.UNASSIGNED: "is listed by the EgressIP and assigned to no node",
    Trouble.UNBACKED: "is on no such node as the EgressIP's status says",
    Trouble.STATUS_LOST: "is on its node, but the EgressIP's status does not say so",
    Trouble.STALE_CPIC: "is held by the CloudPrivateIPConfig of another EgressIP",
    Trouble.REFUSED: "could not be put on its node's network interface",
    Trouble.THROTTLED: "could not be put on its node's network interface: EC2 throttles the cloud network controller",
    Trouble.FULL: "could not be put on its node's network interface: that holds as many addresses as it may",
    Trouble.DENIED: "could not be put on its node's network interface: EC2 denies it to the cloud network controller",
    Trouble.HELD: "could not be put on its node's network interface: another interface had it",
    Trouble.NODE_GONE: "is assigned to a node that does not exist any more",
    Trouble.UNANSWERED: "waits for the cloud network controller, which does not answer",
    Trouble.LOST: "is assigned in the cluster, but no network interface has it",
    Trouble.ELSEWHERE: "is assigned in the cluster, but another network interface has it",
    Trouble.CYCLING: "is out of the EgressIP's list for a moment, to be put back",
    Trouble.RETURNING: "was put back into the EgressIP's list and does not serve yet",
}

_CYCLE_BY_HAND = (
    "take the address out of the EgressIP, wait until `oc get cloudprivateipconfig {address}` finds nothing, and put it"
    " back; the other addresses serve on"
)

_WHOSE = (
    "Find out whose interface it is, with `aws ec2 describe-network-interfaces --region {region} --filters"
    " Name=addresses.private-ip-address,Values={address}`"
)

_TODO = {
    Trouble.UNASSIGNED: "See `oc get events -n default --field-selector involvedObject.kind=EgressIP`; then change any"
    " label of the EgressIP, which makes OVN-Kubernetes look again and moves nothing that is healthy.",
    Trouble.UNBACKED: f"By hand: {_CYCLE_BY_HAND}.",
    Trouble.STATUS_LOST: f"By hand: {_CYCLE_BY_HAND}.",
    Trouble.STALE_CPIC: f"By hand: {_CYCLE_BY_HAND}; a second time if its status stays empty. Never remove the"
    " finalizer of a CloudPrivateIPConfig: the address would stay on the interface.",
    Trouble.REFUSED: "Remove the cause that the message below names. The platform gives up after about 6 minutes;"
    f" after that {_CYCLE_BY_HAND}.",
    Trouble.THROTTLED: "Find out what uses up EC2's request budget of this account (CloudTrail), and stop it. After"
    f" that {_CYCLE_BY_HAND}.",
    Trouble.FULL: "Scale up the machine pool of that zone, or take a foreign address off the interface. After that"
    f" {_CYCLE_BY_HAND}.",
    Trouble.DENIED: "See that the interface has the tag red-hat-managed=true (HCP), and that neither the controller's"
    f" role nor a service control policy denies ec2:AssignPrivateIpAddresses. After that {_CYCLE_BY_HAND}.",
    Trouble.HELD: f"{_WHOSE}: the address can be had only when it is free there. Or choose another one in the fleet"
    " file.",
    Trouble.NODE_GONE: f"By hand: {_CYCLE_BY_HAND}.",
    Trouble.UNANSWERED: "See why it does not run: `oc -n openshift-cloud-network-config-controller get pods` (on HCP it"
    " runs with the hosted control plane). Once it does, it takes this up by itself.",
    Trouble.LOST: "By hand: `aws ec2 assign-private-ip-addresses --region {region} --network-interface-id {interface}"
    " --private-ip-addresses {address}`, to the first network interface of its node; the cloud network controller never"
    " looks again by itself.",
    Trouble.ELSEWHERE: f"{_WHOSE}: the address can come back only when it is free there.",
    Trouble.CYCLING: "If it takes long: `oc describe cloudprivateipconfig {address}` says what still holds it.",
    Trouble.RETURNING: "If it takes long: `oc describe cloudprivateipconfig {address}` says what holds it up.",
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
    for verdict in verdicts:
        trouble = trouble_of(terrain, verdict)
        if trouble is None:
            continue
        outlook = remedies.outlooks.get(verdict.policy, {}).get(verdict.address)
        yield Finding(
            kind_of(terrain, verdict, trouble),
            subject_of(verdict),
            _severity(terrain, outlook, others_serve=verdict.policy in served),
            f"{verdict.address} ({verdict.policy}, {verdict.zone}) {_HEADLINE[trouble]}.",
            impact=_impact(verdict),
            todo=_todo(terrain, verdict, trouble, outlook),
            repaired_by=_repair(outlook, repairs.get(verdict.policy, "")),
            remedy=outlook.remedy if outlook else "",
            cause=f"zone {verdict.zone}" if _zone_is_lost(terrain, verdict) else _CAUSE.get(trouble, ""),
            evidence=_evidence(terrain, verdict),
            patience_seconds=_patience_seconds(terrain, verdict, outlook, others_serve=verdict.policy in served),
        )


def _repair(outlook: Outlook | None, applied: str) -> str:
    """Summary of the action of this plan that repairs it: in EC2, or the apply of its EgressIP; empty if none does."""
    if outlook is None or (outlook.step is Step.NONE and not outlook.returns):
        return ""
    return outlook.action.summary if outlook.action is not None else applied


def _severity(terrain: Terrain, outlook: Outlook | None, *, others_serve: bool) -> Severity:
    """Critical where the policy has nothing left that serves, or where nobody but a person will repair it."""
    treated = outlook is not None and not outlook.person and terrain.desired.mode is Mode.ENFORCE
    return Severity.WARNING if treated and others_serve else Severity.CRITICAL


def _patience_seconds(terrain: Terrain, verdict: Verdict, outlook: Outlook | None, *, others_serve: bool) -> int:
    """The controller's own tries; and where the policy still serves, the time that nodes take to come and go."""
    patience = outlook.patience if outlook is not None else timedelta()
    address = parse_address(verdict.address)
    subnet = terrain.subnet_of(address) if address else None
    if others_serve and verdict.state is State.UNASSIGNED and subnet is not None and subnet.cidr in terrain.unsteady:
        patience = max(patience, LEAVING_TIME)
    return round(patience.total_seconds())


def _impact(verdict: Verdict) -> str:
    """OVN-Kubernetes goes by the status alone: what that names it uses, whether EC2 has it there or not."""
    if not (verdict.claimed_node and verdict.in_spec):
        return FAIL_OPEN
    if verdict.claimed_node == verdict.interface_node:
        return "It may serve for now; nothing moves it when its node goes."
    return "Connections that OVN-Kubernetes sends out by it hang: replies do not come back."


def _todo(terrain: Terrain, verdict: Verdict, trouble: Trouble, outlook: Outlook | None) -> str:
    held = outlook is not None and outlook.need is Need.HOLDER and trouble is not Trouble.HELD
    todo = _TODO[Trouble.ELSEWHERE if held else trouble].format(
        address=verdict.address, region=terrain.desired.region, interface=_first_interface(terrain, verdict)
    )
    if outlook is None or not (outlook.person or outlook.remedy):
        return todo
    if outlook.person:
        return f"A person is needed: {outlook.person}. {todo}"
    if outlook.need is Need.TIME:
        return f"Nothing here yet ({outlook.remedy}); before that, what is done by hand is in vain as well."
    if outlook.need is Need.ROOM:
        return f"Nothing, if the zone gets room by itself ({outlook.remedy}); if not, scale up its machine pool."
    if todo.startswith("If "):
        return f"Nothing yet ({outlook.remedy}). {todo}"
    by_hand = todo.removeprefix("By hand: ")
    return f"Nothing yet ({outlook.remedy}). If it can't wait, by hand: {by_hand[:1].lower()}{by_hand[1:]}"


def _first_interface(terrain: Terrain, verdict: Verdict) -> str:
    """The one on which its node carries egress addresses, by the annotation; a placeholder where that is silent."""
    cpic = terrain.cpic_by_address.get(verdict.address)
    node = terrain.node_by_name.get(cpic.status_node) if cpic is not None else None
    return node.egress_config.interface if node and isinstance(node.egress_config, EgressIpConfig) else "ENI"


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
