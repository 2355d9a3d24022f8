"""`make conformance` says what it needs, what it found, and what it uses where the platform's files are absent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conformance.platform import FILES, find_platform
from conformance.programs import ASSETS, MODULE, PACKAGES, NoPrograms, find_programs, kubernetes_version

PROJECT = Path(__file__).resolve().parents[1]


def test_without_go_and_without_assets_it_says_how_to_get_them(tmp_path: Path) -> None:
    """Never a skip that looks like a pass."""
    with pytest.raises(NoPrograms) as caught:
        find_programs({"PATH": str(tmp_path)}, kept=tmp_path)
    assert ASSETS in str(caught.value)
    assert "go.dev" in str(caught.value)


def test_the_command_ends_with_an_exit_code_of_its_own(tmp_path: Path) -> None:
    """2, and the words on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "conformance"],
        cwd=PROJECT,
        env={"PATH": "", ASSETS: str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"{tmp_path} lacks kube-apiserver, etcd, kubectl" in done.stderr


def test_assets_are_taken_as_they_are(tmp_path: Path) -> None:
    """Nothing is built where a directory is named."""
    for name in PACKAGES:
        (tmp_path / name).touch()
    found = find_programs({ASSETS: str(tmp_path)})
    assert found.kube_apiserver == tmp_path / "kube-apiserver"
    assert str(tmp_path) in found.origin


def test_the_module_names_the_programs_and_pins_every_part_alike() -> None:
    """The staging modules are released with the same minor and patch number as Kubernetes itself."""
    text = (MODULE / "go.mod").read_text(encoding="utf-8")
    assert all(f"\t{package}\n" in text for package in PACKAGES.values())
    staging = kubernetes_version().replace("v1.", "v0.", 1)
    replaced = [line.split() for line in text.splitlines() if " => " in line]
    assert len(replaced) > 30
    assert {version for *_, version in replaced} == {staging}


def test_stand_ins_are_said_aloud(tmp_path: Path) -> None:
    """A run without the platform's own files proves less, and must not look the same."""
    stand_ins = find_platform({"KEEPER_SHARED_DATA": str(tmp_path)})
    assert stand_ins.origin.startswith("STAND-INS")
    assert [each["kind"] for each in stand_ins.objects] == [
        "CustomResourceDefinition",
        "CustomResourceDefinition",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ]
    for name in FILES:
        (tmp_path / name).write_text(yaml.safe_dump({"kind": name}))
    given = find_platform({"KEEPER_SHARED_DATA": str(tmp_path)})
    assert [each["kind"] for each in given.objects] == list(FILES)
