"""An approved plan, killed anywhere: its own order finishes it, and nothing else does more than it could without.

On a virtual cluster, with the platform's model at work, so that what is left is what a real visit would find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.errors import NotFound, Unreachable
from chalicelib.domain.approving import APPROVAL_HOLDS, Approval
from chalicelib.domain.findings import Kind
from chalicelib.domain.records import ApprovedPlan
from chalicelib.domain.spec import ClusterSpec, Fleet, Mode
from chalicelib.events import SqsRecord, WorkOrder, parse_work
from chalicelib.settings import Settings
from chalicelib.usecases.route import route
from chalicelib.usecases.visit import Outcome, Outside, visit
from chalicelib.usecases.work import Worked, work
from chalicelib.wiring import Runtime
from sandbox.virtual import Killed
from sandbox.virtual.fakes import EVERYTHING, FakeMemory
from sandbox.virtual.keeper import PACE, Keeper
from tests.fakes import FakeQueues
from tests.sandbox.virtual.fleets import policy, served, standing, wish
from tests.usecases.test_credential import FakeToken

REDELIVERY_SECONDS = 150.0
BEFORE = wish(policy("api", "10.10.100.251", "10.10.150.251"), policy("db", per_zone=1), policy("web", "10.10.100.250"))
AFTER = wish(policy("db", "10.10.150.240"), policy("new", "10.10.200.250"))
"""Two policies go, one is given other addresses, one comes."""


class MortalMemory(FakeMemory):
    """A table whose notes of approved plans are writes at which a visit may be killed, too."""

    def __init__(self, before_write: Callable[[str], None]) -> None:
        super().__init__()
        self.before_write = before_write

    def store_approved(self, plan: ApprovedPlan) -> None:
        self.before_write("store_approved")
        super().store_approved(plan)


@dataclass
class Desk:
    """A cluster, a fleet file that asks for less than it has, and a person who has approved the plan.

    Attributes:
        lives: Writes until the visit is killed; None for no end.
    """

    keeper: Keeper = field(default_factory=lambda: served(Keeper(standing(), BEFORE)))
    lives: int | None = None

    def __post_init__(self) -> None:
        rosa = self.keeper.rosa
        self.keeper.memory = self.memory = MortalMemory(self._before_write)
        self.keeper.wishes(AFTER)
        rosa.before_write = self._before_write
        rosa.cluster.writes.clear()
        rosa.ec2.writes.clear()
        self.approval = self.approve()

    def approve(self) -> Approval:
        """A person reads the plan and takes its digest, now."""
        outside = Outside(self.keeper.rosa.cluster, self.keeper.rosa.ec2, self.keeper.rosa.clock)
        observing = replace(self.keeper.desired, mode=Mode.OBSERVE)
        planned = visit(observing, outside, PACE, run_id="look").look.planned
        return Approval(planned.digest, self.keeper.rosa.clock())

    def _before_write(self, _operation: str) -> None:
        if self.lives is not None:
            self.lives -= 1
            if self.lives < 0:
                raise Killed

    def visit(
        self, approval: Approval | None = None, *, lives: int | None = None, tells: bool = True
    ) -> Outcome | None:
        """One visit; None where it was killed."""
        keeper, self.lives = self.keeper, lives
        outside = Outside(keeper.rosa.cluster, keeper.rosa.ec2, keeper.rosa.clock, memory=keeper.memory)
        outside = replace(outside, alerts=keeper.alerts) if tells else outside
        try:
            return visit(keeper.desired, outside, PACE, run_id="demo.1", approval=approval)
        except Killed:
            return None
        finally:
            self.lives = None

    def later(self, seconds: float = REDELIVERY_SECONDS) -> None:
        self.keeper.rosa.run_for(seconds)

    def rest(self) -> None:
        """Ordinary visits, until there is nothing left to do."""
        for _ in range(4):
            self.later(60)
            outcome = self.visit()
            assert outcome is not None
            assert outcome.status == "done"

    @property
    def objects(self) -> set[str]:
        return {egress_ip.name for egress_ip in self.keeper.rosa.cluster.fetch_egress_ips()}

    @property
    def state(self) -> Mapping[str, Any]:
        """Everything that two runs must agree on."""
        rosa = self.keeper.rosa
        return {
            "objects": {e.name: (e.spec, dict(e.labels)) for e in rosa.cluster.fetch_egress_ips()},
            "reservations": {r.cidr: dict(r.tags) for r in rosa.facts.reservations.values()},
            "serving": {name: sorted(found) for name, found in rosa.serving().items()},
        }

    @property
    def deletions(self) -> Counter[str]:
        return Counter(
            name for operation, name, *_ in self.keeper.rosa.cluster.writes if operation.startswith("delete")
        )


def whole() -> Desk:
    desk = Desk()
    outcome = desk.visit(desk.approval)
    assert outcome is not None
    assert outcome.status == "done"
    desk.rest()
    return desk


def test_killed_after_any_of_its_writes_it_is_finished_by_its_own_order() -> None:
    """Whatever was done when the visit ended, the same order, delivered again, does the rest and no more."""
    wanted = whole()
    kills = 0
    while True:
        desk = Desk()
        if desk.visit(desk.approval, lives=kills) is not None:
            break
        kills += 1
        desk.later()
        outcome = desk.visit(desk.approval)
        assert outcome is not None
        assert outcome.status == "done", f"killed before write {kills}: {outcome.look.refusal}"
        assert not desk.objects & {"api", "web"}
        desk.rest()
        assert desk.state == wanted.state
        assert desk.deletions == {"api": 1, "web": 1}
        assert all(Kind.PLAN_REFUSED.value not in alert.attributes["kind"] for alert in desk.keeper.alerts.sent)
    assert kills >= 8, "the note, reservations, tags, three EgressIPs, the end of the note"


def test_killed_again_and_again_it_is_finished_all_the_same() -> None:
    """Each delivery goes a little further: here every one is killed before its third write."""
    desk = Desk()
    deliveries = 0
    while desk.visit(desk.approval, lives=3) is None:
        desk.later()
        deliveries += 1
        assert deliveries < 9
    assert deliveries >= 2
    desk.rest()
    assert desk.state == whole().state


def half_done() -> Desk:
    """Killed between the two deletions."""
    desk = Desk()
    rosa = desk.keeper.rosa

    def die(operation: str) -> None:
        if operation == "delete_egress_ip" and desk.deletions:
            raise Killed

    rosa.before_write = die
    assert desk.visit(desk.approval) is None
    rosa.before_write = None
    desk.later()
    assert len(desk.objects & {"api", "web"}) == 1
    return desk


def refused(desk: Desk, approval: Approval | None) -> str:
    before = desk.objects
    outcome = desk.visit(approval)
    assert outcome is not None
    assert outcome.status == "refused"
    assert desk.objects == before
    return str(outcome.look.refusal)


def test_what_is_left_needs_the_order_with_its_approval() -> None:
    """The note approves nothing by itself: not for an ordinary visit, and not for another digest."""
    desk = half_done()
    assert "approved" not in refused(desk, None)
    assert "is that of another plan" in refused(desk, replace(desk.approval, digest="0" * 12))


def test_nothing_beyond_what_was_approved_is_done_with_it() -> None:
    """One policy more has left the fleet file meanwhile: all of it waits for a person."""
    desk = half_done()
    desk.keeper.wishes(wish(policy("new", "10.10.200.250")))
    assert "It takes more than is left of the approved plan" in refused(desk, desk.approval)


def test_only_the_approved_plan_itself_is_noted() -> None:
    """What passes beside an approval, being harmless or a part of it, becomes no part of what was approved."""
    desk = Desk()
    desk.keeper.wishes(replace(BEFORE, policies=(*BEFORE.policies, policy("new", "10.10.200.250"))))
    outcome = desk.visit(desk.approval)
    assert outcome is not None
    assert outcome.status == "done"
    assert "new" in desk.objects
    assert desk.memory.approved == {}
    desk = half_done()
    note = desk.memory.approved["demo", desk.approval.digest]
    desk.keeper.rosa.cluster.fail("delete_egress_ip")
    desk.visit(desk.approval)
    assert desk.memory.approved["demo", desk.approval.digest] == note


def test_a_visit_that_saw_nothing_leaves_the_note_as_it_is() -> None:
    """An empty plan of a cluster that could not be read is not the end of what was begun."""
    desk = half_done()
    desk.keeper.rosa.ec2.fail("fetch_interfaces")
    blind = desk.visit(desk.approval)
    assert blind is not None
    assert blind.status == "failed"
    desk.keeper.rosa.ec2.heal()
    outcome = desk.visit(desk.approval)
    assert outcome is not None
    assert outcome.status == "done"
    assert not desk.objects & {"api", "web"}


def test_an_approval_ends_with_its_hour() -> None:
    """What comes back from a dead-letter queue the next day is refused, begun or not."""
    desk = half_done()
    desk.later((APPROVAL_HOLDS - timedelta(seconds=200)).total_seconds())
    fork = Desk(desk.keeper.fork(desk.keeper.rosa.fork()))
    fork.keeper.memory.approved.update(desk.keeper.memory.approved)
    outcome = fork.visit(desk.approval)
    assert outcome is not None
    assert outcome.status == "done", "it holds until then"
    desk.later(200)
    assert "one holds for an hour" in refused(desk, desk.approval)
    fresh = Desk()
    fresh.later(APPROVAL_HOLDS.total_seconds() + 1)
    assert "one holds for an hour" in refused(fresh, fresh.approval)


def test_a_cluster_that_came_back_to_the_same_state_is_not_emptied_by_an_old_order() -> None:
    """The order is delivered once more after all of it was done; a person who approves anew is heard."""
    desk = Desk()
    desk.keeper.wishes(wish(policy("db", per_zone=1), policy("web", "10.10.100.250")))
    desk.approval = desk.approve()
    assert desk.visit(desk.approval) is not None
    gone = desk.keeper.desired
    desk.later()
    desk.keeper.wishes(BEFORE)
    desk.rest()
    desk.keeper.wishes(gone)
    # A new object has a new uid, and so a new digest, but for a platform that gives the old one back.
    again = desk.approve()
    note = desk.memory.approved["demo", desk.approval.digest]
    assert note.done
    assert note.actions == frozenset()
    desk.memory.approved["demo", again.digest] = replace(note, digest=again.digest)
    assert "has been carried out already" in refused(desk, replace(desk.approval, digest=again.digest))
    outcome = desk.visit(again)
    assert outcome is not None
    assert outcome.status == "done"
    assert "api" not in desk.objects


@pytest.mark.parametrize("operation", ["fetch_approved", EVERYTHING])
def test_without_the_table_what_is_left_is_refused_and_the_approval_kept_for_later(operation: str) -> None:
    """Unknown is not approved. The next visit is asked to look again with the approval."""
    desk = half_done()
    desk.memory.fail(operation)
    before = desk.objects
    outcome = desk.visit(desk.approval, tells=False)
    assert outcome is not None
    assert outcome.status == "refused"
    assert desk.objects == before
    assert outcome.approval == desk.approval
    assert outcome.revisit_in is not None


def test_the_plan_itself_is_carried_out_whatever_the_table_does() -> None:
    """A person waits for exactly this; what is lost is only that it could be finished later."""
    for operation in ("fetch_approved", "store_approved"):
        desk = Desk()
        desk.memory.fail(operation)
        outcome = desk.visit(desk.approval)
        assert outcome is not None
        assert outcome.status == "done"
        assert not desk.objects & {"api", "web"}


def test_without_any_table_it_is_as_it_was() -> None:
    """On a terminal without a table the plan passes, and what is left of it needs a person."""
    desk = Desk()
    rosa = desk.keeper.rosa
    outside = Outside(rosa.cluster, rosa.ec2, rosa.clock)
    done = visit(AFTER, outside, PACE, run_id="demo.cli", approval=desk.approval)
    assert done.status == "done"
    desk = half_done()
    outside = Outside(desk.keeper.rosa.cluster, desk.keeper.rosa.ec2, desk.keeper.rosa.clock)
    assert visit(AFTER, outside, PACE, run_id="demo.cli", approval=desk.approval).status == "refused"


def test_the_same_command_given_again_finishes_what_a_killed_one_began() -> None:
    """A person repeats the line: the same digest, said later."""
    desk = half_done()
    outcome = desk.visit(Approval(desk.approval.digest, desk.keeper.rosa.clock()))
    assert outcome is not None
    assert outcome.status == "done"
    assert not desk.objects & {"api", "web"}


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
