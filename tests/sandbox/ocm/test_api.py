"""Lists, searches, tokens and faults of the simulated OCM."""

from __future__ import annotations

import pytest

from sandbox.ocm import Fault
from tests.sandbox.ocm.client import Client
from tests.sandbox.ocm.conftest import Setting


def new_pools(setting: Setting, count: int) -> str:
    path = f"clusters/{setting.hcp.id}/node_pools"
    for number in range(count):
        body = {"id": f"p{number}", "subnet": "subnet-a", "replicas": 0, "aws_node_pool": {"instance_type": "m5.large"}}
        assert setting.client.ask("POST", path, body).status == 201
    return path


def test_pages_in_order_hold_everything_once(setting: Setting) -> None:
    """With `order=id` the pages fit together, and `total` says how much there is."""
    path = new_pools(setting, 4)
    pages = [
        setting.client.ask("GET", path, query={"order": "id", "page": str(number), "size": "2"}).json
        for number in (1, 2, 3, 4)
    ]
    assert [[item["id"] for item in page["items"]] for page in pages] == [["p0", "p1"], ["p2", "p3"], ["web"], []]
    assert {page["total"] for page in pages} == {5}


def test_pages_without_order_do_not_fit_together(setting: Setting) -> None:
    """Whoever forgets `order` sees items twice and others never, as with OCM itself."""
    path = new_pools(setting, 3)
    seen = [
        item["id"]
        for number in (1, 2)
        for item in setting.client.ask("GET", path, query={"page": str(number), "size": "2"}).json["items"]
    ]
    assert len(set(seen)) < 4
    assert len(setting.client.ask("GET", path, query={"size": "-1"}).json["items"]) == 4


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("product.id = 'rosa' AND (id = 'hcp' OR name = 'hcp' OR external_id = 'hcp')", ["hcp"]),
        ("name like 'c%' and region.id in ('eu-central-1', 'us-east-1')", ["classic"]),
        ("not hypershift.enabled = 'true'", ["classic"]),
        ("hypershift.enabled = true", ["hcp"]),
        ("name ~= 'c'", ["classic", "hcp"]),
        ("name NOT IN ('hcp') AND name <> 'x' AND name > 'a'", ["classic"]),
        ("no.such.attribute = 'x'", []),
        ("name = 'it''s'", []),
        ("", ["classic", "hcp"]),
    ],
)
def test_search_finds_by_attributes(setting: Setting, search: str, names: list[str]) -> None:
    """The language is SQL's `where` over dotted attributes; keywords in either case."""
    found = setting.client.ask("GET", "clusters", query={"search": search, "order": "name"}).json
    assert [item["name"] for item in found["items"]] == names


@pytest.mark.parametrize(
    "query",
    [
        {"search": "name ="},
        {"search": "name = 'a' name"},
        {"search": "(name = 'a'"},
        {"search": "name = unquoted"},
        {"search": "name = 'open"},
        {"search": "'a' = name"},
        {"order": "id sideways"},
        {"page": "0"},
        {"size": "-2"},
    ],
    ids=str,
)
def test_parameters_that_make_no_sense_are_refused(setting: Setting, query: dict[str, str]) -> None:
    """400, not an empty list."""
    assert setting.client.ask("GET", "clusters", query=query).status == 400


def test_order_may_descend(setting: Setting) -> None:
    """`desc` turns it round."""
    found = setting.client.ask("GET", "clusters", query={"order": "name desc"}).json
    assert [item["name"] for item in found["items"]] == ["hcp", "classic"]


def test_unknown_things_are_404(setting: Setting) -> None:
    """With the thing's name in the reason."""
    answers = [
        setting.client.ask("GET", path).json["reason"]
        for path in ("clusters/nosuch", f"clusters/{setting.hcp.id}/node_pools/nosuch")
    ]
    assert answers == ["Cluster 'nosuch' not found", "Node pool with id 'nosuch' not found"]


def test_pools_of_the_other_flavour_are_refused(setting: Setting) -> None:
    """A classic cluster has no node pools."""
    assert setting.client.ask("GET", f"clusters/{setting.classic.id}/node_pools").status == 400


