from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from chalicelib.domain.capacity import (
    CapacityReport,
    GroupCapacity,
    NodeCapacity,
    eligibility,
    free_for_nodes,
    report_capacity,
)
from chalicelib.domain.snapshot import EgressIpConfig, Snapshot, Unknown
from tests import factories as make
from tests.factories import known

UNKNOWN = Unknown("section", "503 Service Unavailable", "EC2")
SUBNET_A = IPv4Network(make.ZONES["a"])


def report(observed: Snapshot) -> CapacityReport:
    made = report_capacity(observed)
    assert isinstance(made, CapacityReport)
    return made


def row(observed: Snapshot, name: str = "node-a0") -> NodeCapacity:
    return next(node for node in report(observed).nodes if node.node == name)


def zone(observed: Snapshot, name: str = "eu-central-1a") -> GroupCapacity:
    return next(group for group in report(observed).zones if group.name == name)


def carrying(*addresses: str, node: str = "node-a0", **changes: Any) -> Snapshot:
    """A cluster whose node carries these addresses, in the cluster and in EC2."""
    hosting = make.interface(node[-2], int(node[-1]), *addresses)
    observed = make.snapshot(nodes_per_zone=2)
    return replace(
        observed,
        cpics=tuple(make.cpic(address, node) for address in addresses),
        interfaces=tuple(hosting if i.id == hosting.id else i for i in known(observed.interfaces)),
        **changes,
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ()),
        ({"assignable": None}, ("label k8s.ovn.org/egress-assignable is missing",)),
        ({"assignable": "false"}, ()),
        ({"ready": False}, ("not Ready",)),
        ({"deleting": True}, ("is being deleted",)),
        ({"egress_config": make.unreadable()}, ("annotation is missing",)),
        ({"egress_config": EgressIpConfig("eni-a0", None, 14)}, ("its interface has no IPv4 subnet",)),
        ({"networked": False}, ("OVN-Kubernetes has not set up its network yet",)),
        ({"uninitialized": True}, ("the cloud controller has not taken it up yet",)),
        ({"ready": False, "assignable": None}, ("label k8s.ovn.org/egress-assignable is missing", "not Ready")),
    ],
)
def test_eligibility_says_every_reason(changes: dict[str, Any], why: tuple[str, ...]) -> None:
    """A node is eligible by the cluster manager's own rules, and every rule it breaks is named."""
    assert eligibility(make.node(**changes)) == why


def test_headroom_is_capacity_less_carried() -> None:
    """The annotation is a ceiling: what a node carries already comes off."""
    assert row(carrying("10.10.100.20", "10.10.100.21")).headroom == 12


def test_an_address_in_transit_counts_at_its_target_and_blocks_its_source() -> None:
    """Between two nodes an address takes a place on both: wanted here, not yet released there."""
    moving = make.cpic("10.10.100.20", "node-a1", status_node="node-a0", assigned="Unknown")
    observed = replace(carrying("10.10.100.20"), cpics=(moving,))
    assert (row(observed, "node-a0").carried, row(observed, "node-a0").leaving) == (0, 1)
    assert (row(observed, "node-a1").carried, row(observed, "node-a1").leaving) == (1, 0)
    assert row(observed, "node-a0").headroom == row(observed, "node-a1").headroom == 13
    assert zone(observed).headroom == 26
    assert zone(observed).headroom_after_loss == 13


def test_status_claims_count_where_they_say_more_than_cpics() -> None:
    """A claim without a CPIC is still a place that OVN-Kubernetes counts as taken."""
    claimed = make.egress_ip("ns", "10.10.100.20", items={"10.10.100.20": "node-a0"})
    assert row(make.snapshot(egress_ips=(claimed,))).carried == 1
    assert row(make.snapshot(egress_ips=UNKNOWN, cpics=(make.cpic("10.10.100.20"),))).carried == 1


def test_ipv6_addresses_take_no_ipv4_place() -> None:
    """IPv6 has its own limit; its CPICs are named with dots between the groups."""
    six = make.cpic("fc00.f853.0ccd.e793.0000.0000.0000.0054", "node-a0", status_node="node-b0", assigned="Unknown")
    claimed = make.egress_ip("ns", "fc00:f853:ccd:e793::54", items={"fc00:f853:ccd:e793::54": "node-a0"})
    observed = make.snapshot(cpics=(six,), egress_ips=(claimed,))
    assert (row(observed).carried, row(observed, "node-b0").leaving) == (0, 0)


