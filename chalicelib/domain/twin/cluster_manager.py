"""The OVN-Kubernetes cluster manager's EgressIP part: what it watches, remembers and repeats.

Belongs here: its state, its one step function, its start, its timers. Does not belong here: what it does about an
object (`egress_ip_handlers`, `cpic_handlers`, `node_handlers`), how it picks a node (`assignment`).

    started(now)                                          → a cluster manager that has everything before it
    step(manager, SawChange(change) | Wake(), objects=…, now=…, behaviours=…, choose=…) → manager, writes
    next_due(manager)                                     → when it wants Wake: start, probe, repetition of failures

It starts in three stages, each over everything there is, one object a step: nodes; EgressIPs, which first get their
marks; CPICs, where first the claims without a CPIC are dropped. A kind is not watched before its stage: what changed
before is seen as it is then. Objects deleted while it was down leave their CPICs behind, for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TypeAlias, assert_never

from chalicelib.domain.twin import node_handlers, starting
from chalicelib.domain.twin.allocator import Allocator
from chalicelib.domain.twin.api import ManagerWrite, WritePodSubnets
from chalicelib.domain.twin.behaviours import Behaviours
from chalicelib.domain.twin.choices import Choose
from chalicelib.domain.twin.cpic_handlers import CpicHandlers
from chalicelib.domain.twin.egress_ip_handlers import EgressIpHandlers
from chalicelib.domain.twin.node_handlers import NodeHandlers
from chalicelib.domain.twin.retries import TICK_SECONDS, Book, Entry
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.turn import FIRST_MARK, Fruitless, Pending, Turn
from chalicelib.domain.twin.values import Change, Cpic, CpicChange, EgressIp, EgressIpChange, Node, NodeChange, Objects

PROBE_SECONDS = 5.0


class Stage(IntEnum):
    """How far the start has come: what is being gone through, or RUNNING."""

    NODES = 1
    EGRESS_IPS = 2
    CPICS = 3
    RUNNING = 4


@dataclass(frozen=True, slots=True)
class ClusterManager:
    """The state of a running cluster manager.

    Attributes:
        todo: Names of what the stage has yet to go through, None before it began; `any_order` if the order in which
            it does may matter.
        early: Changes that were delivered during the start; they are handled after it.
        cache: Which nodes could carry addresses, and what was allocated where.
        pending: CPIC operations under way, by EgressIP and address.
        node_retries: Failed node events, by name; so for the other two kinds.
        next_probe: When the reachability loop looks next; `next_retry` the same for the retry books. Seconds.
        fruitless: Passes that need not be tried again yet; no part of what the state is.
    """

    stage: Stage = Stage.NODES
    todo: tuple[str, ...] | None = None
    any_order: bool = False
    early: tuple[Change, ...] = ()
    cache: Allocator = field(default_factory=Allocator)
    pending: Pending = field(default_factory=Table)
    marks: Table[str, int] = field(default_factory=Table)
    next_mark: int = FIRST_MARK
    node_retries: Table[str, Entry[Node]] = field(default_factory=Table)
    egress_ip_retries: Table[str, Entry[EgressIp]] = field(default_factory=Table)
    cpic_retries: Table[str, Entry[Cpic]] = field(default_factory=Table)
    next_probe: float = 0.0
    next_retry: float = 0.0
    fruitless: Fruitless = field(default_factory=Fruitless, compare=False)

    @property
    def starting(self) -> bool:
        """It has not gone through everything that was there when it started."""
        return self.stage is not Stage.RUNNING

    @property
    def retrying(self) -> bool:
        """Some event is waiting to be repeated."""
        return bool(self.node_retries or self.egress_ip_retries or self.cpic_retries)

    def watches(self, change: Change) -> bool:
        """Whether a change of this kind is delivered already."""
        match change:
            case NodeChange():
                stage = Stage.NODES
            case EgressIpChange():
                stage = Stage.EGRESS_IPS
            case CpicChange():
                stage = Stage.CPICS
            case _:
                assert_never(change)
        return self.stage > stage or (self.stage is stage and self.todo is not None)


@dataclass(frozen=True, slots=True)
class SawChange:
    """A watch delivered a change; each kind in the order of its changes, kinds independently of each other."""

    change: Change


@dataclass(frozen=True, slots=True)
class Wake:
    """The time that `next_due` named has come."""


@dataclass(frozen=True, slots=True)
class Probed:
    """From now on the probe of a node succeeds, or fails; until told, every node answers."""

    node: str
    answers: bool


ManagerEvent: TypeAlias = SawChange | Wake | Probed


def started(now: float) -> ClusterManager:
    """A cluster manager that has just started, with everything before it."""
    return ClusterManager(next_probe=now + PROBE_SECONDS, next_retry=now + TICK_SECONDS)


def next_due(manager: ClusterManager) -> float | None:
    """When Wake is wanted, in seconds of the world's time (0 for at once); None while only changes can do anything."""
    if manager.starting or manager.early:
        return 0.0
    dues = [manager.next_probe] if manager.cache.doubtful else []
    return min([*dues, manager.next_retry] if manager.retrying else dues, default=None)


