"""The command line on the embedded ROSA: what it prints, where, and with which exit code it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chalicelib.cli import main
from sandbox.kube.faults import Fault
from sandbox.stage import Stage, fleet_text
from tests.e2e.test_main_job import POLICIES, scenario
from tests.test_answers import problems

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage(scenario(), POLICIES) as running:
        yield running


@pytest.fixture
def run(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command with a fleet file and token file on disk; gives exit code, output and errors."""
    (tmp_path / "token").write_text(next(iter(stage.rosa.tokens)))
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(fleet_text(stage.scenario, stage.rosa.api_url, POLICIES, token="file:token"))
    for name, value in stage.aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KEEPER_FLEET", str(fleet))

    def command(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_from_differences_to_as_desired(stage: Stage, run: Run) -> None:
    """plan says 2 and changes nothing, apply says 0, then plan and drift say 0."""
    for made_before in stage.rosa.kube.list("egressips"):
        stage.rosa.kube.delete("egressips", made_before["metadata"]["name"])
    stage.run_for(30)
    code, out, err = run("plan")
    assert code == 2
    assert "create EgressIP demo-egress-ns" in out
    assert "reading payments" in err
    assert stage.rosa.kube.list("egressips") == []
    assert run("drift")[0] == 2
    code, out, _ = run("apply")
    assert code == 0
    assert "Applied:" in out
    stage.run_for(30)
    assert run("plan")[0] == 0
    code, out, _ = run("drift")
    assert code == 0
    assert "Everything is as desired." in out
    code, out, _ = run("capacity")
    assert code == 0
    assert "AFTER LOSING ONE" in out
    code, out, err = run("visit", "--cluster", "payments")
    assert code == 0
    assert "nobody is told: KEEPER_TABLE and KEEPER_TOPIC_ARN are not set" in err


@pytest.mark.parametrize("command", ["capacity", "plan", "drift", "apply", "visit", "validate"])
def test_json_names_its_schema_and_nothing_else_is_on_stdout(run: Run, command: str) -> None:
    """Documents to standard output, progress to standard error."""
    _, out, _ = run(command, "--json")
    assert json.loads(out)["schema"] == f"egress-keeper/{command}/1"


BAD = [
    (("plan", "--cluster", "nope"), "cluster: 'nope' is not in the fleet file; it has payments"),
    (("plan", "--fleet", "/nowhere/fleet.yaml"), "/nowhere/fleet.yaml"),
    (("apply", "--approve", "yes"), "argument --approve: 'yes' is no digest; allowed are 12 hexadecimal digits"),
    (("what-if",), "what-if: nothing is to happen; allowed are --lose-zone"),
    (("what-if", "--lose-zone", "mars"), "'mars' is no zone with nodes of this cluster; there are eu-central-1a"),
    (("what-if", "--scale", "egress-a"), "--scale: 'egress-a' is not POOL=N; allowed is"),
    (("what-if", "--upgrade", "new"), "--upgrade: 'new' is no OpenShift minor; allowed is for example 4.20"),
    (("what-if", "--add-policy", "/nowhere.yaml"), "/nowhere.yaml: can't be read: No such file or directory"),
    (("frobnicate",), "invalid choice: 'frobnicate'"),
    ((), "the following arguments are required: COMMAND"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD, ids=[" ".join(words) or "nothing" for words, _ in BAD])
def test_a_bad_argument_is_one_clear_error_and_exit_code_1(run: Run, arguments: tuple[str, ...], says: str) -> None:
    """Code 2 means differences, so a wrong argument is 1; nothing goes to standard output."""
    code, out, err = run(*arguments)
    assert code == 1
    assert says in err
    assert out == ""
    assert "Traceback" not in err


def test_what_if_tells_before_and_after(stage: Stage, run: Run, tmp_path: Path) -> None:
    """Exit code 2 where an address would be lost, 0 where none would; nothing is changed."""
    run("apply")
    stage.run_for(60)
    before = stage.rosa.simulated.resource_version
    code, out, _ = run("what-if", "--lose-zone", "eu-central-1a", "--json")
    answer = json.loads(out)
    assert (code, problems(answer)) == (2, [])
    (told,) = answer["clusters"]
    assert {row["zone"] for row in told["addresses"] if row["lost"]} == {"eu-central-1a"}
    code, out, _ = run("what-if", "--upgrade", "4.20")
    assert code == 0
    assert "Nothing is lost." in out
    more = tmp_path / "more.yaml"
    more.write_text("name: extra\nnamespaces: {matchLabels: {team: extra}}\nper_zone: 1\n")
    code, out, _ = run("what-if", "--add-policy", str(more))
    assert code == 0
    assert "policy extra is added" in out
    more.write_text("name: extra\nper_zone: 0\n")
    code, _, err = run("what-if", "--add-policy", str(more))
    assert code == 1
    assert "more.yaml" in err
    assert "per_zone" in err
    assert stage.rosa.simulated.resource_version == before


def test_a_bad_fleet_file_names_every_problem_with_its_line(run: Run, tmp_path: Path) -> None:
    """All problems at once: nobody wants to mend one an hour."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("clusters:\n  - name: Payments\n    region: eu-central-1\n    mode: maybe\n")
    code, _, err = run("validate", "--fleet", str(bad))
    assert code == 1
    assert "bad.yaml:2" in err
    assert "bad.yaml:4" in err


def test_a_refused_plan_ends_with_3_and_its_digest_lets_it_through(stage: Stage, run: Run, tmp_path: Path) -> None:
    """The guard's refusal shows the command that approves exactly this plan."""
    run("apply")
    stage.run_for(30)
    fewer = tmp_path / "fewer.yaml"
    fewer.write_text(fleet_text(stage.scenario, stage.rosa.api_url, POLICIES[:3], token="file:token"))
    code, out, _ = run("apply", "--fleet", str(fewer))
    assert code == 3
    digest = re.findall(r"--approve ([0-9a-f]{12})", out)[0]
    code, out, _ = run("apply", "--fleet", str(fewer), "--cluster", "payments", "--approve", digest)
    assert code == 0
    assert "delete EgressIP demo-egress-pod" in out


def test_the_same_approval_finishes_what_it_began_where_there_is_a_table(
    stage: Stage, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half done, the line is given again: nobody has to read and approve what is left as another plan."""
    monkeypatch.setenv("KEEPER_TABLE", stage.resources.refs["FindingsTable"])
    run("apply")
    stage.run_for(60)
    none = tmp_path / "none.yaml"
    text = fleet_text(stage.scenario, stage.rosa.api_url, POLICIES, token="file:token")
    none.write_text(text.partition("    policies:")[0] + "    policies: []\n")
    code, out, _ = run("apply", "--fleet", str(none))
    assert code == 3
    digest = re.findall(r"--approve ([0-9a-f]{12})", out)[0]
    approved = ("apply", "--fleet", str(none), "--cluster", "payments", "--approve", digest)
    fault = stage.rosa.simulated.faults.add(Fault(method="DELETE", path="egressips/demo-egress-pod", status=403))
    code, out, _ = run(*approved)
    assert code == 1
    assert [e["metadata"]["name"] for e in stage.rosa.kube.list("egressips")] == ["demo-egress-pod"]
    stage.rosa.simulated.faults.remove(fault)
    stage.run_for(60)
    code, out, _ = run("apply", "--fleet", str(none))
    assert code == 3, "without the approval it is refused as before"
    assert digest not in out
    code, out, _ = run(*approved)
    assert code == 0
    assert "delete EgressIP demo-egress-pod" in out
    assert "release reservation" in out


def test_an_unreachable_cluster_ends_with_1(stage: Stage, run: Run, tmp_path: Path) -> None:
    """What could not be read is said, and the exit code says that it could not be done."""
    gone = tmp_path / "gone.yaml"
    gone.write_text(fleet_text(stage.scenario, "http://127.0.0.1:9", POLICIES, token="file:token"))
    code, out, _ = run("plan", "--fleet", str(gone))
    assert code == 1
    assert "Could not be read, so nothing that depends on it is changed" in out
