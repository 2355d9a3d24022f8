"""Where one egress address stands, read on the wire from all sides: objects, CloudPrivateIPConfig, network interface.

The product has its own reading and judging of these; this one knows nothing of it, so that each can catch the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.aws import state
from sandbox.stage import Stage

OUR_LABEL = ("app.kubernetes.io/managed-by", "egress-keeper")
OUR_TAG = ("egress-keeper/owner", "egress-keeper")
OUR_NODE_LABELS = ("k8s.ovn.org/egress-assignable", "egress-keeper/")
OWNER_REF = "k8s.ovn.org/egressip-owner-ref"


@dataclass(frozen=True)
class Sides:
    """One address.

    Attributes:
        listed: Names of the EgressIP objects whose spec lists it.
        claimed: Node by EgressIP, as `status.items` say.
        cpic: Its CloudPrivateIPConfig in words: "none", or "NODE: condition".
        cpic_node: The node that the CloudPrivateIPConfig has it on; "" unless it says so in every field.
        interface: The network interface that has it, or "".
        holder: The node of that interface, or "" where it is no node's.
    """

    address: str
    listed: tuple[str, ...]
    claimed: tuple[tuple[str, str], ...]
    cpic: str
    cpic_node: str
    interface: str
    holder: str

    @property
    def serving_node(self) -> str:
        """The node that traffic leaves by with this address: object, CPIC and interface agree on it; else ""."""
        nodes = {node for _, node in self.claimed} | {self.cpic_node, self.holder}
        return self.holder if len(nodes) == 1 and self.listed else ""

    def __str__(self) -> str:
        """One line."""
        claims = ", ".join(f"{name} claims {node}" for name, node in self.claimed) or "no object claims it"
        where = f"{self.interface} ({self.holder or 'no node of the cluster'})" if self.interface else "no interface"
        listed = ", ".join(self.listed) or "no object"
        return f"{self.address}: listed by {listed}; {claims}; CPIC {self.cpic}; on {where}"


def read_sides(stage: Stage, *addresses: str) -> dict[str, Sides]:
    """Read these addresses now, by address."""
    kube = stage.rosa.kube
    objects = kube.list("egressips")
    cpics = {cpic["metadata"]["name"]: cpic for cpic in kube.list("cloudprivateipconfigs")}
    places = {address: place for place in interfaces(stage) for address in place.addresses}
    nodes = {str(n["spec"].get("providerID", "")).rpartition("/")[2]: n["metadata"]["name"] for n in kube.list("nodes")}
    found: dict[str, Sides] = {}
    for address in addresses:
        listed = tuple(o["metadata"]["name"] for o in objects if address in o["spec"]["egressIPs"])
        claimed = tuple((o["metadata"]["name"], node) for o in objects for a, node in claims_of(o) if a == address)
        words, node = _cpic_in_words(cpics[address]) if address in cpics else ("none", "")
        place = places.get(address)
        interface, holder = (place.id, nodes.get(place.instance_id, "")) if place else ("", "")
        found[address] = Sides(address, listed, claimed, words, node, interface, holder)
    return found


def wanted_addresses(stage: Stage) -> tuple[str, ...]:
    """Every address that an EgressIP of ours lists, sorted."""
    return tuple(sorted({a for o in our_objects(stage) for a in o["spec"]["egressIPs"]}))


def serving(stage: Stage) -> dict[str, str]:
    """Node by address, of the addresses of ours that serve."""
    sides = read_sides(stage, *wanted_addresses(stage)).values()
    return {side.address: side.serving_node for side in sides if side.serving_node}


def our_objects(stage: Stage) -> list[dict[str, Any]]:
    """EgressIP objects that carry our label."""
    key, value = OUR_LABEL
    return [o for o in stage.rosa.kube.list("egressips") if (o["metadata"].get("labels") or {}).get(key) == value]


def claims_of(egress_ip: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """(address, node) pairs of `status.items`."""
    return tuple((item["egressIP"], item["node"]) for item in (egress_ip.get("status") or {}).get("items") or ())


def interfaces(stage: Stage) -> list[state.InterfaceState]:
    """Every network interface of the account."""
    return state.interfaces(stage.scenario.region)


def reservations(stage: Stage) -> list[state.ReservationState]:
    """Every IPv4 reservation of the account."""
    return state.reservations(stage.scenario.region)


def is_ours(reservation: state.ReservationState) -> bool:
    """Whether it carries our tag."""
    tag, owner = OUR_TAG
    return reservation.tags.get(tag) == owner


def foreign_state(stage: Stage) -> dict[str, Any]:
    """Everything that is not ours, in a form that can be compared: what a visit must leave exactly as it is.

    Egress addresses of our objects are left out of the interfaces: the platform moves them.
    """
    kube = stage.rosa.kube
    ours = {o["metadata"]["name"] for o in our_objects(stage)}
    mine = set(wanted_addresses(stage))
    return {
        "EgressIPs": {
            o["metadata"]["name"]: o["spec"] for o in kube.list("egressips") if o["metadata"]["name"] not in ours
        },
        "CPICs": {
            c["metadata"]["name"]: c["spec"]
            for c in kube.list("cloudprivateipconfigs")
            if (c["metadata"].get("annotations") or {}).get(OWNER_REF) not in ours
        },
        "interfaces": {i.id: [a for a in i.addresses if a not in mine] for i in interfaces(stage)},
        "reservations": {
            (r.subnet_id, r.cidr): (r.kind, r.description, r.tags) for r in reservations(stage) if not is_ours(r)
        },
        "nodes": {
            n["metadata"]["name"]: {
                k: v for k, v in n["metadata"]["labels"].items() if not k.startswith(OUR_NODE_LABELS)
            }
            for n in kube.list("nodes")
        },
        "namespaces": [n["metadata"]["name"] for n in kube.list("namespaces")],
    }


def _cpic_in_words(cpic: dict[str, Any]) -> tuple[str, str]:
    wanted = (cpic.get("spec") or {}).get("node") or ""
    status = cpic.get("status") or {}
    condition: dict[str, Any] = next(iter(status.get("conditions") or ()), {})
    healthy = condition.get("status") == "True" and status.get("node") == wanted != ""
    leaving = "deletionTimestamp" in cpic["metadata"]
    words = f"{wanted}: {condition.get('status', 'new')} {condition.get('message', '')}".strip()
    return (f"{words} (being deleted)" if leaving else words), (wanted if healthy and not leaving else "")
