"""What the real `rosa` sent, command by command, sent again to the simulated OCM: same answers, and the same pools.

The recording has 329 commands, each with its requests and the status of each answer. Ids in it are symbolic
(`CLUSTER_ID`, `SUBNET_PRIVATE_B`), and here clusters and subnets are simply called so. Where the recording let OCM fail
(groups `fault-…`, the token endpoint), the same failure is injected; every other status must come by itself.

39 commands sent nothing, because `rosa` refuses a bad label, name or limit itself: they leave all pools as they were,
and are counted. Two things are not compared: the bodies of answers, which were made up for the recording (that they
are as OCM's document says is checked), and secrets, of which the recording keeps only that they were sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

import pytest

from sandbox.ocm import TOKEN_PATH, Fault, Ocm, OcmCluster, OcmServer, PoolsWithoutMachines, cluster_document
from sandbox.rosa import Flavour, PoolSpec, Scenario
from tests import ocm_document, shared_data
from tests.sandbox.ocm.client import Client

RECORDING = "rosa-cli-requests.json"
GROUPS = {
    "read": 13,
    "labels": 64,
    "replicas": 38,
    "delete": 4,
    "create": 59,
    "cluster": 24,
    "headers": 2,
    "fault-get": 37,
    "fault-patch": 32,
    "fault-post": 14,
    "fault-delete": 14,
    "token": 28,
}
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
SUBNETS = {f"SUBNET_{kind}_{zone[-1].upper()}": zone for kind in ("PRIVATE", "PUBLIC") for zone in ZONES}
LABELS = {"team": "web", "tier": "front"}
ACCOUNT = ("service-account-1", "its-secret")


@dataclass
class Pool:
    """What the recording lets one expect of a pool: one way of counting machines, and its maps."""

    labels: dict[str, str] = field(default_factory=dict)
    taints: list[Any] = field(default_factory=list)
    size: Any = None
    tags: dict[str, str] = field(default_factory=dict)
    place: tuple[str, ...] = ()


@dataclass
class Rosa:
    """The connection of the `rosa` that is played, and the OCM it talks to."""

    ocm: Ocm
    client: Client


@pytest.fixture(scope="module")
def rosa() -> Iterator[Rosa]:
    ocm = Ocm()
    ocm.accounts.add(*ACCOUNT)
    ocm.accounts.offline_tokens |= {"TOKEN", "opaque-offline-token"}
    with OcmServer(ocm) as server, Client(server.url, ACCOUNT) as client:
        client.log_in()
        yield Rosa(ocm, client)


@pytest.mark.parametrize("group", GROUPS)
def test_recorded_commands_leave_the_pools_they_should(rosa: Rosa, group: str) -> None:
    """Each command on clusters as they were when it was recorded; every exchange is checked against the document."""
    commands = [each for each in shared_data.load(RECORDING) if each["group"] == group]
    assert len(commands) == GROUPS[group]
    for command in commands:
        rosa.ocm.exchanges.clear()
        cluster = set_up(rosa.ocm, command)
        expected = {pool["id"]: seen(pool) for pool in cluster.pools()}
        for request in command["requests"]:
            play(rosa, command, request)
            expect(expected, request, cluster)
        told = f"{command['command']} ({command['notes']})"
        assert {pool["id"]: seen(pool) for pool in cluster.pools()} == expected, told
        ocm_document.check(rosa.ocm.exchanges)


def test_recording_is_whole() -> None:
    """Every command is in one of the groups, and 39 have nothing to send again."""
    commands = shared_data.load(RECORDING)
    assert {each["group"] for each in commands} == GROUPS.keys()
    assert (len(commands), sum(not each["requests"] for each in commands)) == (329, 39)


def play(rosa: Rosa, command: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Send one request as it was sent, and compare the status."""
    answered = request["answered"]
    if not comes_by_itself(command, request):
        rosa.ocm.faults.add(Fault(status=answered, times=1) if answered != "connection closed" else HANG_UP)
    told = f"{command['command']} ({command['notes']}): {request['method']} {request['path']} {request.get('query')}"
    try:
        answer = send(rosa.client, command, request)
    except ConnectionError:
        assert answered == "connection closed", told
    else:
        assert answer.status == answered, f"{told}: {answer.content!r}"
    assert list(rosa.ocm.faults) == [], told


HANG_UP = Fault(drop=True, times=1)


