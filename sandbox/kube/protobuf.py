"""Request bodies in protobuf, as far as kubectl sends them: to create a namespace, service account, secret or token.

Belongs here: reading the four small kinds kubectl creates through typed clients. Answers are never protobuf: kubectl
accepts JSON as well. Field numbers are those of ``generated.proto`` in k8s.io/api and k8s.io/apimachinery.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sandbox.kube.errors import bad_request

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

_MAGIC = b"k8s\x00"
_VARINT, _BYTES = 0, 2

STRING, INTEGER, BOOLEAN, TIME = "string", "integer", "boolean", "time"
STRINGS, STRING_MAP, BYTES_MAP = "strings", "string map", "bytes map"

Message = Mapping[int, tuple[str, Any]]  # field number → (JSON name, how to read it: a word above, or a message)

_METADATA: Final[Message] = {
    1: ("name", STRING),
    2: ("generateName", STRING),
    3: ("namespace", STRING),
    5: ("uid", STRING),
    6: ("resourceVersion", STRING),
    7: ("generation", INTEGER),
    8: ("creationTimestamp", TIME),
    11: ("labels", STRING_MAP),
    12: ("annotations", STRING_MAP),
    14: ("finalizers", STRINGS),
}

_KINDS: Final[Mapping[tuple[str, str], Message]] = {
    ("v1", "Namespace"): {1: ("metadata", _METADATA), 2: ("spec", {1: ("finalizers", STRINGS)})},
    ("v1", "ServiceAccount"): {1: ("metadata", _METADATA), 4: ("automountServiceAccountToken", BOOLEAN)},
    ("v1", "Secret"): {
        1: ("metadata", _METADATA),
        2: ("data", BYTES_MAP),
        3: ("type", STRING),
        4: ("stringData", STRING_MAP),
        5: ("immutable", BOOLEAN),
    },
    ("authentication.k8s.io/v1", "TokenRequest"): {
        1: ("metadata", _METADATA),
        2: ("spec", {1: ("audiences", STRINGS), 4: ("expirationSeconds", INTEGER)}),
    },
}


def parse(body: bytes) -> dict[str, Any]:
    """The object in *body* as its JSON would be, without empty members; ApiError 400 for what is not known here."""
    if not body.startswith(_MAGIC):
        raise bad_request("the body is not in the Kubernetes protobuf encoding")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        names = {number: value.decode() for number, value in _fields(envelope[1])}
        kind = (names[1], names[2])
        known = _KINDS.get(kind)
        obj = None if known is None else _read(known, envelope[2])
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise bad_request("the body is not in the Kubernetes protobuf encoding") from error
    if obj is None:
        raise bad_request(f"{kind[1]} in {kind[0]} is read as JSON or YAML only")
    return {"apiVersion": kind[0], "kind": kind[1], **obj}


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, int or bytes) of one message."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        value, position = _varint(data, position)
        if tag & 7 == _BYTES:
            end = position + value
            if end > len(data):
                raise ValueError("truncated")
            yield tag >> 3, data[position:end]
            position = end
        elif tag & 7 == _VARINT:
            yield tag >> 3, value
        else:
            raise ValueError("wire type")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def _read(message: Message, data: bytes) -> dict[str, Any]:
    obj: dict[str, Any] = {}
    for number, value in _fields(data):
        if number not in message:
            continue
        name, how = message[number]
        if how == STRINGS:
            obj.setdefault(name, []).append(value.decode())
        elif how in (STRING_MAP, BYTES_MAP):
            entry = dict(_fields(value))
            text = entry.get(2, b"")
            obj.setdefault(name, {})[entry[1].decode()] = (
                text.decode() if how == STRING_MAP else base64.b64encode(text).decode()
            )
        else:
            obj[name] = _scalar(how, value)
    return {name: value for name, value in obj.items() if value not in ("", None, 0)}


def _scalar(how: Any, value: Any) -> Any:
    match how:
        case "string":
            return value.decode()
        case "integer":
            return value
        case "boolean":
            return bool(value)
        case "time":
            seconds = dict(_fields(value)).get(1)
            return seconds and datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _read(how, value)
