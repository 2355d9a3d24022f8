"""AWS errors in our words, by error code and HTTP status. The one table that says what a code means for us.

Belongs here: translation of what botocore raises. Does not belong here: what an adapter makes of a particular code
before that, such as a failed condition in DynamoDB.
"""

from __future__ import annotations

from typing import Any

from chalicelib.adapters.errors import AdapterError, Denied, NotFound, Rejected, Throttled, Unreachable

THROTTLED_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "KmsThrottled",
        "KMSThrottled",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "AuthorizationError",
        "Blocked",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidSignatureException",
        "InvalidToken",
        "KMSAccessDenied",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "PendingVerification",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
NOT_FOUND_CODES = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NoSuchKey",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
"""Beside these, every code that ends in `.NotFound` (EC2)."""

UNREACHABLE_CODES = frozenset(
    {"InternalError", "InternalFailure", "InternalServerError", "InternalServiceError", "RequestTimeout",
     "RequestTimeoutException", "ServiceUnavailable", "Unavailable"}
)  # fmt: skip
"""Beside these, every answer with status 500 or above."""


def short(text: str, limit: int = 200) -> str:
    """The first line of *text*, cut to *limit* characters.

    What follows the first line can be long or secret: EC2 appends an encoded authorisation message, and a signature
    mismatch quotes the whole signed request, session token included.
    """
    line = text.strip().split("\n", 1)[0].split(" Encoded authorization failure message", 1)[0].strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def error_code(error: object) -> str:
    """The AWS error code of a botocore `ClientError`; an empty text for any other exception, and for None."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def translate_client_error(source: str, operation: str, error: Any) -> AdapterError:
    """Turn a botocore `ClientError` into one of ours; the detail is `Code: first line of the message`."""
    code = error_code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = short(str(error.response.get("Error", {}).get("Message", "")))
    detail = f"{code}: {message}" if message else code
    return _kind(code, status)(source, operation, detail)


def _kind(code: str, status: int) -> type[AdapterError]:
    # Codes before statuses: EC2 throttles with 503, which must not look like an outage.
    if code in THROTTLED_CODES or status == 429:
        return Throttled
    if code in DENIED_CODES:
        return Denied
    if code in NOT_FOUND_CODES or code.endswith(".NotFound"):
        return NotFound
    if code in UNREACHABLE_CODES or status >= 500:
        return Unreachable
    return Denied if status in {401, 403} else Rejected


def translate_core_error(source: str, operation: str, error: Exception) -> AdapterError:
    """Turn what botocore raises when AWS gave no answer (`BotoCoreError`, `ResponseParserError`) into one of ours."""
    from botocore import exceptions as core
    from botocore.parsers import ResponseParserError

    detail = short(f"{type(error).__name__}: {error}")
    credentials = (
        core.NoCredentialsError,
        core.PartialCredentialsError,
        core.CredentialRetrievalError,
        core.TokenRetrievalError,
        core.SSOError,
        core.NoAuthTokenError,
    )
    if isinstance(error, credentials):
        return Denied(source, operation, detail)
    no_answer = (
        core.ConnectionError,
        core.HTTPClientError,
        core.IncompleteReadError,
        core.ReadTimeoutError,
        ResponseParserError,
    )
    if isinstance(error, no_answer):
        if isinstance(error, ResponseParserError):  # its text quotes the body
            detail = "ResponseParserError: the answer is not what AWS sends"
        return Unreachable(source, operation, detail)
    # What is left is about us: parameters, Region, endpoint, configuration file. Asking again does not help.
    return Rejected(source, operation, detail)
