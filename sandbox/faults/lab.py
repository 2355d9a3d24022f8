"""A small stage for breaking calls on: two zones, what is ours and what is not, and a minute at a time.

Everything that a check compares is read here, on the wire, in a form that is the same in every run: no ids, no times.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

from chalicelib import wiring
from chalicelib.domain.drift.credential import read_claims
from chalicelib.domain.drift.flapping import WITHIN
from chalicelib.settings import Settings
from sandbox.aws.state import forget_items, forget_messages, items
from sandbox.drift.play import Play
from sandbox.drift.sides import foreign_state, is_ours, our_objects, reservations, serving
from sandbox.faults.calls import Calls
from sandbox.faults.process import Gate, MortalInvoker, MortalRuntime, ShortAws
from sandbox.kube import KubeCluster
from sandbox.rosa import PoolSpec, Scenario
from sandbox.short_http import ShortPools
from sandbox.stage import Mail, Stage

LABEL = "k8s.ovn.org/egress-assignable"
ZONES = ("eu-central-1a", "eu-central-1b")
SCENARIO = Scenario(
    name="payments",
    zones={"eu-central-1a": IPv4Network("10.10.100.0/24"), "eu-central-1b": IPv4Network("10.10.150.0/24")},
    pools=tuple(PoolSpec(name=f"egress-{zone[-1]}", zones=(zone,), replicas=2, labels={LABEL: ""}) for zone in ZONES),
)
POLICIES = (
    "      - name: demo-egress-ns",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-ns}}",
    "        addresses: [10.10.100.253, 10.10.150.253]",
    "      - name: demo-egress-pod",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-pod}}",
    "        per_zone: 1",
)
KICK = "egress-keeper/kick"
ACCOUNT = ("egress-keeper", "egress-keeper")
"""Namespace and name of the service account of `deploy/rbac.yaml`."""


@dataclass(frozen=True)
class EndState:
    """How the world stands, as far as it is ours: what two runs of one situation must agree on.

    Attributes:
        labelled: Nodes with the egress label, by machine pool.
        pools: Labels in OCM, by machine pool.
        token: Whether the cluster's token has an end, and how near that is.
    """

    objects: dict[str, Any]
    reservations: dict[str, Any]
    labelled: dict[str, int]
    pools: dict[str, dict[str, str]]
    token: str
    serving: tuple[str, ...]
    findings: tuple[str, ...]


class Lab:
    """A stage whose product can be killed and lied to, as a context manager.

    Attributes:
        calls: The product's calls, and the trouble armed for one of them.
        play: The verbs of people and platform.
        skew: How far the functions' clock is ahead of everybody else's.
    """

    def __init__(self) -> None:
        self._stage = Stage(SCENARIO, POLICIES, ocm=True, short=True)
        self.calls = Calls()
        self.gate = Gate(self.calls)
        self.skew = timedelta(0)
        self._silence = contextlib.ExitStack()

    def __enter__(self) -> Lab:
        """Set the cluster up, put strangers beside it, and come to rest."""
        self._silence.enter_context(contextlib.redirect_stdout(io.StringIO()))  # the functions' own logs
        self.stage = self._stage.__enter__()
        self.play = Play(self.stage)
        self._aws = ShortAws(self.gate, self.stage.aws)
        self._pools = ShortPools([self.stage.rosa.server, self.stage.ocm_server], retries=False)
        self.invoker = MortalInvoker(self.stage.plumbing.invoker, self.calls, self.gate, self.new_process)
        self.stage.plumbing.invoker = self.invoker
        self.stage.aws.intercept, self.stage.aws.overhear = self.calls.of_aws, self.calls.heard_aws
        self.kube.intercept, self.kube.overhear = self.calls.of_cluster, self.calls.heard_cluster
        self.stage.ocm.intercept, self.stage.ocm.overhear = self.calls.of_ocm, self.calls.heard_ocm
        self.new_process()
        namespace, name = ACCOUNT
        self.kube.create("namespaces", {"metadata": {"name": namespace}}, manager="kubectl-apply")
        account = {"metadata": {"name": name, "namespace": namespace}}
        self.kube.create("serviceaccounts", account, manager="kubectl-apply")
        self.play.create_egress_ip("legacy-partner", ["10.10.150.60"], {"team": "legacy"})
        self.play.create_reservation("eu-central-1b", "10.10.150.64/28", "prefix")
        self.play.foreign_interface("eu-central-1a", "a database of somebody else's")
        self.minutes(3)
        self.play.unseen(1800)
        self._warm_up()
        self.forget()
        self.minutes(1)
        self.forget()
        return self

    def __exit__(self, *error: object) -> None:
        """Take it down."""
        self._stage.__exit__(None, None, None)
        self._silence.close()

    def _warm_up(self) -> None:
        """Repair something and tell of it: what is made at its first use need not be made again in each branch."""
        self.play.take_label(self.play.nodes_of("egress-a")[0])
        self.minutes(2)
        self.play.unseen(WITHIN.total_seconds())  # for so long a visit notes that an address has moved

    @property
    def kube(self) -> KubeCluster:
        """The cluster's API in process, with its faults and tokens."""
        return self.stage.rosa.simulated

    # Time and processes

    def minutes(self, number: int) -> None:
        """Let minutes pass, with the schedule firing at the start of each."""
        self.play.minutes(number)

    def new_process(self) -> None:
        """Functions start in a new container from now on."""
        wiring.provide(self._runtime)

    def _runtime(self, settings: Settings) -> wiring.Runtime:
        return MortalRuntime(settings, lambda: self.stage.now() + self.skew, self.gate, self._aws, self._pools)

    def forget(self) -> None:
        """Lose the table, the queues' content and the unread mail: the next case starts without a history."""
        forget_items(self.stage.scenario.region, self.stage.resources.refs["FindingsTable"])
        refs = self.stage.resources.refs
        forget_messages(self.stage.scenario.region, refs["EventsQueue"], refs["WorkQueue"])
        self.stage.read_mail()

    # Looking

    def end_state(self) -> EndState:
        """How what is ours stands now."""
        objects = {
            o["metadata"]["name"]: (
                sorted(o["spec"]["egressIPs"]),
                json.dumps([o["spec"]["namespaceSelector"], o["spec"].get("podSelector")], sort_keys=True),
                {key: value for key, value in o["metadata"]["labels"].items() if key != KICK},
            )
            for o in our_objects(self.stage)
        }
        ours = {r.cidr: (r.kind, r.tags) for r in reservations(self.stage) if is_ours(r)}
        first = [pool.name for pool in SCENARIO.all_pools]  # nodes of others take minutes to join
        labelled = {pool: sum(self._has_label(node) for node in self.play.nodes_of(pool)) for pool in first}
        pools = self.stage.rosa.pool_names()
        labels = {pool: dict(self.stage.ocm_cluster.pool(pool)["labels"] or {}) for pool in pools}
        serves, findings = tuple(sorted(serving(self.stage))), tuple(sorted(self.open_findings()))
        return EndState(objects, ours, labelled, labels, self._token_in_words(), serves, findings)

    def foreign(self) -> dict[str, Any]:
        """What is not ours, nodes left out: those of the pools come and go."""
        return {key: value for key, value in foreign_state(self.stage).items() if key not in ("nodes", "interfaces")}

    def open_findings(self) -> Iterator[str]:
        """`kind subject` of what the table remembers and people are told of, sooner or later."""
        for item in items(self.stage.scenario.region, self.stage.resources.refs["FindingsTable"]):
            if (
                item["sk"]["S"].startswith("FINDING#")
                and item["state"]["S"] != "resolved"
                and "absent_since" not in item
            ):
                document = json.loads(item["document"]["S"])
                if document["severity"] != "info":
                    yield f"{document['kind']} {document['subject']}"

    def read_mail(self) -> list[Mail]:
        """What people received since the last time."""
        return self.stage.read_mail()

    @property
    def token(self) -> str:
        """The cluster's token, where the product finds it."""
        return str(self._secrets.get_secret_value(SecretId=self._secret)["SecretString"])

    @token.setter
    def token(self, text: str) -> None:
        self._secrets.put_secret_value(SecretId=self._secret, SecretString=text)

    @property
    def _secret(self) -> str:
        return f"egress-keeper/{SCENARIO.name}"

    @property
    def _secrets(self) -> Any:
        return self.stage.aws.client("secretsmanager")

    def _token_in_words(self) -> str:
        claims = read_claims(self.token)
        if claims is None:
            return "has no end"
        return "ends soon" if claims.nearly_over(self.stage.now()) else "is good for a while"

    def _has_label(self, node: str) -> bool:
        there = {n["metadata"]["name"]: n["metadata"]["labels"] for n in self.stage.rosa.kube.list("nodes")}
        return LABEL in there.get(node, {})
