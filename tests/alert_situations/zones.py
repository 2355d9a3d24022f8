"""Nodes, zones and subnets that carry less than they should, or what they should not."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from chalicelib.domain.snapshot import EgressIpConfig, Subnet
from tests import factories as make
from tests.alert_situations.night import A, B, Night, for_policy


def node_outside_pools() -> Night:
    """Labelled by hand, in a pool of nobody."""
    night = Night()
    night.ec2.instances["i-a1"] = replace(night.ec2.instances["i-a1"], pool=None)
    return night.watch()


def node_unusable() -> Night:
    """The cloud network controller never wrote its annotation."""
    night = Night()
    night.cluster.nodes["node-b1"] = replace(night.cluster.nodes["node-b1"], egress_config=make.unreadable())
    return night.watch()


def node_without_host_cidrs() -> Night:
    night = Night()
    night.cluster.nodes["node-b1"] = replace(night.cluster.nodes["node-b1"], host_addresses=None)
    return night.watch()


def node_not_ready() -> Night:
    night = Night()
    night.node_is_silent("node-b1")
    return night.watch(65, 400, 400, 400, 400)


def node_label_missing() -> Night:
    night = Night()
    night.cluster.nodes["node-b1"] = replace(night.cluster.nodes["node-b1"], assignable=None)
    return night.watch()


def node_label_not_ours_to_set() -> Night:
    """On classic, without OCM."""
    night = Night()
    for name, node in night.cluster.nodes.items():
        night.cluster.nodes[name] = replace(node, pool=None)
    night.cluster.nodes["node-b1"] = replace(night.cluster.nodes["node-b1"], assignable=None)
    return night.watch()


def no_eligible_node() -> Night:
    """The zone fails: its nodes fall silent, its addresses are taken off."""
    night = Night()
    for name in ("node-c0", "node-c1"):
        night.node_is_silent(name)
    for address in [cpic.address for cpic in night.cluster.cpics.values() if cpic.spec_node in ("node-c0", "node-c1")]:
        night.loses(address)
    return night.watch(65, 400)


def capacity_shortfall() -> Night:
    """Two addresses of one policy in a zone that is scaled in to one node."""
    night = for_policy(A, "10.10.100.252", B)
    night.settle()
    gone = dict(night.cluster.egress_ips["ns"].items)["10.10.100.252"]
    night.loses("10.10.100.252")
    night.node_goes(gone)
    return night.watch(65, 400, 400)


def capacity_no_spare() -> Night:
    night = Night()
    for address in [cpic.address for cpic in night.cluster.cpics.values() if cpic.spec_node == "node-b1"]:
        night.loses(address)
    night.node_goes("node-b1")
    night.settle()
    return night.watch(65, 400, 400, 400, 400)


def subnet_changed() -> Night:
    """The pool of a zone was replaced by one in another subnet."""
    night = Night()
    other = Subnet("subnet-c2", "vpc-1", "eu-central-1c", IPv4Network("10.10.210.0/24"), available=250)
    night.ec2.subnets = (*night.ec2.subnets, other)
    for address in [cpic.address for cpic in night.cluster.cpics.values() if cpic.spec_node in ("node-c0", "node-c1")]:
        night.loses(address)
    for number in (0, 1):
        node = night.cluster.nodes[f"node-c{number}"]
        host = IPv4Address(f"10.10.210.1{number}")
        config = EgressIpConfig(f"eni-c{number}", other.cidr, 14, 15)
        night.cluster.nodes[node.name] = replace(node, egress_config=config, host_addresses=(host,))
        night.ec2.instances[f"i-c{number}"] = replace(night.ec2.instances[f"i-c{number}"], subnet_id=other.id)
        there = night.ec2.interfaces[f"eni-c{number}"]
        night.ec2.interfaces[there.id] = replace(there, subnet_id=other.id, addresses=(host,))
    return night.watch(65, 400)


def subnet_nearly_full() -> Night:
    night = Night()
    first, *others = night.ec2.subnets
    # 16 of a /28 and each single one that a reservation holds back are still free for EC2.
    night.ec2.subnets = (replace(first, available=20), *others)
    return night.watch()


def interface_untagged() -> Night:
    night = Night()
    for there in night.ec2.interfaces.values():
        tags = {"red-hat-managed": "true"} if there.id != "eni-b1" else {}
        night.ec2.interfaces[there.id] = replace(there, tags=tags)
    return night.watch()


def address_leftover() -> Night:
    """Somebody put a secondary address on a node's interface by hand: the annotation does not know."""
    night = Night()
    night.put_on("eni-b1", "10.10.150.77")
    return night.watch(65, 400, 400)


def capacity_odd() -> Night:
    """The instance became a smaller one in place; nothing works the number out anew."""
    night = Night()
    night.ec2.instances["i-b1"] = replace(night.ec2.instances["i-b1"], type="m5.large")
    night.ec2.limits = {**night.ec2.limits, "m5.large": 10}
    night.cluster.nodes["node-b1"] = replace(night.cluster.nodes["node-b1"], instance_type="m5.large")
    return night.watch(65, 400, 400)
