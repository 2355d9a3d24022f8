"""Findings and runs in DynamoDB."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.errors import NotFound, Throttled, Unreachable
from chalicelib.adapters.memory import DOCUMENT_BYTES, IAM_ACTIONS, DynamoMemory, document_text
from chalicelib.domain.records import ApprovedPlan, FindingRecord, RunRecord
from sandbox.aws import AwsSandbox
from sandbox.aws.faults import throttled
from tests.adapters.wire import Reply, ScriptedServer

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def finding(fingerprint: str = "f1", **changes: Any) -> FindingRecord:
    record = FindingRecord(
        fingerprint, "prod", "seen", NOW, NOW, None, {"kind": "x", "count": 2, "deep": [{"a": None}]}
    )
    return replace(record, **changes)


def run(run_id: str = "r1", minutes: int = 0, **changes: Any) -> RunRecord:
    return replace(RunRecord(run_id, "prod", "done", NOW + timedelta(minutes=minutes), {"actions": []}), **changes)


@pytest.fixture
def memory(aws_sandbox: AwsSandbox) -> DynamoMemory:
    aws_sandbox.client("dynamodb").create_table(
        TableName="memory",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    aws_sandbox.calls.clear()
    return DynamoMemory("memory", Aws(attempts=1))


def items(aws_sandbox: AwsSandbox) -> dict[tuple[str, str], dict[str, Any]]:
    found = aws_sandbox.client("dynamodb").scan(TableName="memory")["Items"]
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in found}


def test_a_finding_comes_back_as_it_was(memory: DynamoMemory) -> None:
    """Every field survives, times to the microsecond, and the version counts up."""
    alerted = finding(
        alerted_at=NOW + timedelta(seconds=1),
        state="alerted",
        tries=2,
        tried_at=NOW + timedelta(seconds=2),
        present_since=NOW + timedelta(seconds=3),
        absent_since=NOW + timedelta(seconds=4),
        claimed_at=NOW + timedelta(seconds=5),
        returns=3,
        told="warning",
        told_as="It is so.",
        repair="apply EgressIP ns",
        hushed=True,
    )
    assert memory.store_finding(alerted)
    assert memory.fetch_findings("prod") == (replace(alerted, version=1),)


def test_findings_of_one_cluster_sorted(memory: DynamoMemory) -> None:
    """Other clusters' findings and runs are not among them; what is resolved is: it may come back."""
    for record in [finding("b"), finding("a"), finding("c", state="resolved"), finding("d", cluster="prod2")]:
        assert memory.store_finding(record)
    memory.store_run(run())
    assert [record.fingerprint for record in memory.fetch_findings("prod")] == ["a", "b", "c"]
    assert memory.fetch_findings("nowhere") == ()


def test_only_the_first_of_two_writers_wins(memory: DynamoMemory) -> None:
    """Two visits that read the same record cannot both write it: one of them would not know what the other told."""
    memory.store_finding(finding())
    [read] = memory.fetch_findings("prod")
    assert memory.store_finding(replace(read, state="alerted"))
    assert not memory.store_finding(replace(read, last_seen=NOW + timedelta(hours=1)))
    assert not memory.drop_finding(read)
    [kept] = memory.fetch_findings("prod")
    assert (kept.state, kept.version) == ("alerted", 2)


def test_a_repeated_write_meets_itself(memory: DynamoMemory) -> None:
    """A write whose answer was lost is sent again, and has not been overtaken by anybody but itself."""
    assert memory.store_finding(finding())
    assert memory.store_finding(finding())
    assert memory.fetch_findings("prod")[0].version == 1


def test_a_dropped_finding_is_gone(memory: DynamoMemory) -> None:
    """Dropping needs the version that was read; what is gone already is gone, and can be stored anew."""
    memory.store_finding(finding())
    [read] = memory.fetch_findings("prod")
    assert memory.drop_finding(read)
    assert memory.drop_finding(read)
    assert memory.fetch_findings("prod") == ()
    assert memory.store_finding(read)
    assert memory.fetch_findings("prod")[0].version == 2


