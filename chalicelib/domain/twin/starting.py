"""What the cluster manager does at its start before it goes through the objects one by one.

Belongs here: the preparation of each stage. Does not belong here: the stages themselves (`cluster_manager`).
"""

from __future__ import annotations

from chalicelib.domain.twin.api import PatchEgressIp
from chalicelib.domain.twin.node_handlers import take_up
from chalicelib.domain.twin.turn import Turn


def fill_cache(turn: Turn) -> None:
    """Before the nodes: all of them into the cache, and (`prefill`) what the statuses claim as allocations.

    Without the latter, addresses that nobody has in its status are handed out before those that somebody has are known.
    """
    for _, node in turn.objects.nodes.in_order():
        turn.cache = turn.cache.host_addresses_changed(None, node)
        take_up(turn, node)
    if turn.behaviours.prefill:
        for _, egress_ip in turn.objects.egress_ips.in_order():
            turn.cache = turn.cache.prefilled(egress_ip.name, egress_ip.status)


def give_marks(turn: Turn) -> None:
    """Before the EgressIPs: keep the marks that are there, give new ones to the others, which wipes annotations."""
    egress_ips = [egress_ip for _, egress_ip in turn.objects.egress_ips.in_order()]
    for egress_ip in egress_ips:
        if egress_ip.mark is not None:
            turn.reserve_mark(egress_ip.name, egress_ip.mark)
    for egress_ip in egress_ips:
        mark = turn.allocate_mark(egress_ip.name) if egress_ip.mark is None else None
        if mark is not None:
            turn.write(PatchEgressIp(egress_ip.name, None, mark))


def drop_claims_without_cpic(turn: Turn) -> None:
    """Before the CPICs: a status item whose CPIC was deleted meanwhile is no more than a claim."""
    for _, egress_ip in turn.objects.egress_ips.in_order():
        claims = tuple(item for item in egress_ip.status if item[0] in turn.objects.cpics)
        if claims != egress_ip.status:
            turn.patch_status(egress_ip, claims)
