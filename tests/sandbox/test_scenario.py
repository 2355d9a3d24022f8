from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.rosa import Flavour, Scenario, ScenarioError, load_scenario


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_scenario_file_is_read(tmp_path: Path) -> None:
    """Everything has a default; what is given is taken."""
    text = """
name: payments
flavour: classic
zones: {us-east-1a: 10.10.1.0/24, us-east-1b: 10.10.2.0/24}
pools:
  - {name: worker, zones: [us-east-1a, us-east-1b], replicas: 4, instance_type: t3.large, labels: {a/b: ""}}
"""
    scenario = load_scenario(written(tmp_path, text))
    assert (scenario.name, scenario.flavour, scenario.region) == ("payments", Flavour.CLASSIC, "us-east-1")
    (pool,) = scenario.all_pools
    assert (pool.replicas, pool.instance_type, pool.labels) == (4, "t3.large", {"a/b": ""})
    assert scenario.infra_id.startswith("payments-")
    assert load_scenario(written(tmp_path, "")) == Scenario()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "a mapping is expected, not list"),
        ("name: [", "not YAML"),
        ("flavor: hcp", "flavor: Extra inputs"),
        ("name: Not_A_Name", "name: String should match"),
        ("zones: {eu-central-1a: 10.20.0.0/24}", "10.20.0.0/24 is not in the VPC 10.10.0.0/16"),
        ("zones: {eu-central-1a: 10.10.0.1/24}", "zones.eu-central-1a: Input is not a valid IPv4 network"),
        ("pools: [{name: a, zones: [eu-west-1a]}]", "a is in eu-west-1a, which is not among the zones"),
        ("pools: [{name: a, zones: [eu-central-1a, eu-central-1b]}]", "an HCP pool lies in one zone"),
        ("pools: [{name: a, zones: [eu-central-1a]}, {name: a, zones: [eu-central-1a]}]", "a is there twice"),
        ("pools: [{name: a, zones: []}]", "pools.0.zones"),
        ("pools: [{name: a, zones: [eu-central-1a], replicas: -1}]", "pools.0.replicas"),
    ],
)
def test_scenario_file_that_is_wrong_says_where(tmp_path: Path, text: str, message: str) -> None:
    """The error names the file, the field and what is wrong with it."""
    path = written(tmp_path, text)
    with pytest.raises(ScenarioError) as error:
        load_scenario(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_missing_scenario_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is an error like any other."""
    with pytest.raises(ScenarioError, match=r"none\.yaml: No such file"):
        load_scenario(tmp_path / "none.yaml")
