"""Findings, silences, runs and approved plans in one DynamoDB table. Losing it loses who was told what, no address.

| item | pk | sk |
| --- | --- | --- |
| finding | `CLUSTER#<cluster>` | `FINDING#<fingerprint>` |
| silence | `CLUSTER#<cluster>` | `SILENCE#<fingerprint>` |
| run | `CLUSTER#<cluster>` | `RUN#<start, UTC>#<run id>`: sorted by time, whatever ids look like |
| approved plan | `CLUSTER#<cluster>` | `APPROVED#<digest>`; there once it was begun |
| last good visit | `GOOD` | `<cluster>`; `at` is when it ended |
| where a run is | `RUN#<run id>` | `RUN`; `cluster` and `run` give the keys of the item above |

`expires_at` (seconds since 1970) is the table's TTL attribute. Documents are JSON text: numbers and nesting come back
as they were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.aws_errors import error_code
from chalicelib.adapters.errors import Rejected, Unreachable
from chalicelib.domain.findings import Severity
from chalicelib.domain.quiet import Silence
from chalicelib.domain.records import ApprovedPlan, FindingRecord, RunRecord

IAM_ACTIONS = frozenset({"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"})

RUN_DAYS = 30
FINDING_DAYS = 90
SILENCE_DAYS = 30
"""After its end: who silenced what stays known for a while."""

APPROVED_DAYS = 1
"""An approval holds for an hour; a day shows what was there to whoever looks into it."""

DOCUMENT_BYTES = 380_000
"""DynamoDB takes items of 400 kB, names and keys included."""

MOMENTS = ("alerted_at", "tried_at", "present_since", "absent_since", "claimed_at")
"""Times of a finding that may be missing."""

TEXTS = ("told", "told_as", "repair")
"""Texts of a finding that may be empty."""

Item = dict[str, dict[str, str]]


class DynamoMemory:
    """The `Memory` port over DynamoDB."""

    def __init__(self, table: str, aws: Aws) -> None:
        self._table = table
        self._aws = aws

    def fetch_findings(self, cluster: str) -> tuple[FindingRecord, ...]:
        """All stored findings of the cluster, resolved ones included, sorted by fingerprint."""
        return tuple(_finding(item) for item in self._query(cluster, "FINDING#"))

    def store_finding(self, record: FindingRecord) -> bool:
        """Write the record if its version is the stored one, or none is stored; False if someone else was first.

        The stored version is one higher: to write again, fetch again or raise `version` by one.
        """
        item: Item = {
            **_finding_key(record),
            "cluster": {"S": record.cluster},
            "fingerprint": {"S": record.fingerprint},
            "state": {"S": record.state},
            "first_seen": {"S": _text(record.first_seen)},
            "last_seen": {"S": _text(record.last_seen)},
            "document": {"S": document_text(record.document)},
            "version": {"N": str(record.version + 1)},
            "tries": {"N": str(record.tries)},
            "returns": {"N": str(record.returns)},
            "expires_at": _expiry(record.last_seen, FINDING_DAYS),
        }
        item |= {name: {"S": _text(moment)} for name in MOMENTS if (moment := getattr(record, name)) is not None}
        item |= {name: {"S": text} for name in TEXTS if (text := getattr(record, name))}
        item |= {"hushed": {"S": "yes"}} if record.hushed else {}
        # A write whose answer is lost is repeated below us and then meets itself.
        return self._conditionally("PutItem", record, mine=item, Item=item)

    def drop_finding(self, record: FindingRecord) -> bool:
        """Forget a finding, under the same condition; one that is gone already counts as forgotten."""
        return self._conditionally("DeleteItem", record, Key=_finding_key(record))

    def fetch_silences(self, cluster: str) -> tuple[Silence, ...]:
        """All silences of the cluster, sorted by fingerprint; some may be over."""
        return tuple(_silence(item) for item in self._query(cluster, "SILENCE#"))

    def store_silence(self, silence: Silence) -> None:
        """Write or replace the silence of one finding; it expires 30 days after its end."""
        texts = {
            "pk": f"CLUSTER#{silence.cluster}",
            "sk": f"SILENCE#{silence.fingerprint}",
            "cluster": silence.cluster,
            "fingerprint": silence.fingerprint,
            "made_at": _text(silence.made_at),
            "until": _text(silence.until),
            "who": silence.who,
            "why": silence.why,
            "severity": silence.severity.value,
            "ended_by": silence.ended_by,
        }
        item: Item = {name: {"S": text} for name, text in texts.items()}
        self._call("PutItem", Item={**item, "expires_at": _expiry(silence.until, SILENCE_DAYS)})

    def fetch_good_visits(self) -> dict[str, datetime]:
        """When each cluster's last good visit ended, or it was first missed, by cluster."""
        found: dict[str, datetime] = {}
        for item in self._query_key("GOOD", ""):
            try:
                found[item["sk"]["S"]] = datetime.fromisoformat(item["at"]["S"])
            except (KeyError, ValueError) as error:
                raise _foreign(item) from error
        return found

    def store_good_visit(self, cluster: str, at: datetime) -> None:
        """Remember that a visit came to its good end; forgotten with a cluster that has had none for 30 days."""
        item: Item = {"pk": {"S": "GOOD"}, "sk": {"S": cluster}, "at": {"S": _text(at)}}
        self._call("PutItem", Item={**item, "expires_at": _expiry(at, RUN_DAYS)})

    def store_run(self, record: RunRecord) -> None:
        """Write or replace a run summary; it expires after 30 days."""
        expires_at = _expiry(record.started_at, RUN_DAYS)
        place = {
            "pk": {"S": f"CLUSTER#{record.cluster}"},
            "sk": {"S": f"RUN#{_text(record.started_at)}#{record.run_id}"},
        }
        item: Item = {
            **place,
            "cluster": {"S": record.cluster},
            "run_id": {"S": record.run_id},
            "status": {"S": record.status},
            "started_at": {"S": _text(record.started_at)},
            "document": {"S": document_text(record.document)},
            "expires_at": expires_at,
        }
        pointer: Item = {
            **_pointer_key(record.run_id),
            "cluster": place["pk"],
            "run": place["sk"],
            "expires_at": expires_at,
        }
        self._call("PutItem", Item=item)
        before = self._call("PutItem", Item=pointer, ReturnValues="ALL_OLD").get("Attributes")
        if before and before["run"] != place["sk"]:  # queued at one time, started at another
            self._call("DeleteItem", Key={"pk": before["cluster"], "sk": before["run"]})

    def fetch_run(self, run_id: str) -> RunRecord | None:
        """One run, or None."""
        pointer = self._call("GetItem", Key=_pointer_key(run_id), ConsistentRead=True).get("Item")
        if pointer is None:
            return None
        key = {"pk": pointer["cluster"], "sk": pointer["run"]}
        item = self._call("GetItem", Key=key, ConsistentRead=True).get("Item")
        return _run(item) if item else None

    def fetch_runs(self, cluster: str, limit: int) -> tuple[RunRecord, ...]:
        """The latest runs of a cluster, newest first, at most *limit*."""
        return tuple(_run(item) for item in self._query(cluster, "RUN#", newest=limit))

    def fetch_approved(self, cluster: str, digest: str) -> ApprovedPlan | None:
        """What was noted of the plan with that digest when it was begun, or None."""
        item = self._call("GetItem", Key=_approved_key(cluster, digest), ConsistentRead=True).get("Item")
        return _approved(item) if item else None

    def store_approved(self, plan: ApprovedPlan) -> None:
        """Write or replace the note of one plan; it expires after a day."""
        item: Item = {
            **_approved_key(plan.cluster, plan.digest),
            "cluster": {"S": plan.cluster},
            "digest": {"S": plan.digest},
            "approved_at": {"S": _text(plan.approved_at)},
            "actions": {"S": _json(sorted(plan.actions))},
            "objections": {"S": _json(sorted(plan.objections))},
            "expires_at": _expiry(plan.approved_at, APPROVED_DAYS),
            **({"done": {"S": "yes"}} if plan.done else {}),
        }
        self._call("PutItem", Item=item)

    def _query(self, cluster: str, prefix: str, *, newest: int | None = None) -> list[Item]:
        """Items of the cluster by sort key, ascending; or the *newest*, descending."""
        return self._query_key(f"CLUSTER#{cluster}", prefix, newest=newest)

    def _query_key(self, key: str, prefix: str, *, newest: int | None = None) -> list[Item]:
        """Items of one partition whose sort key begins with *prefix*."""
        values = {":pk": {"S": key}, **({":prefix": {"S": prefix}} if prefix else {})}
        parameters: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)" if prefix else "pk = :pk",
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
            "ScanIndexForward": newest is None,
        }
        found: list[Item] = []
        while newest is None or len(found) < newest:
            if newest is not None:
                parameters["Limit"] = newest - len(found)
            answer = self._call("Query", **parameters)
            if "Items" not in answer:  # botocore reads a body that is not JSON as an empty answer
                raise Unreachable("DynamoDB", "Query", "the answer holds no items")
            found += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                break
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    def _conditionally(
        self, operation: str, record: FindingRecord, *, mine: Item | None = None, **parameters: Any
    ) -> bool:
        try:
            self._call(
                operation,
                ConditionExpression="attribute_not_exists(pk) OR #version = :version",
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues={":version": {"N": str(record.version)}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **parameters,
            )
        except Rejected as error:
            if error_code(error.__cause__) != "ConditionalCheckFailedException":
                raise
            return mine is not None and getattr(error.__cause__, "response", {}).get("Item") == mine
        return True

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._aws.call("dynamodb", operation, TableName=self._table, **parameters)


def document_text(document: Mapping[str, Any], byte_limit: int = DOCUMENT_BYTES) -> str:
    """Render as JSON text of at most *byte_limit* bytes of UTF-8.

    A larger document loses its largest top-level values until it fits: a note replaces each, and `cut` lists them.
    """
    text = _json(document)
    excess = _size(text) - byte_limit
    if excess <= 0:
        return text
    sizes = {key: _size(_json(value)) for key, value in document.items()}
    kept = dict(document)
    cut: list[str] = []
    excess += _size(',"cut":[]')
    for key in sorted(sizes, key=lambda name: (-sizes[name], name)):
        kept[key] = f"cut: {sizes[key]} bytes are too many to keep here"
        cut.append(key)
        excess += _size(_json(kept[key])) - sizes[key] + _size(_json(key)) + 1
        if excess <= 0:
            return _json({**kept, "cut": cut})
    return _json({"cut": ["everything"]})


def _size(text: str) -> int:
    return len(text.encode())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _finding_key(record: FindingRecord) -> Item:
    return {"pk": {"S": f"CLUSTER#{record.cluster}"}, "sk": {"S": f"FINDING#{record.fingerprint}"}}


def _pointer_key(run_id: str) -> Item:
    return {"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": "RUN"}}


