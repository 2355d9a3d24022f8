"""Laws of ownership and Server-Side Apply, over arbitrary values of one type that has every kind of field."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.kube import managed_fields, typed
from sandbox.kube.managed_fields import APPLY, UPDATE, Manager, Writer
from sandbox.kube.schema import STRING, atomic_list, list_map, map_of, string_set, struct

TYPE = struct(
    {
        "name": STRING,
        "labels": map_of(STRING),
        "addresses": atomic_list(STRING),
        "conditions": list_map(struct({"type": STRING, "status": STRING, "reason": STRING}), "type"),
        "finalizers": string_set(),
        "inner": struct({"deep": struct({"a": STRING, "b": STRING}), "atom": struct({"x": STRING}, atomic=True)}),
    }
)

_law = settings(max_examples=40, deadline=None)

NOBODY = managed_fields.read(None)
ME = Writer(Manager("me", APPLY, "v1"), "2024-01-01T00:00:00Z")
THEM = Writer(Manager("them", APPLY, "v1"), "2024-01-02T00:00:00Z")
EDITOR = Writer(Manager("editor", UPDATE, "v1"), "2024-01-03T00:00:00Z")

_words = st.sampled_from(["a", "b", "c"])


def _members(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=members)


_condition = st.fixed_dictionaries({"type": _words}, optional={"status": _words, "reason": _words})

# Objects as clients send them: what is there is not empty.
values = _members(
    name=_words,
    labels=st.dictionaries(_words, _words, min_size=1, max_size=3),
    addresses=st.lists(_words, min_size=1, max_size=3),
    conditions=st.lists(_condition, min_size=1, max_size=3, unique_by=lambda item: item["type"]),
    finalizers=st.lists(_words, min_size=1, max_size=3, unique=True),
    inner=_members(deep=_members(a=_words, b=_words).filter(bool), atom=st.fixed_dictionaries({"x": _words})).filter(
        bool
    ),
)


def _apply(live: Any, config: Any, ownership: Any, writer: Writer = ME) -> tuple[Any, Any]:
    return managed_fields.applied(TYPE, live, config, ownership, writer, force=True)


@_law
@given(values)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    """compare finds nothing where there is nothing."""
    assert typed.compare(TYPE, value, value) == typed.Difference(typed.EMPTY, typed.EMPTY, typed.EMPTY)


@_law
@given(values, values)
def test_comparison_is_symmetric(one: Any, other: Any) -> None:
    """What is added in one direction is removed in the other."""
    there, back = typed.compare(TYPE, one, other), typed.compare(TYPE, other, one)
    assert (there.added, there.removed, there.modified) == (back.removed, back.added, back.modified)


@_law
@given(values, values)
def test_merging_makes_the_configuration_true(live: Any, config: Any) -> None:
    """Afterwards the configuration says nothing new, and nothing of the live object outside it is gone."""
    merged = typed.merge(TYPE, live, config)
    assert typed.merge(TYPE, merged, config) == merged
    assert typed.field_set(TYPE, merged) >= typed.field_set(TYPE, config)
    assert not typed.compare(TYPE, live, merged).removed


@_law
@given(values, values)
def test_applying_twice_is_applying_once(live: Any, config: Any) -> None:
    """The second time changes neither the object nor who owns what, nor any time."""
    start = managed_fields.after_update(TYPE, {}, live, NOBODY, EDITOR)
    first, owned = _apply(live, config, start)
    second, owned_again = _apply(first, config, owned)
    assert (second, dict(owned_again.fields), dict(owned_again.times)) == (first, dict(owned.fields), dict(owned.times))


@_law
@given(values, values)
def test_applying_nothing_takes_back_what_was_mine_alone(live: Any, config: Any) -> None:
    """Fields others own survive; without others the object is as empty as before."""
    start = managed_fields.after_update(TYPE, {}, live, NOBODY, EDITOR)
    applied, owned = managed_fields.applied(TYPE, live, live, start, ME)
    back, _ = _apply(applied, {}, owned)
    assert back == live
    alone, mine = _apply({}, config, NOBODY)
    empty, left = _apply(alone, {}, mine)
    assert (empty or {}, dict(left.fields)) == ({}, {})


@_law
@given(values, values)
def test_equal_values_never_conflict(live: Any, config: Any) -> None:
    """Only a field that would change is a conflict; two appliers of one configuration share it."""
    first, owned = _apply(live, config, managed_fields.after_update(TYPE, {}, live, NOBODY, EDITOR))
    second, shared = managed_fields.applied(TYPE, first, config, owned, THEM)
    assert second == first
    assert shared.fields.get(ME.manager) == shared.fields.get(THEM.manager)


@_law
@given(values, values, values)
def test_no_field_that_differs_has_two_opinions(live: Any, mine: Any, theirs: Any) -> None:
    """After a forced apply nobody else owns a field whose value was changed."""
    start, owned = _apply(live, mine, managed_fields.after_update(TYPE, {}, live, NOBODY, EDITOR))
    end, after = _apply(start, theirs, owned, THEM)
    changed = typed.compare(TYPE, start, end).written
    for manager, fields in after.fields.items():
        if manager != THEM.manager:
            assert not fields & changed


@_law
@given(values, values)
def test_ownership_survives_being_written_down(live: Any, config: Any) -> None:
    """managedFields says all there is to know."""
    start = managed_fields.after_update(TYPE, {}, live, NOBODY, EDITOR)
    _, owned = _apply(live, config, start)
    again = managed_fields.read(managed_fields.write(owned))
    assert dict(again.fields) == dict(owned.fields)


def test_items_of_a_list_map_keep_the_order_wanted() -> None:
    """Shared items in the order of the configuration, others where they stood, new ones where they are named."""

    def conditions(types: str) -> dict[str, Any]:
        return {"conditions": [{"type": each} for each in types]}

    merged = typed.merge(TYPE, conditions("abcd"), conditions("dxb"))
    assert "".join(item["type"] for item in merged["conditions"]) == "acdxb"


def test_paths_are_shown_as_conflicts_name_them() -> None:
    """Members by dots, items by their keys, set values by themselves."""
    path = ("f:status", "f:conditions", 'k:{"type":"Ready"}', "f:status")
    assert managed_fields.show_path(path) == '.status.conditions[type="Ready"].status'
    assert managed_fields.show_path(("f:finalizers", 'v:"a.b/c"')) == '.finalizers[="a.b/c"]'
