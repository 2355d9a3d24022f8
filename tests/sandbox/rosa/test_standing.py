"""A cluster as it stands: its nodes, API and instances, and the controllers that are started on it."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

import pytest
import urllib3

from sandbox.aws import AwsSandbox
from sandbox.rosa import Rosa, Scenario
from sandbox.rosa.naming import EGRESS_LABEL
from tests.sandbox.rosa.clusters import CLASSIC, PACED, SMALL, ZONE, node, only, ready, tags, taints


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
