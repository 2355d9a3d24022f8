"""The second law's question: of what could serve, what does not.

Belongs here: what should serve, and what takes a place all the same. Does not belong here: how many can serve at once
(`oracle`), and the visits that have until then (`life`).
"""

from __future__ import annotations

from ipaddress import IPv4Address

from chalicelib.domain.actions import LABEL_MANAGED_BY
from chalicelib.domain.plan import Plan
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.twin.addressing import canonical
from sandbox.virtual import VirtualRosa
from tests.model import oracle


def missing(rosa: VirtualRosa, desired: ClusterSpec, planned: Plan) -> list[str]:
    """Policy, address and state of what should serve and does not; as many of a subnet as are missing at least.

    Args:
        planned: What a visit planned just now: it says which addresses were chosen, and what state each is in.
    """
    serving = {(name, address) for name, found in rosa.serving().items() for address in found}
    wanted = _wanted(rosa, desired, planned)
    strangers = _in_the_way(rosa, wanted)
    states = {(v.policy, v.address): v.state.value for v in planned.verdicts}
    found: list[str] = []
    for cidr in (zone.cidr for zone in rosa.facts.zones.values()):
        nodes = [carrier for carrier in oracle.carriers(rosa) if carrier.subnet == cidr]
        here = {demand for demand in wanted if IPv4Address(demand[1]) in cidr}
        theirs = {demand for demand in strangers if IPv4Address(demand[1]) in cidr}
        lacking = oracle.most(here | theirs, nodes) - len(theirs) - len(here & serving)
        if lacking > 0:
            stuck = [f"{states.get(d, 'unplanned')} ({d[1]} of {d[0]})" for d in sorted(here - serving)]
            asked = [line for line in stuck if not line.startswith(("absent", "unplanned"))]
            found += asked if len(asked) >= lacking else stuck
    return found


def _in_the_way(rosa: VirtualRosa, wanted: set[oracle.Demand]) -> set[oracle.Demand]:
    """Addresses that take a place and are none that should serve.

    | whose | why they keep it |
    | --- | --- |
    | other people's, in objects that are not ours | nothing foreign is touched |
    | ours, and a stranger's interface has it | its assignment fails, and the platform keeps the place for it |
    | written in by hand, and the only one of its policy that serves | without it the policy would fail open |
    """
    serving = rosa.serving()
    ours = {name for name, _ in wanted}
    found: set[oracle.Demand] = set()
    for name, there in rosa.world.objects.egress_ips.items():
        only_strays = not any((name, address) in wanted for address in serving[name])
        for address in filter(canonical, there.spec):
            fails = address in rosa.world.objects.cpics and not oracle.can_be_had(rosa, name, address)
            stray = address in serving[name] and only_strays
            if name not in ours or fails or stray:
                found.add((name, address))
    return found


def _wanted(rosa: VirtualRosa, desired: ClusterSpec, planned: Plan) -> set[oracle.Demand]:
    """Listed addresses, and as many chosen ones in each zone as are wished there; all that can be had at all."""
    wanted: set[oracle.Demand] = set()
    for spec in desired.policies:
        there = rosa.world.objects.egress_ips.get(spec.name)
        known = rosa.facts.objects.get(spec.name)
        if there is not None and (known is None or known.fields.get(f".metadata.labels.{LABEL_MANAGED_BY}") is None):
            continue  # the name is somebody else's
        if spec.per_zone is None:
            wanted |= {(spec.name, str(address)) for address in spec.addresses}
            continue
        allocated = [a for a in planned.allocations if a.policy == spec.name]
        wanted |= {(spec.name, str(allocation.address)) for allocation in allocated}
    return {demand for demand in wanted if oracle.can_be_had(rosa, *demand)}
