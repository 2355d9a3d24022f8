"""The actions of a recording, done on the sandbox's wire: to the cluster by HTTP, to EC2 by its API.

Belongs here: one function per action, as `replay_actions` has one for the twin. Does not belong here: what serves the
requests, and reading back what has come of them (`replay_wire`).
"""

from __future__ import annotations

import json
from collections.abc import Callable

from botocore.exceptions import ClientError

from chalicelib.domain.twin.values import UNSCHEDULABLE_TAINT
from sandbox.aws.faults import Refusal
from sandbox.controllers import Controllers
from sandbox.controllers.objects import ASSIGNABLE, CPICS, EGRESS_IPS, HOST_CIDRS, NODES, PRIMARY_IFADDR
from sandbox.replay_actions import TAINT_EFFECT, carry_out, host_of, refusal_status, taint_of
from sandbox.replay_recording import Json, UnreadableRecording
from sandbox.replay_state import foreign_interface_of, instance_of, interface_of
from sandbox.replay_wire import PATHS, REGION, WirePlatform

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def do(platform: WirePlatform, action: Json) -> int | None:
    """Do one action other than `wait`; the HTTP status if it is a request to the cluster API.

    Raises:
        UnreadableRecording: An action that is not known, lacks an argument, or that EC2 refuses.
    """
    try:
        return carry_out(action, _ACTIONS, lambda perform: perform(platform, action))
    except ClientError as error:
        raise UnreadableRecording(f"action {action['do']}: {error}") from error


def _patch(platform: WirePlatform, plural: str, name: str, body: Json, subresource: str = "") -> int:
    return platform.request("PATCH", f"{PATHS[plural]}/{name}{subresource}", body, MERGE)[0]


def _delete(platform: WirePlatform, plural: str, name: str) -> int:
    return platform.request("DELETE", f"{PATHS[plural]}/{name}")[0]


def _add_node(platform: WirePlatform, action: Json) -> int:
    """RunInstances, then the Node."""
    name = action["name"]
    launched = platform.ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        ImageId="ami-0c0ffee0c0ffee000",
        InstanceType=action.get("type", "m5.xlarge"),
        SubnetId=platform.subnets[action["zone"]],
        PrivateIpAddress=action["ip"],
    )["Instances"][0]
    interface = launched["NetworkInterfaces"][0]["NetworkInterfaceId"]
    platform.name_by_id |= {launched["InstanceId"]: instance_of(name), interface: interface_of(name)}
    platform.instances[name], platform.interfaces[name] = launched["InstanceId"], interface
    return _put_node(platform, action)


def _put_node(platform: WirePlatform, action: Json) -> int:
    """POST of the Node, for the instance it has."""
    name, zone = action["name"], action["zone"]
    host = host_of(action, platform.zones)
    annotations = {}
    if action.get("primary_ifaddr", True):
        annotations[PRIMARY_IFADDR] = json.dumps({"ipv4": host})
    if action.get("host_cidrs", True):
        annotations[HOST_CIDRS] = json.dumps([host])
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {ASSIGNABLE: ""} if action.get("labelled", True) else {},
            "annotations": annotations,
        },
        "spec": {
            "providerID": f"aws:///{REGION}{zone}/{platform.instances[name]}",
            "taints": [{"key": k, "effect": e} for k, e in map(taint_of, action.get("taints", ()))],
        },
        "status": {"conditions": [_ready(action.get("ready", True))]},
    }
    return platform.request("POST", PATHS[NODES], node)[0]


def _annotate_node(platform: WirePlatform, action: Json) -> int:
    """host-cidrs, or null to remove."""
    cidrs = action["host_cidrs"]
    value = None if cidrs is None else json.dumps(cidrs)
    return _patch(platform, NODES, action["name"], {"metadata": {"annotations": {HOST_CIDRS: value}}})


def _node_ready(platform: WirePlatform, action: Json) -> int:
    """The condition, by the status subresource."""
    body = {"status": {"conditions": [_ready(action["ready"])]}}
    return _patch(platform, NODES, action["name"], body, "/status")


def _label_node(platform: WirePlatform, action: Json, value: str | None) -> int:
    """The label, or None to remove it."""
    return _patch(platform, NODES, action["name"], {"metadata": {"labels": {ASSIGNABLE: value}}})


def _retaint(
    platform: WirePlatform,
    name: str,
    *,
    add: tuple[str, str] | None = None,
    drop: str = "",
    cordon: bool | None = None,
) -> int:
    """Change `spec.taints`, and `spec.unschedulable` with them."""
    status, node = platform.request("GET", f"{PATHS[NODES]}/{name}")
    if status != 200:
        return status
    taints = [t for t in node["spec"].get("taints") or () if t["key"] != drop]
    if add is not None and add not in [(t["key"], t["effect"]) for t in taints]:
        taints.append({"key": add[0], "effect": add[1]})
    spec: Json = {"taints": taints or None}
    if cordon is not None:
        spec["unschedulable"] = cordon or None
    return _patch(platform, NODES, name, {"spec": spec})


def _terminate_instance(platform: WirePlatform, action: Json) -> None:
    """TerminateInstances; the interface goes after a while."""
    timing = platform.aws.timing
    before = timing.terminated_after_seconds
    timing.terminated_after_seconds = action.get("release_after_s", 0)
    try:
        platform.ec2.terminate_instances(InstanceIds=[platform.instances[action["node"]]])
    finally:
        timing.terminated_after_seconds = before