def comes_by_itself(command: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether the recorded status is OCM's own answer, and not a failure that the recording made."""
    if request["answered"] in {200, 201, 204}:
        return True
    made_to_fail = command["group"].startswith("fault") or (
        command["group"] == "token" and "401 invalid_client" not in command["notes"]
    )
    no_autoscaler = request["path"].endswith("/autoscaler") and request["answered"] == 404
    return no_autoscaler or not made_to_fail


def send(client: Client, command: Mapping[str, Any], request: Mapping[str, Any]) -> Any:
    if request["path"] == TOKEN_PATH:
        secret = "wrong" if command["command"].endswith("--client-secret wrong") else ACCOUNT[1]
        basic = (request["body"]["client_id"], secret) if request["headers"]["Authorization"] == "Basic" else None
        return client.ask_token(request["body"], basic)
    chunked = request.get("headers", {}).get("Transfer-Encoding") == "chunked"
    return client.ask(request["method"], request["path"], request.get("body"), request.get("query"), chunked=chunked)


# --- the clusters ---


def set_up(ocm: Ocm, command: Mapping[str, Any]) -> OcmCluster:
    """All clusters anew; returns the one that the command is about, which alone is called `CLUSTER_ID`."""
    notes, about = command["notes"], command["cluster_kind"].replace("any", "hcp")
    ocm.forget_clusters()
    clusters = {
        name: ocm.add_cluster(make(name, about)) for name in ("classic", "classic-managed", "classic-single", "hcp")
    }
    found = clusters[about]
    if notes.startswith("cluster state "):
        found.state = notes.removeprefix("cluster state ")
    if "autoscaler with max_nodes_total" in notes:
        found.autoscaler = {"resource_limits": {"max_nodes_total": 5}}
    if "two clusters carry the name" in notes:
        document = {**document_of("hcp"), "id": "another-hcp", "external_id": "another"}
        ocm.add_cluster(OcmCluster(document, Flavour.HCP, PoolsWithoutMachines(), SUBNETS))
    return found


def make(name: str, about: str) -> OcmCluster:
    document = document_of(name)
    if name == about:
        document |= {"id": "CLUSTER_ID", "external_id": "EXTERNAL_ID"}
    if name == "hcp":
        pools = (
            PoolSpec(name="workers", zones=ZONES[:1], replicas=2),
            PoolSpec(name="web", zones=ZONES[1:2], replicas=2, labels=LABELS),
            PoolSpec(name="scaled", zones=ZONES[:1], replicas=2),
        )
        limits = {"min_replica": 2, "max_replica": 4}
    else:
        zones = tuple(document["nodes"]["availability_zones"])
        pools = (
            PoolSpec(name="worker", zones=zones, replicas=3),
            PoolSpec(name="web", zones=zones, replicas=3, labels=LABELS),
            PoolSpec(name="scaled", zones=zones, replicas=3),
        )
        limits = {"min_replicas": 3, "max_replicas": 6}
    cluster = OcmCluster(
        document, Flavour.HCP if name == "hcp" else Flavour.CLASSIC, PoolsWithoutMachines(*pools), SUBNETS
    )
    cluster.change_pool("scaled", {"autoscaling": limits})
    return cluster


def document_of(name: str) -> dict[str, Any]:
    """BYO VPC over three zones, but for `classic-managed` (no subnets) and `classic-single` (one zone)."""
    zones = ZONES[:1] if name == "classic-single" else ZONES
    scenario = Scenario(
        name=name,
        flavour=Flavour.HCP if name == "hcp" else Flavour.CLASSIC,
        openshift_version="4.18.12",
        zones={zone: IPv4Network(f"10.10.{number}.0/24") for number, zone in enumerate(zones)},
    )
    subnets = () if name == "classic-managed" else tuple(SUBNETS)
    return cluster_document(scenario, "https://api.example.com:443", subnets, "AWS_ACCOUNT_ID")


# --- what is expected ---


def seen(pool: Mapping[str, Any]) -> Pool:
    """A pool of an answer, reduced to what is compared; the system's own tags left out."""
    holder = pool.get("aws_node_pool") or pool.get("aws") or {}
    system = ("api.openshift.com/", "red-hat-")
    return Pool(
        labels=dict(pool.get("labels", {})),
        taints=list(pool.get("taints", [])),
        size=size(pool),
        tags={key: value for key, value in holder.get("tags", {}).items() if not key.startswith(system)},
        place=(pool["subnet"],) if "subnet" in pool else tuple(pool["availability_zones"]),
    )


def size(body: Mapping[str, Any]) -> Any:
    if "autoscaling" in body:
        return tuple(sorted(value for key, value in body["autoscaling"].items() if key != "kind"))
    return body.get("replicas")


def expect(pools: dict[str, Pool], request: Mapping[str, Any], cluster: OcmCluster) -> None:
    """What a request that was answered well does to the pools, told a second time and more simply."""
    name = request["path"].rpartition("/")[2]
    if request["answered"] not in {200, 201, 204}:
        return
    body = request.get("body") or {}
    match request["method"]:
        case "DELETE":
            del pools[name]
        case "PATCH":
            pool = pools[name]
            pool.labels = body.get("labels", pool.labels)
            pool.taints = body.get("taints", pool.taints)
            pool.size = size(body) if {"replicas", "autoscaling"} & body.keys() else pool.size
        case "POST" if name in {"machine_pools", "node_pools"}:
            holder = body.get("aws_node_pool") or body["aws"]
            pools[body["id"]] = Pool(
                body["labels"], body["taints"], size(body), holder.get("tags", {}), place_of(body, cluster)
            )


def place_of(body: Mapping[str, Any], cluster: OcmCluster) -> tuple[str, ...]:
    """The subnet (HCP), or the zones that were named, or all of the cluster's."""
    if "subnet" in body:
        return (body["subnet"],)
    if "subnets" in body:
        return tuple(SUBNETS[subnet] for subnet in body["subnets"])
    return tuple(body.get("availability_zones") or cluster.document["nodes"]["availability_zones"])
