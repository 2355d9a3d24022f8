"""Line (c): what a visit asks of the platforms when nothing is to be done, for more and more policies.

Requests are counted where they arrive, at the sandbox's AWS and cluster API, and compared with what a person asks who
checks by hand what the ROSA guide has them set up: for every policy its object, and for every address of it the CPIC,
the network interface and the reservation.
"""

from __future__ import annotations

import logging
import os
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Self

from bench.results import Result, Row
from chalicelib.adapters.aws import Aws
from chalicelib.adapters.cluster import OBJECTS_PER_PAGE
from chalicelib.adapters.ec2 import Ec2Api
from chalicelib.connecting import Adapters
from chalicelib.domain.spec import ApiSpec, ClusterSpec, PolicySpec, SecretRef
from chalicelib.domain.spec import PoolSpec as WishedPool
from chalicelib.events import WorkOrder
from chalicelib.settings import Settings
from chalicelib.usecases.act import execute
from chalicelib.usecases.visit import Outside, look
from chalicelib.usecases.work import work
from sandbox.aws import AwsSandbox
from sandbox.controllers import Controllers
from sandbox.plumbing import create_resources
from sandbox.rosa import PoolSpec, Rosa, Scenario
from sandbox.timeline import SteppedTimeline

SIZES = (2, 20, 200)
QUICK_SIZES = (2, 20)
ADDRESSES_PER_NODE = 14
TEMPLATE = Path(__file__).resolve().parent.parent / ".chalice" / "infrastructure.yaml"
TOKEN = "KEEPER_BENCH_TOKEN"
ZONES = {
    "eu-central-1a": IPv4Network("10.10.0.0/22"),
    "eu-central-1b": IPv4Network("10.10.64.0/22"),
    "eu-central-1c": IPv4Network("10.10.128.0/22"),
}


def measure(*, quick: bool, sizes: Sequence[int] = ()) -> Result:
    """Count at every size (numbers of policies)."""
    began = time.perf_counter()
    sizes = sizes or (QUICK_SIZES if quick else SIZES)
    nodes_per_zone = -(-max(sizes) // ADDRESSES_PER_NODE) + 1
    ours: dict[int, Counter[str]] = {}
    by_hand: dict[int, Counter[str]] = {}
    for policies in sizes:
        with Bench(policies, nodes_per_zone) as bench:
            bench.settle()
            ours[policies] = bench.visit()
            by_hand[policies] = bench.check_by_hand()
    rows = [
        _row(policies, nodes_per_zone, (ours[policies].total(), by_hand[policies].total()), ours[sizes[0]].total())
        for policies in sizes
    ]
    notes = [
        f"ours, {sizes[-1]} policies: {_told(ours[sizes[-1]])}",
        f"other way, {sizes[-1]} policies: {_told(by_hand[sizes[-1]])}",
        "whoever lists each kind once, and joins the lists by hand, needs about as few as ours",
    ]
    details = {str(policies): dict(sorted(counted.items())) for policies, counted in ours.items()}
    return Result("visit", "a visit with nothing to do", rows, notes, time.perf_counter() - began, details)


def _row(policies: int, nodes_per_zone: int, totals: tuple[int, int], least: int) -> Row:
    """The number must not grow with the policies, but for a page more of CPICs to every further 500 addresses."""
    addresses, (mine, by_hand) = policies * len(ZONES), totals
    allowed = least + (addresses - 1) // OBJECTS_PER_PAGE
    case = f"{policies} policies × {len(ZONES)} addresses, {nodes_per_zone * len(ZONES)} nodes"
    return Row(case, "requests", mine, by_hand, f"≤ {allowed}", mine <= allowed)


def _told(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counted.items()))


