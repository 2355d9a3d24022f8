"""One step of the cluster manager while it runs: the working copy of its state, and what it has written so far.

Belongs here: reads that see the step's own writes, the writes, events, marks and pending operations. Does not belong
here: decisions (`assignment`, the handlers). A turn lives inside one call of `cluster_manager.step` and is never kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from chalicelib.domain.twin import api
from chalicelib.domain.twin.allocator import Allocator
from chalicelib.domain.twin.api import EmitEvent, ManagerWrite, PatchEgressIp
from chalicelib.domain.twin.behaviours import Behaviours
from chalicelib.domain.twin.choices import Choose
from chalicelib.domain.twin.retries import HandlerFailed
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import EgressIp, Node, Objects, StatusItems

FIRST_MARK, LAST_MARK = 50000, 55000


@dataclass(frozen=True, slots=True, order=True)
class Operation:
    """What is under way for one address: the node it goes to, the node it leaves; "" for none."""

    add: str = ""
    delete: str = ""


Operations: TypeAlias = tuple[tuple[str, Operation], ...]
"""(address, operation) pairs, sorted."""

Pending: TypeAlias = Table[str, Operations]


@dataclass(frozen=True, slots=True)
class Fruitless:
    """Passes that found nothing to do but to say so, and would again as long as cache and nodes are these very ones.

    Only there to be quick: after an outage every released address makes every waiting object be tried again.
    """

    cache: Allocator | None = None
    nodes: Table[str, Node] | None = None
    passes: Table[str, tuple[EgressIp, tuple[ManagerWrite, ...]]] = field(default_factory=Table)


class Turn:
    """The working copy.

    Attributes:
        objects: The cluster API, with the writes of this turn applied.
        cache: The allocation cache.
        pending: Operations under way, by EgressIP and address. One is forgotten when its CPIC confirms it, so that a
            mistake of the bookkeeping can leave one for ever, which then keeps the object from being resynchronised.
        fruitless: Passes that need not be tried again yet.
        marks: Mark by EgressIP; `next_mark` is where the search for a free one begins.
    """

    def __init__(
        self,
        *,
        objects: Objects,
        cache: Allocator,
        pending: Pending,
        marks: Table[str, int],
        next_mark: int,
        fruitless: Fruitless,
        now: float,
        behaviours: Behaviours,
        choose: Choose,
    ) -> None:
        self.objects = objects
        self.cache = cache
        self.pending = pending
        self.marks = marks
        self.next_mark = next_mark
        self.fruitless = fruitless
        self.now = now
        self.behaviours = behaviours
        self.choose = choose
        self.writes: list[ManagerWrite] = []

    def write(self, write: ManagerWrite) -> None:
        """Write to the cluster API; later reads of this turn see it."""
        self.objects, _ = api.apply(self.objects, write)
        self.writes.append(write)

    def event(self, reason: str, egress_ip: str, message: str) -> None:
        """Emit a Kubernetes Event on an EgressIP."""
        self.write(EmitEvent(reason, egress_ip, message))

    def repeat_fruitless(self, egress_ip: EgressIp) -> bool:
        """Repeat what a pass over this object would only say; False if it might do something."""
        known = self.fruitless
        if known.cache is not self.cache or known.nodes is not self.objects.nodes:
            return False
        seen, said = known.passes.get(egress_ip.name, (None, ()))
        if seen is not egress_ip:
            return False
        self.writes.extend(said)
        return True

    def note_fruitless(self, egress_ip: EgressIp, said: tuple[ManagerWrite, ...]) -> None:
        """Remember that a pass over this object did nothing but to say this."""
        known, nodes = self.fruitless, self.objects.nodes
        if known.cache is not self.cache or known.nodes is not nodes:
            known = Fruitless(self.cache, nodes)
        self.fruitless = replace(known, passes=known.passes.put(egress_ip.name, (egress_ip, said)))

    def patch_status(self, seen: EgressIp, items: StatusItems) -> None:
        """Replace the status of an EgressIP; with the mark, and so without its annotations, if *seen* has none.

        Raises:
            HandlerFailed: The object is gone.
        """
        if seen.name not in self.objects.egress_ips:
            raise HandlerFailed(f"EgressIP {seen.name} is gone")
        mark = None if seen.mark is not None else self.allocate_mark(seen.name)
        self.write(PatchEgressIp(seen.name, tuple(sorted(items)), mark))

    def allocate_mark(self, name: str) -> int | None:
        """The mark of an EgressIP, a new one if it has none; None if all are taken, which is only logged."""
        known = self.marks.get(name)
        if known is not None:
            return known
        taken = set(self.marks.values())
        size = LAST_MARK - FIRST_MARK
        for offset in range(size):
            mark = FIRST_MARK + (self.next_mark - FIRST_MARK + offset) % size
            if mark not in taken:
                self.marks = self.marks.put(name, mark)
                self.next_mark = mark + 1
                return mark
        return None

    def reserve_mark(self, name: str, mark: int) -> None:
        """Keep a mark that an object has already."""
        self.marks = self.marks.put(name, mark)

    def release_mark(self, name: str) -> None:
        """Give the mark of a deleted object back."""
        self.marks = self.marks.drop(name)

    def operations(self, egress_ip: str) -> dict[str, Operation]:
        """What is under way for one EgressIP, by address; a copy."""
        return dict(self.pending.get(egress_ip, ()))

    def set_operations(self, egress_ip: str, operations: Mapping[str, Operation]) -> None:
        """Replace what is under way for one EgressIP."""
        kept = tuple(sorted(operations.items()))
        self.pending = self.pending.put(egress_ip, kept) if kept else self.pending.drop(egress_ip)
