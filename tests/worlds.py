"""A cluster in memory, with everything that a visit to it reads, writes and tells.

Does not belong here: what happens to it, in `situations` and in the tests themselves.
"""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain.approving import Approval
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.spec import ClusterSpec
from chalicelib.usecases.ports import ClusterToken
from chalicelib.usecases.tell import Timing
from chalicelib.usecases.visit import Outcome, Outside, Pace, visit
from tests import factories
from tests.fakes import Clock, FakeAlerts, FakeCluster, FakeEc2, FakeMemory, FakeOcm, assign_all

ADDRESSES = ("10.10.100.253", "10.10.150.253", "10.10.200.253")
PACE = Pace(Timing(timedelta(seconds=60), timedelta(days=1)), timedelta(seconds=20))

READS = {
    "cluster": ["fetch_nodes", "fetch_egress_ips", "fetch_cpics"],
    "ec2": ["fetch_instances", "fetch_subnets", "fetch_interfaces", "fetch_reservations"],
}
"""What nothing is planned without, by the side that is asked."""


class World:
    """By default a healthy cluster with two nodes in each zone, and one policy with an address in each.

    Attributes:
        ocm: None where machine pools are not looked after.
        token: None where the cluster's token is not renewed.
    """

    def __init__(self, desired: ClusterSpec | None = None, start: Snapshot | None = None) -> None:
        start = start or factories.snapshot(nodes_per_zone=2)
        self.desired = desired or factories.cluster(factories.policy("ns", *ADDRESSES))
        self.cluster, self.ec2, self.clock = FakeCluster(start), FakeEc2(start), Clock()
        self.memory, self.alerts = FakeMemory(), FakeAlerts()
        self.ocm: FakeOcm | None = None
        self.token: ClusterToken | None = None

    def visit(self, *, attempt: int = 0, approved: str | None = None) -> Outcome:
        outside = Outside(
            self.cluster,
            self.ec2,
            self.clock,
            memory=self.memory,
            alerts=self.alerts,
            ocm=self.ocm,
            token=self.token,
        )
        approval = Approval(approved, self.clock()) if approved else None
        return visit(self.desired, outside, PACE, run_id="demo.1", attempt=attempt, approval=approval)

    def visit_on_a_terminal(self, *, table: bool = False, settled: bool = False) -> Outcome:
        """From there nobody is told; and without the table nothing is remembered."""
        outside = Outside(self.cluster, self.ec2, self.clock, memory=self.memory if table else None)
        return visit(self.desired, outside, PACE, run_id="demo.cli", settled=settled)

    def settle(self) -> None:
        """Bring the cluster to rest: applied, assigned, nothing left to plan."""
        self.visit()
        assign_all(self.cluster, self.ec2)
        self.forget_writes()

    def forget_writes(self) -> None:
        self.cluster.writes.clear()
        self.ec2.writes.clear()

    @property
    def writes(self) -> list[str]:
        return [write[0] for write in (*self.ec2.writes, *self.cluster.writes)]
