"""The cloud-network-config-controller: what it watches, queues and asks of EC2.

Belongs here: its state and its one step function. Does not belong here: what a synchronisation does (`cncc_cpics`,
`cncc_nodes`), the EC2 plane (`ec2`).

    step(cncc, SawChange(change) | Begin(work) | Send(work) | Answered(work, answer), objects=…, now=…, behaviours=…)
        → cncc, writes
    runnable(cncc, now) → the Begin and Send events that may be given now     next_due(cncc) → when to look again
    calls(cncc)         → the EC2 calls that are out, to be answered by Answered

Enqueued are: a CPIC that is new, whose spec or `status.node` changed, or that changed while being deleted with the
finalizer on; a Node that is new or whose taints changed. Everything is, at start. Success is never checked again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple, TypeAlias, assert_never

from chalicelib.domain.twin import cncc_cpics, cncc_nodes
from chalicelib.domain.twin.api import CnccWrite
from chalicelib.domain.twin.behaviours import Behaviours
from chalicelib.domain.twin.cncc_work import Ended, Progress, Work, sent_again
from chalicelib.domain.twin.ec2 import Answer, Ec2Error, Request
from chalicelib.domain.twin.values import Change, Cpic, CpicChange, Node, NodeChange, Objects
from chalicelib.domain.twin.workqueue import WorkQueue


class Kind(Enum):
    """Which of CNCC's two controllers."""

    CPIC = "cpic"
    NODE = "node"


class Key(NamedTuple):
    """One piece of work: a CPIC by its address or a Node by its name."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Cncc:
    """The state of a running CNCC: its two work queues."""

    cpics: WorkQueue[Work] = field(default_factory=WorkQueue)
    nodes: WorkQueue[Work] = field(default_factory=WorkQueue)

    def queue(self, kind: Kind) -> WorkQueue[Work]:
        """The queue of one controller."""
        return self.cpics if kind is Kind.CPIC else self.nodes

    def with_queue(self, kind: Kind, queue: WorkQueue[Work]) -> Cncc:
        """This state with one queue replaced."""
        return replace(self, cpics=queue) if kind is Kind.CPIC else replace(self, nodes=queue)


@dataclass(frozen=True, slots=True)
class SawChange:
    """A watch delivered a change."""

    change: Change


@dataclass(frozen=True, slots=True)
class Begin:
    """A worker takes this key from its queue."""

    key: Key


@dataclass(frozen=True, slots=True)
class Send:
    """The call that waited (an SDK retry, a poll) goes out."""

    key: Key


@dataclass(frozen=True, slots=True)
class Answered:
    """EC2 answered the call that was out."""

    key: Key
    answer: Answer


CnccEvent: TypeAlias = SawChange | Begin | Send | Answered


def started(objects: Objects) -> Cncc:
    """A CNCC that has just started: everything there is waits in its queues."""
    return Cncc(
        cpics=WorkQueue(ready=tuple(sorted(objects.cpics))),
        nodes=WorkQueue(ready=tuple(sorted(objects.nodes))),
    )


def runnable(cncc: Cncc, now: float) -> Iterator[Begin | Send]:
    """What may happen next, in no binding order: there are ten workers a queue, and they race."""
    for kind in Kind:
        queue = cncc.queue(kind)
        for name, work in queue.active.in_order():
            if work.send_at is not None and work.send_at <= now:
                yield Send(Key(kind, name))
        for name in queue.wake(now).startable():
            yield Begin(Key(kind, name))


def calls(cncc: Cncc) -> Iterator[tuple[Key, Request]]:
    """The EC2 calls that are out, in no binding order."""
    for kind in Kind:
        for name, work in cncc.queue(kind).active.in_order():
            if work.send_at is None:
                yield Key(kind, name), work.request


def next_due(cncc: Cncc) -> float | None:
    """When `runnable` next gets something that it does not have yet; None if only a change or an answer can tell."""
    dues = [work.send_at for kind in Kind for work in cncc.queue(kind).active.values() if work.send_at is not None]
    dues += [at for kind in Kind if (at := cncc.queue(kind).next_due()) is not None]
    return min(dues, default=None)


def step(
    cncc: Cncc, event: CnccEvent, *, objects: Objects, now: float, behaviours: Behaviours
) -> tuple[Cncc, tuple[CnccWrite, ...]]:
    """One step of CNCC.

    Args:
        event: What happened; a Begin or Send that `runnable` gave, an Answered to one of `calls`.
        objects: The cluster API as it is now: CNCC reads the CPIC it works on live, Nodes from its own watch.
        now: Seconds of the world's time.

    Returns:
        The next state, and what was written, in order.
    """
    match event:
        case SawChange(change):
            return _saw(cncc, change, now), ()
        case Begin(key):
            if key.kind is Kind.CPIC:
                progress = cncc_cpics.begin(key.name, objects, behaviours)
            else:
                progress = cncc_nodes.begin(key.name, objects, behaviours)
            taken = cncc.with_queue(key.kind, cncc.queue(key.kind).wake(now).take(key.name))
            return _went_on(taken, key, progress, now)
        case Send(key):
            queue = cncc.queue(key.kind)
            sent = replace(queue.active[key.name], send_at=None)
            return cncc.with_queue(key.kind, queue.work(key.name, sent)), ()
        case Answered(key, answer):
            return _answered(cncc, key, answer, now, behaviours)
        case _:
            assert_never(event)


def _answered(
    cncc: Cncc, key: Key, answer: Answer, now: float, behaviours: Behaviours
) -> tuple[Cncc, tuple[CnccWrite, ...]]:
    work = cncc.queue(key.kind).active[key.name]
    waiting = sent_again(work, answer, now) if isinstance(answer, Ec2Error) else None
    if waiting is not None:
        progress: Progress = (waiting, ())
    elif key.kind is Kind.CPIC:
        progress = cncc_cpics.proceed(key.name, work, answer, now)
    else:
        progress = cncc_nodes.proceed(work, answer, behaviours)
    return _went_on(cncc, key, progress, now)


def _went_on(cncc: Cncc, key: Key, progress: Progress, now: float) -> tuple[Cncc, tuple[CnccWrite, ...]]:
    state, writes = progress
    queue = cncc.queue(key.kind)
    match state:
        case Work():
            queue = queue.work(key.name, state)
        case Ended(failed=True):
            queue = queue.fail(key.name, now)
        case Ended():
            queue = queue.succeed(key.name)
        case _:
            assert_never(state)
    return cncc.with_queue(key.kind, queue), writes


def _saw(cncc: Cncc, change: Change, now: float) -> Cncc:
    match change:
        case NodeChange(old, Node() as new) if old is None or old.taints != new.taints:
            return replace(cncc, nodes=cncc.nodes.add(new.name))
        case CpicChange(old, new):
            return replace(cncc, cpics=_cpics_after(cncc.cpics, old, new, now))
        case _:
            return cncc


def _cpics_after(queue: WorkQueue[Work], old: Cpic | None, new: Cpic | None, now: float) -> WorkQueue[Work]:
    if old is None or new is None:
        subject = new or old
        return queue.add(subject.address) if subject else queue
    if new.deleting and new.finalizer:
        # Each status written during a failing release enqueues it again: it is retried without back-off or end.
        return queue.add_paced(new.address, now) if old.deleting else queue.add(new.address)
    if old.spec_node != new.spec_node or old.status_node != new.status_node:
        return queue.add(new.address)
    return queue
