"""A whole ROSA cluster in memory, on virtual time: the twin, machines with their lives, and what else a visit meets.

Belongs here: the state, time, and running on. Does not belong here: the steps of machines (`life`), what people and the
cloud do (`accidents`), how a visit reads and writes (`adapters`). No model of the platform is in any of them: whatever
OVN-Kubernetes, CNCC and EC2's addresses do is the twin's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Network
from itertools import islice
from typing import Self

from chalicelib.domain.twin import ec2, outside
from chalicelib.domain.twin.api import store
from chalicelib.domain.twin.behaviours import Behaviours, behaviours_of
from chalicelib.domain.twin.choices import Choose, first
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Change, CpicChange, EgressIp, EgressIpChange, NodeChange
from chalicelib.domain.twin.world import Changes, World, at, moves, next_timer, perform, running, told
from sandbox.rosa.naming import EGRESS_LABEL
from sandbox.rosa.scenario import Flavour, PoolSpec
from sandbox.rosa.timing import IMMEDIATE, RosaTiming
from sandbox.timing import Ec2Timing
from sandbox.virtual.accidents import Accidents
from sandbox.virtual.adapters import VirtualCluster, VirtualEc2
from sandbox.virtual.chance import RACE
from sandbox.virtual.facts import Facts, ObjectFacts, Pool, Step, Zone
from sandbox.virtual.fields import Fields, labels_of, spec_of
from sandbox.virtual.life import Life
from sandbox.virtual.reading import moment
from sandbox.virtual.serving import History, serving

GUIDE_ZONES = {
    "eu-central-1a": "10.10.100.0/24",
    "eu-central-1b": "10.10.150.0/24",
    "eu-central-1c": "10.10.200.0/24",
}

AGE_SECONDS = 86_400.0
"""How old everything is that a cluster begins with."""

WARM_UP_SECONDS = 30.0
"""Before time zero, in which the platform takes up what is there."""

RACERS = 3
"""How many of those that could take the next step are considered."""


def pool(name: str, *zones: str, replicas: int = 2, instance_type: str = "m5.xlarge", egress: bool = True) -> PoolSpec:
    """A machine pool, labelled for egress unless said otherwise."""
    labels = {EGRESS_LABEL: ""} if egress else {}
    return PoolSpec(name=name, zones=zones, replicas=replicas, instance_type=instance_type, labels=labels)


def egress_pools(zones: Iterable[str] = GUIDE_ZONES, *, replicas: int = 2) -> tuple[PoolSpec, ...]:
    """One labelled pool a zone: `egress-a` in eu-central-1a, and so on."""
    return tuple(pool(f"egress-{zone[-1]}", zone, replicas=replicas) for zone in zones)


@dataclass
class Told:
    """What happened, in order: changes of the cluster API, and of the states of instances."""

    changes: list[tuple[float, Change]] = field(default_factory=list)
    instances: list[tuple[float, str, str]] = field(default_factory=list)


class VirtualRosa:
    """A cluster at a moment of virtual time, quiet between any two calls.

    `cluster` and `ec2` are the ports of the use cases, `accidents` is everything that befalls it, `life` lets machines
    come and go. `world` and `facts` are immutable values: the whole state.
    """

    def __init__(
        self,
        pools: Sequence[PoolSpec] = (),
        *,
        name: str = "demo",
        infra_id: str = "demo-x7k2p",
        flavour: Flavour = Flavour.HCP,
        zones: Mapping[str, str] = GUIDE_ZONES,
        behaviours: Behaviours | None = None,
        timing: RosaTiming | None = None,
        ec2_timing: Ec2Timing | None = None,
        choose: Choose = first,
    ) -> None:
        """A cluster that has been standing for a day, at time zero.

        Args:
            pools: By default two labelled nodes in each zone.
            zones: CIDR of the one subnet by zone.
            behaviours: Of the platform's versions; by default the newest recorded ones.
            timing, ec2_timing: How long machines take to come and go from now on.
            choose: Decides what is left to chance; the same chooser reproduces a run.
        """
        self.name = name
        self.infra_id = infra_id
        self.flavour = flavour
        self.timing = timing or RosaTiming.realistic()
        self.ec2_timing = ec2_timing or Ec2Timing(20.0, 40.0)
        self.choose = choose
        self.call_seconds = 0.0
        self.before_write: Callable[[str], None] | None = None
        places = {
            zone: Zone(zone, f"subnet-{number:017x}", IPv4Network(cidr))
            for number, (zone, cidr) in enumerate(zones.items(), 1)
        }
        subnets = Table((z.subnet_id, ec2.Subnet(z.subnet_id, str(z.cidr))) for z in places.values())
        start = running(behaviours or behaviours_of("master"), ec2.Plane(subnets=subnets))
        self.world: World = replace(start, now=-WARM_UP_SECONDS)
        self.facts = Facts(zones=places)
        self._begin_again()
        self._stand_up(pools or egress_pools(zones))

    def _begin_again(self) -> None:
        """Everything that hangs on the state and is no part of it."""
        self.told = Told()
        self.history = History()
        self._noted: tuple[object, object] = (None, None)
        self.life = Life(self)
        self.accidents = Accidents(self)
        self.cluster = VirtualCluster(self)
        self.ec2 = VirtualEc2(self)

    def _stand_up(self, pools: Sequence[PoolSpec]) -> None:
        ec2_timing, self.ec2_timing = self.ec2_timing, Ec2Timing()
        for spec in pools:
            self.add_pool(spec, timing=IMMEDIATE, age_seconds=AGE_SECONDS)
        self.run(0.0)
        self.ec2_timing = ec2_timing
        self.told, self.history = Told(), History()
        self._noted = (None, None)
        self.note()

    def fork(self, choose: Choose | None = None) -> Self:
        """Another cluster in exactly this state, whose ways part from here. Records begin anew.

        Args:
            choose: How chance falls there; by default exactly as it would here.
        """
        other = copy.copy(self)
        other.choose = copy.deepcopy(self.choose) if choose is None else choose
        other.before_write = None
        other._begin_again()
        for mine, theirs in ((self.cluster, other.cluster), (self.ec2, other.ec2)):
            theirs.errors.update(mine.errors)
            theirs.late_errors.update(mine.late_errors)
        other.note()
        return other

    # Time

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.world.now

    def clock(self) -> datetime:
        """The moment, as a visit's clock."""
        return moment(self.now)

    def run(self, until: float) -> None:
        """Let time pass, with every timer of the platform and every step of a machine in its order."""
        self.settle()
        while True:
            dues = [next_timer(self.world), self.facts.steps[0].at if self.facts.steps else None]
            due = min((due for due in dues if due is not None), default=None)
            if due is None or due > until:
                break
            self._arrive(max(due, self.now))
        self.world = at(self.world, max(until, self.now))

    def run_for(self, seconds: float) -> None:
        """Let so much time pass."""
        self.run(self.now + seconds)

    def _arrive(self, when: float) -> None:
        self.world = at(self.world, when)
        self.settle()
        while self.facts.steps and self.facts.steps[0].at <= when:
            step, *rest = self.facts.steps
            self.facts = replace(self.facts, steps=tuple(rest))
            self.life.take(step)
            self.settle()

    def settle(self) -> None:
        """Run until nothing is left to do at this moment."""
        self.note()
        while options := list(islice(moves(self.world), RACERS)):
            move = options[0] if len(options) == 1 else self.choose(RACE, options)
            self.world, changes = perform(self.world, move, self.choose)
            self.absorb(changes)

    def later(self, step: Step) -> None:
        """Plan a step of a machine."""
        steps = sorted((*self.facts.steps, step), key=lambda s: (s.at, s.number))
        self.facts = replace(self.facts, steps=tuple(steps))

    # State

    def number(self) -> int:
        """A number that nothing else has."""
        self.facts = replace(self.facts, made=self.facts.made + 1)
        return self.facts.made

    def became(self, outcome: outside.Outcome | World) -> None:
        """Take over what somebody did to the world, and let the platform react."""
        if isinstance(outcome, World):
            self.world = outcome
        else:
            self.world, _, changes = outcome
            self.absorb(changes)
        self.settle()

    def put_object(self, name: str, fields: Fields, *, manager_made_it: str = "") -> None:
        """Create or change an EgressIP, as the API server would store it, and let the platform react."""
        known = self.facts.objects.get(name)
        uid = known.uid if known is not None else f"uid-{self.number()}{manager_made_it and '-' + manager_made_it}"
        self.facts = replace(self.facts, objects=self.facts.objects.put(name, ObjectFacts(uid, fields)))
        old, spec = self.world.objects.egress_ips.get(name), spec_of(fields)
        new = replace(
            old if old is not None else EgressIp(name, ()),
            spec=spec.addresses,
            labels=tuple(labels_of(fields).items()),
            selectors=f"{spec.namespace_selector} {spec.pod_selector}",
        )
        objects, change = store(self.world.objects, old, new)
        if change is not None:
            self.world = told(replace(self.world, objects=objects), change)
            self.absorb((change,))
        self.settle()

    def absorb(self, changes: Changes) -> None:
        """Note changes of the cluster API in what the twin does not keep."""
        facts = self.facts
        for change in changes:
            self.told.changes.append((self.now, change))
            match change:
                case CpicChange(old, None):
                    facts = replace(facts, cpic_changed=facts.cpic_changed.drop(old.address)) if old else facts
                case CpicChange(old, new) if new and new.assigned and (old is None or old.status != new.status):
                    facts = replace(facts, cpic_changed=facts.cpic_changed.put(new.address, self.now))
                case EgressIpChange(EgressIp(name=name), None):
                    facts = replace(facts, objects=facts.objects.drop(name))
                case NodeChange(old, None):
                    facts = replace(facts, nodes=facts.nodes.drop(old.name)) if old else facts
                case _:
                    pass
        self.facts = facts
        self.note()

    def note(self) -> None:
        """Record what serves now, if it can have changed."""
        if self._noted[0] is not self.world.objects or self._noted[1] is not self.world.plane.holders:
            self._noted = (self.world.objects, self.world.plane.holders)
            self.history.note(self.now, serving(self.world))

    def serving(self) -> dict[str, dict[str, str]]:
        """Node by address by EgressIP, of what serves now."""
        return serving(self.world)

    # Pools

    def add_pool(self, spec: PoolSpec, *, timing: RosaTiming | None = None, age_seconds: float = 0.0) -> None:
        """A new machine pool with its machines."""
        made = Pool(spec.name, spec.zones, spec.instance_type, tuple(sorted(spec.labels.items())))
        self.facts = replace(self.facts, pools=self.facts.pools.put(spec.name, made))
        self.scale_pool(spec.name, spec.replicas, timing=timing, age_seconds=age_seconds)

    def scale_pool(
        self, name: str, replicas: int, *, timing: RosaTiming | None = None, age_seconds: float = 0.0
    ) -> None:
        """Set the number of machines; new ones come, the newest leave, spread evenly over the pool's zones."""
        zones = self.facts.pools[name].zones
        each, rest = divmod(replicas, len(zones))
        for index, zone in enumerate(zones):
            present = [m for m in self.life.machines(name) if m.zone == zone]
            wanted = each + (index < rest)
            for machine in present[wanted:]:
                self.life.leave(machine.id, timing or self.timing)
            for _ in range(wanted - len(present)):
                self.life.launch(name, zone, timing or self.timing, age_seconds=age_seconds)
        self.settle()

    def set_pool_labels(self, name: str, labels: Mapping[str, str]) -> None:
        """The whole map is replaced. On classic existing nodes follow, on HCP only nodes that are born later."""
        made = replace(self.facts.pools[name], labels=tuple(sorted(labels.items())))
        self.facts = replace(self.facts, pools=self.facts.pools.put(name, made))
        if self.flavour is Flavour.CLASSIC:
            for machine in self.life.machines(name):
                self.life.label(machine)
        self.settle()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the Node objects, sorted."""
        return tuple(sorted(self.world.objects.nodes))
