"""`docs/schemas/answers-1.json` describes every document that is printed or answered, and nothing else passes it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from chalicelib import cli
from chalicelib.domain import actions
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.records import FindingRecord, RunRecord
from chalicelib.domain.spec import Mode
from chalicelib.domain.verdicts import State
from chalicelib.problems import BadInput
from chalicelib.settings import Settings
from chalicelib.usecases import documents
from chalicelib.usecases.visit import Outcome
from chalicelib.wiring import Runtime
from tests import factories
from tests.fakes import Clock, FakeMemory, FakeQueues
from tests.situations import SITUATIONS, drifted, first_visit, reservations_left_over
from tests.usecases.test_releasing import World as ReleaseWorld
from tests.usecases.test_waiting import DESIRED as WAITING
from tests.usecases.test_waiting import seen, waited

SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "schemas" / "answers-1.json").read_text(encoding="utf-8"))
REGISTRY = Resource.from_contents(SCHEMA) @ Registry()
VALIDATOR = Draft202012Validator(SCHEMA, registry=REGISTRY, format_checker=FormatChecker())
FREE_KEYS = {"tags", "labels", "marks", "before", "after"}
"""Members whose own keys are free (tags and labels); of `before` and `after` only those of a TagReservation."""

Document = dict[str, Any]


def documents_of(outcome: Outcome) -> list[Document]:
    """All documents of one visit, as they are after a journey through JSON."""
    look, visited = outcome.look, documents.visit_document(outcome)
    made = [
        documents.envelope("capacity", [documents.capacity_document(look)]),
        documents.envelope("plan", [documents.plan_document(look)]),
        documents.envelope("drift", [documents.drift_document(look)]),
        documents.envelope("apply", [visited]),
        documents.envelope("visit", [visited, visited]),
    ]
    return [json.loads(json.dumps(document)) for document in made]


def run_documents() -> list[Document]:
    """A run in each of its states, and the list of them."""
    done = documents_of(drifted())[-1]
    records = [
        RunRecord("demo.1", "demo", "queued", factories.NOW, {}),
        RunRecord("demo.2", "demo", "running", factories.NOW, {}),
        RunRecord("demo.3", "demo", "done", factories.NOW, done),
        RunRecord("demo.4", "demo", "failed", factories.NOW, {"error": "SNS: Publish: 503"}),
    ]
    made = [*map(documents.run_document, records), documents.runs_document("demo", records)]
    return [json.loads(json.dumps(document)) for document in made]


def pool_documents() -> list[Document]:
    """Waits and releases: ended well, ended early, not approved, and one that failed."""
    worlds = [ReleaseWorld() for _ in range(4)]
    worlds[2].ec2.fail("release_reservation")
    releases = [
        (worlds[0], worlds[0].release()),
        (worlds[1], worlds[1].release(lambda _: False)),
        (worlds[2], worlds[2].release()),
        (worlds[3], worlds[3].release(timeout=0)),
    ]
    waits = [waited(seen())[0], waited(seen(instances=(factories.instance("a"),), nodes=()))[0]]
    made = [
        *(documents.envelope("release", [documents.release_document(w.desired, r)]) for w, r in releases),
        *(documents.envelope("wait", [documents.wait_document(WAITING, result)]) for result in waits),
    ]
    return [json.loads(json.dumps(document)) for document in made]


def test_waits_and_releases_are_as_described() -> None:
    """However they end."""
    for document in pool_documents():
        assert problems(document) == [], document["schema"]


@cache
def outcome_of(situation: Callable[[], Outcome]) -> Outcome:
    """Played once: some take a dozen visits. An outcome is a value."""
    return situation()


@cache
def all_documents() -> tuple[Document, ...]:
    return (
        *[d for situation in SITUATIONS for d in documents_of(outcome_of(situation))],
        *run_documents(),
        *pool_documents(),
    )


@cache
def part(schema: str) -> Draft202012Validator:
    """The part of the schema that describes one kind of document: it says where a document is wrong, and faster."""
    reference = {"$ref": f"{SCHEMA['$id']}#/$defs/{schema.split('/')[1]}"}
    return Draft202012Validator(reference, registry=REGISTRY, format_checker=FormatChecker())


def problems(document: Document) -> list[str]:
    found = [f"{error.json_path}: {error.message}" for error in part(document["schema"]).iter_errors(document)]
    return found if found or VALIDATOR.is_valid(document) else ["the schema as a whole turns it down"]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_every_document_of_a_visit_is_as_described(situation: Callable[[], Outcome]) -> None:
    """Whatever the situation, the five documents that a visit gives rise to follow the schema."""
    for document in documents_of(outcome_of(situation)):
        assert problems(document) == [], document["schema"]


def test_the_situations_reach_every_kind_of_action_and_most_states() -> None:
    """What no situation produces would be described without proof."""
    planned = [outcome_of(situation).look.planned for situation in SITUATIONS]
    planned_kinds = {type(a).__name__ for p in planned for a in p.actions}
    released = {type(action).__name__ for action in ReleaseWorld().release(lambda _: False).plan.actions}
    assert planned_kinds | released == {kind.__name__ for kind in actions.Action.__args__}
    states = {verdict.state for p in planned for verdict in p.verdicts}
    assert {State.SERVING, State.ABSENT, State.FAILED, State.STATUS_UNBACKED, State.UNASSIGNED} <= states
    assert {a.source for p in planned for a in p.allocations} == {"fleet", "object", "reservation", "chosen"}
    assert any(allocation.held for p in planned for allocation in p.allocations)


def test_runs_are_as_described_in_every_state() -> None:
    """A run without result, with one, and broken off."""
    for document in run_documents():
        assert problems(document) == []


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(FLEET, encoding="utf-8")
    made = Runtime(Settings(fleet=str(fleet)), {}, clock=Clock())
    made.adapters.memory, made.adapters.queues = FakeMemory(), FakeQueues()
    return made


FLEET = """
clusters:
  - name: demo
    region: eu-central-1
    infra_id: demo-x7k2p
    api: {url: "https://api.demo.example:443", token: "env:TOKEN"}
    policies:
      - name: ns
        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-ns}}
        addresses: [10.10.100.253]
