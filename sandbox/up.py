"""`python -m sandbox up`: a cluster to play with by hand, until it is told to end.

Everything lives in real time: the cluster API over HTTPS, AWS, both controllers, and the product's table, topic and
queues. What it prints is shell: `eval` it, and `kubectl`, `aws` and `egress-keeper` work on this cluster.
"""

from __future__ import annotations

import os
import shlex
import signal
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from sandbox.aws import AwsSandbox, Ec2Timing
from sandbox.controllers import Controllers
from sandbox.ocm import ACCOUNT, ACCOUNT_SECRET, Ocm, OcmServer, rosa_in_ocm
from sandbox.plumbing import create_resources
from sandbox.rosa import PoolSpec, Rosa, RosaTiming, Scenario
from sandbox.stage import BUCKET, KEY, TEMPLATE, fleet_text

PACES = {"immediate": RosaTiming(), "brisk": RosaTiming.brisk(), "realistic": RosaTiming.realistic()}

LABELLED = {"k8s.ovn.org/egress-assignable": ""}
DEFAULT = Scenario(
    name="sandbox",
    pools=tuple(
        PoolSpec(name=f"egress-{zone}", zones=(f"eu-central-1{zone}",), replicas=2, labels=LABELLED) for zone in "abc"
    ),
)
"""Three zones with the guide's subnets, an HCP pool of two labelled nodes in each."""

POLICIES = (
    "      - name: demo-egress-ns",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-ns}}",
    "        per_zone: 1",
    "      - name: demo-egress-pod",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-pod}}",
    "        pods: {matchLabels: {run: demo-egress-pod}}",
    "        per_zone: 1",
)


def up(scenario: Scenario, pace: RosaTiming, port: int = 0) -> int:
    """Keep a cluster of *scenario* running until SIGINT or SIGTERM; prints how to reach it, one shell line each."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    timing = Ec2Timing(running_after_seconds=1.0, terminated_after_seconds=3.0)
    with (
        tempfile.TemporaryDirectory(prefix="sandbox-") as directory,
        AwsSandbox(region=scenario.region, timing=timing) as aws,
        Rosa(scenario, aws, timing=pace, port=port, controllers=lambda rosa: [Controllers(rosa.kube, aws)]) as rosa,
        OcmServer(_ocm_of(rosa)) as ocm,
    ):
        resources = create_resources(aws, TEMPLATE, {"FleetBucket": BUCKET, "FleetKey": KEY})
        exports = {**write_files(rosa, ocm, Path(directory)), **_product(resources.refs)}
        print(describe(rosa, ocm, exports), flush=True)
        stop.wait()
    return 0


def write_files(rosa: Rosa, ocm: OcmServer, directory: Path) -> dict[str, str]:
    """Write kubeconfig, secrets and fleet file, for this user only; returns the variables that name them."""
    pools = "[" + ", ".join(f"{{name: {pool.name}}}" for pool in rosa.scenario.all_pools) + "]"
    fleet = fleet_text(
        rosa.scenario,
        rosa.api_url,
        POLICIES,
        token="file:token",
        pools=pools,
        ocm=ocm,
        ocm_credentials="file:ocm.json",
    )
    if rosa.ca_pem is not None:
        fleet = fleet.replace('token: "file:token"', 'token: "file:token", ca: ca.pem')
        (directory / "ca.pem").write_text(rosa.ca_pem, encoding="utf-8")
    for name, content in (
        ("kubeconfig", rosa.kubeconfig()),
        ("token", next(iter(rosa.tokens))),
        ("ocm.json", ACCOUNT_SECRET),
        ("fleet.yaml", fleet),
    ):
        (directory / name).touch(mode=0o600)
        (directory / name).write_text(content, encoding="utf-8")
    return {"KUBECONFIG": str(directory / "kubeconfig"), "KEEPER_FLEET": str(directory / "fleet.yaml")}


def describe(rosa: Rosa, ocm: OcmServer, exports: Mapping[str, str]) -> str:
    """What runs, as comments, and the `export` lines by which `kubectl`, `oc`, `aws` and `egress-keeper` reach it."""
    scenario = rosa.scenario
    machines = [f"#   {pool.name}: {len(rosa.pool_machines(pool.name))} machines" for pool in scenario.all_pools]
    return "\n".join(
        [
            f"# {scenario.name} ({scenario.flavour}), OCM id {scenario.cluster_id}, infra id {scenario.infra_id}",
            f"# cluster API {rosa.api_url}, AWS {rosa.aws.endpoint_url}, VPC {rosa.machines.vpc_id}",
            f"# OCM {ocm.url}, token endpoint {ocm.token_url}, client id and secret: {' '.join(ACCOUNT)}",
            *machines,
            *(f"export {name}={shlex.quote(value)}" for name, value in {**rosa.aws.environment(), **exports}.items()),
            "# try: kubectl get nodes,egressip; egress-keeper plan; egress-keeper apply; egress-keeper drift",
            f"# ends with Ctrl-C or: kill {os.getpid()}",
        ]
    )


def _ocm_of(rosa: Rosa) -> Ocm:
    """An OCM that knows this one cluster."""
    ocm = Ocm(rosa.aws.timeline.now)
    ocm.add_cluster(rosa_in_ocm(rosa))
    return ocm


def _product(refs: Mapping[str, str]) -> dict[str, str]:
    """The settings that the deployed functions would have."""
    return {
        "KEEPER_TABLE": refs["FindingsTable"],
        "KEEPER_TOPIC_ARN": refs["AlertsTopic"],
        "KEEPER_EVENTS_QUEUE_URL": refs["EventsQueue"],
        "KEEPER_WORK_QUEUE_URL": refs["WorkQueue"],
    }
