"""Clients, credentials, retries, paging and errors: what every AWS adapter stands on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.adapters.aws import Aws, base_session, in_batches
from chalicelib.adapters.aws_errors import short
from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.errors import AdapterError, Denied, NotFound, Rejected, Throttled, Unreachable
from tests.adapters.aws_helpers import ec2_answer, ec2_error, query_error, xml
from tests.adapters.wire import HANG_UP, Reply, ScriptedServer

PUBLISHED = Reply(200, xml("PublishResponse", {"PublishResult": {"MessageId": "m-1"}}), {"Content-Type": "text/xml"})


def publish(aws: Aws) -> None:
    aws.call("sns", "Publish", TopicArn="arn:aws:sns:eu-central-1:1:t", Message="hello")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(query_error(400, "Throttling", "Rate exceeded"), Throttled, id="throttled"),
        pytest.param(query_error(503, "RequestLimitExceeded"), Throttled, id="EC2 throttles with 503"),
        pytest.param(query_error(429, "Whatever"), Throttled, id="429"),
        pytest.param(query_error(403, "AuthorizationError", "not authorized"), Denied, id="denied"),
        pytest.param(query_error(400, "ExpiredToken"), Denied, id="expired, with status 400"),
        pytest.param(query_error(403, "SomethingNew"), Denied, id="403 of an unknown code"),
        pytest.param(query_error(404, "NotFound", "Topic does not exist"), NotFound, id="not found"),
        pytest.param(query_error(400, "InvalidSubnetID.NotFound"), NotFound, id="EC2's not found"),
        pytest.param(query_error(500, "InternalFailure"), Unreachable, id="500"),
        pytest.param(query_error(400, "RequestTimeout"), Unreachable, id="their time-out"),
        pytest.param(query_error(400, "InvalidParameterValue", "no"), Rejected, id="rejected"),
        pytest.param(Reply(503, "<html><body>busy</body></html>"), Unreachable, id="503 HTML"),
        pytest.param(Reply(503, "<!DOCTYPE html><html>busy"), Unreachable, id="503, not even XML"),
        pytest.param(Reply(200, "<html>welcome", {"Content-Type": "text/html"}), Unreachable, id="200 HTML"),
        pytest.param(HANG_UP, Unreachable, id="cut"),
        pytest.param(Reply(200, "<x/>", cut=2), Unreachable, id="half an answer"),
    ],
)
def test_errors_by_code(aws_script: ScriptedServer, aws: Aws, reply: Reply, kind: type[AdapterError]) -> None:
    """Whatever AWS or the way to it answers becomes one of our errors, by code and status, with the cause chained."""
    aws_script.will(reply)
    with pytest.raises(AdapterError) as raised:
        publish(aws)
    assert type(raised.value) is kind
    assert (raised.value.source, raised.value.operation) == ("SNS", "Publish")
    assert raised.value.__cause__ is not None


def test_nobody_there_is_unreachable(monkeypatch: pytest.MonkeyPatch, aws_script: ScriptedServer) -> None:
    """A refused connection is an outage, not a bug."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Unreachable, match="EndpointConnectionError"):
        publish(Aws(attempts=1))


def test_a_slow_answer_costs_the_read_timeout(aws_script: ScriptedServer) -> None:
    """Without an answer in time the call is given up."""
    aws_script.will(Reply(delay_seconds=5.0))
    with pytest.raises(Unreachable, match="ReadTimeoutError"):
        publish(Aws(attempts=1, read_timeout_seconds=0.2))


def test_a_wrong_parameter_is_rejected_before_it_is_sent(aws_script: ScriptedServer, aws: Aws) -> None:
    """What botocore's own check finds is told like AWS's."""
    with pytest.raises(Rejected, match="ParamValidationError"):
        aws.call("sns", "Publish", Message=7)
    assert aws_script.sent == []


@pytest.fixture
def fresh_session() -> Iterator[None]:
    """A process that has not looked for credentials yet; the next test looks anew as well."""
    base_session.cache_clear()
    yield
    base_session.cache_clear()


