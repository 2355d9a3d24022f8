"""OCM's JSON as values and back: pure functions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.ocm_parse import Unreadable, parse_cluster, parse_pool, pool_body
from chalicelib.domain.pools import MachinePool, NewPool, Scaling, Taint
from tests.adapters.ocm_helpers import ID, node_pool

RECORDED = {
    "kind": "NodePool",
    "id": "workers",
    "replicas": 6,
    "auto_repair": True,
    "aws_node_pool": {"instance_type": "m5.xlarge", "tags": {"api.openshift.com/nodepool-ocm": "workers"}},
    "availability_zone": "us-west-2a",
    "subnet": "subnet-09fe4ad03a4dcfb02",
    "status": {"current_replicas": 2},
    "tuning_configs": [],
}


def test_node_pool_as_the_console_s_fixtures_have_it() -> None:
    """One zone, one subnet; labels and taints that are absent are none."""
    assert parse_pool(RECORDED, hosted=True) == MachinePool(
        name="workers",
        labels={},
        instance_type="m5.xlarge",
        scaling=Scaling(6, 6, auto=False),
        zones=("us-west-2a",),
        subnets=("subnet-09fe4ad03a4dcfb02",),
    )


@pytest.mark.parametrize("empty", [{}, {"labels": None, "taints": None}, {"labels": {}, "taints": []}])
def test_absent_null_and_empty_are_alike(empty: dict[str, Any]) -> None:
    """OCM shows all three."""
    pool = parse_pool(node_pool(**empty), hosted=True)
    assert (pool.labels, pool.taints) == ({}, ())


@pytest.mark.parametrize(
    ("members", "scaling"),
    [
        ({"replicas": 0}, Scaling(0, 0, auto=False)),
        ({"autoscaling": {"min_replica": 2, "max_replica": 4}}, Scaling(2, 4, auto=True)),
        ({"autoscaling": {"max_replica": 4}}, Scaling(0, 4, auto=True)),
        ({"autoscaling": {}}, Scaling(0, 0, auto=True)),
        ({}, Scaling(0, 0, auto=False)),
    ],
)
def test_autoscaling_counts_even_empty(members: dict[str, Any], scaling: Scaling) -> None:
    """A pool with `autoscaling: {}` is scaled by somebody."""
    item = {key: value for key, value in node_pool().items() if key != "replicas"}
    assert parse_pool({**item, **members}, hosted=True).scaling == scaling


def test_machine_pool_has_its_own_words() -> None:
    """Plural limits, several zones and subnets, the instance type on top."""
    item = {
        "kind": "MachinePool",
        "id": "web",
        "instance_type": "m5.2xlarge",
        "autoscaling": {"min_replicas": 3, "max_replicas": 6},
        "availability_zones": ["a", "b"],
        "subnets": ["s-1", "s-2"],
        "taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}, {"key": "a", "effect": "NoExecute"}],
    }
    assert parse_pool(item, hosted=False) == MachinePool(
        name="web",
        labels={},
        instance_type="m5.2xlarge",
        scaling=Scaling(3, 6, auto=True),
        zones=("a", "b"),
        subnets=("s-1", "s-2"),
        taints=(Taint("a", "", "NoExecute"), Taint("k", "v", "NoSchedule")),
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"labels": "a=b"}, "labels is not an object"),
        ({"labels": {"a": 1}}, "the value of label a is not a text"),
        ({"taints": {"a": "b"}}, "taints is not a list of objects"),
        ({"taints": ["a"]}, "taints is not a list of objects"),
        ({"replicas": "2"}, "replicas is not a number"),
        ({"replicas": -1}, "replicas is not a number"),
        ({"replicas": True}, "replicas is not a number"),
        ({"autoscaling": 3}, "autoscaling is not an object"),
        ({"subnet": 1}, "subnet is not a text"),
        ({"id": ""}, "it is not a NodePool"),
        ({"kind": "MachinePool"}, "it is not a NodePool"),
        ({"aws_node_pool": []}, "aws_node_pool is not an object"),
    ],
)
def test_what_has_another_type_is_unreadable(change: dict[str, Any], says: str) -> None:
    """Never taken for absent: labels that are not read would be labels that the next PATCH drops."""
    with pytest.raises(Unreadable, match=says):
        parse_pool(node_pool(**change), hosted=True)


def test_cluster_of_few_words() -> None:
    """On HCP the id stands for an infra id that is left out; a state that is left out is not ready."""
    hosted = parse_cluster({"kind": "Cluster", "id": ID, "hypershift": {"enabled": True}})
    assert (hosted.infra_id, hosted.state, hosted.multi_az, hosted.zones) == (ID, "unknown", False, ())
    classic = parse_cluster({"kind": "Cluster", "id": ID, "version": {"raw_id": "4.18.12"}, "state": "hibernating"})
    assert (classic.infra_id, classic.hosted, classic.version, classic.state) == ("", False, "4.18.12", "hibernating")


@pytest.mark.parametrize("item", [{"kind": "ClusterLink", "id": ID}, {"kind": "Cluster"}, {}])
def test_what_is_no_cluster_is_unreadable(item: dict[str, Any]) -> None:
    """A link has no state that could be looked at."""
    with pytest.raises(Unreadable, match="not a Cluster"):
        parse_cluster(item)


def test_subnets_of_a_cluster_must_be_texts() -> None:
    """Or a plan would be made without them."""
    with pytest.raises(Unreadable, match="subnet_ids is not a list of texts"):
        parse_cluster({"kind": "Cluster", "id": ID, "aws": {"subnet_ids": [1]}})


def test_bodies_of_new_pools_are_those_of_rosa() -> None:
    """Field by field, but for the instance metadata option, which is left to OCM's default."""
    scaling = Scaling(2, 4, auto=True)
    hcp = NewPool("egress", "m7i.xlarge", scaling, {"k8s.ovn.org/egress-assignable": ""}, subnet="SUBNET_PRIVATE_B")
    assert pool_body(hcp, hosted=True) == {
        "kind": "NodePool",
        "id": "egress",
        "aws_node_pool": {"kind": "AWSNodePool", "instance_type": "m7i.xlarge"},
        "auto_repair": True,
        "autoscaling": {"kind": "NodePoolAutoscaling", "max_replica": 4, "min_replica": 2},
        "labels": {"k8s.ovn.org/egress-assignable": ""},
        "subnet": "SUBNET_PRIVATE_B",
        "taints": [],
    }
    classic = NewPool("egress", "m7i.xlarge", Scaling(2, 2, auto=False), zone="us-east-1b")
    assert pool_body(classic, hosted=False) == {
        "kind": "MachinePool",
        "id": "egress",
        "aws": {"kind": "AWSMachinePool"},
        "availability_zones": ["us-east-1b"],
        "instance_type": "m7i.xlarge",
        "labels": {},
        "replicas": 2,
        "taints": [],
    }