def step(
    manager: ClusterManager,
    event: ManagerEvent,
    *,
    objects: Objects,
    now: float,
    behaviours: Behaviours,
    choose: Choose,
) -> tuple[ClusterManager, tuple[ManagerWrite, ...]]:
    """One step of the cluster manager.

    Args:
        objects: The cluster API as it is now. Handlers read it live, or from caches that are hardly older.
        now: Seconds of the world's time.
        choose: Decides what Go's map order would.

    Returns:
        The next state, and what was written, in order.
    """
    step_ = _Step(_caught_up(manager, now), objects, now, behaviours, choose)
    match event:
        case SawChange(change):
            if not manager.watches(change):
                return manager, ()
            if manager.starting:
                return replace(manager, early=(*manager.early, change)), ()
            step_.see(change)
        case Probed(node, answers):
            step_.turn.cache = step_.turn.cache.answering(node, answers=answers)
        case Wake():
            step_.wake()
        case _:
            assert_never(event)
    return step_.result()


def _caught_up(manager: ClusterManager, now: float) -> ClusterManager:
    """The state without the ticks that passed while there was nothing for them to do."""
    probe, retry = manager.next_probe, manager.next_retry
    if probe < now and not manager.cache.doubtful:
        probe += PROBE_SECONDS * -((probe - now) // PROBE_SECONDS)
    if retry < now and not manager.retrying:
        retry += TICK_SECONDS * -((retry - now) // TICK_SECONDS)
    if probe == manager.next_probe and retry == manager.next_retry:
        return manager
    return replace(manager, next_probe=probe, next_retry=retry)


class _Step:
    """One step's working copy: the turn, the three retry books, and the timers."""

    def __init__(
        self, manager: ClusterManager, objects: Objects, now: float, behaviours: Behaviours, choose: Choose
    ) -> None:
        self._manager = manager
        self.turn = turn = Turn(
            objects=objects,
            cache=manager.cache,
            pending=manager.pending,
            marks=manager.marks,
            next_mark=manager.next_mark,
            fruitless=manager.fruitless,
            now=now,
            behaviours=behaviours,
            choose=choose,
        )
        self._nodes = Book(manager.node_retries, NodeHandlers(turn), now)
        self._egress_ips = Book(manager.egress_ip_retries, EgressIpHandlers(turn), now)
        self._cpics = Book(manager.cpic_retries, CpicHandlers(turn), now)

    def result(self) -> tuple[ClusterManager, tuple[ManagerWrite, ...]]:
        """The state after the step, and its writes."""
        turn, manager = self.turn, self._manager
        if not turn.writes and turn.cache is manager.cache and turn.pending is manager.pending:
            unchanged = (
                self._nodes.entries is manager.node_retries
                and self._egress_ips.entries is manager.egress_ip_retries
                and self._cpics.entries is manager.cpic_retries
                and turn.fruitless is manager.fruitless
                and turn.marks is manager.marks
            )
            if unchanged:
                return manager, ()
        after = replace(
            self._manager,
            cache=turn.cache,
            pending=turn.pending,
            marks=turn.marks,
            next_mark=turn.next_mark,
            fruitless=turn.fruitless,
            node_retries=self._nodes.entries,
            egress_ip_retries=self._egress_ips.entries,
            cpic_retries=self._cpics.entries,
        )
        return after, tuple(turn.writes)

    def see(self, change: Change) -> None:
        """Handle one event of a watch."""
        match change:
            case NodeChange(old, new):
                self.turn.cache = self.turn.cache.host_addresses_changed(old, new)
                self._nodes.on_change(_name(old, new), old, new)
                if new is not None:
                    self._give_pod_subnets(new)
            case EgressIpChange(old, new):
                self._egress_ips.on_change(_name(old, new), old, new)
            case CpicChange(old, new):
                self._cpics.on_change(_address(old, new), old, new)
            case _:
                assert_never(change)

    def _give_pod_subnets(self, node: Node) -> None:
        """The cluster manager's own other half annotates every node with its pod subnets."""
        latest = self.turn.objects.nodes.get(node.name)
        if latest is not None and not latest.pod_subnets:
            self.turn.write(WritePodSubnets(node.name))

    def wake(self) -> None:
        """Do whatever is due: the next step of the start, or probe and repetitions."""
        if not self._manager.starting:
            if self._manager.early:
                self._see_early()
            else:
                self._timers()
            return
        if self._manager.todo is None:
            self._begin_stage()
        elif self._manager.todo:
            self._go_through_one(self._manager.todo)
        if not self._manager.todo:
            self._manager = replace(self._manager, stage=Stage(self._manager.stage + 1), todo=None)

    def _see_early(self) -> None:
        change, *rest = self._manager.early
        self._manager = replace(self._manager, early=tuple(rest))
        self.see(change)

    def _timers(self) -> None:
        now, manager = self.turn.now, self._manager
        if manager.cache.doubtful and manager.next_probe <= now:
            manager = replace(manager, next_probe=manager.next_probe + PROBE_SECONDS)
            found = node_handlers.probe(self.turn)
            for name in found:
                self._nodes.add_soon(name)
            if found:
                self._nodes.look()
        if manager.retrying and manager.next_retry <= now:
            manager = replace(manager, next_retry=manager.next_retry + TICK_SECONDS)
            self._nodes.look()
            self._egress_ips.look()
            self._cpics.look()
        self._manager = manager

    def _begin_stage(self) -> None:
        """What comes before the objects one by one, and which those are."""
        turn = self.turn
        unassigned = any(len(e.spec) != len(e.status) for e in turn.objects.egress_ips.values())
        match self._manager.stage:
            case Stage.NODES:
                starting.fill_cache(turn)
                names, any_order = list(turn.objects.nodes), unassigned
            case Stage.EGRESS_IPS:
                starting.give_marks(turn)
                # With a prefilled cache only those without a node compete; otherwise every address is placed anew.
                names, any_order = list(turn.objects.egress_ips), unassigned or not turn.behaviours.prefill
            case _:
                starting.drop_claims_without_cpic(turn)
                names, any_order = list(turn.objects.cpics), False
        self._manager = replace(self._manager, todo=tuple(sorted(names)), any_order=any_order)

    def _go_through_one(self, todo: tuple[str, ...]) -> None:
        """Handle the next object of the stage as an addition; it may be gone by now."""
        choosing = self._manager.any_order and len(todo) > 1
        name = self.turn.choose("next object at start", todo) if choosing else todo[0]
        self._manager = replace(self._manager, todo=tuple(other for other in todo if other != name))
        objects = self.turn.objects
        match self._manager.stage:
            case Stage.NODES:
                if (node := objects.nodes.get(name)) is not None:
                    self._nodes.on_change(name, None, node)
                    self._give_pod_subnets(node)
            case Stage.EGRESS_IPS:
                self._egress_ips.on_change(name, None, objects.egress_ips.get(name))
            case _:
                self._cpics.on_change(name, None, objects.cpics.get(name))


def _name(old: Node | EgressIp | None, new: Node | EgressIp | None) -> str:
    subject = new or old
    return subject.name if subject else ""


def _address(old: Cpic | None, new: Cpic | None) -> str:
    subject = new or old
    return subject.address if subject else ""
