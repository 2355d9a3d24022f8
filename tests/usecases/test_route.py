"""Routing a batch of events: at most one visit a cluster and window, and nothing lost on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.errors import Throttled, Unreachable
from chalicelib.domain.spec import ClusterSpec, Fleet
from chalicelib.events import (
    InstanceChanged,
    SqsRecord,
    WorkOrder,
    encode_retry,
    encode_visit,
    parse_body,
    parse_work,
)
from chalicelib.usecases.ports import Ec2
from chalicelib.usecases.route import MOST_RETRIES, Routing, route
from tests import factories
from tests.fakes import FakeEc2, FakeQueues

WINDOW = 30


def ec2_event(instance_id: str, state: str = "running", region: str = "eu-central-1", event_id: str = "e-1") -> str:
    return json.dumps(
        {
            "version": "0",
            "id": event_id,
            "detail-type": "EC2 Instance State-change Notification",
            "source": "aws.ec2",
            "account": "123456789012",
            "time": "2026-03-01T12:00:00Z",
            "region": region,
            "resources": [f"arn:aws:ec2:{region}:123456789012:instance/{instance_id}"],
            "detail": {"instance-id": instance_id, "state": state},
        }
    )


OURS, FOREIGN, NEW = "i-0a0a0a0a0a0a0a0a0", "i-0f0f0f0f0f0f0f0f0", "i-01234567890abcdef"


class Rig:
    """Two clusters in one account, one in another."""

    def __init__(self) -> None:
        self.ec2 = FakeEc2(factories.snapshot())
        self.ec2.tags = {
            OURS: {"kubernetes.io/cluster/demo-x7k2p": "owned"},
            FOREIGN: {"Name": "a database"},
        }
        self.other_account = FakeEc2(factories.snapshot())
        self.other_account.tags = {}
        self.queues = FakeQueues()
        demo = factories.cluster()
        self.fleet = Fleet({"demo": demo, "second": replace(demo, name="second", infra_id="second-abcde")})

    def ec2_of(self, cluster: ClusterSpec) -> Ec2:
        return self.other_account if cluster.role_arn else self.ec2

    def route(self, *bodies: str, now: datetime = factories.NOW) -> Routing:
        records = tuple(SqsRecord(f"m-{number}", body, 1) for number, body in enumerate(bodies))
        return route(
            records, self.fleet, ec2_of=self.ec2_of, queues=self.queues, now=now, window_seconds=WINDOW
        )  # fmt: skip

    @property
    def orders(self) -> list[WorkOrder]:
        parsed = [parse_work(body) for body, _, _ in self.queues.work]
        return [order for order in parsed if isinstance(order, WorkOrder)]


def test_a_burst_is_one_visit_and_one_read_of_ec2() -> None:
    """A thousand events of one cluster in a batch cost one DescribeInstances and one message."""
    rig = Rig()
    routing = rig.route(*[ec2_event(OURS, event_id=f"e-{n}") for n in range(1000)])
    assert rig.ec2.asked_ids == [(OURS,)]
    assert len(rig.queues.work) == 1
    assert routing.outcomes == {"ours": 1000}
    assert routing.failed == []


def test_a_visit_is_grouped_by_cluster_and_named_by_window() -> None:
    """The deduplication id is cluster and window index; the group keeps a second visit out."""
    rig = Rig()
    rig.route(ec2_event(OURS))
    rig.route(ec2_event(OURS), now=factories.NOW + timedelta(seconds=29))
    rig.route(ec2_event(OURS), now=factories.NOW + timedelta(seconds=30))
    ids = [(group, dedup) for _, group, dedup in rig.queues.work]
    window = int(factories.NOW.timestamp()) // WINDOW
    assert ids == [("demo", f"demo.{window}"), ("demo", f"demo.{window}"), ("demo", f"demo.{window + 1}")]


def test_what_is_not_ours_is_counted_and_dropped() -> None:
    """The account has other instances; they wake nobody and never come back."""
    rig = Rig()
    routing = rig.route(ec2_event(FOREIGN))
    assert routing.outcomes == {"not ours": 1}
    assert rig.queues.work == []
    assert rig.queues.events == []


def test_an_instance_that_ec2_does_not_know_yet_comes_back_with_growing_pauses_and_ends() -> None:
    """EC2 is eventually consistent: an unknown instance is asked for again, a bounded number of times."""
    rig = Rig()
    body, pauses = ec2_event(NEW), []
    for _ in range(MOST_RETRIES):
        rig.route(body)
        body, pause = rig.queues.events[-1]
        pauses.append(pause)
    assert pauses == [15, 30, 60, 120]
    assert rig.route(body).outcomes == {"never known": 1}
    rig.ec2.tags[NEW] = {"kubernetes.io/cluster/second-abcde": "owned"}
    assert rig.route(body).runs.keys() == {"second"}


def test_a_terminated_instance_that_is_unknown_does_not_come_back() -> None:
    """What EC2 has forgotten will not appear."""
    assert Rig().route(ec2_event(NEW, "terminated")).outcomes == {"never known": 1}


def test_an_unreadable_ec2_gives_back_only_what_nobody_else_explains() -> None:
    """Throttling loses no event; SQS delivers those messages again."""
    rig = Rig()
    rig.fleet = Fleet({**rig.fleet.clusters, "far": replace(factories.cluster(), name="far", infra_id="far-1",
                       role_arn="arn:aws:iam::210987654321:role/keeper")})  # fmt: skip
    rig.other_account.fail("fetch_cluster_tags", Throttled("EC2", "DescribeInstances", "RequestLimitExceeded"))
    routing = rig.route(ec2_event(OURS), ec2_event(NEW))
    assert routing.runs.keys() == {"demo"}
    assert routing.failed == ["m-1"]


def test_a_malformed_event_is_counted_said_and_dropped() -> None:
    """A bad message is not retried for ever, and does not disturb the others of its batch."""
    routing = Rig().route("{", json.dumps({"source": "aws.s3"}), ec2_event(OURS))
    assert routing.outcomes == {"malformed": 2, "ours": 1}
    assert len(routing.malformed) == 2
    assert routing.failed == []


def test_a_queue_that_refuses_one_cluster_gives_back_its_messages_alone() -> None:
    """One cluster's trouble does not delay the others."""
    rig = Rig()
    rig.ec2.tags[NEW] = {"kubernetes.io/cluster/second-abcde": "owned"}
    rig.queues.broken = lambda group: Unreachable("SQS", "SendMessage", "500") if group == "demo" else None
    routing = rig.route(ec2_event(OURS), ec2_event(NEW))
    assert routing.failed == ["m-0"]
    assert [order.cluster for order in rig.orders] == ["second"]