@pytest.mark.parametrize(("subnet", "zone"), [(None, None), (None, "z"), ("s", "z")])
def test_hcp_pool_needs_a_subnet_alone(subnet: str | None, zone: str | None) -> None:
    """`rosa` never sends a zone either."""
    with pytest.raises(ValueError, match="in one subnet"):
        pool_body(NewPool("p", "m5.xlarge", Scaling(1, 1, auto=False), subnet=subnet, zone=zone), hosted=True)


WORDS = st.text("abcdefghij-", min_size=1, max_size=8)
TAINTS = st.builds(Taint, WORDS, WORDS, st.sampled_from(["NoSchedule", "NoExecute"]))


@given(
    hosted=st.booleans(),
    labels=st.dictionaries(WORDS, WORDS, max_size=4),
    taints=st.lists(TAINTS, max_size=3, unique=True),
    least=st.integers(0, 9),
    more=st.integers(0, 9),
    auto=st.booleans(),
)
def test_new_pool_is_read_as_it_was_asked_for(
    *, hosted: bool, labels: dict[str, str], taints: list[Taint], least: int, more: int, auto: bool
) -> None:
    """The body is a pool itself: reading it gives back what went in."""
    scaling = Scaling(least, least + more if auto else least, auto=auto)
    new = NewPool("p", "m5.xlarge", scaling, labels, tuple(sorted(taints)), subnet="s-1")
    read = parse_pool(pool_body(new, hosted=hosted), hosted=hosted)
    assert (read.name, read.labels, read.instance_type) == (new.name, new.labels, new.instance_type)
    assert (read.scaling, read.taints, read.subnets) == (new.scaling, new.taints, ("s-1",))
