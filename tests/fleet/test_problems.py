"""What a wrong fleet file is told: every problem at once, with line, field, value and what is allowed."""

from __future__ import annotations

import pytest

from chalicelib.fleet import FleetError, Problem, parse_fleet
from tests.fleet.texts import Changes, changed, cluster, fleet, parse, policy, problems
from tests.fleet.wrong import ADDRESS, KEY, ONE_PROBLEM, VALUE, C, P


@pytest.mark.parametrize(("changes", "told"), [pytest.param(c, t, id=name) for name, c, t in ONE_PROBLEM])
def test_one_mistake_is_one_line(changes: Changes, told: str) -> None:
    """Each mistake in an otherwise good file is one line: where, field, value, what is allowed."""
    assert problems(changed(changes)) == [f"1: {told}"]


def test_no_secret_is_ever_shown() -> None:
    """Text in place of a mapping, or a secret in place of where it is kept, is not repeated in a message."""
    for path in ((*C, "api"), (*C, "api", "token"), (*C, "ocm"), (*C, "ocm", "credentials"), C, ("clusters",), P):
        for secret in ("hunter2", "-----BEGIN PRIVATE KEY-----\nhunter2", "1e3hunter2", "//u:hunter2@x"):
            told = "\n".join(problems(changed({path: secret})))
            assert told
            assert "hunter2" not in told


def test_a_bad_key_does_not_hide_its_value() -> None:
    """Under a key that is wrong, a value that is wrong is told too, each at its own place."""
    place = 'clusters[0].policies[0].namespaces.matchLabels["[key]"]'
    assert problems(changed({(*P, "namespaces"): {"matchLabels": {"[key]": "!"}}})) == [
        f'1: {place}: value "!": {VALUE}',
        f'1: {place}: value "[key]": {KEY}',
    ]


def test_the_same_cluster_id_in_another_region_is_another_cluster() -> None:
    """Infrastructure ids are unique in a Region only."""
    assert problems(fleet(cluster("a", infra_id="x"), cluster("b", infra_id="x", region="us-east-1"))) == []


def test_the_same_address_in_another_cluster_is_fine() -> None:
    """Two clusters in two VPCs may use the same private address."""
    assert problems(fleet(cluster("a"), cluster("b"))) == []


def test_everything_is_told_at_once_by_line() -> None:
    """One reading gives all mistakes, in the order of the file; none hides another, twice-given addresses included."""
    text = """
defaults: {mode: maybe}
clusters:
  - name: a
    regoin: eu-central-1
    infra_id: a
    api:
      token: env:T
      url: https://a
    policies:
      - name: one
        namespaces: on
        addresses:
          - 10.0.0.1
          - 10.0.0.999
      - namespaces: {}
        addresses: [10.0.0.1]
        per_zone: 1e1
  - 5
"""
    assert [line.split(": ")[0] + " " + line.split(": ")[1] for line in problems(text)] == [
        "2 defaults.mode",
        "4 clusters[0]",
        "5 clusters[0].regoin",
        "12 clusters[0].policies[0].namespaces",
        "15 clusters[0].policies[0].addresses[1]",
        "16 clusters[0].policies[1]",
        "16 clusters[0].policies[1].name",
        "17 clusters[0].policies[1].addresses[0]",
        "18 clusters[0].policies[1].per_zone",
        "19 clusters[1]",
    ]


def test_a_merged_mistake_is_told_where_it_stands() -> None:
    """A mistake behind an anchor has the line of the anchor: that is the line to mend."""
    text = """
clusters:
  - name: a
    region: eu-central-1
    infra_id: a
    api: {url: https://a, token: env:T}
    policies:
      - &one
        name: one
        namespaces: {}
        addresses: [10.0.0.1/32]
      - <<: *one
        name: two
"""
    lines = problems(text)
    assert [line.partition(": value")[0] for line in lines] == [
        "11: clusters[0].policies[0].addresses[0]",
        "11: clusters[0].policies[1].addresses[0]",
        "11: clusters[0].policies[1].addresses[0]",
    ]


def test_an_error_carries_its_problems() -> None:
    """Programs read the problems, people the message: a hundred lines of it at most."""
    many = fleet(cluster(policies=[policy(addresses=[f"x{n}" for n in range(150)])]))
    with pytest.raises(FleetError) as raised:
        parse(many)
    lines = str(raised.value).splitlines()
    assert (len(raised.value.problems), len(lines), lines[-1]) == (150, 101, "f: and 50 problems more")
    path = ("clusters", 0, "policies", 0, "addresses", 0)
    assert Problem(1, path, f'value "x0": {ADDRESS}') in raised.value.problems


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "f:1: is a list: allowed is a mapping with the fields defaults, clusters"),
        ("hunter2", "f:1: is text: allowed is a mapping with the fields defaults, clusters"),
        ("{}", "f:1: clusters: is missing: The clusters."),
    ],
)
def test_a_file_of_another_kind(text: str, told: str) -> None:
    """A token, a list, an empty mapping in place of a fleet file are named, and not shown."""
    with pytest.raises(FleetError) as raised:
        parse_fleet(text, "f", base_dir=None)
    assert str(raised.value) == told
