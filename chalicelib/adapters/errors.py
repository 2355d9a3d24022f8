"""What can go wrong outside, in our words. Adapters translate once, at their edge, and chain the cause.

Decide by type, never by message text. Messages are short and free of tokens, secrets and bodies.
"""

from __future__ import annotations


class AdapterError(Exception):
    """An outside system did not do what was asked.

    Attributes:
        source: The system, as findings name it: "cluster API", "EC2", "OCM", "SNS", "SQS", "DynamoDB",
            "Secrets Manager".
        operation: What was asked, in the system's own words ("DescribeSubnets", "list nodes").
        retryable: Asking again later may help. False means a person must change something.
    """

    retryable = False

    def __init__(self, source: str, operation: str, detail: str) -> None:
        self.source = source
        self.operation = operation
        self.detail = detail
        super().__init__(f"{source}: {operation}: {detail}")


class Unreachable(AdapterError):
    """No usable answer: connection refused or cut, time-out, 5xx, a body that is not what the system sends."""

    retryable = True


class Throttled(AdapterError):
    """The system asked us to slow down, and our own bounded retries are used up."""

    retryable = True


class Denied(AdapterError):
    """Credentials missing, expired or not allowed to do this (401, 403, UnauthorizedOperation)."""


class NotFound(AdapterError):
    """The object that the operation names does not exist."""


class Rejected(AdapterError):
    """The system understood and refused: invalid value, failed validation, admission policy."""


class Conflict(AdapterError):
    """Somebody else holds what we wanted to write; observe again or leave it to a person.

    Attributes:
        managers: Field managers by the field path they own, for server-side apply; empty otherwise.
    """

    retryable = True

    def __init__(self, source: str, operation: str, detail: str, managers: dict[str, str] | None = None) -> None:
        super().__init__(source, operation, detail)
        self.managers = managers or {}
