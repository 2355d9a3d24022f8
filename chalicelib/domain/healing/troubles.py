"""What ails an address that does not serve: its verdict, told apart by cause as far as remedies differ.

Belongs here: which trouble it is, and which interface stands in the way. Does not belong here: what is done about it
(`remedies`), in which words it is told (`address_findings`).
"""

from __future__ import annotations

import re
from enum import StrEnum

from chalicelib.domain.findings import Kind
from chalicelib.domain.snapshot import Cpic, Interface
from chalicelib.domain.terrain import Terrain, parse_address
from chalicelib.domain.verdicts import LONGEST_TRANSIT, State, Verdict


class Trouble(StrEnum):
    """One trouble of one address.

    | trouble | the platform by itself |
    | --- | --- |
    | unassigned | assigns it at the next trigger, if it sees one |
    | unbacked, status-lost, stale-cpic | never looks again |
    | refused, throttled, full, denied, held | tries for 5.5 minutes (8 if throttled), then never again |
    | node-gone | stops trying; newer releases (OVN-K 1.2 with CNCC 4.21) look again when the object changes |
    | unanswered | nothing before the cloud network controller runs again |
    | lost, elsewhere | never looks again: it believes that all is well |
    | cycling, returning | is at work on it |
    """

    UNASSIGNED = "unassigned"
    UNBACKED = "unbacked"
    STATUS_LOST = "status-lost"
    STALE_CPIC = "stale-cpic"
    REFUSED = "refused"
    THROTTLED = "throttled"
    FULL = "full"
    DENIED = "denied"
    HELD = "held"
    NODE_GONE = "node-gone"
    UNANSWERED = "unanswered"
    LOST = "lost"
    ELSEWHERE = "elsewhere"
    CYCLING = "cycling"
    RETURNING = "returning"


KIND_OF: dict[Trouble, Kind] = {
    Trouble.UNASSIGNED: Kind.ADDRESS_UNASSIGNED,
    Trouble.UNBACKED: Kind.STATUS_UNBACKED,
    Trouble.STATUS_LOST: Kind.STATUS_LOST,
    Trouble.STALE_CPIC: Kind.CPIC_STALE,
    Trouble.REFUSED: Kind.ASSIGNMENT_FAILED,
    Trouble.THROTTLED: Kind.ASSIGNMENT_FAILED,
    Trouble.FULL: Kind.ASSIGNMENT_FAILED,
    Trouble.DENIED: Kind.ASSIGNMENT_FAILED,
    Trouble.HELD: Kind.ASSIGNMENT_FAILED,
    Trouble.NODE_GONE: Kind.ASSIGNMENT_FAILED,
    Trouble.UNANSWERED: Kind.ASSIGNMENT_FAILED,
    Trouble.LOST: Kind.EC2_ADDRESS_MISSING,
    Trouble.ELSEWHERE: Kind.EC2_ADDRESS_MISSING,
}
"""The finding that tells it. While it is being cycled, an address keeps the one for which that began."""

_BY_STATE = {
    State.UNASSIGNED: Trouble.UNASSIGNED,
    State.STATUS_UNBACKED: Trouble.UNBACKED,
    State.STATUS_LOST: Trouble.STATUS_LOST,
    State.STALE_CPIC: Trouble.STALE_CPIC,
    State.EC2_MISSING: Trouble.LOST,
    State.ELSEWHERE: Trouble.ELSEWHERE,
    State.CYCLING: Trouble.CYCLING,
}

_MESSAGES = (
    (re.compile(r"RequestLimitExceeded|Throttl"), Trouble.THROTTLED),
    (re.compile(r"LimitExceeded"), Trouble.FULL),
    (re.compile(r"UnauthorizedOperation|AccessDenied|AuthFailure"), Trouble.DENIED),
    (re.compile(r"move is not allowed"), Trouble.HELD),
)
"""Codes and wordings of EC2's in a CloudPrivateIPConfig's message; the first that fits. The codes of a full interface
differ between accounts of it, so they are matched loosely."""


def trouble_of(terrain: Terrain, verdict: Verdict) -> Trouble | None:
    """The trouble of an address; None where it serves, is on its way, or is not asked for."""
    tried = terrain.cycles.get(verdict.policy, {}).get(verdict.address)
    if tried is not None and verdict.state in (State.MOVING, State.UNASSIGNED):
        returning = tried.at >= terrain.observed.taken_at - LONGEST_TRANSIT
        if returning:
            return Trouble.RETURNING
    if verdict.state is State.FAILED:
        return _failure(terrain, terrain.cpic_by_address[verdict.address])
    return _BY_STATE.get(verdict.state)


def kind_of(terrain: Terrain, verdict: Verdict, trouble: Trouble) -> Kind:
    """The kind of finding that tells this trouble."""
    if trouble in KIND_OF:
        return KIND_OF[trouble]
    return terrain.cycles[verdict.policy][verdict.address].kind


def subject_of(verdict: Verdict) -> str:
    """The finding's subject."""
    return f"address {verdict.address} of {verdict.policy}"


def _failure(terrain: Terrain, cpic: Cpic) -> Trouble:
    nodes = terrain.node_by_name
    if cpic.spec_node not in nodes or (cpic.status_node and cpic.status_node not in nodes):
        return Trouble.NODE_GONE
    if cpic.assigned != "False":
        return Trouble.UNANSWERED
    return next((trouble for pattern, trouble in _MESSAGES if pattern.search(cpic.message)), Trouble.REFUSED)


def in_the_way(terrain: Terrain, address: str) -> Interface | None:
    """The interface that has the address although no node that its CloudPrivateIPConfig names is behind it, or None.

    What is on such an interface no release of the cloud network controller takes off, and EC2 lets nobody else have.
    """
    parsed = parse_address(address)
    interface = terrain.interface_by_address.get(parsed) if parsed else None
    if interface is None:
        return None
    cpic = terrain.cpic_by_address.get(address)
    node = terrain.node_by_instance.get(interface.instance_id or "")
    named = cpic is not None and node is not None and node.name in (cpic.spec_node, cpic.status_node)
    return None if named else interface


def is_leaving(terrain: Terrain, interface: Interface) -> bool:
    """Whether the interface goes by itself: that of an instance of this cluster that is on its way out."""
    instance = terrain.instance_by_id.get(interface.instance_id or "")
    return instance is not None and instance.state in ("shutting-down", "terminated")
