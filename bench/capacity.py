"""Line (a): the capacity report end to end, against the command that the ROSA guide gives for the same question.

Theirs tells name, addresses and announced capacity of every node. Ours tells what each can still take, and what
subnets and zones could after losing a node, and reads EgressIPs and CPICs for it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.child import child
from bench.measuring import Sample, Stage, alternate, median_of, run_pipeline
from bench.results import Result, Row

SIZES = (100, 1_000, 5_000)
QUICK_SIZES = (100, 500)
AIM_RATIO, AIM_MEGABYTES = 5.0, 120.0

FILTER = (
    '.items[] | {name: .metadata.name, ips: [.status.addresses[] | select(.type == "InternalIP").address],'
    ' capacity: (.metadata.annotations["cloud.network.openshift.io/egress-ipconfig"] | fromjson[] | .capacity.ipv4)}'
)
JQ_IN_PYTHON = "import jq, sys; [print(line) for line in jq.compile(sys.argv[1]).input_text(sys.stdin.read())]"


def measure(*, quick: bool, sizes: Sequence[int] = ()) -> Result:
    """Measure at every size (numbers of nodes); ratio and memory are promised at 5,000."""
    began = time.perf_counter()
    sizes = sizes or (QUICK_SIZES if quick else SIZES)
    rows: list[Row] = []
    details: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as home:
        for nodes in sizes:
            with child("bench.kube_process", str(nodes)) as url:
                ways = Ways(url, Path(home), nodes)
                samples = alternate({"ours": ways.ours, "theirs": ways.theirs}, 3 if quick or nodes > SIZES[0] else 5)
            rows += _rows(nodes, median_of(samples["ours"]), median_of(samples["theirs"]))
            details[str(nodes)] = {name: [sample.seconds for sample in taken] for name, taken in samples.items()}
    notes = [
        f"other way: {ways.description}",
        "wall time from the start of the first process to the end of the last, each started anew",
        "ours also reads EgressIPs and CPICs; EC2 is left out on both sides",
    ]
    return Result("capacity", "capacity report from an API server", rows, notes, time.perf_counter() - began, details)


def _rows(nodes: int, ours: Sample, theirs: Sample) -> list[Row]:
    promised, case = nodes == SIZES[-1], f"{nodes:,} nodes"
    fast = theirs.seconds / ours.seconds >= AIM_RATIO if promised else None
    small = ours.peak_mb <= AIM_MEGABYTES if promised else None
    return [
        Row(case, "wall time, s", ours.seconds, theirs.seconds, f"≥ {AIM_RATIO:g}×", fast),
        Row(case, "peak memory, MB", ours.peak_mb, theirs.peak_mb, f"≤ {AIM_MEGABYTES:g} MB", small),
    ]


class Ways:
    """Both ways of asking one API server; `home` is where kubectl keeps what it has discovered, as on a desk."""

    def __init__(self, url: str, home: Path, nodes: int) -> None:
        self._url = url
        self._nodes = nodes
        self._home = home
        self._output = home / "output"
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        self._reading, reader = self._reading_stage()
        self._filtering, filtering = self._filter_stage()
        self.description = f"{reader} | {filtering}"

    def ours(self) -> Sample:
        """Our report, in a fresh interpreter."""
        command = [sys.executable, "-m", "bench.capacity_ours", self._url]
        sample = run_pipeline(
            [Stage(command, {**self._environment, "PYTHONPATH": os.pathsep.join(sys.path)})], self._output
        )
        self._check(sum(1 for line in self._text().splitlines() if line.startswith("ip-")))
        return sample

    def theirs(self) -> Sample:
        """The guide's command."""
        sample = run_pipeline([self._reading, self._filtering], self._output)
        self._check(len([row for row in _json_values(self._text()) if row["capacity"] == 14]))
        return sample

    def _check(self, rows: int) -> None:
        """A way that answers something else would win for the wrong reason."""
        if rows != self._nodes:
            raise AssertionError(f"{rows} rows for {self._nodes} nodes")

    def _text(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def _reading_stage(self) -> tuple[Stage, str]:
        kubectl, curl = shutil.which("kubectl") or shutil.which("oc"), shutil.which("curl")
        if kubectl is not None:
            config = self._home / "kubeconfig"
            config.write_text(_kubeconfig(self._url), encoding="utf-8")
            argv: Sequence[str] = (kubectl, "--kubeconfig", str(config), "get", "nodes", "-o", "json")
            return Stage(argv, self._environment), f"{Path(kubectl).name} get nodes -o json"
        if curl is not None:
            return Stage((curl, "-sf", f"{self._url}/api/v1/nodes"), self._environment), "curl (kubectl is not there)"
        script = "import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())"
        argv = (sys.executable, "-c", script, f"{self._url}/api/v1/nodes")
        return Stage(argv, self._environment), "urllib (neither kubectl nor curl is there)"

    def _filter_stage(self) -> tuple[Stage, str]:
        jq = shutil.which("jq")
        if jq is not None:
            return Stage((jq, FILTER), self._environment), "jq"
        return Stage((sys.executable, "-c", JQ_IN_PYTHON, FILTER), self._environment), "jq's library (jq is not there)"


def _kubeconfig(url: str) -> str:
    cluster = {"name": "bench", "cluster": {"server": url}}
    context = {"name": "bench", "context": {"cluster": "bench", "user": ""}}
    whole = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
    return json.dumps({**whole, "current-context": "bench"})


def _json_values(text: str) -> list[dict[str, object]]:
    """The values of a text that holds one after the other."""
    decoder, values, position = json.JSONDecoder(), [], 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        values.append(value)
        while position < len(text) and text[position].isspace():
            position += 1
    return values
