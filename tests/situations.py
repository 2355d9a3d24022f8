"""Situations that a visit meets, from first visit to blind: what any document of a visit is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network

from chalicelib.adapters.errors import Conflict
from chalicelib.domain.pools import Scaling, Taint
from chalicelib.domain.snapshot import EgressIpConfig
from chalicelib.domain.spec import ClusterSpec, Mode, OcmSpec, PoolCreation, PoolSpec, SecretRef
from chalicelib.usecases.visit import Outcome
from tests import factories, worlds
from tests.fakes import FakeOcm, assign_all
from tests.worlds import ADDRESSES

OCM_ID = factories.ocm_cluster().id
REFUSED = (
    "Error processing cloud assignment request, err: UnauthorizedOperation: You are not authorized to perform this"
    " operation.\n\tstatus code: 403, request id: 31c8a1f0-93e3-4ae1-a4a5-7b1a5cb9c1a5"
)
"""The cloud network controller's message of an assignment that EC2 denied, as recorded."""


class World(worlds.World):
    """By default with one policy that lists its addresses and one for which they are chosen."""

    def __init__(self, desired: ClusterSpec | None = None) -> None:
        listed, chosen = factories.policy("ns", *ADDRESSES), factories.policy("pod", per_zone=1, pods=factories.PODS)
        super().__init__(desired or factories.cluster(listed, chosen))

    def loses(self, address: str, *, status: bool = True, cpic: bool = True) -> None:
        """The address is on no interface any more; nor in any status, and has no CPIC, unless told otherwise."""
        for there in self.ec2.interfaces.values():
            left = tuple(a for a in there.addresses if str(a) != address)
            self.ec2.interfaces[there.id] = replace(there, addresses=left)
        for name, egress_ip in self.cluster.egress_ips.items():
            items = tuple(item for item in egress_ip.items if item[0] != address or not status)
            self.cluster.egress_ips[name] = replace(egress_ip, items=items)
        if cpic:
            del self.cluster.cpics[address]


def first_visit() -> Outcome:
    return World().visit()


def at_rest() -> Outcome:
    world = World()
    world.settle()
    return world.visit()


def on_a_terminal() -> Outcome:
    return World().visit_on_a_terminal()


def observed_only() -> Outcome:
    world = World()
    world.desired = replace(world.desired, mode=Mode.OBSERVE)
    return world.visit()


def drifted() -> Outcome:
    """A hand edit, a lost reservation, lost tags, a CPIC that failed, one that went: told after they settled."""
    world = World()
    world.settle()
    world.cluster.edit("pod", "10.10.100.238", "not an address")
    del world.ec2.reservations["scr-10.10.100.253/32"]
    there = world.ec2.reservations["scr-10.10.200.253/32"]
    world.ec2.reservations[there.id] = replace(there, tags={**there.tags, "egress-keeper/policy/ns": "", "team": "a"})
    world.loses(ADDRESSES[1])
    world.cluster.cpics[ADDRESSES[1]] = factories.cpic(
        ADDRESSES[1], "node-b0", assigned="False", reason="CloudResponseError", message=REFUSED
    )
    world.loses(ADDRESSES[2], status=False)
    world.desired = replace(world.desired, mode=Mode.OBSERVE)
    world.visit()
    world.clock.advance(120)
    return world.visit()


def troubled_nodes() -> Outcome:
    """One node without a label on HCP, one without annotation, zone and subnet, one that joins, one that announces
    less than nothing.
    """
    world = World()
    nodes = world.cluster.nodes
    nodes["node-a0"] = replace(nodes["node-a0"], assignable=None, pool="demo-egress-a")
    nodes["node-a1"] = replace(
        nodes["node-a1"], egress_config=factories.unreadable(), zone=None, instance_id=None, host_addresses=None
    )
    young = factories.NOW - timedelta(minutes=2)
    nodes["node-b0"] = replace(nodes["node-b0"], ready=False, created_at=young)
    world.ec2.instances["i-b0"] = replace(world.ec2.instances["i-b0"], launched_at=young)
    config = EgressIpConfig("eni-c0", IPv4Network(factories.ZONES["c"]), -1)
    nodes["node-c0"] = replace(nodes["node-c0"], egress_config=config)
    return world.visit()


def refused() -> Outcome:
    world = World()
    world.settle()
    world.desired = replace(world.desired, policies=())
    return world.visit()


