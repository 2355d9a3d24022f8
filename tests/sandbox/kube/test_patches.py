"""What patches make of documents: the examples of the RFCs, and the directives of strategic merge."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.kube import ApiError
from sandbox.kube.core_types import NODE
from sandbox.kube.patches import json_patch, merge_patch
from sandbox.kube.schema import STRING, list_map, string_set, struct
from sandbox.kube.strategic import strategic_merge
from sandbox.kube.tables import human_duration


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_merge_patch_follows_rfc_7386(document: Any, patch: Any, result: Any) -> None:
    """The appendix of the RFC."""
    assert merge_patch(document, patch) == result


@pytest.mark.parametrize(
    ("document", "operations", "result"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["a", "c"]}, [{"op": "add", "path": "/foo/1", "value": "b"}], {"foo": ["a", "b", "c"]}),
        ({"foo": ["a"]}, [{"op": "add", "path": "/foo/-", "value": "b"}], {"foo": ["a", "b"]}),
        ({"foo": ["a", "b"]}, [{"op": "remove", "path": "/foo/0"}], {"foo": ["b"]}),
        ({"foo": ["a"]}, [{"op": "replace", "path": "/foo/0", "value": "b"}], {"foo": ["b"]}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
        ({"a/b": 1, "m~n": 2}, [{"op": "test", "path": "/a~1b", "value": 1}], {"a/b": 1, "m~n": 2}),
        ({"m~n": 2}, [{"op": "remove", "path": "/m~0n"}], {}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    ],
)
def test_json_patch_follows_rfc_6902(document: Any, operations: Any, result: Any) -> None:
    """One example for each operation, escapes included; the document itself stays as it was."""
    before = repr(document)
    assert json_patch(document, operations) == result
    assert repr(document) == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/a/5"},
        {"op": "add", "path": "/a/-1", "value": 1},
        {"op": "replace", "path": "/a/x", "value": 1},
        {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "/s/deep", "value": 1},
        {"op": "add", "path": "/b"},
        {"path": "/b"},
        "nonsense",
    ],
)
def test_what_cannot_be_done_is_refused_whole(operation: Any) -> None:
    """422, whatever is wrong."""
    with pytest.raises(ApiError) as refused:
        json_patch({"a": [1], "s": "text"}, [operation])
    assert refused.value.code == 422


def conditions(*types: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": each, "status": "True"} for each in types]}}


def shown(document: Any) -> str:
    return "".join(item["type"] for item in document["status"]["conditions"])


def test_an_item_is_deleted_by_its_key() -> None:
    """$patch: delete."""
    patch = {"status": {"conditions": [{"type": "b", "$patch": "delete"}]}}
    assert shown(strategic_merge(NODE, conditions("a", "b", "c"), patch)) == "ac"


def test_a_list_is_replaced_on_demand() -> None:
    """$patch: replace, in a list and in an object."""
    patch = {"status": {"conditions": [{"$patch": "replace"}, {"type": "x", "status": "True"}]}}
    assert shown(strategic_merge(NODE, conditions("a", "b"), patch)) == "x"
    replaced = strategic_merge(NODE, {"spec": {"podCIDR": "a"}}, {"spec": {"$patch": "replace", "providerID": "b"}})
    assert replaced == {"spec": {"providerID": "b"}}


def test_an_order_can_be_asked_for() -> None:
    """$setElementOrder, with and without new items; items it does not name keep their places."""
    order = {"$setElementOrder/conditions": [{"type": "c"}, {"type": "a"}]}
    assert shown(strategic_merge(NODE, conditions("a", "b", "c"), {"status": order})) == "bca"
    both = {"status": {**order, "conditions": [{"type": "c", "status": "False"}]}}
    assert shown(strategic_merge(NODE, conditions("a", "c"), both)) == "ca"


def test_values_are_taken_from_a_list_of_words() -> None:
    """$deleteFromPrimitiveList; adding puts new words first."""
    kind = struct({"finalizers": string_set()})
    added = strategic_merge(kind, {"finalizers": ["a", "b"]}, {"finalizers": ["c", "a"]})
    assert added == {"finalizers": ["c", "a", "b"]}
    patch = {"$deleteFromPrimitiveList/finalizers": ["a"]}
    assert strategic_merge(kind, added, patch) == {"finalizers": ["c", "b"]}


def test_only_the_members_named_are_retained() -> None:
    """$retainKeys, as for the one source of a volume."""
    kind = struct({"volumes": list_map(struct({"name": STRING, "a": STRING, "b": STRING}), "name")})
    patch = {"volumes": [{"name": "v", "b": "2", "$retainKeys": ["name", "b"]}]}
    assert strategic_merge(kind, {"volumes": [{"name": "v", "a": "1"}]}, patch) == {
        "volumes": [{"name": "v", "b": "2"}]
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (601, "10m"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (9 * 86400, "9d"),
        (730 * 86400, "2y"),
        (800 * 86400, "2y70d"),
        (9 * 365 * 86400, "9y"),
        (-5, "<invalid>"),
    ],
)
def test_ages_are_printed_as_kubectl_does(seconds: int, text: str) -> None:
    """Two units while the second matters."""
    assert human_duration(seconds) == text
