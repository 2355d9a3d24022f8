from __future__ import annotations

import base64
import itertools
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import urllib3
import yaml

from sandbox.__main__ import main


def test_wrong_scenario_ends_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`up` with a file that cannot be used says why on stderr and exits 2."""
    path = tmp_path / "scenario.yaml"
    path.write_text("flavour: osd", encoding="utf-8")
    assert main(["up", "--scenario", str(path)]) == 2
    assert "flavour" in capsys.readouterr().err


@pytest.fixture
def up(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    path = tmp_path / "scenario.yaml"
    path.write_text("pools: [{name: a, zones: [eu-central-1a]}]", encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "sandbox", "up", "--scenario", str(path), "--pace", "immediate"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_runs_until_it_is_told_to_end(up: subprocess.Popen[str], number: signal.Signals) -> None:
    """`up` prints shell lines that reach the cluster and AWS, and a signal ends it cleanly, kubeconfig and all."""
    assert up.stdout is not None
    lines = list(itertools.takewhile(lambda line: not line.startswith("# ends with"), up.stdout))
    exports = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))

    kubeconfig = Path(exports["KUBECONFIG"])
    assert kubeconfig.stat().st_mode & 0o077 == 0
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster, token = config["clusters"][0]["cluster"], config["users"][0]["user"]["token"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    with urllib3.PoolManager(ca_cert_data=authority) as pool:
        headers = {"Authorization": f"Bearer {token}"}
        answer = pool.request("GET", f"{cluster['server']}/api/v1/nodes", headers=headers)
        assert len(answer.json()["items"]) == 1

    keys = {"aws_access_key_id": exports["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": "sandbox"}
    ec2 = boto3.client("ec2", exports["AWS_REGION"], endpoint_url=exports["AWS_ENDPOINT_URL"], **keys)
    assert len(ec2.describe_instances()["Reservations"]) == 1
    ec2.close()

    up.send_signal(number)
    _, errors = up.communicate(timeout=30)
    assert (up.returncode, errors) == (0, "")
    assert not kubeconfig.exists()
