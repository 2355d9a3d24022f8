"""Line (c): what a visit asks of the platforms when nothing is to be done, for more and more policies.

Every request is counted where it leaves (`CallCounter`) and compared with what a person asks who checks by hand what
the ROSA guide has them set up: one question at a time, for every address of every policy.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from bench.results import Result, Row
from chalicelib.domain.spec import ApiSpec, ClusterSpec, PolicySpec, PoolSpec, SecretRef
from chalicelib.events import WorkOrder
from chalicelib.settings import Settings
from chalicelib.usecases.act import execute
from chalicelib.usecases.visit import Outside, look
from chalicelib.usecases.work import work
from chalicelib.wiring import Adapters
from sandbox.aws import AwsSandbox
from sandbox.controllers import Controllers
from sandbox.plumbing import create_resources
from sandbox.rosa import PoolSpec as Pool
from sandbox.rosa import Rosa, Scenario
from sandbox.timeline import SteppedTimeline

SIZES = (2, 20, 200)
QUICK_SIZES = (2, 20)
ADDRESSES_PER_NODE = 14
TEMPLATE = Path(__file__).resolve().parent.parent / ".chalice" / "infrastructure.yaml"
ZONES = {f"eu-central-1{letter}": IPv4Network(f"10.10.{third}.0/22") for letter, third in (("a", 0), ("b", 64), ("c", 128))}
TOKEN = "KEEPER_BENCH_TOKEN"


def measure(*, quick: bool) -> Result:
    """Count at every size; the number must not grow with the policies."""
    began = time.perf_counter()
    sizes = QUICK_SIZES if quick else SIZES
    counted: dict[int, Counter[tuple[str, str]]] = {}
    by_hand: dict[int, Counter[str]] = {}
    seconds: dict[int, float] = {}
    for policies in sizes:
        with Bench(policies, nodes_per_zone=-(-max(sizes) // ADDRESSES_PER_NODE) + 1) as bench:
            bench.settle()
            seconds[policies], counted[policies] = bench.visit()
            by_hand[policies] = bench.check_by_hand()
    first = counted[sizes[0]].total()
    rows = [
        Row(
            f"{policies} policies, {policies * len(ZONES)} addresses",
            "requests",
            counted[policies].total(),
            by_hand[policies].total(),
            f"= {first}",
            counted[policies].total() == first,
        )
        for policies in sizes
    ]
    rows += [Row(f"{policies} policies", "wall time of the visit, s", seconds[policies]) for policies in sizes]
    notes = [
        "ours: " + ", ".join(f"{system} {name} {n}" for (system, name), n in sorted(counted[sizes[-1]].items())),
        "other way: " + ", ".join(f"{name} {n}" for name, n in sorted(by_hand[sizes[-1]].items())),
    ]
    details = {str(n): {f"{system} {name}": count for (system, name), count in c.items()} for n, c in counted.items()}
    return Result("visit", "a visit with nothing to do", rows, notes, time.perf_counter() - began, details)


@dataclass
class Bench:
    """One cluster with its account and the product's queues, table and topic, on loopback."""

    policies: int
    nodes_per_zone: int

    def __enter__(self) -> Bench:
        self._timeline = SteppedTimeline()
        self._aws = AwsSandbox(self._timeline).__enter__()
        pools = tuple(
            Pool(
                name=f"egress-{zone[-1]}",
                zones=(zone,),
                replicas=self.nodes_per_zone,
                labels={"k8s.ovn.org/egress-assignable": ""},
            )
            for zone in ZONES
        )
        self._scenario = Scenario(name="bench", zones=ZONES, pools=pools)
        self._rosa = Rosa(
            self._scenario, self._aws, https=False, controllers=lambda rosa: [Controllers(rosa.kube, self._aws)]
        ).__enter__()
        self._made = create_resources(self._aws, TEMPLATE, {"FleetBucket": "bench"}).refs
        self._desired = self._wish()
        return self

    def __exit__(self, *_: object) -> None:
        self._rosa.__exit__(None, None, None)
        self._aws.__exit__(None, None, None)


if __name__ == "__main__":
    pass
