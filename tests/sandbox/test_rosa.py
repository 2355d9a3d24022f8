from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws import AwsSandbox, InstanceStateChange
from sandbox.kube import ApiError
from sandbox.rosa import Flavour, PoolSpec, Rosa, RosaTiming, Scenario
from sandbox.rosa.machines import Machine
from sandbox.rosa.naming import EGRESS_LABEL
from sandbox.rosa.rosa import _spread
from sandbox.timeline import SteppedTimeline

ZONE = "eu-central-1a"
SMALL = Scenario(
    name="prod",
    zones={ZONE: IPv4Network("10.10.100.0/24")},
    pools=(PoolSpec(name="egress-a", zones=(ZONE,), replicas=1, labels={EGRESS_LABEL: ""}),),
)
CLASSIC = SMALL.model_copy(update={"flavour": Flavour.CLASSIC})
PACED = RosaTiming(10, 10, 10, 10, 10, 10, 10, 10)


@pytest.fixture(scope="module")
def running() -> Iterator[AwsSandbox]:
    with AwsSandbox(SteppedTimeline()) as sandbox:
        yield sandbox


@pytest.fixture
def aws(running: AwsSandbox) -> Iterator[AwsSandbox]:
    running.reset()
    yield running
    running._subscribers.clear()
    running.timing.running_after_seconds = running.timing.terminated_after_seconds = 0


@pytest.fixture
def rosa(aws: AwsSandbox) -> Iterator[Rosa]:
    with Rosa(SMALL, aws) as cluster:
        yield cluster


@pytest.fixture
def classic(aws: AwsSandbox) -> Iterator[Rosa]:
    with Rosa(CLASSIC, aws) as cluster:
        yield cluster


def advance(rosa: Rosa, seconds: float) -> None:
    assert isinstance(rosa.aws.timeline, SteppedTimeline)
    rosa.aws.timeline.advance(seconds)


def only(rosa: Rosa, pool: str = "egress-a") -> Machine:
    (machine,) = rosa.pool_machines(pool)
    return machine


def node(rosa: Rosa, machine: Machine) -> dict[str, Any]:
    return rosa.kube.get("nodes", rosa.node_name(machine))


def ready(found: dict[str, Any]) -> str:
    return next(c["status"] for c in found["status"]["conditions"] if c["type"] == "Ready")


def taints(found: dict[str, Any]) -> set[str]:
    return {taint["key"].rpartition("/")[2] for taint in found["spec"].get("taints") or []}


def tags(entry: dict[str, Any], key: str = "Tags") -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in entry.get(key, [])}


# --- what is there at the beginning ---


def test_cluster_stands_at_once_however_slow_ec2_is(aws: AwsSandbox) -> None:
    """The pace of EC2 and of the cluster is for what happens later."""
    aws.timing.running_after_seconds = 60
    with Rosa(SMALL, aws, timing=PACED) as rosa:
        assert ready(node(rosa, only(rosa))) == "True"
        assert rosa.machines.describe(only(rosa))["State"]["Name"] == "running"
    assert aws.timing.running_after_seconds == 60


def test_cluster_stands_with_ready_labelled_nodes(rosa: Rosa) -> None:
    """Entering the context gives the scenario's nodes, complete, whatever the pace of later changes, EC2's included."""
    found = node(rosa, only(rosa))
    assert (ready(found), taints(found)) == ("True", set())
    assert found["spec"]["providerID"] == f"aws:///{ZONE}/{only(rosa).instance_id}"
    labels = found["metadata"]["labels"]
    assert labels[EGRESS_LABEL] == ""
    assert labels["hypershift.openshift.io/nodePool"] == "prod-egress-a"
    assert labels["topology.kubernetes.io/zone"] == ZONE
    assert labels["node.kubernetes.io/instance-type"] == "m5.xlarge"
    annotations = found["metadata"]["annotations"]
    assert json.loads(annotations["k8s.ovn.org/node-primary-ifaddr"]) == {"ipv4": "10.10.100.4/24"}
    assert json.loads(annotations["k8s.ovn.org/host-cidrs"]) == ["10.10.100.4/24"]
    assert json.loads(annotations["k8s.ovn.org/node-subnets"]) == {"default": ["10.128.0.0/23"]}
    assert "cloud.network.openshift.io/egress-ipconfig" not in annotations