def _approved_key(cluster: str, digest: str) -> Item:
    return {"pk": {"S": f"CLUSTER#{cluster}"}, "sk": {"S": f"APPROVED#{digest}"}}


def _finding(item: Item) -> FindingRecord:
    optional: dict[str, Any] = {name: _moment(item, name) for name in MOMENTS}
    optional |= {name: item[name]["S"] for name in TEXTS if name in item}
    try:
        return FindingRecord(
            fingerprint=item["fingerprint"]["S"],
            cluster=item["cluster"]["S"],
            state=item["state"]["S"],
            first_seen=datetime.fromisoformat(item["first_seen"]["S"]),
            last_seen=datetime.fromisoformat(item["last_seen"]["S"]),
            document=json.loads(item["document"]["S"]),
            version=int(item["version"]["N"]),
            tries=int(item["tries"]["N"]) if "tries" in item else 0,
            returns=int(item["returns"]["N"]) if "returns" in item else 0,
            hushed="hushed" in item,
            **optional,
        )
    except (KeyError, ValueError) as error:
        raise _foreign(item) from error


def _silence(item: Item) -> Silence:
    try:
        return Silence(
            cluster=item["cluster"]["S"],
            fingerprint=item["fingerprint"]["S"],
            made_at=datetime.fromisoformat(item["made_at"]["S"]),
            until=datetime.fromisoformat(item["until"]["S"]),
            who=item["who"]["S"],
            why=item["why"]["S"],
            severity=Severity(item["severity"]["S"]),
            ended_by=item["ended_by"]["S"],
        )
    except (KeyError, ValueError) as error:
        raise _foreign(item) from error


