"""LIST: which versions a request sees, in pages that belong together.

Belongs here: resourceVersion, limit and continue. A page of a list shows the state of the revision its first page was
made at, whatever was written since; when that revision is forgotten, the answer is 410 with a token for going on
regardless.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from sandbox.kube.errors import ApiError, Cause, bad_request, expired, invalid
from sandbox.kube.resources import Resource
from sandbox.kube.selectors import Predicate, both, field_predicate, label_predicate
from sandbox.kube.store import Store, TooOld, Version
from sandbox.kube.wire import Request

EXACT, NOT_OLDER = "Exact", "NotOlderThan"

_TOO_OLD_TO_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)
_ANY_REVISION = -1  # in a continue token: go on with whatever is there now


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its versions, the revision they are of, and how to get the next one (None: this is the last).

    *remaining* is how many objects follow, or None where the server does not say: with selectors, and on the last page.
    """

    versions: list[Version]
    revision: int
    continue_token: str | None = None
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a page begins: at which revision, and from which key on."""

    revision: int
    key: str = ""


def predicate(resource: Resource, request: Request) -> Predicate:
    """Whether an object meets the request's selectors."""
    query = request.query
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    return both(label_predicate(labels), field_predicate(resource, fields))


def list_page(store: Store, resource: Resource, prefix: str, request: Request) -> Page:
    """The page a LIST request asks for; the caller holds the store's lock.

    Raises:
        ApiError: 400 or 422 for parameters that do not fit together, 410 for a forgotten revision, 504 for one to come.
    """
    query = request.query
    _check_list_parameters(request)
    limit = request.integer("limit") or 0
    asked = revision_of(query.get("resourceVersion", ""))
    matches = predicate(resource, request)
    token = query.get("continue", "")
    start = _decode(token) if token else _first(store, asked, query.get("resourceVersionMatch", ""), limit)
    if start.revision == _ANY_REVISION:
        start = _Start(store.revision, start.key)
    try:
        found = store.versions_at(resource, start.revision, prefix)
    except TooOld as error:
        if not token:
            raise expired("The resourceVersion for the provided list is too old.") from error
        raise expired(_TOO_OLD_TO_CONTINUE, continue_with=_encode(_Start(_ANY_REVISION, start.key))) from error
    selected = [(key, version) for key, version in found if key >= start.key and matches(version.obj)]
    if limit <= 0 or (asked == 0 and not token) or len(selected) <= limit:
        return Page([version for _, version in selected], start.revision)
    page = selected[:limit]
    has_selector = bool(query.get("labelSelector") or query.get("fieldSelector"))
    remaining = None if has_selector else len(selected) - limit
    following = _Start(start.revision, page[-1][0] + "\0")
    return Page([version for _, version in page], start.revision, _encode(following), remaining)


def revision_of(text: str) -> int | None:
    """A resourceVersion parameter as a number; None if not given; ApiError 400 if it is none."""
    if not text:
        return None
    if not text.isdecimal():
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise bad_request(f'invalid resource version: resourceVersion: Invalid value: "{text}": {why}')
    return int(text)


def check_not_ahead(store: Store, revision: int | None) -> None:
    """Refuse a revision that is yet to come, as the server does after waiting for it a while."""
    if revision is None or revision <= store.revision:
        return
    raise ApiError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {revision}, current: {store.revision}",
        causes=[Cause("ResourceVersionTooLarge", "Too large resource version")],
        details={"retryAfterSeconds": 1},
        headers={"Retry-After": "1"},
    )


def _first(store: Store, asked: int | None, match: str, limit: int) -> _Start:
    """Where a list without a token begins: at the latest state, unless the client wants an exact one."""
    check_not_ahead(store, asked)
    exact = match == EXACT or (not match and limit > 0)
    return _Start(asked if asked and exact else store.revision)


def _check_list_parameters(request: Request) -> None:
    query = request.query
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    if query.get("continue") and version:
        raise bad_request("specifying resource version is not allowed when using continue")
    if "sendInitialEvents" in query:
        raise list_options_invalid("sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")
    if match and not version:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise list_options_invalid("resourceVersionMatch", f"Forbidden: {why}")
    if match not in ("", EXACT, NOT_OLDER):
        why = f'Unsupported value: {json.dumps(match)}: supported values: "Exact", "NotOlderThan", ""'
        raise list_options_invalid("resourceVersionMatch", why, "FieldValueNotSupported")
    if match == EXACT and version == "0":
        why = 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        raise list_options_invalid("resourceVersionMatch", why)


def list_options_invalid(member: str, why: str, reason: str = "FieldValueForbidden") -> ApiError:
    """422 for a list or watch parameter that does not fit with the others."""
    return invalid("meta.k8s.io", "ListOptions", "", [Cause(reason, why, member)])


def _encode(start: _Start) -> str:
    token = json.dumps({"v": "meta.k8s.io/v1", "rv": start.revision, "start": start.key}, separators=(",", ":"))
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def _decode(token: str) -> _Start:
    try:
        fields = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return _Start(int(fields["rv"]), str(fields["start"]))
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise bad_request("invalid continue token: continue key is not valid") from error
