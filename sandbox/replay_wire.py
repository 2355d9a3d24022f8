"""The platform of a recording on the sandbox's wire: cluster API over HTTP, EC2 by moto, the twin driving both.

Belongs here: what serves, and what is there as a world of the twin, with the recording's names for what has random ids.
Does not belong here: the recording's actions (`replay_wire_actions`), order and time (`replay_wire_playing`), the
comparison (`replay_state`).

The world that is shown is read from outside, through the API and EC2, and never from the controllers: only what has
reached the wire counts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, cast

import urllib3

from chalicelib.domain.twin.choices import Choose
from chalicelib.domain.twin.ec2 import Instance, Interface, Plane
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Change, Cpic, EgressIp, Node, Objects
from chalicelib.domain.twin.world import World
from sandbox.aws import AwsSandbox
from sandbox.controllers import Controllers
from sandbox.controllers.cloud import interface_of_answer
from sandbox.controllers.objects import CPICS, EGRESS_IPS, NODES, READERS, change_of
from sandbox.kube import KubeCluster, KubeServer
from sandbox.replay_actions import Zones
from sandbox.replay_recording import Recording
from sandbox.replay_state import recorded_behaviours
from sandbox.timeline import SteppedTimeline

REGION = "us-east-1"
VPC = "10.0.0.0/16"
PATHS = {
    NODES: "/api/v1/nodes",
    EGRESS_IPS: "/apis/k8s.ovn.org/v1/egressips",
    CPICS: "/apis/cloud.network.openshift.io/v1/cloudprivateipconfigs",
}
EVENTS = "/api/v1/namespaces/default/events"
_REQUEST_ID = re.compile(r"request id: [^\s,]+")


class WirePlatform:
    """Everything that a recording needs, on loopback and on stepped time, as a context manager.

    Attributes:
        name_by_id: How the recording names an instance or interface, by the id that EC2 gave it.
        instances: The id of each node's instance, by node.
        interfaces: The id of each node's first interface, by node, and of foreign ones, by the recording's name.
        subnets: The id of each zone's subnet, by zone.
    """

    def __init__(self, recording: Recording, choose: Choose) -> None:
        self.zones = Zones(recording.zones)
        self._behaviours = recorded_behaviours(recording)
        self._choose = choose
        self.timeline = SteppedTimeline()
        self._open = ExitStack()
        self.name_by_id: dict[str, str] = {}
        self.instances: dict[str, str] = {}
        self.interfaces: dict[str, str] = {}
        self._mirror: dict[str, dict[str, Any]] = {plural: {} for plural in READERS}
        self._changes: list[Change] = []

    def __enter__(self) -> Self:
        """Serve, make the network, start the controllers and let them come to rest."""
        try:
            self.aws = self._open.enter_context(AwsSandbox(self.timeline, region=REGION))
            self.kube = KubeCluster(tokens={"replay": "system:admin"}, clock=self.timeline.now)
            self._url = self._open.enter_context(KubeServer(self.kube)).url
            self._http = self._open.enter_context(urllib3.PoolManager(retries=False, timeout=30.0))
            self.ec2 = self.aws.client("ec2")
            vpc = self.ec2.create_vpc(CidrBlock=VPC)["Vpc"]["VpcId"]
            self.subnets = {
                zone: self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]
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
        return [self._named(_read(plural, raw)) for raw in self.request("GET", PATHS[plural])[1]["items"]]

    def _named(self, value: Node | EgressIp | Cpic) -> Node | EgressIp | Cpic:
        """An object with the recording's names in the place of ids."""
        match value:
            case Node(egress_config=config):
                if config is not None:
                    config = replace(config, interface=self.name_by_id.get(config.interface, config.interface))
                return replace(
                    value, instance=self.name_by_id.get(value.instance, value.instance), egress_config=config
                )
            case Cpic(message=str(message)):
                for real, name in self.name_by_id.items():
                    message = message.replace(real, name)
                return replace(value, message=_REQUEST_ID.sub("request id: <id>", message))
            case _:
                return value

    def _plane(self) -> Plane:
        instances: dict[str, Instance] = {}
        interfaces: dict[str, Interface] = {}
        with self.aws.faults.paused():
            reservations = self.ec2.describe_instances()["Reservations"]
        for reservation in reservations:
            for found in reservation["Instances"]:
                first = next(iter(found.get("NetworkInterfaces") or ()), None)
                name = self.name_by_id[found["InstanceId"]]
                if first is not None:
                    interface = interface_of_answer(first)
                    interfaces[self.name_by_id[interface.id]] = replace(interface, id=self.name_by_id[interface.id])
                interface_name = self.name_by_id[first["NetworkInterfaceId"]] if first else None
                instances[name] = Instance(name, found["InstanceType"], interface_name)
        return Plane(instances=Table(instances.items()), interfaces=Table(interfaces.items()))

    def _events(self) -> Mapping[tuple[str, str], int]:
        found: Counter[tuple[str, str]] = Counter()
        for event in self.request("GET", EVENTS)[1]["items"]:
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

    def request(self, method: str, path: str, body: object = None, kind: str = "application/json") -> tuple[int, Any]:
        """One request to the cluster API, as the recorder sends it: status and answer."""
        headers = {"Authorization": "Bearer replay", "User-Agent": "recorder/1.0", "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        answer = self._http.request(method, self._url + path, body=data, headers=headers)
        return answer.status, json.loads(answer.data)


def _read(plural: str, raw: Mapping[str, Any]) -> Node | EgressIp | Cpic:
    value = READERS[plural](raw)
    return cast(Node | EgressIp | Cpic, value)
