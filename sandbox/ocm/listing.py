"""Lists by pages. Without `order` the order is not the same from one request to the next, as with OCM itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.ocm.errors import bad_request
from sandbox.ocm.searching import compile_search, sorted_by

DEFAULT_SIZE = 100


def list_page(kind: str, items: Sequence[Mapping[str, Any]], query: Mapping[str, str], turn: int) -> dict[str, Any]:
    """One page of *items* as an answer.

    Args:
        kind: Of the items; the list is a `<kind>List`.
        query: `page` (from 1), `size` (-1 for all), `search`, `order`.
        turn: Counts the lists given so far: what the order depends on where none is asked for.

    Raises:
        OcmError: 400 for a parameter that makes no sense.
    """
    page, size = _number(query, "page", 1), _number(query, "size", DEFAULT_SIZE)
    if page < 1 or size < -1:
        raise bad_request("page must be 1 or more, and size -1 or more")
    test = compile_search(query.get("search", ""))
    found = [item for item in items if test(item)]
    if order := query.get("order", "").strip():
        found = list(sorted_by(found, order))
    elif found:
        start = turn % len(found)
        found = found[start:] + found[:start]
    shown = found if size == -1 else found[(page - 1) * size : page * size]
    return {"kind": f"{kind}List", "page": page, "size": len(shown), "total": len(found), "items": shown}


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"-?\d+", text):
        raise bad_request(f"{name} '{text}' is not a number")
    return int(text)
