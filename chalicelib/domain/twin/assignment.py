"""The assignment pass: which node gets which address of one EgressIP.

Belongs here: the rules of OVN-Kubernetes' `assignEgressIPs`, with the choices that Go's map order makes. Does not
belong here: which addresses are up for it (`egress_ip_handlers`).

Nodes are ordered once a pass, by how many addresses they have been allocated, fewest first. Each address goes to the
first node that carries no other address of the same EgressIP, whose subnet contains it, and that has room. What is
found is recorded at once. Nothing is ever rebalanced.

| entry …                       | happens                                                                        |
|-------------------------------|--------------------------------------------------------------------------------|
| any node lacks host-cidrs     | with `silent_abort` the pass ends without an event                             |
| is a node's host address      | event EgressIPConflict; with `abort_rest` the pass ends, otherwise the next    |
| allocated to another EgressIP | event UnsupportedRequest; with `abort_rest` the pass ends, otherwise the next  |
| allocated to this one         | keeps its node                                                                 |

A pass that ends early emits neither NoMatchingNodeFound nor UnassignedRequest.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from heapq import merge
from itertools import groupby
from operator import itemgetter

from chalicelib.domain.twin.addressing import contains, is_ipv4, number
from chalicelib.domain.twin.allocator import EgressNode
from chalicelib.domain.twin.choices import Found
from chalicelib.domain.twin.turn import Turn
from chalicelib.domain.twin.values import StatusItems

ASSIGNABLE_LABEL = "k8s.ovn.org/egress-assignable"


class _Entry(Enum):
    """What one address is before any node is looked for."""

    OPEN = auto()
    OURS = auto()
    FOREIGN = auto()
    HOST = auto()
    UNCHECKED = auto()


def assign(turn: Turn, owner: str, addresses: Sequence[str]) -> StatusItems:
    """Find a node for each of *addresses* of the EgressIP *owner*.

    Returns:
        (address, node) pairs: new allocations, and those that the addresses had already. Addresses without a node are
        left out; nothing tries them again by itself.
    """
    if not turn.cache.usable:
        wanted = f"please tag at least one node with label: {ASSIGNABLE_LABEL}"
        turn.event("NoMatchingNodeFound", owner, f"no assignable nodes for EgressIP: {owner}, {wanted}")
        return ()
    found, complete = _Pass(turn, owner).run(sorted(addresses, key=number))
    if complete and not found:
        listed = f"[{' '.join(addresses)}] for object EgressIP: {owner}"
        turn.event(
            "NoMatchingNodeFound", owner, f"No matching nodes found, which can host any of the egress IPs: {listed}"
        )
    elif complete and len(found) < len(addresses):
        which = f"Not all egress IPs for EgressIP: {owner}"
        turn.event("UnassignedRequest", owner, f"{which} could be assigned, please tag more nodes")
    return found


class _Pass:
    """One pass over the addresses of one EgressIP."""

    def __init__(self, turn: Turn, owner: str) -> None:
        self._turn = turn
        self._owner = owner
        self._placed = turn.cache.placed

    def run(self, addresses: Sequence[str]) -> tuple[StatusItems, bool]:
        """Place the addresses one after the other; also whether the pass came to its end."""
        found: list[tuple[str, str]] = []
        remaining = list(addresses)
        while remaining:
            address = self._next(remaining)
            remaining.remove(address)
            entry = self._entry(address)
            node = None
            if entry is _Entry.UNCHECKED:
                return tuple(found), False
            if entry in (_Entry.HOST, _Entry.FOREIGN):
                self._refuse(address, entry)
                if self._turn.behaviours.abort_rest:
                    return tuple(found), False
            else:
                node = self._node_of_ours(address) if entry is _Entry.OURS else self._place(address)
            if node is not None:
                found.append((address, node))
        return tuple(found), True

    def _next(self, remaining: list[str]) -> str:
        """The next address in Go's random order, asked for only where the order decides something."""
        if len(remaining) == 1:
            return remaining[0]
        refused = any(self._kind(a) in (_Entry.HOST, _Entry.FOREIGN) for a in remaining)
        ends = refused and self._turn.behaviours.abort_rest
        rivals = remaining if ends else self._rivals(remaining)
        return self._turn.choose("next address of the pass", rivals) if len(rivals) > 1 else remaining[0]

    def _rivals(self, remaining: list[str]) -> list[str]:
        """Addresses without a node that share a subnet with another one: they compete for its nodes."""
        seekers = [address for address in remaining if self._kind(address) is _Entry.OPEN]
        if len(seekers) < 2:
            return []
        for subnet in sorted(self._turn.cache.usable):
            rivals = [address for address in seekers if contains(subnet, address)]
            if len(rivals) > 1:
                return rivals
        return []

    def _entry(self, address: str) -> _Entry:
        """What the address is, the host check included."""
        kind = self._kind(address)
        cache = self._turn.cache
        if not (cache.without_host_cidrs and self._turn.behaviours.silent_abort):
            return kind
        if kind is _Entry.HOST:
            # Nodes are checked in random order, and whichever comes first decides.
            return self._turn.choose("host check ends with", (_Entry.UNCHECKED, _Entry.HOST))
        return _Entry.UNCHECKED

    def _kind(self, address: str) -> _Entry:
        if address in self._turn.cache.hosts:
            return _Entry.HOST
        owner = self._allocated(address)[1]
        if owner is None:
            return _Entry.OPEN
        return _Entry.OURS if owner == self._owner else _Entry.FOREIGN

    def _allocated(self, address: str) -> tuple[str, str | None]:
        """The node and EgressIP that have the address, as of the beginning of the pass."""
        nodes = self._placed.get(address, ())
        if not nodes:
            return "", None
        # After a mistake two nodes have it, and the last one in map order counts.
        name = nodes[0] if len(nodes) == 1 else self._turn.choose("allocation that counts", nodes)
        return name, self._turn.cache.owner_of(name, address)

    def _refuse(self, address: str, entry: _Entry) -> None:
        turn, owner = self._turn, self._owner
        if entry is _Entry.HOST:
            host = turn.cache.hosts[address][0]
            what = f"Egress IP {owner} with IP {address} is conflicting with a host ({host}) IP address"
            turn.event("EgressIPConflict", owner, f"{what} and will not be assigned")
            return
        node, other = self._allocated(address)
        what = f'IP: "{address}" for EgressIP: {owner} is already allocated for EgressIP: {other} on {node}'
        turn.event("UnsupportedRequest", owner, what)

    def _node_of_ours(self, address: str) -> str | None:
        """The node it has, if that can still host it."""
        name = self._allocated(address)[0]
        node = self._turn.cache.nodes.get(name)
        alive = name in self._turn.objects.nodes
        return name if alive and node is not None and node.hosts(address) else None

    def _place(self, address: str) -> str | None:
        """The least loaded node with room, ties being Go's choice; recorded at once.

        The order of the beginning of the pass is that of now, but for nodes that got an address in this pass, and those
        get no other one.
        """
        usable = self._turn.cache.usable
        nodes = merge(*(pairs for subnet, pairs in usable.items() if contains(subnet, address)))
        for _, tied in groupby(nodes, key=itemgetter(0)):
            fitting = Found(name for _, name in tied if self._fits(name, address))
            if fitting:
                name = self._turn.choose(f"node for {address}", fitting)
                self._turn.cache = self._turn.cache.allocate(name, address, self._owner)
                return name
        return None

    def _fits(self, name: str, address: str) -> bool:
        node = self._turn.cache.nodes[name]
        if node.carries_for(self._owner) or name not in self._turn.objects.nodes:
            return False
        config, count = node.config, len(node.allocations)
        last = config.capacity_ipv4 if config.capacity_ipv6 is None else config.capacity_ipv6
        believed = last is None or count < last
        real = _has_room(node, address)
        return real if believed == real or not self._turn.behaviours.capacity_alias else believed


def _has_room(node: EgressNode, address: str) -> bool:
    """Whether one more address fits the number of its family; a missing number is no limit."""
    ipv4 = is_ipv4(address)
    limit = node.config.capacity_ipv4 if ipv4 else node.config.capacity_ipv6
    if limit is None or len(node.allocations) < limit:
        return True
    return sum(is_ipv4(held) == ipv4 for held, _ in node.allocations) < limit
