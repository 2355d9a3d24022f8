"""What is true of the cluster and its account and is no part of the twin: nobody whom the twin models looks at it.

Belongs here: the values, all of them frozen, so that a whole cluster can be kept, compared and gone back to. Does not
belong here: anything that egress depends on, which is the twin's `World`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network

from chalicelib.domain.snapshot import Reservation
from chalicelib.domain.twin.tables import Table
from sandbox.virtual.fields import Fields

VPC = "vpc-0000000000000001"


class Phase(StrEnum):
    """One step of a machine's life; the steps of joining and of leaving, in their usual order."""

    RUNS = "runs"
    REGISTERS = "registers"
    INITIALISES = "initialises"
    LABELS = "labels"
    NETWORKS = "networks"
    READY = "ready"
    CORDONS = "cordons"
    TERMINATES = "terminates"
    IS_GONE = "is gone"
    UNREACHABLE = "unreachable"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Step:
    """A step that a machine takes at a moment, and those that follow it, with the seconds before each.

    Attributes:
        number: Of steps at the same moment the lower number comes first.
    """

    at: float
    number: int
    machine: str
    phase: Phase
    rest: tuple[tuple[float, Phase], ...] = ()


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone with its one subnet."""

    name: str
    subnet_id: str
    cidr: IPv4Network


@dataclass(frozen=True, slots=True)
class Pool:
    """One machine pool. `labels` are what its nodes get; on HCP only when they are born."""

    name: str
    zones: tuple[str, ...]
    instance_type: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """One EC2 instance and the name of its node.

    Attributes:
        state: EC2's word: pending, running, shutting-down, terminated.
        leaving: It drains or ends; steps of joining are no longer taken.
        age_seconds: How old it was made, for what a cluster begins with.
    """

    id: str
    pool: str
    zone: str
    interface: str
    address: str
    node: str
    launched_at: float
    state: str = "pending"
    leaving: bool = False
    age_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """Of a Node object: when it was created and which pool its labels name (HCP)."""

    created_at: float
    machine: str
    pool_label: str | None = None
    placed: bool = False


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """Of an EgressIP object: its uid, and who holds its fields."""

    uid: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it, by id or name.

    Attributes:
        cpic_changed: When the condition of a CPIC last changed.
        holders: Whose a foreign network interface is, in words.
        steps: What machines will do, in the order in which they will.
        made: How many things have been given a number.
    """

    zones: Mapping[str, Zone] = field(default_factory=dict)
    pools: Table[str, Pool] = field(default_factory=Table)
    machines: Table[str, Machine] = field(default_factory=Table)
    nodes: Table[str, NodeFacts] = field(default_factory=Table)
    objects: Table[str, ObjectFacts] = field(default_factory=Table)
    cpic_changed: Table[str, float] = field(default_factory=Table)
    reservations: Table[str, Reservation] = field(default_factory=Table)
    holders: Table[str, str] = field(default_factory=Table)
    steps: tuple[Step, ...] = ()
    made: int = 0
