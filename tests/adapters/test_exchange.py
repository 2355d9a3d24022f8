"""One HTTP exchange: whom it trusts, how long it waits, and which way it goes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chalicelib.adapters.exchange import Http, NoAnswer
from sandbox.kube import KubeCluster, KubeServer, make_certificates
from tests.adapters.wire import HANG_UP, FakeTime, Reply, ScriptedServer


def get(http: Http, url: str, deadline: float = 1e12) -> object:
    return http.exchange("GET", url, headers={}, deadline=deadline)


@pytest.fixture
def https(tmp_path: Path) -> Iterator[str]:
    files, _authority = make_certificates(tmp_path)
    with KubeServer(KubeCluster(), tls=files) as server:
        yield server.url


def test_untrusted_certificate_is_final(https: str) -> None:
    """It will not verify in a second either; nothing is sent, and no try is worth repeating."""
    with pytest.raises(NoAnswer, match=r"^TLS: .*certificate") as raised:
        get(Http(), f"{https}/version")
    assert raised.value.may_help is False


def test_broken_handshake_may_be_tried_again(server: ScriptedServer) -> None:
    """Something that does not speak TLS, or was cut in the middle of it."""
    with pytest.raises(NoAnswer) as raised:
        get(Http(connect=1, read=1), server.url.replace("http://", "https://"))
    assert raised.value.may_help is True


def test_late_answer_is_none(server: ScriptedServer) -> None:
    """Nothing is sent after the deadline; an answer that trickles in over it is dropped, whatever the read time-out."""
    with pytest.raises(NoAnswer, match="in time") as raised:
        get(Http(clock=lambda: 10.0), server.url, deadline=10.0)
    assert (raised.value.may_help, server.sent) == (False, [])
    server.will(Reply(200, "x" * 10))
    ticks: Callable[[], float] = itertools.count(5.0, 3.0).__next__
    with pytest.raises(NoAnswer, match="in time"):
        get(Http(clock=ticks), server.url, deadline=7.0)


@pytest.mark.parametrize(
    ("reply", "says"),
    [(HANG_UP, "cut"), (Reply(200, "xx", cut=1), "cut"), (Reply(200, "", delay_seconds=0.4), "no answer in time")],
    ids=["hung up", "half an answer", "silence"],
)
def test_broken_connections_are_told_in_words(server: ScriptedServer, reply: Reply, says: str) -> None:
    """Without host, path or port: they may be in a message that leaves the account."""
    server.will(reply)
    with pytest.raises(NoAnswer, match=says) as raised:
        get(Http(connect=1, read=0.1), server.url)
    assert (raised.value.may_help, "127.0.0.1" in str(raised.value)) == (True, False)


def test_nobody_there_is_told_in_words() -> None:
    """Port 9 of loopback is closed."""
    with pytest.raises(NoAnswer, match="connection refused or no route"):
        get(Http(connect=1), "http://127.0.0.1:9/")


def test_proxy_of_the_environment_is_used(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """For public hosts, unless NO_PROXY names them: the scripted server is the proxy here, and refuses."""
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    server.will(Reply(403, "no"))
    with pytest.raises(NoAnswer, match="the proxy did not connect"):
        get(Http(connect=1), "https://api.openshift.example/")
    assert server.sent == [] or server.sent[0].method == "CONNECT"


def test_loopback_needs_no_proxy(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.will(Reply(200, "fine"))
    assert Http(clock=FakeTime().clock).exchange("GET", server.url, headers={}, deadline=1e12).content == b"fine"