def test_without_cpics_headroom_is_not_known() -> None:
    """What is carried can't be guessed, and neither can what is left, of node, zone or cluster."""
    observed = make.snapshot(cpics=UNKNOWN)
    assert row(observed).headroom is None
    assert row(observed).capacity == 14
    assert zone(observed).headroom is None
    assert zone(observed).headroom_after_loss is None
    assert report(observed).cluster.headroom is None


def test_without_nodes_there_is_no_report() -> None:
    """The unknown section itself is the answer."""
    assert report_capacity(make.snapshot(nodes=UNKNOWN)) is UNKNOWN


@pytest.mark.parametrize("section", ["instances", "interfaces", "limits", "cpics"])
def test_what_ec2_can_not_confirm_rests_on_the_annotation(section: str) -> None:
    """EC2's numbers are a cross-check: without them the annotation stands alone."""
    changes: dict[str, Any] = {section: UNKNOWN}
    made = row(make.snapshot(**changes))
    assert (made.by_ec2, made.capacity) == (None, 14)
    assert made.eligible


@pytest.mark.parametrize(
    ("changes", "by_ec2"),
    [
        ({}, 14),
        ({"interfaces": (make.interface("a", 0, "10.10.100.77"),)}, 13),
        ({"interfaces": (make.interface("a", 0, prefixes=(IPv4Network("10.10.100.32/28"),)),)}, 13),
        ({"interfaces": (make.interface("a", 0, "10.10.100.77"),), "cpics": (make.cpic("10.10.100.77"),)}, 14),
        ({"interfaces": ()}, None),
        ({"instances": ()}, None),
        ({"limits": {}}, None),
    ],
    ids=[
        "nothing else",
        "a foreign address",
        "a delegated prefix",
        "an egress address",
        "no ENI",
        "no instance",
        "no type",
    ],
)
def test_ec2s_own_arithmetic(changes: dict[str, Any], by_ec2: int | None) -> None:
    """The limit of the type less what else is on the interface; our own addresses are part of the capacity."""
    assert row(make.snapshot(**changes)).by_ec2 == by_ec2


def test_the_lower_number_counts_and_the_difference_is_said() -> None:
    """The annotation is recomputed only now and then: where EC2 says less, EC2 is right."""
    made = row(make.snapshot(interfaces=(make.interface("a", 0, "10.10.100.77", "10.10.100.78"),)))
    assert (made.announced, made.by_ec2, made.capacity) == (14, 12, 12)
    assert "announces 14, by EC2's numbers it is 12" in made.notes


def test_a_node_beyond_its_capacity_has_negative_headroom() -> None:
    """OVN-Kubernetes may place a fifteenth address; the report says so rather than hide it."""
    assert row(carrying(*(f"10.10.100.{n}" for n in range(20, 35)))).headroom == -1


def test_a_node_without_host_cidrs_is_pointed_at() -> None:
    """It is eligible, and it stops every new assignment in the cluster."""
    made = row(make.snapshot(nodes=(make.node(host_addresses=None),)))
    assert made.eligible
    assert any("every new assignment in the cluster waits" in note for note in made.notes)


def test_losing_the_largest_node_is_what_n_minus_one_means() -> None:
    """After a loss its addresses move to the rest of the subnet; the worst to lose is the one with most capacity."""
    small = make.node("a", 1, egress_config=EgressIpConfig("eni-a1", SUBNET_A, 3))
    observed = replace(carrying(*(f"10.10.100.{n}" for n in range(20, 25))), nodes=(make.node(), small))
    assert zone(observed).headroom == 12
    assert zone(observed).headroom_after_loss == 3 - 5


def test_the_cluster_is_as_weak_as_its_weakest_subnet() -> None:
    """Addresses can't leave their subnet, so room elsewhere is no comfort."""
    observed = replace(carrying("10.10.100.20"), nodes=(make.node("a"), make.node("b"), make.node("b", 1)))
    assert report(observed).cluster.headroom_after_loss == -1
    assert report(observed).cluster.headroom == 13 + 28


