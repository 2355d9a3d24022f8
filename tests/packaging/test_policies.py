"""Each function may do what its adapters do, on the resources of its stack, and no more."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from cfnlint.api import lint

import chalicelib.adapters
from chalicelib.adapters import files
from chalicelib.domain.actions import OWNER, TAG_CLUSTER, TAG_OWNER, TAG_POLICY_PREFIX
from tests.packaging.generated import PROJECT, infrastructure

LOG_ACTIONS = {"logs:CreateLogStream", "logs:PutLogEvents"}
CONSUME_ACTIONS = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
VPC_ACTIONS = {
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}
PLATFORM = {
    "intake": LOG_ACTIONS,
    "route": LOG_ACTIONS | CONSUME_ACTIONS | {"kms:Decrypt"},
    "reconcile": LOG_ACTIONS | CONSUME_ACTIONS | VPC_ACTIONS | {"kms:Decrypt", "kms:GenerateDataKey"},
    "drift_check": LOG_ACTIONS | {"kms:Decrypt"},
    "api_handler": LOG_ACTIONS | VPC_ACTIONS | {"kms:Decrypt"},
}
"""What Lambda itself, and decryption, need beside the adapters' own calls."""

READ_EC2 = {
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:GetSubnetCidrReservations",
}
READ_FLEET = set(files.IAM_ACTIONS)