def test_when_items_expire(memory: DynamoMemory, aws_sandbox: AwsSandbox) -> None:
    """Findings are forgotten 90 days after they were last seen, runs and their pointers after 30, approvals after 1."""
    memory.store_approved(APPROVED)
    memory.store_finding(finding(last_seen=NOW + timedelta(days=5)))
    memory.store_run(run())
    days = {
        key: (datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC) - NOW).total_seconds() / 86_400
        for key, item in items(aws_sandbox).items()
    }
    assert {key: round(value, 2) for key, value in days.items()} == {
        ("CLUSTER#prod", "APPROVED#3f9a0c71d2e4"): 1,
        ("CLUSTER#prod", "FINDING#f1"): 95,
        ("CLUSTER#prod", "RUN#2026-03-01T12:00:00.250000Z#r1"): 30,
        ("RUN#r1", "RUN"): 30,
    }


def test_a_run_is_found_by_its_id_alone(memory: DynamoMemory) -> None:
    """The REST API knows the id and nothing else; an unknown id is None."""
    memory.store_run(run())
    memory.store_run(run("r2", cluster="test"))
    assert memory.fetch_run("r2") == run("r2", cluster="test")
    assert memory.fetch_run("r3") is None


def test_a_run_that_starts_later_than_it_was_queued_is_one_run(memory: DynamoMemory) -> None:
    """A replaced summary leaves nothing of the former behind, whatever its time."""
    memory.store_run(run(status="queued"))
    memory.store_run(run(status="running", minutes=2))
    memory.store_run(run(status="done", minutes=2))
    assert memory.fetch_runs("prod", 10) == (run(status="done", minutes=2),)
    assert memory.fetch_run("r1") == run(status="done", minutes=2)


def test_the_latest_runs_first(memory: DynamoMemory) -> None:
    """Newest first by their start, whatever the ids look like, and no more than asked for."""
    for number, run_id in enumerate(["zz", "aa", "mm"]):
        memory.store_run(run(run_id, minutes=number))
    memory.store_run(run("other", minutes=9, cluster="test"))
    assert [record.run_id for record in memory.fetch_runs("prod", 2)] == ["mm", "aa"]


def test_times_sort_whatever_zone_and_fraction(memory: DynamoMemory) -> None:
    """A whole second sorts before its fractions, and a time of another zone where it belongs."""
    behind = timezone(timedelta(hours=-2))
    starts = [NOW.replace(microsecond=0), NOW, datetime(2026, 3, 1, 10, 0, 1, tzinfo=behind)]
    for number, start in enumerate(starts):
        memory.store_run(run(f"r{number}", started_at=start))
    assert [record.run_id for record in memory.fetch_runs("prod", 9)] == ["r2", "r1", "r0"]


APPROVED = ApprovedPlan("prod", "3f9a0c71d2e4", NOW, frozenset({"a1", "b2"}), frozenset({"jams ns 10.0.0.9"}))


def test_an_approved_plan_comes_back_as_it_was(memory: DynamoMemory) -> None:
    """By cluster and digest, to the microsecond; a later note of the same plan replaces it."""
    memory.store_approved(APPROVED)
    assert memory.fetch_approved("prod", APPROVED.digest) == APPROVED
    assert memory.fetch_approved("test", APPROVED.digest) is None
    assert memory.fetch_approved("prod", "000000000000") is None
    assert memory.fetch_findings("prod") == ()
    memory.store_approved(APPROVED.carried_out)
    assert memory.fetch_approved("prod", APPROVED.digest) == ApprovedPlan("prod", APPROVED.digest, NOW, done=True)


def test_a_note_of_somebody_else_is_not_taken_for_ours(memory: DynamoMemory, aws_sandbox: AwsSandbox) -> None:
    """What was approved is not guessed from half an item."""
    memory.store_approved(APPROVED)
    key = ("CLUSTER#prod", f"APPROVED#{APPROVED.digest}")
    item = items(aws_sandbox)[key]
    for broken in ({"actions": {"S": "3"}}, {"approved_at": {"S": "today"}}):
        aws_sandbox.client("dynamodb").put_item(TableName="memory", Item={**item, **broken})
        with pytest.raises(Unreachable, match="was not written by us"):
            memory.fetch_approved("prod", APPROVED.digest)