class Bench:
    """One cluster with its controllers and account, and the product's queues, table and topic, on loopback."""

    def __init__(self, policies: int, nodes_per_zone: int) -> None:
        label = {"k8s.ovn.org/egress-assignable": ""}
        pools = tuple(
            PoolSpec(name=f"egress-{zone[-1]}", zones=(zone,), replicas=nodes_per_zone, labels=label) for zone in ZONES
        )
        self._scenario = Scenario(name="bench", zones=ZONES, pools=pools)
        self._policies = tuple(
            PolicySpec(f"policy-{number:03d}", f'{{"matchLabels":{{"team":"t{number}"}}}}', per_zone=1)
            for number in range(policies)
        )
        self._timeline = SteppedTimeline()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._aws = self._open.enter_context(AwsSandbox(self._timeline))
        self._rosa = self._open.enter_context(
            Rosa(self._scenario, self._aws, https=False, controllers=lambda rosa: [Controllers(rosa.kube, self._aws)])
        )
        variables = {**self._aws.environment(), TOKEN: next(iter(self._rosa.tokens))}
        self._open.enter_context(_environment(variables))
        made = create_resources(self._aws, TEMPLATE, {"FleetBucket": "bench"}).refs
        self._settings = Settings(
            events_queue_url=made["EventsQueue"],
            work_queue_url=made["WorkQueue"],
            table=made["FindingsTable"],
            topic_arn=made["AlertsTopic"],
        )
        self._desired = ClusterSpec(
            name="bench",
            region=self._aws.region,
            infra_id=self._scenario.infra_id,
            api=ApiSpec(self._rosa.api_url, SecretRef(env=TOKEN)),
            policies=self._policies,
            machine_pools=tuple(WishedPool(pool.name) for pool in self._scenario.pools),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def settle(self) -> None:
        """Have everything created and assigned, by the product and the platform's own controllers."""
        self._timeline.advance(3_600)
        cluster = Adapters(self._settings, os.environ).cluster(self._desired)
        ec2 = Ec2Api(Aws(self._aws.region), sleep=lambda _seconds: None)  # nobody meters reservations here
        outside = Outside(cluster, ec2, self._now)
        for _ in range(4):
            planned = look(self._desired, outside).planned
            if not planned.actions and not planned.moving:
                break
            execute(planned, cluster, ec2)
            self._timeline.advance(600)
        serving = sum(bool(verdict.serving_node) for verdict in planned.verdicts)
        if planned.actions or planned.moving or serving != len(self._policies) * len(ZONES):
            raise AssertionError(f"not at rest: {serving} addresses serve, still to do {planned.actions[:3]}")

    def visit(self) -> Counter[str]:
        """One visit in a fresh process's state, as the queue orders it: requests by kind."""
        adapters = Adapters(self._settings, os.environ)
        self._forget()
        worked = work(WorkOrder("bench.1", "bench", (), 0, "bench"), self._desired, adapters, self._now)
        if worked.outcome.look.planned.actions or worked.outcome.status != "done":
            raise AssertionError(f"the visit had something to do: {worked.outcome.look.planned.actions[:3]}")
        return self._arrived()

    def check_by_hand(self) -> Counter[str]:
        """What a person asks, policy by policy: requests by kind."""
        ec2 = self._aws.client("ec2")
        subnets = {IPv4Network(s["CidrBlock"]): s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]}
        listed = self._rosa.kube.list("egressips")
        self._forget()
        self._get("/api/v1/nodes")
        for egress_ip in listed:
            self._get(f"/apis/k8s.ovn.org/v1/egressips/{egress_ip['metadata']['name']}")
            for address in egress_ip["spec"]["egressIPs"]:
                self._get(f"/apis/cloud.network.openshift.io/v1/cloudprivateipconfigs/{address}")
                subnet = next(subnets[cidr] for cidr in ZONES.values() if IPv4Network(address).subnet_of(cidr))
                ec2.get_subnet_cidr_reservations(SubnetId=subnet)
                ec2.describe_network_interfaces(Filters=[{"Name": "addresses.private-ip-address", "Values": [address]}])
        return self._arrived()

    def _get(self, path: str) -> None:
        request = urllib.request.Request(self._rosa.api_url + path)
        request.add_header("Authorization", f"Bearer {next(iter(self._rosa.tokens))}")
        with urllib.request.urlopen(request) as answer:
            answer.read()

    def _forget(self) -> None:
        self._aws.calls.clear()
        self._rosa.simulated.requests.clear()

    def _arrived(self) -> Counter[str]:
        """Requests since `_forget`, by system and kind."""
        counted = Counter(f"{call.service} {call.operation}" for call in self._aws.calls)
        for record in self._rosa.simulated.requests:
            counted[f"cluster API {record.method} {_kind_of(record.path)}"] += 1
        return counted

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._timeline.now(), UTC)


def _kind_of(path: str) -> str:
    return next(kind for kind in ("nodes", "egressips", "cloudprivateipconfigs", "pods", "namespaces") if kind in path)


@contextmanager
def _environment(variables: dict[str, Any]) -> Iterator[None]:
    """Have these variables in the environment: it is where the AWS SDK looks."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
