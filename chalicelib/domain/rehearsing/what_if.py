"""What if: the twin, asked by a person. Before and after of losing zones or nodes, scaling, upgrading, a new policy.

Belongs here: what is done to the world, and what it means per address and zone. Does not belong here: reading options
(`cli`), carrying a plan out (`runs`).

Several of them together happen in this order: policies are added, the control plane is upgraded and then each node in
its turn, pools are scaled, nodes and zones are lost. Each is followed by ten minutes.

How a node is lost: it turns NotReady, a minute later its instance is gone with its interface, and its Node object. A
pool that shrinks loses the nodes that carry most, which is the worst that may happen. New nodes are like their pool's
others, with free addresses of their subnet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Network
from typing import TypeAlias

from chalicelib.domain.actions import Action
from chalicelib.domain.rehearsing import twinning
from chalicelib.domain.rehearsing.rehearsal import in_words, of_run, why_not
from chalicelib.domain.rehearsing.runs import HORIZON_SECONDS, WAYS, Run, Stage, Start, Touched, Way
from chalicelib.domain.terrain import Observed
from chalicelib.domain.twin import outside
from chalicelib.domain.twin.addressing import canonical, contains, number
from chalicelib.domain.twin.behaviours import Variant, possible_variants
from chalicelib.domain.twin.ec2 import Interface
from chalicelib.domain.twin.values import EgressConfig, Node
from chalicelib.domain.twin.world import World, start_cncc, start_manager

_Happening: TypeAlias = Callable[[Stage], None]
"""One change of a stage's world."""

GONE_AFTER_SECONDS = 60.0
SETTLE_SECONDS = 30.0


class NotPossible(Exception):
    """A question that makes no sense for this cluster; the message says what does."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to happen.

    Attributes:
        scale: Wanted number of nodes by machine pool.
        upgrade: OpenShift minor ("4.20"); "" for none.
        add: Actions that a visit would carry out for further policies.
        policies: Names of these policies.
    """

    lose_zones: tuple[str, ...] = ()
    lose_nodes: tuple[str, ...] = ()
    scale: tuple[tuple[str, int], ...] = ()
    upgrade: str = ""
    add: tuple[Action, ...] = ()
    policies: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What happens, for people, in its order."""
        return (
            *(f"policy {name} is added" for name in self.policies),
            *([f"the cluster is upgraded to OpenShift {self.upgrade}"] if self.upgrade else []),
            *(f"machine pool {pool} gets {count} node{'' if count == 1 else 's'}" for pool, count in self.scale),
            *(f"node {name} is lost" for name in self.lose_nodes),
            *(f"zone {zone} is lost" for zone in self.lose_zones),
        )


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one address.

    Attributes:
        before: Node that it serves from now; "" where it does not.
        after: Nodes that it may serve from in the end, the first few; empty where it never will.
        certain: Every version and every choice of the platform comes out alike: it serves, or it does not.
        why: Why it does not serve, where it does not or may not.
    """

    policy: str
    address: str
    zone: str
    before: str
    after: tuple[str, ...]
    certain: bool
    why: str

    @property
    def lost(self) -> bool:
        """It would not serve, or not for certain."""
        return not self.after or not self.certain


