"""One ROSA cluster of the sandbox: pools scale, machines come and go on EC2, nodes follow, events are said on the way.

Everything that takes time happens on the sandbox's timeline, so the same cluster lives in real time or step by step.
Who writes to the cluster API, writes under its own field manager, as in a real cluster.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from sandbox.aws import AwsSandbox
from sandbox.kube import Kube, KubeCluster, KubeServer, RemoteCluster, kubeconfig, make_certificates
from sandbox.rosa import nodes
from sandbox.rosa.life import NodeLife
from sandbox.rosa.machines import Machine, Machines
from sandbox.rosa.metadata_operator import MetadataOperator
from sandbox.rosa.naming import EGRESS_LABEL, machine_name
from sandbox.rosa.scenario import Flavour, PoolSpec, Scenario
from sandbox.rosa.timing import IMMEDIATE, RosaTiming


class Controller(Protocol):
    """A controller that acts on the cluster while it runs:
    OVN-Kubernetes' cluster manager, the cloud network controller.
    """

    def start(self) -> None:
        """Begin to watch and act."""
        ...

    def stop(self) -> None:
        """Stop, leaving everything as it is."""
        ...


@dataclass(frozen=True)
class PoolState:
    """A machine pool as it is wanted now: *replicas* machines with these labels; *machine_count* is what there is."""

    spec: PoolSpec
    labels: Mapping[str, str]
    replicas: int
    machine_count: int


@dataclass
class _Pool:
    spec: PoolSpec
    labels: dict[str, str]
    replicas: int
    machines: list[Machine] = field(default_factory=list)
    labels_due: bool = False
    """Classic: a pass of the metadata operator is planned."""


class Rosa:
    """A cluster as a context manager. `kube` is its API in process, `api_url` the same over HTTP, `aws` its account.

    Changes (`scale_pool`, `lose_zone` …) return at once; what follows from them happens on the timeline. The cluster of
    the scenario is there, ready, when the context is entered, whatever *timing* says.
    """

    def __init__(
        self,
        scenario: Scenario,
        aws: AwsSandbox,
        *,
        timing: RosaTiming | None = None,
        controllers: Callable[[Rosa], Sequence[Controller]] = lambda _rosa: (),
        tokens: Mapping[str, str] | None = None,
        port: int = 0,
        https: bool = True,
        remote: RemoteCluster | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            scenario: What there is at the beginning.
            aws: A running AWS; several clusters may share it.
            timing: How long nodes take to join and leave, once the cluster stands.
            controllers: Makes the controllers of this cluster, started last and stopped first.
            tokens: Bearer token → user name; without it one token, `sandbox`, is a cluster administrator.
            port: TCP port of the cluster API; 0 for a free one.
            https: Serve with a certificate of an authority of the cluster's own, `ca_pem`. kubectl sends no token
                over plain HTTP.
            remote: A real API server to live on instead of the simulator; *tokens* must be some that it knows. What is
                on it stays there at the end.
        """
        self.scenario = scenario
        self.aws = aws
        self.timing = timing or RosaTiming()
        self.tokens = dict(tokens or {"sandbox": "system:admin"})
        self.kube: Kube = remote or KubeCluster(tokens=self.tokens, clock=aws.timeline.now)
        self.kube.clock = aws.timeline.now
        self._remote_url = "" if remote is None else remote.url
        self._make_controllers = controllers
        self._controllers: Sequence[Controller] = ()
        self._port = port
        self._https = https
        self.ca_pem = None if remote is None else remote.ca_pem
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._standing = False
        self._pools = {spec.name: _Pool(spec, dict(spec.labels), spec.replicas) for spec in scenario.all_pools}

    def __enter__(self) -> Self:
        """Make network and machines, let every node become ready, serve the API, start the controllers."""
        self.machines = Machines(self.aws, self.scenario)
        self._life = NodeLife(self.kube, self.machines, self.aws, self.scenario)
        self._metadata_operator = MetadataOperator(self.kube)
        self._server = None if self._remote_url else self._serve(self.simulated)
        self._stand_up()
        self._controllers = self._make_controllers(self)
        for controller in self._controllers:
            controller.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop the controllers and the API. What is on EC2 stays there."""
        for controller in reversed(self._controllers):
            controller.stop()
        if self._server is not None:
            self._server.close()

    # --- reading ---

    @property
    def simulated(self) -> KubeCluster:
        """The cluster API in process, with its faults, tokens and request log. TypeError on a real API server."""
        if not isinstance(self.kube, KubeCluster):
            raise TypeError("this cluster lives on a real API server")
        return self.kube

    @property
    def server(self) -> KubeServer:
        """What serves `api_url`. TypeError on a real API server."""
        if self._server is None:
            raise TypeError("this cluster lives on a real API server")
        return self._server

    @property
    def api_url(self) -> str:
        """Where the cluster API answers."""
        return self._server.url if self._server is not None else self._remote_url

    def kubeconfig(self, token: str | None = None) -> str:
        """A kubeconfig (YAML) for `kubectl` and `oc`, with *token* or the first one."""
        return kubeconfig(self.api_url, token or next(iter(self.tokens)), self.ca_pem)

    def pool_names(self) -> tuple[str, ...]:
        """The names of the pools, oldest first."""
        with self._lock:
            return tuple(self._pools)

    def pool_state(self, pool: str) -> PoolState:
        """What is wanted of a pool. Raises KeyError for an unknown pool."""
        with self._lock:
            found = self._pools[pool]
            return PoolState(found.spec, dict(found.labels), found.replicas, len(found.machines))

    def pool_machines(self, pool: str) -> tuple[Machine, ...]:
        """The machines of a pool, oldest first. Raises KeyError for an unknown pool."""
        with self._lock:
            return tuple(self._pools[pool].machines)

    def node_name(self, machine: Machine) -> str:
        """The name of the machine's node, whether it exists yet or not."""
        return nodes.private_dns_name(machine.address, self.scenario.region)

    # --- pools ---

    def scale_pool(self, pool: str, replicas: int, *, timing: RosaTiming | None = None) -> None:
        """Set the number of machines of a pool; new ones come, the newest leave, at the pace of *timing*.

        Raises KeyError for an unknown pool, ValueError for a negative
        number and botocore's ClientError when EC2 refuses a launch.
        """
        if replicas < 0:
            raise ValueError("a pool cannot have fewer than 0 replicas")
        pace = timing or self.timing
        with self._lock:
            target = self._pools[pool]
            target.replicas = replicas
            wanted = _spread(replicas, target.spec.zones)
            leaving: list[Machine] = []
            joining: list[str] = []
            for zone, count in wanted.items():
                present = [machine for machine in target.machines if machine.zone == zone]
                leaving.extend(present[count:])
                joining.extend([zone] * (count - len(present)))
            target.machines = [machine for machine in target.machines if machine not in leaving]
        for machine in leaving:
            self._life.leave(machine, pace)
        for zone in joining:
            self._launch(target, zone, pace)

    def retire_oldest(self, pool: str, *, timing: RosaTiming | None = None) -> None:
        """The oldest machine of a pool leaves, and the pool has one less: half of a replacement.

        Raises KeyError for an unknown pool, IndexError for an empty one.
        """
        with self._lock:
            target = self._pools[pool]
            leaving = target.machines.pop(0)
            target.replicas -= 1
        self._life.leave(leaving, timing or self.timing)

    def add_pool(self, spec: PoolSpec, *, timing: RosaTiming | None = None) -> None:
        """A new machine pool with its machines. Raises ValueError when the name is taken or a zone unknown."""
        if spec.name in self._pools:
            raise ValueError(f"there is a pool {spec.name} already")
        if unknown := sorted(set(spec.zones) - set(self.scenario.zones)):
            raise ValueError(f"{spec.name}: unknown zone {', '.join(unknown)}")
        self._pools[spec.name] = _Pool(spec, dict(spec.labels), spec.replicas)
        self.scale_pool(spec.name, spec.replicas, timing=timing)

    def remove_pool(self, pool: str, *, timing: RosaTiming | None = None) -> None:
        """Delete a pool; its machines leave. Raises KeyError for an unknown pool."""
        self.scale_pool(pool, 0, timing=timing)
        with self._lock:
            del self._pools[pool]

    def set_pool_labels(self, pool: str, labels: Mapping[str, str]) -> None:
        """What an OCM PATCH of the pool's labels comes to: the whole map is replaced.

        On classic the nodes that exist follow in a while, as `MetadataOperator` says; on HCP only nodes that join later
        get the labels, ever.
        """
        with self._lock:
            target = self._pools[pool]
            target.labels = dict(labels)
        if self.scenario.flavour is Flavour.CLASSIC:
            self._follow_pool_later(target)

    # --- accidents ---

    def lose_zone(self, zone: str) -> None:
        """The zone fails: its instances still count as running, its nodes fall silent. Raises KeyError if unknown."""
        for machine in self._machines_in(zone):
            self._life.set_ready(self.node_name(machine), "Unknown")

    def restore_zone(self, zone: str) -> None:
        """The zone is back and its nodes with it."""
        for machine in self._machines_in(zone):
            self._life.set_ready(self.node_name(machine), "True")

    def node_ready(self, name: str, ready: bool) -> None:
        """Make a node ready or not, with the taint that the node lifecycle controller puts on it for that."""
        self._life.set_ready(name, "True" if ready else "False")

    def take_label(self, name: str, key: str = EGRESS_LABEL) -> None:
        """Somebody takes a label off a node by hand."""
        self.kube.patch("nodes", name, {"metadata": {"labels": {key: None}}}, manager="kubectl-label")

    def put_label(self, name: str, key: str = EGRESS_LABEL, value: str = "") -> None:
        """Somebody labels a node by hand."""
        self.kube.patch("nodes", name, {"metadata": {"labels": {key: value}}}, manager="kubectl-label")

    # --- inside ---

    def _stand_up(self) -> None:
        """Launch the scenario's machines without any waiting, EC2's included: a cluster begins with ready nodes."""
        ec2_takes, self.aws.timing.running_after_seconds = self.aws.timing.running_after_seconds, 0.0
        try:
            for pool in self._pools.values():
                for zone, count in _spread(pool.spec.replicas, pool.spec.zones).items():
                    for _ in range(count):
                        self._launch(pool, zone, IMMEDIATE)
        finally:
            self.aws.timing.running_after_seconds = ec2_takes
        self._standing = True

    def _serve(self, kube: KubeCluster) -> KubeServer:
        if not self._https:
            return KubeServer(kube, self._port)
        with tempfile.TemporaryDirectory(prefix="sandbox-tls-") as directory:
            # The files are read when the server starts and needed no longer.
            files, self.ca_pem = make_certificates(Path(directory))
            return KubeServer(kube, self._port, files)

    def _launch(self, pool: _Pool, zone: str, timing: RosaTiming) -> None:
        """One more machine for *pool*, whose node joins at the pace of *timing*."""
        name = machine_name(self.scenario, pool.spec, zone, next(self._numbers))
        machine = self.machines.launch(pool.spec, zone, name)
        with self._lock:
            pool.machines.append(machine)
        if self.scenario.flavour is Flavour.HCP:
            self._life.join(machine, timing, lambda: pool.labels)
            return
        operator = self._metadata_operator
        operator.make(machine, pool.labels)
        self._life.join(
            machine, timing, lambda: operator.labels_of(machine), then=lambda: self._follow_pool_later(pool)
        )

    def _follow_pool_later(self, pool: _Pool) -> None:
        """A MachineSet of *pool* has changed, or its count of ready machines: plan the operator's pass, once."""
        with self._lock:
            if pool.labels_due or not self._standing:
                return
            pool.labels_due = True
        if self.timing.relabelled_seconds > 0:
            self.aws.timeline.call_later(self.timing.relabelled_seconds, lambda: self._follow_pool(pool))
        else:
            self._follow_pool(pool)

    def _follow_pool(self, pool: _Pool) -> None:
        """One pass over the pool's MachineSets; there is one a zone."""
        with self._lock:
            pool.labels_due = False
            labels = dict(pool.labels)
            machines = [(machine, self.node_name(machine)) for machine in pool.machines]
        for zone in pool.spec.zones:
            self._metadata_operator.follow(labels, [each for each in machines if each[0].zone == zone])

    def _machines_in(self, zone: str) -> list[Machine]:
        if zone not in self.scenario.zones:
            raise KeyError(zone)
        with self._lock:
            return [machine for pool in self._pools.values() for machine in pool.machines if machine.zone == zone]


def _spread(replicas: int, zones: Sequence[str]) -> dict[str, int]:
    """How many of *replicas* are in each zone: evenly, the first zones getting what is left over."""
    each, rest = divmod(replicas, len(zones))
    return {zone: each + (index < rest) for index, zone in enumerate(zones)}
