"""Drifts that begin with nodes and pools: D1 to D4, D16, D22, D26, D27."""

from __future__ import annotations

from ipaddress import IPv4Network

from sandbox.drift.catalogue import CLUSTER, LABEL, LISTED, POLICIES, ZONES, Drift
from sandbox.drift.play import Play
from sandbox.rosa import Flavour, PoolSpec, Scenario

TWO_IN_C = (
    "      - name: two-in-c",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: two-in-c}}",
    "        addresses: [10.10.200.251, 10.10.200.252]",
)
THREE_IN_C = Scenario(name="payments", pools=(*CLUSTER.pools[:2], CLUSTER.pools[2].model_copy(update={"replicas": 3})))
CLASSIC = Scenario(
    name="payments",
    flavour=Flavour.CLASSIC,
    pools=(PoolSpec(name="egress", zones=ZONES, replicas=6, labels={LABEL: ""}),),
)


def zone_lost(play: Play) -> None:
    """D1: an availability zone fails."""
    play.subject = "zone eu-central-1c"
    play.addresses = {LISTED, "10.10.200.224"}
    play.note("Zone eu-central-1c fails: its instances still count as running, its nodes fall silent")
    play.stage.rosa.lose_zone("eu-central-1c")


def zone_restored(play: Play) -> None:
    """D1: and comes back."""
    play.note("Zone eu-central-1c is back")
    play.stage.rosa.restore_zone("eu-central-1c")


def pool_too_small(play: Play) -> None:
    """D2: a pool is scaled in below the number of addresses that one object has in its zone."""
    play.subject = "zone eu-central-1c"
    play.addresses = {"10.10.200.251", "10.10.200.252"}
    play.note("$ rosa edit machinepool -c payments egress-c --replicas 1")
    play.stage.rosa.scale_pool("egress-c", 1)
    play.unseen(240)


def pool_large_enough(play: Play) -> None:
    """D2: and scaled out again."""
    play.note("$ rosa edit machinepool -c payments egress-c --replicas 3")
    play.stage.rosa.scale_pool("egress-c", 3)


def label_taken(play: Play) -> None:
    """D3 on HCP: somebody takes the label off a node; nobody will ever put it back."""
    node = play.node_of(LISTED)
    play.subject = f"node {node}"
    play.addresses = {a for a in (LISTED, "10.10.200.224") if play.node_of(a) == node}
    play.take_label(node)


def label_never_came(play: Play) -> None:
    """D3 on HCP: the pool has lost its labels, and a node that joins comes without."""
    play.note("$ rosa edit machinepool -c payments egress-c --labels ''")
    play.stage.rosa.set_pool_labels("egress-c", {})
    play.note("$ rosa edit machinepool -c payments egress-c --replicas 3")
    play.stage.rosa.scale_pool("egress-c", 3)
    play.unseen(300)
    play.subject = f"node {play.nodes_of('egress-c')[-1]}"


def pool_label_taken(play: Play) -> None:
    """D3 on classic: `rosa edit machinepool --labels` replaces the whole map, and the nodes follow their pool."""
    play.subject = "machine pool egress"
    play.addresses = set(play.serving())
    play.note("$ rosa edit machinepool -c payments egress --labels team=payments")
    play.stage.rosa.set_pool_labels("egress", {"team": "payments"})
    play.unseen(90)


def no_capacity_annotation(play: Play) -> None:
    """D4: a node joins while the cloud network controller is down, and stays without its annotation."""
    play.note("cloud-network-config-controller is down")
    play.stage.controllers.stop_cncc()
    play.note("$ rosa edit machinepool -c payments egress-c --replicas 3")
    play.stage.rosa.scale_pool("egress-c", 3)
    play.unseen(300)
    play.subject = f"node {play.nodes_of('egress-c')[-1]}"


def capacity_annotation_written(play: Play) -> None:
    """D4: the controller is started again."""
    play.note("cloud-network-config-controller starts again")
    play.stage.controllers.restart_cncc()


