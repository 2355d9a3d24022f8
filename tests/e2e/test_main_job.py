"""The main job on the embedded ROSA: real SQS semantics, the exported handlers, the plumbing that is deployed.

Time is stepped: minutes pass in milliseconds, and windows, delays and pauses are those of the template.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sandbox.aws.faults import broken, throttled
from sandbox.rosa import PoolSpec, Scenario
from sandbox.stage import Stage
from tests.e2e.staging import staged

EVENTS = Path(__file__).resolve().parents[2] / "events"
LABEL = "k8s.ovn.org/egress-assignable"
POLICIES = (
    "      - name: demo-egress-ns",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-ns}}",
    "        addresses: [10.10.100.253, 10.10.150.253, 10.10.200.253]",
    "      - name: demo-egress-pod",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-pod}}",
    "        pods: {matchLabels: {run: demo-egress-pod}}",
    "        per_zone: 1",
)


def scenario(replicas_in_c: int = 2) -> Scenario:
    pools = [
        PoolSpec(name=f"egress-{zone}", zones=(f"eu-central-1{zone}",), replicas=2, labels={LABEL: ""}) for zone in "ab"
    ]
    pools.append(PoolSpec(name="egress-c", zones=("eu-central-1c",), replicas=replicas_in_c, labels={LABEL: ""}))
    return Scenario(name="payments", pools=tuple(pools))


class Stages:
    """The one stage of this file (moto allows no two at a time): a test's own, or handed on at rest to the next."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._handed_on: Stage | None = None

    def own(self, replicas_in_c: int = 2) -> Stage:
        """A cluster that stands, with nothing of ours in it, for one test."""
        self.close()
        return self._open.enter_context(staged(scenario(replicas_in_c), POLICIES))

    def at_rest(self) -> Stage:
        """All six addresses serve and have for a while, nothing is found, nothing is due, all mail is read."""
        stage = self._handed_on
        if stage is None or not _comes_to_rest(stage):
            stage = self._handed_on = self.own()
            assert _comes_to_rest(stage)
        stage.read_mail()
        stage.plumbing.invocations.clear()
        return stage

    def close(self) -> None:
        self._open.close()
        self._handed_on = None


def _comes_to_rest(stage: Stage) -> bool:
    for _ in range(3):
        stage.run_for(1800)
        if len(serving(stage)) == 6 and not drift(stage)["findings"]:
            return True
        minutes(stage, 3)
    return False


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    made = Stages()
    yield made
    made.close()


@pytest.fixture
def stage(stages: Stages) -> Stage:
    return stages.at_rest()


def drift(stage: Stage) -> dict[str, Any]:
    (part,) = stage.documents("/clusters/payments/drift")["clusters"]
    return dict(part)


def serving(stage: Stage) -> dict[str, str]:
    return {row["address"]: row["policy"] for row in drift(stage)["addresses"] if row["serving_node"]}


def minutes(stage: Stage, number: int) -> None:
    """Let minutes pass with the schedule firing each minute, as deployed."""
    for _ in range(number):
        stage.plumbing.tick_schedules()
        stage.run_for(60)


def visits(stage: Stage) -> list[float]:
    return [run.when for run in stage.plumbing.invocations if run.function == "reconcile"]


def reservations(stage: Stage) -> dict[str, dict[str, Any]]:
    ec2 = stage.aws.client("ec2")
    found: dict[str, dict[str, Any]] = {}
    for subnet in ec2.describe_subnets()["Subnets"]:
        for reservation in ec2.get_subnet_cidr_reservations(SubnetId=subnet["SubnetId"])["SubnetIpv4CidrReservations"]:
            found[reservation["Cidr"]] = reservation
    return found


def test_a_growing_pool_ends_with_every_address_serving(stages: Stages) -> None:
    """EC2's event alone, without the schedule, leads through all functions to assigned addresses."""
    stage = stages.own(replicas_in_c=0)
    minutes(stage, 3)
    assert {a.split(".")[2] for a in serving(stage)} == {"100", "150"}
    stage.plumbing.invocations.clear()
    stage.rosa.scale_pool("egress-c", 2)
    stage.run_for(1200)
    functions = Counter(run.function for run in stage.plumbing.invocations if run.function != "api_handler")
    assert set(functions) == {"intake", "route", "reconcile"}
    assert not [run.error for run in stage.plumbing.invocations if run.error]
    assert len(serving(stage)) == 6
    assert drift(stage)["findings"] == []
    pod = [address for address, policy in serving(stage).items() if policy == "demo-egress-pod"]
    assert {a.rsplit(".", 1)[0] for a in pod} == {"10.10.100", "10.10.150", "10.10.200"}


