"""The platform of a recording on the sandbox's wire: cluster API over HTTP, EC2 by moto, the twin driving both.

Belongs here: the recording's actions as requests, and what is there as a world of the twin, with the recording's names
for what has random ids. Does not belong here: order and time (`replay_wire_playing`), the comparison (`replay_state`).

The world that is shown is read from outside, through the API and EC2, and never from the controllers: only what has
reached the wire counts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, cast

import urllib3
from botocore.exceptions import ClientError

from chalicelib.domain.twin.behaviours import behaviours_of
from chalicelib.domain.twin.choices import Choose
from chalicelib.domain.twin.ec2 import Instance, Interface, Plane
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Change, Cpic, EgressIp, Node, Objects
from chalicelib.domain.twin.world import World
from sandbox.aws import AwsSandbox
from sandbox.aws.faults import Refusal
from sandbox.controllers import Controllers
from sandbox.controllers.cloud import interface_of_answer
from sandbox.controllers.objects import (
    ASSIGNABLE,
    CPICS,
    EGRESS_IPS,
    HOST_CIDRS,
    NODES,
    PRIMARY_IFADDR,
    READERS,
    change_of,
)
from sandbox.kube import KubeCluster, KubeServer
from sandbox.replay_actions import TAINT_EFFECT, Zones, host_of, taint_of
from sandbox.replay_recording import Json, Recording, UnreadableRecording
from sandbox.replay_state import instance_of, interface_of
from sandbox.timeline import SteppedTimeline

REGION = "us-east-1"
VPC = "10.0.0.0/16"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
PATHS = {
    NODES: "/api/v1/nodes",
    EGRESS_IPS: "/apis/k8s.ovn.org/v1/egressips",
    CPICS: "/apis/cloud.network.openshift.io/v1/cloudprivateipconfigs",
}
EVENTS = "/api/v1/namespaces/default/events"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_REQUEST_ID = re.compile(r"request id: [^\s,]+")


class WirePlatform:
    """Everything that a recording needs, on loopback and on stepped time, as a context manager."""

    def __init__(self, recording: Recording, choose: Choose) -> None:
        self.zones = Zones(recording.zones)
        self._behaviours = behaviours_of(recording.ovnk, recording.cncc)
        self._choose = choose
        self.timeline = SteppedTimeline()
        self._open = ExitStack()
        self._ids: dict[str, str] = {}
        self._instances: dict[str, str] = {}
        self._interfaces: dict[str, str] = {}
        self._mirror: dict[str, dict[str, Any]] = {plural: {} for plural in READERS}
        self._changes: list[Change] = []

    def __enter__(self) -> Self:
        """Serve, make the network, start the controllers and let them come to rest."""
        try:
            self.aws = self._open.enter_context(AwsSandbox(self.timeline, region=REGION))
            self.kube = KubeCluster(tokens={"replay": "system:admin"}, clock=self.timeline.now)
            self._url = self._open.enter_context(KubeServer(self.kube)).url
            self._http = self._open.enter_context(urllib3.PoolManager(retries=False, timeout=30.0))
            self._ec2 = self.aws.client("ec2")
            vpc = self._ec2.create_vpc(CidrBlock=VPC)["Vpc"]["VpcId"]
            self._subnets = {
                zone: self._ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]
                for zone, cidr in self.zones.cidrs.items()
            }
            self.controllers = Controllers(self.kube, self.aws, self._behaviours, choose=self._choose)
            self._open.callback(self.controllers.stop)
            self._open.callback(self.kube.subscribe(self._note))
            self.controllers.start()
            self.timeline.advance(0)
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self._open.close()

    # What is there

    def take_changes(self) -> tuple[Change, ...]:
        """What changed in the cluster API since the last call, in order."""
        taken, self._changes = tuple(self._changes), []
        return taken

    def world(self) -> World:
        """What can be read from outside, in the recording's names."""
        return World(
            self._behaviours,
            objects=Objects(
                Table((node.name, node) for node in self._list(NODES)),
                Table((egress_ip.name, egress_ip) for egress_ip in self._list(EGRESS_IPS)),
                Table((cpic.address, cpic) for cpic in self._list(CPICS)),
            ),
            plane=self._plane(),
            now=self.timeline.now(),
            cncc=self.controllers.cncc_state,
            events=Table(self._events().items()),
        )

    def _list(self, plural: str) -> list[Any]:
        return [self._named(_read(plural, raw)) for raw in self._request("GET", PATHS[plural])[1]["items"]]

    def _named(self, value: Node | EgressIp | Cpic) -> Node | EgressIp | Cpic:
        """An object with the recording's names in the place of ids."""
        match value:
            case Node(egress_config=config):
                if config is not None:
                    config = replace(config, interface=self._ids.get(config.interface, config.interface))
                return replace(value, instance=self._ids.get(value.instance, value.instance), egress_config=config)
            case Cpic(message=str(message)):
                for real, name in self._ids.items():
                    message = message.replace(real, name)
                return replace(value, message=_REQUEST_ID.sub("request id: <id>", message))
            case _:
                return value

    def _plane(self) -> Plane:
        instances: dict[str, Instance] = {}
        interfaces: dict[str, Interface] = {}
        with self.aws.faults.paused():
            reservations = self._ec2.describe_instances()["Reservations"]
        for reservation in reservations:
            for found in reservation["Instances"]:
                first = next(iter(found.get("NetworkInterfaces") or ()), None)
                name = self._ids[found["InstanceId"]]
                if first is not None:
                    interface = interface_of_answer(first)
                    interfaces[self._ids[interface.id]] = replace(interface, id=self._ids[interface.id])
                interface_name = self._ids[first["NetworkInterfaceId"]] if first else None
                instances[name] = Instance(name, found["InstanceType"], interface_name)
        return Plane(instances=Table(instances.items()), interfaces=Table(interfaces.items()))

    def _events(self) -> Mapping[tuple[str, str], int]:
        found: Counter[tuple[str, str]] = Counter()
        for event in self._request("GET", EVENTS)[1]["items"]:
            if event["involvedObject"]["kind"] == "EgressIP":
                found[event["reason"], event["involvedObject"]["name"]] += event["count"]
        return found

    def _note(self, kind: str, plural: str, raw: Mapping[str, Any]) -> None:
        if plural not in READERS:
            return
        known, name, value = self._mirror[plural], raw["metadata"]["name"], _read(plural, raw)
        old, new = known.get(name), None if kind == "DELETED" else value
        if old != new:
            self._changes.append(change_of(plural, old and self._named(old), new and self._named(new)))
        known.pop(name, None) if new is None else known.__setitem__(name, new)

    # What is done

    def do(self, action: Json) -> int | None:
        """Do one action other than `wait`; the HTTP status if it is a request to the cluster API.

        Raises:
            UnreadableRecording: An action that is not known, lacks an argument, or that EC2 refuses.
        """
        name = action["do"]
        try:
            perform = _ACTIONS[name]
        except KeyError as error:
            raise UnreadableRecording(f"unknown action {name!r}") from error
        try:
            return perform(self, action)
        except KeyError as error:
            raise UnreadableRecording(f"action {name}: {error} is missing or names nothing that is there") from error
        except (ValueError, ClientError) as error:
            raise UnreadableRecording(f"action {name}: {error}") from error

    def _request(self, method: str, path: str, body: object = None, kind: str = "application/json") -> tuple[int, Any]:
        headers = {"Authorization": "Bearer replay", "User-Agent": "recorder/1.0", "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        answer = self._http.request(method, self._url + path, body=data, headers=headers)
        return answer.status, json.loads(answer.data)

    def _patch(self, plural: str, name: str, body: Json, subresource: str = "") -> int:
        return self._request("PATCH", f"{PATHS[plural]}/{name}{subresource}", body, MERGE)[0]

    def _delete(self, plural: str, name: str) -> int:
        return self._request("DELETE", f"{PATHS[plural]}/{name}")[0]

    def add_node(self, action: Json) -> int:
        """RunInstances, then the Node."""
        name = action["name"]
        launched = self._ec2.run_instances(
            MinCount=1,
            MaxCount=1,
            ImageId="ami-0c0ffee0c0ffee000",
            InstanceType=action.get("type", "m5.xlarge"),
            SubnetId=self._subnets[action["zone"]],
            PrivateIpAddress=action["ip"],
        )["Instances"][0]
        interface = launched["NetworkInterfaces"][0]["NetworkInterfaceId"]
        self._ids |= {launched["InstanceId"]: instance_of(name), interface: interface_of(name)}
        self._instances[name], self._interfaces[name] = launched["InstanceId"], interface
        return self.put_node(action)

    def put_node(self, action: Json) -> int:
        """POST of the Node, for the instance it has."""
        name, zone = action["name"], action["zone"]
        host = host_of(action, self.zones)
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
                "providerID": f"aws:///{REGION}{zone}/{self._instances[name]}",
                "taints": [{"key": k, "effect": e} for k, e in map(taint_of, action.get("taints", ()))],
            },
            "status": {"conditions": [_ready(action.get("ready", True))]},
        }
        return self._request("POST", PATHS[NODES], node)[0]

    def annotate_node(self, action: Json) -> int:
        """host-cidrs, or null to remove."""
        cidrs = action["host_cidrs"]
        value = None if cidrs is None else json.dumps(cidrs)
        return self._patch(NODES, action["name"], {"metadata": {"annotations": {HOST_CIDRS: value}}})

    def node_ready(self, action: Json) -> int:
        """The condition, by the status subresource."""
        body = {"status": {"conditions": [_ready(action["ready"])]}}
        return self._patch(NODES, action["name"], body, "/status")

    def label_node(self, action: Json, value: str | None) -> int:
        """The label, or None to remove it."""
        return self._patch(NODES, action["name"], {"metadata": {"labels": {ASSIGNABLE: value}}})

    def retaint(
        self, name: str, *, add: tuple[str, str] | None = None, drop: str = "", cordon: bool | None = None
    ) -> int:
        """Change `spec.taints`, and `spec.unschedulable` with them."""
        status, node = self._request("GET", f"{PATHS[NODES]}/{name}")
        if status != 200:
            return status
        taints = [t for t in node["spec"].get("taints") or () if t["key"] != drop]
        if add is not None and add not in [(t["key"], t["effect"]) for t in taints]:
            taints.append({"key": add[0], "effect": add[1]})
        spec: Json = {"taints": taints or None}
        if cordon is not None:
            spec["unschedulable"] = cordon or None
        return self._patch(NODES, name, {"spec": spec})

    def terminate_instance(self, action: Json) -> None:
        """TerminateInstances; the interface goes after a while."""
        timing = self.aws.timing
        before = timing.terminated_after_seconds
        timing.terminated_after_seconds = action.get("release_after_s", 0)
        try:
            self._ec2.terminate_instances(InstanceIds=[self._instances[action["node"]]])
        finally:
            timing.terminated_after_seconds = before

    def apply_egress_ip(self, action: Json) -> int:
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
        return self._request("PATCH", f"{PATHS[EGRESS_IPS]}/{name}?fieldManager=recorder&force=true", wanted, APPLY)[0]

    def kick_egress_ip(self, action: Json) -> int:
        """A label that was never there before."""
        stamp = str(self.kube.resource_version)
        return self._patch(EGRESS_IPS, action["name"], {"metadata": {"labels": {"kick": stamp}}})

    def put_egress_ip_without_status(self, action: Json) -> int:
        """GET, less status (and annotations), PUT."""
        path = f"{PATHS[EGRESS_IPS]}/{action['name']}"
        status, there = self._request("GET", path)
        if status != 200:
            return status
        there.pop("status", None)
        if action.get("drop_annotations", False):
            there["metadata"].pop("annotations", None)
        return self._request("PUT", path, there)[0]

    def edit_egress_ip_status(self, action: Json) -> int:
        """Merge patch of `status.items`."""
        items = [{"egressIP": address, "node": node} for address, node in action["items"].items()]
        return self._patch(EGRESS_IPS, action["name"], {"status": {"items": items}})

    def hold_address(self, action: Json) -> None:
        """A foreign interface with the address as its primary one."""
        made = self._ec2.create_network_interface(
            SubnetId=self._subnets[action["zone"]], PrivateIpAddress=action["ip"], Description=action["holder"]
        )["NetworkInterface"]["NetworkInterfaceId"]
        name = f"foreign eni {action['holder']}"
        self._ids[made], self._interfaces[name] = name, made

    def release_address(self, action: Json) -> None:
        """The foreign interface goes."""
        name = f"foreign eni {action['holder']}"
        self._ec2.delete_network_interface(NetworkInterfaceId=self._interfaces.pop(name))

    def put_address(self, action: Json) -> None:
        """Somebody else assigns it."""
        self._ec2.assign_private_ip_addresses(
            NetworkInterfaceId=self._interfaces[action["node"]], PrivateIpAddresses=[action["ip"]]
        )

    def take_address(self, action: Json) -> None:
        """Somebody else takes it off."""
        self._ec2.unassign_private_ip_addresses(
            NetworkInterfaceId=self._interfaces[action["node"]], PrivateIpAddresses=[action["ip"]]
        )

    def fail_calls(self, action: Json) -> None:
        """Every call of one operation is refused, in place of an earlier refusal."""
        status = 403 if action["code"] == "UnauthorizedOperation" else 400
        self.aws.faults.heal("ec2", action["op"])
        self.aws.faults.inject("ec2", action["op"], Refusal(status, action["code"], action["message"]))

    def heal_calls(self, action: Json) -> None:
        """One operation, or all."""
        if action.get("op"):
            self.aws.faults.heal("ec2", action["op"])
        else:
            self.aws.faults.heal()


