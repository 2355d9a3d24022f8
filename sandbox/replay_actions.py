"""The actions of a recording, done to a world of the twin.

Belongs here: one function per action, with the defaults of `tests/traces/README.md`. Does not belong here: what follows
from them (`replay`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TypeVar

from chalicelib.domain.twin import outside
from chalicelib.domain.twin.ec2 import Ec2Error, Interface
from chalicelib.domain.twin.values import UNSCHEDULABLE_TAINT, Node
from chalicelib.domain.twin.world import Changes, World, start_cncc, start_manager, stop_cncc, stop_manager
from sandbox.replay_recording import Json, UnreadableRecording
from sandbox.replay_state import foreign_interface_of, instance_of, interface_of

TAINT_EFFECT = "NoSchedule"

Outcome = tuple[World, int | None, Changes]
Way = TypeVar("Way")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Zones:
    """The subnets of a recording: CIDR by zone."""

    cidrs: dict[str, str]

    def prefix(self, zone: str) -> int:
        """Prefix length of a zone's subnet."""
        return ip_network(self.cidrs[zone]).prefixlen


def do(world: World, action: Json, zones: Zones) -> Outcome:
    """Do one action other than `wait`.

    Returns:
        The world after it, the HTTP status if it is a request to the cluster API, and the change it made.

    Raises:
        UnreadableRecording: An action that is not known, or lacks an argument.
    """
    return carry_out(action, _ACTIONS, lambda perform: perform(world, action, zones))


def carry_out(action: Json, ways: Mapping[str, Way], perform: Callable[[Way], Done]) -> Done:
    """Do an action in the way that its word names; what is wrong with it is said in the recording's words.

    Raises:
        UnreadableRecording: An action that is not known, or lacks an argument.
    """
    name = action["do"]
    try:
        way = ways[name]
    except KeyError as error:
        raise UnreadableRecording(f"unknown action {name!r}") from error
    try:
        return perform(way)
    except KeyError as error:
        raise UnreadableRecording(f"action {name}: {error} is missing or names nothing that is there") from error
    except ValueError as error:
        raise UnreadableRecording(f"action {name}: {error}") from error


def _add_node(world: World, action: Json, zones: Zones) -> Outcome:
    name, zone, address = action["name"], action["zone"], action["ip"]
    interface = Interface(interface_of(name), zone, (address,))
    world = outside.launch_instance(world, instance_of(name), action.get("type", "m5.xlarge"), interface)
    return outside.put_node(world, _node(action, zones))


def _readd_node(world: World, action: Json, zones: Zones) -> Outcome:
    return outside.put_node(world, _node(action, zones))


def _node(action: Json, zones: Zones) -> Node:
    name = action["name"]
    host = (host_of(action, zones),)
    return Node(
        name,
        instance_of(name),
        labelled=action.get("labelled", True),
        ready=action.get("ready", True),
        host_cidrs=host if action.get("host_cidrs", True) else None,
        primary_ifaddr=action.get("primary_ifaddr", True),
        taints=tuple(sorted(taint_of(taint) for taint in action.get("taints", ()))),
    )


def host_of(action: Json, zones: Zones) -> str:
    """The node's own address, with the prefix length of its subnet."""
    return f"{action['ip']}/{zones.prefix(action['zone'])}"


def taint_of(taint: Json | str) -> tuple[str, str]:
    """(key, effect) of a taint, written as an object or as "key" or "key:effect"."""
    if isinstance(taint, str):
        key, _, effect = taint.partition(":")
        return key.partition("=")[0], effect or TAINT_EFFECT
    return taint["key"], taint.get("effect", TAINT_EFFECT)


def _on_node(edit: Callable[[Node, Json], Node]) -> Callable[[World, Json, Zones], Outcome]:
    def perform(world: World, action: Json, _: Zones) -> Outcome:
        node = world.objects.nodes.get(action["name"])
        return outside.put_node(world, edit(node, action)) if node else (world, outside.NOT_FOUND, ())

    return perform


def _annotate(node: Node, action: Json) -> Node:
    cidrs = action["host_cidrs"]
    return replace(node, host_cidrs=None if cidrs is None else tuple(cidrs))


def _tainted(node: Node, key: str, effect: str) -> Node:
    return replace(node, taints=tuple(sorted({*node.taints, (key, effect)})))


def _untainted(node: Node, key: str) -> Node:
    return replace(node, taints=tuple(taint for taint in node.taints if taint[0] != key))


