"""Carrying a plan out on the twin: one run, with one set of behaviours, one pace and one way of choosing.

Belongs here: the run, the platform's dice, what is noted on the way. Does not belong here: which runs are needed and
what they mean (`rehearsal`).

There are two ways to run. The whole twin, in its own time. Or, for a plan that only adds to a cluster at rest, its two
decisions alone: OVN-Kubernetes' assignment pass for each object, then EC2's answer to each assignment. Nothing else
happens there: nothing is released, retried or looked at again, so that the order of events can change nothing. The
tests hold both against each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TypeVar

from chalicelib.domain.actions import Action, ApplyEgressIp, DeleteEgressIp
from chalicelib.domain.rehearsing import twinning
from chalicelib.domain.twin import api, ec2
from chalicelib.domain.twin.addressing import canonical, host_address
from chalicelib.domain.twin.behaviours import Behaviours, Variant, Watched
from chalicelib.domain.twin.ec2 import AssignAddress, Ec2Error, Plane
from chalicelib.domain.twin.egress_ip_handlers import reconcile
from chalicelib.domain.twin.resuming import resumed
from chalicelib.domain.twin.retries import HandlerFailed
from chalicelib.domain.twin.turn import Turn
from chalicelib.domain.twin.values import Assigned, Change, Cpic, CpicChange, EgressIpChange, NodeChange, Objects
from chalicelib.domain.twin.world import World, at, moves, next_timer, perform

T = TypeVar("T")

NODES_NOTED = 4
HORIZON_SECONDS = 600.0
"""Longer than any program goes on trying."""


MANY = 12
"""Of more addresses than this, half of the combinations of pace and choice must do, and the decisions alone."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a run goes: each action settled before the next or not, choices the worst or the usual ones."""

    one_by_one: bool
    worst: bool


WAYS = (Way(True, True), Way(False, False), Way(True, False), Way(False, True))


class Start:
    """Where every run begins.

    Attributes:
        serving: (EgressIP, node) by address that serves.
        failing: Addresses whose assignment fails already.
        capacity: How many egress addresses each node really takes in all.
        spoilers: Addresses that an object cannot have: a host's, or one that several objects list.
    """

    def __init__(self, objects: Objects, plane: Plane, retrying: frozenset[str]) -> None:
        self.objects, self.plane, self._retrying = objects, plane, retrying
        world = World(Behaviours(), objects, plane)
        self.serving = twinning.serving(world)
        self.failing = frozenset(a for a, cpic in objects.cpics.items() if twinning.is_failing(cpic))
        self.capacity = twinning.true_capacity(world)
        listed = Counter(address for egress_ip in objects.egress_ips.values() for address in egress_ip.spec)
        hosts = {host_address(cidr) for node in objects.nodes.values() for cidr in node.host_cidrs or ()}
        self.spoilers = frozenset(a for a, count in listed.items() if count > 1) | hosts

    @cached_property
    def calm(self) -> bool:
        """Every address that an object lists serves, nothing is failing or on its way, and every node is known."""
        objects = self.objects
        listed = [(a, e.name) for e in objects.egress_ips.values() for a in e.spec]
        return (
            {(a, owner) for a, (owner, _) in self.serving.items()} == set(listed)
            and len(listed) == len(self.serving) == len(objects.cpics)
            and all(len(e.spec) == len(e.status) for e in objects.egress_ips.values())
            and all(n.host_cidrs is not None and n.egress_config is not None for n in objects.nodes.values())
        )

    def world(self, behaviours: Behaviours) -> World:
        """The world before the plan."""
        return resumed(self.objects, self.plane, behaviours, retrying=self._retrying)


@dataclass(frozen=True)
class Touched:
    """What the actions ask for and take away, with the place of the action.

    Attributes:
        adds: By (EgressIP, address), canonical; so for `removes`.
        applies: By EgressIP, whether its addresses change or not.
    """

    adds: Mapping[tuple[str, str], int]
    removes: Mapping[tuple[str, str], int]
    applies: Mapping[str, int]

    @classmethod
    def by(cls, actions: Sequence[Action]) -> Touched:
        """What a plan's actions touch."""
        adds: dict[tuple[str, str], int] = {}
        removes: dict[tuple[str, str], int] = {}
        applies: dict[str, int] = {}
        for position, action in enumerate(actions):
            if isinstance(action, ApplyEgressIp | DeleteEgressIp):
                removes.update(((action.name, a), position) for a in map(canonical, action.removes) if a is not None)
            if isinstance(action, ApplyEgressIp):
                applies[action.name] = position
                adds.update(((action.name, a), position) for a in map(canonical, action.adds) if a is not None)
        return cls(adds, removes, applies)


