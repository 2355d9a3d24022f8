"""What all addresses in trouble share: what was seen and remembered, and where they would land, counted as they do.

Belongs here: questions to the whole cluster. Does not belong here: what follows for one address (`treatment`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from chalicelib.domain.actions import AssignAddress
from chalicelib.domain.capacity import NodeCapacity
from chalicelib.domain.findings import Finding
from chalicelib.domain.remembered import Remembered
from chalicelib.domain.snapshot import EgressIpConfig
from chalicelib.domain.terrain import Terrain, parse_address
from chalicelib.domain.verdicts import Verdict


class Ward:
    """What all addresses in trouble share: the terrain, the memory, and the room that is left as remedies take it.

    Args:
        objected: Subjects that something else speaks against (`placement`): their finding says what to do.
    """

    def __init__(self, terrain: Terrain, findings: Iterable[Finding], memory: Remembered) -> None:
        self.terrain = terrain
        self.memory = memory
        self.objected = {finding.subject: finding.kind for finding in findings}
        self.blind = sorted(node.name for node in terrain.observed.nodes if node.host_addresses is None)
        self._load: Counter[str] = Counter({row.node: row.carried or 0 for row in terrain.capacity.nodes})

    @property
    def now(self) -> datetime:
        """When the snapshot was taken."""
        return self.terrain.observed.taken_at

    def assignment(self, verdict: Verdict) -> AssignAddress | None:
        """The action that puts the address back on the first interface of the node that the cluster has it on.

        None where EC2 and the node's annotation do not agree on which interface that is.
        """
        cpic = self.terrain.cpic_by_address.get(verdict.address)
        parsed = parse_address(verdict.address)
        node = self.terrain.node_by_name.get(cpic.status_node) if cpic is not None else None
        instance = self.terrain.instance_by_id.get(node.instance_id or "") if node else None
        if node is None or parsed is None or instance is None or instance.interface_id is None:
            return None
        config = node.egress_config
        if not isinstance(config, EgressIpConfig) or config.interface != instance.interface_id:
            return None
        return AssignAddress(
            instance.interface_id,
            parsed,
            node.name,
            (verdict.policy,),
            "the cluster believes that it is there and never looks again",
        )

    def landing(self, verdict: Verdict) -> tuple[NodeCapacity, ...]:
        """The nodes that OVN-Kubernetes may choose for the address once it is free: those with fewest allocations.

        It looks at eligible nodes of the subnet that carry no other address of the object, and at no capacity.
        """
        parsed = parse_address(verdict.address)
        subnet = self.terrain.subnet_of(parsed) if parsed else None
        if subnet is None:
            return ()
        others = {
            cpic.spec_node
            for address in self.terrain.egress_ip_by_name[verdict.policy].spec.addresses
            if address != verdict.address and (cpic := self.terrain.cpic_by_address.get(address))
        }
        rows = [row for row in self.terrain.eligible_in(subnet.cidr) if row.node not in others]
        fewest = min((self._without(verdict, row.node) for row in rows), default=0)
        return tuple(row for row in rows if self._without(verdict, row.node) == fewest)

    def has_room(self, verdict: Verdict, row: NodeCapacity) -> bool:
        """Whether the node can carry it."""
        return self._without(verdict, row.node) + row.leaving < row.capacity

    def _without(self, verdict: Verdict, node: str) -> int:
        """Allocations of a node, this address's own left out."""
        cpic = self.terrain.cpic_by_address.get(verdict.address)
        return self._load[node] - (cpic is not None and cpic.spec_node == node)

    def land(self, verdict: Verdict) -> None:
        """Count it where it will land, so that the next one is not promised the same room."""
        cpic = self.terrain.cpic_by_address.get(verdict.address)
        target = self.landing(verdict)[0].node
        if cpic is not None:
            self._load[cpic.spec_node] -= 1
        self._load[target] += 1