def test_drift_is_repaired_told_and_its_end_told(stage: Stage) -> None:
    """A label taken, an object edited, a reservation deleted: put back, one message each, one recovery each."""
    node = stage.rosa.node_name(stage.rosa.pool_machines("egress-b")[0])
    stage.rosa.take_label(node)
    edited = {"spec": {"egressIPs": ["10.10.100.253"]}}
    stage.rosa.kube.patch("egressips", "demo-egress-ns", edited, manager="kubectl-edit")
    gone = reservations(stage)["10.10.100.253/32"]["SubnetCidrReservationId"]
    stage.aws.client("ec2").delete_subnet_cidr_reservation(SubnetCidrReservationId=gone)
    minutes(stage, 1)
    told = {mail.attributes["kind"]: mail for mail in stage.read_mail()}
    assert {"node-label-missing", "spec-edited", "reservation-missing"} <= set(told)
    assert "kubectl-edit" in told["spec-edited"].body
    minutes(stage, 4)
    assert LABEL in stage.rosa.kube.get("nodes", node)["metadata"]["labels"]
    assert "10.10.100.253/32" in reservations(stage)
    assert len(serving(stage)) == 6
    resolved = {mail.attributes["kind"] for mail in stage.read_mail() if mail.subject.startswith("RESOLVED")}
    assert {"node-label-missing", "spec-edited", "reservation-missing"} <= resolved


def test_addresses_survive_the_loss_of_object_and_table(stage: Stage) -> None:
    """An address once given is found again after every table of ours is lost and the object deleted."""
    before = serving(stage)
    table = stage.aws.client("dynamodb")
    name = stage.resources.refs["FindingsTable"]
    for item in table.scan(TableName=name)["Items"]:
        table.delete_item(TableName=name, Key={"pk": item["pk"], "sk": item["sk"]})
    stage.rosa.kube.delete("egressips", "demo-egress-pod")
    minutes(stage, 4)
    assert serving(stage) == before


def test_reservations_carry_owner_cluster_and_policy(stage: Stage) -> None:
    """What is ours says so, and remembers which address is whose."""
    found = reservations(stage)
    assert {cidr.split("/")[1] for cidr in found} == {"28", "32"}
    tags = {tag["Key"]: tag["Value"] for tag in found["10.10.150.253/32"]["Tags"]}
    assert tags == {
        "egress-keeper/owner": "egress-keeper",
        "egress-keeper/cluster": "payments",
        "egress-keeper/policy/demo-egress-ns": "10.10.150.253",
    }


def test_rest_answers_and_orders_runs(stage: Stage) -> None:
    """GET reads now; POST answers 202 with the id of a run whose result can be asked for."""
    for what in ("capacity", "plan", "drift"):
        answer = stage.plumbing.request("GET", f"/clusters/payments/{what}")
        assert answer.status == 200
        assert answer.json["schema"] == f"egress-keeper/{what}/1"
    answer = stage.plumbing.request("POST", "/clusters/payments/reconcile", {})
    assert answer.status == 202
    run = f"/runs/{answer.json['run_id']}"
    assert stage.documents(run)["status"] == "queued"
    stage.run_for(60)
    done = stage.documents(run)
    assert done["status"] == "done"
    assert done["visit"]["schema"] == "egress-keeper/visit/1"


BAD_REQUESTS = [
    ("GET", "/clusters/nope/plan", None, 404, "'nope' is not in the fleet file; it has payments"),
    ("GET", "/runs/nope", None, 404, "run: 'nope' is not known"),
    ("POST", "/clusters/payments/reconcile", {"force": True}, 400, "body.force: is not known; allowed is approve"),
    ("POST", "/clusters/payments/reconcile", {"approve": "yes"}, 400, "12 hexadecimal digits"),
    ("POST", "/clusters/payments/reconcile", [1], 400, "is not a JSON object"),
]


def test_a_bad_request_gets_one_clear_error(stage: Stage) -> None:
    """The field, the value and what is allowed; nothing is ordered."""
    for method, path, body, status, says in BAD_REQUESTS:
        answer = stage.plumbing.request(method, path, body)
        assert answer.status == status
        assert says in answer.json["error"]
    stage.run_for(60)
    assert visits(stage) == []


