"""What arrives: the payloads in `events/`, our own messages there and back, and anything else without an exception."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from chalice.app import Chalice, Response
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.events.models import EventPattern

from chalicelib.events import (
    EC2_STATE_CHANGE,
    InstanceChanged,
    Malformed,
    SqsRecord,
    VisitRequested,
    WorkOrder,
    encode_retry,
    encode_visit,
    encode_work,
    parse_body,
    parse_event,
    parse_work,
    sqs_records,
)

EVENTS = Path(__file__).parents[1] / "events"
ACCOUNT = "123456789012"

RUNNING = InstanceChanged(
    event_id="7bf73129-1428-4cd3-a780-95db273d1602",
    account=ACCOUNT,
    region="eu-central-1",
    instance_id="i-0a1b2c3d4e5f60718",
    state="running",
    at=datetime(2026, 9, 1, 21, 29, 54, tzinfo=UTC),
)
TERMINATED = InstanceChanged(
    event_id="c0f5a3de-0b1e-4f6b-9a53-2d6f5a1c7e10",
    account=ACCOUNT,
    region="eu-central-1",
    instance_id="i-0f9e8d7c6b5a40312",
    state="terminated",
    at=datetime(2026, 9, 1, 21, 31, 7, tzinfo=UTC),
)


def sample(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def running(**changes: Any) -> dict[str, Any]:
    return {**sample("ec2-instance-running"), **changes}


@pytest.mark.parametrize(
    ("name", "expected"), [("ec2-instance-running", RUNNING), ("ec2-instance-terminated", TERMINATED)]
)
def test_events_of_ec2_are_read(name: str, expected: InstanceChanged) -> None:
    """A state change in the shape that AWS documents becomes a typed trigger, its time in UTC."""
    assert parse_event(sample(name)) == expected


def test_a_batch_of_the_events_queue_is_read() -> None:
    """Lambda's SQS batch gives raw events, our own visits and events that came back, each in its type and order."""
    parsed = [parse_body(record.body) for record in sqs_records(sample("sqs-events-batch"))]
    back = replace(
        RUNNING,
        event_id="0d9a7c11-5b84-4c07-8f43-6f1f0d2f9b3e",
        instance_id="i-00112233445566778",
        at=datetime(2026, 9, 1, 21, 29, 58, tzinfo=UTC),
        attempt=1,
    )
    revisit = VisitRequested("payments-prod", 2, "revisit after payments-prod.59609939", RUNNING.event_id)
    assert parsed == [RUNNING, TERMINATED, revisit, back]


def test_a_work_message_is_read() -> None:
    """The FIFO batch carries one work order, with its message id and how often it was delivered."""
    (record,) = sqs_records(sample("sqs-work"))
    assert (record.message_id, record.receive_count) == ("11d6ee51-4cc7-4302-9e22-7cd8afdaadf5", 1)
    assert parse_work(record.body) == WorkOrder(
        run_id="payments-prod.59609939",
        cluster="payments-prod",
        reasons=("i-0a1b2c3d4e5f60718 running", "i-0f9e8d7c6b5a40312 terminated"),
        attempt=0,
        correlation_id="7bf73129-1428-4cd3-a780-95db273d1602",
    )