def policy_removed() -> Outcome:
    """Nothing of the policy serves, so it may go unattended."""
    world = World()
    world.settle()
    world.desired = replace(world.desired, policies=world.desired.policies[1:], max_change_share=1.0)
    for address in world.cluster.egress_ips["ns"].spec.addresses:
        there = world.cluster.cpics[address]
        world.cluster.cpics[address] = replace(there, assigned="False", reason="CloudResponseError")
    return world.visit()


def reservations_left_over() -> Outcome:
    world = World()
    world.settle()
    world.desired = replace(world.desired, policies=world.desired.policies[1:])
    del world.cluster.egress_ips["ns"]
    assign_all(world.cluster, world.ec2)
    return world.visit()


def reservations_lost() -> Outcome:
    """The object remembers what the tags have lost."""
    world = World()
    world.settle()
    world.ec2.reservations.clear()
    return world.visit()


def lost_in_ec2() -> Outcome:
    """An address is on no interface any more, and the cluster does not know; one waits to be put back into its list."""
    world = World()
    world.settle()
    world.loses(ADDRESSES[0], status=False, cpic=False)
    world.loses(ADDRESSES[2])
    cycled = world.cluster.egress_ips["ns"]
    world.cluster.egress_ips["ns"] = replace(
        cycled,
        spec=replace(cycled.spec, addresses=ADDRESSES[:2]),
        labels={**cycled.labels, f"egress-keeper/cycle-{ADDRESSES[2]}": "status-lost.1.20260301T115900Z"},
    )
    world.visit()
    world.clock.advance(120)
    return world.visit()


def failed_actions() -> Outcome:
    world = World()
    world.ec2.fail("reserve_cidr")
    return world.visit()


def conflict() -> Outcome:
    world = World()
    world.cluster.fail(
        "apply_egress_ip", Conflict("cluster API", "apply EgressIP", "conflict", {".spec.egressIPs": "argocd"})
    )
    return world.visit()


def foreign_everything() -> Outcome:
    """Addresses out of every subnet, AWS's own, a host's, and an object that is somebody else's."""
    world = World(
        factories.cluster(
            factories.policy("ns", "10.99.0.1", "10.10.100.1", str(factories.host("b", 0))), factories.policy("other")
        )
    )
    world.cluster.egress_ips["other"] = factories.egress_ip("other", "10.10.200.9", labels={})
    return world.visit()


def unknown(*operations: str) -> Outcome:
    world = World()
    world.settle()
    for operation in operations:
        world.cluster.fail(operation)
        world.ec2.fail(operation)
    return world.visit()


def nodes_unknown() -> Outcome:
    return unknown("fetch_nodes")


def cpics_unknown() -> Outcome:
    return unknown("fetch_cpics")


def aws_unknown() -> Outcome:
    return unknown("fetch_instances")


def pools_in_ocm() -> Outcome:
    """One pool to be labelled, one to be made, one that is not as wished, one that is not there."""
    creation = PoolCreation(
        "m5.2xlarge",
        Scaling(1, 3, auto=True),
        subnets=("subnet-b",),
        taints=(Taint("egress", "only", "NoSchedule"),),
        labels=(("team", "net"),),
    )
    other = PoolCreation("m5.large", Scaling(2, 2, auto=False), zones=("eu-central-1c",))
    world = World(
        factories.cluster(
            infra_id=OCM_ID,
            ocm=OcmSpec(OCM_ID, SecretRef(env="OCM")),
            machine_pools=(
                PoolSpec("egress-a"),
                PoolSpec("egress-b", creation),
                PoolSpec("egress-c", other),
                PoolSpec("nowhere"),
            ),
        )
    )
    world.ec2.limits = {**world.ec2.limits, "m5.2xlarge": 15, "m5.large": 10}
    start = factories.ocm_view(factories.pool("a", labels={"team": "x", "tier": "y"}), factories.pool("c"))
    world.ocm = FakeOcm(start.cluster, *start.pools)
    return world.visit()


SITUATIONS: tuple[Callable[[], Outcome], ...] = (
    first_visit,
    at_rest,
    on_a_terminal,
    observed_only,
    drifted,
    troubled_nodes,
    refused,
    policy_removed,
    reservations_left_over,
    reservations_lost,
    lost_in_ec2,
    failed_actions,
    conflict,
    foreign_everything,
    nodes_unknown,
    cpics_unknown,
    aws_unknown,
    pools_in_ocm,
)
