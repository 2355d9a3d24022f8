"""A small ROSA at rest with the product deployed, in a process of its own: what packaged functions can talk to.

`python -m bench.stage_process` prints one line of JSON: the functions with their environment, and what the naive ones
need beside it.
"""

from __future__ import annotations

import json
import logging
from contextlib import redirect_stdout
from dataclasses import asdict
from io import StringIO
from typing import Any

import app as application
from bench.child import serve_until_told
from chalicelib import telemetry
from sandbox.plumbing import read_wiring
from sandbox.rosa import PoolSpec, Scenario
from sandbox.stage import PROJECT, Stage

LABEL = {"k8s.ovn.org/egress-assignable": ""}
SCENARIO = Scenario(
    name="payments-prod",
    pools=tuple(
        PoolSpec(name=f"egress-{letter}", zones=(f"eu-central-1{letter}",), replicas=2, labels=LABEL)
        for letter in "abc"
    ),
)
POLICIES = (
    "      - name: demo-egress-ns",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-ns}}",
    "        addresses: [10.10.100.253, 10.10.150.253, 10.10.200.253]",
)


def main() -> None:
    """Bring it up, let the product do its work, and serve."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    telemetry.logger.setLevel(logging.CRITICAL)
    with Stage(SCENARIO, POLICIES) as stage:
        with redirect_stdout(StringIO()):  # the functions' metrics
            for _ in range(8):
                stage.plumbing.tick_schedules()
                stage.run_for(60)
            line = json.dumps(described(stage))
        serve_until_told(line)


def described(stage: Stage) -> dict[str, Any]:
    """Everything a function needs to be run against the stage."""
    wiring = read_wiring(application.app, stage.resources, project_dir=PROJECT, stage="prod")
    (drift,) = stage.documents(f"/clusters/{SCENARIO.name}/drift")["clusters"]
    if drift["findings"] or not all(row["serving_node"] for row in drift["addresses"]):
        raise AssertionError(f"the cluster is not at rest: {drift['findings']}")
    first = stage.rosa.pool_machines("egress-a")[0]
    return {
        "functions": {name: asdict(spec) for name, spec in wiring.functions.items()},
        "environment": stage.aws.environment(),
        "cluster": SCENARIO.name,
        "instance_id": first.instance_id,
        "naive": {
            "NAIVE_API_URL": stage.rosa.api_url,
            "NAIVE_SECRET": f"egress-keeper/{SCENARIO.name}",
            "NAIVE_INFRA_ID": SCENARIO.infra_id,
        },
    }


if __name__ == "__main__":
    main()
