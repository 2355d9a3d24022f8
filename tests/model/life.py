"""One life of a cluster under egress-keeper, as a list of plain events: what the search draws, and what it found.

An event is a tuple, a word and numbers, and can happen in every state, so that a failing list shrinks well:
`Life.befall` lets one happen. Belongs here: our visits, whole, killed, raced and overlapped, and other wishes. Does not
belong here: what befalls the cluster itself (`happenings`), and what should serve in the end (`lacking`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from chalicelib.domain.spec import ClusterSpec, PolicySpec
from chalicelib.domain.twin.choices import Choose, first
from chalicelib.usecases.visit import Outcome
from sandbox.rosa.scenario import Flavour
from sandbox.virtual import Chance, Keeper, VirtualRosa
from tests.model import laws
from tests.model.happenings import LAST_BYTES, SUBNETS, Event, happen
from tests.model.lacking import missing
from tests.sandbox.virtual.fleets import policy, standing, wish

VISITS = 20
PAUSE_SECONDS = 120.0
"""The bound of the second law: so many visits, so far apart, once the faults have gone."""


@dataclass(frozen=True)
class Shape:
    """What a life begins with.

    Attributes:
        nodes: Labelled nodes in each zone.
        wishes: One a policy: how many addresses in each zone, and whether they are listed or chosen.
        seed: How chance falls; 0 for the usual way.
    """

    nodes: tuple[int, ...] = (2, 2)
    wishes: tuple[tuple[int, bool], ...] = ((1, True), (1, False))
    flavour: Flavour = Flavour.HCP
    release: str = "master"
    cncc: str = "main"
    instance_type: str = "m5.xlarge"
    seed: int = 0


def _policies(shape: Shape) -> tuple[PolicySpec, ...]:
    free = {zone: iter(LAST_BYTES) for zone in range(len(shape.nodes))}
    made = []
    for number, (count, chosen) in enumerate(shape.wishes):
        if chosen:
            made.append(policy(f"p{number}", per_zone=count))
        else:
            found = [f"{SUBNETS[zone]}.{byte}" for zone, rest in free.items() for byte in islice(rest, count)]
            made.append(policy(f"p{number}", *found))
    return tuple(made)


class Life:
    """A cluster, its keeper, and what has been promised so far. Broken promises are raised as they happen."""

    def __init__(self, shape: Shape, choosers: laws.Choosers = laws.FEW) -> None:
        self.shape = shape
        self.choosers = choosers
        choose: Choose = Chance(shape.seed) if shape.seed else first
        rosa = standing(
            *shape.nodes,
            flavour=shape.flavour,
            release=shape.release,
            cncc=shape.cncc,
            instance_type=shape.instance_type,
            choose=choose,
        )
        self.keeper = Keeper(rosa, wish(*_policies(shape)))
        self.given: dict[str, frozenset[str]] = {}
        self._promise_anew()

    @property
    def rosa(self) -> VirtualRosa:
        return self.keeper.rosa

    @property
    def desired(self) -> ClusterSpec:
        return self.keeper.desired

    def _promise_anew(self) -> None:
        self.given = {p.name: frozenset(map(str, p.addresses)) for p in self.desired.policies}

    # Events

    def befall(self, *event: Any) -> None:
        """Let one event happen. AssertionError when a visit breaks the first or the third law."""
        word, *arguments = event
        if word == "visit":
            self._visit(lambda keeper: keeper.visit(), laws.nothing)
        elif word == "killed":
            self._visit(lambda keeper: keeper.visit_killed_before(arguments[0]), laws.nothing)
        elif word == "raced":
            before, meanwhile = arguments
            self._visit(partial(_raced, before=before, meanwhile=meanwhile), partial(happen, event=meanwhile))
        elif word == "overlapped":
            self._visit(partial(_overlapped, before=arguments[0]), laws.nothing)
        elif word == "forget":
            self.keeper.memory.findings.clear()
        elif word == "fleet":
            self.keeper.wishes(_other_wish(self.desired, *arguments))
            self._promise_anew()
        else:
            happen(self.rosa, event)

    def _visit(self, visit: Callable[[Keeper], object], meanwhile: Callable[[VirtualRosa], object]) -> None:
        broken = laws.interrupted(self.keeper, visit, meanwhile, self.given, self.choosers)
        alone = self.rosa.fork()
        meanwhile(alone)
        done = len(self.keeper.outcomes)
        visit(self.keeper)
        broken += laws.changed(laws.foreign(alone), laws.foreign(self.rosa))
        assert not broken, broken
        for _, outcome in self.keeper.outcomes[done:]:
            self._keep(outcome)

    def _keep(self, outcome: Outcome) -> None:
        for allocation in outcome.look.planned.allocations:
            if not allocation.held and allocation.policy in self.given:
                self.given[allocation.policy] |= {str(allocation.address)}

    # The second law

    def faults_stop(self) -> None:
        """Whatever is broken is mended, but what is gone stays gone, and people's edits stay."""
        rosa = self.rosa
        rosa.cluster.heal()
        rosa.ec2.heal()
        rosa.accidents.accept()
        if rosa.world.manager is None:
            rosa.accidents.restart_manager()
        if rosa.world.cncc is None:
            rosa.accidents.restart_cncc()
        rosa.run_for(600)  # whoever is joining or leaving has done so
        for name, node in sorted(rosa.world.objects.nodes.items()):
            if node.host_cidrs is None:
                rosa.accidents.network(name)
        for name in rosa.nodes:
            machine = rosa.life.machine_of(name)
            if machine.state == "terminated" or machine.id != rosa.world.objects.nodes[name].instance:
                rosa.accidents.delete_node(name)

    def settles(self) -> list[str]:
        """After so many visits: what is possible and does not serve, with the state it is stuck in; empty when kept."""
        self.faults_stop()
        for _ in range(VISITS):
            outcome = self.keeper.visit()
            if outcome.look.refusal is not None:
                outcome = self.keeper.visit(approved=outcome.look.planned.digest)
            self._keep(outcome)
            self.rosa.run_for(PAUSE_SECONDS)
        planned = self.keeper.visit().look.planned
        return missing(self.rosa, self.desired, planned)

    def is_kept(self) -> list[str]:
        """What changes in the ten minutes after, with two visits more; and what the last one would still change."""
        before = self.rosa.serving()
        self.keeper.visit()
        self.rosa.run_for(600)
        outcome = self.keeper.visit()
        after = self.rosa.serving()
        moved = [
            f"{name}: {served} → {after.get(name)}" for name, served in before.items() if served != after.get(name)
        ]
        return moved + [action.summary for action in outcome.look.planned.actions]


