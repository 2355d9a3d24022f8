"""LIST: pages, versions, selectors, and the shapes of what is sent.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.sandbox.kube.client import EGRESS_IPS, NODES, TABLE, Api, applied, make_group, node, pages, unique


def test_a_list_has_a_version_and_its_kind(api: Api) -> None:
    """Custom resources carry kind and apiVersion in their items, core ones do not."""
    custom = api.get(make_group(api, 1)).body
    assert (custom["kind"], custom["apiVersion"]) == ("EgressIPList", "k8s.ovn.org/v1")
    assert int(custom["metadata"]["resourceVersion"]) > 0
    assert custom["items"][0]["kind"] == "EgressIP"
    assert custom["metadata"]["continue"] == ""
    name = unique("n")
    api.post(NODES, node(name))
    core = api.get(f"{NODES}?fieldSelector=metadata.name%3D{name}").body
    assert core["kind"] == "NodeList"
    assert "continue" not in core["metadata"]
    assert sorted(core["items"][0]) == ["metadata", "spec", "status"]


def test_pages_show_one_moment(api: Api) -> None:
    """What is written between two pages shows up in none of them."""
    path = make_group(api, 5)
    reader = pages(api, path, 2)
    first = next(reader)
    names = [item["metadata"]["name"] for item in first.body["items"]]
    everything = [item["metadata"]["name"] for item in api.get(path).body["items"]]
    assert api.delete(f"{EGRESS_IPS}/{everything[2]}").status == 200
    for group in ("moved", "moved-again"):
        api.merge(f"{EGRESS_IPS}/{everything[4]}", {"metadata": {"labels": {"group": group}}})
    versions = {first.body["metadata"]["resourceVersion"]}
    for page in reader:
        names += [item["metadata"]["name"] for item in page.body["items"]]
        versions.add(page.body["metadata"]["resourceVersion"])
    assert names == everything
    assert len(versions) == 1


def test_remaining_items_are_counted_without_selector_only(api: Api) -> None:
    """With a selector the server cannot tell."""
    path = make_group(api, 3)
    assert "remainingItemCount" not in api.get(f"{path}&limit=1").body["metadata"]
    assert api.get(f"{EGRESS_IPS}?limit=1").body["metadata"]["remainingItemCount"] >= 2


def test_version_zero_ignores_the_limit(api: Api) -> None:
    """Served from the cache, whole."""
    path = make_group(api, 3)
    reply = api.get(f"{path}&limit=1&resourceVersion=0")
    assert len(reply.body["items"]) == 3
    assert not reply.body["metadata"].get("continue")


def test_an_exact_version_shows_the_past(api: Api) -> None:
    """resourceVersionMatch=Exact."""
    path = make_group(api, 2)
    then = api.get(path).body
    api.delete(f"{EGRESS_IPS}/{then['items'][0]['metadata']['name']}")
    version = then["metadata"]["resourceVersion"]
    again = api.get(f"{path}&resourceVersion={version}&resourceVersionMatch=Exact").body
    assert again["items"] == then["items"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=abc", 400),
        ("continue=abc", 400),
        ("resourceVersion=abc", 400),
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersion=1&resourceVersionMatch=Nonsense", 422),
        ("resourceVersion=99999999&resourceVersionMatch=NotOlderThan", 504),
        ("labelSelector=" + quote("a in (b"), 400),
        ("fieldSelector=spec.egressIPs%3Dx", 400),
        ("sendInitialEvents=true", 422),
    ],
)
def test_list_parameters_that_make_no_sense(api: Api, query: str, status: int) -> None:
    """Refused, never ignored."""
    assert api.get(f"{EGRESS_IPS}?{query}").status == status


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("i=1", {1}),
        ("i==1", {1}),
        ("i!=1", {0, 2, 3}),
        ("i in (1,2)", {1, 2}),
        ("i notin (1,2)", {0, 3}),
        ("i", {0, 1, 2, 3}),
        ("!i", set()),
        ("i>1", {2, 3}),
        ("i<1", {0}),
        ("i in (1,2),i!=2", {1}),
    ],
)
def test_label_selectors(api: Api, selector: str, found: set[int]) -> None:
    """The whole language."""
    path = make_group(api, 4)
    items = api.get(f"{path},{quote(selector)}").body["items"]
    assert {int(item["metadata"]["labels"]["i"]) for item in items} == found


def test_metadata_only(api: Api) -> None:
    """PartialObjectMetadataList, with kind and version in every item; the name for lists must be used for lists."""
    path = make_group(api, 2)
    accept = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
    reply = api.get(path, accept=accept.format("List"))
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert [sorted(item) for item in reply.body["items"]] == [["apiVersion", "kind", "metadata"]] * 2
    assert api.get(path, accept=accept.format("")).status == 406


def test_an_empty_list_of_metadata_has_null_for_items(api: Api) -> None:
    """Of whole objects it is an empty list; a client that expects one here as well fails on the real server only."""
    partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    for path in (NODES, EGRESS_IPS):
        assert api.get(f"{path}?labelSelector=nobody%3Dhas").body["items"] == []
        assert api.get(f"{path}?labelSelector=nobody%3Dhas", accept=partial).body["items"] is None


def test_a_table_has_the_columns_of_the_crd(api: Api) -> None:
    """A printer column shows the first of several values."""
    path, config = applied(api, "10.0.1.5", "10.0.2.5")
    api.merge(path, {"status": {"items": [{"node": "n1", "egressIP": "10.0.1.5"}]}})
    table = api.get(path, accept=TABLE).body
    columns = [column["name"] for column in table["columnDefinitions"]]
    assert columns == ["Name", "EgressIPs", "Assigned Node", "Assigned EgressIPs"]
    assert table["rows"][0]["cells"] == [config["metadata"]["name"], "10.0.1.5", "n1", "10.0.1.5"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_the_node_table_is_what_kubectl_prints(api: Api) -> None:
    """Status, roles and addresses, the last columns for wide output only."""
    name = unique("n")
    api.post(NODES, node(name, labels={"node-role.kubernetes.io/worker": ""}))
    table = api.get(f"{NODES}/{name}", accept=TABLE).body
    shown = dict(zip((column["name"] for column in table["columnDefinitions"]), table["rows"][0]["cells"], strict=True))
    assert (shown["Status"], shown["Roles"], shown["Internal-IP"], shown["External-IP"]) == (
        "Ready",
        "worker",
        "10.0.1.10",
        "<none>",
    )
    assert [column["name"] for column in table["columnDefinitions"] if not column["priority"]] == [
        "Name",
        "Status",
        "Roles",
        "Age",
        "Version",
    ]


def test_what_cannot_be_sent_is_406(api: Api) -> None:
    """And names what can."""
    reply = api.get(NODES, accept="text/plain")
    assert (reply.status, reply.reason) == (406, "NotAcceptable")


def test_objects_and_tables_in_other_forms(api: Api) -> None:
    """YAML, whole objects or none in a table, the older version of the meta group, and JSON for who takes anything."""
    path, _ = applied(api, "10.0.1.5")
    text = api.get(path, accept="application/yaml")
    assert (text.headers["Content-Type"], "kind: EgressIP" in text.body) == ("application/yaml", True)
    assert api.get(f"{path}?includeObject=Object", accept=TABLE).body["rows"][0]["object"]["kind"] == "EgressIP"
    assert api.get(f"{path}?includeObject=None", accept=TABLE).body["rows"][0]["object"] is None
    older = TABLE.replace("v=v1", "v=v1beta1")
    assert api.get(path, accept=older).body["apiVersion"] == "meta.k8s.io/v1beta1"
    partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1beta1"
    assert api.get(path, accept=partial).body["apiVersion"] == "meta.k8s.io/v1beta1"
    assert api.get(path, accept="text/html, */*").body["kind"] == "EgressIP"
    assert api.get(path, accept="application/json;as=Nonsense;g=meta.k8s.io;v=v1").status == 406
    name = unique("n")
    api.post(NODES, node(name))
    for_lists = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert api.get(f"{NODES}/{name}", accept=for_lists).status == 406


@pytest.mark.parametrize("selector", ["(", ",", "a b", "a in (1", "x=y=z", "a>b", "a in b"])
def test_label_selectors_that_cannot_be_read(api: Api, selector: str) -> None:
    """400, never everything."""
    assert api.get(f"{EGRESS_IPS}?labelSelector={quote(selector)}").status == 400


def test_odd_but_valid_selectors(api: Api) -> None:
    """Spaces, empty values, exclusions."""
    path = make_group(api, 2)
    for selector, count in ((" i = 1 ", 1), ("i=", 0), ("i in ()", 0), ("i in (,1)", 1), ("!nothing", 2)):
        assert len(api.get(f"{path},{quote(selector)}").body["items"]) == count
    name = api.get(path).body["items"][0]["metadata"]["name"]
    assert len(api.get(f"{path}&fieldSelector=metadata.name!%3D{name}").body["items"]) == 1
    assert api.get(f"{EGRESS_IPS}?fieldSelector=metadata.name").status == 400
    assert api.get(f"{NODES}?fieldSelector=spec.unschedulable%3Dtrue").body["items"] == []