@pytest.mark.parametrize(
    ("event", "delivered"),
    [
        (sample("ec2-instance-running"), True),
        (sample("ec2-instance-terminated"), True),
        (running(detail={"instance-id": "i-0a1b2c3d4e5f60718", "state": "shutting-down"}), True),
        (running(detail={"instance-id": "i-0a1b2c3d4e5f60718", "state": "pending"}), False),
        (running(detail={"instance-id": "i-0a1b2c3d4e5f60718", "state": "stopped"}), False),
        (running(source="custom.ec2"), False),
        (running(**{"detail-type": "EC2 Spot Instance Interruption Warning"}), False),
        (sample("schedule"), False),
    ],
    ids=["running", "terminated", "shutting-down", "pending", "stopped", "other source", "other type", "schedule"],
)
def test_the_rule_takes_what_it_should(event: dict[str, Any], delivered: bool) -> None:
    """EventBridge delivers the three states that change capacity, and nothing else, by the pattern that is packaged."""
    assert EventPattern.load(json.dumps(EC2_STATE_CHANGE)).matches_event(event) is delivered


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (running(source="aws.s3"), 'source: "aws.s3"; allowed: aws.ec2'),
        (
            running(**{"detail-type": "Scheduled Event"}),
            'detail-type: "Scheduled Event"; allowed: EC2 Instance State-change Notification',
        ),
        (running(detail=None), "detail: is missing; allowed is a JSON object"),
        (running(id=""), 'id: ""; allowed is text of 1 to 1000 characters'),
        (running(account="12345"), 'account: "12345"; allowed is 12 digits'),
        (running(region=["eu"]), "region: is a list; allowed is an AWS Region such as eu-central-1"),
        (
            running(time="2026-09-01T21:29:54"),
            'time: "2026-09-01T21:29:54"; allowed is a time such as 2026-09-01T21:29:54Z',
        ),
        (
            running(time="0001-01-01T00:00:00+23:59"),
            'time: "0001-01-01T00:00:00+23:59"; allowed is a time such as 2026-09-01T21:29:54Z',
        ),
        (
            running(detail={"instance-id": "i-12", "state": "running"}),
            'detail.instance-id: "i-12"; allowed is i- and 8 or 17 hexadecimal digits',
        ),
        (
            running(detail={"instance-id": "i-0a1b2c3d4e5f60718", "state": "melting"}),
            'detail.state: "melting"; allowed: pending, running, stopping, stopped, shutting-down, terminated',
        ),
        ({"keeper": "dance"}, 'keeper: "dance"; allowed are visit, retry-instance, or no such key'),
        ({"keeper": "visit"}, "cluster: is missing; allowed is a cluster's name"),
        (
            {"keeper": "visit", "cluster": "a", "attempt": True},
            "attempt: true; allowed is a whole number from 0 to 1000000",
        ),
        (
            {"keeper": "visit", "cluster": "a", "attempt": 10**5000},
            "attempt: a very large number; allowed is a whole number from 0 to 1000000",
        ),
        ({"keeper": "retry-instance", "attempt": 1}, "event: is missing; allowed is a JSON object"),
        (
            {"keeper": "retry-instance", "attempt": 1, "event": {"keeper": "visit"}},
            "event.source: is missing; allowed: aws.ec2",
        ),
        (object(), "message: is of type object; allowed is a JSON object"),
        (["running"], "message: is a list; allowed is a JSON object"),
    ],
)
def test_what_is_wrong_is_named(event: object, why: str) -> None:
    """A message that can't be read says which field, what was there and what is allowed."""
    assert parse_event(event) == Malformed(why)


@pytest.mark.parametrize(
    "body",
    ["", "{", "\x00", "[" * 100_000, "9" * 10_000, "null", '"text"', "NaN"],
    ids=["empty", "cut", "control", "deep", "huge number", "null", "string", "nan"],
)
def test_no_json_is_an_answer_too(body: str) -> None:
    """A body that is no JSON, or JSON that Python gives up on, is malformed and never an exception."""
    assert isinstance(parse_body(body), Malformed)
    assert isinstance(parse_work(body), Malformed)


def test_a_bad_value_is_cut() -> None:
    """A log line names at most 80 characters of a bad value, escaped: nobody writes lines into our log."""
    answer = parse_event(running(id="", source="x\n" * 5000))
    assert isinstance(answer, Malformed)
    assert "\n" not in answer.why
    assert len(answer.why) < 120


laws = settings(max_examples=100, deadline=None)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
GOOD = [
    sample("ec2-instance-running"),
    *(json.loads(record.body) for record in sqs_records(sample("sqs-events-batch"))),
    json.loads(sqs_records(sample("sqs-work"))[0].body),
]


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """A good message with some of its fields replaced by anything: it gets past the first checks."""
    message = json.loads(json.dumps(draw(st.sampled_from(GOOD))))
    targets = [message, *(value for value in message.values() if isinstance(value, dict))]
    for _ in range(draw(st.integers(1, 3))):
        target = draw(st.sampled_from(targets))
        target[draw(st.sampled_from(sorted(target) or ["x"]))] = draw(JSON_VALUES)
    return dict(message)


@laws
@given(JSON_VALUES | spoilt())
def test_parsing_never_raises(value: object) -> None:
    """Whatever JSON arrives is an answer: an exception would bring the message back until it is a dead letter."""
    answer = parse_event(value)
    assert isinstance(answer, InstanceChanged | VisitRequested | Malformed)
    body = json.dumps(value)
    assert parse_body(body) == answer
    assert isinstance(parse_work(body), WorkOrder | Malformed)


@laws
@given(st.text(max_size=60))
def test_text_never_raises(body: str) -> None:
    """Whatever text arrives is an answer."""
    assert isinstance(parse_body(body), InstanceChanged | VisitRequested | Malformed)
    assert isinstance(parse_work(body), WorkOrder | Malformed)


NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
TEXTS = st.text(min_size=1, max_size=60)
ATTEMPTS = st.integers(0, 1000)
MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2), max_value=datetime(2999, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001 - the strategy adds the zone
)  # fmt: skip


APPROVED = st.none() | st.just("3f9a0c71d2e4")


REVISITS = st.builds(
    VisitRequested,
    cluster=NAMES,
    attempt=ATTEMPTS,
    reason=TEXTS,
    correlation_id=TEXTS,
    approve=APPROVED,
    approved_at=st.none() | MOMENTS,
)


@laws
@given(REVISITS)
def test_a_visit_comes_back_as_it_was_sent(sent: VisitRequested) -> None:
    """What we put on the events queue is what we read from it."""
    body = encode_visit(
        sent.cluster,
        sent.attempt,
        sent.reason,
        sent.correlation_id,
        approve=sent.approve,
        approved_at=sent.approved_at,
    )
    assert parse_body(body) == sent