CALLS = {
    "intake": {"sqs:SendMessage"},
    "route": {"sqs:SendMessage", "ec2:DescribeInstances", "sts:AssumeRole"} | READ_FLEET,
    "drift_check": {"sqs:SendMessage", "dynamodb:PutItem", "dynamodb:Query"} | READ_FLEET,
    "api_handler": READ_EC2
    | READ_FLEET
    | {"sqs:SendMessage", "sts:AssumeRole", "secretsmanager:GetSecretValue"}
    | {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
}
"""What each function calls; reconcile does everything that any adapter can."""

WILDCARDS = {
    ("Allow", "ec2:DescribeInstances"): "EC2 has no resource-level permission for reading",
    ("Allow", "ec2:DescribeInstanceTypes"): "EC2 has no resource-level permission for reading",
    ("Allow", "ec2:DescribeNetworkInterfaces"): "EC2 has no resource-level permission for reading",
    ("Allow", "ec2:DescribeSubnets"): "EC2 has no resource-level permission for reading",
    ("Allow", "ec2:GetSubnetCidrReservations"): "EC2 has no resource-level permission for reading",
    ("Allow", "ec2:DeleteSubnetCidrReservation"): "EC2 has none for this action, so no tag condition either",
    ("Allow", "ec2:CreateNetworkInterface"): "Lambda attaches to a VPC; denied to the code",
    ("Allow", "ec2:DeleteNetworkInterface"): "Lambda attaches to a VPC; denied to the code",
    ("Allow", "ec2:AssignPrivateIpAddresses"): "Lambda attaches to a VPC; denied to code that puts no address back",
    ("Allow", "ec2:UnassignPrivateIpAddresses"): "Lambda attaches to a VPC; denied to the code",
}
"""The only actions that are allowed on every resource, and why no resource can be named."""


def statements(function: str) -> list[dict[str, Any]]:
    """Return the statements of a function's policy; conditional ones as if their condition held."""
    document = json.loads((PROJECT / ".chalice" / f"policy-{function}.json").read_text(encoding="utf-8"))
    return [found["Fn::If"][1] if "Fn::If" in found else found for found in document["Statement"]]


def allowed(function: str) -> set[str]:
    return {action for found in statements(function) if found["Effect"] == "Allow" for action in found["Action"]}


def adapter_actions() -> set[str]:
    """Return the actions that the adapters say they need."""
    names = [module.name for module in pkgutil.iter_modules(chalicelib.adapters.__path__)]
    modules = [importlib.import_module(f"chalicelib.adapters.{name}") for name in names]
    return {action for module in modules for action in getattr(module, "IAM_ACTIONS", ())}


def cluster_account_statements() -> list[dict[str, Any]]:
    template = yaml.safe_load((PROJECT / "deploy" / "cluster-account.yaml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = template["Resources"]["EgressKeeper"]["Properties"]["Policies"][0]["PolicyDocument"][
        "Statement"
    ]
    return found


def test_visits_may_do_all_that_adapters_do() -> None:
    """An action that an adapter names and the policy lacks is a visit that fails in production only."""
    assert allowed("reconcile") == adapter_actions() | READ_FLEET | PLATFORM["reconcile"]


@pytest.mark.parametrize("function", sorted(CALLS))
def test_functions_may_do_what_they_do(function: str) -> None:
    """Nothing missing, nothing to spare: a function that only reads has no right to write."""
    assert allowed(function) == CALLS[function] | PLATFORM[function]


def test_adapters_name_all_that_functions_are_given() -> None:
    """A right that no adapter needs any more is taken back."""
    assert {action for actions in CALLS.values() for action in actions} <= adapter_actions() | READ_FLEET


@pytest.mark.parametrize("function", sorted(PLATFORM))
def test_only_listed_actions_reach_every_resource(function: str) -> None:
    """Everything else names a queue, a table, a topic, a key of a bucket or a kind of resource."""
    everywhere = {
        (found["Effect"], action)
        for found in statements(function)
        for action in found["Action"]
        if found["Effect"] == "Allow" and found["Resource"] == "*"
    }
    assert everywhere <= set(WILDCARDS)


@pytest.mark.parametrize("function", sorted(PLATFORM))
def test_actions_are_spelled_out(function: str) -> None:
    """A wildcard in an action grows with every new AWS feature."""
    assert [action for action in allowed(function) if "*" in action] == []


@pytest.mark.parametrize("function", ["api_handler", "reconcile"])
def test_code_cannot_take_addresses_away(function: str) -> None:
    """Lambda needs rights on interfaces to attach to a VPC; our own code is denied them, but that a visit may put an
    address back that EC2 lost.
    """
    (denial,) = [found for found in statements(function) if found["Effect"] == "Deny"]
    granted_on_interfaces = {action for action in allowed(function) & VPC_ACTIONS if ":Describe" not in action}
    granted_on_interfaces -= adapter_actions() if function == "reconcile" else set()
    assert granted_on_interfaces <= set(denial["Action"])
    assert denial["Resource"] == "*"
    assert "lambda:SourceFunctionArn" in denial["Condition"]["ArnLike"]


def tagging(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (one for one in found if {"ec2:CreateTags", "ec2:DeleteTags"} & set(one["Action"]))


def test_only_reservations_of_ours_are_tagged() -> None:
    """Tags are written at creation, with the owner in it, or where the owner tag already stands; and only our keys."""
    found = list(tagging(statements("reconcile")))
    assert len(found) == 2
    for statement in found:
        assert statement["Resource"]["Fn::Sub"].endswith(":subnet-cidr-reservation/*")
        equal = statement["Condition"]["StringEquals"]
        assert OWNER in (equal.get(f"aws:RequestTag/{TAG_OWNER}"), equal.get(f"aws:ResourceTag/{TAG_OWNER}"))
        assert statement["Condition"]["ForAllValues:StringLike"] == {"aws:TagKeys": ["egress-keeper/*"]}
    assert all(key.startswith("egress-keeper/") for key in (TAG_OWNER, TAG_CLUSTER, TAG_POLICY_PREFIX))


def test_only_secrets_marked_for_it_are_written() -> None:
    """A cluster's token is renewed where its owner tagged the secret; OCM's credentials are never written."""
    (writing,) = [found for found in statements("reconcile") if "secretsmanager:PutSecretValue" in found["Action"]]
    assert writing["Action"] == ["secretsmanager:PutSecretValue"]
    assert writing["Resource"]["Fn::Sub"].endswith(":secret:${SecretsPrefix}*")
    assert writing["Condition"] == {"StringEquals": {"aws:ResourceTag/egress-keeper/renew": "true"}}


def test_role_in_a_cluster_account_equals_our_own() -> None:
    """A cluster in another account is kept with the same rights as one in ours."""
    names = {found["Sid"] for found in cluster_account_statements()}
    own = [found for found in statements("reconcile") if found["Sid"] in names]
    assert cluster_account_statements() == own
    ec2 = {action for action in allowed("reconcile") if action.startswith("ec2:")} - (VPC_ACTIONS - adapter_actions())
    assert {action for found in own for action in found["Action"]} == ec2


def test_role_template_passes_the_linter() -> None:
    """It is deployed as it stands, without a transform."""
    text = (PROJECT / "deploy" / "cluster-account.yaml").read_text(encoding="utf-8")
    assert [f"{match.rule.id} {match.message}" for match in lint(text, regions=["eu-central-1"])] == []


@pytest.mark.parametrize("function", sorted(PLATFORM))
def test_references_name_what_the_stack_has(function: str) -> None:
    """A policy refers to queues, table, topic and parameters of the merge template by their names there."""
    template = infrastructure()
    known = {*template["Parameters"], *template["Resources"]}
    found = list(references(statements(function)))
    assert [name for name in found if name not in known] == []


def references(value: Any) -> Iterator[str]:
    """Yield the logical names that a policy refers to by Ref or Fn::GetAtt."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner[0]
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
