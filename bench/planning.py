"""Line (b): planning alone, at growing sizes: how long, how much memory, and how both grow.

Two addresses a node, in policies of one address in each of three zones. *First creation*: nothing is there, everything
is chosen, reserved and applied. *Steady state*: everything serves, and the plan is empty.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Address

from bench.measuring import growth_exponent
from bench.objects import ZONES, host_of, node_name, zone_of
from bench.results import Result, Row
from chalicelib.domain.actions import ApplyEgressIp, ReserveCidr
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import (
    Cpic,
    EgressIp,
    EgressIpConfig,
    Instance,
    Interface,
    Node,
    Reservation,
    Snapshot,
    Subnet,
)
from chalicelib.domain.spec import ApiSpec, ClusterSpec, PolicySpec, SecretRef

SIZES = (100, 1_000, 5_000)
QUICK_SIZES = (100, 200, 400)
ADDRESSES_PER_NODE = 2
AIM_SECONDS, AIM_EXPONENT = 1.0, 1.25
"""At 5,000 nodes. An n·log n of these sizes has an exponent of about 1.15."""
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MADE = NOW - timedelta(days=30)


def measure(*, quick: bool, sizes: Sequence[int] = ()) -> Result:
    """Time both situations at every size (numbers of nodes), and fit how the time grows."""
    began = time.perf_counter()
    sizes = sizes or (QUICK_SIZES if quick else SIZES)
    rows: list[Row] = []
    seconds: dict[str, list[float]] = {}
    for nodes in sizes:
        for situation, run in situations(nodes).items():
            taken, peak = _time(run, 3 if quick else 5)
            seconds.setdefault(situation, []).append(taken)
            case = f"{situation}, {nodes:,} nodes × {_policies(nodes) * len(ZONES):,} addresses"
            met = taken <= AIM_SECONDS if nodes == SIZES[-1] else None
            rows.append(Row(case, "CPU time, s", taken, aim=f"≤ {AIM_SECONDS:g} s", met=met))
            rows.append(Row(case, "memory while planning, MB", peak))
    for situation, taken_by_size in seconds.items():
        exponent = growth_exponent(sizes, taken_by_size)
        met = exponent <= AIM_EXPONENT if sizes == SIZES else None
        rows.append(Row(situation, "b in time ≈ a·n^b", exponent, aim=f"≤ {AIM_EXPONENT}", met=met))
    notes = [
        "planning waits for nothing: its CPU time is its wall time on a machine that is not busy otherwise",
        "memory is what planning allocates at its peak (tracemalloc), the snapshot itself not counted",
    ]
    return Result("planning", "one plan, in memory", rows, notes, time.perf_counter() - began)


def situations(nodes: int) -> Mapping[str, Callable[[], Plan]]:
    """Planning of both situations, ready to be timed; what is timed is first seen to be what it is called."""
    desired, empty = wish(nodes), snapshot(nodes)
    created = plan(empty, desired)
    settled = settle(empty, created)
    _check(created, plan(settled, desired), len(desired.policies))
    return {"first creation": partial(plan, empty, desired), "steady state": partial(plan, settled, desired)}


def _policies(nodes: int) -> int:
    return nodes * ADDRESSES_PER_NODE // len(ZONES)


def wish(nodes: int) -> ClusterSpec:
    """A fleet's cluster: as many policies as two addresses a node make, one address a zone each."""
    policies = tuple(
        PolicySpec(f"policy-{number:05d}", f'{{"matchLabels":{{"team":"t{number}"}}}}', per_zone=1)
        for number in range(_policies(nodes))
    )
    api = ApiSpec("https://api.bench.example:443", SecretRef(env="TOKEN"))
    return ClusterSpec("bench", "eu-central-1", "bench-x7k2p", api, policies)


def snapshot(nodes: int) -> Snapshot:
    """A healthy cluster with nothing of ours in it."""
    numbers = range(nodes)
    return Snapshot(
        taken_at=NOW,
        nodes=tuple(sorted(map(_node, numbers), key=lambda node: node.name)),
        egress_ips=(),
        cpics=(),
        instances=tuple(map(_instance, numbers)),
        subnets=tuple(_subnet(zone) for zone in ZONES),
        interfaces=tuple(map(_interface, numbers)),
        reservations=(),
        limits={"m5.xlarge": 15},
    )