def _run(item: Item) -> RunRecord:
    try:
        return RunRecord(
            run_id=item["run_id"]["S"],
            cluster=item["cluster"]["S"],
            status=item["status"]["S"],
            started_at=datetime.fromisoformat(item["started_at"]["S"]),
            document=json.loads(item["document"]["S"]),
        )
    except (KeyError, ValueError) as error:
        raise _foreign(item) from error


def _approved(item: Item) -> ApprovedPlan:
    try:
        return ApprovedPlan(
            cluster=item["cluster"]["S"],
            digest=item["digest"]["S"],
            approved_at=datetime.fromisoformat(item["approved_at"]["S"]),
            actions=frozenset(json.loads(item["actions"]["S"])),
            objections=frozenset(json.loads(item["objections"]["S"])),
            done="done" in item,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _foreign(item) from error


def _foreign(item: Item) -> Unreachable:
    return Unreachable("DynamoDB", "Query", f"item {item.get('pk')} {item.get('sk')} was not written by us")


def _moment(item: Item, name: str) -> datetime | None:
    return datetime.fromisoformat(item[name]["S"]) if name in item else None


def _text(moment: datetime) -> str:
    """UTC with six fractional digits always, so that the texts sort like the times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _expiry(since: datetime, days: int) -> dict[str, str]:
    return {"N": str(int((since + timedelta(days=days)).timestamp()))}
