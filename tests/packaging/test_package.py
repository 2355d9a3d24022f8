"""The real package: built twice, and each function started from it under Lambda's own runtime client."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.settings import VARIABLES
from sandbox.lambda_runtime import PackageInvoker
from sandbox.plumbing.invoking import FunctionError
from sandbox.plumbing.wiring import FunctionSpec
from tests.packaging.generated import PROJECT, merged_template
from tools.check_imports import RUNTIME_PACKAGES, link_packages
from tools.package import BUDGET_BYTES, PackagingError, build_package, render_report
from tools.runtime_files import KEPT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # a build downloads, and takes a minute on a busy machine

RUNTIME_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
NOWHERE = "http://127.0.0.1:9"  # the discard port: connections are refused at once
FLEET = {
    "clusters": [
        {
            "name": "demo",
            "region": "eu-central-1",
            "infra_id": "demo-x7k2p",
            "api": {"url": "https://api.example.com:443", "token": "secretsmanager:egress-keeper/demo"},
            "policies": [
                {
                    "name": "demo-egress",
                    "namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "demo"}},
                    "addresses": ["10.0.1.20"],
                }
            ],
        }
    ]
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("package")
    built = build_package(PROJECT, out, "prod")
    assert "MB zipped" in render_report(built)
    return out


@pytest.fixture(scope="module")
def functions(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackageInvoker]:
    """The unpacked zip in an interpreter that sees it, the standard library and Lambda's own packages; no AWS."""
    side = tmp_path_factory.mktemp("runtime")
    link_packages(side, RUNTIME_CLIENT + RUNTIME_PACKAGES)
    python = side / "python-without-site-packages"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    fleet = side / "fleet.yaml"
    fleet.write_text(yaml.safe_dump(FLEET), encoding="utf-8")
    environment = dict.fromkeys(VARIABLES.values(), "30") | {
        "KEEPER_FLEET": str(fleet),
        "KEEPER_EVENTS_QUEUE_URL": f"{NOWHERE}/123456789012/events",
        "KEEPER_WORK_QUEUE_URL": f"{NOWHERE}/123456789012/work.fifo",
        "AWS_ENDPOINT_URL": NOWHERE,
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    invoker = PackageInvoker(package / "deployment.zip", environment, paths=[side], python=str(python))
    yield invoker
    invoker.close()


def spec(name: str) -> FunctionSpec:
    """One function as the template has it."""
    logical = "APIHandler" if name == "api_handler" else name.title().replace("_", "")
    found = merged_template("prod")["Resources"][logical]["Properties"]
    return FunctionSpec(
        name=name,
        handler=found["Handler"],
        timeout_seconds=found["Timeout"],
        memory_mb=found["MemorySize"],
        environment=found["Environment"]["Variables"],
    )


def sqs_event(body: str) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "0", "MessageGroupId": "a"}
    record = {
        "messageId": "m-1",
        "receiptHandle": "r",
        "body": body,
        "attributes": attributes,
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:queue",
        "awsRegion": "eu-central-1",
    }
    return {"Records": [record]}


def rest_event(path: str, resource: str, parameters: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "httpMethod": "GET",
        "path": path,
        "resource": resource,
        "pathParameters": parameters,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "body": None,
        "isBase64Encoded": False,
        "stageVariables": None,
        "requestContext": {"httpMethod": "GET", "resourcePath": resource, "requestId": "r", "identity": {}},
    }


def checksums(archive: Path) -> dict[str, int]:
    """Checksum by file, so that a difference has a name."""
    with zipfile.ZipFile(archive) as opened:
        return {entry.filename: entry.CRC for entry in opened.infolist()}


def test_zip_keeps_to_the_budget(package: Path) -> None:
    """Cold starts load it all."""
    assert (package / "deployment.zip").stat().st_size <= BUDGET_BYTES


def test_second_build_is_the_same_to_the_byte(package: Path, tmp_path: Path) -> None:
    """A deployment without a change of sources changes no function."""
    build_package(PROJECT, tmp_path, "prod")
    assert checksums(tmp_path / "deployment.zip") == checksums(package / "deployment.zip")
    for name in ("deployment.zip", "sam.yaml"):
        assert sha256((tmp_path / name).read_bytes()).digest() == sha256((package / name).read_bytes()).digest()


def test_template_is_the_one_that_is_tested(package: Path) -> None:
    """The quick tests look at the template that `chalice package` writes, whatever Python builds it."""
    written = yaml.safe_load((package / "sam.yaml").read_text(encoding="utf-8"))
    assert written == merged_template("prod")


def test_every_module_comes_compiled(package: Path) -> None:
    """A cold start compiles nothing; and nothing came along that no table names."""
    with zipfile.ZipFile(package / "deployment.zip") as archive:
        names = set(archive.namelist())
    compiled = {
        f"{path.parent}/__pycache__/{path.stem}.{sys.implementation.cache_tag}.pyc".removeprefix("./")
        for path in map(Path, names)
        if path.suffix == ".py"
    }
    assert compiled <= names
    assert {name.partition("/")[0] for name in names} == set(KEPT) | {"__pycache__"}


def test_missing_dependency_fails_the_build(tmp_path: Path) -> None:
    """Chalice goes on without a package that has no wheel; we don't."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("app.py", "chalicelib", ".chalice"):
        (project / name).symlink_to(PROJECT / name)
    (project / "requirements.txt").write_text("pyyaml==6.0.3\n", encoding="utf-8")
    with pytest.raises(PackagingError, match="aws_lambda_powertools"):
        build_package(project, tmp_path / "out", "prod")


@pytest.mark.parametrize("name", ["route", "reconcile"])
def test_queue_function_drops_what_is_malformed(functions: PackageInvoker, name: str) -> None:
    """A message that nobody can read is given up at once, without blocking those behind it."""
    assert functions.invoke(spec(name), sqs_event("no JSON")) == {"batchItemFailures": []}


@pytest.mark.parametrize(("name", "event"), [("intake", "ec2-instance-running"), ("drift_check", "schedule")])
def test_sender_fails_when_the_queue_cannot_be_reached(functions: PackageInvoker, name: str, event: str) -> None:
    """An event that was not passed on must not look handled; the error is ours and says which system."""
    payload = json.loads((PROJECT / "events" / f"{event}.json").read_text(encoding="utf-8"))
    with pytest.raises(FunctionError) as caught:
        functions.invoke(spec(name), payload)
    assert caught.value.error_type == "Unreachable"
    assert "SQS" in caught.value.message


def test_api_answers(functions: PackageInvoker) -> None:
    """What needs no other system is answered; what is not there is said to be so."""
    listed = functions.invoke(spec("api_handler"), rest_event("/clusters", "/clusters"))
    assert listed["statusCode"] == 200
    assert [found["cluster"] for found in json.loads(listed["body"])["clusters"]] == ["demo"]
    absent = functions.invoke(
        spec("api_handler"), rest_event("/clusters/x/runs", "/clusters/{name}/runs", {"name": "x"})
    )
    assert absent["statusCode"] == 404