def test_token_ends_and_can_be_ended(setting: Setting) -> None:
    """401 when its time is over, and at once when it was revoked."""
    assert setting.client.ask("GET", "clusters").status == 200
    setting.ocm.accounts.revoke()
    assert setting.client.ask("GET", "clusters").status == 401
    setting.ocm.accounts.lifetime_seconds = 0
    setting.client.log_in()
    assert setting.client.ask("GET", "clusters").json["code"] == "CLUSTERS-MGMT-401"


def test_token_is_given_for_secrets_in_header_or_form_and_for_offline_tokens(setting: Setting) -> None:
    """Both ways that clients use, and the personal one."""
    in_form = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox-secret"}
    offline = {"grant_type": "refresh_token", "client_id": "cloud-services", "refresh_token": "offline"}
    setting.ocm.accounts.offline_tokens.add("offline")
    for form in (in_form, offline):
        answer = setting.client.ask_token(form).json
        assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)


@pytest.mark.parametrize(
    ("form", "basic", "status", "error"),
    [
        ({"grant_type": "client_credentials"}, ("sandbox", "wrong"), 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, ("nobody", "x"), 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, None, 401, "invalid_client"),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, None, 400, "invalid_grant"),
        ({"grant_type": "password"}, None, 400, "unsupported_grant_type"),
    ],
)
def test_wrong_credentials_get_no_token(
    setting: Setting, form: dict[str, str], basic: tuple[str, str] | None, status: int, error: str
) -> None:
    """OAuth's own errors."""
    answer = setting.client.ask_token(form, basic)
    assert (answer.status, answer.json["error"]) == (status, error)


def test_body_in_chunks_is_read(setting: Setting) -> None:
    """`rosa` sends no length."""
    path = f"clusters/{setting.hcp.id}/node_pools/web"
    assert setting.client.ask("PATCH", path, {"labels": {"a": "b"}}, chunked=True).json["labels"] == {"a": "b"}


def test_faults_answer_instead_of_ocm(setting: Setting) -> None:
    """An error object with the status, with or without Retry-After, or a gateway's page."""
    setting.client.log_in()
    faults = setting.ocm.faults
    faults.add(Fault(status=429, retry_after=7, times=1))
    faults.add(Fault(status=503, body="<html>busy</html>", times=1))
    first, second = (setting.client.ask("GET", "clusters") for _ in range(2))
    assert (first.json["code"], first.headers["Retry-After"]) == ("CLUSTERS-MGMT-429", "7")
    assert (second.status, second.headers["Content-Type"]) == (503, "text/html")
    assert setting.client.ask("GET", "clusters").status == 200


def test_faults_disguise_the_real_answer(setting: Setting) -> None:
    """More headers, another content type or none, half of it: the content is OCM's own."""
    faults = setting.ocm.faults
    warning = ("Warning", '299 - "this will go away"')
    faults.add(Fault(path="clusters", headers=(warning,), content_type="", times=1))
    answer = setting.client.ask("GET", "clusters")
    assert (answer.headers["Warning"], "Content-Type" in answer.headers, answer.json["total"]) == (warning[1], False, 2)
    faults.add(Fault(path="clusters", truncate=True, times=1))
    with pytest.raises(ConnectionError):
        setting.client.ask("GET", "clusters")


def test_exchanges_keep_no_secret(setting: Setting) -> None:
    """What is recorded may be printed: no secret, no token."""
    form = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox-secret"}
    token = setting.client.ask_token(form).json["access_token"]
    setting.client.ask("GET", "clusters")
    recorded = repr(list(setting.ocm.exchanges))
    assert ("sandbox-secret" in recorded, token in recorded, setting.client.token in recorded) == (False, False, False)


def test_nothing_is_answered_to_strangers(setting: Setting) -> None:
    """Not even that a path does not exist."""
    with Client("http://" + setting.client._connection.host + f":{setting.client._connection.port}") as stranger:
        assert stranger.send("GET", "/api/clusters_mgmt/v1/clusters", None, {}).status == 401
