"""An immutable mapping that shares with its predecessor whatever did not change.

Belongs here: the one container of the twin's states. Does not belong here: anything that knows what is stored in it.

A state of the twin is replaced at every step, and a plain dictionary would be copied whole each time: at three thousand
addresses that alone is seconds per rehearsal. A table is cut into shards by hash, and a change copies one shard.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import chain
from typing import Any, Generic, TypeVar, overload

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")

SHARDS = 64


class Table(Generic[K, V]):
    """An immutable mapping. Equal and hashable by content.

    Iteration is in no particular order and may differ between processes: use `in_order` wherever order can matter.
    """

    __slots__ = ("_hash", "_shards", "_size")

    def __init__(self, items: Iterable[tuple[K, V]] = ()) -> None:
        shards: list[dict[K, V]] = [{} for _ in range(SHARDS)]
        for key, value in items:
            shards[hash(key) % SHARDS][key] = value
        self._shards = tuple(shards)
        self._size = sum(map(len, shards))
        self._hash: int | None = None

    @classmethod
    def _of(cls, shards: tuple[dict[K, V], ...], size: int) -> Table[K, V]:
        table = cls.__new__(cls)
        table._shards, table._size, table._hash = shards, size, None  # noqa: SLF001 - this is a constructor
        return table

    def put(self, key: K, value: V) -> Table[K, V]:
        """This table with *key* set to *value*; itself if it is the very same value already."""
        index = hash(key) % SHARDS
        shard = self._shards[index]
        size = self._size
        if key in shard:
            if shard[key] is value:
                return self
        else:
            size += 1
        return self._of((*self._shards[:index], {**shard, key: value}, *self._shards[index + 1 :]), size)

    def drop(self, key: K) -> Table[K, V]:
        """This table without *key*; itself if the key is not there."""
        index = hash(key) % SHARDS
        shard = self._shards[index]
        if key not in shard:
            return self
        rest = {k: v for k, v in shard.items() if k != key}
        return self._of((*self._shards[:index], rest, *self._shards[index + 1 :]), self._size - 1)

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: K, default: D | None = None) -> V | D | None:
        """The value of *key*, or *default*."""
        return self._shards[hash(key) % SHARDS].get(key, default)

    def __getitem__(self, key: K) -> V:
        return self._shards[hash(key) % SHARDS][key]

    def __contains__(self, key: object) -> bool:
        return key in self._shards[hash(key) % SHARDS]

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[K]:
        return chain.from_iterable(filter(None, self._shards))

    def items(self) -> Iterator[tuple[K, V]]:
        """All pairs, in no particular order."""
        return chain.from_iterable(map(dict.items, filter(None, self._shards)))

    def values(self) -> Iterator[V]:
        """All values, in no particular order."""
        return chain.from_iterable(map(dict.values, filter(None, self._shards)))

    def in_order(self, by: Callable[[Any], Any] | None = None) -> list[tuple[K, V]]:
        """All pairs, sorted by key, or by what *by* makes of the key."""
        if not self._size:
            return []
        key: Callable[[Any], Any] = by if by is not None else _itself
        return sorted(self.items(), key=lambda pair: key(pair[0]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return self is other or (self._size == other._size and self._shards == other._shards)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.items()))
        return self._hash

    def __repr__(self) -> str:
        return f"Table({dict(self.items())!r})"


def _itself(key: Any) -> Any:
    return key
