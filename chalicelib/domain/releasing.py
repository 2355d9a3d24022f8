"""Give everything back: what is ours on a cluster, in the order in which it can be taken away, and what must wait.

Ours is what carries our mark: EgressIPs by label, reservations by tag, the egress label of pools and nodes by the mark
beside it. A label that was there before us has no mark, and stays; so does one that Terraform has taken over, for
whoever writes the whole map without the mark makes the label theirs. Nothing else is looked at.

The order: EgressIPs first; their reservations when neither a CloudPrivateIPConfig nor an interface has the addresses
any more; then the labels, pool before nodes, so that no node is born with a label that is being taken away. Every step
is planned anew from what is there: broken off anywhere, the next release goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from chalicelib.domain.actions import (
    Action,
    DeleteEgressIp,
    ReleaseReservation,
    UnlabelNode,
    UnlabelPool,
)
from chalicelib.domain.capacity import CapacityReport
from chalicelib.domain.findings import some_of
from chalicelib.domain.plan import Plan, Withheld
from chalicelib.domain.pools import MachinePool, OcmView
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, MARK_LABEL, Node
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.terrain import Observed, Terrain, is_our_object, parse_address

REASON = "everything of ours is given back"


@dataclass(frozen=True, slots=True)
class Release:
    """What is to be given back.

    Attributes:
        plan: All of it in order; `moving` says what is waited for, `withheld` what stays and why.
        due: What can be done now.
    """

    plan: Plan
    due: tuple[Action, ...]

    @property
    def complete(self) -> bool:
        """Nothing of ours is left, and nothing is on its way out."""
        return not self.plan.actions and not self.plan.moving


def plan_release(observed: Observed, desired: ClusterSpec, capacity: CapacityReport) -> Release:
    """Everything of ours, from what is there now."""
    terrain = Terrain(observed, desired, capacity)
    objects = [egress_ip for egress_ip in terrain.observed.egress_ips if is_our_object(egress_ip)]
    deletes = tuple(
        DeleteEgressIp(
            egress_ip.name,
            egress_ip.uid,
            egress_ip.spec,
            (egress_ip.name,),
            REASON,
            serving=tuple(a for a in egress_ip.spec.addresses if _serves(a, terrain)),
        )
        for egress_ip in sorted(objects, key=lambda egress_ip: egress_ip.name)
        if not egress_ip.deleting
    )
    waiting = [f"EgressIP {egress_ip.name} is being deleted" for egress_ip in objects if egress_ip.deleting]
    reservations, busy = _reservations(terrain)
    leaving = _leaving(terrain)
    labels = _Labels(terrain)
    quiet = not objects and not leaving and not reservations
    due: tuple[Action, ...] = (*deletes, *(r for r in reservations if r.reservation_id not in busy))
    if quiet:
        due = (*due, *labels.pools, *labels.nodes)
    return Release(
        Plan(
            desired.name,
            actions=(*deletes, *reservations, *labels.pools, *labels.nodes),
            withheld=labels.withheld,
            moving=tuple(sorted({*waiting, *busy.values(), *leaving, *labels.waiting})),
        ),
        due,
    )


def _serves(address: str, terrain: Terrain) -> bool:
    cpic = terrain.cpic_by_address.get(address)
    return cpic is not None and cpic.healthy


def _reservations(terrain: Terrain) -> tuple[tuple[ReleaseReservation, ...], dict[str, str]]:
    """Our reservations, and why some have to wait, by their ids."""
    ours = [r for r in terrain.observed.reservations if terrain.is_ours(r)]
    ours.sort(key=lambda r: (r.subnet_id, r.cidr))
    actions = tuple(ReleaseReservation(r.id, r.subnet_id, r.cidr, (), REASON) for r in ours)
    used = sorted(_still_used(terrain))
    busy = {
        r.id: f"reservation {r.cidr} waits until {some_of(map(str, held))} is let go"
        for r in ours
        if (held := [address for address in used if address in r.cidr])
    }
    return actions, busy


def _still_used(terrain: Terrain) -> set[IPv4Address]:
    """Egress addresses that something of ours still has, or has not let go.

    What other people's objects and interfaces have in a range of ours goes on working without it: a reservation only
    keeps EC2 from giving an address away.
    """
    observed = terrain.observed
    theirs = {e.name for e in observed.egress_ips if not is_our_object(e)}
    listed = {a for e in observed.egress_ips if e.name in theirs for a in e.spec.addresses}
    listed |= {cpic.address for cpic in observed.cpics if cpic.owner in theirs}
    texts = {a for e in observed.egress_ips if e.name not in theirs for a in e.spec.addresses}
    texts |= {cpic.address for cpic in observed.cpics}
    texts |= {
        str(address)
        for interface in observed.interfaces
        if interface.instance_id in terrain.instance_by_id
        for address in interface.addresses[1:]
    }
    return {address for text in texts - listed if (address := parse_address(text)) is not None}


def _leaving(terrain: Terrain) -> tuple[str, ...]:
    """Addresses that an EgressIP which is gone still holds: its node must keep the label until they are off."""
    names = set(terrain.egress_ip_by_name)
    return tuple(
        f"{cpic.address} is being released"
        for cpic in terrain.observed.cpics
        if cpic.owner not in names and (cpic.deleting or cpic.owner is not None)
    )


class _Labels:
    """Labels of ours on pools and nodes, and those that have to stay."""

    def __init__(self, terrain: Terrain) -> None:
        self.terrain = terrain
        view = terrain.observed.ocm
        in_ocm: tuple[MachinePool, ...] = view.pools if isinstance(view, OcmView) else ()
        withheld: list[Withheld] = []
        self.kept = self._needed(withheld)
        self.pools = tuple(
            UnlabelPool(pool.name, dict(pool.labels), (), REASON)
            for pool in in_ocm
            if MARK_LABEL in pool.labels and pool.name not in self.kept
        )
        withheld += [
            Withheld(f"label of machine pool {pool.name}", "it does not carry our mark: it was not put there by us")
            for pool in in_ocm
            if ASSIGNABLE_LABEL in pool.labels and MARK_LABEL not in pool.labels
        ]
        marked = [node for node in sorted(terrain.observed.nodes, key=lambda n: n.name) if node.marked]
        marked = [node for node in marked if self._pool(node) not in self.kept and not node.deleting]
        self.nodes = tuple(UnlabelNode(node.name, (), REASON) for node in marked) if terrain.hosted else ()
        self.waiting = (
            ()
            if terrain.hosted
            else tuple(f"node {node.name} waits for the platform to take the label" for node in marked)
        )
        self.withheld = tuple(withheld)

    def _pool(self, node: Node) -> str:
        """The pool of a node; a node of no pool stands for itself."""
        instance = self.terrain.instance_by_id.get(node.instance_id or "")
        return (instance.pool if instance else None) or node.name

    def _needed(self, withheld: list[Withheld]) -> set[str]:
        """Pools whose nodes carry addresses of other people's EgressIPs: without the label these would stop serving."""
        node_by_name = {node.name: node for node in self.terrain.observed.nodes}
        users: dict[str, set[str]] = {}
        for cpic in self.terrain.observed.cpics:
            owner = self.terrain.egress_ip_by_name.get(cpic.owner or "")
            node = node_by_name.get(cpic.spec_node)
            if owner is not None and not is_our_object(owner) and node is not None and node.marked:
                users.setdefault(self._pool(node), set()).add(owner.name)
        withheld += [
            Withheld(
                f"label of machine pool {pool}", f"its nodes carry addresses of {some_of(sorted(names))}, not ours"
            )
            for pool, names in sorted(users.items())
        ]
        return set(users)