def _read(plural: str, raw: Mapping[str, Any]) -> Node | EgressIp | Cpic:
    value = READERS[plural](raw)
    return cast(Node | EgressIp | Cpic, value)


def _ready(ready: bool) -> Json:
    return {"type": "Ready", "status": "True" if ready else "False"}


def _program(what: Callable[[Controllers], None]) -> Callable[[WirePlatform, Json], None]:
    return lambda platform, _: what(platform.controllers)


_ACTIONS: dict[str, Callable[[WirePlatform, Json], int | None]] = {
    "add_node": WirePlatform.add_node,
    "readd_node": WirePlatform.put_node,
    "annotate_node": WirePlatform.annotate_node,
    "node_ready": WirePlatform.node_ready,
    "label_node": lambda p, a: p.label_node(a, a.get("value", "")),
    "unlabel_node": lambda p, a: p.label_node(a, None),
    "delete_node": lambda p, a: p._delete(NODES, a["name"]),
    "terminate_instance": WirePlatform.terminate_instance,
    "taint": lambda p, a: p.retaint(a["name"], add=(a["key"], a.get("effect", TAINT_EFFECT))),
    "untaint": lambda p, a: p.retaint(a["name"], drop=a["key"]),
    "cordon_node": lambda p, a: p.retaint(a["name"], add=(UNSCHEDULABLE, TAINT_EFFECT), cordon=True),
    "uncordon_node": lambda p, a: p.retaint(a["name"], drop=UNSCHEDULABLE, cordon=False),
    "apply_egressip": WirePlatform.apply_egress_ip,
    "kick_egressip": WirePlatform.kick_egress_ip,
    "put_egressip_without_status": WirePlatform.put_egress_ip_without_status,
    "edit_egressip_status": WirePlatform.edit_egress_ip_status,
    "delete_egressip": lambda p, a: p._delete(EGRESS_IPS, a["name"]),
    "delete_cpic": lambda p, a: p._delete(CPICS, a["ip"]),
    "edit_cpic_node": lambda p, a: p._patch(CPICS, a["ip"], {"spec": {"node": a["node"]}}),
    "ec2_hold_address": WirePlatform.hold_address,
    "ec2_release_address": WirePlatform.release_address,
    "ec2_take_from_node": WirePlatform.take_address,
    "ec2_put_on_node": WirePlatform.put_address,
    "ec2_fail": WirePlatform.fail_calls,
    "ec2_heal": WirePlatform.heal_calls,
    "start_cluster_manager": _program(Controllers.restart_manager),
    "stop_cluster_manager": _program(Controllers.stop_manager),
    "restart_cluster_manager": _program(Controllers.restart_manager),
    "start_cncc": _program(Controllers.restart_cncc),
    "stop_cncc": _program(Controllers.stop_cncc),
    "restart_cncc": _program(Controllers.restart_cncc),
}
