"""The cluster manager's allocation cache: which nodes could carry addresses, and which address it gave to which.

Belongs here: one entry per node, the index of allocations, the index of host addresses. Does not belong here: the
choice of a node (`assignment`), when an entry changes (`node_handlers`).

The cache is not the truth and the real one drifts from it: an allocation is recorded as soon as a node is chosen, stays
when CNCC fails, and is forgotten when its node loses the label or readiness.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from chalicelib.domain.twin.addressing import contains, host_address
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import EgressConfig, Node, StatusItems


@dataclass(frozen=True, slots=True)
class EgressNode:
    """One node in the cache; it gets there once it has all three annotations.

    Attributes:
        assignable: It carries the label.
        reachable: It was seen to answer probes. A node that no probe has asked yet is not.
        allocations: (address, EgressIP) pairs, sorted.
    """

    name: str
    config: EgressConfig
    assignable: bool = False
    ready: bool = False
    reachable: bool = False
    allocations: tuple[tuple[str, str], ...] = ()

    @property
    def usable(self) -> bool:
        """Addresses may be placed here, room permitting."""
        return self.assignable and self.ready and self.reachable

    @property
    def subnets(self) -> tuple[str, ...]:
        """The subnets of the node's egress interface."""
        return tuple(subnet for subnet in (self.config.subnet, self.config.subnet_ipv6) if subnet is not None)

    def carries_for(self, owner: str) -> int:
        """How many addresses of one EgressIP are allocated here."""
        count = 0
        for _, name in self.allocations:
            count += name == owner
        return count

    def hosts(self, address: str) -> bool:
        """The address is in the subnet of the node's egress interface."""
        return contains(self.config.subnet, address) or contains(self.config.subnet_ipv6, address)


