"""What an API server, or the way to it, can do to a request, and what the adapter makes of it."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.adapters.cluster_wire import Patience
from chalicelib.adapters.errors import AdapterError, Conflict, Denied, NotFound, Rejected, Throttled, Unreachable
from tests.adapters.cluster_helpers import HTML, Token, api, named, page, status
from tests.adapters.wire import HANG_UP, FakeTime, Reply, ScriptedServer


def test_an_expired_token_is_read_anew_once(server: ScriptedServer, time: FakeTime) -> None:
    """On 401 the token source is asked for a fresh token, at once, and the request repeated with it."""
    token = Token()
    server.will(status(401, "Unauthorized"), page())
    api(server, time, token=token).fetch_nodes()
    assert token.asked == [False, True]
    assert [sent.headers["Authorization"] for sent in server.sent] == ["Bearer first-token", "Bearer second-token"]
    assert time.slept == []


def test_a_token_that_stays_refused_is_denied(server: ScriptedServer, time: FakeTime) -> None:
    """A fresh token that is refused too is for a person to mend: no third try, no waiting."""
    server.will(status(401, "Unauthorized"), status(401, "Unauthorized"))
    with pytest.raises(Denied, match="cluster API: list nodes: 401: Unauthorized"):
        api(server, time).fetch_nodes()
    assert len(server.sent) == 2


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(status(403, 'nodes is forbidden: User "x" cannot list'), Denied, id="403"),
        pytest.param(status(404, "not found"), NotFound, id="404"),
        pytest.param(status(400, "bad"), Rejected, id="400"),
        pytest.param(status(422, "invalid"), Rejected, id="422"),
        pytest.param(status(415, "media type"), Rejected, id="415"),
        pytest.param(Reply(302, b"", {"Location": "http://127.0.0.1:9/elsewhere"}), Unreachable, id="redirect"),
        pytest.param(Reply(300, page()), Unreachable, id="a choice"),
        pytest.param(Reply(200, HTML, {"Content-Type": "text/html"}), Unreachable, id="HTML"),
        pytest.param(Reply(200, b""), Unreachable, id="nothing"),
        pytest.param(Reply(200, "[" * 100_000), Unreachable, id="nested beyond reason"),
        pytest.param(Reply(200, "[]"), Unreachable, id="JSON, but no object"),
    ],
)
def test_what_is_final_is_not_repeated(
    server: ScriptedServer, time: FakeTime, reply: Reply, kind: type[AdapterError]
) -> None:
    """An answer that the same question would get again is translated at once."""
    server.will(reply)
    with pytest.raises(kind):
        api(server, time).fetch_nodes()
    assert (len(server.sent), time.slept) == (1, [])


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(Reply(503, HTML, {"Content-Type": "text/html"}), Unreachable, id="503 HTML"),
        pytest.param(Reply(500, b""), Unreachable, id="500 without content type"),
        pytest.param(status(504, "timeout"), Unreachable, id="504"),
        pytest.param(status(429, "too many"), Throttled, id="429"),
        pytest.param(HANG_UP, Unreachable, id="cut before the answer"),
        pytest.param(Reply(200, {"items": []}, cut=5), Unreachable, id="cut in the answer"),
    ],
)
def test_what_may_pass_is_repeated_and_bounded(
    server: ScriptedServer, time: FakeTime, reply: Reply, kind: type[AdapterError]
) -> None:
    """A passing trouble is waited for with growing pauses, three tries here; then it has our name."""
    server.will(reply, reply, page(named("a")))
    assert [node.name for node in api(server, time).fetch_nodes()] == ["a"]
    assert time.slept == [0.25, 0.5]
    server.will(reply, reply, reply)
    with pytest.raises(kind) as raised:
        api(server, time).fetch_nodes()
    assert raised.value.retryable
    assert len(server.sent) == 6


def test_pauses_are_jittered(server: ScriptedServer, time: FakeTime) -> None:
    """The pause is a random share of its bound, so that clusters that failed together do not come back together."""
    server.will(Reply(500, b""), Reply(500, b""), page())
    api(server, time, draw=0.5).fetch_nodes()
    assert time.slept == [0.125, 0.25]


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        pytest.param("2", 2.0, id="obeyed"),
        pytest.param("3600", 10.0, id="capped"),
        pytest.param("soon", 0.25, id="not a number"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", 0.25, id="a date"),
    ],
)
def test_retry_after(server: ScriptedServer, time: FakeTime, retry_after: str, pause: float) -> None:
    """The server says how long to wait, within reason: a visit has not got an hour."""
    server.will(Reply(429, b"", {"Retry-After": retry_after}), page())
    api(server, time).fetch_nodes()
    assert time.slept == [pause]


def test_no_try_begins_after_the_deadline(server: ScriptedServer, time: FakeTime) -> None:
    """All pages, repeats and pauses of an operation share one deadline; a pause that would pass it is not taken."""
    patience = Patience(overall=5.0, attempts=100)
    server.will(*[Reply(503, b"", {"Retry-After": "2"})] * 10)
    with pytest.raises(Unreachable, match="503"):
        api(server, time, patience=patience).fetch_nodes()
    assert time.slept == [2.0, 2.0]
    assert time.now < 1005.0


def test_an_operation_ends_between_pages_too(server: ScriptedServer, time: FakeTime) -> None:
    """A server that is slow page after page does not keep a visit beyond the operation's deadline."""

    class Slow(Token):
        def __call__(self, *, force: bool = False) -> str:
            time.now += 3.0
            return super().__call__(force=force)

    server.will(page(more="1"), page(more="2"), page(more="3"))
    with pytest.raises(Unreachable, match="no complete answer within 5 s"):
        api(server, time, token=Slow(), patience=Patience(overall=5.0)).fetch_nodes()
    assert len(server.sent) == 1


