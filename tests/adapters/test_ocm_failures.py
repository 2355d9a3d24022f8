"""What the OCM adapter makes of answers that it did not hope for, on a server that says what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.errors import AdapterError, Conflict, Denied, NotFound, Rejected, Throttled, Unreachable
from chalicelib.adapters.exchange import Http
from chalicelib.adapters.ocm import OcmApi
from chalicelib.adapters.ocm_token import OcmToken
from chalicelib.adapters.ocm_wire import OcmWire
from chalicelib.domain.pools import NewPool, OcmCluster, Scaling
from tests.adapters.ocm_helpers import (
    CLASSIC,
    HCP,
    ID,
    JSON,
    TOKEN_PATH,
    Credentials,
    error,
    html,
    node_pool,
    ocm_api,
    ok,
    pool_list,
    token,
)
from tests.adapters.wire import HANG_UP, FakeTime, Reply, ScriptedServer

NEW = NewPool("egress-b", "m5.xlarge", Scaling(2, 2, auto=False), subnet="subnet-b")
Deed = Callable[[OcmApi], object]


def listing(api: OcmApi) -> object:
    return api.fetch_pools(HCP)


def labelling(api: OcmApi) -> object:
    return api.set_pool_labels(HCP, "egress-a", {"a": "b"})


def creating(api: OcmApi) -> object:
    return api.create_pool(HCP, NEW)


def asked(server: ScriptedServer) -> list[str]:
    """Methods of what was sent to the API; token requests left out."""
    return [sent.method for sent in server.sent if sent.path != TOKEN_PATH]


# --- how often ---


@pytest.mark.parametrize("reply", [error(429), error(503), html(503)], ids=["429", "503", "503 HTML"])
@pytest.mark.parametrize("deed", [listing, labelling, creating])
def test_what_ocm_has_not_begun_is_asked_three_times(
    server: ScriptedServer, time: FakeTime, reply: Reply, deed: Deed
) -> None:
    """429 and 503 say that nothing was done: any verb is repeated twice, after about one and two seconds."""
    server.will(token(), reply, reply, reply)
    kind = Throttled if reply.status == 429 else Unreachable
    with pytest.raises(kind) as raised:
        deed(ocm_api(server, time))
    assert (len(asked(server)), time.slept, raised.value.retryable) == (3, [1.0, 2.0], True)


@pytest.mark.parametrize(
    "reply",
    [error(500), error(501), html(502), error(504), HANG_UP, Reply(200, "[]", JSON, cut=1)],
    ids=["500", "501", "502 HTML", "504", "hung up", "half an answer"],
)
@pytest.mark.parametrize(("deed", "times"), [(listing, 3), (labelling, 1), (creating, 1)])
def test_only_reads_are_repeated_where_ocm_may_have_begun(
    server: ScriptedServer, time: FakeTime, reply: Reply, deed: Deed, times: int
) -> None:
    """A PATCH or POST that was dropped may have worked: the next look tells."""
    server.will(token(), *[reply] * times)
    with pytest.raises(Unreachable):
        deed(ocm_api(server, time))
    assert len(asked(server)) == times


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(400), Rejected),
        (error(403), Denied),
        (error(404), NotFound),
        (error(409), Conflict),
        (error(412), Rejected),
        (error(451), Rejected),
        (html(404), Unreachable),
        (html(409), Unreachable),
        (html(403), Denied),
        (Reply(302, "", {"Location": "https://elsewhere.example.com/"}), Unreachable),
    ],
    ids=lambda value: f"{value.status} {value.headers.get('Content-Type', '')}" if isinstance(value, Reply) else "",
)
@pytest.mark.parametrize("deed", [listing, labelling, creating])
def test_a_no_is_final(
    server: ScriptedServer, time: FakeTime, deed: Deed, reply: Reply, kind: type[AdapterError]
) -> None:
    """Each status has its class; a gateway's page is not OCM's word, and redirects are not followed."""
    server.will(token(), reply)
    with pytest.raises(kind) as raised:
        deed(ocm_api(server, time))
    assert (type(raised.value), len(asked(server)), time.slept) == (kind, 1, [])


def test_one_failure_is_got_over(server: ScriptedServer, time: FakeTime) -> None:
    """A read that works at the second try works."""
    server.will(token(), html(503), pool_list(node_pool()))
    assert [pool.name for pool in ocm_api(server, time).fetch_pools(HCP)] == ["egress-a"]


@pytest.mark.parametrize(("retry_after", "slept"), [("7", 7.0), ("3600", 10.0), ("Thu, 01 Jan 2026 00:00:00 GMT", 1.0)])
def test_retry_after_is_obeyed_within_reason(
    server: ScriptedServer, time: FakeTime, retry_after: str, slept: float
) -> None:
    """Seconds, and at most ten: an operation has twenty."""
    server.will(token(), error(429, **{"Retry-After": retry_after}), pool_list())
    ocm_api(server, time).fetch_pools(HCP)
    assert time.slept == [slept]


@pytest.mark.parametrize(("draw", "slept"), [(0.0, [0.8, 1.6]), (1.0, [1.2, 2.4])])
def test_pauses_vary_by_a_fifth(server: ScriptedServer, time: FakeTime, draw: float, slept: list[float]) -> None:
    """So that functions that failed together do not come back together."""
    server.will(token(), *[error(503)] * 3)
    with pytest.raises(Unreachable):
        listing(ocm_api(server, time, draw=draw))
    assert time.slept == pytest.approx(slept)


def test_an_operation_ends_after_twenty_seconds(server: ScriptedServer, time: FakeTime) -> None:
    """Pages, repeats and pauses together: no try begins after that, and the rest of the visit is not kept waiting."""
    time.meanwhile = lambda: setattr(time, "now", time.now + 18.5)
    server.will(token(), error(503), error(503))
    with pytest.raises(Unreachable, match="503"):
        listing(ocm_api(server, time))
    assert len(asked(server)) == 2


def test_every_request_is_counted(server: ScriptedServer, time: FakeTime) -> None:
    """Repeats and token requests too."""
    calls = CallCounter()
    server.will(token(), error(503), pool_list())
    ocm_api(server, time, calls=calls).fetch_pools(HCP)
    assert calls.by_operation == {("OCM", "get token"): 1, ("OCM", "list node pools"): 2}


# --- 401 ---


@pytest.mark.parametrize("deed", [listing, labelling])
def test_refused_token_is_renewed_once(server: ScriptedServer, time: FakeTime, deed: Deed) -> None:
    """A 401 means that nothing was done, so even a write goes out again, with another token, at once."""
    answer = pool_list() if deed is listing else ok({"kind": "NodePool", "id": "egress-a"})
    server.will(token("t-1"), error(401), token("t-2"), answer)
    deed(ocm_api(server, time))
    sent = [each.headers["Authorization"] for each in server.sent if each.path != TOKEN_PATH]
    assert (sent, time.slept) == (["Bearer t-1", "Bearer t-2"], [])


def test_a_second_401_is_an_answer(server: ScriptedServer, time: FakeTime) -> None:
    """A new token that is refused as well will not get better; the message keeps OCM's words."""
    server.will(token("t-1"), error(401), token("t-2"), error(401, "account is banned"))
    with pytest.raises(Denied, match=r"401: account is banned \(CLUSTERS-MGMT-401, operation op-1\)"):
        listing(ocm_api(server, time))
    assert len(server.sent) == 4


