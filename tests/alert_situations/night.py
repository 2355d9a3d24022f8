"""A cluster at rest, on which something happens; visits follow as in life."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

from chalicelib.domain.findings import Kind
from chalicelib.domain.pools import Scaling
from chalicelib.domain.spec import ClusterSpec, OcmSpec, PoolSpec, SecretRef
from chalicelib.domain.telling.messages import Alert, Occasion
from chalicelib.usecases.visit import Outcome
from tests import factories as make
from tests.fakes import FakeOcm
from tests.situations import OCM_ID, World
from tests.worlds import ADDRESSES

A, B, C = ADDRESSES
WITH_OCM = OcmSpec(OCM_ID, SecretRef(secret_id="egress-keeper/ocm"))
STRANGER = make.interface(
    "a", 9, id="eni-0f3a", instance_id=None, addresses=(), holder="ELB app/payments/4f1c0d7b8d9f2a11"
)


class Night(World):
    """A cluster at rest, on which something happens; visits follow as in life."""

    def __init__(self, desired: ClusterSpec | None = None, *, settled: bool = True) -> None:
        super().__init__(desired)
        self.last: Outcome | None = None
        if settled:
            self.settle()

    def visit(self, *, attempt: int = 0, approved: str | None = None) -> Outcome:
        self.last = super().visit(attempt=attempt, approved=approved)
        return self.last

    def watch(self, *pauses: float) -> Night:
        """A visit now, and one after each pause (seconds)."""
        self.visit()
        for pause in pauses or (65.0,):
            self.clock.advance(pause)
            self.visit()
        return self

    def told(self, kind: Kind) -> Alert | None:
        """The first message about that kind that does not say it is over; None where nobody was told."""
        about = (
            alert
            for alert in self.alerts.sent
            if any(item.document["kind"] == kind and item.occasion is not Occasion.RESOLVED for item in alert.told)
        )
        return next(about, None)

    @property
    def now(self) -> datetime:
        return self.clock()

    def node_is_silent(self, name: str) -> None:
        """Its kubelet does not answer any more; OVN-Kubernetes takes its addresses away, and elsewhere if it can."""
        self.cluster.nodes[name] = replace(self.cluster.nodes[name], ready=False)

    def node_goes(self, name: str) -> None:
        """Scaled in, with its instance and its network interface."""
        node = self.cluster.nodes.pop(name)
        instance = self.ec2.instances.pop(node.instance_id or "")
        self.ec2.interfaces.pop(instance.interface_id or "")

    def fails(self, address: str, node: str, message: str, *, minutes_ago: float = 5) -> None:
        """The cloud network controller could not assign it: no status, no interface, and its last word on it."""
        self.loses(address)
        self.cluster.cpics[address] = make.cpic(
            address,
            node,
            assigned="False",
            reason="CloudResponseError",
            message=f"Error processing cloud assignment request, err: {message}",
            changed_at=self.now - timedelta(minutes=minutes_ago),
        )

    def put_on(self, interface_id: str, address: str) -> None:
        """Somebody else's doing: the address is on that interface."""
        there = self.ec2.interfaces.get(interface_id, STRANGER)
        self.ec2.interfaces[there.id] = replace(there, addresses=(*there.addresses, IPv4Address(address)))

    def forgets_messages(self) -> None:
        """What was told so far is not what the situation is about."""
        self.alerts.sent.clear()


def with_pools(*pools: PoolSpec, **changes: Any) -> Night:
    """A cluster whose machine pools are looked after in OCM, where egress-a to egress-c are as they should be."""
    listed = (PoolSpec("egress-a"), PoolSpec("egress-b"), PoolSpec("egress-c"), *pools)
    names = [pool.name for pool in listed]
    desired = make.cluster(
        make.policy("ns", *ADDRESSES),
        infra_id=OCM_ID,
        ocm=WITH_OCM,
        machine_pools=tuple(dict(zip(names, listed, strict=True)).values()),
    )
    night = Night(replace(desired, **changes), settled=False)
    there = (make.pool(zone, scaling=Scaling(2, 2, auto=False)) for zone in make.ZONES)
    night.ocm = FakeOcm(make.ocm_cluster(), *there)
    night.ec2.limits = {**night.ec2.limits, "m5.2xlarge": 15, "m5.large": 10}
    night.settle()
    return night


def for_policy(*addresses: str, name: str = "ns", **changes: Any) -> Night:
    return Night(make.cluster(make.policy(name, *addresses), **changes), settled=False)
