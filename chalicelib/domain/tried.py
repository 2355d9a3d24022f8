"""What was tried on an EgressIP, remembered by the object itself: labels of ours, written in the same apply.

Belongs here: the labels' keys and values. Does not belong here: what is tried, and when (`remedies`).

A cycle takes one dead address out of the list and puts it back. In between only this label says that the address still
belongs to the policy and has to come back; it is written by the apply that takes the address out, so no crash comes in
between, and a visit without any table finishes what another began. Once the address serves, the label goes.

| `egress-keeper/cycle-ADDRESS` | the list has ADDRESS | meaning |
| --- | --- | --- |
| absent | yes | nothing was tried |
| there | no | a cycle is under way: the address is out |
| there | yes | it was put back; whether that helped is not known yet, or it did not |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.domain.actions import LABEL_CYCLE_PREFIX, LABEL_KICK
from chalicelib.domain.findings import Kind
from chalicelib.domain.snapshot import EgressIp

_TIME = "%Y%m%dT%H%M%SZ"

_CLOCKS_DIFFER = timedelta(minutes=5)
"""A label from further ahead was written by a clock that was wrong, or by hand: it would keep its address waiting."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One label's value, `KIND.TRIES.TIME`.

    Attributes:
        kind: The finding for which it was tried: it stays open until it is known whether the try helped.
        tries: How many there were since the address, or the object, was last as it should be.
        at: When the last one began, UTC, whole seconds.
    """

    kind: Kind
    tries: int
    at: datetime

    @property
    def value(self) -> str:
        """As the label says it: within 63 characters of letters, digits, dashes and dots."""
        return f"{self.kind}.{self.tries}.{self.at:{_TIME}}"


def parse_tried(value: str) -> Tried | None:
    """Read a label's value; None for what is not ours to understand, which then counts as nothing tried."""
    kind, _, rest = value.partition(".")
    tries, _, at = rest.partition(".")
    if not (tries.isascii() and tries.isdigit() and len(tries) < 5):
        return None
    try:
        return Tried(Kind(kind), int(tries), datetime.strptime(at, _TIME).replace(tzinfo=UTC))
    except ValueError:
        return None


def kicked(egress_ip: EgressIp, now: datetime) -> Tried | None:
    """The kicks of the object since all of it was as it should be."""
    return _believed(egress_ip.labels.get(LABEL_KICK, ""), now)


def cycled(egress_ip: EgressIp, now: datetime) -> Mapping[str, Tried]:
    """Cycles by address, under way or done."""
    found = {
        key.removeprefix(LABEL_CYCLE_PREFIX): _believed(value, now)
        for key, value in sorted(egress_ip.labels.items())
        if key.startswith(LABEL_CYCLE_PREFIX)
    }
    return {address: tried for address, tried in found.items() if tried is not None}


def _believed(value: str, now: datetime) -> Tried | None:
    tried = parse_tried(value)
    return tried if tried is not None and tried.at <= now + _CLOCKS_DIFFER else None


def is_remedy_label(key: str) -> bool:
    """Whether the label is one of those above."""
    return key == LABEL_KICK or key.startswith(LABEL_CYCLE_PREFIX)
