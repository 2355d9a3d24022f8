"""The plan: one value that a dry run prints, the guard judges, the executor performs and the alert carries."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, is_dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from chalicelib.domain.actions import Action
from chalicelib.domain.findings import Finding
from chalicelib.domain.rehearsing.rehearsal import Rehearsal
from chalicelib.domain.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Allocation:
    """One address that belongs to one policy.

    Attributes:
        source: Where it comes from: "fleet" (listed there), "object" or "reservation" (given earlier, found again),
            "chosen" (new).
        held: Why it is not asked for in the cluster yet ("" where it is): a place is missing, a node is joining.
    """

    policy: str
    address: IPv4Address
    subnet_id: str
    zone: str
    source: str
    held: str = ""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Something the plan would have done and does not, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one visit decided.

    Attributes:
        actions: In the order of execution.
        notes: What later visits have to know and nobody else: remembered as findings are, and never told or shown.
        moving: Why the cluster should be looked at again soon; empty where it is at rest.
        awaits: An address is not asked for yet, and a machine joins that it may be waiting for.
        rehearsal: What trying it on the twin expects; None where the platform would notice nothing of it.
    """

    cluster: str
    actions: tuple[Action, ...] = ()
    findings: tuple[Finding, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    moving: tuple[str, ...] = ()
    awaits: bool = False
    rehearsal: Rehearsal | None = None
    notes: tuple[Finding, ...] = ()

    @property
    def digest(self) -> str:
        """What a person approves: 12 hexadecimal digits of the cluster and the actions, independent of time."""
        timeless = [
            {key: value for key, value in action_document(action).items() if key not in ("marks", "version")}
            for action in self.actions
        ]
        text = json.dumps([self.cluster, timeless], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def action_document(action: Action) -> dict[str, Any]:
    """An action as JSON-ready values, with its class and its summary."""
    return {"action": type(action).__name__, "summary": action.summary, **plain(action)}


def plain(value: Any) -> Any:
    """Dataclasses, addresses, tuples and mappings as JSON-ready values; numbers, texts and None as they are."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: plain(item) for key, item in asdict(value).items()}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if isinstance(value, (IPv4Address, IPv4Network)):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
