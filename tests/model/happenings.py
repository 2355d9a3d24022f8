"""What can befall a cluster: a word and numbers each, and what is done to the virtual cluster for it.

Numbers count whatever there is (nodes, objects, addresses …) and wrap around, so that every event can happen in every
state. Does not belong here: our own visits, and other wishes in the fleet file (`life`).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any, TypeAlias

from chalicelib.domain.actions import LABEL_MANAGED_BY, LABEL_POLICY
from sandbox.virtual import VirtualRosa
from sandbox.virtual.accidents import DENIED, THROTTLED
from sandbox.virtual.life import NoFreeAddress
from tests.sandbox.virtual.fleets import GUIDE_ZONES

Event: TypeAlias = tuple[Any, ...]

SUBNETS = [cidr.rpartition(".")[0] for cidr in GUIDE_ZONES.values()]
LAST_BYTES = (250, 251, 252, 253)
STRANGERS = ("foreign", "theirs")
OPERATIONS = ("AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "DescribeInstances")
READS = ("fetch_nodes", "fetch_cpics", "fetch_egress_ips")
AWS_READS = ("fetch_instances", "fetch_interfaces", "fetch_reservations", "fetch_subnets")
WRITES = ("reserve_cidr", "tag_reservation", "release_reservation")
CLUSTER_WRITES = ("apply_egress_ip", "delete_egress_ip", "label_node")


def listed(number: int) -> str:
    """An address that policies may list: .250 to .253 of each zone in turn, AWS's own .1 after those."""
    byte = (*LAST_BYTES, 1)[number // len(SUBNETS) % (len(LAST_BYTES) + 1)]
    return f"{SUBNETS[number % len(SUBNETS)]}.{byte}"


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
