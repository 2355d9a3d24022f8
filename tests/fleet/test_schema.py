"""The published JSON Schema says what reading the file says, as far as a schema can; the reference page too."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chalicelib.fleet import fleet_schema, parse_fleet
from chalicelib.fleet.schema import schema_text
from tests.fleet.texts import GONE, OCM_ID, PEM, Changes, changed, cluster, fleet, parse, policy, problems
from tests.fleet.wrong import ONE_PROBLEM

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "schemas" / "fleet-1.json"
PAGE = ROOT / "docs" / "fleet.md"

SCHEMA: Any = Draft202012Validator(fleet_schema())

ONLY_READING_TELLS = {
    "line break": "Python's $ matches before a last line break; an editor's does not",
    "key as authority": "PEM text is told from a path",
    "label key aaaaaaaaa.aaaaaaaaa.": "the length of a part of a text",
    "window on no calendar": "February has a 29th in leap years only",
    "window of a zone nobody knows": "the time zone database",
    "window that ends first": "two places",
    "twice in a cluster": "two places",
    "cluster twice": "two places",
    "policy twice": "two places",
    "pool twice": "two places",
    "zone of another Region": "two places",
    "bounds": "two numbers compared",
    "pool without OCM": "two places",
    "pool listed too": "two places",
    "infra id twice": "two places",
    "infra id and OCM id": "two places",
    "OCM id twice": "two places",
    "API twice": "two places",
}
"""Mistakes of the table that the schema lets pass, and why it can't do better."""

GOOD: dict[str, Any] = {
    "small": fleet(cluster()),
    "region in defaults": fleet(
        {k: v for k, v in cluster().items() if k != "region"}, defaults={"region": "us-east-1"}
    ),
    "no policies": fleet(cluster(policies=[], machine_pools=[])),
    "everything": fleet(
        cluster(
            mode="observe",
            role_arn="arn:aws-us-gov:iam::123456789012:role/team/keeper",
            max_change_share=0,
            block_prefix=32,
            ocm={
                "cluster": OCM_ID,
                "credentials": "env:OCM",
                "url": "https://api.openshiftusgov.com",
                "token_url": "https://sso.example.com/a/b",
            },
            machine_pools=[
                {"name": "worker"},
                {"name": "Default"},
                {
                    "name": "egress",
                    "create": {
                        "instance_type": "m7i.2xlarge",
                        "zones": ["eu-central-1a", "eu-central-1b"],
                        "autoscaling": {"min": 0, "max": 500},
                        "taints": [{"key": "a/b", "value": "", "effect": "NoExecute"}],
                        "labels": {"a/b": ""},
                    },
                },
                {
                    "name": "more",
                    "create": {"instance_type": "u-3tb1.56xlarge", "subnets": ["subnet-01234567"], "replicas": 3},
                },
            ],
            policies=[
                policy("a", namespaces={}, pods={}),
                policy("b", per_zone=20, pods={"matchLabels": {"a.b-c/D_e.f": ""}}),
                policy(
                    "c",
                    addresses=["10.255.0.0", "223.255.255.255"],
                    namespaces={
                        "matchExpressions": [
                            {"key": "a", "operator": "In", "values": ["x", ""]},
                            {"key": "a", "operator": "DoesNotExist"},
                            {"key": "b", "operator": "Exists", "values": []},
                        ]
                    },
                ),
            ],
        ),
        defaults={
            "mode": "enforce",
            "region": "eusc-de-east-1",
            "role_arn": "none",
            "max_change_share": 1.0,
            "block_prefix": 28,
            "api": {"ca": PEM},
            "ocm": {"credentials": "file:/run/secrets/ocm"},
        },
    ),
    "id from OCM": changed({("clusters", 0, "infra_id"): GONE, ("clusters", 0, "ocm"): {"cluster": OCM_ID}}),
}


def test_the_published_schema_is_the_models() -> None:
    """The file in docs/schemas is what `python -m chalicelib.fleet.schema` writes now."""
    assert PUBLISHED.read_text() == schema_text()


def test_the_schema_is_one() -> None:
    """It is valid as a schema of its draft, and every field has a description: editors show them."""
    Draft202012Validator.check_schema(fleet_schema())
    for name, definition in fleet_schema()["$defs"].items():
        for field, description in definition["properties"].items():
            assert "description" in description or "$ref" in description, f"{name}.{field}"
            assert "null" not in str(description.get("type"))


def test_the_example_fits_the_schema() -> None:
    """What we give people to start from pleases their editor."""
    SCHEMA.validate(yaml.safe_load((ROOT / "examples" / "fleet.yaml").read_text()))


@pytest.mark.parametrize("document", GOOD.values(), ids=GOOD.keys())
def test_both_take_what_is_good(document: Any) -> None:
    """A good file is good to the reader and to the schema."""
    assert problems(document) == []
    SCHEMA.validate(document)


