"""OCM's token: when it is fetched, kept and renewed, and what refusals of the token endpoint become."""

from __future__ import annotations

import base64

import pytest

from chalicelib.adapters.errors import AdapterError, Denied, Rejected, Throttled, Unreachable
from tests.adapters.ocm_helpers import JSON, Credentials, html, ocm_token, ok, token
from tests.adapters.wire import HANG_UP, FakeTime, Reply, ScriptedServer


def test_request_is_the_one_that_the_sdk_sends(server: ScriptedServer, time: FakeTime) -> None:
    """The id in form and header, the secret in the header alone."""
    server.will(token("t-1"))
    assert ocm_token(server, time).current() == "t-1"
    sent = server.sent[0]
    assert sent.form == {"client_id": "keeper", "grant_type": "client_credentials", "scope": "openid"}
    assert base64.b64decode(sent.headers["Authorization"].removeprefix("Basic ")) == b"keeper:hunter2"
    assert (sent.method, sent.path) == ("POST", "/token")


def test_token_is_kept_until_its_last_minute(server: ScriptedServer, time: FakeTime) -> None:
    """One request a quarter of an hour, not one a call."""
    server.will(token("t-1", 900), token("t-2", 900))
    keeper = ocm_token(server, time)
    assert keeper.current() == "t-1"
    time.now += 840
    assert keeper.current() == "t-1"
    time.now += 0.1
    assert keeper.current() == "t-2"


def test_short_lived_tokens_are_used_and_not_fetched_in_a_loop(server: ScriptedServer, time: FakeTime) -> None:
    """A token of thirty seconds, or of unknown life, is good for the request at hand."""
    server.will(token("t-1", 30), ok({"access_token": "t-2"}), token("t-3"))
    keeper = ocm_token(server, time)
    assert [keeper.current() for _ in range(4)] == ["t-1", "t-2", "t-3", "t-3"]


def test_refused_token_is_forgotten(server: ScriptedServer, time: FakeTime) -> None:
    """Only that one: a newer one that somebody else has fetched meanwhile stays."""
    server.will(token("t-1"), token("t-2"))
    keeper = ocm_token(server, time)
    keeper.refuse(keeper.current())
    assert keeper.current() == "t-2"
    keeper.refuse("t-1")
    assert keeper.current() == "t-2"


@pytest.mark.parametrize("reply", [Reply(500), html(502), Reply(503), HANG_UP], ids=["500", "502 HTML", "503", "cut"])
def test_endpoint_in_trouble_is_asked_again_for_fifteen_seconds(
    server: ScriptedServer, time: FakeTime, reply: Reply
) -> None:
    """Asking for a token changes nothing, so everything but a no is repeated, with growing pauses."""
    server.will(*[reply] * 20)
    begun = time.now
    with pytest.raises(Unreachable, match="the token endpoint"):
        ocm_token(server, time).current()
    assert time.slept == pytest.approx([0.3, 0.6, 1.2, 2.4, 4.8])
    assert time.now - begun < 15
    server.reset()
    server.will(reply, reply, token("t-1"))
    assert ocm_token(server, time).current() == "t-1"


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (Reply(400, {"error": "invalid_grant"}), Denied, "400 invalid_grant"),
        (Reply(401, {"error": "invalid_client"}), Denied, "401 invalid_client"),
        (Reply(401, "<html>"), Denied, r"refuses \(401\)"),
        (Reply(401, {"error": "<script> secret-host"}), Denied, r"refuses \(401\)"),
        (Reply(404, "<html>"), Rejected, "404; is token_url right"),
        (Reply(429), Throttled, "429"),
        (ok({"expires_in": 900}), Unreachable, "holds no token"),
        (ok({"access_token": "", "expires_in": 900}), Unreachable, "holds no token"),
        (ok({"access_token": "t\r\nX: y", "expires_in": 900}), Unreachable, "holds no token"),
        (html(200), Unreachable, "holds no token"),
        (Reply(302, "", {"Location": "https://elsewhere.example.com"}), Unreachable, "holds no token"),
        (Reply(200, "{", JSON), Unreachable, "holds no token"),
    ],
)
def test_a_no_is_final(
    server: ScriptedServer, time: FakeTime, reply: Reply, kind: type[AdapterError], says: str
) -> None:
    """Each in its class, at once, and without foreign text."""
    server.will(reply)
    with pytest.raises(kind, match=says) as raised:
        ocm_token(server, time).current()
    assert (type(raised.value), len(server.sent), time.slept) == (kind, 1, [])
    assert "secret-host" not in str(raised.value)


def test_refused_credentials_are_read_anew_once(server: ScriptedServer, time: FakeTime) -> None:
    """A secret that was rotated since it was read is noticed at once; one that was not is not tried twice."""
    refused = Reply(401, {"error": "invalid_client"})
    server.will(refused, token("t-1"))
    credentials = Credentials(["old-secret", "new-secret"])
    assert ocm_token(server, time, credentials).current() == "t-1"
    assert credentials.asked == [False, True]
    server.reset()
    server.will(refused)
    with pytest.raises(Denied):
        ocm_token(server, time, Credentials(["hunter2"])).current()
    assert len(server.sent) == 1


def test_refusal_says_what_to_look_at(server: ScriptedServer, time: FakeTime) -> None:
    """The id and the place of both values; the secret never."""
    server.will(Reply(401, {"error": "invalid_client", "error_description": "secret-host"}))
    with pytest.raises(Denied, match=r"client_id keeper .* from secret egress-keeper/ocm; allowed are") as raised:
        ocm_token(server, time).current()
    assert "hunter2" not in repr([raised.value, raised.value.__cause__, raised.value.__context__])
