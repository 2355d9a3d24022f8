"""Room: how many more egress addresses each subnet takes, counted while a plan hands them out.

OVN-Kubernetes does not refuse what a node can't carry: it places the address, EC2 rejects it, and the assignment stays
failed. So room is counted here before an address is asked for, the way the platform will place it: on the eligible node
with fewest addresses, one of an EgressIP a node, and never past the smallest node's capacity times the nodes.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address

from chalicelib.domain.snapshot import Subnet
from chalicelib.domain.terrain import Terrain


class Room:
    """The room that is left in each subnet.

    Args:
        asked: Addresses that stay asked for, by the EgressIP that lists them, whoever's it is; "" for those that only a
            CloudPrivateIPConfig still holds. What a plan takes away is left out: it makes room for its replacement.

    Attributes:
        asked: Addresses that stay asked for, and lie in a subnet.
        asked_in: How many addresses are asked for in each subnet, by subnet id; what is taken later included.
    """

    def __init__(self, terrain: Terrain, asked: Mapping[str, Iterable[IPv4Address]]) -> None:
        self._terrain = terrain
        self.asked: set[IPv4Address] = set()
        self.asked_in: Counter[str] = Counter()
        self._carriers: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Nodes that carry, or will carry, an address of an EgressIP in a subnet."""
        subnet_by_node = {
            row.node: subnet.id for subnet in terrain.observed.subnets for row in terrain.eligible_in(subnet.cidr)
        }
        load: Counter[str] = Counter()
        waiting: list[tuple[str, Subnet]] = []
        for egress_ip, address, subnet in self._distinct(asked):
            self.asked_in[subnet.id] += 1
            cpic = terrain.cpic_by_address.get(str(address))
            if cpic is not None and subnet_by_node.get(cpic.spec_node) == subnet.id:
                load[cpic.spec_node] += 1
                self._carriers[egress_ip, subnet.id].add(cpic.spec_node)
            else:
                waiting.append((egress_ip, subnet))
        self._ladders = {
            subnet.id: sorted(
                (load[row.node] + row.leaving, row.capacity, row.node) for row in terrain.eligible_in(subnet.cidr)
            )
            for subnet in terrain.observed.subnets
        }
        """By subnet: (addresses, capacity, node), in the order in which OVN-Kubernetes prefers the nodes."""
        self._smallest = {
            subnet_id: min((capacity for _, capacity, _ in ladder), default=0)
            for subnet_id, ladder in self._ladders.items()
        }
        self._stranded: Counter[str] = Counter()
        """Addresses of a subnet that take no room there, because each node has one of their EgressIP already."""
        for egress_ip, subnet in waiting:
            self._stranded[subnet.id] += not self._place(egress_ip, subnet)

    def _distinct(self, asked: Mapping[str, Iterable[IPv4Address]]) -> Iterable[tuple[str, IPv4Address, Subnet]]:
        """Every address once, in a fixed order, with its subnet; what is outside every subnet has no place anyway."""
        for egress_ip in sorted(asked):
            for address in sorted(asked[egress_ip]):
                subnet = self._terrain.subnet_of(address)
                if address not in self.asked and subnet is not None:
                    self.asked.add(address)
                    yield egress_ip, address, subnet

    def why_none(self, egress_ip: str, subnet: Subnet) -> str:
        """Why the subnet can't take one more address of this EgressIP now, in words; empty if it can."""
        rows = self._terrain.eligible_in(subnet.cidr)
        if not rows:
            return f"no node in {subnet.zone} ({subnet.cidr}) can carry it yet"
        carriers = self._carriers[egress_ip, subnet.id]
        if len(carriers) >= len(rows):
            nodes = "the only eligible node" if len(rows) == 1 else f"each of the {len(rows)} eligible nodes"
            return (
                f"a node carries at most one address of an EgressIP, and {nodes} in {subnet.zone} has one of"
                f" {egress_ip} already"
            )
        smallest, asked = self._smallest[subnet.id], self.asked_in[subnet.id] - self._stranded[subnet.id]
        if asked >= len(rows) * smallest:
            return (
                f"{subnet.zone} is asked for {asked} addresses already, and its {len(rows)} eligible"
                f" {'node takes' if len(rows) == 1 else 'nodes take'} {len(rows) * smallest} at most ({smallest} each:"
                " the smallest node counts, because the platform fills them evenly and past their capacity)"
            )
        load, capacity, node = next(rung for rung in self._ladders[subnet.id] if rung[2] not in carriers)
        if load >= capacity:
            return f"node {node}, which OVN-Kubernetes would choose for it, has {load} of {capacity} addresses already"
        return ""

    def take(self, egress_ip: str, subnet: Subnet) -> None:
        """Count one more address of the EgressIP in the subnet."""
        self.asked_in[subnet.id] += 1
        self._place(egress_ip, subnet)

    def _place(self, egress_ip: str, subnet: Subnet) -> bool:
        """Put it where the platform would: on the node with fewest addresses that has none of this EgressIP, if any."""
        ladder, carriers = self._ladders[subnet.id], self._carriers[egress_ip, subnet.id]
        for index, (load, capacity, node) in enumerate(ladder):
            if node not in carriers:
                del ladder[index]
                insort(ladder, (load + 1, capacity, node))
                carriers.add(node)
                return True
        return False