@pytest.mark.parametrize(("name", "changes"), [pytest.param(n, c, id=n) for n, c, _ in ONE_PROBLEM])
def test_both_refuse_what_is_wrong(name: str, changes: Changes) -> None:
    """The schema refuses what the reader refuses, but for a few mistakes that no schema can see."""
    taken = SCHEMA.is_valid(changed(changes))
    assert taken == any(name.startswith(known) for known in ONLY_READING_TELLS)


def places(document: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Paths of everything in a document."""
    inside = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [at, *(path for key, value in inside for path in places(value, (*at, key)))]


laws = settings(max_examples=100, deadline=None)

PIECES = st.sampled_from(
    [
        None, True, 0, 1, 20, 28, 0.5, 28.0, "", "a", "none", "enforce", "10.0.0.7", "10.0.0.9", "10.0.0.0/24", "env:A",
        PEM, "us-east-1", "https://a:1", "http://127.0.0.1", "a/b", "In", "Exists", OCM_ID, [], {}, ["a"], {"a": "b"},
        {"matchLabels": {"a": "b"}}, {"key": "a", "operator": "Exists"}, {"name": "q"}, cluster("b"), policy("q"),
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "name",
        "region",
        "infra_id",
        "role_arn",
        "mode",
        "api",
        "ocm",
        "ca",
        "values",
        "pods",
        "per_zone",
        "addresses",
        "x",
    ]
)


@st.composite
def edited(draw: st.DrawFn) -> Any:
    """A good file after one to three edits: fields set, added, taken away, list entries repeated."""
    document = copy.deepcopy(draw(st.sampled_from(list(GOOD.values()))))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document)[1:]))
        holder = document
        for element in path[:-1]:
            holder = holder[element]
        match draw(st.sampled_from(["set", "add", "drop"])):
            case "set":
                holder[path[-1]] = copy.deepcopy(draw(PIECES))
            case "add" if isinstance(holder, dict):
                holder[draw(NAMES)] = copy.deepcopy(draw(PIECES))
            case "add":
                holder.append(copy.deepcopy(draw(PIECES | st.just(holder[-1]))))
            case _:
                del holder[path[-1]]
        if not places(document)[1:]:
            break
    return document


@laws
@given(edited())
def test_what_is_read_fits_the_schema(document: Any) -> None:
    """Whatever file we take, an editor with the schema takes too: people are never sent round in a circle."""
    if not problems(document):
        SCHEMA.validate(document)


@laws
@given(edited())
def test_reading_is_the_same_whatever_the_style(document: Any) -> None:
    """The same values in YAML's block style, or as JSON, are the same fleet, or have as many problems."""
    block = yaml.safe_dump(document, default_flow_style=False, sort_keys=False)
    assert len(problems(block)) == len(problems(document))
    if not problems(document):
        assert parse(block) == parse(document)


def test_the_reference_names_every_field() -> None:
    """The page describes every field there is, and none that is not."""
    rows = set(re.findall(r"^\| `([a-zA-Z_.\[\]]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert rows == set(fields(fleet_schema(), fleet_schema()))


def fields(schema: dict[str, Any], place: dict[str, Any], at: str = "") -> list[str]:
    """Dotted names of every field of a schema, `[]` standing for a list's entries."""
    if "$ref" in place:
        place = schema["$defs"][place["$ref"].rpartition("/")[2]]
    if "items" in place:
        return fields(schema, place["items"], f"{at}[]")
    found = []
    for name, inner in place.get("properties", {}).items():
        path = f"{at}.{name}" if at else name
        found += [path, *fields(schema, inner, path)] if "LabelSelector" not in str(inner.get("$ref")) else [path]
    return found


EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text() if PAGE.exists() else "", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", [text for text in EXAMPLES if "clusters:" in text])
def test_the_references_files_are_good(text: str, tmp_path: Path) -> None:
    """Every whole file on the page is read without a problem, certificate file beside it."""
    (tmp_path / "corporate-ca.pem").write_text(PEM)
    assert parse_fleet(text, "docs/fleet.md", base_dir=tmp_path).clusters
    SCHEMA.validate(yaml.safe_load(text))


def test_the_reference_has_a_whole_file() -> None:
    """The check above is not passed by a page without examples."""
    assert any("clusters:" in text for text in EXAMPLES)


def test_the_references_messages_are_real() -> None:
    """The mistakes that the page shows are told in exactly these words."""
    page = PAGE.read_text()
    shown = re.search(r"^```yaml wrong\n(.*?)^```\s+```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert [f"fleet.yaml:{line}" for line in problems(shown[1])] == shown[2].splitlines()