def address_outside(play: Play) -> None:
    """D16: the fleet file lists an address of a subnet that the cluster does not have."""
    play.subject = "address 10.10.201.7 of demo-egress-ns"
    play.note("fleet file: demo-egress-ns also wants 10.10.201.7")
    play.put_policies(*[line.replace("[10.10.100.253", "[10.10.201.7, 10.10.100.253") for line in POLICIES])


def address_corrected(play: Play) -> None:
    """D16: somebody corrects the fleet file."""
    play.note("fleet file: as it was")
    play.put_policies(*POLICIES)


def node_not_ready(play: Play) -> None:
    """D22: a node that carries addresses is NotReady; its zone has another."""
    node = play.node_of(LISTED)
    play.subject = f"node {node}"
    play.found["node"] = node
    play.addresses = {a for a in (LISTED, "10.10.200.224") if play.node_of(a) == node}
    play.fall_silent(node)


def node_ready(play: Play) -> None:
    """D22: it is back."""
    play.come_back(play.found["node"])


def pool_elsewhere(play: Play) -> None:
    """D26: egress-c gets new nodes in another subnet of its zone: none of its addresses can live there."""
    play.subject = "zone eu-central-1c (10.10.200.0/24)"
    play.addresses = {LISTED, "10.10.200.224"}
    play.note("$ rosa delete machinepool egress-c; rosa create machinepool --name egress-c --subnet … (10.10.250.0/24)")
    play.stage.rosa.scale_pool("egress-c", 0)
    play.stage.rosa.machines.move_zone("eu-central-1c", IPv4Network("10.10.250.0/24"))
    play.stage.rosa.scale_pool("egress-c", 2)
    play.unseen(400)


def addresses_follow(play: Play) -> None:
    """D26: the partners are told, and the fleet file lists an address of the new subnet."""
    play.note("fleet file: demo-egress-ns has 10.10.250.253 instead; a person approves the plan")
    play.put_policies(*[line.replace(LISTED, "10.10.250.253") for line in POLICIES[:3]])
    play.minutes(2)
    play.approve()


def stale_capacity(play: Play) -> None:
    """D27: somebody puts addresses on a node's interface; the controller computed its capacity before and never looks
    again.
    """
    node = play.nodes_of("egress-c")[0]
    play.subject = f"node {node}"
    play.found["node"], play.found["interface"] = node, play.interface_of(node)
    play.assign(play.found["interface"], *(f"10.10.200.{last}" for last in range(101, 107)))


def capacity_true_again(play: Play) -> None:
    """D27: they are taken off again."""
    for last in range(101, 107):
        play.unassign(play.found["interface"], f"10.10.200.{last}")


DRIFTS = (
    Drift("D1", "a zone has no eligible node", zone_lost, zone_restored),
    Drift(
        "D2", "fewer eligible nodes than one object has addresses in the zone",
        pool_too_small, pool_large_enough, scenario=THREE_IN_C, policies=TWO_IN_C, shared=False,
    ),
    Drift("D3", "a node of an egress pool lacks the label (HCP: taken by hand)", label_taken),
    Drift("D3-born", "a node of an egress pool lacks the label (HCP: born without)", label_never_came, shared=False),
    Drift(
        "D3-classic", "the pool lost its label and its nodes followed (classic)",
        pool_label_taken, minutes=8, scenario=CLASSIC, ocm=True, shared=False,
    ),
    Drift(
        "D4", "a labelled node has no egress-ipconfig", no_capacity_annotation, capacity_annotation_written,
        minutes=30, shared=False,
    ),
    Drift("D16", "an address lies outside every subnet of the pools", address_outside, address_corrected),
    Drift("D22", "a node with addresses is not ready", node_not_ready, node_ready),
    Drift(
        "D26", "the egress subnet of a pool is another than planned", pool_elsewhere, addresses_follow,
        minutes=15, policies=POLICIES[:3], shared=False,
    ),
    Drift("D27", "the capacity annotation is stale", stale_capacity, capacity_true_again, minutes=12),
)  # fmt: skip
