"""`.chalice/config.json`: Chalice ignores what it does not know, so a misspelt key would silently mean its default."""

from __future__ import annotations

import json
from typing import Any

import pytest

import app
from tests.packaging.generated import PROJECT

FUNCTION_KEYS = {
    "autogen_policy",
    "environment_variables",
    "iam_policy_file",
    "iam_role_arn",
    "lambda_memory_size",
    "lambda_timeout",
    "layers",
    "log_retention_in_days",
    "manage_iam_role",
    "reserved_concurrency",
    "security_group_ids",
    "subnet_ids",
    "tags",
    "xray",
}
STAGE_KEYS = FUNCTION_KEYS | {
    "api_gateway_custom_domain",
    "api_gateway_endpoint_type",
    "api_gateway_endpoint_vpce",
    "api_gateway_policy_file",
    "api_gateway_stage",
    "automatic_layer",
    "lambda_architecture",
    "lambda_functions",
    "minimum_compression_size",
    "websocket_api_custom_domain",
}
TOP_KEYS = STAGE_KEYS | {"app_name", "stages", "version"}
NOT_MERGED_AT_TOP = {"environment_variables", "tags"}
"""Keys that Chalice reads from a stage's function block but not from the top-level one."""


def unknown_keys(config: dict[str, Any], functions: set[str]) -> list[str]:
    """Return every key of *config* that Chalice would ignore, with where it stands."""
    problems = [f"top: {key}" for key in config if key not in TOP_KEYS]
    blocks = [("top", config)] + [(name, stage) for name, stage in config["stages"].items()]
    for where, block in blocks:
        problems += [f"{where}: {key}" for key in block if where != "top" and key not in STAGE_KEYS]
        allowed = FUNCTION_KEYS - NOT_MERGED_AT_TOP if where == "top" else FUNCTION_KEYS
        for function, values in block.get("lambda_functions", {}).items():
            problems += [f"{where}: function {function}"] * (function not in functions)
            problems += [f"{where}.{function}: {key}" for key in values if key not in allowed]
    return problems


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PROJECT / ".chalice" / "config.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def functions() -> set[str]:
    decorated = [*app.app.event_sources, *app.app.pure_lambda_functions]
    return {function.name for function in decorated} | {"api_handler"}


def test_every_key_is_one_that_chalice_reads(config: dict[str, Any], functions: set[str]) -> None:
    """No key and no function name is misspelt, at any level."""
    assert unknown_keys(config, functions) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"lambda_memory": 1}, "top: lambda_memory"),
        ({"lambda_functions": {"intak": {}}}, "top: function intak"),
        ({"lambda_functions": {"intake": {"environment_variables": {}}}}, "top.intake: environment_variables"),
        ({"stages": {"dev": {"snap_start": True}}}, "dev: snap_start"),
        ({"stages": {"dev": {"lambda_functions": {"route": {"memory": 1}}}}}, "dev.route: memory"),
    ],
)
def test_misspelt_key_is_found(
    config: dict[str, Any], functions: set[str], change: dict[str, Any], problem: str
) -> None:
    """The check sees each level."""
    assert unknown_keys({**config, **change}, functions) == [problem]


def test_every_function_has_its_own_policy_file(config: dict[str, Any], functions: set[str]) -> None:
    """A function without one would share a role, or get what Chalice guesses from app.py alone."""
    files = {name: values["iam_policy_file"] for name, values in config["lambda_functions"].items()}
    assert files == {name: f"policy-{name}.json" for name in functions}
    assert all((PROJECT / ".chalice" / file).is_file() for file in files.values())


def test_no_policy_is_generated(config: dict[str, Any]) -> None:
    """`autogen_policy` is off at the top and nowhere on again."""
    assert config["autogen_policy"] is False
    assert json.dumps(config).count("autogen_policy") == 1


def test_stages_are_dev_and_prod(config: dict[str, Any]) -> None:
    """The packaging command offers these two."""
    assert sorted(config["stages"]) == ["dev", "prod"]
