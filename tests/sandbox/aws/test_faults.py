from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError

from sandbox.aws import AwsSandbox, Delay, Drop
from sandbox.aws.faults import (
    Call,
    CallLog,
    Refusal,
    Replay,
    TokenBuckets,
    Truncate,
    broken,
    denied,
    throttled,
)
from sandbox.timeline import SteppedTimeline
from tests.sandbox.aws.conftest import Net

ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def ec2(aws: AwsSandbox, impatient_ec2: Any) -> Any:
    return impatient_ec2


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        (throttled(), "RequestLimitExceeded", 503),
        (denied(), "UnauthorizedOperation", 403),
        (broken(), "InternalError", 500),
        (broken(503), "Unavailable", 503),
        (Refusal(400, "Odd<&>", "with <markup> & more"), "Odd<&>", 400),
    ],
)
def test_refusal_reaches_the_caller_as_ec2_would_say_it(
    aws: AwsSandbox, ec2: Any, fault: Refusal, code: str, status: int
) -> None:
    """Code, message and HTTP status arrive as the SDK's ClientError."""
    aws.faults.inject("ec2", "DescribeVpcs", fault)
    with pytest.raises(ClientError) as error:
        ec2.describe_vpcs()
    answer = error.value.response
    assert (answer["Error"]["Code"], answer["Error"]["Message"]) == (code, fault.message)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    assert ec2.describe_subnets()["Subnets"]


@pytest.mark.parametrize(
    ("service", "operation", "call"),
    [
        ("sqs", "ListQueues", lambda client: client.list_queues()),
        ("dynamodb", "ListTables", lambda client: client.list_tables()),
        ("sns", "ListTopics", lambda client: client.list_topics()),
        ("sts", "GetCallerIdentity", lambda client: client.get_caller_identity()),
        ("secretsmanager", "ListSecrets", lambda client: client.list_secrets()),
    ],
)
def test_refusal_speaks_every_service_s_protocol(aws: AwsSandbox, service: str, operation: str, call: Any) -> None:
    """JSON and query services show the same denial, and each call is recorded under its own name."""
    aws.faults.inject(service, operation, denied(service), times=1)
    client = aws.client(service, config=ONCE)
    with pytest.raises(ClientError) as error:
        call(client)
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"
    call(client)
    assert [(c.operation, c.status) for c in aws.calls.of(service)] == [(operation, 403), (operation, 200)]


