"""`docs/deploying.md` tells an operator what the template, the settings and the roles really are."""

from __future__ import annotations

import re

import yaml

from chalicelib.settings import VARIABLES
from tests.packaging.generated import PROJECT, infrastructure

PAGE = (PROJECT / "docs" / "deploying.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^(?:make|aws|oc|python) (?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)


def table_under(heading: str) -> list[list[str]]:
    """Return the cells of the table in the section *heading*, its two heading lines left out."""
    section = PAGE.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_every_parameter_is_listed_with_its_default() -> None:
    """None is missing, none is invented, and a changed default changes the page."""
    told = {name: row[1].strip("`") for row in table_under("### Parameters") for name in re.findall(r"`(\w+)`", row[0])}
    declared = {name: str(found.get("Default", "")) for name, found in infrastructure()["Parameters"].items()}
    required = {name for name, found in infrastructure()["Parameters"].items() if "Default" not in found}
    assert told == {name: default if default or name in required else "none" for name, default in declared.items()}


def test_every_setting_is_listed_with_its_source() -> None:
    """The variables are an interface; the page names each, and the parameter or resource that it comes from."""
    told = {row[0].strip("`"): row[1].strip("`") for row in table_under("## Settings of the functions")}
    source = infrastructure()["Globals"]["Function"]["Environment"]["Variables"]
    assert {name for name in told if name.startswith("KEEPER_")} == set(VARIABLES.values())
    assert all(source[name] == {"Ref": told[name]} for name in set(VARIABLES.values()) - {"KEEPER_FLEET"})


def test_every_right_in_a_cluster_is_listed() -> None:
    """The table of rights says what the role file grants."""
    told = {
        (row[0].strip("`"), re.sub(r"`| \(.*", "", row[1]), verb)
        for row in table_under("## 1. In each cluster: a service account")
        for verb in row[2].split(", ")
    }
    documents = yaml.safe_load_all((PROJECT / "deploy" / "rbac.yaml").read_text(encoding="utf-8"))
    rules = [rule for one in documents if one["kind"] in {"Role", "ClusterRole"} for rule in one["rules"]]
    assert told == {(rule["apiGroups"][0], rule["resources"][0], verb) for rule in rules for verb in rule["verbs"]}


def test_commands_name_what_exists() -> None:
    """Every file, parameter and output in a command is one of the project's."""
    commands = " ".join(COMMAND.findall(PAGE))
    parameters = re.findall(r"\b([A-Z]\w+)=", commands)
    role = yaml.safe_load((PROJECT / "deploy" / "cluster-account.yaml").read_text(encoding="utf-8"))
    assert {"FleetBucket", "KeeperRoleArns"} <= set(parameters)
    assert set(parameters) - {"Name", "Values", "Key", "Value"} <= {
        *infrastructure()["Parameters"],
        *role["Parameters"],
    }
    files = re.findall(r"\bdeploy/[\w.-]+", PAGE)
    assert {name for name in files if not (PROJECT / name).is_file()} == set()
    outputs = set(infrastructure()["Outputs"])
    assert set(re.findall(r"`(\w+RoleArn)`", PAGE)) <= outputs