def _apply_egress_ip(platform: WirePlatform, action: Json) -> int:
    """Server-side apply, forced."""
    name = action["name"]
    metadata: Json = {"name": name}
    metadata |= {key: action[key] for key in ("labels", "annotations") if action.get(key)}
    wanted = {
        "apiVersion": "k8s.ovn.org/v1",
        "kind": "EgressIP",
        "metadata": metadata,
        "spec": {
            "egressIPs": list(action["ips"]),
            "namespaceSelector": {"matchLabels": action.get("namespace_labels", {"egress": name})},
        },
    }
    return platform.request("PATCH", f"{PATHS[EGRESS_IPS]}/{name}?fieldManager=recorder&force=true", wanted, APPLY)[0]


def _kick_egress_ip(platform: WirePlatform, action: Json) -> int:
    """A label that was never there before."""
    stamp = str(platform.kube.resource_version)
    return _patch(platform, EGRESS_IPS, action["name"], {"metadata": {"labels": {"kick": stamp}}})


def _put_egress_ip_without_status(platform: WirePlatform, action: Json) -> int:
    """GET, less status (and annotations), PUT."""
    path = f"{PATHS[EGRESS_IPS]}/{action['name']}"
    status, there = platform.request("GET", path)
    if status != 200:
        return status
    there.pop("status", None)
    if action.get("drop_annotations", False):
        there["metadata"].pop("annotations", None)
    return platform.request("PUT", path, there)[0]


def _edit_egress_ip_status(platform: WirePlatform, action: Json) -> int:
    """Merge patch of `status.items`."""
    items = [{"egressIP": address, "node": node} for address, node in action["items"].items()]
    return _patch(platform, EGRESS_IPS, action["name"], {"status": {"items": items}})


def _hold_address(platform: WirePlatform, action: Json) -> None:
    """A foreign interface with the address as its primary one."""
    made = platform.ec2.create_network_interface(
        SubnetId=platform.subnets[action["zone"]], PrivateIpAddress=action["ip"], Description=action["holder"]
    )["NetworkInterface"]["NetworkInterfaceId"]
    name = foreign_interface_of(action["holder"])
    platform.name_by_id[made], platform.interfaces[name] = name, made


def _release_address(platform: WirePlatform, action: Json) -> None:
    """The foreign interface goes."""
    name = foreign_interface_of(action["holder"])
    platform.ec2.delete_network_interface(NetworkInterfaceId=platform.interfaces.pop(name))


def _put_address(platform: WirePlatform, action: Json) -> None:
    """Somebody else assigns it."""
    platform.ec2.assign_private_ip_addresses(
        NetworkInterfaceId=platform.interfaces[action["node"]], PrivateIpAddresses=[action["ip"]]
    )


def _take_address(platform: WirePlatform, action: Json) -> None:
    """Somebody else takes it off."""
    platform.ec2.unassign_private_ip_addresses(
        NetworkInterfaceId=platform.interfaces[action["node"]], PrivateIpAddresses=[action["ip"]]
    )


def _fail_calls(platform: WirePlatform, action: Json) -> None:
    """Every call of one operation is refused, in place of an earlier refusal."""
    platform.aws.faults.heal("ec2", action["op"])
    platform.aws.faults.inject("ec2", action["op"], Refusal(refusal_status(action), action["code"], action["message"]))


def _heal_calls(platform: WirePlatform, action: Json) -> None:
    """One operation, or all."""
    if action.get("op"):
        platform.aws.faults.heal("ec2", action["op"])
    else:
        platform.aws.faults.heal()


def _ready(ready: bool) -> Json:
    return {"type": "Ready", "status": "True" if ready else "False"}


def _program(what: Callable[[Controllers], None]) -> Callable[[WirePlatform, Json], None]:
    return lambda platform, _: what(platform.controllers)


_ACTIONS: dict[str, Callable[[WirePlatform, Json], int | None]] = {
    "add_node": _add_node,
    "readd_node": _put_node,
    "annotate_node": _annotate_node,
    "node_ready": _node_ready,
    "label_node": lambda p, a: _label_node(p, a, a.get("value", "")),
    "unlabel_node": lambda p, a: _label_node(p, a, None),
    "delete_node": lambda p, a: _delete(p, NODES, a["name"]),
    "terminate_instance": _terminate_instance,
    "taint": lambda p, a: _retaint(p, a["name"], add=(a["key"], a.get("effect", TAINT_EFFECT))),
    "untaint": lambda p, a: _retaint(p, a["name"], drop=a["key"]),
    "cordon_node": lambda p, a: _retaint(p, a["name"], add=(UNSCHEDULABLE_TAINT, TAINT_EFFECT), cordon=True),
    "uncordon_node": lambda p, a: _retaint(p, a["name"], drop=UNSCHEDULABLE_TAINT, cordon=False),
    "apply_egressip": _apply_egress_ip,
    "kick_egressip": _kick_egress_ip,
    "put_egressip_without_status": _put_egress_ip_without_status,
    "edit_egressip_status": _edit_egress_ip_status,
    "delete_egressip": lambda p, a: _delete(p, EGRESS_IPS, a["name"]),
    "delete_cpic": lambda p, a: _delete(p, CPICS, a["ip"]),
    "edit_cpic_node": lambda p, a: _patch(p, CPICS, a["ip"], {"spec": {"node": a["node"]}}),
    "ec2_hold_address": _hold_address,
    "ec2_release_address": _release_address,
    "ec2_take_from_node": _take_address,
    "ec2_put_on_node": _put_address,
    "ec2_fail": _fail_calls,
    "ec2_heal": _heal_calls,
    "start_cluster_manager": _program(Controllers.restart_manager),
    "stop_cluster_manager": _program(Controllers.stop_manager),
    "restart_cluster_manager": _program(Controllers.restart_manager),
    "start_cncc": _program(Controllers.restart_cncc),
    "stop_cncc": _program(Controllers.stop_cncc),
    "restart_cncc": _program(Controllers.restart_cncc),
}