def test_default_scenario_is_the_guide_s_network(aws: AwsSandbox) -> None:
    """Three zones with the guide's subnets, an HCP pool in each, two
    nodes each, every node with its own pod network.
    """
    with Rosa(Scenario(), aws) as rosa:
        found = rosa.kube.list("nodes")
        zones = [n["metadata"]["labels"]["topology.kubernetes.io/zone"] for n in found]
        assert sorted(zones) == sorted(2 * ["eu-central-1a", "eu-central-1b", "eu-central-1c"])
        pods = {n["metadata"]["annotations"]["k8s.ovn.org/node-subnets"] for n in found}
        assert len(pods) == 6
        addresses = {m.address for pool in rosa.scenario.all_pools for m in rosa.pool_machines(pool.name)}
        assert IPv4Address("10.10.200.5") in addresses


def test_api_is_served_to_holders_of_the_token(rosa: Rosa) -> None:
    """The kubeconfig names the server and a token that opens it."""
    text = rosa.kubeconfig()
    assert rosa.api_url in text
    assert "token: sandbox" in text
    assert rosa.ca_pem is not None
    pool = urllib3.PoolManager(ca_cert_data=rosa.ca_pem)
    url = f"{rosa.api_url}/api/v1/nodes"
    with_token = pool.request("GET", url, headers={"Authorization": "Bearer sandbox"})
    assert [n["metadata"]["name"] for n in with_token.json()["items"]] == [rosa.node_name(only(rosa))]
    assert pool.request("GET", url, headers={"Authorization": "Bearer other"}).status == 401
    pool.clear()


def test_hcp_instances_and_interfaces_carry_rosa_s_tags(rosa: Rosa) -> None:
    """Cluster and pool are found by tags; the interface carries them too, `red-hat-managed` above all."""
    ec2, machine = rosa.aws.client("ec2"), only(rosa)
    by_tag = [
        {"Name": "tag:api.openshift.com/id", "Values": [SMALL.cluster_id]},
        {"Name": "tag-key", "Values": ["api.openshift.com/nodepool-ocm"]},
    ]
    (reservation,) = ec2.describe_instances(Filters=by_tag)["Reservations"]
    (instance,) = reservation["Instances"]
    found = tags(instance)
    assert found["api.openshift.com/nodepool-ocm"] == "egress-a"
    assert found["api.openshift.com/nodepool-hypershift"] == "prod-egress-a"
    assert found[f"kubernetes.io/cluster/{SMALL.infra_id}"] == "owned"
    assert found["Name"].startswith("prod-egress-a-")
    interface = ec2.describe_network_interfaces(NetworkInterfaceIds=[machine.interface_id])["NetworkInterfaces"][0]
    assert tags(interface, "TagSet") == found
    assert found["red-hat-managed"] == "true"


def test_classic_instances_are_known_by_name_and_cluster_tag(classic: Rosa) -> None:
    """No pool tag, no tagged interface: `<infra>-<pool>-<zone>-<5>` is all there is."""
    ec2, machine = classic.aws.client("ec2"), only(classic)
    by_tag = [{"Name": f"tag:kubernetes.io/cluster/{CLASSIC.infra_id}", "Values": ["owned"]}]
    (reservation,) = ec2.describe_instances(Filters=by_tag)["Reservations"]
    found = tags(reservation["Instances"][0])
    prefix, _, suffix = found["Name"].rpartition("-")
    assert (prefix, len(suffix)) == (f"{CLASSIC.infra_id}-egress-a-{ZONE}", 5)
    assert not [key for key in found if key.startswith("api.openshift.com/")]
    interface = ec2.describe_network_interfaces(NetworkInterfaceIds=[machine.interface_id])["NetworkInterfaces"][0]
    assert tags(interface, "TagSet") == {}
    annotations = node(classic, machine)["metadata"]["annotations"]
    assert annotations["managed.openshift.com/customlabels"] == EGRESS_LABEL
    assert annotations["machine.openshift.io/machine"] == f"openshift-machine-api/{machine.name}"


