"""AWS clients: built in one place, on first use, with bounded retries and time-outs, counted, errors in our words.

Belongs here: sessions, credentials, the call itself, paging. Does not belong here: what any service is asked.

botocore directly, not boto3: the same clients without the resource layer, about 90 ms sooner in a cold start. It is
imported inside functions, because a function that makes no AWS call must not pay for it.
`AWS_ENDPOINT_URL` and the other standard variables are honoured by botocore itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from threading import RLock
from typing import Any, TypeVar

from chalicelib.adapters.aws_errors import translate_client_error, translate_core_error
from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.errors import Unreachable

T = TypeVar("T")

IAM_ACTIONS = frozenset({"sts:AssumeRole"})
"""Needed only where a cluster names a role."""

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 20.0
ATTEMPTS = 5
SYSTEMS = {"ec2": "EC2", "sns": "SNS", "sqs": "SQS", "dynamodb": "DynamoDB", "s3": "S3", "sts": "STS",
           "secretsmanager": "Secrets Manager"}  # fmt: skip
"""How errors and counters name the services."""

_building = RLock()
"""Creating sessions and clients is not safe from several threads, using them is (botocore's documentation)."""


class Aws:
    """The AWS account and Region that clients are for.

    Args:
        region: None leaves it to the environment (Lambda sets `AWS_DEFAULT_REGION`).
        role_arn: Role to assume first; its credentials renew themselves before they expire.
        calls: Where requests are counted.
        attempts: Tries for each call, the first included; botocore's standard mode waits, with jitter, in between.
    """

    def __init__(
        self,
        region: str | None = None,
        *,
        role_arn: str | None = None,
        calls: CallCounter | None = None,
        attempts: int = ATTEMPTS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> None:
        self._region = region
        self._role_arn = role_arn
        self._calls = calls or CallCounter()
        self._attempts = attempts
        self._read_timeout_seconds = read_timeout_seconds
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Send one request and return the answer.

        Args:
            service: botocore's name of the service ("ec2").
            operation: The operation as AWS and its policies spell it ("DescribeSubnets").

        Raises:
            AdapterError: Whatever went wrong, retries included. The botocore error is the cause.

        For the services that speak JSON, botocore takes a body that is not JSON for an empty answer: who needs a
        member of the answer checks that it is there.
        """
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        source = SYSTEMS[service]
        try:
            method = getattr(self._client(service), xform_name(operation))
            answer: dict[str, Any] = method(**parameters)
        except ClientError as error:
            # With a role, what failed may be the step before ours.
            source = SYSTEMS["sts"] if error.operation_name == "AssumeRole" else source
            raise translate_client_error(source, error.operation_name, error) from error
        except (BotoCoreError, ResponseParserError) as error:
            raise translate_core_error(source, operation, error) from error
        return answer

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the answers page by page, by `NextToken`. A page that fails raises: those before are not all."""
        seen: set[str] = set()
        while True:
            answer = self.call(service, operation, **parameters)
            yield answer
            token = answer.get("NextToken")
            if not token:
                return
            if token in seen:  # a server that repeats itself would keep us here until the function is killed
                raise Unreachable(SYSTEMS[service], operation, "the pages repeat themselves")
            seen.add(token)
            parameters["NextToken"] = token

    def _client(self, service: str) -> Any:
        with _building:
            if service not in self._clients:
                self._session = self._session or self._new_session()
                self._clients[service] = self._build(self._session, service)
            return self._clients[service]

    def _build(self, session: Any, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "total_max_attempts": self._attempts},
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=self._read_timeout_seconds,
            user_agent_extra="egress-keeper",
        )
        client = session.create_client(service, region_name=self._region, config=config)
        # `before-send` fires for every attempt, also for those that botocore repeats by itself.
        client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}", self._count)
        return client

    def _count(self, event_name: str, **_: Any) -> None:
        service_id, operation = event_name.split(".")[1:]
        self._calls.add(SYSTEMS[service_id.replace("-", "")], operation)

    def _new_session(self) -> Any:
        base = base_session()
        if not self._role_arn:
            return base
        from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
        from botocore.session import Session

        refreshed = DeferredRefreshableCredentials(refresh_using=self._assume_role, method="assume-role")

        class AssumedRole(CredentialProvider):  # type: ignore[misc]  # botocore carries no types
            METHOD = "assume-role"

            def load(self) -> Any:
                return refreshed

        session = Session()
        session.register_component("data_loader", base.get_component("data_loader"))
        session.register_component("credential_provider", CredentialResolver([AssumedRole()]))
        return session

    def _assume_role(self) -> dict[str, str]:
        with _building:
            sts = self._build(base_session(), "sts")
        given = sts.assume_role(RoleArn=self._role_arn, RoleSessionName="egress-keeper")["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }


@cache
def base_session() -> Any:
    """The process's own credentials and the service descriptions, read once."""
    from botocore.session import Session

    return Session()


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield *items* in lists of at most *size*, in their order; nothing for no items."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def tags_by_key(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Turn EC2's list of `Key`/`Value` pairs into a mapping."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags}