def _raced(keeper: Keeper, *, before: int, meanwhile: Event) -> None:
    """A visit during which something happens, just before its write of that number; after it, if it writes less."""
    if not _broken_into(keeper, before, lambda: happen(keeper.rosa, meanwhile)):
        happen(keeper.rosa, meanwhile)


def _overlapped(keeper: Keeper, *, before: int) -> None:
    """A visit during which another one is made, from beginning to end: somebody runs `apply` on a terminal."""
    _broken_into(keeper, before, keeper.visit)


def _broken_into(keeper: Keeper, before: int, by: Callable[[], object]) -> bool:
    """A visit with something just before its write of that number; whether it came to that: it may write less."""
    made = 0

    def hook(_operation: str) -> None:
        nonlocal made
        if made == before:
            keeper.rosa.before_write = None
            by()
        made += 1

    keeper.rosa.before_write = hook
    keeper.visit()
    keeper.rosa.before_write = None
    return made > before


def _other_wish(desired: ClusterSpec, number: int, more: bool) -> ClusterSpec:
    """One policy wants one more address a zone or one less (of the listed ones the last goes); none: it is gone."""
    policies = list(desired.policies)
    if not policies:
        return desired
    place = number % len(policies)
    old = policies[place]
    if old.per_zone is not None:
        count = old.per_zone + (1 if more else -1)
        changed = [replace(old, per_zone=count)] if count > 0 else []
    elif more:
        changed = [old]
    else:
        changed = [replace(old, addresses=old.addresses[:-1])] if len(old.addresses) > 1 else []
    policies[place : place + 1] = changed
    return replace(desired, policies=tuple(policies))
