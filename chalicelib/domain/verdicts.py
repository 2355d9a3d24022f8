"""One verdict per egress address, across the three sides: what the object claims, what the CPIC says, where EC2 has it.

`status.items` alone proves nothing: an address serves only when the object, its CloudPrivateIPConfig and the network
interface agree. What follows from a verdict is decided in `healing`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address

from chalicelib.domain.snapshot import Cpic, Interface
from chalicelib.domain.terrain import Terrain, parse_address

LONGEST_TRANSIT = timedelta(minutes=10)
"""The cloud network controller gives up after 5.5 minutes, 8 where EC2 throttles it: nothing is on its way for longer.

Controllers before 4.21 leave an assignment "Unknown" for ever when its node is gone, so age is the only sign there.
"""

_REQUEST_ID = re.compile(r",? *request id: *\S+")
"""Another one with each try of the controller: the same failure would never read the same twice."""


class State(StrEnum):
    """Where an address stands."""

    SERVING = "serving"
    MOVING = "moving"
    UNASSIGNED = "unassigned"
    FAILED = "failed"
    STATUS_LOST = "status-lost"
    STATUS_UNBACKED = "status-unbacked"
    EC2_MISSING = "ec2-missing"
    ELSEWHERE = "elsewhere"
    STALE_CPIC = "stale-cpic"
    CYCLING = "cycling"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of one address of one policy.

    Attributes:
        in_spec: The object lists it.
        claimed_node: Node that `status.items` names, or "".
        cpic: The CPIC in one word or two: "none", "True on NODE", "False: message".
        interface: Id of the network interface that has it, or "".
        interface_node: Name of the node of that interface; "" where it is no node of the cluster.
        reservation: Range of the reservation that covers it, or "".
        desired: A policy of the fleet file wants it.
        remedy: What the tool does about it, now or later, as one clause; "" where it can do nothing, or need not.
        person: Why it takes a person, as one clause; "" where it does not.
    """

    policy: str
    address: str
    zone: str
    state: State
    in_spec: bool
    claimed_node: str
    cpic: str
    interface: str
    interface_node: str
    reservation: str
    desired: bool = True
    remedy: str = ""
    person: str = ""

    @property
    def serving_node(self) -> str:
        """The node that traffic leaves by with this address; "" where it leaves with the pod's own node's address."""
        return self.claimed_node if self.state is State.SERVING else ""


def judge(terrain: Terrain, policies: tuple[str, ...], wanted: Mapping[str, set[str]]) -> tuple[Verdict, ...]:
    """Judge every address that a policy wants or its object lists, sorted by policy and address.

    Args:
        policies: Names of the policies (and of objects of ours that are to go).
        wanted: Addresses by policy that the plan allocates, in the object or not.
    """
    verdicts: list[Verdict] = []
    for policy in sorted(policies):
        egress_ip = terrain.egress_ip_by_name.get(policy)
        listed = set(egress_ip.spec.addresses) if egress_ip else set()
        addresses = sorted(listed | wanted.get(policy, set()), key=_address_order)
        claims = dict(egress_ip.items) if egress_ip else {}
        verdicts.extend(
            replace(
                _judge_one(terrain, policy, address, in_spec=address in listed, claimed=claims.get(address, "")),
                desired=address in wanted.get(policy, set()),
            )
            for address in addresses
        )
    return tuple(verdicts)


def _judge_one(terrain: Terrain, policy: str, address: str, *, in_spec: bool, claimed: str) -> Verdict:
    parsed = parse_address(address)
    subnet = terrain.subnet_of(parsed) if parsed else None
    interface = terrain.interface_by_address.get(parsed) if parsed else None
    reservation = terrain.reservation_of(parsed, subnet.id) if parsed and subnet else None
    cpic = terrain.cpic_by_address.get(address)
    node = terrain.node_by_instance.get(interface.instance_id or "") if interface else None
    carrier = node.name if node else ""
    late = cpic is not None and _is_late(cpic, terrain.observed.taken_at)
    return Verdict(
        policy=policy,
        address=address,
        zone=subnet.zone if subnet else "unknown",
        state=State.CYCLING
        if terrain.is_out(policy, address)
        else _state(policy, cpic, interface, in_spec=in_spec, claimed=claimed, carrier=carrier, late=late),
        in_spec=in_spec,
        claimed_node=claimed,
        cpic=_in_words(cpic),
        interface=interface.id if interface else "",
        interface_node=carrier,
        reservation=str(reservation.cidr) if reservation else "",
    )


def _state(
    policy: str,
    cpic: Cpic | None,
    interface: Interface | None,
    *,
    in_spec: bool,
    claimed: str,
    carrier: str,
    late: bool,
) -> State:
    """The decision table, most telling evidence first.

    Args:
        claimed: Node in `status.items`, or "".
        carrier: Node whose network interface has the address, or "".
        late: Whether the CPIC has been as it is for longer than any transition takes.
    """
    if not in_spec:
        return State.ABSENT
    if cpic is None:
        return State.STATUS_UNBACKED if claimed else State.UNASSIGNED
    if cpic.owner not in (None, policy):
        return State.STALE_CPIC
    if cpic.assigned == "False":
        return State.FAILED
    if not cpic.healthy:
        return State.FAILED if late else State.MOVING
    if interface is None:
        return State.EC2_MISSING
    if carrier != cpic.status_node:
        return State.ELSEWHERE
    if not claimed:
        return State.STATUS_LOST
    if claimed != cpic.spec_node:
        return State.STATUS_UNBACKED if late else State.MOVING
    return State.SERVING


def _is_late(cpic: Cpic, now: datetime) -> bool:
    """By its last answer; by its creation where nobody has answered yet."""
    since = cpic.changed_at or cpic.created_at
    return since is not None and since < now - LONGEST_TRANSIT


def _in_words(cpic: Cpic | None) -> str:
    if cpic is None:
        return "none"
    if cpic.deleting:
        return f"being deleted on {cpic.status_node or cpic.spec_node}"
    if cpic.assigned == "False":
        return "False: " + " ".join(_REQUEST_ID.sub("", cpic.message).split())
    return f"{cpic.assigned or 'new'} on {cpic.status_node or cpic.spec_node}"


def _address_order(address: str) -> tuple[bool, IPv4Address, str]:
    parsed = parse_address(address)
    return (parsed is None, parsed or IPv4Address(0), address)
