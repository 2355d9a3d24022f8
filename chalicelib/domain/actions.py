"""The changes a plan may contain: one frozen class each, saying what, before → after, and why.

An action is a value: a dry run prints it, the executor performs it, the alert carries it. Nothing here can act.
`policies` names the policies an action serves; when an action fails, later ones for the same policies are not tried,
so that an EgressIP never asks for an address whose reservation could not be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import TypeAlias

from chalicelib.domain.pools import NewPool
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, MARK_LABEL, EgressIpSpec

OWNER = "egress-keeper"
"""Our field manager in the cluster and the value of the owner tag on reservations."""

TAG_OWNER = "egress-keeper/owner"
TAG_CLUSTER = "egress-keeper/cluster"
TAG_POLICY_PREFIX = "egress-keeper/policy/"
"""Tag key prefix on a reservation; the policy's name follows, the value lists its addresses there, blank-separated."""
TAG_HELD_PREFIX = "egress-keeper/held/"
"""The same for addresses that are kept for a policy and not asked for in the cluster yet: none of them ever served."""

LONGEST_TAG_VALUE = 256
MOST_TAGS = 50
"""EC2's limits of a tag's value, in characters, and of tags on one resource."""

LARGEST_RANGE = 28
"""Prefix length of the largest range we reserve. Its 16 addresses fit one tag value and its policies fit the tags."""

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_POLICY = "egress-keeper/policy"
LABEL_KICK = "egress-keeper/kick"
"""A label of ours on the EgressIP whose change makes OVN-Kubernetes look at the object again; moves nothing healthy."""
LABEL_CYCLE_PREFIX = "egress-keeper/cycle-"
"""Label key prefix on the EgressIP; the address follows. There while a dead address is out of the list, to be put back,
and until it serves again (`tried`). A label, because OVN-Kubernetes wipes annotations."""


POOL_LABELS: Mapping[str, str] = {ASSIGNABLE_LABEL: "", MARK_LABEL: OWNER}
"""What we write on machine pools and nodes: the label that OVN-Kubernetes looks for, and our mark beside it. The mark
is what `release` goes by: it is written and lost together with the label, whatever becomes of our table."""


def _tag_in_words(key: str) -> str:
    if key.startswith(TAG_HELD_PREFIX):
        return f"{key.removeprefix(TAG_HELD_PREFIX)} (held)"
    return key.removeprefix(TAG_POLICY_PREFIX)


@dataclass(frozen=True, slots=True)
class ReserveCidr:
    """Create one explicit subnet CIDR reservation, tagged as ours."""

    subnet_id: str
    cidr: IPv4Network
    tags: Mapping[str, str]
    policies: tuple[str, ...]
    reason: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"reserve {self.cidr} in {self.subnet_id}"


@dataclass(frozen=True, slots=True)
class TagReservation:
    """Write tags on a reservation of ours: which policy holds which of its addresses."""

    reservation_id: str
    subnet_id: str
    cidr: IPv4Network
    before: Mapping[str, str]
    after: Mapping[str, str]
    policies: tuple[str, ...]
    reason: str

    @property
    def remove(self) -> tuple[str, ...]:
        """Tag keys that are there and should not be."""
        return tuple(sorted(set(self.before) - set(self.after)))

    @property
    def write(self) -> dict[str, str]:
        """Tags that are missing or differ."""
        return {key: value for key, value in sorted(self.after.items()) if self.before.get(key) != value}

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"record on reservation {self.cidr}: " + ", ".join(
            [f"{_tag_in_words(key)} = {value}" for key, value in self.write.items()]
            + [f"no longer {_tag_in_words(key)}" for key in self.remove]
        )


@dataclass(frozen=True, slots=True)
class ReleaseReservation:
    """Delete a reservation of ours that nothing uses any more: object gone, CPIC gone, address off every interface."""

    reservation_id: str
    subnet_id: str
    cidr: IPv4Network
    policies: tuple[str, ...]
    reason: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"release reservation {self.cidr} in {self.subnet_id}"


@dataclass(frozen=True, slots=True)
class CreatePool:
    """Make one machine pool in OCM. We never change its size afterwards, and never delete it.

    Attributes:
        carries_least, carries_most: Egress addresses that its nodes will carry; they differ with autoscaling.
    """

    pool: NewPool
    zones: tuple[str, ...]
    carries_least: int
    carries_most: int
    policies: tuple[str, ...]
    reason: str

    @property
    def summary(self) -> str:
        """One line for people."""
        scaling = self.pool.scaling
        size = f"{scaling.least} to {scaling.most}" if scaling.auto else str(scaling.least)
        carries = f"{self.carries_least} to {self.carries_most}" if scaling.auto else str(self.carries_least)
        where = ", ".join([*([self.pool.subnet] if self.pool.subnet else []), *self.zones])
        return (
            f"create machine pool {self.pool.name}: {size} x {self.pool.instance_type} in {where},"
            f" to carry {carries} egress addresses"
        )


@dataclass(frozen=True, slots=True)
class LabelPool:
    """Put our labels on one machine pool in OCM, for the nodes it gets (and on classic for those it has).

    OCM knows no change of one label: the whole map is replaced. So the action carries the map it was planned against,
    and is not performed on any other.
    """

    pool: str
    before: Mapping[str, str]
    policies: tuple[str, ...]
    reason: str

    @property
    def after(self) -> dict[str, str]:
        """The whole map to be written."""
        return {**self.before, **POOL_LABELS}

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"label machine pool {self.pool}: +{ASSIGNABLE_LABEL}, {_kept(set(self.before) - set(POOL_LABELS))}"