# --- what is said ---


def test_reason_code_and_operation_are_kept(server: ScriptedServer, time: FakeTime) -> None:
    """In one line that is not too long: the reader needs the reason, Red Hat's support the rest."""
    server.will(token(), error(409, "pool\n is  busy " + "x" * 300))
    with pytest.raises(Conflict) as raised:
        labelling(ocm_api(server, time))
    assert raised.value.detail.startswith("409: pool is busy xxx")
    assert raised.value.detail.endswith("x… (CLUSTERS-MGMT-409, operation op-1)")
    assert len(raised.value.detail) < 280


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (html(503), "503 with text/html instead of application/json"),
        (Reply(200, "{}"), "the answer is not OCM's: 200 with no content type instead of application/json"),
        (Reply(200, "{}", {"Content-Type": "text/plain"}), "200 with text/plain instead"),
        (Reply(200, "[1]", JSON), "the answer is not OCM's"),
        (Reply(200, "{", JSON), "the answer is not OCM's"),
        (ok({"kind": "MachinePoolList", "total": 0}), "the answer is not a NodePoolList"),
        (ok({"kind": "NodePoolList", "items": []}), "the answer is not a NodePoolList"),
        (ok({"kind": "NodePoolList", "total": 1, "items": [{}]}), "an item of the list has no id"),
        (pool_list(node_pool(labels=["a"])), "the answer cannot be read: labels is not an object"),
    ],
    ids=["HTML", "no type", "text", "list", "broken", "other list", "no total", "no id", "labels"],
)
def test_what_is_not_ocm_s_is_unknown(server: ScriptedServer, time: FakeTime, reply: Reply, says: str) -> None:
    """Nothing of that kind becomes an empty list, and no foreign text reaches a message."""
    server.will(token(), *[reply] * 3)
    with pytest.raises(Unreachable) as raised:
        listing(ocm_api(server, time))
    assert says in raised.value.detail
    assert "secret-host" not in str(raised.value)