@dataclass
class Run:
    """One run, and what it found.

    Attributes:
        asked: The behaviours that played a part, with their values; the run stands for all that agree on them.
        options: Nodes that an address could go to when it was placed.
        lost: (EgressIP, address) → place of the action after which it did not serve any more.
        failed: Address → place of the action after which its assignment was failing.
        gained: (EgressIP, address) → place of the action after which it served, which it did not before.
    """

    way: Way
    asked: Mapping[str, bool]
    before: Mapping[str, tuple[str, str]]
    after: World
    serving: dict[str, tuple[str, str]]
    options: Mapping[str, tuple[str, ...]]
    lost: dict[tuple[str, str], int | None] = field(default_factory=dict)
    failed: dict[str, int | None] = field(default_factory=dict)
    gained: dict[tuple[str, str], int | None] = field(default_factory=dict)

    def stands_for(self, behaviours: Behaviours) -> bool:
        """Whether it would go the same way under these."""
        return all(getattr(behaviours, name) == value for name, value in self.asked.items())


def runs_of(
    start: Start, variants: Sequence[Variant], way: Way, actions: Sequence[Action], touched: Touched
) -> list[Run]:
    """Runs of one way that stand for every variant."""
    found: list[Run] = []
    for variant in variants:
        if not any(run.stands_for(variant.behaviours) for run in found):
            found.append(_run(start, variant.behaviours, way, actions, touched))
    return found


def _run(start: Start, behaviours: Behaviours, way: Way, actions: Sequence[Action], touched: Touched) -> Run:
    noticed = [action for action in actions if twinning.is_noticed(action)]
    if start.calm and len(touched.adds) > MANY and not touched.removes:
        additions = [action for action in noticed if isinstance(action, ApplyEgressIp)]
        if len(additions) == len(noticed):
            decided = _run_decisions(start, behaviours, way, additions)
            if decided is not None:
                return decided
    return _run_whole(start, behaviours, way, actions, touched)


def _run_decisions(start: Start, behaviours: Behaviours, way: Way, additions: Sequence[ApplyEgressIp]) -> Run | None:
    """The run of additions to a calm cluster, by the decisions that count.

    None where OVN-Kubernetes takes something away on that occasion, a claim that does not hold: what comes of that
    takes the whole twin.
    """
    watched = Watched(behaviours)
    chooser = Chooser(start, worst=way.worst)
    manager = start.world(watched).manager
    assert manager is not None  # noqa: S101 - it was resumed
    turn = Turn(
        objects=start.objects,
        cache=manager.cache,
        pending=manager.pending,
        marks=manager.marks,
        next_mark=manager.next_mark,
        fruitless=manager.fruitless,
        now=0.0,
        behaviours=watched,
        choose=chooser,
    )
    nobody_watching = World(watched, start.objects, start.plane)
    for action in additions:
        before = turn.objects.egress_ips.get(action.name)
        turn.objects = twinning.done(replace(nobody_watching, objects=turn.objects), action).objects
        try:
            reconcile(turn, before, turn.objects.egress_ips[action.name])
        except HandlerFailed:
            continue  # an entry that is no address: nothing comes of the object
    if not all(isinstance(write, api.CreateCpic | api.EmitEvent) for write in turn.writes):
        return None
    after = replace(nobody_watching, objects=turn.objects)
    run = Run(way, {}, start.serving, after, dict(start.serving), chooser.options)
    for address, cpic in turn.objects.cpics.items():
        if address not in start.objects.cpics:
            _assign(run, address, cpic)
    run.after = replace(run.after, manager=replace(manager, cache=turn.cache))
    run.asked = {name: getattr(behaviours, name) for name in sorted(watched.asked)}
    return run


def _assign(run: Run, address: str, cpic: Cpic) -> None:
    """CNCC and EC2: the address gets onto the interface, or its assignment fails for good."""
    node = run.after.objects.nodes[cpic.spec_node]
    instance = run.after.plane.instances.get(node.instance)
    interface = instance.interface if instance else None
    answer: ec2.Answer = Ec2Error("InvalidInstanceID.NotFound", "no retrievable network interface")
    if interface is not None:
        plane, answer = ec2.call(run.after.plane, AssignAddress(interface, address))
        run.after = replace(run.after, plane=plane)
    refused = isinstance(answer, Ec2Error)
    state = Assigned.FALSE if refused else Assigned.TRUE
    status = api.SetCpicStatus(address, node.name, state, "", str(answer) if refused else "")
    run.after = replace(run.after, objects=api.apply(run.after.objects, status)[0])
    if refused:
        run.failed[address] = None
    else:
        run.serving[address] = (cpic.owner or "", node.name)


def _run_whole(start: Start, behaviours: Behaviours, way: Way, actions: Sequence[Action], touched: Touched) -> Run:
    stage = Stage(start, behaviours, touched, worst=way.worst)
    for position, action in enumerate(actions):
        stage.do(action)
        if way.one_by_one and twinning.is_noticed(action):
            stage.settle()
            stage.look(position)
    stage.wait(HORIZON_SECONDS)
    stage.look(None)
    asked = {name: getattr(behaviours, name) for name in sorted(stage.watched.asked)}
    return Run(
        way, asked, start.serving, stage.world, stage.serving, stage.options, stage.lost, stage.failed, stage.gained
    )


