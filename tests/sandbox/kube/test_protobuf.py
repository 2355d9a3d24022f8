"""Protobuf request bodies, without kubectl at hand."""

from __future__ import annotations

import pytest

from sandbox.kube import ApiError, protobuf
from tests.sandbox.kube.client import NAMESPACES, Api

# What ``kubectl create token NAME`` (1.32) sends.
TOKEN_REQUEST = bytes.fromhex(
    "6b3873000a280a1861757468656e7469636174696f6e2e6b38732e696f2f7631120c546f6b656e52657175657374121a"
    "0a100a0012001a0022002a003200380042001200" + "1a040a0012001a002200"
)


def field(number: int, payload: bytes | int) -> bytes:
    """One field on the wire: length-delimited, or a small number."""
    if isinstance(payload, int):
        return bytes([number << 3, payload])
    size = [len(payload)] if len(payload) < 128 else [len(payload) & 127 | 128, len(payload) >> 7]
    return bytes([number << 3 | 2, *size]) + payload


def body(version: bytes, kind: bytes, raw: bytes) -> bytes:
    """The envelope every Kubernetes protobuf body has."""
    return b"k8s\x00" + field(1, field(1, version) + field(2, kind)) + field(2, raw)


def test_the_body_of_kubectl_is_read() -> None:
    """Empty members are left out."""
    assert protobuf.parse(TOKEN_REQUEST) == {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {},
        "spec": {},
    }


def test_every_kind_of_field_is_read() -> None:
    """Words, numbers, truth values, times, lists and both kinds of map; unknown fields are passed over."""
    metadata = (
        field(1, b"s")
        + field(7, 5)
        + field(8, field(1, 100))
        + field(11, field(1, b"a") + field(2, b"b"))
        + field(14, b"x")
        + field(14, b"y")
        + field(15, b"ignored")
    )
    raw = field(1, metadata) + field(2, field(1, b"k") + field(2, b"\xff")) + field(3, b"Opaque") + field(5, 1)
    assert protobuf.parse(body(b"v1", b"Secret", raw)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "s",
            "generation": 5,
            "creationTimestamp": "1970-01-01T00:01:40Z",
            "labels": {"a": "b"},
            "finalizers": ["x", "y"],
        },
        "data": {"k": "/w=="},
        "type": "Opaque",
        "immutable": True,
    }


@pytest.mark.parametrize(
    "sent",
    [b"{}", TOKEN_REQUEST[:-5], b"k8s\x00\x08", body(b"v1", b"Pod", b""), body(b"v1", b"Secret", b"\x0d\x00")],
    ids=["json", "cut off", "no envelope", "a kind not read", "a wire type not read"],
)
def test_what_cannot_be_read_is_400(sent: bytes) -> None:
    """Never taken for an empty object."""
    with pytest.raises(ApiError) as refused:
        protobuf.parse(sent)
    assert refused.value.code == 400


def test_the_server_takes_it(served: Api) -> None:
    """By its content type."""
    sent = body(b"v1", b"Namespace", field(1, field(1, b"team"))).decode("latin-1")
    reply = served.call("POST", NAMESPACES, sent, protobuf.MEDIA_TYPE)
    assert (reply.status, reply.body["metadata"]["name"]) == (201, "team")