def test_json_with_parameters_is_json(server: ScriptedServer, time: FakeTime) -> None:
    """`application/json; charset=utf-8` is what many gateways make of it."""
    body = {"kind": "NodePoolList", "total": 0}
    server.will(token(), Reply(200, body, {"Content-Type": "application/JSON; charset=utf-8"}))
    assert ocm_api(server, time).fetch_pools(HCP) == ()


def test_announcements_are_told_once(server: ScriptedServer, time: FakeTime) -> None:
    """OCM says in headers what will change; each text once, not with every visit."""
    told: list[str] = []
    warning = {**JSON, "Warning": '299 - "spot pools\tare new"'}
    deprecation = {**JSON, "Deprecation": "@1790000000", "X-OCM-Deprecation-Message": "use v2"}
    body = {"kind": "NodePoolList", "total": 0}
    server.will(token(), *[Reply(200, body, headers) for headers in (warning, warning, deprecation)])
    api = ocm_api(server, time, warn=told.append)
    for _ in range(3):
        api.fetch_pools(HCP)
    assert told == [
        'OCM: list node pools: Warning: 299 - "spot pools are new"',
        "OCM: list node pools: Deprecation: @1790000000",
        "OCM: list node pools: X-OCM-Deprecation-Message: use v2",
    ]


# --- lists ---


def test_pages_are_read_until_the_total(server: ScriptedServer, time: FakeTime) -> None:
    """Page by page, ordered by id."""
    pages = [pool_list(node_pool("b"), total=2), pool_list(node_pool("a"), total=2, page=2)]
    server.will(token(), *pages)
    assert [pool.name for pool in ocm_api(server, time).fetch_pools(HCP)] == ["a", "b"]
    assert [each.query for each in server.sent[1:]] == [
        {"page": page, "size": "100", "order": "id"} for page in ("1", "2")
    ]


def test_machine_pools_come_all_at_once(server: ScriptedServer, time: FakeTime) -> None:
    """Their list takes no order, and unordered pages may miss a pool."""
    server.will(token(), pool_list(kind="MachinePoolList"))
    assert ocm_api(server, time).fetch_pools(CLASSIC) == ()
    assert (server.sent[1].path, server.sent[1].query) == (
        f"/api/clusters_mgmt/v1/clusters/{ID}/machine_pools",
        {"page": "1", "size": "-1"},
    )


@pytest.mark.parametrize(
    "pass_",
    [
        pytest.param([pool_list(node_pool("a"), total=2), pool_list(node_pool("a"), total=2)], id="an item twice"),
        pytest.param([pool_list(node_pool("a"), total=2), pool_list(total=2)], id="pages end early"),
    ],
)
def test_pages_that_do_not_fit_are_read_again(server: ScriptedServer, time: FakeTime, pass_: list[Reply]) -> None:
    """Pools came or went in between; three times over, the list is unknown, not short."""
    server.will(token(), *pass_, pool_list(node_pool("a"), node_pool("b")))
    assert len(ocm_api(server, time).fetch_pools(HCP)) == 2
    server.reset()
    server.will(token(), *pass_ * 3)
    with pytest.raises(Unreachable, match="its pages do not fit together"):
        listing(ocm_api(server, time))


