"""Without a socket a client hears the same as over one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from sandbox.aws import AwsSandbox, Drop
from sandbox.aws.faults import Refusal, Truncate, throttled

ONCE = Config(retries={"total_max_attempts": 1})
FAULTS = (Drop(), Drop(after_effect=True), Truncate(), Refusal(502, "BadGateway", "Bad Gateway", html=True))


def heard(call: Callable[[], Any]) -> Any:
    """What the caller gets: an answer without what differs in every answer, or the kind of its failure."""
    try:
        answer = call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    except (BotoCoreError, ResponseParserError) as error:
        return type(error).__name__
    return answer.pop("ResponseMetadata")["HTTPStatusCode"], answer


@pytest.mark.parametrize(("service", "operation"), [("ec2", "DescribeSubnets"), ("dynamodb", "ListTables")])
def test_a_client_without_a_socket_hears_what_one_with_a_socket_hears(
    aws: AwsSandbox, service: str, operation: str
) -> None:
    """An answer, a refusal and a broken connection are the same to the caller, and recorded alike."""
    client = aws.client(service, config=ONCE)
    call = getattr(client, xform_name(operation))

    def everything() -> list[Any]:
        told = [heard(call)]
        for fault in (*FAULTS, throttled(service)):
            aws.faults.inject(service, operation, fault, times=1)
            told.append(heard(call))
        recorded = [made.status for made in aws.calls.of(service)]
        aws.calls.clear()
        return [*told, recorded]

    by_socket = everything()
    aws.shorten(client)
    assert everything() == by_socket


def test_a_file_is_put_and_read_without_a_socket(aws: AwsSandbox) -> None:
    """Bodies go both ways, streams included."""
    client = aws.client("s3", config=ONCE)
    aws.shorten(client)
    client.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": aws.region})
    client.put_object(Bucket="files", Key="a b/ä.yaml", Body="ä: 1\n".encode())
    assert client.get_object(Bucket="files", Key="a b/ä.yaml")["Body"].read().decode() == "ä: 1\n"
