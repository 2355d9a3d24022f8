"""`make demo`: the main job on a small ROSA, told step by step. Narration only; what happens is the product's doing.

The clock is the stage's: minutes of waiting pass at once, with the queues, windows and delays that would be deployed.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from chalicelib import telemetry, text
from sandbox.incident import play as play_incident
from sandbox.narrating import say, scene, show
from sandbox.plumbing import Invocation
from sandbox.pool_scene import play as play_pools
from sandbox.rosa import PoolSpec, Scenario
from sandbox.stage import Stage

PICTURE = Path("build") / "incident.svg"
EGRESS = {"k8s.ovn.org/egress-assignable": ""}
SCENARIO = Scenario(
    name="payments",
    pools=(
        PoolSpec(name="egress-a", zones=("eu-central-1a",), replicas=2, labels=EGRESS),
        PoolSpec(name="egress-b", zones=("eu-central-1b",), replicas=2, labels=EGRESS),
        PoolSpec(name="egress-c", zones=("eu-central-1c",), replicas=0, labels=EGRESS),
        PoolSpec(name="workers", zones=("eu-central-1c",), replicas=1),
    ),
)
POLICIES = (
    "      - name: demo-egress-ns",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-ns}}",
    "        addresses: [10.10.100.253, 10.10.150.253, 10.10.200.253]",
    "      - name: demo-egress-pod",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-pod}}",
    "        pods: {matchLabels: {run: demo-egress-pod}}",
    "        addresses: [10.10.100.254, 10.10.150.254, 10.10.200.254]",
)
WHAT = {
    "intake": "puts the raw event on the events queue and makes no other call",
    "route": "orders one visit a cluster and window; for events of instances it asks EC2 once whose they are",
    "reconcile": "visits the cluster: observe, plan, guard, act, tell",
    "drift_check": "orders a visit to every cluster",
}


def main(argv: Sequence[str]) -> int:
    """Play the demo and return 0 if it ended as it should."""
    parser = argparse.ArgumentParser(prog="python -m sandbox demo", description="The main job, told step by step.")
    parser.add_argument("--logs", action="store_true", help="show the functions' own structured logs too")
    options = parser.parse_args(argv)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    if not options.logs:
        telemetry.logger.setLevel(logging.CRITICAL)
    started = time.monotonic()
    say("Bringing up a small ROSA on this machine: AWS (moto), a cluster API, OVN-Kubernetes and its cloud controller.")
    with Stage(SCENARIO, POLICIES) as stage:
        demo = Demo(stage, show_logs=options.logs)
        demo.introduce()
        demo.first_visit()
        demo.pool_grows()
        demo.drift()
        demo.ask_over_rest()
        good = demo.conclude()
    good = play_pools("7. A machine pool gets one more label: by egress-keeper, and by the guide's command") and good
    good = play_incident("8. One bad night: a pool is replaced, and not every address comes along", PICTURE) and good
    say(f"Done in {time.monotonic() - started:.0f} s; nothing is left running.")
    return 0 if good else 1


class Demo:
    """The scenes, one method each, on one stage."""

    def __init__(self, stage: Stage, *, show_logs: bool) -> None:
        self.stage = stage
        self.show_logs = show_logs
        self.runs: list[Invocation] = []
        stage.plumbing.on_invocation = self.runs.append
        self.name = stage.scenario.name

    # Scenes

    def introduce(self) -> None:
        """Who is who."""
        scene("1. A ROSA cluster, and the fleet file that says what is wanted")
        say(
            "Three zones with the subnets of Red Hat's guide. Machine pools egress-a and egress-b have two m5.xlarge"
            " nodes each; egress-c is still empty. Partners know six addresses, three for a namespace, three for pods:"
        )
        show(self.stage.default_fleet)

    def first_visit(self) -> None:
        """The schedule finds a cluster where nothing has been done."""
        scene("2. The schedule fires: the first visit")
        self.quietly(self.stage.plumbing.tick_schedules)
        self.quietly(lambda: self.stage.run_for(60))
        self.tell_runs()
        self.show_visit(self.last_visit())
        say(
            "Zone c has no labelled node yet, so its two addresses are held back, and the finding says which ranges"
            " would be right. The other four are reserved first, so that EC2 gives them to nobody else, then put into"
            " the EgressIPs. OVN-Kubernetes has assigned them:"
        )
        self.show_addresses()

    def pool_grows(self) -> None:
        """The main job."""
        scene("3. Machine pool egress-c grows to two nodes: EC2 says so")
        self.runs.clear()
        self.quietly(lambda: self.stage.rosa.scale_pool("egress-c", 2))
        self.quietly(lambda: self.stage.run_for(80))
        event = next(run.event for run in self.runs if run.function == "intake")
        show(json.dumps(event, indent=2))
        say("The deployed rule matches it, and the event takes its way (two instances; one visit):")
        self.tell_runs()
        self.show_visit(self.last_visit())
        say("The nodes are not there yet: the visit asks to come back, and does.")
        self.runs.clear()
        waited = self.wait_until(lambda: self.serving() == 6, 900)
        self.tell_runs()
        say(f"After {waited / 60:.0f} minutes on the stage's clock the nodes had joined, and all six addresses serve:")
        self.show_addresses()
        self.show_capacity()

    def drift(self) -> None:
        """Three things people do."""
        scene("4. Somebody takes a node's label, edits an EgressIP and deletes a reservation")
        self.quietly(lambda: self.stage.run_for(1800))
        self.stage.read_mail()
        self.runs.clear()
        rosa = self.stage.rosa
        node = rosa.node_name(rosa.pool_machines("egress-b")[0])
        show(f"$ oc label node {node} k8s.ovn.org/egress-assignable-")
        rosa.take_label(node)
        show("$ oc edit egressip demo-egress-ns        # 10.10.150.253 → 10.10.150.77")
        edited = ["10.10.100.253", "10.10.150.77", "10.10.200.253"]
        rosa.kube.patch("egressips", "demo-egress-ns", {"spec": {"egressIPs": edited}}, manager="kubectl-edit")
        show("$ aws ec2 delete-subnet-cidr-reservation --subnet-cidr-reservation-id …      # 10.10.100.254/32")
        self.delete_reservation("10.10.100.254/32")
        self.quietly(lambda: self.stage.run_for(15))
        say("What that looks like, before anyone has noticed:")
        self.show_addresses()
        say("\nThe schedule fires:")
        self.quietly(self.stage.plumbing.tick_schedules)
        self.quietly(lambda: self.stage.run_for(50))
        self.tell_runs()
        self.show_visit(self.last_visit())
        say("Three messages went out, one a cause:")
        self.show_mail()
        self.wait_until(lambda: self.serving() == 6, 300)
        self.quietly(lambda: self.stage.run_for(200))
        say("A few minutes later, when a visit has seen that the repairs hold:")
        self.show_mail()
        self.show_addresses()

    def ask_over_rest(self) -> None:
        """The same over HTTP."""
        scene("5. On demand: the REST API")
        base = f"/clusters/{self.name}"
        for path in (f"{base}/capacity", f"{base}/plan", f"{base}/drift"):
            answer = self.quietly(partial(self.stage.plumbing.request, "GET", path))
            (part,) = answer.json["clusters"]
            say(f"GET {path} → {answer.status}, {answer.json['schema']}: {_in_short(part)}")
        answer = self.quietly(lambda: self.stage.plumbing.request("POST", f"{base}/reconcile", {}))
        run_id = answer.json["run_id"]
        say(f"POST {base}/reconcile → {answer.status}, run {run_id}")
        self.quietly(lambda: self.stage.run_for(60))
        answer = self.quietly(lambda: self.stage.plumbing.request("GET", f"/runs/{run_id}"))
        show(json.dumps({key: value for key, value in answer.json.items() if key != "visit"}, indent=2))

    def conclude(self) -> bool:
        """Whether everything is as desired, and at what cost."""
        scene("6. How it stands")
        (drift,) = self.quietly(lambda: self.stage.documents(f"/clusters/{self.name}/drift"))["clusters"]
        show(text.drift_text(drift))
        calls = [f"{call.service} {call.operation}" for call in self.stage.aws.calls]
        writes = [c for c in calls if c.startswith("ec2 Create") and "Reservation" in c]
        say(f"EC2 was asked to create {len(writes)} reservations in all. Exit code 0: all as desired.")
        return not drift["findings"] and self.serving() == 6

    # Showing

    def tell_runs(self) -> None:
        """What ran since the last time, one line each."""
        for run in self.runs:
            if run.function in WHAT:
                when = time.strftime("%H:%M:%S", time.gmtime(run.when))
                failed = f"  FAILED: {run.error}" if run.error else ""
                messages = f" ({_messages(len(run.event['Records']))})" if "Records" in run.event else ""
                show(f"{when}  {run.function}{messages} {WHAT[run.function]}{failed}")
        self.runs.clear()

    def last_visit(self) -> dict[str, Any]:
        """The document of the latest visit that has ended."""
        runs = self.quietly(lambda: self.stage.documents(f"/clusters/{self.name}/runs"))["runs"]
        run_id = next(run["run_id"] for run in runs if run["status"] in ("done", "refused", "failed"))
        run = self.quietly(lambda: self.stage.documents(f"/runs/{run_id}"))
        return dict(run["visit"]["clusters"][0])

    def show_visit(self, document: dict[str, Any]) -> None:
        """What a visit decided and did."""
        print()
        show(text.plan_text(document))
        print()

    def show_addresses(self) -> None:
        """address → policy → zone → node → interface → reservation."""
        (drift,) = self.quietly(lambda: self.stage.documents(f"/clusters/{self.name}/drift"))["clusters"]
        show(text.addresses_table(drift))

    def show_capacity(self) -> None:
        """The capacity report."""
        (capacity,) = self.quietly(lambda: self.stage.documents(f"/clusters/{self.name}/capacity"))["clusters"]
        print()
        show(text.capacity_text(capacity))

    def show_mail(self) -> None:
        """Alerts, in full."""
        for mail in self.stage.read_mail():
            show(f"Subject: {mail.subject}\nAttributes: {json.dumps(mail.attributes)}\n\n{mail.body}\n{'-' * 60}")

    # Doing

    def serving(self) -> int:
        """How many addresses serve."""
        (drift,) = self.quietly(lambda: self.stage.documents(f"/clusters/{self.name}/drift"))["clusters"]
        return sum(1 for row in drift["addresses"] if row["serving_node"])

    def wait_until(self, reached: Callable[[], bool], seconds: float) -> float:
        """Let time pass in steps, with the schedule each minute, until something is so; returns the time passed."""
        passed = 0.0
        while passed < seconds and not reached():
            self.quietly(self.stage.plumbing.tick_schedules)
            self.quietly(lambda: self.stage.run_for(60))
            passed += 60
        return passed

    def delete_reservation(self, cidr: str) -> None:
        """What somebody does in the AWS console."""
        ec2 = self.stage.aws.client("ec2")
        for subnet in ec2.describe_subnets()["Subnets"]:
            found = ec2.get_subnet_cidr_reservations(SubnetId=subnet["SubnetId"])["SubnetIpv4CidrReservations"]
            for reservation in found:
                if reservation["Cidr"] == cidr:
                    ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=reservation["SubnetCidrReservationId"])

    def quietly(self, action: Callable[[], Any]) -> Any:
        """Do something without the functions' structured logs on the screen, unless they are wanted."""
        if self.show_logs:
            return action()
        with redirect_stdout(StringIO()):
            return action()


def _in_short(part: dict[str, Any]) -> str:
    if "nodes" in part:
        total = part["total"]
        return f"{total['eligible']} of {total['nodes']} nodes eligible, headroom {total['headroom']}"
    if "actions" in part:
        return f"{len(part['actions'])} changes, digest {part['digest']}"
    return f"{len(part['addresses'])} addresses, {len(part['findings'])} findings"


def _messages(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"
