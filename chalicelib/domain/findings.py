"""Findings: one condition on one subject that is not as it should be, in words a tired person understands.

A finding has a stable fingerprint (cluster, kind, subject), so that the same condition seen twice is one finding, and a
cause, so that fifty subjects of one cause become one message. How findings live over time is `usecases.tell`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Severity(StrEnum):
    """`critical`: traffic leaves by the wrong address now. `warning`: it would after one more failure, or something
    of ours is not as recorded. `info`: worth knowing, nothing to do tonight.
    """

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Kind(StrEnum):
    """Every kind of finding. The values are an interface: alert attribute, metric dimension, name of the runbook.

    In the order in which they are told: what is likely a cause before what is likely its effect.
    """

    CREDENTIAL_ENDING = "credential-ending"
    SECTION_UNKNOWN = "section-unknown"
    OCM_CLUSTER_NOT_READY = "ocm-cluster-not-ready"
    OCM_CLUSTER_MISMATCH = "ocm-cluster-mismatch"
    POOL_MISSING = "pool-missing"
    POOL_IMPOSSIBLE = "pool-impossible"
    POOL_DIFFERENT = "pool-different"
    POOL_CONFLICT = "pool-conflict"
    SECOND_WRITER = "second-writer"
    POOL_LABEL_MISSING = "pool-label-missing"
    POOL_SHORT = "pool-short"
    NODE_OUTSIDE_POOLS = "node-outside-pools"
    NODE_UNUSABLE = "node-unusable"
    NODE_LABEL_MISSING = "node-label-missing"
    NO_ELIGIBLE_NODE = "no-eligible-node"
    CAPACITY_SHORTFALL = "capacity-shortfall"
    CAPACITY_NO_SPARE = "capacity-no-spare"
    SUBNET_CHANGED = "subnet-changed"
    SUBNET_NEARLY_FULL = "subnet-nearly-full"
    INTERFACE_UNTAGGED = "interface-untagged"
    ADDRESS_LEFTOVER = "address-leftover"
    CAPACITY_ODD = "capacity-odd"
    ADDRESS_OUTSIDE = "address-outside"
    ADDRESS_RESERVED_BY_AWS = "address-reserved-by-aws"
    ADDRESS_TAKEN = "address-taken"
    ADDRESS_IS_HOST = "address-is-host"
    ADDRESS_DUPLICATE = "address-duplicate"
    ADDRESS_UNASSIGNED = "address-unassigned"
    ASSIGNMENT_FAILED = "assignment-failed"
    STATUS_LOST = "status-lost"
    STATUS_UNBACKED = "status-unbacked"
    CPIC_STALE = "cpic-stale"
    EC2_ADDRESS_MISSING = "ec2-address-missing"
    ADDRESS_FLAPPING = "address-flapping"
    SPEC_EDITED = "spec-edited"
    OBJECT_MISSING = "object-missing"
    OBJECT_FOREIGN = "object-foreign"
    SELECTOR_OVERLAP = "selector-overlap"
    FIELD_CONFLICT = "field-conflict"
    RESERVATION_MISSING = "reservation-missing"
    RESERVATION_FOREIGN = "reservation-foreign"
    PLAN_REFUSED = "plan-refused"
    ACTION_FAILED = "action-failed"


SETTLES: frozenset[Kind] = frozenset(
    {
        Kind.OCM_CLUSTER_NOT_READY,
        Kind.POOL_MISSING,
        Kind.POOL_CONFLICT,
        Kind.POOL_LABEL_MISSING,
        Kind.POOL_SHORT,
        Kind.CREDENTIAL_ENDING,
        Kind.NODE_UNUSABLE,
        Kind.NODE_LABEL_MISSING,
        Kind.NO_ELIGIBLE_NODE,
        Kind.CAPACITY_SHORTFALL,
        Kind.CAPACITY_NO_SPARE,
        Kind.SUBNET_CHANGED,
        Kind.INTERFACE_UNTAGGED,
        Kind.CAPACITY_ODD,
        Kind.ADDRESS_LEFTOVER,
        Kind.SELECTOR_OVERLAP,
        Kind.SECTION_UNKNOWN,
        Kind.ADDRESS_TAKEN,
        Kind.ADDRESS_UNASSIGNED,
        Kind.ASSIGNMENT_FAILED,
        Kind.STATUS_LOST,
        Kind.STATUS_UNBACKED,
        Kind.CPIC_STALE,
        Kind.EC2_ADDRESS_MISSING,
        Kind.ACTION_FAILED,
    }
)
"""Kinds that every healthy failover or scale-out passes through: told only when two visits apart agree."""

SEEN_IN_OCM: frozenset[Kind] = frozenset(
    {
        Kind.OCM_CLUSTER_NOT_READY,
        Kind.OCM_CLUSTER_MISMATCH,
        Kind.POOL_MISSING,
        Kind.POOL_IMPOSSIBLE,
        Kind.POOL_DIFFERENT,
        Kind.POOL_CONFLICT,
        Kind.SECOND_WRITER,
        Kind.POOL_LABEL_MISSING,
        Kind.POOL_SHORT,
    }
)
"""Kinds that only a visit that could read OCM can see, or find gone."""

FAIL_OPEN = (
    "Until it serves, pods that should leave by it leave by the policy's other addresses, or, where none serves, with"
    " their nodes' own."
)
"""OVN-Kubernetes programs nothing for an EgressIP without an assigned address: pods go out as if there were none."""


def seconds(time: timedelta) -> int:
    """A time as a finding's patience counts it."""
    return round(time.total_seconds())