@pytest.mark.parametrize("wanted", [8_000, 13_000, 40_000])
def test_nodes_can_be_padded_to_a_real_size(aws: AwsSandbox, wanted: int) -> None:
    """For measurements a node is about as large as asked for."""
    with Rosa(SMALL.model_copy(update={"node_bytes": wanted}), aws) as rosa:
        assert wanted * 0.85 < len(json.dumps(rosa.kube.list("nodes")[0])) < wanted * 1.15


# --- scaling ---


def test_node_joins_step_by_step(aws: AwsSandbox, rosa: Rosa) -> None:
    """Registered with the uninitialized taint, then placed, labelled,
    networked and at last ready; events before the node.
    """
    states: list[InstanceStateChange] = []
    aws.on_instance_state(states.append)
    aws.timing.running_after_seconds = 5
    rosa.scale_pool("egress-a", 2, timing=PACED)
    machine = rosa.pool_machines("egress-a")[1]
    assert [s.state for s in states] == ["pending"]
    advance(rosa, 14)
    assert [s.state for s in states] == ["pending", "running"]
    with pytest.raises(ApiError):
        node(rosa, machine)

    advance(rosa, 1)
    registered = node(rosa, machine)
    assert (ready(registered), taints(registered)) == ("False", {"uninitialized", "not-ready"})
    assert "providerID" not in registered["spec"]
    advance(rosa, 10)
    assert (taints(node(rosa, machine)), "providerID" in node(rosa, machine)["spec"]) == ({"not-ready"}, True)
    assert EGRESS_LABEL not in node(rosa, machine)["metadata"]["labels"]
    advance(rosa, 10)
    assert EGRESS_LABEL in node(rosa, machine)["metadata"]["labels"]
    assert "k8s.ovn.org/host-cidrs" not in node(rosa, machine)["metadata"]["annotations"]
    advance(rosa, 10)
    assert "k8s.ovn.org/host-cidrs" in node(rosa, machine)["metadata"]["annotations"]
    assert ready(node(rosa, machine)) == "False"
    advance(rosa, 10)
    assert (ready(node(rosa, machine)), taints(node(rosa, machine))) == ("True", set())


def test_node_leaves_step_by_step(aws: AwsSandbox, rosa: Rosa) -> None:
    """Cordoned, its instance ended, silent, deleted; its addresses are free when EC2 lets them go."""
    states: list[InstanceStateChange] = []
    aws.on_instance_state(states.append)
    aws.timing.terminated_after_seconds = 12
    machine = only(rosa)
    rosa.scale_pool("egress-a", 0, timing=PACED)
    assert rosa.pool_machines("egress-a") == ()
    assert taints(node(rosa, machine)) == {"unschedulable"}
    assert (node(rosa, machine)["spec"]["unschedulable"], states) == (True, [])
    advance(rosa, 10)
    assert [s.state for s in states] == ["shutting-down"]
    advance(rosa, 10)
    assert (ready(node(rosa, machine)), taints(node(rosa, machine))) == ("Unknown", {"unschedulable", "unreachable"})
    assert len(aws.client("ec2").describe_network_interfaces()["NetworkInterfaces"]) == 1
    advance(rosa, 10)
    assert [s.state for s in states] == ["shutting-down", "terminated"]
    assert aws.client("ec2").describe_network_interfaces()["NetworkInterfaces"] == []
    assert rosa.kube.list("nodes") == []


