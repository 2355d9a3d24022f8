"""One life of a cluster under egress-keeper, as a list of plain events: what the search draws, and what it found.

An event is a tuple: a word and numbers. Numbers count whatever there is (nodes, policies, addresses …) and wrap around,
so that every event can happen in every state and a failing list shrinks well. `Life.befall` lets one happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from typing import Any, TypeAlias

from chalicelib.domain.actions import LABEL_MANAGED_BY, LABEL_POLICY
from chalicelib.domain.spec import ClusterSpec, PolicySpec
from chalicelib.domain.twin.addressing import canonical
from chalicelib.domain.twin.choices import Choose, first
from chalicelib.usecases.visit import Outcome
from sandbox.rosa.scenario import Flavour
from sandbox.virtual import Chance, Keeper, Killed, VirtualRosa
from sandbox.virtual.accidents import DENIED, THROTTLED
from sandbox.virtual.life import NoFreeAddress
from tests.model import laws, oracle
from tests.sandbox.virtual.fleets import GUIDE_ZONES, policy, standing, wish

Event: TypeAlias = tuple[Any, ...]

SUBNETS = [cidr.rpartition(".")[0] for cidr in GUIDE_ZONES.values()]
LAST_BYTES = (250, 251, 252, 253)
STRANGERS = ("foreign", "theirs")
OPERATIONS = ("AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "DescribeInstances")
READS = ("fetch_nodes", "fetch_cpics", "fetch_egress_ips")
AWS_READS = ("fetch_instances", "fetch_interfaces", "fetch_reservations", "fetch_subnets")
WRITES = ("reserve_cidr", "tag_reservation", "release_reservation")
CLUSTER_WRITES = ("apply_egress_ip", "delete_egress_ip", "label_node")

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


def listed(number: int) -> str:
    """An address that policies may list: .250 to .253 of each zone in turn, AWS's own .1 after those."""
    byte = (*LAST_BYTES, 1)[number // len(SUBNETS) % (len(LAST_BYTES) + 1)]
    return f"{SUBNETS[number % len(SUBNETS)]}.{byte}"


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
            self._visit(lambda keeper: keeper.visit(), _nothing)
        elif word == "killed":
            self._visit(lambda keeper: keeper.visit_killed_before(arguments[0]), _nothing)
        elif word == "raced":
            before, meanwhile = arguments
            self._visit(partial(_raced, before=before, meanwhile=meanwhile), partial(happen, event=meanwhile))
        elif word == "overlapped":
            self._visit(partial(_overlapped, before=arguments[0]), _nothing)
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
        return self.missing()

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

    def missing(self) -> list[str]:
        """Policy, address and state of what should serve and does not; as many of a subnet as are missing at least."""
        rosa = self.rosa
        outcome = self.keeper.visit()
        serving = {(name, address) for name, found in rosa.serving().items() for address in found}
        wanted = self._wanted(outcome)
        strangers = self._in_the_way(wanted)
        states = {(v.policy, v.address): v.state.value for v in outcome.look.planned.verdicts}
        found: list[str] = []
        for cidr in (zone.cidr for zone in rosa.facts.zones.values()):
            nodes = [carrier for carrier in oracle.carriers(rosa) if carrier.subnet == cidr]
            here = {demand for demand in wanted if IPv4Address(demand[1]) in cidr}
            theirs = {demand for demand in strangers if IPv4Address(demand[1]) in cidr}
            lacking = oracle.most(here | theirs, nodes) - len(theirs) - len(here & serving)
            if lacking > 0:
                stuck = [f"{states.get(d, 'unplanned')} ({d[1]} of {d[0]})" for d in sorted(here - serving)]
                asked = [line for line in stuck if not line.startswith(("absent", "unplanned"))]
                found += asked if len(asked) >= lacking else stuck
        return found

    def _in_the_way(self, wanted: set[oracle.Demand]) -> set[oracle.Demand]:
        """Addresses that take a place and are none that should serve.

        | whose | why they keep it |
        | --- | --- |
        | other people's, in objects that are not ours | nothing foreign is touched |
        | ours, and a stranger's interface has it | its assignment fails, and the platform keeps the place for it |
        | written in by hand, and the only one of its policy that serves | without it the policy would fail open |
        """
        rosa = self.rosa
        serving = rosa.serving()
        ours = {name for name, _ in wanted}
        found: set[oracle.Demand] = set()
        for name, there in rosa.world.objects.egress_ips.items():
            only_strays = not any((name, address) in wanted for address in serving[name])
            for address in filter(canonical, there.spec):
                fails = address in rosa.world.objects.cpics and not oracle.can_be_had(rosa, name, address)
                stray = address in serving[name] and only_strays
                if name not in ours or fails or stray:
                    found.add((name, address))
        return found

    def _wanted(self, outcome: Outcome) -> set[oracle.Demand]:
        """Listed addresses, and as many chosen ones in each zone as are wished there; all that can be had at all."""
        wanted: set[oracle.Demand] = set()
        for spec in self.desired.policies:
            there = self.rosa.world.objects.egress_ips.get(spec.name)
            known = self.rosa.facts.objects.get(spec.name)
            if there is not None and (
                known is None or known.fields.get(f".metadata.labels.{LABEL_MANAGED_BY}") is None
            ):
                continue  # the name is somebody else's
            if spec.per_zone is None:
                wanted |= {(spec.name, str(address)) for address in spec.addresses}
                continue
            allocated = [a for a in outcome.look.planned.allocations if a.policy == spec.name]
            wanted |= {(spec.name, str(allocation.address)) for allocation in allocated}
        return {demand for demand in wanted if oracle.can_be_had(self.rosa, *demand)}


def _nothing(_rosa: VirtualRosa) -> None:
    """Nothing happens meanwhile."""


def _raced(keeper: Keeper, *, before: int, meanwhile: Event) -> None:
    """A visit during which something happens, just before its write of that number; after it, if it writes less."""
    made = 0

    def hook(_operation: str) -> None:
        nonlocal made
        if made == before:
            keeper.rosa.before_write = None
            happen(keeper.rosa, meanwhile)
        made += 1

    keeper.rosa.before_write = hook
    keeper.visit()
    keeper.rosa.before_write = None
    if made <= before:
        happen(keeper.rosa, meanwhile)


def _overlapped(keeper: Keeper, *, before: int) -> None:
    """A visit during which another one is made, from beginning to end: somebody runs `apply` on a terminal."""
    made = 0

    def hook(_operation: str) -> None:
        nonlocal made
        if made == before:
            keeper.rosa.before_write = None
            keeper.visit()
        made += 1

    keeper.rosa.before_write = hook
    keeper.visit()
    keeper.rosa.before_write = None


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


def happen(rosa: VirtualRosa, event: Event) -> None:
    """Let one event befall the cluster. What there is nothing for does nothing."""
    word, *arguments = event
    _HAPPENINGS[word](rosa, *arguments)


def _node(rosa: VirtualRosa, number: int) -> str | None:
    machines = [machine for _, machine in rosa.facts.machines.in_order() if machine.node in rosa.world.objects.nodes]
    return machines[number % len(machines)].node if machines else None


def _of_node(method: str, **keywords: Any) -> Callable[[VirtualRosa, int], None]:
    def happening(rosa: VirtualRosa, number: int) -> None:
        if (name := _node(rosa, number)) is not None:
            getattr(rosa.accidents, method)(name, **keywords)

    return happening


def _ours(rosa: VirtualRosa, number: int) -> str | None:
    names = sorted(name for name in rosa.world.objects.egress_ips if name not in STRANGERS)
    return names[number % len(names)] if names else None


def _of_object(method: str, *arguments: Any) -> Callable[[VirtualRosa, int], None]:
    def happening(rosa: VirtualRosa, number: int) -> None:
        if (name := _ours(rosa, number)) is not None:
            getattr(rosa.accidents, method)(name, *arguments)

    return happening


def _edit(change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Callable[[VirtualRosa, int], None]:
    def happening(rosa: VirtualRosa, number: int) -> None:
        if (name := _ours(rosa, number)) is not None:
            rosa.accidents.edit_addresses(name, *change(rosa.world.objects.egress_ips[name].spec))

    return happening


def _cpic(rosa: VirtualRosa, number: int) -> str | None:
    addresses = sorted(rosa.world.objects.cpics)
    return addresses[number % len(addresses)] if addresses else None


def _of_cpic(method: str) -> Callable[[VirtualRosa, int], None]:
    def happening(rosa: VirtualRosa, number: int) -> None:
        if (address := _cpic(rosa, number)) is not None:
            getattr(rosa.accidents, method)(address)

    return happening


def _edit_cpic(rosa: VirtualRosa, number: int, node: int) -> None:
    address, name = _cpic(rosa, number), _node(rosa, node)
    if address is not None and name is not None:
        rosa.accidents.edit_cpic(address, name)


def _claim(rosa: VirtualRosa, number: int, node: int) -> None:
    name, carrier = _ours(rosa, number), _node(rosa, node)
    if name is not None and carrier is not None and (spec := rosa.world.objects.egress_ips[name].spec):
        rosa.accidents.edit_status(name, ((spec[0], carrier),))


def _scale(rosa: VirtualRosa, zone: int, replicas: int) -> None:
    pools = sorted(rosa.facts.pools)
    try:
        rosa.scale_pool(pools[zone % len(pools)], replicas)
    except NoFreeAddress:
        return


def _join_deaf(rosa: VirtualRosa, zone: int) -> None:
    pools = [made for _, made in rosa.facts.pools.in_order()]
    chosen = pools[zone % len(pools)]
    rosa.accidents.join_without_network(chosen.name, chosen.zones[0])


def _zone(method: str) -> Callable[[VirtualRosa, int], None]:
    def happening(rosa: VirtualRosa, number: int) -> None:
        zones = sorted(rosa.facts.zones)
        getattr(rosa.accidents, method)(zones[number % len(zones)])

    return happening


def _address(rosa: VirtualRosa, number: int) -> str:
    """An address that the fleet file lists, or one that is carried now."""
    known = sorted({*(listed(n) for n in range(len(LAST_BYTES) * len(rosa.facts.zones))), *rosa.world.objects.cpics})
    inside = [a for a in known if any(a.startswith(f"{s}.") for s in SUBNETS[: len(rosa.facts.zones)])]
    return inside[number % len(inside)]


def _hold(rosa: VirtualRosa, number: int) -> None:
    address = _address(rosa, number)
    if address not in rosa.world.plane.holders:
        rosa.accidents.hold(address)


def _let_go(rosa: VirtualRosa) -> None:
    for interface in sorted(rosa.facts.holders):
        rosa.accidents.let_go(interface)


def _put_address(rosa: VirtualRosa, node: int, number: int) -> None:
    name, address = _node(rosa, node), _address(rosa, number)
    if name is None or address in rosa.world.plane.holders:
        return
    if rosa.world.plane.instances[rosa.life.machine_of(name).id].interface is not None:
        rosa.accidents.put_address(name, address)


def _reserve(rosa: VirtualRosa, number: int, kind: str) -> None:
    cidr = f"{_address(rosa, number)}/32"
    if all(
        str(there.cidr) != cidr and not _inside(cidr, str(there.cidr)) for there in rosa.facts.reservations.values()
    ):
        rosa.accidents.reserve(cidr, kind=kind)


def _inside(cidr: str, other: str) -> bool:
    return IPv4Network(cidr).overlaps(IPv4Network(other))


def _reservation(rosa: VirtualRosa, number: int) -> Any:
    found = [there for _, there in rosa.facts.reservations.in_order() if there.tags]
    return found[number % len(found)] if found else None


def _delete_reservation(rosa: VirtualRosa, number: int) -> None:
    if (found := _reservation(rosa, number)) is not None:
        rosa.accidents.delete_reservation(found.id)


def _untag(rosa: VirtualRosa, number: int) -> None:
    """Somebody takes the record of who holds what off a reservation; whose it is stays."""
    if (found := _reservation(rosa, number)) is not None:
        keys = [key for key in found.tags if "/policy/" in key or "/held/" in key]
        rosa.accidents.untag_reservation(found.id, keys)


def _foreign_object(rosa: VirtualRosa, number: int) -> None:
    if "foreign" not in rosa.world.objects.egress_ips:
        rosa.accidents.make_object("foreign", _address(rosa, number))


def _refuse(rosa: VirtualRosa, number: int, throttled: bool) -> None:
    rosa.accidents.refuse(OPERATIONS[number % len(OPERATIONS)], THROTTLED if throttled else DENIED)


def _blind(rosa: VirtualRosa, number: int) -> None:
    names = (*READS, *AWS_READS)
    name = names[number % len(names)]
    (rosa.cluster if name in READS else rosa.ec2).fail(name)


def _fails(how: str) -> Callable[[VirtualRosa, int], None]:
    def happening(rosa: VirtualRosa, number: int) -> None:
        names = (*WRITES, *CLUSTER_WRITES)
        name = names[number % len(names)]
        getattr(rosa.ec2 if name in WRITES else rosa.cluster, how)(name)

    return happening


def _heal(rosa: VirtualRosa) -> None:
    rosa.cluster.heal()
    rosa.ec2.heal()


def _restore_nodes(rosa: VirtualRosa) -> None:
    for machine in [machine for _, machine in rosa.facts.machines.in_order()]:
        rosa.accidents.restore_node(machine.node)


def _networks(rosa: VirtualRosa) -> None:
    for name in rosa.nodes:
        if rosa.world.objects.nodes[name].host_cidrs is None:
            rosa.accidents.network(name)


_HAPPENINGS: dict[str, Callable[..., None]] = {
    "wait": lambda rosa, seconds: rosa.run_for(seconds),
    # nodes
    "not ready": _of_node("not_ready"),
    "silent": _of_node("not_ready", silent=True),
    "ready": _of_node("ready"),
    "unlabel": _of_node("unlabel"),
    "label": _of_node("label"),
    "cordon": _of_node("cordon"),
    "uncordon": _of_node("uncordon"),
    "delete node": _of_node("delete_node"),
    "restore nodes": _restore_nodes,
    "terminate": _of_node("terminate"),
    "terminate slowly": _of_node("terminate", release_after_seconds=500.0),
    "terminate behind": _of_node("terminate", node_goes=False),
    "scale": _scale,
    "join deaf": _join_deaf,
    "networks": _networks,
    "lose zone": _zone("lose_zone"),
    "restore zone": _zone("restore_zone"),
    # hands
    "empty list": _edit(lambda _spec: ()),
    "drop first": _edit(lambda spec: spec[1:]),
    "add stray": _edit(lambda spec: (*spec, "10.10.100.77")),
    "add garbage": _edit(lambda spec: (*spec, "garbage")),
    "unown": _of_object("edit_label", LABEL_MANAGED_BY, None),
    "relabel": _of_object("edit_label", LABEL_POLICY, "x"),
    "add label": _of_object("edit_label", "team", "a"),
    "add selector": _of_object("edit_selector", "tier", "front"),
    "put": _of_object("put_without_status"),
    "claim": _claim,
    "delete object": _of_object("delete_object"),
    "delete cpic": _of_cpic("delete_cpic"),
    "edit cpic": _edit_cpic,
    "delete reservation": _delete_reservation,
    "untag": _untag,
    # strangers
    "hold": _hold,
    "let go": _let_go,
    "put address": _put_address,
    "take address": _of_cpic("take_address"),
    "reserve": _reserve,
    "foreign object": _foreign_object,
    # refusals
    "refuse": _refuse,
    "accept": lambda rosa: rosa.accidents.accept(),
    "blind": _blind,
    "fails": _fails("fail"),
    "fails late": _fails("fail_late"),
    "heal": _heal,
    # controllers
    "restart manager": lambda rosa: rosa.accidents.restart_manager(),
    "stop manager": lambda rosa: rosa.accidents.stop_manager(),
    "restart cncc": lambda rosa: rosa.accidents.restart_cncc(),
    "stop cncc": lambda rosa: rosa.accidents.stop_cncc(),
}

WORDS = frozenset(_HAPPENINGS)

__all__ = ["WORDS", "Event", "Killed", "Life", "Shape", "happen", "listed"]
