"""Labels of pools and by hand: which nodes have them, and when."""

from __future__ import annotations

from sandbox.aws import AwsSandbox
from sandbox.rosa import PoolSpec, Rosa, RosaTiming
from sandbox.rosa.naming import EGRESS_LABEL
from tests.sandbox.rosa.clusters import CLASSIC, ZONE, advance, node, only


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


def test_label_can_be_taken_and_put_by_hand(rosa: Rosa) -> None:
    """Only that label changes."""
    name = rosa.node_name(only(rosa))
    before = node(rosa, only(rosa))["metadata"]["labels"]
    rosa.take_label(name)
    assert node(rosa, only(rosa))["metadata"]["labels"] == {k: v for k, v in before.items() if k != EGRESS_LABEL}
    rosa.put_label(name)
    assert node(rosa, only(rosa))["metadata"]["labels"] == before


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
