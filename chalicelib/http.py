"""REST answers: documents out, errors as one clear sentence with a fitting status. Knows Chalice, nothing of egress."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from chalice.app import Request, Response

from chalicelib.adapters.errors import AdapterError
from chalicelib.problems import BadInput, NoSuchThing


def body(request: Request) -> Mapping[str, Any]:
    """The request's JSON object; empty where there is no body.

    Raises:
        BadInput: The body is no JSON object.
    """
    raw = request.raw_body
    if not raw.strip():
        return {}
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise BadInput(f"body: {raw[:80].decode(errors='replace')!r} is not a JSON object")
    return parsed


def caller(request: Request) -> str:
    """Who sent the request, as IAM knows them: every route asks for a signed request."""
    identity = request.context.get("identity") or {}
    return str(identity.get("userArn") or identity.get("caller") or "unknown")


def answer(use_case: Callable[..., Mapping[str, Any]], *arguments: Any, status: int = 200) -> Response:
    """Call a use case and render what it returns, or what went wrong."""
    try:
        return _json(use_case(*[a() if callable(a) else a for a in arguments]), status)
    except NoSuchThing as error:
        return _json({"error": str(error)}, 404)
    except BadInput as error:
        return _json({"error": str(error)}, 400)
    except AdapterError as error:
        return _json({"error": str(error), "retryable": error.retryable}, 503 if error.retryable else 502)


def _json(document: Mapping[str, Any], status: int) -> Response:
    return Response(json.dumps(document), status_code=status, headers={"Content-Type": "application/json"})
