"""Writing machine pools in OCM, where a label can only be changed by replacing the whole map of labels.

OCM has no version and no precondition, so somebody else's write can fall between our read and our write. What can be
done about it is done here, in one place:

1. The pool is read anew just before the write. If it has the labels already, nothing is sent. If its labels are others
   than those the plan was made for, somebody is writing it now: nothing is sent, and the next visit looks again.
2. Only `labels` is sent. Echoing any other field could undo a scaling that was done in between.
3. The pool is read back and compared. If ours is gone, somebody wrote at the same moment: once more, on what is there
   then. If somebody else's label is gone, that is said with its key; it is not ours to put back.

What remains is one round trip in which another writer's new label would be lost unseen; it is once in a pool's life.
One pool is written by one visit at a time: all messages of a cluster are one group of the FIFO queue.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from chalicelib.adapters.errors import Conflict, NotFound, Unreachable
from chalicelib.domain.actions import POOL_LABELS, CreatePool, LabelPool, PoolAction, UnlabelPool
from chalicelib.domain.pools import MachinePool, OcmCluster
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, MARK_LABEL
from chalicelib.usecases.ports import Ocm

SOURCE = "OCM"
ROUNDS = 2


class PoolConflict(Conflict):
    """Somebody else writes the labels of the pool at this moment.

    Attributes:
        pool: Its name.
        keys: Label keys that differ from what was expected, sorted.
        lost: Labels of somebody else's are gone: people must know at once. Otherwise the next visit tries again.
    """

    def __init__(self, pool: str, keys: Collection[str], detail: str, *, lost: bool = False) -> None:
        super().__init__(SOURCE, "edit machine pool", detail)
        self.pool = pool
        self.keys = tuple(sorted(keys))
        self.lost = lost


@dataclass(frozen=True, slots=True)
class PoolWriter:
    """Performs a plan's actions on the machine pools of one cluster."""

    ocm: Ocm
    cluster: OcmCluster

    def perform(self, action: PoolAction) -> None:
        """Perform one action.

        Raises:
            PoolConflict: Somebody else writes the pool.
            AdapterError: OCM did not do it, or did not keep it.
        """
        match action:
            case CreatePool():
                self._create(action)
            case LabelPool():
                self._write(action.pool, action.before, set_to=POOL_LABELS, remove=())
            case UnlabelPool():
                self._write(action.pool, action.before, set_to={}, remove=tuple(POOL_LABELS))

    def _create(self, action: CreatePool) -> None:
        """Make the pool. If one of the name is there by now (a repeat, a lost answer), it is left as it is."""
        if self.ocm.fetch_pool(self.cluster, action.pool.name) is not None:
            return
        try:
            self.ocm.create_pool(self.cluster, action.pool)
        except (Conflict, Unreachable):
            if self.ocm.fetch_pool(self.cluster, action.pool.name) is None:
                raise

    def _write(
        self, name: str, planned: Mapping[str, str], *, set_to: Mapping[str, str], remove: Collection[str]
    ) -> None:
        there = self._fetch(name)
        if _done(there.labels, set_to):
            return
        if dict(there.labels) != dict(planned):
            keys = _differing(planned, there.labels)
            raise PoolConflict(
                name, keys, f"labels of machine pool {name} changed since they were read: {', '.join(keys)}"
            )
        found = dict(there.labels)
        for _ in range(ROUNDS):
            wanted = {**{key: value for key, value in found.items() if key not in remove}, **set_to}
            self.ocm.set_pool_labels(self.cluster, name, wanted)
            found = dict(self._fetch(name).labels)
            if _done(found, set_to):
                break
        self._judge(name, planned, found, set_to, remove)

    def _judge(
        self,
        name: str,
        before: Mapping[str, str],
        found: Mapping[str, str],
        set_to: Mapping[str, str],
        remove: Collection[str],
    ) -> None:
        """Raise for what another writer did meanwhile: labels that were there before and are not now, or ours."""
        lost = [key for key, value in sorted(before.items()) if key not in remove and found.get(key) != value]
        lost = [key for key in lost if key not in set_to]
        if lost:
            raise PoolConflict(
                name,
                lost,
                f"while machine pool {name} was labelled, somebody else changed or took away {', '.join(lost)}",
                lost=True,
            )
        if not _done(found, set_to):
            raise PoolConflict(
                name, [ASSIGNABLE_LABEL], f"machine pool {name} was written {ROUNDS} times, and each time overwritten"
            )

    def _fetch(self, name: str) -> MachinePool:
        found = self.ocm.fetch_pool(self.cluster, name)
        if found is None:
            raise NotFound(SOURCE, "get machine pool", f"machine pool {name} is gone")
        return found


def _done(labels: Mapping[str, str], set_to: Mapping[str, str]) -> bool:
    """Nothing (more) to write: the assignable label is there, with any value; or our mark is gone, and with it all that
    was ours: a label without it is of somebody who has written the whole map meanwhile.
    """
    return ASSIGNABLE_LABEL in labels if set_to else MARK_LABEL not in labels


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key))