def test_many_large_runs_are_read_page_by_page(memory: DynamoMemory, aws_sandbox: AwsSandbox) -> None:
    """DynamoDB answers at most 1 MB at a time; the rest is asked for."""
    for number in range(8):
        memory.store_run(run(f"r{number}", minutes=number, document={"text": "x" * 300_000}))
        memory.store_finding(finding(f"f{number}", document={"text": "x" * 300_000}))
    assert len(memory.fetch_runs("prod", 7)) == 7
    assert len(memory.fetch_findings("prod")) == 8
    assert len(aws_sandbox.calls.of("dynamodb", "Query")) > 2


def test_a_document_too_large_is_cut_and_says_so(memory: DynamoMemory) -> None:
    """A run of a very large cluster is still stored: the largest parts give way, the small ones stay."""
    memory.store_run(run(document={"digest": "d", "nodes": ["ä" * 100] * 3000, "actions": [1, 2]}))
    stored = memory.fetch_run("r1")
    assert stored is not None
    assert stored.document == {
        "digest": "d",
        "actions": [1, 2],
        "nodes": "cut: 609001 bytes are too many to keep here",
        "cut": ["nodes"],
    }


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=60), max_size=5), st.integers(min_value=30, max_value=200))
def test_every_document_fits(document: dict[str, str], limit: int) -> None:
    """Whatever a document holds, its text fits, and is the whole document when that fits."""
    text = document_text(document, limit)
    assert len(text.encode()) <= limit
    whole = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert (text == whole) == (len(whole.encode()) <= limit)
    assert text == whole or json.loads(text)["cut"]


def test_a_document_of_countless_keys_fits_too() -> None:
    """Even where no part is large, what is stored fits."""
    text = document_text({f"key-{number:06}": "x" * 30 for number in range(20_000)})
    assert len(text.encode()) <= DOCUMENT_BYTES
    assert json.loads(text) == {"cut": ["everything"]}


def test_a_strangers_item_is_told(memory: DynamoMemory, aws_sandbox: AwsSandbox) -> None:
    """An item under our keys that is not ours makes the memory unreadable, not empty."""
    item = {"pk": {"S": "CLUSTER#prod"}, "sk": {"S": "FINDING#x"}}
    aws_sandbox.client("dynamodb").put_item(TableName="memory", Item=item)
    with pytest.raises(Unreachable, match="was not written by us"):
        memory.fetch_findings("prod")


def test_an_answer_without_items_is_not_an_empty_memory(aws_script: ScriptedServer, aws: Aws) -> None:
    """A proxy's page must not look as if nobody had been told anything."""
    aws_script.will(Reply(200, "<html>"))
    with pytest.raises(Unreachable, match="holds no items"):
        DynamoMemory("memory", aws).fetch_findings("prod")


def test_errors_are_not_mistaken_for_a_lost_race(memory: DynamoMemory, aws_sandbox: AwsSandbox) -> None:
    """Only a failed condition is False; everything else raises."""
    aws_sandbox.faults.inject("dynamodb", "PutItem", throttled("dynamodb"))
    with pytest.raises(Throttled):
        memory.store_finding(finding())
    aws_sandbox.faults.heal()
    with pytest.raises(NotFound):
        DynamoMemory("elsewhere", Aws(attempts=1)).store_finding(finding())


def test_the_actions_are_those_of_the_policy(memory: DynamoMemory, aws_sandbox: AwsSandbox) -> None:
    """What the adapter calls is what it says it needs."""
    memory.store_finding(finding())
    memory.drop_finding(replace(finding(), version=1))
    memory.store_run(run())
    memory.fetch_run("r1")
    memory.fetch_runs("prod", 1)
    assert {f"dynamodb:{call.operation}" for call in aws_sandbox.calls.of("dynamodb")} == IAM_ACTIONS