def test_a_revisit_keeps_counting_and_a_fresh_event_starts_again() -> None:
    """Back-off belongs to quiet clusters: news makes the pauses short again."""
    rig = Rig()
    again = encode_visit("demo", 3, "revisit", "e-1")
    rig.route(again)
    rig.route(again, ec2_event(OURS))
    assert [order.attempt for order in rig.orders] == [3, 0]


def test_a_revisit_of_a_cluster_that_left_the_fleet_is_dropped() -> None:
    """The fleet file decides who is visited."""
    routing = Rig().route(encode_visit("gone", 1, "revisit", "e-1"))
    assert routing.outcomes == {"no such cluster": 1}
    assert routing.failed == []


def test_what_is_left_of_an_approved_plan_has_a_visit_of_its_own() -> None:
    """Its approval goes with it and nowhere else; what cannot be ordered is given back to SQS."""
    rig = Rig()
    approved = encode_visit("demo", 2, "revisit", "e-1", approve="3f9a0c71d2e4", approved_at=factories.NOW)
    rig.route(encode_visit("demo", 1, "revisit", "e-2"), approved, ec2_event(OURS))
    window = int(factories.NOW.timestamp()) // WINDOW
    assert [(order.run_id, order.approve, order.approved_at, order.attempt) for order in rig.orders] == [
        (f"demo.{window}.3f9a0c71d2e4", "3f9a0c71d2e4", factories.NOW, 2),
        (f"demo.{window}", None, None, 0),
    ]
    assert rig.orders[0].reasons == ("revisit",)
    rig.queues.broken = lambda _group: Unreachable("SQS", "SendMessage", "500")
    assert rig.route(approved).failed == ["m-0"]
    gone = encode_visit("gone", 2, "revisit", "e-1", approve="3f9a0c71d2e4", approved_at=factories.NOW)
    assert rig.route(gone).outcomes == {"no such cluster": 1}


def test_an_order_carries_its_reasons_and_the_events_of_its_run_can_be_traced() -> None:
    """From event to run: the correlation ids are in the routing's record, the first one in the order."""
    rig = Rig()
    routing = rig.route(ec2_event(OURS, event_id="first"), ec2_event(OURS, "shutting-down", event_id="second"))
    (order,) = rig.orders
    assert order.correlation_id == "first"
    assert order.reasons == (f"{OURS} running", f"{OURS} shutting-down")
    assert routing.correlation == {order.run_id: ["first", "second"]}


@given(offsets=st.lists(st.floats(0, 300), min_size=1, max_size=60), skew=st.floats(-2, 2))
def test_no_wake_up_is_lost(offsets: list[float], skew: float) -> None:
    """Whatever the times of the events, the visit that each is folded into starts after it.

    A model of SQS: the first message with an id is accepted and delivered a queue delay later, repeats within five
    minutes vanish. The clock of the function may be off by a margin either way.
    """
    delay, margin = WINDOW + 5, 2
    rig = Rig()
    accepted: dict[str, float] = {}
    start = factories.NOW.timestamp()
    for offset in sorted(offsets):
        routing = rig.route(ec2_event(OURS), now=factories.NOW + timedelta(seconds=offset + skew))
        run = routing.runs["demo"]
        accepted.setdefault(run, start + offset)
        assert accepted[run] + delay > start + offset + margin
    windows = int(max(offsets) // WINDOW) - int(min(offsets) // WINDOW) + 2
    assert len(accepted) <= windows


def test_the_retry_message_is_the_event_once_more() -> None:
    """What comes back is parsed like what came first, one attempt older."""
    first = parse_body(ec2_event(NEW))
    assert isinstance(first, InstanceChanged)
    again: Any = parse_body(encode_retry(first))
    assert replace(again, attempt=0) == first
    assert again.attempt == 1