def _apply_egress_ip(world: World, action: Json, _: Zones) -> Outcome:
    name = action["name"]
    return outside.apply_egress_ip(
        world,
        name,
        tuple(action["ips"]),
        selectors=json.dumps(action.get("namespace_labels", {"egress": name}), sort_keys=True),
        labels=action.get("labels"),
        annotations=action.get("annotations"),
    )


def _kick(world: World, action: Json, _: Zones) -> Outcome:
    seen = world.objects.egress_ips.get(action["name"])
    kicks = int(dict(seen.labels).get("kick", "0")) if seen else 0
    return outside.label_egress_ip(world, action["name"], {"kick": str(kicks + 1)})


def _hold_address(world: World, action: Json, _: Zones) -> Outcome:
    interface = Interface(foreign_interface_of(action["holder"]), action["zone"], (action["ip"],))
    return outside.hold_address(world, interface), None, ()


def _fail_calls(world: World, action: Json, _: Zones) -> Outcome:
    error = Ec2Error(action["code"], action["message"], refusal_status(action))
    return outside.fail_calls(world, action["op"], error), None, ()


def refusal_status(action: Json) -> int:
    """The HTTP status with which EC2 refuses a call with the action's error code."""
    return 403 if action["code"] == "UnauthorizedOperation" else 400


def _plain(change: Callable[[World, Json], World]) -> Callable[[World, Json, Zones], Outcome]:
    """An action that is no request to the cluster API."""
    return lambda world, action, _: (change(world, action), None, ())


_ACTIONS: dict[str, Callable[[World, Json, Zones], Outcome]] = {
    "add_node": _add_node,
    "readd_node": _readd_node,
    "annotate_node": _on_node(_annotate),
    "node_ready": _on_node(lambda node, a: replace(node, ready=a["ready"])),
    "label_node": _on_node(lambda node, _: replace(node, labelled=True)),
    "unlabel_node": _on_node(lambda node, _: replace(node, labelled=False)),
    "taint": _on_node(lambda node, a: _tainted(node, a["key"], a.get("effect", TAINT_EFFECT))),
    "untaint": _on_node(lambda node, a: _untainted(node, a["key"])),
    "cordon_node": _on_node(lambda node, _: _tainted(node, UNSCHEDULABLE_TAINT, TAINT_EFFECT)),
    "uncordon_node": _on_node(lambda node, _: _untainted(node, UNSCHEDULABLE_TAINT)),
    "delete_node": lambda world, a, _: outside.delete_node(world, a["name"]),
    "terminate_instance": _plain(
        lambda world, a: outside.terminate_instance(
            world, instance_of(a["node"]), release_after_seconds=a.get("release_after_s", 0)
        )
    ),
    "apply_egressip": _apply_egress_ip,
    "kick_egressip": _kick,
    "put_egressip_without_status": lambda world, a, _: outside.put_egress_ip_without_status(
        world, a["name"], drop_annotations=a.get("drop_annotations", False)
    ),
    "edit_egressip_status": lambda world, a, _: outside.edit_egress_ip_status(
        world, a["name"], tuple(a["items"].items())
    ),
    "delete_egressip": lambda world, a, _: outside.delete_egress_ip(world, a["name"]),
    "delete_cpic": lambda world, a, _: outside.delete_cpic(world, a["ip"]),
    "edit_cpic_node": lambda world, a, _: outside.edit_cpic_node(world, a["ip"], a["node"]),
    "ec2_hold_address": _hold_address,
    "ec2_release_address": _plain(lambda world, a: outside.release_interface(world, foreign_interface_of(a["holder"]))),
    "ec2_take_from_node": _plain(lambda world, a: outside.take_address(world, instance_of(a["node"]), a["ip"])),
    "ec2_put_on_node": _plain(lambda world, a: outside.put_address(world, instance_of(a["node"]), a["ip"])),
    "ec2_fail": _fail_calls,
    "ec2_heal": _plain(lambda world, a: outside.heal_calls(world, a.get("op"))),
    "start_cluster_manager": _plain(lambda world, _: start_manager(world)),
    "stop_cluster_manager": _plain(lambda world, _: stop_manager(world)),
    "restart_cluster_manager": _plain(lambda world, _: start_manager(world)),
    "start_cncc": _plain(lambda world, _: start_cncc(world)),
    "stop_cncc": _plain(lambda world, _: stop_cncc(world)),
    "restart_cncc": _plain(lambda world, _: start_cncc(world)),
}