def test_the_newest_machines_leave_first(rosa: Rosa) -> None:
    """Scaling in keeps the oldest machines."""
    rosa.scale_pool("egress-a", 3)
    before = rosa.pool_machines("egress-a")
    rosa.scale_pool("egress-a", 1)
    assert rosa.pool_machines("egress-a") == before[:1]
    assert [n["metadata"]["name"] for n in rosa.kube.list("nodes")] == [rosa.node_name(before[0])]


def test_machine_that_leaves_while_joining_never_becomes_ready(rosa: Rosa) -> None:
    """Scaling in stops the node's remaining steps; in the end nothing is left of it."""
    rosa.scale_pool("egress-a", 2, timing=PACED)
    machine = rosa.pool_machines("egress-a")[1]
    advance(rosa, 25)
    rosa.scale_pool("egress-a", 1, timing=PACED)
    advance(rosa, 15)
    assert EGRESS_LABEL not in node(rosa, machine)["metadata"]["labels"]
    advance(rosa, 60)
    assert len(rosa.kube.list("nodes")) == 1


def test_node_deleted_by_hand_stops_its_own_steps_only(rosa: Rosa) -> None:
    """A node that somebody deletes while it joins stays away and disturbs nobody."""
    rosa.scale_pool("egress-a", 3, timing=PACED)
    gone = rosa.pool_machines("egress-a")[1]
    advance(rosa, 15)
    rosa.kube.delete("nodes", rosa.node_name(gone))
    advance(rosa, 60)
    names = {n["metadata"]["name"]: ready(n) for n in rosa.kube.list("nodes")}
    assert rosa.node_name(gone) not in names
    assert list(names.values()) == ["True", "True"]


def test_full_subnet_refuses_a_launch(aws: AwsSandbox, rosa: Rosa) -> None:
    """What EC2 says when no address is left for machines reaches whoever scales; the pool keeps what it has."""
    aws.client("ec2").create_subnet_cidr_reservation(
        SubnetId=rosa.machines.subnet_ids[ZONE], Cidr="10.10.100.0/24", ReservationType="explicit"
    )
    with pytest.raises(ClientError, match="InsufficientFreeAddressesInSubnet"):
        rosa.scale_pool("egress-a", 2)
    assert len(rosa.pool_machines("egress-a")) == 1


@given(replicas=st.integers(0, 50), zones=st.integers(1, 4))
def test_replicas_are_spread_evenly(replicas: int, zones: int) -> None:
    """No zone has two machines more than another, and none is lost."""
    spread = _spread(replicas, [f"zone-{n}" for n in range(zones)])
    assert sum(spread.values()) == replicas
    assert max(spread.values()) - min(spread.values()) <= 1


def test_pool_of_several_zones_fills_them_evenly(aws: AwsSandbox) -> None:
    """A classic pool over three zones scales in all of them."""
    zones = tuple(Scenario().zones)
    pool = PoolSpec(name="worker", zones=zones, replicas=2)
    with Rosa(Scenario(flavour=Flavour.CLASSIC, pools=(pool,)), aws) as rosa:
        rosa.scale_pool("worker", 3)
        assert [m.zone for m in rosa.pool_machines("worker")] == list(zones)


def test_pool_can_be_added(rosa: Rosa) -> None:
    """A new pool's nodes carry its labels; a name that is taken or an unknown zone is refused."""
    rosa.add_pool(PoolSpec(name="extra", zones=(ZONE,), instance_type="t3.small", labels={"team": "x"}))
    labels = node(rosa, only(rosa, "extra"))["metadata"]["labels"]
    assert (labels["team"], labels["node.kubernetes.io/instance-type"]) == ("x", "t3.small")
    for spec in (PoolSpec(name="extra", zones=(ZONE,)), PoolSpec(name="more", zones=("eu-central-1z",))):
        with pytest.raises(ValueError, match=spec.name):
            rosa.add_pool(spec)


# --- labels and accidents ---


