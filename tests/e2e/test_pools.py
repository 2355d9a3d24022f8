"""Machine pools on the embedded ROSA, from the command line over OCM's wire to machines and nodes, and back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from chalicelib.cli import main
from chalicelib.domain.actions import POOL_LABELS
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL
from sandbox.ocm import ACCOUNT_SECRET
from sandbox.rosa import PoolSpec, RosaTiming, Scenario
from sandbox.stage import Stage, fleet_text

TEAM = {"team": "network", "tier": "front", "cost-centre": "4711"}
POLICIES = (
    "      - name: bank",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: bank}}",
    "        addresses: [10.10.100.253]",
)
A = PoolSpec(name="egress-a", zones=("eu-central-1a",), replicas=2, labels=TEAM)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def hcp() -> Iterator[Stage]:
    with Stage(Scenario(name="payments", pools=(A,)), POLICIES, ocm=True, timing=RosaTiming.brisk()) as running:
        yield running


def environment(stage: Stage, directory: Path) -> dict[str, str]:
    """What a terminal beside the stage has."""
    (directory / "token").write_text(next(iter(stage.rosa.tokens)))
    (directory / "ocm").write_text(os.environ.get("OCM_SECRET", ACCOUNT_SECRET))
    return {**stage.aws.environment(), "KEEPER_FLEET": str(directory / "fleet.yaml")}


def write_fleet(stage: Stage, directory: Path, *, pools: str = "[{name: egress-a}]", mode: str = "enforce") -> None:
    text = fleet_text(
        stage.scenario, stage.rosa.api_url, POLICIES, token="file:token", mode=mode, pools=pools,
        ocm=stage.ocm_server, ocm_credentials="file:ocm",
    )  # fmt: skip
    (directory / "fleet.yaml").write_text(text)


@pytest.fixture(name="run")
def command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command on a stage; gives exit code, output and errors."""

    def command(stage: Stage, *arguments: str, **fleet: str) -> tuple[int, str, str]:
        for name, value in environment(stage, tmp_path).items():
            monkeypatch.setenv(name, value)
        write_fleet(stage, tmp_path, **fleet)
        capsys.readouterr()  # what the functions logged meanwhile
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return command


def labels(stage: Stage, pool: str) -> Mapping[str, str]:
    found: Mapping[str, str] = stage.ocm_cluster.pool(pool)["labels"] or {}
    return found


def labelled(stage: Stage, pool: str) -> list[bool]:
    """Whether each node of a pool has the label."""
    names = {stage.rosa.node_name(machine) for machine in stage.rosa.pool_machines(pool)}
    nodes = [node for node in stage.rosa.kube.list("nodes") if node["metadata"]["name"] in names]
    return [ASSIGNABLE_LABEL in node["metadata"]["labels"] for node in nodes]


def test_a_pool_from_three_labels_to_release(hcp: Stage, run: Run) -> None:
    """The fourth label, its nodes, a replacement, a wait, and everything back: three labels, no address, no mark."""
    code, out, _ = run(hcp, "apply")
    assert code == 2, "no node could carry the address before the visit"
    assert labels(hcp, "egress-a") == {**TEAM, **POOL_LABELS}
    assert labelled(hcp, "egress-a") == [True, True]
    code, out, _ = run(hcp, "apply")
    assert "create EgressIP bank" in out
    assert "label" not in out, "labelled is labelled"
    hcp.run_for(30)
    hcp.rosa.retire_oldest("egress-a")
    hcp.rosa.scale_pool("egress-a", 2)
    code, out, _ = run(hcp, "wait", "--pool", "egress-a", "--timeout", "0")
    assert code == 2
    assert "has not registered as a node" in out
    hcp.run_for(120)
    code, out, err = run(hcp, "wait", "--pool", "egress-a", "--timeout", "0")
    assert code == 0, out
    assert "egress-a: 2 of 2 seen, 2 registered, 2 ready, 2 labelled, 2 able to carry" in err
    assert labelled(hcp, "egress-a") == [True, True], "the replacement is born with the label"
    assert run(hcp, "release", "--cluster", "payments", "--yes")[0] == 1, "visits would put it back"
    code, out, err = run(hcp, "release", "--cluster", "payments", mode="observe")
    assert code == 3
    assert out.count("delete EgressIP bank") == 1
    assert "delete EgressIP bank" not in err
    assert "egress-keeper release --cluster payments --approve" in out
    digest = out.rpartition("--approve ")[2].split()[0]
    assert run(hcp, "release", "--cluster", "payments", "--approve", "0" * 12, mode="observe")[0] == 1
    code, out, _ = run(hcp, "release", "--cluster", "payments", "--approve", digest, "--timeout", "0", mode="observe")
    assert code == 2
    assert "Still waited for" in out
    hcp.run_for(60)
    quick = ("--timeout", "60s", "--interval", "0")
    code, out, _ = run(hcp, "release", "--cluster", "payments", "--yes", *quick, mode="observe")
    assert code == 0, out
    assert labels(hcp, "egress-a") == TEAM
    assert labelled(hcp, "egress-a") == [False, False]
    assert hcp.rosa.kube.list("egressips") == []
    assert run(hcp, "release", "--cluster", "payments", "--yes", mode="observe")[0] == 0