def test_a_hanging_server_costs_the_read_timeout(server: ScriptedServer, time: FakeTime) -> None:
    """Without an answer in time the connection is given up."""
    server.will(Reply(delay_seconds=5.0))
    with pytest.raises(Unreachable, match="no answer in time"):
        api(server, time, patience=Patience(read=0.2, attempts=1)).fetch_nodes()


def test_a_trickling_answer_ends_at_the_deadline(server: ScriptedServer, time: FakeTime) -> None:
    """Bytes that keep coming keep the read time-out quiet; the deadline ends them all the same."""
    started = time.now

    class Ticking(FakeTime):
        def clock(self) -> float:
            self.now += 1.0  # every look at the clock is a second later
            return self.now

    server.will(Reply(200, b" " * 3_000_000 + json.dumps(page()).encode()))
    with pytest.raises(Unreachable, match="no complete answer within 8 s"):
        api(server, Ticking(started), patience=Patience(overall=8.0)).fetch_nodes()


def test_a_closed_port_is_unreachable(time: FakeTime) -> None:
    """Nobody there is an outage, and the message says so without repeating the address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="list nodes: connection refused or no route"):
        api(f"http://127.0.0.1:{port}", time).fetch_nodes()
    assert len(time.slept) == 2


@pytest.mark.parametrize("url", ["http://api.example.com:6443", "ftp://127.0.0.1", "api.example.com"])
def test_the_token_never_leaves_in_the_clear(time: FakeTime, url: str) -> None:
    """Without TLS a request is refused before it is sent; loopback alone is excepted."""
    with pytest.raises(Rejected, match="must begin with https://"):
        api(url, time).fetch_nodes()


@pytest.mark.parametrize("reply", [status(403, "no"), Reply(500, HTML), HANG_UP, Reply(200, HTML), status(409, "x")])
def test_no_error_tells_a_secret(server: ScriptedServer, time: FakeTime, reply: Reply) -> None:
    """Neither the token nor the body of a stranger's page is in a message, nor in what caused it."""
    server.will(reply, reply, reply)
    with pytest.raises(AdapterError) as raised:
        api(server, time).fetch_nodes()
    error: BaseException | None = raised.value
    while error is not None:
        assert "first-token" not in repr(error)
        assert "secret-host" not in str(error)
        error = error.__cause__ or error.__context__