@dataclass(frozen=True, slots=True)
class Allocator:
    """The cache.

    Attributes:
        placed: Names of the nodes to which an address is allocated (one, except after mistakes), by address.
        hosts: Names of the nodes that have a host address, by address.
        without_host_cidrs: Nodes whose host addresses are not known.
        usable: (number of allocations, node) pairs of the usable nodes in each subnet, sorted.
        silent: Nodes that do not answer probes.
        doubtful: Nodes whose `reachable` is not what the next probe will say.
    """

    nodes: Table[str, EgressNode] = field(default_factory=Table)
    placed: Table[str, tuple[str, ...]] = field(default_factory=Table)
    hosts: Table[str, tuple[str, ...]] = field(default_factory=Table)
    usable: Table[str, tuple[tuple[int, str], ...]] = field(default_factory=Table)
    without_host_cidrs: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[EgressNode], nodes: Iterable[Node]) -> Allocator:
        """The cache with those entries, all of them reachable if usable, and the host addresses of those nodes."""
        known = {entry.name: entry for entry in entries}
        placed: dict[str, list[str]] = {}
        usable: dict[str, list[tuple[int, str]]] = {}
        hosts: dict[str, set[str]] = {}
        for entry in known.values():
            for address, _ in entry.allocations:
                placed.setdefault(address, []).append(entry.name)
            for subnet in entry.subnets if entry.usable else ():
                usable.setdefault(subnet, []).append((len(entry.allocations), entry.name))
        nodes = tuple(nodes)
        for node in nodes:
            for cidr in node.host_cidrs or ():
                hosts.setdefault(host_address(cidr), set()).add(node.name)
        return cls(
            nodes=Table(known.items()),
            placed=Table((address, tuple(sorted(names))) for address, names in placed.items()),
            hosts=Table((address, tuple(sorted(names))) for address, names in hosts.items()),
            usable=Table((subnet, tuple(sorted(pairs))) for subnet, pairs in usable.items()),
            without_host_cidrs=frozenset(node.name for node in nodes if node.host_cidrs is None),
        )

    def put(self, node: EgressNode) -> Allocator:
        """The cache with this entry; its allocations must be those it had, or none."""
        before = self.nodes.get(node.name)
        placed = self.placed
        if before is not None and not node.allocations:
            for address, _ in before.allocations:
                placed = _without(placed, address, node.name)
        doubtful = node.assignable and node.ready and node.reachable == (node.name in self.silent)
        known = replace(self, placed=placed) if placed is not self.placed else self
        if doubtful != (node.name in self.doubtful):
            known = replace(known, doubtful=self.doubtful ^ {node.name})
        return _entered(known, node)

    def drop(self, name: str) -> Allocator:
        """The cache without that node and its allocations."""
        node = self.nodes.get(name)
        if node is None:
            return self
        emptied = self.put(replace(node, allocations=(), assignable=False))
        return replace(emptied, nodes=emptied.nodes.drop(name))

    def answering(self, name: str, *, answers: bool) -> Allocator:
        """The cache with what the next probe of a node will say."""
        known = replace(self, silent=self.silent - {name} if answers else self.silent | {name})
        node = known.nodes.get(name)
        return known.put(node) if node else known

    def allocate(self, name: str, address: str, owner: str) -> Allocator:
        """Record an allocation, over any other of that address on that node. Nothing if the node is not here."""
        node = self.nodes.get(name)
        if node is None or (address, owner) in node.allocations:
            return self
        kept = [pair for pair in node.allocations if pair[0] != address]
        placed = self.placed.put(address, tuple(sorted({*self.placed.get(address, ()), name})))
        after = replace(node, allocations=tuple(sorted([*kept, (address, owner)])))
        return replace(_entered(self, after), placed=placed)

    def free(self, name: str, address: str) -> Allocator:
        """Forget an allocation, whoever's it is."""
        node = self.nodes.get(name)
        if node is None or all(held != address for held, _ in node.allocations):
            return self
        kept = tuple(pair for pair in node.allocations if pair[0] != address)
        return replace(_entered(self, replace(node, allocations=kept)), placed=_without(self.placed, address, name))

    def owner_of(self, name: str, address: str) -> str | None:
        """To which EgressIP an address is allocated on a node."""
        node = self.nodes.get(name)
        return next((owner for held, owner in node.allocations if held == address), None) if node else None

    def prefilled(self, owner: str, items: StatusItems) -> Allocator:
        """The cache with the claims of a status recorded as allocations."""
        cache = self
        for address, name in items:
            cache = cache.allocate(name, address, owner)
        return cache

    def host_addresses_changed(self, old: Node | None, new: Node | None) -> Allocator:
        """The cache with the host addresses of a node updated."""
        if old is not None and new is not None and old.host_cidrs == new.host_cidrs:
            return self
        hosts, missing = self.hosts, self.without_host_cidrs
        if old is not None:
            missing = missing - {old.name}
            for cidr in old.host_cidrs or ():
                hosts = _without(hosts, host_address(cidr), old.name)
        if new is not None:
            missing = missing | {new.name} if new.host_cidrs is None else missing
            for cidr in new.host_cidrs or ():
                address = host_address(cidr)
                hosts = hosts.put(address, tuple(sorted({*hosts.get(address, ()), new.name})))
        return replace(self, hosts=hosts, without_host_cidrs=missing)


def _entered(cache: Allocator, node: EgressNode) -> Allocator:
    """The cache with this entry in place of its former one, and in the right places among the usable."""
    before = cache.nodes.get(node.name)
    usable = cache.usable
    if before is not None and before.usable:
        for subnet in before.subnets:
            pairs = usable[subnet]
            at = bisect_left(pairs, (len(before.allocations), node.name))
            rest = (*pairs[:at], *pairs[at + 1 :])
            usable = usable.put(subnet, rest) if rest else usable.drop(subnet)
    if node.usable:
        for subnet in node.subnets:
            entries = list(usable.get(subnet, ()))
            insort(entries, (len(node.allocations), node.name))
            usable = usable.put(subnet, tuple(entries))
    return replace(cache, nodes=cache.nodes.put(node.name, node), usable=usable)


def _without(index: Table[str, tuple[str, ...]], address: str, name: str) -> Table[str, tuple[str, ...]]:
    rest = tuple(other for other in index.get(address, ()) if other != name)
    return index.put(address, rest) if rest else index.drop(address)