def test_hcp_pool_labels_reach_only_new_nodes(rosa: Rosa) -> None:
    """On HCP a node gets the pool's labels once, when it joins."""
    old = only(rosa)
    rosa.set_pool_labels("egress-a", {"team": "x"})
    rosa.scale_pool("egress-a", 2)
    new = rosa.pool_machines("egress-a")[1]
    assert (EGRESS_LABEL in node(rosa, old)["metadata"]["labels"], "team" in node(rosa, old)["metadata"]["labels"]) == (
        True,
        False,
    )
    assert (EGRESS_LABEL in node(rosa, new)["metadata"]["labels"], "team" in node(rosa, new)["metadata"]["labels"]) == (
        False,
        True,
    )


def test_classic_pool_labels_reach_every_node(classic: Rosa) -> None:
    """On classic existing nodes follow the pool: its old keys go, its new ones come, others stay."""
    machine = only(classic)
    classic.put_label(classic.node_name(machine), "by-hand", "yes")
    classic.set_pool_labels("egress-a", {"team": "x"})
    labels = node(classic, machine)["metadata"]["labels"]
    assert (EGRESS_LABEL in labels, labels["team"], labels["by-hand"]) == (False, "x", "yes")
    assert node(classic, machine)["metadata"]["annotations"]["managed.openshift.com/customlabels"] == "team"


def test_node_can_fall_ill_and_recover(rosa: Rosa) -> None:
    """Ready and the lifecycle controller's taint go together; other taints stay."""
    name = rosa.node_name(only(rosa))
    rosa.kube.patch("nodes", name, {"spec": {"taints": [{"key": "a/own", "effect": "NoSchedule"}]}}, manager="me")
    rosa.node_ready(name, ready=False)
    assert (ready(node(rosa, only(rosa))), taints(node(rosa, only(rosa)))) == ("False", {"own", "not-ready"})
    rosa.node_ready(name, ready=True)
    assert (ready(node(rosa, only(rosa))), taints(node(rosa, only(rosa)))) == ("True", {"own"})


def test_lost_zone_falls_silent_and_comes_back(aws: AwsSandbox) -> None:
    """Its nodes become Unknown while EC2 still shows their instances running; other zones are untouched."""
    with Rosa(Scenario(), aws) as rosa:
        rosa.lose_zone("eu-central-1b")
        by_zone = {
            (n["metadata"]["labels"]["topology.kubernetes.io/zone"][-1], ready(n)) for n in rosa.kube.list("nodes")
        }
        assert by_zone == {("a", "True"), ("b", "Unknown"), ("c", "True")}
        states = {
            i["State"]["Name"] for r in aws.client("ec2").describe_instances()["Reservations"] for i in r["Instances"]
        }
        assert states == {"running"}
        rosa.restore_zone("eu-central-1b")
        assert {ready(n) for n in rosa.kube.list("nodes")} == {"True"}
        with pytest.raises(KeyError):
            rosa.lose_zone("eu-central-1z")


def test_label_can_be_taken_and_put_by_hand(rosa: Rosa) -> None:
    """Only that label changes."""
    name = rosa.node_name(only(rosa))
    before = node(rosa, only(rosa))["metadata"]["labels"]
    rosa.take_label(name)
    assert node(rosa, only(rosa))["metadata"]["labels"] == {k: v for k, v in before.items() if k != EGRESS_LABEL}
    rosa.put_label(name)
    assert node(rosa, only(rosa))["metadata"]["labels"] == before


def test_controllers_run_between_first_nodes_and_end(aws: AwsSandbox) -> None:
    """Controllers are made for the standing cluster, started in order and stopped in reverse, before the API goes."""
    heard: list[str] = []

    class Recorder:
        def __init__(self, rosa: Rosa, name: str) -> None:
            self._rosa = rosa
            self._name = name

        def start(self) -> None:
            heard.append(f"{self._name} sees {len(self._rosa.kube.list('nodes'))}")

        def stop(self) -> None:
            heard.append(f"{self._name} stops")

    with Rosa(SMALL, aws, controllers=lambda rosa: [Recorder(rosa, "ovn"), Recorder(rosa, "cncc")]):
        heard.append("inside")
    assert heard == ["ovn sees 1", "cncc sees 1", "inside", "cncc stops", "ovn stops"]