def test_without_credentials_it_is_denied(
    aws_script: ScriptedServer, monkeypatch: pytest.MonkeyPatch, fresh_session: None
) -> None:
    """Missing credentials are for a person to mend."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(Denied, match="NoCredentialsError"):
        publish(Aws())


def test_repeats_are_bounded_and_counted(aws_script: ScriptedServer) -> None:
    """A passing error is repeated as often as allowed, and every request sent is in the numbers."""
    calls = CallCounter()
    aws_script.will(query_error(503, "ServiceUnavailable"), PUBLISHED, *[query_error(503, "ServiceUnavailable")] * 3)
    aws = Aws(calls=calls, attempts=2)
    publish(aws)
    with pytest.raises(Unreachable):
        publish(aws)
    assert calls.by_operation == {("SNS", "Publish"): 4}
    assert len(aws_script.sent) == 4


def test_a_request_says_who_asks(aws_script: ScriptedServer) -> None:
    """The requests are ours to find in CloudTrail."""
    aws_script.will(PUBLISHED)
    publish(Aws("us-east-2"))
    [sent] = aws_script.sent
    assert "egress-keeper" in sent.headers["User-Agent"].split()
    assert "/us-east-2/sns/aws4_request" in sent.headers["Authorization"]


def test_pages_follow_the_token(aws_script: ScriptedServer, aws: Aws) -> None:
    """Every page is asked for with the token of the one before and the parameters of the first."""
    aws_script.will(ec2_answer("DescribeSubnets", nextToken="two"), ec2_answer("DescribeSubnets"))
    answers = list(aws.pages("ec2", "DescribeSubnets", MaxResults=5))
    assert len(answers) == 2
    assert [(sent.form["MaxResults"], sent.form.get("NextToken")) for sent in aws_script.sent] == [
        ("5", None),
        ("5", "two"),
    ]


def test_a_failed_page_fails_the_list(aws_script: ScriptedServer, aws: Aws) -> None:
    """A page that could not be fetched is an error, never a shorter list."""
    aws_script.will(ec2_answer("DescribeSubnets", nextToken="two"), ec2_error(403, "UnauthorizedOperation", "no"))
    with pytest.raises(Denied):
        list(aws.pages("ec2", "DescribeSubnets"))


def test_pages_that_go_in_circles_end(aws_script: ScriptedServer, aws: Aws) -> None:
    """A repeated token is not followed for ever."""
    aws_script.will(*[ec2_answer("DescribeSubnets", nextToken="again")] * 2)
    with pytest.raises(Unreachable, match="repeat themselves"):
        list(aws.pages("ec2", "DescribeSubnets"))


def assumed(key: str, lives: timedelta) -> Reply:
    credentials = {
        "AccessKeyId": key,
        "SecretAccessKey": "s",
        "SessionToken": f"session-{key}",
        "Expiration": (datetime.now(UTC) + lives).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    body = xml("AssumeRoleResponse", {"AssumeRoleResult": {"Credentials": credentials}})
    return Reply(200, body, {"Content-Type": "text/xml"})


ROLE = "arn:aws:iam::123456789012:role/egress-keeper"


def test_a_role_is_assumed_once_and_renewed_in_time(aws_script: ScriptedServer) -> None:
    """Another account's calls carry that role's credentials; new ones are fetched before the old ones end."""
    calls = CallCounter()
    aws = Aws("us-east-2", role_arn=ROLE, calls=calls)
    aws_script.will(assumed("ASIAFIRST", timedelta(seconds=60)), PUBLISHED)
    publish(aws)
    aws_script.will(assumed("ASIASECOND", timedelta(hours=1)), PUBLISHED, PUBLISHED)
    publish(aws)
    publish(aws)
    assert [sent.form["Action"] for sent in aws_script.sent] == [
        "AssumeRole",
        "Publish",
        "AssumeRole",
        "Publish",
        "Publish",
    ]
    assert (aws_script.sent[0].form["RoleArn"], aws_script.sent[0].form["RoleSessionName"]) == (ROLE, "egress-keeper")
    used = [sent.headers["Authorization"].split("Credential=")[1].split("/")[0] for sent in aws_script.sent]
    assert used == ["test", "ASIAFIRST", "test", "ASIASECOND", "ASIASECOND"]
    assert calls.by_operation == {("SNS", "Publish"): 3, ("STS", "AssumeRole"): 2}


def test_a_role_that_may_not_be_assumed(aws_script: ScriptedServer) -> None:
    """The error names the step that failed, not the call behind it."""
    aws_script.will(query_error(403, "AccessDenied", "not authorized to perform: sts:AssumeRole"))
    with pytest.raises(Denied, match="STS: AssumeRole: AccessDenied"):
        publish(Aws(role_arn=ROLE))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("one line", "one line", id="short"),
        pytest.param("one\n\nThe Canonical String: x-amz-security-token:SECRET", "one", id="signed request"),
        pytest.param("You may not. Encoded authorization failure message: abc", "You may not.", id="encoded message"),
        pytest.param("x" * 300, "x" * 199 + "…", id="long"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_messages_are_kept_short(text: str, kept: str) -> None:
    """Only the first line of AWS's message goes into alerts and logs: the rest can be long, or secret."""
    assert short(text) == kept


def test_no_error_tells_a_secret(aws_script: ScriptedServer, aws: Aws) -> None:
    """AWS quotes the whole signed request when a signature does not match; we do not."""
    message = "The signature does not match.\n\nThe Canonical String was\nx-amz-security-token:TOP-SECRET"
    aws_script.will(query_error(403, "SignatureDoesNotMatch", message))
    with pytest.raises(Denied) as raised:
        publish(aws)
    assert "TOP-SECRET" not in str(raised.value)


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (7, [3, 3, 1])])
def test_batches(count: int, sizes: list[int]) -> None:
    """Batches are full but for the last, and nothing asks for nothing."""
    batches = list(in_batches(range(count), 3))
    assert [len(batch) for batch in batches] == sizes
    assert [item for batch in batches for item in batch] == list(range(count))
