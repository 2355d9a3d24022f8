"""Orders given to the simulated OCM and what becomes of the machines and nodes of the sandbox's cluster."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

import pytest

from sandbox.aws import AwsSandbox
from sandbox.ocm import OcmCluster, rosa_in_ocm
from sandbox.rosa import Flavour, PoolSpec, Rosa, RosaTiming, Scenario
from sandbox.timeline import SteppedTimeline

EGRESS = "k8s.ovn.org/egress-assignable"
ZONE = "eu-central-1a"
PACE = RosaTiming(registers_seconds=60, relabelled_seconds=60)


@pytest.fixture(scope="module")
def running() -> Iterator[AwsSandbox]:
    with AwsSandbox(SteppedTimeline()) as aws:
        yield aws


@pytest.fixture
def aws(running: AwsSandbox) -> AwsSandbox:
    running.reset()
    assert isinstance(running.timeline, SteppedTimeline)
    running.timeline.close()  # machines of the test before may still have been joining
    return running


def scenario(flavour: Flavour) -> Scenario:
    pool = PoolSpec(name="web", zones=(ZONE,), replicas=1, labels={"team": "web"})
    return Scenario(name="prod", flavour=flavour, zones={ZONE: IPv4Network("10.10.100.0/28")}, pools=(pool,))


@pytest.fixture
def hcp(aws: AwsSandbox) -> Iterator[Rosa]:
    with Rosa(scenario(Flavour.HCP), aws, timing=PACE, https=False) as rosa:
        yield rosa


@pytest.fixture
def classic(aws: AwsSandbox) -> Iterator[Rosa]:
    with Rosa(scenario(Flavour.CLASSIC), aws, timing=PACE, https=False) as rosa:
        yield rosa


def labels_of_nodes(rosa: Rosa, pool: str) -> list[set[str]]:
    """Of each node of the pool that there is, which of the pool's usual keys it has."""
    names = {rosa.node_name(machine) for machine in rosa.pool_machines(pool)}
    found = [node["metadata"]["labels"] for node in rosa.kube.list("nodes") if node["metadata"]["name"] in names]
    return [{"team", EGRESS} & labels.keys() for labels in found]


def advance(rosa: Rosa, seconds: float) -> None:
    assert isinstance(rosa.aws.timeline, SteppedTimeline)
    rosa.aws.timeline.advance(seconds)


def new_pool(ocm: OcmCluster, rosa: Rosa, replicas: int = 1) -> dict[str, Any]:
    subnet = rosa.machines.subnet_ids[ZONE]
    aws = {"instance_type": "m5.xlarge"}
    return ocm.create_pool(
        {"id": "egress", "subnet": subnet, "replicas": replicas, "aws_node_pool": aws, "labels": {EGRESS: ""}}
    )


def test_hcp_nodes_get_labels_at_birth_only(hcp: Rosa) -> None:
    """A label of the pool never reaches the nodes that exist; those that a scaling brings are born with it."""
    ocm = rosa_in_ocm(hcp)
    ocm.change_pool("web", {"labels": {"team": "web", EGRESS: ""}})
    advance(hcp, 600)
    assert labels_of_nodes(hcp, "web") == [{"team"}]
    ocm.change_pool("web", {"replicas": 2})
    advance(hcp, 60)
    assert sorted(labels_of_nodes(hcp, "web"), key=len) == [{"team"}, {"team", EGRESS}]


def test_classic_nodes_follow_in_a_while(classic: Rosa) -> None:
    """They get what the pool got, and lose what it lost, a minute later."""
    ocm = rosa_in_ocm(classic)
    ocm.change_pool("web", {"labels": {EGRESS: ""}})
    advance(classic, 59)
    assert labels_of_nodes(classic, "web") == [{"team"}]
    advance(classic, 1)
    assert labels_of_nodes(classic, "web") == [{EGRESS}]


def test_new_pool_launches_its_machines(hcp: Rosa) -> None:
    """Instances at once, with the pool's tag; nodes when they have joined."""
    made = new_pool(rosa_in_ocm(hcp), hcp, replicas=2)
    assert (made["status"], made["availability_zone"]) == ({"current_replicas": 2}, ZONE)
    tagged = [{"Name": "tag:api.openshift.com/nodepool-ocm", "Values": ["egress"]}]
    found = hcp.aws.client("ec2").describe_instances(Filters=tagged)["Reservations"]
    assert (len(found), labels_of_nodes(hcp, "egress")) == (2, [])
    advance(hcp, 60)
    assert labels_of_nodes(hcp, "egress") == [{EGRESS}, {EGRESS}]


def test_pool_that_ec2_has_no_room_for_stays_short(hcp: Rosa) -> None:
    """OCM says yes, and its status says how many are missing: the subnet has eleven addresses."""
    made = new_pool(rosa_in_ocm(hcp), hcp, replicas=12)
    assert (made["replicas"], made["status"]["current_replicas"] < 12) == (12, True)
    assert "could not be launched" in made["status"]["message"]


def test_deleted_pool_takes_its_machines_along(classic: Rosa) -> None:
    """And is not shown any more."""
    ocm = rosa_in_ocm(classic)
    ocm.delete_pool("web")
    advance(classic, 600)
    assert (ocm.pools(), classic.kube.list("nodes")) == ([], [])


def test_ocm_shows_what_was_changed_elsewhere(hcp: Rosa) -> None:
    """The cluster's pools are OCM's, whoever scales or labels them."""
    ocm = rosa_in_ocm(hcp)
    hcp.scale_pool("web", 2)
    hcp.set_pool_labels("web", {})
    shown = ocm.pool("web")
    assert (shown["replicas"], "labels" in shown, ocm.document["nodes"]["compute"]) == (2, False, 2)
