"""JSON patch (RFC 6902) and merge patch (RFC 7386) over plain JSON values.

Belongs here: what a patch makes of a document. Whether the result is admitted is none of its business.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sandbox.kube.errors import bad_request, rejected_patch

_MISSING = object()


def merge_patch(document: Any, patch: Any) -> Any:
    """*document* after *patch*: null removes a member, objects merge, everything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(document) if isinstance(document, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(document: Any, operations: Any) -> Any:
    """*document* after all *operations*.

    Raises:
        ApiError: 422 if an operation cannot be done, 400 if the patch is no list of operations.

    Two things the server does that the RFC does not ask for: ``replace`` of a member that is absent adds it
    (OVN-Kubernetes writes its first ``/status`` that way), and any fault is answered by the same sentence.
    """
    if not isinstance(operations, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )
    result = copy.deepcopy(document)
    for operation in operations:
        try:
            result = _operate(result, operation)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise rejected_patch() from error
    return result


def _operate(document: Any, operation: Mapping[str, Any]) -> Any:
    kind, path = operation["op"], _pointer(operation["path"])
    match kind:
        case "add" | "replace":
            return _put(document, path, copy.deepcopy(operation["value"]), insert=kind == "add")
        case "remove":
            return _remove(document, path)
        case "test":
            if _get(document, path, absent=None) != operation.get("value"):
                raise ValueError(path)
            return document
        case "copy":
            return _put(document, path, copy.deepcopy(_get(document, _pointer(operation["from"]))), insert=True)
        case "move":
            source = _pointer(operation["from"])
            moved = _get(document, source)
            return _put(_remove(document, source), path, moved, insert=True)
    raise ValueError(kind)


def _pointer(text: str) -> list[str]:
    if text == "":
        return []
    if not text.startswith("/"):
        raise ValueError(text)
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _get(document: Any, path: list[str], absent: Any = _MISSING) -> Any:
    for index, name in enumerate(path):
        if isinstance(document, list):
            document = document[_index(name, len(document) - 1)]
        elif absent is not _MISSING and index == len(path) - 1:
            return document.get(name, absent)
        else:
            document = document[name]
    return document


def _index(name: str, highest: int) -> int:
    index = int(name)
    if not 0 <= index <= highest:
        raise IndexError(name)
    return index


def _put(document: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    parent, name = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        if not insert:
            parent[_index(name, len(parent) - 1)] = value
        else:
            parent.insert(len(parent) if name == "-" else _index(name, len(parent)), value)
    elif isinstance(parent, dict):
        parent[name] = value
    else:
        raise TypeError(name)
    return document


def _remove(document: Any, path: list[str]) -> Any:
    parent, name = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[_index(name, len(parent) - 1)]
    else:
        del parent[name]
    return document