CREATE = (
    "[{name: made, create: {instance_type: m5.2xlarge, zones: [eu-central-1b, eu-central-1c], replicas: 1,"
    " taints: [{key: egress, effect: NoSchedule}], labels: {team: network}}}]"
)


@pytest.mark.slow
def test_pools_are_made_once_and_their_machines_come(hcp: Stage, run: Run) -> None:
    """One entry, two zones, two pools; the plan says what they carry; asked again, nothing is made."""
    code, out, _ = run(hcp, "plan", pools=CREATE)
    assert code == 2
    assert "create machine pool made-b: 1 x m5.2xlarge in subnet-" in out
    assert "to carry 14 egress addresses" in out
    run(hcp, "apply", pools=CREATE)
    made = {pool["id"] for pool in hcp.ocm_cluster.pools()}
    assert made >= {"made-b", "made-c"}
    assert labels(hcp, "made-b") == {"team": "network", **POOL_LABELS}
    hcp.run_for(120)
    code, out, _ = run(hcp, "wait", "--timeout", "0", "--json", pools=CREATE)
    (part,) = json.loads(out)["clusters"]
    assert (code, [pool["pool"] for pool in part["pools"]]) == (0, ["made-b", "made-c"])
    posted = len(hcp.ocm.exchanges.matching("POST", "node_pools"))
    assert "machine pool" not in run(hcp, "apply", pools=CREATE)[1]
    assert len(hcp.ocm.exchanges.matching("POST", "node_pools")) == posted == 2


BAD = [
    ("[{name: egres-a}]", "machine_pools: 'egres-a': the cluster has no such machine pool in OCM; it has egress-a"),
    (CREATE.replace("m5.2xlarge", "m5.2xlrage"), "create.instance_type: 'm5.2xlrage': EC2 knows no such type here"),
    (
        CREATE.replace("zones: [eu-central-1b, eu-central-1c]", "subnets: [subnet-0123456789abcdef0]"),
        "create.subnets: 'subnet-0123456789abcdef0' is not in the cluster's VPC; allowed are subnet-",
    ),
    (CREATE.replace("replicas: 1", "replicas: 501"), "value 501: allowed is a whole number from 0 to 500"),
    (CREATE.replace("team: network", "te am: x"), "allowed is a label key"),
]


@pytest.mark.parametrize(("pools", "told"), BAD)
def test_bad_input_is_one_clear_error_and_nothing_half_done(hcp: Stage, run: Run, pools: str, told: str) -> None:
    """Field, value, allowed; and no request that changes anything."""
    before = len(hcp.ocm.exchanges.matching("POST", "node_pools")) + len(hcp.ocm.exchanges.matching("PATCH"))
    pools = pools.replace("made", "other")
    _, out, err = run(hcp, "apply", pools=pools)
    assert (out + err).count(told) == 1, out + err
    after = len(hcp.ocm.exchanges.matching("POST", "node_pools")) + len(hcp.ocm.exchanges.matching("PATCH"))
    assert after == before


def test_wrong_credentials_are_one_clear_error(hcp: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret is named by its field, never by its value, and addresses are looked after all the same."""
    wrong = {**json.loads(ACCOUNT_SECRET), "client_secret": "not-this-one"}
    monkeypatch.setenv("OCM_SECRET", json.dumps(wrong))
    code, out, err = run(hcp, "plan")
    assert code == 1
    assert "warning: Machine pools could not be read: " in out
    assert "ocm.credentials of the fleet file" in out
    assert "not-this-one" not in out + err


@pytest.mark.slow
def test_a_wait_that_is_broken_off_ends_in_one_line(hcp: Stage, tmp_path: Path) -> None:
    """Ctrl-C: exit code 130, no traceback, nothing changed."""
    env = {**os.environ, **environment(hcp, tmp_path)}
    write_fleet(hcp, tmp_path, pools="[{name: nowhere}]")
    command = [sys.executable, "-m", "chalicelib.cli", "wait", "--timeout", "1h"]
    if not (Path(__file__).parents[2] / "chalicelib" / "__main__.py").exists():
        command = [sys.executable, "-c", "import sys; from chalicelib.cli import main; sys.exit(main())", *command[3:]]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        lines = [running.stderr.readline()]
        while "no machine yet" not in lines[-1] and lines[-1]:
            lines.append(running.stderr.readline())
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()
        assert running.wait() == 130
    assert rest == "egress-keeper: broken off; what was done is whole, and the next run goes on from there\n"
