from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3

from sandbox.__main__ import main


def test_wrong_scenario_ends_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`up` with a file that cannot be used says why on stderr and exits 2."""
    path = tmp_path / "scenario.yaml"
    path.write_text("flavour: osd", encoding="utf-8")
    assert main(["up", "--scenario", str(path)]) == 2
    assert "flavour" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_runs_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    """`up` prints shell lines that reach the cluster and AWS, and a signal ends it cleanly, kubeconfig and all."""
    path = tmp_path / "scenario.yaml"
    path.write_text("pools: [{name: a, zones: [eu-central-1a]}]", encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "sandbox", "up", "--scenario", str(path), "--pace", "immediate"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (lines and lines[-1].startswith("# ends with")):
            lines.append(process.stdout.readline())
        exports = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))
        api = re.search(r"http://127\.0\.0\.1:\d+", next(line for line in lines if "cluster API" in line))
        assert api is not None
        answer = urllib3.request("GET", f"{api.group()}/api/v1/nodes", headers={"Authorization": "Bearer sandbox"})
        assert len(answer.json()["items"]) == 1
        assert urllib3.request("GET", f"{exports['AWS_ENDPOINT_URL']}/moto-api/").status == 200
        kubeconfig = Path(exports["KUBECONFIG"])
        assert kubeconfig.stat().st_mode & 0o077 == 0
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert not kubeconfig.exists()