@pytest.mark.slow
def test_a_burst_of_a_thousand_events_is_at_most_two_visits_a_window(stage: Stage) -> None:
    """Duplicates and all: never flooded, and the last visit starts after the last event of its window."""
    running = json.loads((EVENTS / "ec2-instance-running.json").read_text())
    machines = [machine.instance_id for pool in "abc" for machine in stage.rosa.pool_machines(f"egress-{pool}")]
    start = stage.timeline.now()
    for number in range(1000):
        event = {**running, "id": f"event-{number % 700}", "account": stage.aws.account_id}
        event["detail"] = {"instance-id": machines[number % len(machines)], "state": "running"}
        assert stage.plumbing.emit(event) == 1
        if number % 250 == 249:
            stage.run_for(5)
    end = stage.timeline.now()
    stage.run_for(90)
    times = visits(stage)
    windows = int(end // 30) - int(start // 30) + 2
    assert 1 <= len(times) <= 2 * windows
    last_event = max(run.when for run in stage.plumbing.invocations if run.function == "intake")
    assert times[-1] > last_event
    assert sum(run.function == "intake" for run in stage.plumbing.invocations) == 1000
    described = [call for call in stage.aws.calls if call.operation == "DescribeInstances" and call.when >= start]
    assert len(described) < 100, "one read for a batch of events, not one for each"


def test_an_instance_that_is_not_ours_wakes_nobody(stage: Stage) -> None:
    """Another machine of the account is counted and dropped."""
    ec2 = stage.aws.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, InstanceType="t3.small", SubnetId=subnet)
    stage.run_for(120)
    assert [run.function for run in stage.plumbing.invocations] == ["intake", "route"]


def test_an_instance_that_ec2_does_not_know_yet_comes_back(stage: Stage) -> None:
    """The event of an instance that no read shows yet is put back with a pause, a bounded number of times."""
    event = json.loads((EVENTS / "ec2-instance-running.json").read_text())
    event["detail"]["instance-id"] = "i-0123456789abcdef0"
    stage.plumbing.emit({**event, "account": stage.aws.account_id})
    stage.run_for(600)
    assert Counter(run.function for run in stage.plumbing.invocations) == {"intake": 1, "route": 5}


def test_a_poisoned_message_ends_in_the_dead_letter_queue_and_stops_nobody(stages: Stages) -> None:
    """A visit that always fails is tried a few times, put aside, and the cluster's next visits run."""
    stage = stages.own()
    minutes(stage, 2)
    sqs = stage.aws.client("sqs")
    stage.aws.faults.inject("sns", "Publish", broken())
    stage.put_fleet(stage.default_fleet.replace("10.10.100.253", "10.99.0.1"))
    stage.run_for(70)
    stage.plumbing.tick_schedules()
    stage.run_for(60)
    assert any(run.error for run in stage.plumbing.invocations if run.function == "reconcile")
    stage.run_for(4000)
    url = stage.resources.refs["WorkDeadLetters"]
    dead = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert int(dead["ApproximateNumberOfMessages"]) >= 1
    stage.aws.faults.heal()
    stage.put_fleet(stage.default_fleet)
    minutes(stage, 4)
    assert len(serving(stage)) == 6


def test_one_broken_cluster_does_not_delay_the_others(stages: Stages) -> None:
    """A cluster whose API does not answer fails alone."""
    stage = stages.own()
    other = stage.default_fleet.split("clusters:\n")[1].replace("name: payments", "name: broken", 1)
    other = other.replace(stage.rosa.api_url, "http://127.0.0.1:9").replace("infra_id: 2", "infra_id: 3", 1)
    stage.put_fleet(stage.default_fleet + other)
    minutes(stage, 1)
    stage.run_for(20)
    assert len(serving(stage)) == 6
    runs = stage.documents("/clusters/broken/runs")["runs"]
    assert runs
    assert {run["status"] for run in runs} == {"failed"}


@pytest.mark.slow
def test_a_throttled_ec2_changes_nothing_and_heals(stage: Stage) -> None:
    """Unknown is not empty: nothing is removed or added on a partial view, and the next visit finishes."""
    before = reservations(stage)
    stage.rosa.kube.patch("egressips", "demo-egress-ns", {"spec": {"egressIPs": ["10.10.100.253"]}}, manager="x")
    stage.aws.faults.inject("ec2", "GetSubnetCidrReservations", throttled())
    minutes(stage, 1)
    spec = stage.rosa.kube.get("egressips", "demo-egress-ns")["spec"]
    assert spec["egressIPs"] == ["10.10.100.253"]
    stage.aws.faults.heal()
    assert set(reservations(stage)) == set(before)
    minutes(stage, 3)
    assert len(serving(stage)) == 6
