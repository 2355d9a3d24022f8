"""The stage: a small ROSA, its AWS account and the product deployed into it, all in this process.

`Stage` puts together what the other modules of the sandbox are: AWS (`aws`), one cluster (`rosa`), its controllers
(`controllers`), and our functions with the queues, table, topic and rules of the template that an operator deploys
(`plumbing`). The demo plays on it, tests too. With a stepped timeline minutes pass in milliseconds, and the functions
see that time as well.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chalicelib import wiring
from chalicelib.settings import Settings
from sandbox.aws import AwsSandbox, Ec2Timing
from sandbox.aws.events import InstanceStateChange
from sandbox.controllers import Controllers
from sandbox.kube import RemoteCluster
from sandbox.ocm import ACCOUNT_SECRET, Ocm, OcmServer, rosa_in_ocm
from sandbox.plumbing import InProcessInvoker, Plumbing, create_resources, read_wiring
from sandbox.rosa import Rosa, RosaTiming, Scenario
from sandbox.timeline import SteppedTimeline, Timeline

PROJECT = Path(__file__).resolve().parent.parent
TEMPLATE = PROJECT / ".chalice" / "infrastructure.yaml"
BUCKET, KEY = "egress-keeper-fleet", "fleet.yaml"


@dataclass(frozen=True)
class Mail:
    """One message that a subscriber of the alerts topic received."""

    subject: str
    body: str
    attributes: Mapping[str, str]


def fleet_text(
    scenario: Scenario,
    api_url: str,
    policies: Iterable[str],
    *,
    token: str,
    mode: str = "enforce",
    pools: str = "",
    ocm: OcmServer | None = None,
    ocm_credentials: str = "",
    ca_pem: str | None = None,
) -> str:
    """A fleet file for the cluster of *scenario*. *policies* are YAML list items, indented by six blanks.

    With *ocm*, the file says where OCM is, and *ocm_credentials* where its secret is kept.
    """
    listed = pools or "[" + ", ".join(f"{{name: {p.name}}}" for p in scenario.all_pools if "egress" in p.name) + "]"
    trust = f", ca: {json.dumps(ca_pem)}" if ca_pem else ""
    return "\n".join(
        [
            f"defaults: {{mode: {mode}}}",
            "clusters:",
            f"  - name: {scenario.name}",
            f"    region: {scenario.region}",
            f"    infra_id: {scenario.infra_id}",
            f'    api: {{url: "{api_url}", token: "{token}"{trust}}}',
            *(_ocm_lines(scenario, ocm, ocm_credentials) if ocm else ()),
            f"    machine_pools: {listed}",
            "    policies:",
            *policies,
            "",
        ]
    )


def _ocm_lines(scenario: Scenario, ocm: OcmServer, credentials: str) -> list[str]:
    return [
        "    ocm:",
        f"      cluster: {scenario.cluster_id}",
        f'      credentials: "{credentials}"',
        f'      url: "{ocm.url}"',
        f'      token_url: "{ocm.token_url}"',
    ]


@dataclass(frozen=True)
class RealCluster:
    """A real API server to play on, and the token that the product is given there.

    Its clock is the wall clock, while the stage's runs ahead of it: objects look older than they are, so a scenario
    must not depend on a node being young for more than some minutes of the stage's time.
    """

    kube: RemoteCluster
    product_token: str
    admin_token: str


class Stage:
    """Everything, as a context manager. `rosa`, `aws`, `ocm`, `plumbing` and `controllers` may be used directly.

    Args:
        scenario: The cluster at the beginning.
        policies: YAML list items of the fleet file's policies, indented by six blanks.
        timeline: None for a stepped one of its own.
        parameters: Template parameters that differ from their defaults.
        timing: How long nodes take to join and leave.
        real: Play on a real API server instead of the simulator.
        ocm: The fleet file names OCM, so that the product may ask it. It runs, and knows the cluster, in any case.
        short: Whoever is not the product asks AWS without a socket, which saves most of the time.
    """

    def __init__(
        self,
        scenario: Scenario,
        policies: Iterable[str],
        *,
        timeline: Timeline | None = None,
        parameters: Mapping[str, str] | None = None,
        timing: RosaTiming | None = None,
        mode: str = "enforce",
        ocm: bool = False,
        real: RealCluster | None = None,
        short: bool = False,
    ) -> None:
        self.scenario = scenario
        self._with_ocm = ocm
        self._real = real
        self._short = short
        self.timeline = timeline or (SteppedTimeline() if real is None else SteppedTimeline(float(int(time.time()))))
        self._policies = tuple(policies)
        self._parameters = {"FleetBucket": BUCKET, "FleetKey": KEY, **(parameters or {})}
        self._timing = timing or RosaTiming.realistic()
        self._mode = mode
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Bring everything up; the cluster is ready, nothing of ours has run yet."""
        import app as application  # the handlers, as Lambda imports them

        timing = Ec2Timing(running_after_seconds=15.0, terminated_after_seconds=30.0)
        self.aws = self._stack.enter_context(
            AwsSandbox(self.timeline, region=self.scenario.region, timing=timing, short=self._short)
        )
        self.rosa = self._stack.enter_context(
            Rosa(
                self.scenario,
                self.aws,
                timing=self._timing,
                controllers=self._make_controllers,
                https=False,
                remote=self._real.kube if self._real else None,
                tokens={self._real.product_token: "egress-keeper"} if self._real else None,
            )
        )
        self.ocm = Ocm(self.timeline.now)
        self.ocm_cluster = self.ocm.add_cluster(rosa_in_ocm(self.rosa))
        self.ocm_server = self._stack.enter_context(OcmServer(self.ocm))
        self._put_secrets_and_fleet()
        resources = create_resources(self.aws, TEMPLATE, self._parameters)
        connections = read_wiring(application.app, resources, project_dir=PROJECT)
        invoker = InProcessInvoker(application.app, self.aws.environment())
        # What a function wrote to a real server is seen by the platform's programs before time goes on.
        self.plumbing = Plumbing(
            application.app, self.aws, resources, connections, invoker, lambda _run: self.rosa.kube.settle()
        )
        self._stack.callback(self.plumbing.stop)
        self.resources = resources
        self.inbox_url = self._subscribe_inbox(resources.refs["AlertsTopic"])
        wiring.provide(self._runtime)
        self._stack.callback(wiring.provide, wiring.Runtime)
        self.run_for(30)  # the machines of the beginning come up unannounced
        self.aws.on_instance_state(self._emit)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take everything down again."""
        self._stack.__exit__(kind, error, trace)

    # Time

    def run_for(self, seconds: float) -> int:
        """Let *seconds* pass with everything that falls due; returns how many functions ran."""
        return self.plumbing.run_for(seconds)

    def now(self) -> datetime:
        """The time on this stage."""
        return datetime.fromtimestamp(self.timeline.now(), UTC)

    # What people see

    def read_mail(self) -> list[Mail]:
        """Alerts that arrived since the last time, oldest first."""
        sqs = self.aws.client("sqs")
        mail: list[Mail] = []
        while messages := sqs.receive_message(QueueUrl=self.inbox_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=self.inbox_url, ReceiptHandle=message["ReceiptHandle"])
                note = json.loads(message["Body"])
                attributes = {key: value["Value"] for key, value in note.get("MessageAttributes", {}).items()}
                mail.append(Mail(note["Subject"], note["Message"], attributes))
        return mail

    @property
    def admin_token(self) -> str:
        """A cluster administrator's token, for what people do in the cluster by hand."""
        return self._real.admin_token if self._real else next(iter(self.rosa.tokens))

    def put_fleet(self, text: str) -> None:
        """Replace the fleet file."""
        self.aws.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=text.encode())

    @property
    def default_fleet(self) -> str:
        """The fleet file that the stage starts with."""
        return fleet_text(
            self.scenario,
            self.rosa.api_url,
            self._policies,
            token=f"secretsmanager:egress-keeper/{self.scenario.name}",
            mode=self._mode,
            ca_pem=self.rosa.ca_pem,
            ocm=self.ocm_server if self._with_ocm else None,
            ocm_credentials="secretsmanager:egress-keeper/ocm",
        )

    # Inside

    def _make_controllers(self, rosa: Rosa) -> list[Controllers]:
        self.controllers = Controllers(rosa.kube, self.aws)
        return [self.controllers]

    def _put_secrets_and_fleet(self) -> None:
        secrets = self.aws.client("secretsmanager")
        token = next(iter(self.rosa.tokens))
        secrets.create_secret(Name=f"egress-keeper/{self.scenario.name}", SecretString=token)
        secrets.create_secret(Name="egress-keeper/ocm", SecretString=ACCOUNT_SECRET)
        location = {"LocationConstraint": self.scenario.region}
        self.aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        self.put_fleet(self.default_fleet)

    def _subscribe_inbox(self, topic_arn: str) -> str:
        """A queue behind the topic stands for the person who gets the mail."""
        sqs, sns = self.aws.client("sqs"), self.aws.client("sns")
        url = str(sqs.create_queue(QueueName="inbox-of-the-person-on-call")["QueueUrl"])
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
        return url

    def _emit(self, change: InstanceStateChange) -> None:
        self.plumbing.emit(change.to_event())

    def _runtime(self, settings: Settings) -> wiring.Runtime:
        return wiring.Runtime(settings, clock=self.now)

    def documents(self, path: str) -> Any:
        """What the REST API answers to GET *path*, parsed."""
        return self.plumbing.request("GET", path).json


__all__ = ["Mail", "RealCluster", "Stage", "fleet_text"]
