"""Requests to OCM and its answers, checked against the published OpenAPI document of `clusters_mgmt`.

The document's schemas are JSON Schema, so `jsonschema` checks them, by the document's own references (`referencing`);
both are needed for other tests anyhow. The document allows unknown members everywhere; here they are errors, or a
misspelt field would pass, except for what `KNOWN` lists.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from sandbox.ocm import Exchange
from tests import shared_data

DOCUMENT = "ocm-clusters-mgmt-v1.openapi.json"
API = "/api/clusters_mgmt/v1/"

KNOWN: Mapping[str, Mapping[str, Any]] = {
    "Error": {"id": {"type": "string"}, "operation_id": {"type": "string"}, "timestamp": {"type": "string"}},
    "AWSNodePool": {"spot_market_options": {"type": "object"}},
}
"""What is really sent and the document lacks: the SDK reads ids of errors as text and knows operation ids; `rosa` sends
spot options for node pools. The lists of the document have no `kind`; those that OCM sends do."""

UNDECLARED_QUERY = {("POST", "aws_inquiries/machine_types", "order"), ("GET", "versions", "product")}
"""Parameters that `rosa` sends and the document lacks."""


def check(exchanges: Iterable[Exchange]) -> int:
    """Compare them all with the document and return how many there were; injected answers are not OCM's own.

    Raises:
        AssertionError: One of them is not as the document says.
    """
    count = 0
    for exchange in exchanges:
        if exchange.path.startswith(API):
            check_one(exchange)
            count += 1
    return count


def check_one(exchange: Exchange) -> None:
    where = f"{exchange.method} {exchange.path}"
    template = _template_of(exchange.path)
    assert template is not None, f"{where}: no such path in the document"
    operation = _document()["paths"][template].get(exchange.method.lower())
    assert operation is not None, f"{where}: no such method in the document"
    _check_query(where, exchange, operation)
    pointer = f"/paths/{_escaped(template)}/{exchange.method.lower()}"
    if exchange.body is not None:
        assert "requestBody" in operation, f"{where}: a body is not declared"
        _check_value(f"{where}: request", f"{pointer}/requestBody/content/application~1json/schema", exchange.body)
    if exchange.status is None or exchange.injected:
        return
    status = str(exchange.status) if str(exchange.status) in operation["responses"] else "default"
    assert (status == "default") == (exchange.status >= 400), f"{where}: status {exchange.status} is not declared"
    if "content" in operation["responses"][status]:
        schema = f"{pointer}/responses/{status}/content/application~1json/schema"
        _check_value(f"{where}: answer {exchange.status}", schema, exchange.answer)
    else:
        assert exchange.answer is None, f"{where}: an answer {exchange.status} has no body"


def _check_query(where: str, exchange: Exchange, operation: Mapping[str, Any]) -> None:
    declared = {each["name"]: each["schema"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    for name, value in exchange.query.items():
        if (exchange.method, exchange.path.removeprefix(API), name) in UNDECLARED_QUERY:
            continue
        assert name in declared, f"{where}: parameter {name} is not declared"
        if declared[name]["type"] == "integer":
            assert re.fullmatch(r"-?\d+", value), f"{where}: {name}={value}"


def _check_value(where: str, pointer: str, value: Any) -> None:
    problems = _problems(pointer, json.dumps(value))
    assert not problems, f"{where}: {problems} in {json.dumps(value)[:1000]}"


@cache
def _problems(pointer: str, text: str) -> list[str]:
    """What is wrong with the JSON *text*; kept, because lists and clusters come again and again."""
    errors = _validator(pointer).iter_errors(json.loads(text))
    return [f"{error.json_path}: {error.message[:200]}" for error in errors]


@cache
def _validator(pointer: str) -> Draft202012Validator:
    resource = DRAFT202012.create_resource(_document())
    registry: Registry[Any] = Registry().with_resource("urn:ocm", resource)
    return Draft202012Validator({"$ref": f"urn:ocm#{quote(pointer, safe='/~')}"}, registry=registry)


@cache
def _document() -> Any:
    document = copy.deepcopy(shared_data.load(DOCUMENT))
    for name, members in KNOWN.items():
        document["components"]["schemas"][name]["properties"].update(members)
    _forbid_unknown(document)
    return document


def _forbid_unknown(value: Any) -> None:
    """Make every schema with named members refuse others, wherever in the document it stands."""
    if isinstance(value, list):
        for each in value:
            _forbid_unknown(each)
    elif isinstance(value, dict):
        members = value.get("properties")
        # A schema's member may itself be called "properties": that is a schema with a type, not a map of schemas.
        if isinstance(members, dict) and "type" not in members:
            value.setdefault("additionalProperties", False)
            if {"items", "page", "size", "total"} == members.keys():
                members["kind"] = {"type": "string"}
        for each in value.values():
            _forbid_unknown(each)


@cache
def _template_of(path: str) -> str | None:
    parts = path.split("/")
    fitting = [
        template
        for template in _document()["paths"]
        if len(segments := template.split("/")) == len(parts)
        and all(segment == part or segment.startswith("{") for segment, part in zip(segments, parts, strict=True))
    ]
    return min(fitting, key=lambda template: template.count("{"), default=None)


def _escaped(path: str) -> str:
    return path.replace("~", "~0").replace("/", "~1")