@dataclass(frozen=True, slots=True)
class ZoneSums:
    """Room in one zone. `after` is that of the way that ends with least room.

    Attributes:
        serving_before: Addresses of the zone's subnets that serve; `serving_after` the fewest of all ways.
    """

    zone: str
    nodes_before: int
    nodes_after: int
    capacity_before: int
    capacity_after: int
    headroom_before: int
    headroom_after: int
    serving_before: int
    serving_after: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Before and after.

    Attributes:
        sentences: What happens.
        added: Names of policies that are added.
    """

    sentences: tuple[str, ...]
    added: tuple[str, ...]
    versions: str
    runs: int
    fates: tuple[Fate, ...]
    zones: tuple[ZoneSums, ...]

    @property
    def lost(self) -> tuple[Fate, ...]:
        """Addresses that serve now or are to be added, and would not serve for certain."""
        return tuple(fate for fate in self.fates if fate.lost and (fate.before or fate.policy in self.added))


def what_if(question: Question, observed: Observed, limits: Mapping[str, int]) -> Answer:
    """Ask the twin.

    Raises:
        NotPossible: A zone, node or pool that is not there, or a pool without a node to copy.
    """
    happenings = _Happenings(question, observed)
    start = Start(*twinning.twin_of(observed, limits), frozenset())
    versions = (question.upgrade,) if question.upgrade else twinning.may_run(observed.nodes)
    variants = possible_variants(cncc=versions)
    touched = Touched.by(question.add)
    runs: list[Run] = []
    for way in WAYS[:2]:
        found: list[Run] = []
        for variant in variants:
            if not any(run.stands_for(variant.behaviours) for run in found):
                found.append(_run(start, variant, way, happenings, touched))
        runs += found
    zone_of = _zones_of(observed)
    return Answer(
        question.sentences,
        question.policies,
        in_words(variants),
        len(runs),
        tuple(_fates(start, runs, variants, observed, zone_of)),
        tuple(_sums(start, runs, zone_of)),
    )


def _run(start: Start, variant: Variant, way: Way, happenings: _Happenings, touched: Touched) -> Run:
    stage = Stage(start, variant.behaviours, touched, worst=way.worst)
    for happening in happenings.in_order():
        happening(stage)
        stage.wait(HORIZON_SECONDS)
    stage.look(None)
    asked = {name: getattr(variant.behaviours, name) for name in sorted(stage.watched.asked)}
    return Run(way, asked, start.serving, stage.world, stage.serving, stage.options)


class _Happenings:
    """The question as changes of a stage's world, checked against the cluster."""

    def __init__(self, question: Question, observed: Observed) -> None:
        self._question = question
        self._observed = observed
        pool_of_instance = {i.id: i.pool for i in observed.instances}
        self._nodes = {n.name: n for n in observed.nodes}
        self._pool = {n.name: pool_of_instance.get(n.instance_id or "") for n in observed.nodes}
        self._check()

    def _check(self) -> None:
        zones = sorted({n.zone for n in self._nodes.values() if n.zone})
        pools = sorted({pool for pool in self._pool.values() if pool})
        for what, wanted, there in (
            ("zone with nodes", self._question.lose_zones, zones),
            ("node", self._question.lose_nodes, sorted(self._nodes)),
            ("machine pool with nodes", [pool for pool, _ in self._question.scale], pools),
        ):
            for name in wanted:
                if name not in there:
                    few = ", ".join(there[:8]) + (", …" if len(there) > 8 else "")
                    raise NotPossible(f"{name!r} is no {what} of this cluster; there are {few or 'none'}")

    def in_order(self) -> Iterator[_Happening]:
        """What happens, one thing after the other."""
        question = self._question
        if question.add:
            yield self._add
        if question.upgrade:
            yield self._upgrade
        for pool, count in question.scale:
            yield partial(self._scale, pool=pool, count=count)
        lost = {*question.lose_nodes, *(n.name for n in self._nodes.values() if n.zone in question.lose_zones)}
        if lost:
            yield partial(_lose, names=sorted(lost))

    def _add(self, stage: Stage) -> None:
        for action in self._question.add:
            stage.do(action)

    def _upgrade(self, stage: Stage) -> None:
        """New programs, then each node that carries or may carry goes away for a moment, one at a time."""
        stage.world = start_cncc(start_manager(stage.world))
        stage.wait(SETTLE_SECONDS)
        for name, node in stage.world.objects.nodes.in_order():
            if node.labelled and node.ready:
                _change(stage, name, ready=False)
                stage.wait(SETTLE_SECONDS)
                _change(stage, name, ready=True)
                stage.wait(SETTLE_SECONDS)

    def _scale(self, stage: Stage, pool: str, count: int) -> None:
        mine = [name for name, its in self._pool.items() if its == pool and name in stage.world.objects.nodes]
        if count < len(mine):
            carried = Counter(node for _, node in twinning.serving(stage.world).values())
            _lose(stage, sorted(mine, key=lambda name: (-carried[name], name))[: len(mine) - count])
            return
        for extra in range(count - len(mine)):
            _join(stage, f"{pool}-new-{extra + 1}", stage.world.objects.nodes[min(mine)])


def _change(stage: Stage, name: str, *, ready: bool) -> None:
    node = stage.world.objects.nodes[name]
    stage.world = outside.put_node(stage.world, replace(node, ready=ready))[0]


def _lose(stage: Stage, names: Sequence[str]) -> None:
    there = [name for name in names if name in stage.world.objects.nodes]
    for name in there:
        _change(stage, name, ready=False)
    stage.wait(GONE_AFTER_SECONDS)
    for name in there:
        instance = stage.world.objects.nodes[name].instance
        if instance in stage.world.plane.instances:
            stage.world = outside.terminate_instance(stage.world, instance)
        stage.world = outside.delete_node(stage.world, name)[0]