def test_a_servers_message_is_kept_short(server: ScriptedServer, time: FakeTime) -> None:
    """Admission webhooks can be verbose; an alert has one line for them."""
    server.will(status(422, "line one\nline two " + "x" * 500))
    with pytest.raises(Rejected) as raised:
        api(server, time).fetch_nodes()
    assert raised.value.detail.startswith("422: line one line two xxx")
    assert len(raised.value.detail) == 205


CONFLICT = {
    "reason": "Conflict",
    "details": {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl-edit" using k8s.ovn.org/v1',
                "field": ".spec.egressIPs",
            },
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "argocd" using k8s.ovn.org/v1 at 2026-03-01T12:00:00Z',
                "field": ".spec.egressIPs",
            },
            {"reason": "FieldManagerConflict", "message": "conflict", "field": ".metadata.labels.a"},
            {"reason": "Other", "message": "x", "field": ".spec"},
        ]
    },
}


@pytest.mark.parametrize(
    ("more", "managers"),
    [
        pytest.param(
            CONFLICT, {".spec.egressIPs": "kubectl-edit, argocd", ".metadata.labels.a": "unknown"}, id="apply"
        ),
        pytest.param({"reason": "Conflict"}, {}, id="no causes"),
        pytest.param({"details": None}, {}, id="details null"),
        pytest.param({"details": {"causes": None}}, {}, id="causes null"),
        pytest.param({"details": {"causes": ["x"]}}, {}, id="causes of another kind"),
    ],
)
def test_a_conflict_names_the_managers(
    server: ScriptedServer, time: FakeTime, more: dict[str, Any], managers: dict[str, str]
) -> None:
    """Who holds which field is what a person needs to settle it."""
    server.will(status(409, "Apply failed", **more))
    with pytest.raises(Conflict) as raised:
        api(server, time).fetch_nodes()
    assert raised.value.managers == managers


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one PEM file."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def tls_server(server: ScriptedServer, certificate: Path) -> Iterator[tuple[ScriptedServer, str]]:
    """The scripted server behind TLS, and its url: each connection is decrypted and handed on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    target = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(raw, server_side=True) as client, socket.create_connection(target) as inner:
                    inner.sendall(client.recv(65536))
                    inner.shutdown(socket.SHUT_WR)
                    while chunk := inner.recv(65536):
                        client.sendall(chunk)
            except OSError:
                raw.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server, f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_a_given_ca_is_trusted(tls_server: tuple[ScriptedServer, str], time: FakeTime, certificate: Path) -> None:
    """PEM text from the fleet file is enough to reach a server with a certificate of its own."""
    server, url = tls_server
    server.will(page(named("a")))
    pem = certificate.read_text().split("-----BEGIN PRIVATE KEY")[0]
    assert [node.name for node in api(url, time, ca=pem).fetch_nodes()] == ["a"]


def test_an_unknown_ca_is_told_and_not_tried_again(tls_server: tuple[ScriptedServer, str], time: FakeTime) -> None:
    """A certificate nobody vouches for is never accepted, and the message says what is wrong with it."""
    server, url = tls_server
    with pytest.raises(Unreachable, match=r"TLS: self.signed certificate"):
        api(url, time).fetch_nodes()
    assert (server.sent, time.slept) == ([], [])


def test_a_cut_handshake_is_tried_again(server: ScriptedServer, time: FakeTime) -> None:
    """Something that does not speak TLS may be a load balancer coming up."""
    with pytest.raises(Unreachable, match=r"TLS|cut"):
        api(server.url.replace("http:", "https:"), time).fetch_nodes()
    assert len(time.slept) == 2


def test_a_broken_ca_is_told(server: ScriptedServer, time: FakeTime) -> None:
    """A CA that is not PEM is found when it is first needed, in our words."""
    with pytest.raises(AdapterError, match="TLS"):
        api(server.url.replace("http:", "https:"), time, ca="not PEM").fetch_nodes()
