"""Every kind of finding has its page, and every command there, and in alerts, is one that exists."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser
from functools import cache
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.model import ServiceModel
from botocore.session import get_session

from chalicelib import cli
from chalicelib.domain.findings import Kind
from chalicelib.domain.telling.advice import COMMANDS, commands_for

PAGES = Path(__file__).parents[1] / "docs" / "runbooks"
HEADINGS = ["Symptom", "Check by hand", "Cause", "Repair", "What the tool does"]
BLOCK = re.compile(r"^```(?:sh)?\n(.*?)^```", re.MULTILINE | re.DOTALL)

OC = {
    "adm": {"cordon", "uncordon"},
    "apply": set(),
    "auth": {"can-i", "whoami"},
    "create": {"token"},
    "delete": {"cloudprivateipconfig", "pod"},
    "describe": {"node", "cloudprivateipconfig", "egressip"},
    "edit": {"egressip"},
    "get": {
        *("node", "nodes", "egressip", "cloudprivateipconfig", "events", "pods", "infrastructure", "namespaces"),
        "network.operator",
    },
    "label": {"node", "egressip"},
    "patch": {"egressip"},
    "rollout": {"restart"},
    "wait": set(),
}
OC_FLAGS = {
    *("-l", "-L", "-n", "-o", "-p", "-A", "-f", "--as", "--duration", "--field-selector", "--overwrite", "--raw"),
    *("--for", "--show-labels", "--show-managed-fields", "--subresource", "--timeout", "--type"),
}
ROSA = {"list machinepools", "describe machinepool", "describe cluster", "create machinepool", "edit machinepool"}
ROSA_FLAGS = {"-c", "--cluster", "--machinepool", "--name", "--replicas", "--instance-type", "--labels"}
AWS_GLOBAL = {"--region", "--query", "--output", "--max-items", "--profile"}
OTHERS = {"rm", "cut", "base64", "grep"}


def commands_of(page: str) -> list[str]:
    page = page.replace("\\\n", " ")
    fenced = [line for block in BLOCK.findall(page) for line in block.splitlines()]
    lines = [line.strip() for line in (*fenced, *re.findall(r"^ {4}\S.*", page, re.MULTILINE))]
    return [line for line in lines if line and not line.startswith("#")]


def problem(command: str) -> str | None:
    """What is not right about a command; None where it is one that exists, with flags that it has."""
    parts = command.split(" | ")
    return next((found for part in parts if (found := _problem(shlex.split(part.split(" > ")[0])))), None)


def _problem(words: list[str]) -> str | None:
    flags = {word.split("=")[0] for word in words if word.startswith("-") and word != "-"}
    match words:
        case ["oc", "-n", _, *rest] | ["oc", *rest]:
            return _oc_problem(rest, flags)
        case ["aws", service, operation, *_]:
            return _aws_problem(service, operation, flags)
        case ["rosa", verb, what, *_]:
            return None if f"{verb} {what}" in ROSA and flags <= ROSA_FLAGS else " ".join(words)
        case ["egress-keeper", *arguments]:
            try:
                _parser().parse_args([{"DIGEST": "0" * 12}.get(word, word) for word in arguments])
            except SystemExit:
                return " ".join(words)
            return None
        case [name, *_]:
            return None if name in OTHERS else name
    return None


def _oc_problem(words: list[str], flags: set[str]) -> str | None:
    known = OC.get(words[0])
    if known is None or (known and words[1] not in {*known, "--raw"}):
        return f"oc {' '.join(words[:2])}"
    return f"oc: {flags - OC_FLAGS}" if flags - OC_FLAGS else None


def _aws_problem(service: str, operation: str, flags: set[str]) -> str | None:
    model, by_command = _service(service)
    if operation not in by_command:
        return f"aws {service} {operation}"
    shape = model.operation_model(by_command[operation]).input_shape
    known = {f"--{xform_name(member, '-')}" for member in (shape.members if shape else ())}
    unknown = flags - known - AWS_GLOBAL
    return f"aws {service} {operation}: {unknown}" if unknown else None


@cache
def _parser() -> ArgumentParser:
    return cli.parser()


@cache
def _service(name: str) -> tuple[ServiceModel, dict[str, str]]:
    """AWS's description of a service, and its operations in the command line's words; read once: it is long."""
    model = get_session().get_service_model(name)
    return model, {xform_name(operation, "-"): operation for operation in model.operation_names}


def test_there_is_a_page_for_each_kind_and_a_kind_for_each_page() -> None:
    """Whoever is woken by a new kind finds its page; pages of kinds that are gone are gone, and the index has all."""
    assert {page.stem for page in PAGES.glob("*.md")} - {"README"} == {kind.value for kind in Kind}
    index = (PAGES / "README.md").read_text()
    assert re.findall(r"^\| \[([a-z0-9-]+)\]", index, re.MULTILINE) == [kind.value for kind in Kind]
    assert set(COMMANDS) == set(Kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_pages_have_the_same_parts_in_the_same_order(kind: Kind) -> None:
    """At night one looks at a place, not for it; and each part has something to say."""
    page = (PAGES / f"{kind}.md").read_text()
    assert page.startswith(f"# {kind}\n")
    parts = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
    assert parts[1::2] == HEADINGS
    assert all(len(part.strip()) > 20 for part in parts[2::2])


@pytest.mark.parametrize("kind", list(Kind))
def test_commands_in_pages_exist(kind: Kind) -> None:
    """Verbs and flags of oc and rosa, operations and parameters of AWS by its own service models, and our own."""
    commands = commands_of((PAGES / f"{kind}.md").read_text())
    assert commands
    assert [found for command in commands if (found := problem(command))] == []


SUBJECTS = {
    Kind.NODE_UNUSABLE: "node ip-10-0-1-7",
    Kind.NODE_LABEL_MISSING: "node ip-10-0-1-7",
    Kind.CAPACITY_ODD: "node ip-10-0-1-7",
    Kind.INTERFACE_UNTAGGED: "interface eni-1",
    Kind.SELECTOR_OVERLAP: "EgressIP ns and EgressIP team-b",
    Kind.SUBNET_NEARLY_FULL: "subnet 10.0.1.0/24",
    Kind.RESERVATION_MISSING: "range 10.0.1.9/32 in subnet-1",
    **dict.fromkeys((Kind.SPEC_EDITED, Kind.OBJECT_FOREIGN, Kind.FIELD_CONFLICT), "EgressIP ns"),
}


@pytest.mark.parametrize("kind", list(Kind))
def test_commands_in_alerts_exist_with_real_names(kind: Kind) -> None:
    """What is to be pasted has no placeholder left and is a command that exists, with and without a known Region."""
    of_a_pool = "pool" in kind or kind is Kind.SECOND_WRITER
    subject = SUBJECTS.get(kind, "machine pool a" if of_a_pool else "address 10.0.1.9 of ns")
    for region in ("eu-central-1", ""):
        commands = commands_for(kind, subject, cluster="payments", region=region)
        assert commands, kind
        assert [found for command in commands if (found := problem(command))] == []
        assert not any("{" in command and "jsonpath" not in command for command in commands)
        assert all(("--region" in c) == bool(region) for c in commands if c.startswith("aws ec2"))


@pytest.mark.parametrize(
    "wrong",
    [
        "oc destroy node a",
        "oc get nodes --show-everything",
        "aws ec2 describe-interfaces",
        "aws ec2 describe-subnets --subnet a",
        "rosa delete cluster --cluster a",
        "egress-keeper plan --clusters a",
        "curl x",
    ],
)
def test_a_command_that_does_not_exist_is_found(wrong: str) -> None:
    """The check itself can fail."""
    assert problem(wrong) is not None
