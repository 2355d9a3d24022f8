"""Where machine pools really are. OCM gives the orders; something else has the machines.

`Pools` is what OCM asks of it; `sandbox.rosa.Rosa` is one, and here is another, which has numbers instead of machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sandbox.rosa import PoolSpec, PoolState


class Pools(Protocol):
    """The machine pools of one cluster. All methods but the first two raise KeyError for an unknown pool."""

    def pool_names(self) -> tuple[str, ...]:
        """The names of the pools, oldest first."""
        ...

    def add_pool(self, spec: PoolSpec) -> None:
        """A new pool with its machines."""
        ...

    def pool_state(self, pool: str) -> PoolState:
        """What is wanted of a pool, and how many machines it has."""
        ...

    def scale_pool(self, pool: str, replicas: int) -> None:
        """Set the number of machines."""
        ...

    def set_pool_labels(self, pool: str, labels: Mapping[str, str]) -> None:
        """Replace the whole map of labels."""
        ...

    def remove_pool(self, pool: str) -> None:
        """Delete a pool and its machines."""
        ...


class PoolsWithoutMachines:
    """Pools on paper, for tests of OCM alone: whatever is wanted is there at once."""

    def __init__(self, *specs: PoolSpec) -> None:
        self._pools = {spec.name: PoolState(spec, dict(spec.labels), spec.replicas, spec.replicas) for spec in specs}

    def pool_names(self) -> tuple[str, ...]:
        """The names of the pools, oldest first."""
        return tuple(self._pools)

    def pool_state(self, pool: str) -> PoolState:
        """What is wanted of a pool."""
        return self._pools[pool]

    def add_pool(self, spec: PoolSpec) -> None:
        """A new pool."""
        self._pools[spec.name] = PoolState(spec, dict(spec.labels), spec.replicas, spec.replicas)

    def scale_pool(self, pool: str, replicas: int) -> None:
        """Set the number of machines."""
        before = self._pools[pool]
        self._pools[pool] = PoolState(before.spec, before.labels, replicas, replicas)

    def set_pool_labels(self, pool: str, labels: Mapping[str, str]) -> None:
        """Replace the whole map of labels."""
        before = self._pools[pool]
        self._pools[pool] = PoolState(before.spec, dict(labels), before.replicas, before.machine_count)

    def remove_pool(self, pool: str) -> None:
        """Delete a pool."""
        del self._pools[pool]
