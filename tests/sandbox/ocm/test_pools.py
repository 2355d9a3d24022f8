"""Machine pools and node pools in the simulated OCM: the rules that a client meets."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.ocm import Fault
from tests.sandbox.ocm.conftest import Setting

EGRESS = "k8s.ovn.org/egress-assignable"
NEW_NODE_POOL = {
    "id": "egress",
    "subnet": "subnet-b",
    "replicas": 2,
    "aws_node_pool": {"instance_type": "m5.xlarge"},
    "labels": {EGRESS: ""},
}
NEW_MACHINE_POOL = {"id": "egress", "replicas": 3, "instance_type": "m5.xlarge", "labels": {EGRESS: ""}}


def pools_of(setting: Setting, flavour: str) -> str:
    cluster = setting.hcp if flavour == "hcp" else setting.classic
    return f"clusters/{cluster.id}/{cluster.kind.collection}"


@pytest.mark.parametrize("flavour", ["hcp", "classic"])
def test_labels_are_replaced_as_a_whole(setting: Setting, flavour: str) -> None:
    """A PATCH of labels drops every label that it does not name; other fields stay."""
    web = f"{pools_of(setting, flavour)}/web"
    before = setting.client.ask("GET", web).json
    after = setting.client.ask("PATCH", web, {"labels": {EGRESS: ""}}).json
    assert after == {**before, "labels": {EGRESS: ""}}
    assert setting.client.ask("GET", web).json == after


@pytest.mark.parametrize("flavour", ["hcp", "classic"])
def test_empty_labels_and_taints_are_absent(setting: Setting, flavour: str) -> None:
    """An empty map clears, and is not shown."""
    web = f"{pools_of(setting, flavour)}/web"
    taint = {"key": "egress", "value": "only", "effect": "NoSchedule"}
    assert setting.client.ask("PATCH", web, {"taints": [taint]}).json["taints"] == [taint]
    shown = setting.client.ask("PATCH", web, {"labels": {}, "taints": []}).json
    assert {"labels", "taints"} & shown.keys() == set()


def test_replicas_and_autoscaling_exclude_each_other(setting: Setting) -> None:
    """Asking for one drops the other; asking for both is refused; the count is kept within the limits."""
    web = f"{pools_of(setting, 'hcp')}/web"
    limits = {"min_replica": 3, "max_replica": 6}
    assert setting.client.ask("PATCH", web, {"autoscaling": limits, "replicas": 3}).status == 400
    scaled = setting.client.ask("PATCH", web, {"autoscaling": limits}).json
    assert ("replicas" in scaled, scaled["autoscaling"]["min_replica"], scaled["status"]["current_replicas"]) == (
        False,
        3,
        3,
    )
    fixed = setting.client.ask("PATCH", web, {"replicas": 1}).json
    assert ("autoscaling" in fixed, fixed["replicas"]) == (False, 1)


def test_node_pool_is_created_in_the_zone_of_its_subnet(setting: Setting) -> None:
    """One subnet, hence one zone; tags say whose it is."""
    made = setting.client.ask("POST", pools_of(setting, "hcp"), NEW_NODE_POOL)
    assert (made.status, made.json["availability_zone"], made.json["labels"]) == (201, "eu-central-1b", {EGRESS: ""})
    assert made.json["aws_node_pool"]["tags"]["api.openshift.com/nodepool-ocm"] == "egress"


def test_machine_pool_lies_in_all_zones_unless_told(setting: Setting) -> None:
    """On a classic cluster of several zones a pool spans them all, or the one that is named."""
    everywhere = setting.client.ask("POST", pools_of(setting, "classic"), NEW_MACHINE_POOL).json
    single = {**NEW_MACHINE_POOL, "id": "single", "replicas": 1, "availability_zones": ["eu-central-1c"]}
    assert len(everywhere["availability_zones"]) == 3
    assert setting.client.ask("POST", pools_of(setting, "classic"), single).json["subnets"] == ["subnet-c"]


@pytest.mark.parametrize(
    ("flavour", "change", "status"),
    [
        pytest.param("hcp", {"id": "web"}, 409, id="name taken"),
        pytest.param("hcp", {"id": "Web"}, 400, id="id with upper case"),
        pytest.param("hcp", {"subnet": "subnet-x"}, 400, id="subnet of another VPC"),
        pytest.param("hcp", {"subnet": None}, 400, id="no subnet"),
        pytest.param("hcp", {"aws_node_pool": {}}, 400, id="no instance type"),
        pytest.param("hcp", {"replicas": -1}, 400, id="fewer than none"),
        pytest.param("hcp", {"replicas": None}, 400, id="no replicas"),
        pytest.param("hcp", {"labels": {"a/b/c": ""}}, 400, id="label key"),
        pytest.param("hcp", {"labels": {"a": "b c"}}, 400, id="label value"),
        pytest.param("hcp", {"labels": None}, 400, id="null is not a map"),
        pytest.param("hcp", {"taints": [{"key": "a", "effect": "Never"}]}, 400, id="taint effect"),
        pytest.param("hcp", {"lables": {}}, 400, id="misspelt field"),
        pytest.param("classic", {"replicas": 4}, 400, id="uneven over zones"),
        pytest.param("classic", {"autoscaling": {"min_replicas": 6, "max_replicas": 3}}, 400, id="limits"),
        pytest.param("classic", {"availability_zones": ["eu-west-1a"]}, 400, id="zone of another Region"),
        pytest.param(
            "classic", {"subnets": ["subnet-a"], "availability_zones": ["eu-central-1a"]}, 400, id="zone and subnet"
        ),
    ],
)
def test_what_cannot_be_is_refused(setting: Setting, flavour: str, change: dict[str, Any], status: int) -> None:
    """A refusal has a code and an operation id, and makes nothing."""
    valid = NEW_NODE_POOL if flavour == "hcp" else NEW_MACHINE_POOL
    sent = {key: value for key, value in {**valid, **change}.items() if value is not None or key == "labels"}
    if "autoscaling" in change:
        del sent["replicas"]
    refused = send_unchecked(setting, pools_of(setting, flavour), sent)
    assert (refused["code"], bool(refused["operation_id"])) == (f"CLUSTERS-MGMT-{status}", True)
    assert setting.client.ask("GET", pools_of(setting, flavour)).json["total"] == 1


def send_unchecked(setting: Setting, path: str, body: Any) -> Any:
    """POST what is not as the document says; the exchange is left out of the check against it."""
    kept = list(setting.ocm.exchanges)
    answer = setting.client.ask("POST", path, body).json
    setting.ocm.exchanges.clear()
    for exchange in kept:
        setting.ocm.exchanges.add(exchange)
    return answer


def test_what_a_node_pool_is_made_of_stays(setting: Setting) -> None:
    """Subnet and instance type of a pool cannot be changed; saying what they are is no change."""
    web = f"{pools_of(setting, 'hcp')}/web"
    assert setting.client.ask("PATCH", web, {"subnet": "subnet-b"}).status == 400
    assert setting.client.ask("PATCH", web, {"aws_node_pool": {"instance_type": "m5.2xlarge"}}).status == 400
    assert setting.client.ask("PATCH", web, {"subnet": "subnet-a", "id": "web"}).status == 200


def test_deleted_pool_is_gone(setting: Setting) -> None:
    """204 once, 404 then."""
    web = f"{pools_of(setting, 'classic')}/web"
    assert [setting.client.ask("DELETE", web).status, setting.client.ask("DELETE", web).status] == [204, 404]


def test_sleeping_cluster_takes_no_pool(setting: Setting) -> None:
    """Pools of a cluster that is not ready are shown and not changed."""
    setting.hcp.state = "hibernating"
    web = f"{pools_of(setting, 'hcp')}/web"
    assert setting.client.ask("GET", web).status == 200
    assert setting.client.ask("PATCH", web, {"labels": {}}).status == 400
    assert setting.client.ask("GET", f"clusters/{setting.hcp.id}").json["state"] == "hibernating"


def test_pool_of_a_write_that_was_cut_off_is_changed_all_the_same(setting: Setting) -> None:
    """A fault may come after the deed: the client cannot know, and must look."""
    setting.ocm.faults.add(Fault(method="PATCH", drop=True, after_commit=True, times=1))
    web = f"{pools_of(setting, 'hcp')}/web"
    with pytest.raises(ConnectionError):
        setting.client.ask("PATCH", web, {"labels": {"a": "b"}})
    assert setting.client.ask("GET", web).json["labels"] == {"a": "b"}