class Stage:
    """A world in which the plan is being carried out, and what has become of its addresses so far.

    Only addresses that something changed about are looked at again: of thousands a plan touches a few.
    """

    def __init__(self, start: Start, behaviours: Behaviours, touched: Touched, *, worst: bool) -> None:
        self.watched = Watched(behaviours)
        self.world = start.world(self.watched)
        self.serving = dict(start.serving)
        self.lost: dict[tuple[str, str], int | None] = {}
        self.failed: dict[str, int | None] = {}
        self.gained: dict[tuple[str, str], int | None] = {}
        self._start = start
        self._touched = touched
        self._chooser = Chooser(start, worst=worst)
        self._dirty: set[str] = set(start.failing)

    @property
    def options(self) -> Mapping[str, tuple[str, ...]]:
        """Nodes that were on offer for each address that was placed."""
        return self._chooser.options

    def do(self, action: Action) -> None:
        """Carry out one action; nothing has been done about it yet."""
        self.world = twinning.done(self.world, action)

    def settle(self) -> None:
        """Let the programs act until nothing is left to do at this moment."""
        while (move := next(moves(self.world), None)) is not None:
            self.world, changes = perform(self.world, move, self._chooser)
            for change in changes:
                self._dirty.update(_addresses_of(change))

    def wait(self, seconds: float) -> None:
        """Let time pass, with every timer in between."""
        end = self.world.now + seconds
        self.settle()
        while (timer := next_timer(self.world)) is not None and timer <= end:
            self.world = at(self.world, max(timer, self.world.now))
            self.settle()
        self.world = replace(self.world, now=max(end, self.world.now))

    def look(self, position: int | None) -> None:
        """See what has been lost, what fails and what serves since the beginning; what is over is forgotten.

        Args:
            position: Place of the action that was carried out last; None after all of them.
        """
        for address in sorted(self._dirty):
            claim = twinning.claim(self.world, address)
            if claim is None:
                self.serving.pop(address, None)
            else:
                self.serving[address] = claim
            self._look_at(address, claim[0] if claim else "", position)
        self._dirty.clear()

    def _look_at(self, address: str, owner_now: str, position: int | None) -> None:
        owner = self._start.serving.get(address, ("", ""))[0]
        if owner and owner_now == owner:
            self.lost.pop((owner, address), None)
        elif owner:
            taken = self._touched.removes.get((owner, address))
            if taken is None or (position is not None and position < taken):
                self.lost.setdefault((owner, address), position)
        if owner_now and owner_now != owner:
            self.gained.setdefault((owner_now, address), position)
        else:
            self.gained = {pair: place for pair, place in self.gained.items() if pair[1] != address}
        if address not in self._start.failing and twinning.is_failing(self.world.objects.cpics.get(address)):
            self.failed.setdefault(address, position)
        else:
            self.failed.pop(address, None)


def _addresses_of(change: Change) -> Iterator[str]:
    """Addresses whose service the change may have changed."""
    match change:
        case CpicChange(old, new):
            yield from {cpic.address for cpic in (old, new) if cpic is not None}
        case EgressIpChange(old, new):
            yield from {address for e in (old, new) if e is not None for address, _ in e.status}
        case NodeChange():
            return


class Chooser:
    """Answers for the platform's dice, and notes what was on offer."""

    def __init__(self, start: Start, *, worst: bool) -> None:
        self._worst = worst
        self._capacity = start.capacity
        self._least = min(start.capacity.values(), default=0)
        self._spoilers = start.spoilers
        self.options: dict[str, tuple[str, ...]] = {}

    def __call__(self, what: str, options: Sequence[T], /) -> T:
        """One of the options: the second if there is one, for nodes, else the first; or the one that does most harm."""
        if what.startswith("node for "):
            few = tuple(islice(options, NODES_NOTED))
            self.options[what.removeprefix("node for ")] = tuple(map(str, few))
            return self._tightest(options) if self._worst else few[:2][-1]
        if not self._worst:
            return options[0]
        if what.startswith("next address"):
            return max(options, key=lambda option: str(option) in self._spoilers)
        return options[-1]

    def _tightest(self, options: Sequence[T]) -> T:
        """The one that EC2 lets carry least. They carry equally many, so that it has the least room left."""
        best = options[0]
        for option in options:
            if self._carries(option) < self._carries(best):
                best = option
            if self._carries(best) == self._least:
                break  # among a thousand nodes of one type, the first
        return best

    def _carries(self, node: object) -> int:
        """A node that has joined since is as empty as can be."""
        return self._capacity.get(str(node), twinning.UNLIMITED)
