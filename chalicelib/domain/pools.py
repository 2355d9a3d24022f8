"""Machine pools as OCM has them, classic and HCP in one shape. Values only.

Belongs here: what a cluster and its pools are in OCM, reduced to what decides about egress. Does not belong here: how
they are read (`adapters.ocm`), what is wished for them (`spec`), what follows (`planning`).

OCM calls them machine pools on classic and node pools on HCP; here both are machine pools, the word of `rosa`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

READY = "ready"
"""The one state of a cluster in OCM in which its pools may be written."""

ASLEEP = frozenset({"powering_down", "hibernating", "resuming", "installing", "uninstalling"})
"""States in which the cluster's API need not answer."""


@dataclass(frozen=True, slots=True)
class OcmCluster:
    """One cluster as OCM knows it.

    Attributes:
        infra_id: `infra_id` on classic; on HCP OCM may leave it out, and the cluster's id stands in EC2's tags.
        hosted: True on HCP (`hypershift.enabled`): pools are node pools, one subnet each.
        state: `ready` is the only one in which anything may be asked of it; others are `hibernating`, `installing`, …
        multi_az: On classic, replicas of a multi-zone cluster's pools are multiples of three.
        subnet_ids: Those given at installation, public and private mixed; empty where there are none.
        version: "4.18.12"; empty where OCM does not say.
    """

    id: str
    name: str
    infra_id: str
    hosted: bool
    state: str
    multi_az: bool = False
    region: str = ""
    version: str = ""
    subnet_ids: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Taint:
    """One taint that a pool gives its nodes; `effect` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many nodes: a fixed number (then both are equal and `auto` is False), or an autoscaler's bounds."""

    least: int
    most: int
    auto: bool


@dataclass(frozen=True, slots=True)
class MachinePool:
    """One pool as it is.

    Attributes:
        labels: Complete; absent, null and empty in OCM's answer are all an empty mapping.
        zones: One on HCP; on classic all that the pool spreads over, empty where OCM does not say.
        subnets: One on HCP; on classic those given when it was made, often none.
    """

    name: str
    labels: Mapping[str, str]
    instance_type: str
    scaling: Scaling
    zones: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    taints: tuple[Taint, ...] = ()


@dataclass(frozen=True, slots=True)
class OcmView:
    """What one visit saw of OCM: the cluster and all of its pools, sorted by name."""

    cluster: OcmCluster
    pools: tuple[MachinePool, ...]

    @property
    def ready(self) -> bool:
        """Whether anything may be asked of the cluster: OCM refuses pool edits in every other state."""
        return self.cluster.state == READY

    def pool(self, name: str) -> MachinePool | None:
        """The pool of that name."""
        return next((pool for pool in self.pools if pool.name == name), None)


@dataclass(frozen=True, slots=True)
class NewPool:
    """One pool to be made. On HCP `subnet` is set; on classic either `subnet`, or `zone`, or neither (all zones)."""

    name: str
    instance_type: str
    scaling: Scaling
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    subnet: str | None = None
    zone: str | None = None