def test_s3_refusal_and_names(aws: AwsSandbox) -> None:
    """S3 has no operation names on the wire: faults and calls go by method and path."""
    client = aws.client("s3", config=ONCE)
    client.create_bucket(Bucket="fleet", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.put_object(Bucket="fleet", Key="fleet.yaml", Body=b"clusters: []")
    aws.faults.inject("s3", "GET /fleet/fleet.yaml", Refusal(403, "AccessDenied", "no"), times=1)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.get_object(Bucket="fleet", Key="fleet.yaml")
    assert client.get_object(Bucket="fleet", Key="fleet.yaml")["Body"].read() == b"clusters: []"
    assert aws.calls.operations("s3")[-1] == "GET /fleet/fleet.yaml"


def test_fault_ends_after_its_times_or_when_healed(aws: AwsSandbox, ec2: Any) -> None:
    """`times` counts down; without it only healing helps; what another fault hits is left alone."""
    heal = aws.faults.inject("ec2", "DescribeVpcs", throttled())
    aws.faults.inject("ec2", "DescribeSubnets", throttled(), times=2)
    for _ in range(3):
        with pytest.raises(ClientError):
            ec2.describe_vpcs()
    for _ in range(2):
        with pytest.raises(ClientError):
            ec2.describe_subnets()
    ec2.describe_subnets()
    heal()
    ec2.describe_vpcs()
    aws.faults.inject("ec2", "*", throttled())
    aws.faults.heal("ec2", "DescribeVpcs")
    with pytest.raises(ClientError):
        ec2.describe_vpcs()
    aws.faults.heal()
    ec2.describe_vpcs()


def test_sdk_s_retries_get_through_a_short_throttle(aws: AwsSandbox) -> None:
    """A throttled call that is retried succeeds, and the record shows both tries."""
    aws.faults.inject("ec2", "DescribeVpcs", throttled(), times=1)
    aws.client("ec2").describe_vpcs()
    assert [call.status for call in aws.calls.of("ec2", "DescribeVpcs")] == [503, 200]


def test_dropped_connection_has_no_answer(aws: AwsSandbox, ec2: Any) -> None:
    """The caller sees a closed connection, and moto never saw the request."""
    aws.faults.inject("ec2", "CreateVpc", Drop(), times=1)
    before = len(ec2.describe_vpcs()["Vpcs"])
    with pytest.raises(ConnectionClosedError):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert len(ec2.describe_vpcs()["Vpcs"]) == before
    assert [call.status for call in aws.calls.of("ec2", "CreateVpc")] == [0]


def test_delay_answers_late_and_lets_others_pass(aws: AwsSandbox, ec2: Any) -> None:
    """A slow call is slow by itself."""
    aws.faults.inject("ec2", "DescribeVpcs", Delay(0.2))
    begun = time.perf_counter()
    ec2.describe_vpcs()
    assert time.perf_counter() - begun >= 0.2


def test_reservation_bucket_holds_five_and_refills_one_a_second(
    aws: AwsSandbox, net: Net, ec2: Any, timeline: SteppedTimeline
) -> None:
    """With EC2's budget switched on, the sixth create at once is
    throttled and one second buys one more; reads have a budget of their own.
    """
    aws.ec2_buckets.enabled = True
    net.ec2 = ec2
    for host in range(8, 13):
        net.reserve(f"10.0.1.{host}/32")
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        net.reserve("10.0.1.13/32")
    timeline.advance(1)
    net.reserve("10.0.1.13/32")
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        net.reserve("10.0.1.14/32")
    assert len(net.ec2.get_subnet_cidr_reservations(SubnetId=net.subnet)["SubnetIpv4CidrReservations"]) == 6


@pytest.mark.parametrize(
    ("operation", "size", "refill"),
    [
        ("CreateSubnetCidrReservation", 5, 1),
        ("AssignPrivateIpAddresses", 100, 5),
        ("RunInstances", 5, 2),
        ("CreateTags", 100, 10),
        ("DescribeInstances", 100, 20),
        ("GetSubnetCidrReservations", 100, 20),
        ("ModifySubnetAttribute", 50, 5),
    ],
)
def test_every_call_has_a_budget_of_its_own(operation: str, size: int, refill: int) -> None:
    """So many at once, so many more each second, and no other call takes from it."""
    now = [0.0]
    buckets = TokenBuckets(lambda: now[0])
    buckets.enabled = True
    assert sum(buckets.admits(operation) for _ in range(2 * size)) == size
    assert buckets.admits("DescribeVpcs")
    now[0] += 1.0
    assert sum(buckets.admits(operation) for _ in range(2 * refill + 2)) == refill


def test_call_log_is_bounded_and_keeps_the_newest() -> None:
    """A sandbox that runs for days does not grow."""
    log = CallLog(limit=2)
    for operation in "abc":
        log.add(Call("ec2", operation, 0.0, 200))
    assert log.operations("ec2") == ["b", "c"]


def test_a_page_instead_of_an_answer(aws: AwsSandbox, ec2: Any) -> None:
    """What a load balancer says for a service is in no protocol of that service."""
    aws.faults.inject("ec2", "DescribeVpcs", Refusal(502, "BadGateway", "Bad Gateway", html=True))
    with pytest.raises((ClientError, ResponseParserError)):
        ec2.describe_vpcs()


def test_an_answer_lost_after_the_effect(aws: AwsSandbox, ec2: Any) -> None:
    """The call worked, which the caller cannot know."""
    aws.faults.inject("ec2", "CreateVpc", Drop(after_effect=True), times=1)
    with pytest.raises(ConnectionClosedError):
        ec2.create_vpc(CidrBlock="10.77.0.0/16")
    assert "10.77.0.0/16" in [vpc["CidrBlock"] for vpc in ec2.describe_vpcs()["Vpcs"]]


def test_an_answer_cut_in_half(aws: AwsSandbox, ec2: Any) -> None:
    """An answer that ends before its length is no answer, and never a shorter list."""
    aws.faults.inject("ec2", "DescribeVpcs", Truncate(), times=1)
    with pytest.raises((BotoCoreError, ResponseParserError)):
        ec2.describe_vpcs()
    assert ec2.describe_vpcs()["Vpcs"]


def test_an_earlier_answer_again(aws: AwsSandbox, ec2: Any) -> None:
    """A replica that lags behind: what was overheard once is said again, and nothing is done."""
    heard: list[Replay] = []
    aws.overhear = lambda request, answer: heard.append(answer) if request.operation == "DescribeVpcs" else None
    before = ec2.describe_vpcs()["Vpcs"]
    ec2.create_vpc(CidrBlock="10.78.0.0/16")
    aws.intercept = lambda request: heard[0] if request.operation == "DescribeVpcs" else None
    assert ec2.describe_vpcs()["Vpcs"] == before
    aws.intercept = lambda _request: None
    assert len(ec2.describe_vpcs()["Vpcs"]) == len(before) + 1
