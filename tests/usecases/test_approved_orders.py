"""An approval on its way: with the order from the API through the queues, and with the revisit that finishes it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.errors import NotFound, Unreachable
from chalicelib.domain.approving import Approval
from chalicelib.domain.spec import ClusterSpec, Fleet
from chalicelib.events import SqsRecord, WorkOrder, parse_work
from chalicelib.settings import Settings
from chalicelib.usecases.route import route
from chalicelib.usecases.work import Worked, work
from chalicelib.wiring import Runtime
from sandbox.virtual.fakes import FakeMemory
from tests.fakes import FakeQueues
from tests.tokens import FakeToken
from tests.usecases.desk import Desk


@dataclass
class Functions:
    """What `work` and `route` need, on the virtual cluster."""

    desk: Desk
    settings: Settings = field(default_factory=Settings)
    calls: CallCounter = field(default_factory=CallCounter)
    queues: FakeQueues = field(default_factory=FakeQueues)

    @property
    def memory(self) -> FakeMemory:
        return self.desk.keeper.memory

    @property
    def alerts(self) -> Any:
        return self.desk.keeper.alerts

    def cluster(self, _: ClusterSpec) -> Any:
        return self.desk.keeper.rosa.cluster

    def ec2(self, _: ClusterSpec) -> Any:
        return self.desk.keeper.rosa.ec2

    def ocm(self, _: ClusterSpec) -> None:
        return None

    def token(self, _: ClusterSpec) -> FakeToken:
        token = FakeToken("")
        token.errors["read"] = NotFound("secret", "read", "none")
        return token

    def work(self, order: WorkOrder) -> Worked:
        return work(order, self.desk.keeper.desired, self, self.desk.keeper.rosa.clock)

    def next_order(self) -> WorkOrder:
        """The order that the last revisit becomes."""
        body, seconds = self.queues.events.pop()
        self.desk.later(seconds)
        fleet = Fleet({"demo": self.desk.keeper.desired})
        now = self.desk.keeper.rosa.clock()
        records = (SqsRecord("m", body, 1),)
        ec2_of: Any = self.ec2
        routing = route(records, fleet, ec2_of=ec2_of, queues=self.queues, now=now, window_seconds=30)
        assert routing.failed == []
        order = parse_work(self.queues.work.pop()[0])
        assert isinstance(order, WorkOrder)
        return order


def order_of(approval: Approval) -> WorkOrder:
    return WorkOrder("demo.1.x", "demo", (), 0, "c", approval.digest, approval.at)


def test_an_approval_given_over_the_api_counts() -> None:
    """The order says when it was given: at the request, however long it waits in the queue."""
    desk = Desk()
    functions, clock = Functions(desk), desk.keeper.rosa.clock
    runtime = Runtime(Settings(), clock=clock)
    runtime.adapters = functions  # type: ignore[assignment] # the protocol of `work`, on the virtual cluster
    runtime._fleet = (clock(), Fleet({"demo": desk.keeper.desired}))
    asked = runtime.request_visit("demo", {"approve": desk.approval.digest})
    order = parse_work(functions.queues.work.pop()[0])
    assert isinstance(order, WorkOrder)
    assert (order.run_id, order.approve, order.approved_at) == (asked["run_id"], desk.approval.digest, clock())
    assert functions.work(order).outcome.status == "done"
    assert not desk.objects & {"api", "web"}
    runtime.request_visit("demo", {})
    order = parse_work(functions.queues.work.pop()[0])
    assert isinstance(order, WorkOrder)
    assert (order.approve, order.approved_at) == (None, None)


def test_a_plan_of_which_something_failed_is_finished_by_the_revisit() -> None:
    """The approval goes with it, and the time at which it was given; when all is done it goes no further."""
    desk = Desk()
    functions = Functions(desk)
    desk.later(45)
    desk.keeper.rosa.cluster.fail("delete_egress_ip", Unreachable("cluster API", "delete", "503"))
    assert functions.work(order_of(desk.approval)).outcome.status == "failed"
    desk.keeper.rosa.cluster.heal()
    again = functions.next_order()
    assert (again.approve, again.approved_at) == (desk.approval.digest, desk.approval.at)
    assert again.run_id.endswith(f".{desk.approval.digest}"), "folded into an ordinary visit it would be lost"
    assert again.attempt == 1
    assert functions.work(again).outcome.status == "done"
    assert not desk.objects & {"api", "web"}
    assert functions.next_order().approve is None


def test_an_approval_is_not_used_up_by_a_visit_that_saw_nothing() -> None:
    """A section that could not be read: there was no plan to approve, and the revisit has the approval again."""
    desk = Desk()
    functions = Functions(desk)
    desk.keeper.rosa.ec2.fail("fetch_subnets")
    blind = functions.work(order_of(desk.approval)).outcome
    assert blind.status == "failed"
    assert blind.look.planned.actions == ()
    desk.keeper.rosa.ec2.heal()
    assert functions.work(functions.next_order()).outcome.status == "done"
    assert not desk.objects & {"api", "web"}


def test_an_order_that_does_not_say_when_it_was_approved_is_not() -> None:
    """Of an earlier version, or made by hand: it may be as old as can be."""
    desk = Desk()
    order = replace(order_of(desk.approval), approved_at=None)
    assert Functions(desk).work(order).outcome.status == "refused"


def test_an_order_whose_plan_is_done_ends_quietly() -> None:
    """Killed after its last write, it comes again and finds nothing to do."""
    desk = Desk()
    functions = Functions(desk)
    functions.work(order_of(desk.approval))
    desk.rest()
    desk.keeper.rosa.cluster.writes.clear()
    outcome = functions.work(order_of(desk.approval)).outcome
    assert outcome.status == "done"
    assert outcome.look.planned.actions == ()
    assert desk.keeper.rosa.cluster.writes == []