def settle(before: Snapshot, created: Plan) -> Snapshot:
    """What the cluster looks like once *created* took: each address on a node of its zone, in turn."""
    numbers = range(len(before.interfaces)) if isinstance(before.interfaces, tuple) else range(0)
    nodes_by_zone = {zone: [number for number in numbers if zone_of(number) == zone] for zone in ZONES}
    carried: dict[int, list[IPv4Address]] = {number: [] for number in numbers}
    node_by_address: dict[str, int] = {}
    for allocation in created.allocations:
        here = nodes_by_zone[allocation.zone]
        number = here[len(node_by_address) // len(ZONES) % len(here)]
        node_by_address[str(allocation.address)] = number
        carried[number].append(allocation.address)
    owner = {str(allocation.address): allocation.policy for allocation in created.allocations}
    return Snapshot(
        taken_at=NOW,
        nodes=before.nodes,
        egress_ips=tuple(
            _egress_ip(action, node_by_address) for action in created.actions if isinstance(action, ApplyEgressIp)
        ),
        cpics=tuple(_cpic(address, node_name(number), owner[address]) for address, number in node_by_address.items()),
        instances=before.instances,
        subnets=before.subnets,
        interfaces=tuple(_interface(number, *carried[number]) for number in numbers),
        reservations=tuple(
            Reservation(f"scr-{action.cidr}", action.subnet_id, action.cidr, "explicit", "", action.tags)
            for action in created.actions
            if isinstance(action, ReserveCidr)
        ),
        limits=before.limits,
    )


def _check(created: Plan, steady: Plan, policies: int) -> None:
    applied = sum(isinstance(action, ApplyEgressIp) for action in created.actions)
    if applied != policies or steady.actions or steady.moving or len(steady.verdicts) != policies * len(ZONES):
        raise AssertionError(f"{applied} of {policies} policies created; steady plan: {steady.actions[:3]}")


def _time(run: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """Median CPU seconds, and megabytes allocated at the peak (in a run of its own: counting slows it down)."""
    seconds = []
    gc.collect()
    for _ in range(repetitions):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return statistics.median(seconds), peak / 1e6


def _subnet(zone: str) -> Subnet:
    return Subnet(f"subnet-{zone[-1]}", "vpc-1", zone, ZONES[zone], available=ZONES[zone].num_addresses // 2)


def _node(number: int) -> Node:
    return Node(
        name=node_name(number),
        created_at=MADE,
        ready=True,
        assignable="",
        zone=zone_of(number),
        instance_id=f"i-{number:017x}",
        instance_type="m5.xlarge",
        egress_config=EgressIpConfig(f"eni-{number:017x}", ZONES[zone_of(number)], 14, 15),
        host_addresses=(host_of(number),),
        networked=True,
        pool=f"payments-egress-{zone_of(number)[-1]}",
    )


def _instance(number: int) -> Instance:
    zone = zone_of(number)
    return Instance(
        id=f"i-{number:017x}",
        state="running",
        type="m5.xlarge",
        zone=zone,
        subnet_id=f"subnet-{zone[-1]}",
        vpc_id="vpc-1",
        launched_at=MADE,
        pool=f"egress-{zone[-1]}",
        interface_id=f"eni-{number:017x}",
    )


def _interface(number: int, *secondary: IPv4Address) -> Interface:
    return Interface(
        f"eni-{number:017x}",
        f"subnet-{zone_of(number)[-1]}",
        f"i-{number:017x}",
        (host_of(number), *secondary),
        holder=f"instance i-{number:017x}",
    )


def _cpic(address: str, on: str, owner: str) -> Cpic:
    return Cpic(address, on, on, "True", "CloudResponseSuccess", "IP address successfully added", owner)


def _egress_ip(action: ApplyEgressIp, node_by_address: dict[str, int]) -> EgressIp:
    labels = {f".metadata.labels.{key}" for key in action.labels}
    return EgressIp(
        name=action.name,
        uid=f"uid-{action.name}",
        labels=action.labels,
        spec=action.after,
        items=tuple((address, node_name(node_by_address[address])) for address in action.after.addresses),
        owned_fields=frozenset({".spec.egressIPs", ".spec.namespaceSelector.matchLabels.team", *labels}),
    )
