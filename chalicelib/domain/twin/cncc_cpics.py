"""How CNCC synchronises one CloudPrivateIPConfig: assign, release, or leave alone.

Belongs here: every step from the first read to the last status. Does not belong here: queueing (`cncc`).

    deleting, or spec.node ≠ status.node ≠ ""  → release    status Unknown "Deleting IP address"
                                                            Node gone: EC2 is skipped, and it counts as done
                                                            look, unassign, look until it is gone
                                                            deleting: finalizer off; otherwise status.node ""
    status.node "", or not True                → assign     status Unknown "Adding IP address", finalizer on
                                                            Node gone: False (or, older: retry)
                                                            look, assign, look until it is there; True
    otherwise                                  → nothing    success is never looked at again

A move is a release that ends with an empty `status.node`, which enqueues the assignment. An address that is where it
should be already counts as assigned, one that is not there counts as released.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.twin.api import CnccWrite, SetCpicStatus, SetFinalizer
from chalicelib.domain.twin.behaviours import Behaviours
from chalicelib.domain.twin.cncc_work import NO_INTERFACE, Ended, Progress, Stage, Work, described
from chalicelib.domain.twin.ec2 import (
    Answer,
    AssignAddress,
    DescribeInstance,
    Ec2Error,
    InstanceView,
    UnassignAddress,
)
from chalicelib.domain.twin.values import Assigned, Cpic, Objects

PENDING, SUCCESS, ERROR = "CloudResponsePending", "CloudResponseSuccess", "CloudResponseError"

CONFIRM_EVERY_SECONDS = 2.0
CONFIRM_FOR_SECONDS = 60.0


def begin(address: str, objects: Objects, behaviours: Behaviours) -> Progress:
    """Start on one CloudPrivateIPConfig, up to its first EC2 call."""
    cpic = objects.cpics.get(address)
    if cpic is None:
        return Ended(), ()
    if cpic.deleting and cpic.finalizer:
        # A known trap, kept: with an empty status.node there is nothing to release, and the finalizer stays for ever.
        return _begin_release(cpic, objects) if cpic.status_node else (Ended(), ())
    if cpic.status_node not in ("", cpic.spec_node):
        return _begin_release(cpic, objects)
    if cpic.status_node == "" or cpic.assigned is not Assigned.TRUE:
        return _begin_assign(cpic, objects, behaviours)
    return Ended(), ()


def _begin_release(cpic: Cpic, objects: Objects) -> Progress:
    pending = SetCpicStatus(cpic.address, cpic.status_node, Assigned.UNKNOWN, PENDING, "Deleting IP address")
    node = objects.nodes.get(cpic.status_node)
    if node is None:
        ended, writes = _released(cpic.address, deleting=cpic.deleting)
        return ended, (pending, *writes)
    look = DescribeInstance(node.instance)
    return Work(node.name, node.instance, Stage.LOOK, look, releasing=True, deleting=cpic.deleting), (pending,)


def _begin_assign(cpic: Cpic, objects: Objects, behaviours: Behaviours) -> Progress:
    name = cpic.spec_node
    writes: list[CnccWrite] = [SetCpicStatus(cpic.address, name, Assigned.UNKNOWN, PENDING, "Adding IP address")]
    if not cpic.finalizer:
        writes.append(SetFinalizer(cpic.address, present=True))
    node = objects.nodes.get(name)
    if node is not None:
        return Work(name, node.instance, Stage.LOOK, DescribeInstance(node.instance)), tuple(writes)
    if behaviours.missing_node_fails:
        writes.append(SetCpicStatus(cpic.address, name, Assigned.FALSE, ERROR, f'Node "{name}" does not exist'))
    return Ended(failed=not behaviours.missing_node_fails), tuple(writes)


def proceed(address: str, work: Work, answer: Answer, now: float) -> Progress:
    """Go on after EC2 answered, the SDK's own retries being over."""
    match answer:
        case Ec2Error():
            return _failed(address, work, described(work, answer))
        case InstanceView() if work.stage is Stage.LOOK:
            return _change(address, work, answer)
        case InstanceView():
            return _confirm(address, work, answer, now)
        case _:
            look = work.ask(Stage.CONFIRM, DescribeInstance(work.instance))
            return replace(look, deadline=now + CONFIRM_FOR_SECONDS), ()


def _change(address: str, work: Work, view: InstanceView) -> Progress:
    """The call that changes something, unless there is nothing to change."""
    if view.interface is None:
        return _failed(address, work, NO_INTERFACE)
    if (address in view.interface.addresses) != work.releasing:
        return _succeeded(address, work)
    change = UnassignAddress if work.releasing else AssignAddress
    return work.ask(Stage.CHANGE, change(view.interface.id, address)), ()


def _confirm(address: str, work: Work, view: InstanceView, now: float) -> Progress:
    """Poll until the interface shows the change."""
    shown = view.interface.addresses if view.interface else ()
    if (address in shown) != work.releasing:
        return _succeeded(address, work)
    if now + CONFIRM_EVERY_SECONDS > work.deadline:
        return _failed(address, work, "context deadline exceeded")
    return work.ask(Stage.CONFIRM, DescribeInstance(work.instance), send_at=now + CONFIRM_EVERY_SECONDS), ()


def _succeeded(address: str, work: Work) -> Progress:
    if work.releasing:
        return _released(address, deleting=work.deleting)
    return Ended(), (SetCpicStatus(address, work.node, Assigned.TRUE, SUCCESS, "IP address successfully added"),)


def _released(address: str, *, deleting: bool) -> tuple[Ended, tuple[CnccWrite, ...]]:
    if deleting:
        return Ended(), (SetFinalizer(address, present=False),)
    return Ended(), (SetCpicStatus(address, "", Assigned.TRUE, SUCCESS, "IP address successfully deleted"),)


def _failed(address: str, work: Work, why: str) -> Progress:
    task = "release" if work.releasing else "assignment"
    message = f"Error processing cloud {task} request, err: {why}"
    return Ended(failed=True), (SetCpicStatus(address, work.node, Assigned.FALSE, ERROR, message),)
