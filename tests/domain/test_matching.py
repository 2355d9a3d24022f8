"""Label selectors, held to the platform's rules and to each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.matching import exclusive, parse_selector, selects

LABELS = {"team": "a", "env": "prod"}


def expression(key: str, operator: str, *values: str) -> str:
    return json.dumps({"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]})


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, True),
        ("{}", True),
        ('{"matchLabels":null,"matchExpressions":null}', True),
        ('{"matchLabels":{"team":"a"}}', True),
        ('{"matchLabels":{"team":"a","env":"test"}}', False),
        (expression("team", "In", "a", "b"), True),
        (expression("team", "In", "b"), False),
        (expression("zone", "In", "a"), False),
        (expression("team", "NotIn", "a"), False),
        (expression("team", "NotIn", "b"), True),
        (expression("zone", "NotIn", "b"), True),
        (expression("team", "Exists"), True),
        (expression("zone", "Exists"), False),
        (expression("team", "DoesNotExist"), False),
        (expression("zone", "DoesNotExist"), True),
        (expression("team", "In"), False),
        (expression("zone", "NotIn"), False),
        (expression("team", "Exists", "a"), False),
        (expression("team", "Gt", "1"), False),
        ('{"matchExpressions":[{"key":"zone","operator":"NotIn","values":"b"}]}', False),
    ],
)
def test_a_selector_selects_what_the_platform_says(selector: str | None, selected: bool) -> None:
    """All requirements hold; NotIn needs no label; what the platform can't evaluate selects nothing."""
    assert selects(parse_selector(selector), LABELS) is selected


_expressions = st.builds(
    lambda key, operator, values: {"key": key, "operator": operator, "values": values},
    st.sampled_from("xy"),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    st.lists(st.sampled_from("123"), max_size=2, unique=True),
)
_selectors = st.lists(_expressions, max_size=2).map(lambda listed: json.dumps({"matchExpressions": listed}))
_labels = st.dictionaries(st.sampled_from("xy"), st.sampled_from("1234"))


@given(_selectors, _selectors, _labels)
def test_selectors_that_exclude_each_other_have_nothing_in_common(one: str, other: str, labels: dict[str, Any]) -> None:
    """Where nothing is read because selectors exclude each other, no labels at all may be selected by both."""
    first, second = parse_selector(one), parse_selector(other)
    assert exclusive(first, second) == exclusive(second, first)
    if exclusive(first, second):
        assert not (selects(first, labels) and selects(second, labels))


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ('{"matchLabels":{"team":"a"}}', '{"matchLabels":{"team":"b"}}', True),
        ('{"matchLabels":{"team":"a"}}', '{"matchLabels":{"env":"b"}}', False),
        (expression("team", "In", "a", "b"), expression("team", "In", "b", "c"), False),
        (expression("team", "In", "a"), expression("team", "NotIn", "a"), True),
        (expression("team", "NotIn", "a"), expression("team", "In", "a"), True),
        (expression("team", "NotIn", "a"), expression("team", "NotIn", "b"), False),
        (expression("team", "Exists"), expression("team", "DoesNotExist"), True),
        (expression("team", "DoesNotExist"), expression("team", "DoesNotExist"), False),
        (expression("team", "In", "a"), expression("team", "DoesNotExist"), True),
        ("{}", "{}", False),
    ],
)
def test_what_excludes_what(one: str, other: str, apart: bool) -> None:
    """Fleets whose selectors name one label with different values cost no read at all."""
    assert exclusive(parse_selector(one), parse_selector(other)) is apart
