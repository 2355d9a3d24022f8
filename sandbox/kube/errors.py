"""What the cluster API answers when it refuses: one exception and the texts of the usual refusals.

Belongs here: the ``Status`` object and the wording shared by several verbs. Which rule refuses what is decided
elsewhere. Wording and fields follow kube-apiserver 1.34 (observed).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.kube.resources import Resource

_REASON_BY_CODE = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Gone",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of ``details.causes``: a reason word, a sentence and the path of the field (empty when none)."""

    reason: str
    message: str
    field: str = ""

    def render(self) -> dict[str, str]:
        """The cause as the wire shows it: without the members that say nothing."""
        members = {"reason": self.reason, "message": self.message, "field": self.field}
        return {key: text for key, text in members.items() if text}


class ApiError(Exception):
    """A refusal of the cluster API.

    Attributes:
        code: HTTP status.
        reason: the machine-readable word, such as ``NotFound`` or ``Conflict``; empty where the server gives none.
        message: the sentence for humans.
        causes: the single faults behind it, in order.
        headers: HTTP headers to send with it (``Retry-After``).
        details: further members of ``details`` (name, group, kind, retryAfterSeconds); None = the Status has no details
            at all, which is not the same as empty ones.
        list_metadata: members of the Status' own ``metadata`` (the continue token of an expired list).
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        causes: Iterable[Cause] = (),
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
        list_metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = tuple(causes)
        self.headers = dict(headers or {})
        self.details = None if details is None else {key: value for key, value in details.items() if value}
        self.list_metadata = dict(list_metadata or {})

    def status(self) -> dict[str, Any]:
        """The ``Status`` object sent as the body."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": dict(self.list_metadata),
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        details = self.details
        if self.causes:
            details = {**(details or {}), "causes": [cause.render() for cause in self.causes]}
        if details is not None:
            body["details"] = details
        body["code"] = self.code
        return body


def reason_for(code: int) -> str:
    """The reason word that goes with an HTTP status; ``InternalError`` for one without its own word."""
    return _REASON_BY_CODE.get(code, "InternalError")


def _about(resource: Resource, name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "group": resource.group, "kind": resource.plural, **more}


def bad_request(message: str) -> ApiError:
    """400: the request makes no sense as sent."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: no token, or one nobody knows."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(
    resource: Resource, *, verb: str, user: str, name: str, namespace: str | None, subresource: str
) -> ApiError:
    """403 as the RBAC authoriser words it."""
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    target = resource.plural + (f"/{subresource}" if subresource else "")
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    message = (
        f'{subject} is forbidden: User "{user}" cannot {verb} resource "{target}" '
        f'in API group "{resource.group}" {where}'
    )
    return ApiError(403, "Forbidden", message, details=_about(resource, name))


def forbidden_path(user: str, path: str) -> ApiError:
    """403 for a path that is about no resource."""
    return ApiError(403, "Forbidden", f'forbidden: User "{user}" cannot get path "{path}"', details={})


def not_found(resource: Resource, name: str) -> ApiError:
    """404: the collection exists, the object does not."""
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', details=_about(resource, name))


def no_such_path() -> ApiError:
    """404: the server serves no such resource at all."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def method_not_allowed() -> ApiError:
    """405: the resource exists and does not do this."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def already_exists(resource: Resource, name: str) -> ApiError:
    """409: an object of that name is there."""
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_about(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """409: the write was planned against another version or another object than the one there."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_about(resource, name))


def internal(message: str) -> ApiError:
    """500 as the server words it for faults it did not foresee: no reason word, no details."""
    return ApiError(500, "", message)


def stale_version(resource: Resource, name: str) -> ApiError:
    """409: the resourceVersion sent is not the current one."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def invalid(group: str, kind: str, name: str, causes: Iterable[Cause]) -> ApiError:
    """422: well formed, and against the rules of its schema; every fault is named."""
    found = tuple(causes)
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in found))
    summary = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    qualified = f"{kind}.{group}" if group else kind
    message = f'{qualified} "{name}" is invalid: {summary}'
    return ApiError(422, "Invalid", message, causes=found, details={"name": name, "group": group, "kind": kind})


def unsupported_media_type(accepted: Iterable[str]) -> ApiError:
    """415: the body is of a kind this resource does not take."""
    listed = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {listed}"
    return ApiError(415, "UnsupportedMediaType", message)


def rejected_patch() -> ApiError:
    """422: the patch cannot be done on this object (a failing test, a path that is not there)."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", details={})


def expired(message: str, *, continue_with: str = "") -> ApiError:
    """410: the history asked for has been compacted away; *continue_with* goes on with an inconsistent list."""
    return ApiError(410, "Expired", message, list_metadata={"continue": continue_with} if continue_with else None)
