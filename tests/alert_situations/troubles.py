"""Addresses that should serve and do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chalicelib.domain.spec import Mode
from tests import factories as make
from tests.alert_situations.night import STRANGER, A, B, C, Night, for_policy
from tests.situations import REFUSED


def address_unassigned() -> Night:
    """A failover fell into a moment in which OVN-Kubernetes drops everything."""
    night = Night()
    night.loses(A)
    return night.watch()


def address_unassigned_for_good() -> Night:
    """Two kicks did not help: told again, as worse."""
    night = Night()
    night.loses(A)
    night.watch(65, 125, 125)
    night.forgets_messages()
    return night.watch(125)


def address_unassigned_observed() -> Night:
    """The only address of its policy, on a cluster that is only watched."""
    night = for_policy(A)
    night.settle()
    night.desired = replace(night.desired, mode=Mode.OBSERVE)
    night.loses(A)
    return night.watch()


def assignment_denied() -> Night:
    night = Night()
    night.fails(B, "node-b0", REFUSED.partition("err: ")[2])
    return night.watch()


def assignment_untagged() -> Night:
    night = Night()
    for there in night.ec2.interfaces.values():
        tags = {"red-hat-managed": "true"} if there.id != "eni-b0" else {}
        night.ec2.interfaces[there.id] = replace(there, tags=tags)
    night.fails(B, "node-b0", REFUSED.partition("err: ")[2])
    return night.watch()


def assignment_held() -> Night:
    night = Night()
    night.fails(B, "node-b0", f"InvalidParameterValue: [{B}] assigned, but move is not allowed.", minutes_ago=1)
    night.put_on(STRANGER.id, B)
    return night.watch()


def assignment_full() -> Night:
    """OVN-Kubernetes goes by the IPv6 number of the annotation: it placed one more than fits."""
    night = Night()
    for number in range(13):
        night.put_on("eni-b0", f"10.10.150.{60 + number}")
    night.fails(B, "node-b0", "PrivateIpAddressLimitExceeded: Number of private addresses will exceed limit.")
    return night.watch(65, 65)


def assignment_throttled() -> Night:
    night = Night()
    night.fails(B, "node-b0", "RequestLimitExceeded: Request limit exceeded.", minutes_ago=5)
    return night.watch()


def assignment_refused() -> Night:
    night = Night()
    night.fails(B, "node-b0", "InternalError: An internal error has occurred", minutes_ago=6)
    return night.watch()


def assignment_node_gone() -> Night:
    night = Night()
    gone = dict(night.cluster.egress_ips["ns"].items)[B]
    night.node_goes(gone)
    night.loses(B)
    night.cluster.cpics[B] = make.cpic(
        B,
        gone,
        assigned="False",
        reason="CloudResponseError",
        message=f'Node "{gone}" does not exist',
        changed_at=night.now - timedelta(minutes=5),
    )
    return night.watch(65, 400)


def assignment_unanswered() -> Night:
    """The cloud network controller does not run: nobody answers."""
    night = Night()
    night.loses(B)
    night.cluster.cpics[B] = make.cpic(
        B, "node-b0", assigned=None, reason="", message="", status_node="", created_at=night.now - timedelta(minutes=11)
    )
    return night.watch()


def status_lost() -> Night:
    """Somebody replaced the object: its status went with it."""
    night = Night()
    there = night.cluster.egress_ips["ns"]
    night.cluster.egress_ips["ns"] = replace(there, items=tuple(item for item in there.items if item[0] != C))
    return night.watch()


def status_unbacked() -> Night:
    night = Night()
    night.loses(C, status=False)
    return night.watch()


def status_unbacked_may_serve() -> Night:
    """Its CPIC went, the address stayed where it was."""
    night = Night()
    del night.cluster.cpics[C]
    return night.watch()


def cpic_stale() -> Night:
    """An EgressIP was deleted while the cluster manager was down."""
    night = Night()
    night.cluster.cpics["10.10.150.88"] = make.cpic("10.10.150.88", "node-b1", owner="team-b")
    night.put_on("eni-b1", "10.10.150.88")
    return night.watch(65, 400, 400)


def cpic_stale_in_the_way() -> Night:
    """And a policy of ours wants its address."""
    night = Night()
    night.loses(C)
    night.cluster.cpics[C] = make.cpic(C, "node-c1", owner="team-b")
    night.put_on("eni-c1", C)
    return night.watch()


def cpic_stuck() -> Night:
    """Being deleted for long: EC2 refuses to release its address."""
    night = Night()
    night.cluster.cpics["10.10.150.88"] = make.cpic(
        "10.10.150.88",
        "node-b1",
        owner="team-b",
        assigned="False",
        reason="CloudResponseError",
        message="Error processing cloud release request, err: UnauthorizedOperation",
        deleting=True,
        deleted_at=night.now - timedelta(minutes=12),
    )
    night.put_on("eni-b1", "10.10.150.88")
    return night.watch(65, 400, 400)


def ec2_address_missing() -> Night:
    night = Night()
    night.loses(A, status=False, cpic=False)
    return night.watch()


def ec2_address_elsewhere() -> Night:
    night = Night()
    night.loses(A, status=False, cpic=False)
    night.put_on(STRANGER.id, A)
    return night.watch()


def address_flapping() -> Night:
    """A node that now and then does not answer in time."""
    night = Night()
    for number in range(1, 7):
        node = f"node-a{number % 2}"
        night.loses(A)
        night.put_on(f"eni-a{number % 2}", A)
        night.cluster.cpics[A] = make.cpic(A, node, changed_at=night.now, created_at=night.now - timedelta(days=3))
        there = night.cluster.egress_ips["ns"]
        night.cluster.egress_ips["ns"] = replace(there, items=((A, node), *there.items))
        night.watch(300)
    return night
