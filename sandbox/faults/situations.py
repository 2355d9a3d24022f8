"""The situations from which a visit is broken: how each begins, and how the lab is at rest again for the next case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.drift.sides import is_ours, our_objects, reservations
from sandbox.faults.calls import Trouble
from sandbox.faults.lab import LABEL, POLICIES, Lab

Act = Callable[[Lab], None]

WRITES = frozenset({Trouble.KILLED_BEFORE, Trouble.KILLED_AFTER, Trouble.DONE})
READS = frozenset({Trouble.STALE})


def answers_at_rest(lab: Lab) -> None:
    """Stale answers are those of a minute in which all was well."""
    lab.new_process()
    lab.calls.record()
    lab.minutes(1)
    lab.calls.stop_recording()


@dataclass(frozen=True)
class Situation:
    """One starting point.

    Attributes:
        prepare: Brings it about in a lab at rest.
        meanwhile: What somebody else does in the middle of the visit.
        restore: Brings the lab back to rest after the end state has been reached.
        order: Has the cluster visited; by the schedule unless a person must ask.
        with_memory: What visits remembered while it was brought about is kept: remedies wait for what has settled.
        seconds: How long the trouble may happen: the delay of the work queue and the visit, or a revisit as well.
        remember: Has the answers recorded that a stale read will give.
        on_writes, on_reads: The troubles that are tried at each call that writes, and at each that reads.
    """

    name: str
    prepare: Act
    meanwhile: Act
    restore: Act
    order: Act = lambda lab: lab.stage.plumbing.tick_schedules()
    with_memory: bool = False
    seconds: float = 50.0
    remember: Act = answers_at_rest
    on_writes: frozenset[Trouble] = WRITES
    on_reads: frozenset[Trouble] = READS


def undo_everything(lab: Lab) -> None:
    """First visit: a cluster where nothing of ours has ever been."""
    for egress_ip in our_objects(lab.stage):
        lab.stage.rosa.kube.delete("egressips", egress_ip["metadata"]["name"])
    for reservation in reservations(lab.stage):
        if is_ours(reservation):
            lab.play.delete_reservation(reservation.cidr)
    lab.play.unseen(30)


def edit_by_hand(lab: Lab) -> None:
    """Drift: a label taken, an object edited, a reservation deleted."""
    lab.play.take_label(lab.play.nodes_of("egress-a")[0])
    lab.play.edit("demo-egress-ns", {"egressIPs": ["10.10.100.253"]})
    lab.play.delete_reservation("10.10.150.253/32")
    lab.play.unseen(30)


def edit_again(lab: Lab) -> None:
    """Somebody edits another object at that moment."""
    if any(o["metadata"]["name"] == "demo-egress-pod" for o in our_objects(lab.stage)):
        lab.play.edit("demo-egress-pod", {"egressIPs": []})


def remove_policy(lab: Lab) -> None:
    """A policy is taken out of the fleet file."""
    lab.play.put_policies(*POLICIES[:3])
    lab.new_process()  # the file is read anew at once, not within a minute


def put_policy_back(lab: Lab) -> None:
    """And put back, and set up."""
    lab.play.put_policies(*POLICIES)
    lab.new_process()
    lab.minutes(2)


def approve(lab: Lab) -> None:
    """A person looks at the plan and approves it."""
    name = lab.stage.scenario.name
    (plan,) = lab.stage.documents(f"/clusters/{name}/plan")["clusters"]
    lab.stage.plumbing.request("POST", f"/clusters/{name}/reconcile", {"approve": plan["digest"]})


def replace_a_node(lab: Lab) -> None:
    """A rolling replacement: the new node has joined without its label, the old one is on its way out."""
    lab.stage.rosa.set_pool_labels("egress-a", {})
    lab.stage.rosa.scale_pool("egress-a", 3)
    lab.play.unseen(300)
    lab.forget()
    new = lab.play.nodes_of("egress-a")[-1]
    if LABEL in lab.stage.rosa.kube.get("nodes", new)["metadata"]["labels"]:
        lab.play.take_label(new)
    lab.stage.rosa.retire_oldest("egress-a")
    lab.play.unseen(30)
    lab.forget()


def break_two_addresses(lab: Lab) -> None:
    """Remedies: one address lost in EC2, one object without its status; both seen by a visit, and so settled."""
    lost = lab.play.sides("10.10.150.253")
    lab.play.unassign(lost.interface, lost.address)
    lab.kube.patch("egressips", "demo-egress-pod", [{"op": "remove", "path": "/status"}], manager="kubectl-replace")
    lab.minutes(1)
    lab.play.unseen(20)


def nothing(_lab: Lab) -> None:
    """Nothing is to be done."""


def answers_from_before(lab: Lab) -> None:
    """Stale answers are those that the very first visit got, when nothing of ours was there."""
    undo_everything(lab)
    lab.forget()
    lab.new_process()
    lab.calls.record()
    lab.stage.plumbing.tick_schedules()
    lab.stage.run_for(50)
    lab.calls.stop_recording()
    lab.minutes(2)


SITUATIONS = {
    situation.name: situation
    for situation in (
        Situation(
            "drift",
            edit_by_hand,
            edit_again,
            nothing,
            on_writes=frozenset(Trouble) - {Trouble.STALE},
            on_reads=frozenset(Trouble) - {Trouble.DONE, Trouble.KILLED_AFTER},
        ),
        Situation("first-visit", undo_everything, nothing, nothing, on_reads=frozenset()),
        Situation("second-visit", nothing, nothing, nothing, remember=answers_from_before, on_writes=frozenset()),
        Situation("policy-removed", remove_policy, nothing, put_policy_back, order=approve, seconds=130.0),
        Situation("rolling-replacement", replace_a_node, nothing, nothing),
        Situation("remedies", break_two_addresses, nothing, nothing, with_memory=True, seconds=130.0),
    )
}
"""By name. Only the first has every trouble at every call; the others have what can differ there: writes cut in two,
and reads from before.
"""