def test_addresses_on_unfit_nodes_still_need_a_place() -> None:
    """What an ineligible node carries will have to move: it counts against what a loss would leave."""
    nodes = (make.node("a", ready=False), make.node("a", 1))
    observed = replace(carrying("10.10.100.20"), nodes=nodes)
    assert (zone(observed).capacity, zone(observed).carried) == (14, 1)
    assert zone(observed).headroom == 14
    assert zone(observed).headroom_after_loss == -1


def test_nodes_without_a_subnet_are_counted_as_nodes() -> None:
    """A zone whose only node has no annotation shows one node that can carry nothing."""
    group = zone(make.snapshot(nodes=(make.node(egress_config=make.unreadable()),)))
    assert (group.nodes, group.eligible, group.capacity, group.headroom_after_loss) == (1, 0, 0, 0)


def test_nodes_without_a_zone_have_a_group_of_their_own() -> None:
    """Nobody falls out of the sums: an unknown zone is a zone called unknown; the subnet knows better."""
    observed = make.snapshot(nodes=(replace(make.node(), zone=None),))
    assert {group.name for group in report(observed).zones} == {"unknown", "eu-central-1a"}
    assert report(replace(observed, subnets=UNKNOWN)).zones[0].name == "unknown"


def test_groups_are_sorted_by_name_and_rows_too() -> None:
    """The same cluster listed backwards gives the same report."""
    observed = make.snapshot(nodes_per_zone=2)
    backwards = replace(observed, nodes=known(observed.nodes)[::-1], subnets=known(observed.subnets)[::-1])
    assert report(observed) == report(backwards)
    assert [group.name for group in report(observed).zones] == ["eu-central-1a", "eu-central-1b", "eu-central-1c"]


def free(*reservations: str, available: int = 249, **changes: Any) -> int:
    observed = make.snapshot(
        subnets=(make.subnet(available=available),),
        reservations=tuple(make.reservation(r) for r in reservations),
        **changes,
    )
    return free_for_nodes(observed.subnets, observed.interfaces, observed.reservations)[SUBNET_A]


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (free(), 249),
        (free("10.10.100.224/28"), 233),
        (free("10.10.100.253/32", "10.10.100.224/28"), 232),
        (free("10.10.100.0/28"), 249 - 12 + 1),
        (free("10.10.100.240/28"), 249 - 15),
        (free("10.10.100.16/28", interfaces=(make.interface("a", 0, "10.10.100.20"),)), 249 - 15),
        (free("10.10.100.16/28", interfaces=(make.interface(prefixes=(IPv4Network("10.10.100.16/28"),)),)), 249),
    ],
    ids=[
        "none",
        "a block",
        "two",
        "AWS's first four and a host inside",
        "AWS's last inside",
        "used inside",
        "a prefix inside",
    ],
)
def test_free_addresses_leave_out_what_explicit_reservations_hold_back(ours: int, expected: int) -> None:
    """EC2 counts unused addresses under an explicit reservation as available, and gives them to no node."""
    assert ours == expected


def test_prefix_reservations_are_off_already() -> None:
    """A reservation of type prefix has come off AvailableIpAddressCount at once: it is not subtracted again."""
    observed = make.snapshot(reservations=(make.reservation("10.10.100.224/28", type="prefix"),))
    assert free_for_nodes(observed.subnets, observed.interfaces, observed.reservations)[SUBNET_A] == 250


@pytest.mark.parametrize("section", ["subnets", "interfaces", "reservations"])
def test_free_addresses_are_unknown_with_any_part_unknown(section: str) -> None:
    """No number is better than one that leaves something out."""
    changes: dict[str, Any] = {section: UNKNOWN}
    observed = make.snapshot(**changes)
    assert zone(observed).free_addresses is None
    assert report(observed).cluster.free_addresses is None


def test_the_report_has_free_addresses_by_subnet_zone_and_cluster() -> None:
    """The three of them add up."""
    made = report(make.snapshot())
    assert [group.free_addresses for group in (*made.subnets, *made.zones, made.cluster)] == [250] * 6 + [750]
    assert IPv4Address("10.10.100.1") in IPv4Network(made.subnets[0].name)
