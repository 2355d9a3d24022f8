"""Drifts of single addresses between the cluster and EC2: D5 to D10, D13 to D15."""

from __future__ import annotations

from sandbox.aws.faults import broken, denied
from sandbox.drift.catalogue import CLUSTER, LABEL, LISTED, POLICY, ZONES, Drift
from sandbox.drift.play import Play
from sandbox.rosa import PoolSpec, RosaTiming, Scenario

CHOSEN = "10.10.200.224"
"""The address that the other policy gets in zone c."""

HALF_BORN = RosaTiming(networked_seconds=600.0)
"""A node whose ovnkube-node is slow: for ten minutes it lacks host-cidrs."""


def _subject(play: Play, address: str = LISTED, policy: str = POLICY) -> None:
    play.subject = f"address {address} of {policy}"
    play.addresses.add(address)


def _fail_over(play: Play, address: str = LISTED) -> str:
    """The address's node falls silent; returns it."""
    return _falls_silent(play, play.node_of(address))


def _falls_silent(play: Play, node: str) -> str:
    play.addresses |= {a for a in (LISTED, CHOSEN) if play.sides(a).holder == node}
    play.found["node"] = node
    play.fall_silent(node)
    return node


def silent_abort(play: Play) -> None:
    """D5: an address fails over while some node of the cluster lacks host-cidrs: it is dropped, without an event."""
    _subject(play)
    play.note("a worker joins; its ovnkube-node is slow")
    play.stage.rosa.scale_pool("workers", 1, timing=HALF_BORN)
    play.unseen(60)
    node = _fail_over(play)
    play.unseen(60)
    play.come_back(node)
    play.note("the worker's ovnkube-node has written host-cidrs; OVN-Kubernetes does not look again for that")
    play.unseen(600)


def refused_for_ten_minutes(play: Play) -> None:
    """D6: EC2 refuses an assignment for longer than the cloud network controller tries; the cause is gone since."""
    _subject(play)
    play.note("EC2 answers every ec2:AssignPrivateIpAddresses with an error of its own, for ten minutes")
    heal = play.stage.aws.faults.inject("ec2", "AssignPrivateIpAddresses", broken())
    node = _fail_over(play)
    play.unseen(600)
    heal()
    play.note("EC2 is well again")
    play.come_back(node)


def held_by_a_stranger(play: Play) -> None:
    """D7: a keepalived pair outside the cluster takes the address over; at the next failover it cannot come back."""
    _subject(play)
    stranger = play.foreign_interface("eu-central-1c", "keepalived vrrp of the old gateway")
    play.found["interface"], node = stranger, play.node_of(LISTED)
    play.assign(stranger, LISTED, reassign=True)
    _falls_silent(play, node)
    play.unseen(480)


def stranger_leaves(play: Play) -> None:
    """D7: the other interface gives it up."""
    play.unassign(play.found["interface"], LISTED)
    play.come_back(play.found["node"])


def plain_failover(play: Play) -> None:
    """D8: a node fails, the address moves to its peer, the node comes back."""
    _subject(play)
    node = _fail_over(play)
    play.unseen(45)
    play.come_back(node)


def flapping(play: Play) -> None:
    """D8: the same over and over within the hour."""
    _subject(play)
    for _ in range(3):
        node = _fail_over(play)
        play.minutes(3)
        play.come_back(node)
        play.minutes(2)
    _fail_over(play)


def node_stays(play: Play) -> None:
    """D8: the node comes back, and from then on all keep still."""
    play.come_back(play.found["node"])


def over_allocated(play: Play) -> None:
    """D9: OVN-Kubernetes puts a second address on a node with room for one, while the other node is away."""
    node = _fail_over(play)
    moved = next(iter(play.addresses))
    play.subject = f"address {moved} of {POLICY if moved == LISTED else 'demo-egress-pod'}"
    play.unseen(600)
    play.come_back(node)


def never_allowed(play: Play) -> None:
    """D10: the cluster's controller may not assign addresses, and nobody corrects it."""
    _subject(play)
    play.note("the operator role loses ec2:AssignPrivateIpAddresses")
    play.stage.aws.faults.inject("ec2", "AssignPrivateIpAddresses", denied())
    _fail_over(play)
    play.unseen(480)


def allowed_again(play: Play) -> None:
    """D10: the role is corrected."""
    play.note("the operator role is corrected")
    play.stage.aws.faults.heal("ec2", "AssignPrivateIpAddresses")
    play.come_back(play.found["node"])
    take_out_by_hand(play)


