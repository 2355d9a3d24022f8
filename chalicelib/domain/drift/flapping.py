"""Addresses that go from node to node again and again. One move is what the platform is for; four in an hour are not.

A CloudPrivateIPConfig tells only its last change. So each move is noted in the memory of findings, as a note that
nobody is told, and added to those of the last hour; without that memory counting starts anew. Moves between two visits
count once: the number is the least that happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from chalicelib.domain.findings import Finding, Kind, Severity, fingerprint_of, some_of
from chalicelib.domain.healing.troubles import subject_of
from chalicelib.domain.remembered import Memo, Remembered
from chalicelib.domain.terrain import Terrain
from chalicelib.domain.verdicts import LONGEST_TRANSIT, Verdict

WITHIN = timedelta(hours=1)
MANY = 4
"""Moves within that time: a rolling upgrade moves an address twice or three times an hour."""

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_TO = ": moved to "


class Move(NamedTuple):
    """An address came to a node, from another one."""

    at: datetime
    node: str


def notice_moves(terrain: Terrain, verdicts: Iterable[Verdict], memory: Remembered) -> Iterator[Finding]:
    """One finding for each address that moved within the last hour: a warning if often, else for the memory alone.

    Once a warning it stays one until the address has kept still for an hour.
    """
    now = terrain.observed.taken_at
    for verdict in verdicts:
        memo = memory.memo(fingerprint_of(terrain.desired.name, Kind.ADDRESS_FLAPPING, subject_of(verdict)))
        moves = _in_the_last_hour((*_remembered(memo), *_last_change(terrain, verdict.address)), now)
        if moves:
            warned = memo is not None and memo.open and memo.severity == Severity.WARNING
            severity = Severity.WARNING if warned or len(moves) >= MANY else Severity.INFO
            yield _finding(verdict, moves, severity)


def _last_change(terrain: Terrain, address: str) -> Iterator[Move]:
    """Where it is by its CloudPrivateIPConfig, and since when. The first assignment of a new one is no move."""
    cpic = terrain.cpic_by_address.get(address)
    if cpic is None or not cpic.healthy or cpic.changed_at is None or cpic.created_at is None:
        return
    if cpic.changed_at - cpic.created_at > LONGEST_TRANSIT:
        yield Move(cpic.changed_at.replace(microsecond=0), cpic.status_node)


def _in_the_last_hour(moves: Iterable[Move], now: datetime) -> tuple[Move, ...]:
    """In order of time, each once. A condition that was written anew on the same node is no move, and what a clock
    that ran ahead wrote is left out.
    """
    found: list[Move] = []
    for move in sorted(set(moves)):
        if now - WITHIN < move.at <= now and (not found or found[-1].node != move.node):
            found.append(move)
    return tuple(found)


def _remembered(memo: Memo | None) -> Iterator[Move]:
    """The moves that the evidence of an earlier visit lists; a line of another form is passed over."""
    for line in memo.evidence if memo is not None else ():
        time, _, node = line.partition(_TO)
        try:
            yield Move(datetime.strptime(time, _FORMAT).replace(tzinfo=UTC), node)
        except ValueError:
            continue


_WHY = (
    "See why OVN-Kubernetes takes these nodes for gone: Ready, and since when; the status checks of their EC2"
    " instances; and reachabilityTotalTimeoutSeconds of the cluster's network operator (Look), for with a second or so"
    " a busy node counts as unreachable."
)


def _finding(verdict: Verdict, moves: tuple[Move, ...], severity: Severity) -> Finding:
    nodes = sorted({move.node for move in moves})
    return Finding(
        Kind.ADDRESS_FLAPPING,
        subject_of(verdict),
        severity,
        f"{verdict.address} ({verdict.policy}, {verdict.zone}) moved {len(moves)} times within an hour, between"
        f" {some_of(nodes)}.",
        impact="Each move breaks the connections that leave by it, and for seconds they leave by other addresses.",
        todo="\n".join((_WHY, *(f"oc describe node {node}" for node in nodes[:8]))),
        cause=f"nodes of zone {verdict.zone}",
        evidence=tuple(f"{move.at:{_FORMAT}}{_TO}{move.node}" for move in moves),
    )