def telling_order(severity: str, kind: str, subject: str) -> tuple[int, int, str]:
    """Sort key of findings, live or remembered: the worst first, then by kind, then by subject."""
    return (list(Severity).index(Severity(severity)), list(Kind).index(Kind(kind)), subject)


def some_of(names: Iterable[str], most: int = 8) -> str:
    """The first names, comma-separated, and how many more: a message must stay readable, and small enough to send."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition on one subject.

    Attributes:
        subject: What it is about ("address 10.0.1.9", "node ip-10-0-1-7", "zone eu-central-1a").
        summary: What is the case, one sentence.
        impact: What it means for traffic, one sentence; empty where it means nothing yet.
        todo: What a person can do, in words, with commands to paste on lines of their own; empty where nothing is to be
            done by hand.
        repaired_by: Summary of the action of the same plan that repairs it; empty where the tool can't or must not.
        remedy: What the tool does about it by itself, now or later and what for it waits, as one clause; empty where it
            can't or must not.
        cause: Findings with the same cause are told in one message; the kind alone by default.
        evidence: The facts behind it, as short `name: value` lines.
        certain: True where the circumstances rule out a healthy transition: told at once whatever the kind.
        patience_seconds: For how long a healthy cluster may be like this, where that is longer than findings take to
            settle: a node that leaves, an assignment that the cloud network controller still tries.
    """

    kind: Kind
    subject: str
    severity: Severity
    summary: str
    impact: str = ""
    todo: str = ""
    repaired_by: str = ""
    remedy: str = ""
    cause: str = ""
    evidence: tuple[str, ...] = ()
    certain: bool = False
    patience_seconds: int = 0

    @property
    def settles(self) -> bool:
        """Whether it must be seen by two visits, a while apart, before anyone is told."""
        return (self.kind in SETTLES and not self.certain) or self.patience_seconds > 0

    @property
    def group(self) -> str:
        """What it is told together with."""
        return self.cause or self.kind.value

    def fingerprint(self, cluster: str) -> str:
        """Stable id across visits: 16 hexadecimal digits of cluster, kind and subject."""
        return fingerprint_of(cluster, self.kind, self.subject)


def fingerprint_of(cluster: str, kind: Kind, subject: str) -> str:
    """The fingerprint of the finding of that kind on that subject, whether or not there is one."""
    return hashlib.sha256(f"{cluster}\n{kind}\n{subject}".encode()).hexdigest()[:16]
