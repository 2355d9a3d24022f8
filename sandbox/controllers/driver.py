"""Lets the twin's two programs run on the sandbox: what they see comes from the API, when they act from the timeline.

A change in the API is noted and a turn is planned; in its turn the driver hands over what was noted and lets both
programs act until nothing is left to do at that moment, then plans the next turn for the first of their timers. Turns
happen on the timeline, so the same code runs in real time and step by step.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from botocore.config import Config

from chalicelib.domain.twin import cluster_manager, cncc
from chalicelib.domain.twin.api import Write
from chalicelib.domain.twin.behaviours import Behaviours, behaviours_of
from chalicelib.domain.twin.choices import Choose, first
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Change, Objects
from sandbox.aws import AwsSandbox
from sandbox.controllers import cloud
from sandbox.controllers.objects import CPICS, EGRESS_IPS, NODES, READERS, change_of, write
from sandbox.kube import Kube
from sandbox.timeline import Timer

TABLES = {NODES: "nodes", EGRESS_IPS: "egress_ips", CPICS: "cpics"}


class Controllers:
    """Both controllers of one cluster. `stop_manager` and the like are for scenarios in which one of them is down."""

    def __init__(
        self, kube: Kube, aws: AwsSandbox, behaviours: Behaviours | None = None, *, choose: Choose = first
    ) -> None:
        self._kube = kube
        self._choose = choose
        self._timeline = aws.timeline
        self._behaviours = behaviours or behaviours_of("master")
        self._ec2 = aws.client("ec2", config=Config(retries={"total_max_attempts": 1}))
        self._turn = threading.RLock()
        self._noted: deque[tuple[str, str, Mapping[str, Any]]] = deque()
        self._objects = Objects()
        self._inbox: list[Change] = []
        self._manager: cluster_manager.ClusterManager | None = None
        self._cncc: cncc.Cncc | None = None
        self._timer: Timer | None = None
        self._unsubscribe: Callable[[], None] = _nothing

    def start(self) -> None:
        """Begin to watch and act."""
        with self._turn:
            self._unsubscribe = self._kube.subscribe(self._note)
            for plural, read in READERS.items():
                for raw in self._kube.list(plural):
                    self._store(plural, read(raw))
            self._manager = cluster_manager.started(self._timeline.now())
            self._cncc = cncc.started(self._objects)
        self._plan(0.0)

    def stop(self) -> None:
        """Stop both, leaving everything as it is."""
        self._unsubscribe()
        with self._turn:
            self._manager, self._cncc = None, None
            if self._timer is not None:
                self._timer.cancel()

    def restart_manager(self) -> None:
        """The cluster manager starts anew; whatever it knew is gone."""
        with self._turn:
            self._manager, self._inbox = cluster_manager.started(self._timeline.now()), []
        self._plan(0.0)

    def stop_manager(self) -> None:
        """The cluster manager goes down and stays down."""
        with self._turn:
            self._manager, self._inbox = None, []

    def restart_cncc(self) -> None:
        """CNCC starts anew; its queues and failure counts are gone."""
        with self._turn:
            self._cncc = cncc.started(self._objects)
        self._plan(0.0)

    def stop_cncc(self) -> None:
        """CNCC goes down and stays down."""
        with self._turn:
            self._cncc = None

    def let_manager_act(self) -> None:
        """Let the cluster manager alone do what it has to do at this moment, as it does between two quick requests."""
        with self._turn:
            self._look()
            while self._act_as_manager(self._timeline.now()):
                self._look()

    @property
    def cncc_state(self) -> cncc.Cncc | None:
        """What CNCC has in its queues; None while it is down."""
        return self._cncc

    # Seeing

    def _note(self, kind: str, plural: str, raw: Mapping[str, Any]) -> None:
        """Called by whoever wrote, in the order of the writes: only take note."""
        if plural in READERS:
            self._noted.append((kind, plural, raw))
            self._plan(0.0)

    def _plan(self, delay_seconds: float) -> None:
        """Have a turn at the latest then."""
        due = self._timeline.now() + delay_seconds
        if self._timer is not None and not self._timer.cancelled and self._timer.due <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timeline.call_later(delay_seconds, self._take_turn)

    def _store(self, plural: str, value: Any) -> Any:
        """Put one value into the mirror of the API; returns what was there."""
        table: Table[str, Any] = getattr(self._objects, TABLES[plural])
        key = value.address if plural == CPICS else value.name
        self._objects = _with(self._objects, plural, table.put(key, value))
        return table.get(key)

    def _drop(self, plural: str, value: Any) -> Any:
        table: Table[str, Any] = getattr(self._objects, TABLES[plural])
        key = value.address if plural == CPICS else value.name
        self._objects = _with(self._objects, plural, table.drop(key))
        return table.get(key)

    def _look(self) -> None:
        """Hand over everything noted: CNCC enqueues at once, the cluster manager gets to it in its own time."""
        while self._noted:
            kind, plural, raw = self._noted.popleft()
            value = READERS[plural](raw)
            if kind == "DELETED":
                change = change_of(plural, self._drop(plural, value), None)
            else:
                change = change_of(plural, self._store(plural, value), value)
            if self._manager is not None and self._manager.watches(change):
                self._inbox.append(change)
            if self._cncc is not None:
                self._step_cncc(cncc.SawChange(change))

    # Acting

    def _take_turn(self) -> None:
        with self._turn:
            self._timer = None
            self._look()
            while self._act():
                self._look()
            due = self._next_due()
        if due is not None:
            self._plan(max(0.0, due - self._timeline.now()))

    def _act(self) -> bool:
        """Let one thing happen; False when there is nothing to do now. The manager first: it is much the quicker."""
        now = self._timeline.now()
        if self._act_as_manager(now):
            return True
        if self._cncc is not None:
            for key, request in cncc.calls(self._cncc):
                self._step_cncc(cncc.Answered(key, cloud.send(self._ec2, request)))
                return True
            for event in cncc.runnable(self._cncc, now):
                self._step_cncc(event)
                return True
        return False

    def _act_as_manager(self, now: float) -> bool:
        if self._manager is None:
            return False
        if self._inbox:
            self._step_manager(cluster_manager.SawChange(self._inbox.pop(0)))
            return True
        due = cluster_manager.next_due(self._manager)
        if due is not None and due <= now:
            self._step_manager(cluster_manager.Wake())
            return True
        return False

    def _next_due(self) -> float | None:
        dues = (
            cluster_manager.next_due(self._manager) if self._manager is not None else None,
            cncc.next_due(self._cncc) if self._cncc is not None else None,
        )
        return min((due for due in dues if due is not None), default=None)

    def _step_manager(self, event: cluster_manager.ManagerEvent) -> None:
        if self._manager is None:
            return
        self._manager, writes = cluster_manager.step(
            self._manager,
            event,
            objects=self._objects,
            now=self._timeline.now(),
            behaviours=self._behaviours,
            choose=self._choose,
        )
        self._write(writes)

    def _step_cncc(self, event: cncc.CnccEvent) -> None:
        if self._cncc is None:
            return
        self._cncc, writes = cncc.step(
            self._cncc, event, objects=self._objects, now=self._timeline.now(), behaviours=self._behaviours
        )
        self._write(writes)

    def _write(self, writes: tuple[Write, ...]) -> None:
        for change in writes:
            write(self._kube, change)


def _with(objects: Objects, plural: str, table: Table[str, Any]) -> Objects:
    if plural == NODES:
        return Objects(table, objects.egress_ips, objects.cpics)
    if plural == EGRESS_IPS:
        return Objects(objects.nodes, table, objects.cpics)
    return Objects(objects.nodes, objects.egress_ips, table)


def _nothing() -> None:
    """There is nothing to unsubscribe before the start."""