def _join(stage: Stage, name: str, like: Node) -> None:
    """A node as that one, with an address of its own."""
    world = stage.world
    config, sibling = like.egress_config, world.plane.instances.get(like.instance)
    if config is None or config.subnet is None or sibling is None:
        raise NotPossible(f"node {like.name} has no egress-ipconfig, so that a new node of its pool cannot be told")
    taken = {a for e in world.objects.egress_ips.values() for a in e.spec} | set(world.plane.holders)
    hosts = IPv4Network(config.subnet).hosts()
    address = next((str(host) for host in list(hosts)[3:] if str(host) not in taken), None)
    if address is None:
        raise NotPossible(f"subnet {config.subnet} has no address left for a further node")
    subnet = next(s.id for s in world.plane.subnets.values() if s.cidr == config.subnet)
    instance, interface = f"i-{name}", f"eni-{name}"
    world = outside.launch_instance(world, instance, sibling.type, Interface(interface, subnet, (address,)))
    limit = world.plane.limits.get(sibling.type)
    capacity = config.capacity_ipv4 if limit is None else limit[0] - 1
    made = replace(
        like,
        name=name,
        instance=instance,
        ready=True,
        host_cidrs=(f"{address}/{IPv4Network(config.subnet).prefixlen}",),
        egress_config=EgressConfig(interface, config.subnet, capacity, config.capacity_ipv6, config.subnet_ipv6),
    )
    stage.world = outside.put_node(world, made)[0]


# What it means


def _zones_of(observed: Observed) -> Mapping[str, str]:
    """Zone by subnet CIDR."""
    return {str(subnet.cidr): subnet.zone for subnet in observed.subnets}


def _zone(address: str, zone_of: Mapping[str, str]) -> str:
    return next((zone for cidr, zone in zone_of.items() if contains(cidr, address)), "unknown")


def _fates(
    start: Start, runs: Sequence[Run], variants: Sequence[Variant], observed: Observed, zone_of: Mapping[str, str]
) -> Iterator[Fate]:
    listed = {(e.name, a) for run in runs for e in run.after.objects.egress_ips.values() for a in _canonical(e.spec)}
    listed |= {(e.name, a) for e in observed.egress_ips for a in _canonical(e.spec.addresses)}
    for policy, address in sorted(listed, key=lambda pair: (pair[0], number(pair[1]))):
        owner, node = start.serving.get(address, ("", ""))
        ends = [run.serving[address][1] if run.serving.get(address, ("",))[0] == policy else "" for run in runs]
        without = next((run for run, end in zip(runs, ends, strict=True) if not end), None)
        certain = all(ends) or not any(ends)
        why = "" if without is None else why_not(without, policy, address)
        if without is not None and not certain:
            why = f"{of_run(without, variants)}, with unlucky choices of the platform: {why}"
        after = tuple(sorted({end for end in ends if end}))[:4]
        zone = _zone(address, zone_of)
        yield Fate(policy, address, zone, node if owner == policy else "", after, certain, why)


def _canonical(addresses: Iterable[str]) -> Iterator[str]:
    return (found for address in addresses if (found := canonical(address)) is not None)


def _sums(start: Start, runs: Sequence[Run], zone_of: Mapping[str, str]) -> Iterator[ZoneSums]:
    before = World(runs[0].after.behaviours, start.objects, start.plane)
    nodes, capacity, carried = _room(before, zone_of)
    served = Counter(_zone(address, zone_of) for address in start.serving)
    ends = [(*_room(run.after, zone_of), Counter(_zone(a, zone_of) for a in run.serving)) for run in runs]
    for zone in sorted(
        {zone for zone in zone_of.values() if nodes[zone] or served[zone] or any(e[0][zone] for e in ends)}
    ):
        worst = min(ends, key=lambda end: end[1][zone] - end[2][zone])
        yield ZoneSums(
            zone,
            nodes[zone],
            worst[0][zone],
            capacity[zone],
            worst[1][zone],
            capacity[zone] - carried[zone],
            worst[1][zone] - worst[2][zone],
            served[zone],
            min(end[3][zone] for end in ends),
        )


def _room(world: World, zone_of: Mapping[str, str]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Usable nodes, what they can carry, and what they are to carry, by zone."""
    nodes, capacity, carried = Counter[str](), Counter[str](), Counter[str]()
    load = Counter(cpic.spec_node for cpic in world.objects.cpics.values())
    for node in world.objects.nodes.values():
        config = node.egress_config
        if config is None or config.subnet is None or not (node.labelled and node.ready and node.pod_subnets):
            continue
        zone = zone_of.get(config.subnet, "unknown")
        nodes[zone] += 1
        capacity[zone] += max(config.capacity_ipv4 or 0, 0)
        carried[zone] += load[node.name]
    return nodes, capacity, carried