"""


def test_clusters_and_ordered_visits_are_as_described(runtime: Runtime) -> None:
    """What the API answers without looking at a cluster: the list, the receipt, the run in the queue, the runs."""
    receipt = runtime.request_visit("demo", {})
    answers = [runtime.clusters(), receipt, runtime.run(receipt["run_id"]), runtime.runs("demo")]
    assert [answer["schema"].split("/")[1] for answer in answers] == ["clusters", "accepted", "run", "runs"]
    for answer in answers:
        assert problems(json.loads(json.dumps(answer))) == []


def test_silences_are_as_described(runtime: Runtime) -> None:
    """What the API answers when a finding is silenced, looked up, and no longer silenced."""
    fingerprint = "0123456789abcdef"
    document = {"severity": "warning", "kind": "spec-edited"}
    now = factories.NOW
    runtime.adapters.memory.store_finding(FindingRecord(fingerprint, "demo", "alerted", now, now, now, document))
    made = runtime.silence("demo", {"fingerprint": fingerprint, "for": "2h", "why": "known"}, "arn:ann")
    answers = [made, runtime.silences("demo"), runtime.unsilence("demo", fingerprint, "arn:ben")]
    assert [len(answer["silences"]) for answer in answers] == [1, 1, 1]
    assert made["silences"][0]["who"] == "arn:ann"
    for answer in (*answers, runtime.silences("demo")):
        assert problems(json.loads(json.dumps(answer))) == []
    with pytest.raises(BadInput, match=r"body\.hours: is not known"):
        runtime.silence("demo", {"hours": 2}, "arn:ann")


def test_validate_is_as_described(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    """What `egress-keeper validate --json` prints."""
    assert cli.main(["validate", "--json", "--fleet", runtime.settings.fleet]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["schema"] == "egress-keeper/validate/1"
    assert problems(printed) == []


def mutations(document: Document) -> Iterator[tuple[str, Document]]:
    """*document* with one member taken away, renamed, or given another type: each of its members in turn."""
    for path in list(_members(document)):
        for what, change in (("without", _without), ("renamed", _renamed), ("of another type", _retyped)):
            changed = copy.deepcopy(document)
            change(_at(changed, path[:-1]), path[-1])
            yield f"{document['schema']} {what}: {'.'.join(map(str, path))}", changed


def one_of_each(value: Any) -> Any:
    """The same document with one item a list, or one a kind of action: as many members, far fewer repetitions."""
    if isinstance(value, dict):
        return {key: one_of_each(item) for key, item in value.items()}
    if isinstance(value, list):
        first = {item.get("action", "") if isinstance(item, dict) else "": item for item in reversed(value)}
        return [one_of_each(item) for item in first.values()]
    return value


def _members(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            if not (key in FREE_KEYS and _has_free_keys(value, key)):
                yield from _members(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _members(item, (*path, index))


def _has_free_keys(holder: Document, key: str) -> bool:
    return key in ("tags", "labels", "marks") or holder.get("action") in ("TagReservation", "LabelPool", "UnlabelPool")


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _without(holder: Document, key: str) -> None:
    del holder[key]


def _renamed(holder: Document, key: str) -> None:
    holder[f"{key}_"] = holder.pop(key)


def _retyped(holder: Document, key: str) -> None:
    holder[key] = {"unexpected": 1}


@pytest.mark.slow
def test_no_member_may_go_missing_change_its_name_or_its_type(runtime: Runtime) -> None:
    """The schema is tight: each such document is turned down, whichever member it is."""
    fullest: dict[str, Document] = {}
    for document in (*map(one_of_each, all_documents()), runtime.clusters(), runtime.request_visit("demo", {})):
        if document["schema"] == "egress-keeper/run/1" and not (document["visit"] or {}).get("error"):
            continue  # the visit inside is the one that is tried by itself
        fullest[document["schema"]] = max(fullest.get(document["schema"], {}), document, key=_size)
    del fullest["egress-keeper/apply/1"]  # the same part as a visit's
    every_action = [
        one_of_each(documents_of(outcome_of(situation))[1]) for situation in (drifted, reservations_left_over)
    ]
    accepted, tried = [], 0
    for document in (*fullest.values(), *every_action):
        validator = part(document["schema"])
        for what, changed in mutations(document):
            tried += 1
            accepted += [what] if validator.is_valid(changed) else []
    assert accepted == []
    assert tried > 300


def _size(document: Document) -> int:
    return len(json.dumps(document))


def test_a_document_does_not_pass_as_another() -> None:
    """The member `schema` decides; none, or an unknown one, is turned down."""
    assert not VALIDATOR.is_valid({})
    for document in documents_of(first_visit())[:3]:
        for other in ("capacity", "plan", "drift", "accepted", "nonsense"):
            name = f"egress-keeper/{other}/1"
            assert VALIDATOR.is_valid({**document, "schema": name}) == (name == document["schema"])


def test_lists_of_values_are_those_of_the_code() -> None:
    """A new kind of finding, state or severity is a change of the schema too."""
    defined = SCHEMA["$defs"]
    assert defined["kind"]["enum"] == [kind.value for kind in Kind]
    assert defined["state"]["enum"] == [state.value for state in State]
    assert defined["severity"]["enum"] == [severity.value for severity in Severity]
    assert defined["mode"]["enum"] == [mode.value for mode in Mode]


def test_every_member_is_explained_and_every_part_is_used() -> None:
    """A schema is read by people: each member has a sentence, and no part of it is left over."""
    missing = [
        f"{path}.{name}"
        for path, node in _nodes(SCHEMA)
        for name, member in node.get("properties", {}).items()
        if not member.get("description")
    ]
    assert missing == []
    used = {node["$ref"].removeprefix("#/$defs/") for _, node in _nodes(SCHEMA) if "$ref" in node}
    assert used == set(SCHEMA["$defs"])


def test_the_schema_is_itself_valid() -> None:
    """Draft 2020-12, and every object closed to members nobody described."""
    Draft202012Validator.check_schema(SCHEMA)
    opened = [path for path, n in _nodes(SCHEMA) if "properties" in n and n.get("additionalProperties") is not False]
    assert opened == []


def _nodes(value: Any, path: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in the schema."""
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            if key not in ("const", "enum", "required"):
                yield from _nodes(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nodes(item, f"{path}[{index}]")