def take_out_by_hand(play: Play) -> None:
    """What an alert asks a person to do: take the dead addresses out; the next visit puts them back."""
    for policy in (POLICY, "demo-egress-pod"):
        listed = play.stage.rosa.kube.get("egressips", policy)["spec"]["egressIPs"]
        staying = [address for address in listed if address not in play.addresses]
        if staying != listed:
            play.edit(policy, {"egressIPs": staying})
    play.unseen(20)


def stale_and_unwanted(play: Play) -> None:
    """D13: somebody's EgressIP is deleted while the cluster manager is down: its CPIC stays for ever."""
    play.subject = "CloudPrivateIPConfig 10.10.200.60"
    play.create_egress_ip("legacy-partner", ["10.10.200.60"], {"team": "legacy"})
    play.unseen(30)
    play.note("ovnkube-control-plane is down")
    play.stage.controllers.stop_manager()
    play.delete_egress_ip("legacy-partner")
    play.unseen(30)
    play.note("ovnkube-control-plane starts again")
    play.stage.controllers.restart_manager()
    play.unseen(30)


def stale_deleted(play: Play) -> None:
    """D13: a person deletes the CPIC; the controller releases the address."""
    play.note("$ oc delete cloudprivateipconfig 10.10.200.60")
    play.stage.rosa.kube.delete("cloudprivateipconfigs", "10.10.200.60")


def lost_in_ec2(play: Play) -> None:
    """D14: somebody takes the address off the interface; the cluster never notices."""
    _subject(play)
    play.unassign(play.interface_of(play.node_of(LISTED)), LISTED)


def moved_in_ec2(play: Play) -> None:
    """D14: somebody moves it to an interface that is none of the cluster's."""
    _subject(play)
    stranger = play.foreign_interface("eu-central-1c", "keepalived vrrp of the old gateway")
    play.found["interface"] = stranger
    play.assign(stranger, LISTED, reassign=True)


def moved_back(play: Play) -> None:
    """D14: the other interface gives it up."""
    play.unassign(play.found["interface"], LISTED)


def put_there_by_hand(play: Play) -> None:
    """D15: somebody puts an address on an egress node's interface."""
    node = play.nodes_of("egress-c")[0]
    play.found["interface"] = play.interface_of(node)
    play.subject = f"address 10.10.200.99 on {play.found['interface']}"
    play.assign(play.found["interface"], "10.10.200.99")


def taken_off_by_hand(play: Play) -> None:
    """D15: and takes it off again."""
    play.unassign(play.found["interface"], "10.10.200.99")


SMALL = Scenario(
    name="payments",
    pools=(
        *CLUSTER.pools[:2],
        PoolSpec(name="egress-c", zones=ZONES[2:], replicas=2, labels={LABEL: ""}, instance_type="t3.nano"),
    ),
)
"""In zone c nodes that can carry one address each; to OVN-Kubernetes it looks like two."""

WITH_WORKERS = Scenario(name="payments", pools=(*CLUSTER.pools, PoolSpec(name="workers", zones=ZONES[:1], replicas=0)))

DRIFTS = (
    Drift(
        "D5", "unassigned, though a node has room", silent_abort, minutes=8, scenario=WITH_WORKERS, shared=False
    ),
    Drift("D6", "the CPIC failed, and its cause is gone", refused_for_ten_minutes, minutes=10),
    Drift("D7", "a foreign interface holds the address", held_by_a_stranger, stranger_leaves),
    Drift("D8", "assigned to another node than before", plain_failover),
    Drift(
        "D8-flapping", "assigned to another node again and again", flapping, node_stays,
        minutes=3, after=75, shared=False,
    ),
    Drift("D9", "the interface's limit is exceeded", over_allocated, minutes=12, scenario=SMALL, shared=False),
    Drift("D10", "EC2 denies the assignment", never_allowed, allowed_again),
    Drift("D13", "a CPIC whose EgressIP is gone", stale_and_unwanted, stale_deleted),
    Drift("D14", "EC2 lost the address, the CPIC says True", lost_in_ec2, minutes=8),
    Drift("D14-moved", "EC2 has it on another interface", moved_in_ec2, moved_back, minutes=8),
    Drift("D15", "an egress interface has an address too many", put_there_by_hand, taken_off_by_hand, minutes=12),
)  # fmt: skip