def test_short_answer_to_all_is_no_complete_list(server: ScriptedServer, time: FakeTime) -> None:
    """`size=-1` that brings one of three: the others exist."""
    pool = {"kind": "MachinePool", "id": "a", "replicas": 1}
    server.will(token(), *[pool_list(pool, total=3, kind="MachinePoolList")] * 3)
    with pytest.raises(Unreachable, match="not complete"):
        ocm_api(server, time).fetch_pools(CLASSIC)


def test_absent_pool_is_absent_by_the_list_too(server: ScriptedServer, time: FakeTime) -> None:
    """A 404 may be the cluster's; only a list without the pool says that there is none."""
    server.will(token(), error(404), pool_list(node_pool("other")))
    assert ocm_api(server, time).fetch_pool(HCP, "egress-a") is None


# --- what goes out ---


@pytest.mark.parametrize("word", ["", "x y", "x'", "../x", "a/b", "a?b", "ä", "a\n", "x' OR '1'='1"], ids=repr)
def test_no_foreign_sign_gets_into_a_path_or_search(server: ScriptedServer, time: FakeTime, word: str) -> None:
    """Refused before anything is sent, with the value and what is allowed."""
    api = ocm_api(server, time)
    elsewhere = OcmCluster(word, "x", "x", hosted=True, state="ready")
    deeds: tuple[Callable[[], Any], ...] = (
        lambda: api.fetch_cluster(word),
        lambda: api.fetch_pools(elsewhere),
        lambda: api.fetch_pool(HCP, word),
        lambda: api.set_pool_labels(HCP, word, {}),
        lambda: api.create_pool(HCP, NewPool(word, "m5.xlarge", NEW.scaling, subnet="subnet-a")),
    )
    for deed in deeds:
        with pytest.raises(Rejected, match="allowed are letters, digits, hyphens and underscores") as raised:
            deed()
        assert repr(word) in str(raised.value)
    assert server.sent == []


def test_answer_to_a_write_must_be_the_pool(server: ScriptedServer, time: FakeTime) -> None:
    """Something in between that says yes to all it never saw is not OCM."""
    server.will(token(), ok({"ok": True}))
    with pytest.raises(Unreachable, match="the answer is not the node pool"):
        labelling(ocm_api(server, time))


def test_requests_are_small_and_say_who_asks(server: ScriptedServer, time: FakeTime) -> None:
    """JSON both ways, the token as bearer."""
    server.will(token("t-1"), ok({"kind": "NodePool", "id": "egress-a"}))
    labelling(ocm_api(server, time))
    sent = server.sent[1]
    assert {name: sent.headers[name] for name in ("Accept", "Authorization", "Content-Type", "User-Agent")} == {
        "Accept": "application/json",
        "Authorization": "Bearer t-1",
        "Content-Type": "application/json",
        "User-Agent": "egress-keeper",
    }
    assert (sent.method, json.loads(sent.body)) == ("PATCH", {"labels": {"a": "b"}})


def test_url_that_would_show_the_token_is_refused(time: FakeTime) -> None:
    """Plain HTTP beyond loopback: nothing is sent, not even for a token."""
    http = Http(clock=time.clock)
    keeper = OcmToken("http://sso.example.com/token", Credentials(), http, monotonic=time.clock, sleep=time.sleep)
    with pytest.raises(Unreachable, match="must begin with https://"):
        listing(OcmApi(OcmWire("http://api.example.com", keeper, http, clock=time.clock)))
    assert time.slept == []


def test_no_secret_in_any_message(server: ScriptedServer, time: FakeTime, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in what is raised nor in what is logged, causes included."""
    server.will(token("tok-en"), error(500), error(500), html(500))
    with caplog.at_level("DEBUG"), pytest.raises(Unreachable) as raised:
        listing(ocm_api(server, time))
    told = repr([raised.value, raised.value.__cause__, raised.value.__context__]) + caplog.text
    assert ("hunter2" in told, "tok-en" in told) == (False, False)
