"""How far the nodes of machine pools are on their way to carrying egress addresses, and what each of them lacks.

A machine is launched, registers as a node, becomes Ready, has the label, and can then carry addresses. Pure: one
snapshot in, the state of each pool out. Waiting for it is `usecases.waiting`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from chalicelib.domain.capacity import CapacityReport, NodeCapacity, report_capacity
from chalicelib.domain.pools import OcmView
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, Instance, Known, Node, Snapshot, Subnet, Unknown
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.wished_pools import WishedPool, wished_pools


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """One machine of a pool.

    Attributes:
        node: Name of its node; None before it has registered.
        able: OVN-Kubernetes would place an egress address on it.
        missing: What it lacks, in words; empty where it is able.
    """

    instance: str
    node: str | None
    zone: str
    ready: bool
    labelled: bool
    able: bool
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolProgress:
    """One pool.

    Attributes:
        wanted: Nodes that it is to have at least; None where OCM does not say.
        labelled: Whether it has the label in OCM; None where that is not known.
        missing: What the pool itself lacks, in words.
    """

    pool: str
    wanted: int | None
    labelled: bool | None
    nodes: tuple[NodeProgress, ...]
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Every machine that it has, and it is to have, can carry addresses."""
        return not self.missing and all(node.able for node in self.nodes)

    @property
    def summary(self) -> str:
        """One line for people."""
        wanted = "" if self.wanted is None else f" of {self.wanted}"
        numbers = (
            f"{len(self.nodes)}{wanted} seen",
            f"{sum(1 for node in self.nodes if node.node)} registered",
            f"{sum(1 for node in self.nodes if node.ready)} ready",
            f"{sum(1 for node in self.nodes if node.labelled)} labelled",
            f"{sum(1 for node in self.nodes if node.able)} able to carry",
        )
        return f"{self.pool}: {', '.join(numbers)}"

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is missing, pool first, then one line a node."""
        nodes = (f"{node.node or node.instance}: {'; '.join(node.missing)}" for node in self.nodes if not node.able)
        return (*(f"machine pool {self.pool}: {what}" for what in self.missing), *nodes)


def named_pools(observed: Snapshot, desired: ClusterSpec, names: Collection[str]) -> tuple[str, ...]:
    """The pools meant by *names*: entries of the fleet file (all of them if none is named), or pools of the cluster.

    Raises:
        KeyError: A name is neither, as far as everything could be read; its argument says what is allowed.
    """
    wished = _wished(observed, desired)
    if not names:
        return tuple(wish.name for wish in wished)
    there = {wish.name for wish in wished} | _known_names(observed)
    blind = any(isinstance(section, Unknown) for section in (observed.nodes, observed.instances, observed.ocm))
    found: list[str] = []
    for name in names:
        of_entry = [wish.name for wish in wished if wish.entry == name]
        if not of_entry and name not in there and not blind:
            allowed = ", ".join(sorted(there | {wish.entry for wish in wished})) or "none"
            raise KeyError(f"{name!r} is no machine pool of {desired.name}; it has {allowed}")
        found += of_entry or [name]
    return tuple(dict.fromkeys(found))


def pool_progress(observed: Snapshot, names: Iterable[str]) -> Known[tuple[PoolProgress, ...]]:
    """The state of each pool; Unknown where nodes or instances could not be read."""
    nodes, instances, capacity = observed.nodes, observed.instances, report_capacity(observed)
    for section in (nodes, instances, capacity):
        if isinstance(section, Unknown):
            return section
    assert not isinstance(nodes, Unknown)  # noqa: S101 - said by the loop above
    assert not isinstance(instances, Unknown)  # noqa: S101
    assert isinstance(capacity, CapacityReport)  # noqa: S101
    node_by_instance: dict[str | None, Node] = {node.instance_id: node for node in nodes if node.instance_id}
    row_by_node = {row.node: row for row in capacity.nodes}
    return tuple(
        _pool(name, observed, [i for i in instances if i.pool == name], node_by_instance, row_by_node) for name in names
    )


def _pool(
    name: str,
    observed: Snapshot,
    instances: list[Instance],
    node_by_instance: Mapping[str | None, Node],
    row_by_node: Mapping[str, NodeCapacity],
) -> PoolProgress:
    view = observed.ocm
    there = view.pool(name) if isinstance(view, OcmView) else None
    living = [instance for instance in instances if instance.state in ("pending", "running")]
    nodes = tuple(
        _node(instance, node_by_instance.get(instance.id), row_by_node)
        for instance in sorted(living, key=lambda instance: (instance.zone, instance.id))
    )
    wanted = there.scaling.least if there is not None else None
    labelled = ASSIGNABLE_LABEL in there.labels if there is not None else None
    missing = []
    if isinstance(view, OcmView) and there is None:
        missing.append("OCM has no such machine pool yet")
    if labelled is False:
        missing.append("it lacks the label in OCM")
    if wanted is not None and len(nodes) < wanted:
        missing.append(f"{len(nodes)} of {wanted} machines are there")
    elif not nodes:
        missing.append("it has no machine yet")
    return PoolProgress(name, wanted, labelled, nodes, tuple(missing))


def _node(instance: Instance, node: Node | None, row_by_node: Mapping[str, NodeCapacity]) -> NodeProgress:
    if node is None:
        missing = (f"instance is {instance.state} and has not registered as a node",)
        return NodeProgress(instance.id, None, instance.zone, ready=False, labelled=False, able=False, missing=missing)
    row = row_by_node[node.name]
    return NodeProgress(
        instance.id,
        node.name,
        instance.zone,
        ready=node.ready,
        labelled=node.assignable is not None,
        able=row.eligible,
        missing=row.reasons,
    )


def _wished(observed: Snapshot, desired: ClusterSpec) -> list[WishedPool]:
    subnets: tuple[Subnet, ...] = () if isinstance(observed.subnets, Unknown) else observed.subnets
    if isinstance(observed.ocm, OcmView):
        hosted = observed.ocm.cluster.hosted
    else:
        hosted = not isinstance(observed.nodes, Unknown) and any(node.pool for node in observed.nodes)
    return wished_pools(desired.machine_pools, {subnet.id: subnet for subnet in subnets}, hosted=hosted)


def _known_names(observed: Snapshot) -> set[str]:
    names: set[str] = set()
    if not isinstance(observed.instances, Unknown):
        names |= {instance.pool for instance in observed.instances if instance.pool}
    if isinstance(observed.ocm, OcmView):
        names |= {pool.name for pool in observed.ocm.pools}
    return names
