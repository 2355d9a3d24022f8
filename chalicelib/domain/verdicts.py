"""One verdict per egress address, across the three sides: what the object claims, what the CPIC says, where EC2 has it.

`status.items` alone proves nothing: an address serves only when the object, its CloudPrivateIPConfig and the network
interface agree. What follows from a verdict is decided in `diagnosis`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from chalicelib.domain.snapshot import Cpic, EgressIp, Interface
from chalicelib.domain.terrain import Terrain, parse_address


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
    node_by_instance = {n.instance_id: n.name for n in terrain.observed.nodes if n.instance_id}
    verdicts: list[Verdict] = []
    for policy in sorted(policies):
        egress_ip = terrain.egress_ip_by_name.get(policy)
        listed = set(egress_ip.spec.addresses) if egress_ip else set()
        addresses = sorted(listed | wanted.get(policy, set()), key=_address_order)
        verdicts.extend(_judge_one(terrain, policy, egress_ip, address, node_by_instance) for address in addresses)
    return tuple(verdicts)


def _judge_one(
    terrain: Terrain, policy: str, egress_ip: EgressIp | None, address: str, node_by_instance: dict[str, str]
) -> Verdict:
    parsed = parse_address(address)
    subnet = terrain.subnet_of(parsed) if parsed else None
    interface = terrain.interface_by_address.get(parsed) if parsed else None
    reservation = terrain.reservation_of(parsed, subnet.id) if parsed and subnet else None
    cpic = terrain.cpic_by_address.get(address)
    claimed = dict(egress_ip.items).get(address, "") if egress_ip else ""
    in_spec = egress_ip is not None and address in egress_ip.spec.addresses
    interface_node = node_by_instance.get(interface.instance_id or "", "") if interface else ""
    return Verdict(
        policy=policy,
        address=address,
        zone=subnet.zone if subnet else "unknown",
        state=_state(policy, in_spec=in_spec, claimed=claimed, cpic=cpic, interface=interface, on_node=interface_node),
        in_spec=in_spec,
        claimed_node=claimed,
        cpic=_in_words(cpic),
        interface=interface.id if interface else "",
        interface_node=interface_node,
        reservation=str(reservation.cidr) if reservation else "",
    )


def _state(
    policy: str, *, in_spec: bool, claimed: str, cpic: Cpic | None, interface: Interface | None, on_node: str
) -> State:
    """The decision table, most telling evidence first."""
    if not in_spec:
        return State.ABSENT
    if cpic is None:
        return State.STATUS_UNBACKED if claimed else State.UNASSIGNED
    if cpic.owner not in (None, policy):
        return State.STALE_CPIC
    if cpic.assigned == "False":
        return State.FAILED
    if not cpic.healthy:
        return State.MOVING
    if interface is None:
        return State.EC2_MISSING
    if on_node != cpic.status_node:
        return State.ELSEWHERE
    if not claimed:
        return State.STATUS_LOST
    return State.SERVING if claimed == cpic.spec_node else State.MOVING


def _in_words(cpic: Cpic | None) -> str:
    if cpic is None:
        return "none"
    if cpic.deleting:
        return f"being deleted on {cpic.status_node or cpic.spec_node}"
    if cpic.assigned == "False":
        return f"False: {cpic.message}"
    return f"{cpic.assigned or 'new'} on {cpic.status_node or cpic.spec_node}"


def _address_order(address: str) -> tuple[bool, IPv4Address, str]:
    parsed = parse_address(address)
    return (parsed is None, parsed or IPv4Address(0), address)