def test_messages_of_earlier_versions_are_read() -> None:
    """What is in the queues while a new version is deployed says nothing of an approval, or not when it was given."""
    revisit = {"keeper": "visit", "cluster": "a", "attempt": 1, "reason": "r", "correlation_id": "c"}
    assert parse_body(json.dumps(revisit)) == VisitRequested("a", 1, "r", "c")
    order = {"keeper": "work", "run_id": "a.1", "cluster": "a", "reasons": [], "attempt": 0, "correlation_id": "c"}
    assert parse_work(json.dumps({**order, "approve": "d"})) == WorkOrder("a.1", "a", (), 0, "c", "d")
    for bad in ("yesterday", "2026-09-01T21:29:54", 5):
        malformed = parse_work(json.dumps({**order, "approved_at": bad}))
        assert isinstance(malformed, Malformed)
        assert malformed.why.startswith("approved_at: ")


@laws
@given(TEXTS, MOMENTS, st.sampled_from(["running", "pending", "terminated"]), ATTEMPTS)
def test_an_event_put_back_counts_its_attempts(event_id: str, at: datetime, state: str, attempt: int) -> None:
    """An event for an instance that EC2 does not know yet comes back the same, with one more attempt."""
    changed = replace(RUNNING, event_id=event_id, at=at, state=state, attempt=attempt)
    assert parse_body(encode_retry(changed)) == replace(changed, attempt=attempt + 1)


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    """Times are compared across events, so they are kept in UTC whatever zone they are written in."""
    elsewhere = RUNNING.at.astimezone(timezone(timedelta(hours=5, minutes=30)))
    parsed = parse_event(running(time=elsewhere.isoformat()))
    assert isinstance(parsed, InstanceChanged)
    assert (parsed.at, parsed.at.tzinfo) == (RUNNING.at, UTC)


ORDERS = st.builds(
    WorkOrder,
    run_id=TEXTS,
    cluster=NAMES,
    reasons=st.lists(TEXTS, max_size=4).map(tuple),
    attempt=ATTEMPTS,
    correlation_id=TEXTS,
    approve=APPROVED,
    approved_at=st.none() | MOMENTS,
)


@laws
@given(ORDERS)
def test_a_work_order_comes_back_as_it_was_sent(order: WorkOrder) -> None:
    """What we put on the work queue is what we read from it, in characters that SQS takes."""
    body = encode_work(order)
    assert body.isascii()
    assert body.isprintable()
    assert parse_work(body) == order


def test_a_visit_is_no_work_order() -> None:
    """Messages of one queue are not taken for those of the other."""
    assert parse_work(encode_visit("a", 0, "r", "c")) == Malformed('keeper: "visit"; allowed: work')
    assert isinstance(parse_body(encode_work(WorkOrder("a.1", "a", (), 0, "c"))), Malformed)


@pytest.mark.parametrize("event", [{}, {"Records": None}, {"Records": [{}]}, {"Records": ["x"]}, {"Records": [None]}])
def test_what_is_no_batch_is_an_error(event: dict[str, Any]) -> None:
    """Something else than a batch must not look like an empty one: Lambda would delete what nobody read."""
    with pytest.raises(ValueError, match="not an SQS batch"):
        sqs_records(event)


def test_a_record_without_attributes_counts_as_first_delivery() -> None:
    """Test clients send records without attributes; they are first deliveries."""
    assert sqs_records({"Records": [{"messageId": "m", "body": "b"}]}) == (SqsRecord("m", "b", 1),)


@pytest.mark.parametrize(
    ("name", "route", "method", "answer"),
    [
        ("api-get-capacity", "/clusters/{name}/capacity", "GET", {"cluster": "payments-prod", "body": None}),
        (
            "api-post-reconcile",
            "/clusters/{name}/reconcile",
            "POST",
            {"cluster": "payments-prod", "body": {"approve": "3f9a0c71d2e4"}},
        ),
    ],
)
def test_requests_are_what_chalice_reads(name: str, route: str, method: str, answer: dict[str, Any]) -> None:
    """The REST payloads are whole enough for Chalice's own decoding: route, path parameter, JSON body."""
    app = Chalice(app_name="shape")

    @app.route(route, methods=[method])
    def echo(name: str) -> Response:
        return Response({"cluster": name, "body": app.current_request.json_body})

    reply = app(sample(name), None)
    assert (reply["statusCode"], json.loads(reply["body"])) == (200, answer)


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_payloads_are_scrubbed(path: Path) -> None:
    """Every account number in the samples is the documentation's, every address one reserved for documentation."""
    text = path.read_text()
    assert set(re.findall(r"(?<![0-9])[0-9]{12}(?![0-9])", text)) <= {ACCOUNT}
    assert all(address.startswith("192.0.2.") for address in re.findall(r"[0-9]+(?:\.[0-9]+){3}", text))
    assert json.loads(text)