@dataclass(frozen=True, slots=True)
class UnlabelPool:
    """Take our labels off one machine pool in OCM, where our mark says that we put them there."""

    pool: str
    before: Mapping[str, str]
    policies: tuple[str, ...]
    reason: str

    @property
    def after(self) -> dict[str, str]:
        """The whole map to be written."""
        return {key: value for key, value in self.before.items() if key not in POOL_LABELS}

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"unlabel machine pool {self.pool}: -{ASSIGNABLE_LABEL}, {_kept(set(self.after))}"


def _kept(keys: set[str]) -> str:
    """How many other labels stay, in words."""
    if not keys:
        return "it has no other label"
    return f"{len(keys)} other label{'' if len(keys) == 1 else 's'} kept"


@dataclass(frozen=True, slots=True)
class UnlabelNode:
    """Take our labels off one node through the cluster API (HCP only), where our mark says that they came from us."""

    node: str
    policies: tuple[str, ...]
    reason: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"unlabel node {self.node}: -{ASSIGNABLE_LABEL}"


@dataclass(frozen=True, slots=True)
class LabelNode:
    """Set the egress-assignable label on one node through the cluster API (HCP only: there nobody else will)."""

    node: str
    policies: tuple[str, ...]
    reason: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"label node {self.node} k8s.ovn.org/egress-assignable"


@dataclass(frozen=True, slots=True)
class AssignAddress:
    """Put an address that EC2 lost back on the interface on which the cluster believes it is; taken from nobody."""

    interface_id: str
    address: IPv4Address
    node: str
    policies: tuple[str, ...]
    reason: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"assign {self.address} to {self.interface_id} of node {self.node} again"


@dataclass(frozen=True, slots=True)
class ApplyEgressIp:
    """Server-side apply of one EgressIP: create it, or put back the fields that are ours.

    Attributes:
        before: What the object says now; None where there is no object.
        labels: The labels we own, complete.
        strays: Addresses that somebody else wrote into the list and that were never this policy's: taking them out
            again takes nothing from anybody who relies on the policy.
        force: Take our fields back from another manager. Only on objects that carry our label.
        marks: Further labels of ours, those of remedies (`tried`), complete. Their values hold the time: a digest that
            a person approves does not cover them.
        cycled: Addresses that don't serve, taken out to be put back once their CloudPrivateIPConfigs are gone.
        kick: A change of label alone, so that OVN-Kubernetes looks at the object again.
        version: resourceVersion that the object must still have, so that nothing is taken, or left, out of one that has
            changed since; "" where it need not.
    """

    name: str
    before: EgressIpSpec | None
    after: EgressIpSpec
    labels: Mapping[str, str]
    force: bool
    policies: tuple[str, ...]
    reason: str
    strays: tuple[str, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    cycled: tuple[str, ...] = ()
    kick: bool = False
    version: str = ""

    @property
    def adds(self) -> tuple[str, ...]:
        """Addresses the object gets, in its order."""
        have = set(self.before.addresses) if self.before else set()
        return tuple(address for address in self.after.addresses if address not in have)

    @property
    def removes(self) -> tuple[str, ...]:
        """Addresses the object loses, in its order."""
        keep = set(self.after.addresses)
        return tuple(a for a in self.before.addresses if a not in keep) if self.before else ()

    @property
    def summary(self) -> str:
        """One line for people."""
        changes = [f"+{a}" for a in self.adds] + [f"-{a}" for a in self.removes if a not in self.cycled]
        if self.cycled:
            changes.append(f"cycle {' '.join(self.cycled)}")
        if self.kick:
            changes.append("kick")
        if self.before is None:
            return f"create EgressIP {self.name}: {' '.join(changes)}"
        if self.before.namespace_selector != self.after.namespace_selector:
            changes.append(f"namespaceSelector {self.before.namespace_selector} → {self.after.namespace_selector}")
        if self.before.pod_selector != self.after.pod_selector:
            changes.append(f"podSelector {self.before.pod_selector} → {self.after.pod_selector}")
        return f"apply EgressIP {self.name}: {' '.join(changes) or 'labels'}"


@dataclass(frozen=True, slots=True)
class DeleteEgressIp:
    """Delete one EgressIP of ours that the fleet file no longer names.

    Attributes:
        uid: Guards against a namesake that somebody has created meanwhile.
        serving: Those of its addresses that serve now.
    """

    name: str
    uid: str
    before: EgressIpSpec
    policies: tuple[str, ...]
    reason: str
    serving: tuple[str, ...] = ()

    @property
    def removes(self) -> tuple[str, ...]:
        """Addresses the cluster loses."""
        return self.before.addresses

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"delete EgressIP {self.name}: {' '.join(f'-{a}' for a in self.before.addresses)}"


PoolAction: TypeAlias = CreatePool | LabelPool | UnlabelPool
"""What is done in OCM."""

Action: TypeAlias = (
    ReleaseReservation
    | ReserveCidr
    | TagReservation
    | CreatePool
    | LabelPool
    | LabelNode
    | AssignAddress
    | ApplyEgressIp
    | DeleteEgressIp
    | UnlabelPool
    | UnlabelNode
)
"""In the order in which a plan lists them: free what is unused, protect addresses, make nodes able, then assign. The
last two are only in the plan of a release."""
