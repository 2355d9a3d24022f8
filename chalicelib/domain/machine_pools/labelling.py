"""Labels of nodes that exist: set on HCP, waited for on classic, and whose nodes nobody of us labels.

HCP gives a pool's labels to a node once, when it is born, and never again: there we set them. On classic an operator
copies them from the pool, and a label set by hand makes it take the label from sibling nodes: there it is waited for,
and said when it is late. Labels of pools are `pooling`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.domain.actions import LabelNode
from chalicelib.domain.findings import Finding, Kind, Severity, some_of
from chalicelib.domain.pools import OcmView
from chalicelib.domain.remembered import Remembered
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, Node
from chalicelib.domain.terrain import JOINING_TIME, Terrain

PROPAGATION_TIME = timedelta(minutes=10)
"""How long a label may take from the pool to its nodes on classic. Unmeasured: watch-driven, a few minutes at most."""


@dataclass
class Labelling:
    """What there is to do and to say about nodes' labels."""

    label: list[LabelNode] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    moving: list[str] = field(default_factory=list)


def plan_node_labels(terrain: Terrain, memory: Remembered) -> Labelling:
    """Nodes of the fleet file's pools that lack the label, and nodes that no pool of OCM will ever label."""
    out = Labelling()
    for node in sorted(terrain.observed.nodes, key=lambda node: node.name):
        pool = pool_of(node, terrain)
        if pool not in terrain.pool_names or node.assignable is not None or node.deleting or node.uninitialized:
            continue
        if node.pool is not None:
            _set(terrain, node, pool, out)
        else:
            _wait(terrain, memory, node, pool, out)
    out.findings += _outsiders(terrain)
    return out


def pool_of(node: Node, terrain: Terrain) -> str | None:
    """The machine pool of a node, as EC2 knows it; None for nodes of no pool."""
    instance = terrain.instance_by_id.get(node.instance_id or "")
    return instance.pool if instance else None


def _set(terrain: Terrain, node: Node, pool: str | None, out: Labelling) -> None:
    action = LabelNode(node.name, (), f"machine pool {pool} is to carry egress addresses")
    out.label.append(action)
    grown_up = node.created_at <= terrain.observed.taken_at - JOINING_TIME
    out.findings.append(_missing(node, pool, repaired_by=action.summary, certain=grown_up))


def _wait(terrain: Terrain, memory: Remembered, node: Node, pool: str | None, out: Labelling) -> None:
    """Classic: the pool's label is on its way to the node, or late; without OCM nobody knows if the pool has it."""
    grown_up = node.created_at <= terrain.observed.taken_at - JOINING_TIME
    view = terrain.observed.ocm
    there = view.pool(pool or "") if isinstance(view, OcmView) else None
    if there is None:
        todo = (
            "Never label the node by hand: the platform copies labels from the machine pool. See that the pool has it,"
            " and give it to the pool beside those that it has:\nrosa describe machinepool"
            f" --cluster {terrain.desired.name} --machinepool {pool}"
        )
        out.findings.append(_missing(node, pool, todo=todo, certain=grown_up))
        return
    if ASSIGNABLE_LABEL not in there.labels:
        return  # the pool's own finding says so, and the node's time to wait begins when the pool has it
    late = _missing(
        node,
        pool,
        todo="See that the managed-node-metadata-operator runs in the cluster; never label the node by hand: that makes"
        " it take the label from the pool's other nodes.",
        certain=True,
        late=True,
    )
    waited = memory.open_for(late.fingerprint(terrain.desired.name), terrain.observed.taken_at)
    if waited is None or waited < PROPAGATION_TIME:
        out.findings.append(_missing(node, pool, on_its_way=True))
        out.moving.append(f"node {node.name} waits for the label of its machine pool {pool}")
    else:
        out.findings.append(late)


def _missing(
    node: Node,
    pool: str | None,
    *,
    repaired_by: str = "",
    todo: str = "",
    certain: bool = False,
    late: bool = False,
    on_its_way: bool = False,
) -> Finding:
    summary = f"Node {node.name} of machine pool {pool} lacks the label {ASSIGNABLE_LABEL}"
    if late:
        summary += f", which the pool has had for {PROPAGATION_TIME.total_seconds() / 60:.0f} minutes and more"
    elif on_its_way:
        summary += "; the platform copies it from the pool"
    return Finding(
        Kind.NODE_LABEL_MISSING,
        f"node {node.name}",
        Severity.INFO if on_its_way else Severity.WARNING,
        f"{summary}.",
        impact="OVN-Kubernetes moves every egress address off it, and gives it none.",
        todo=todo,
        repaired_by=repaired_by,
        remedy="waits for the platform to copy it from the pool" if on_its_way else "",
        cause=f"labels of machine pool {pool}",
        certain=certain,
    )


def _outsiders(terrain: Terrain) -> list[Finding]:
    """Nodes of AutoNode, and labelled ones of no machine pool: what replaces them is labelled by nobody."""
    nodes = sorted((node for node in terrain.observed.nodes if not node.deleting), key=lambda node: node.name)
    findings = []
    autonodes = [node for node in nodes if node.autonode is not None]
    if autonodes:
        listed = some_of(f"{node.name} ({node.autonode})" for node in autonodes)
        findings.append(
            Finding(
                Kind.NODE_OUTSIDE_POOLS,
                "nodes of AutoNode",
                Severity.INFO,
                f"Made by AutoNode (Karpenter), not by a machine pool: {listed}. They are not labelled here.",
                todo="To have them carry egress addresses, put the label into their NodePool object's template.",
            )
        )
    # A node without an instance that is known may yet turn out to be of a pool.
    strays = [
        node
        for node in nodes
        if node.autonode is None
        and node.assignable is not None
        and node.instance_id in terrain.instance_by_id
        and pool_of(node, terrain) is None
    ]
    if strays:
        findings.append(
            Finding(
                Kind.NODE_OUTSIDE_POOLS,
                "labelled nodes of no machine pool",
                Severity.INFO,
                f"Labelled for egress, and of no machine pool: {some_of(node.name for node in strays)}.",
                impact="They carry egress addresses; what replaces them will not.",
                todo="Label a machine pool instead (machine_pools of the fleet file).",
            )
        )
    return findings