def test_two_clusters_share_an_account(aws: AwsSandbox, rosa: Rosa) -> None:
    """Each has its own network, ids and nodes."""
    with Rosa(SMALL.model_copy(update={"name": "other"}), aws) as other:
        assert other.machines.vpc_id != rosa.machines.vpc_id
        assert other.scenario.cluster_id != rosa.scenario.cluster_id
        assert len(rosa.kube.list("nodes")) == len(other.kube.list("nodes")) == 1


def test_classic_nodes_follow_their_pool_after_a_while(aws: AwsSandbox) -> None:
    """The label is on its way for the time that the scenario's pace says; a second change rides along."""
    with Rosa(CLASSIC, aws, timing=RosaTiming(relabelled_seconds=60)) as rosa:
        rosa.set_pool_labels("egress-a", {"team": "x"})
        advance(rosa, 59)
        rosa.set_pool_labels("egress-a", {"team": "y"})
        assert "team" not in node(rosa, only(rosa))["metadata"]["labels"]
        advance(rosa, 1)
        assert node(rosa, only(rosa))["metadata"]["labels"]["team"] == "y"


def test_classic_label_by_hand_keeps_the_pool_s_label_from_siblings(aws: AwsSandbox) -> None:
    """The operator takes a key that a node has from elsewhere out of the map of all machines after it in the pass."""
    pool = PoolSpec(name="egress-a", zones=(ZONE,), replicas=3)
    with Rosa(CLASSIC.model_copy(update={"pools": (pool,)}), aws) as rosa:
        names = [rosa.node_name(machine) for machine in rosa.pool_machines("egress-a")]
        rosa.put_label(names[1])
        rosa.set_pool_labels("egress-a", {EGRESS_LABEL: "", "team": "x"})
        labels = [rosa.kube.get("nodes", name)["metadata"]["labels"] for name in names]
        assert [EGRESS_LABEL in each for each in labels] == [True, True, False]
        assert [each["team"] for each in labels] == ["x", "x", "x"]


def test_classic_label_by_hand_takes_the_pool_s_label_off_siblings(aws: AwsSandbox) -> None:
    """A node that had the label through its pool loses it when one before it in the pass was labelled by hand."""
    pool = PoolSpec(name="egress-a", zones=(ZONE,), replicas=2)
    with Rosa(CLASSIC.model_copy(update={"pools": (pool,)}), aws) as rosa:
        first, second = (rosa.node_name(machine) for machine in rosa.pool_machines("egress-a"))
        rosa.kube.delete("nodes", first)  # its machine is left out of the first pass
        rosa.set_pool_labels("egress-a", {EGRESS_LABEL: ""})
        assert EGRESS_LABEL in rosa.kube.get("nodes", second)["metadata"]["labels"]
        rosa.kube.create("nodes", {"metadata": {"name": first, "labels": {EGRESS_LABEL: ""}}}, manager="kubelet")
        rosa.set_pool_labels("egress-a", {EGRESS_LABEL: "", "team": "x"})
        assert EGRESS_LABEL not in rosa.kube.get("nodes", second)["metadata"]["labels"]


def test_pool_can_be_removed(aws: AwsSandbox, rosa: Rosa) -> None:
    """Its machines leave, and it is known no more."""
    instance = only(rosa).instance_id
    assert rosa.pool_state("egress-a").replicas == 1
    rosa.remove_pool("egress-a")
    advance(rosa, 60)
    described = aws.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert (described["State"]["Name"], "egress-a" in rosa.pool_names()) == ("terminated", False)
