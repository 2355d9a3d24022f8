"""What the cluster manager does when a Node changes: who may carry addresses, and which objects are looked at again.

Belongs here: eligibility of nodes and the triggers that come from them, the reachability probe included. Does not
belong here: what happens to an object that is looked at (`egress_ip_handlers`).

A node may carry addresses when all of these hold: it is in the cache (egress-ipconfig, primary-ifaddr and node-subnets
were there once), it carries the label, it is Ready, and it was found reachable. Taints do not count. Without
`silent_abort` it also needs host-cidrs.

    becomes eligible, or host-cidrs (newer: egress-ipconfig) changes → every object that is not fully assigned
    loses label or readiness, is deleted, does not answer            → every object with a status item there
Losing label or readiness empties the node's allocations. A node that gets its last annotation without being eligible
yet is taken up by the probe, within 5 s.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from chalicelib.domain.twin.allocator import EgressNode
from chalicelib.domain.twin.egress_ip_handlers import reconcile
from chalicelib.domain.twin.retries import HandlerFailed
from chalicelib.domain.twin.turn import Turn
from chalicelib.domain.twin.values import EgressIp, Node


class NodeHandlers:
    """The handlers of Node events, for the retry book."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def latest(self, name: str) -> Node | None:
        """The object as it is now."""
        return self._turn.objects.nodes.get(name)

    def added(self, obj: Node) -> None:
        """Handle an addition, and a node that the probe found reachable."""
        turn = self._turn
        take_up(turn, obj)
        if obj.labelled:
            set_assignable(turn, obj.name, yes=_may_be_assignable(turn, obj))
        if obj.ready:
            set_ready(turn, obj.name, yes=True)
        if obj.labelled and obj.ready and _answers(turn, obj.name):
            _set_reachable(turn, obj.name)
            look_at_unassigned(turn)

    def updated(self, old: Node, new: Node) -> None:
        """Handle an update."""
        turn = self._turn
        take_up(turn, new)
        if not old.labelled and not new.labelled:
            return
        was, now = _may_be_assignable(turn, old), _may_be_assignable(turn, new)
        set_assignable(turn, new.name, yes=now)
        if was and not now:
            look_at_carried(turn, new.name)
            return
        if not new.labelled:
            return
        answers = _answers(turn, new.name)
        set_ready(turn, new.name, yes=new.ready)
        if not old.labelled:
            if new.ready and answers:
                _set_reachable(turn, new.name)
                look_at_unassigned(turn)
            return
        if old.ready == new.ready and not self._reconsidered(old, new):
            return
        if not new.ready:
            look_at_carried(turn, new.name)
        elif answers:
            _set_reachable(turn, new.name)
            look_at_unassigned(turn)

    def _reconsidered(self, old: Node, new: Node) -> bool:
        """Whether an annotation changed that makes the objects be looked at again."""
        if old.host_cidrs != new.host_cidrs:
            return True
        return old.egress_config != new.egress_config and self._turn.behaviours.ipconfig_trigger

    def deleted(self, obj: Node) -> None:
        """Handle a deletion."""
        self._turn.cache = self._turn.cache.drop(obj.name)
        if obj.labelled:
            look_at_carried(self._turn, obj.name)


def take_up(turn: Turn, node: Node) -> None:
    """Put the node into the cache, or update it there, once it has what the cache needs."""
    if node.egress_config is None or not node.primary_ifaddr or not node.pod_subnets:
        return
    known = turn.cache.nodes.get(node.name)
    entry = replace(known, config=node.egress_config) if known else EgressNode(node.name, node.egress_config)
    turn.cache = turn.cache.put(entry)


def probe(turn: Turn) -> list[str]:
    """The reachability loop's look at all nodes.

    Returns:
        Nodes that were found reachable and are to be handled as added. Those that do not answer any more were dealt
        with here.
    """
    found: list[str] = []
    lost: list[str] = []
    for name in sorted(turn.cache.doubtful):
        entry = turn.cache.nodes[name]
        (lost if entry.reachable else found).append(name)
        turn.cache = turn.cache.put(replace(entry, reachable=not entry.reachable))
    for name in lost:
        # The real loop only logs a failure here.
        try:
            look_at_carried(turn, name)
        except HandlerFailed:
            continue
    return found


def set_assignable(turn: Turn, name: str, *, yes: bool) -> None:
    """Note whether the node may be assigned anything; if not, its allocations are forgotten."""
    entry = turn.cache.nodes.get(name)
    if entry is not None:
        turn.cache = turn.cache.put(replace(entry, assignable=yes, allocations=entry.allocations if yes else ()))


def set_ready(turn: Turn, name: str, *, yes: bool) -> None:
    """Note whether the node is Ready; if not, its allocations are forgotten."""
    entry = turn.cache.nodes.get(name)
    if entry is not None:
        turn.cache = turn.cache.put(replace(entry, ready=yes, allocations=entry.allocations if yes else ()))


def _set_reachable(turn: Turn, name: str) -> None:
    entry = turn.cache.nodes.get(name)
    if entry is not None:
        turn.cache = turn.cache.put(replace(entry, reachable=True))


def _answers(turn: Turn, name: str) -> bool:
    """In the cache, and known to be reachable or answering now."""
    entry = turn.cache.nodes.get(name)
    return entry is not None and (entry.reachable or name not in turn.cache.silent)


def _may_be_assignable(turn: Turn, node: Node) -> bool:
    return node.labelled and (node.host_cidrs is not None or turn.behaviours.silent_abort)


def look_at_unassigned(turn: Turn) -> None:
    """Reconcile every object whose spec and status differ in length, in order of name.

    Raises:
        HandlerFailed: One of them failed; all were tried.
    """
    _look_at(turn, [e for e in turn.objects.egress_ips.values() if len(e.spec) != len(e.status)])


def look_at_carried(turn: Turn, node: str) -> None:
    """Reconcile every object with a status item on *node*, in order of name.

    Raises:
        HandlerFailed: One of them failed; all were tried.
    """
    # A set, because an object may claim two addresses there.
    _look_at(turn, {e for e in turn.objects.egress_ips.values() for _, on in e.status if on == node})


def _look_at(turn: Turn, egress_ips: Collection[EgressIp]) -> None:
    failed = []
    for egress_ip in sorted(egress_ips, key=lambda e: e.name):
        try:
            reconcile(turn, None, egress_ip)
        except HandlerFailed as failure:
            failed.append(str(failure))
    if failed:
        raise HandlerFailed("; ".join(failed))
