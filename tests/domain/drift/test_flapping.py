"""Addresses that move again and again: single moves stay quiet, four within an hour are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.findings import Finding, Kind, Severity, fingerprint_of
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.remembered import SETTLE, Memo, Remembered, remembered
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.telling.life import Timing
from chalicelib.domain.telling.messages import Place
from chalicelib.usecases.tell import tell
from sandbox.virtual.fakes import FakeAlerts, FakeMemory
from tests import factories as make
from tests.domain.world import converge
from tests.factories import known

A, B = "10.10.100.253", "10.10.150.253"
DESIRED = make.cluster(make.policy("ns", A, B))
HEALTHY = converge(make.snapshot(nodes_per_zone=2), DESIRED)
TIMING = Timing(SETTLE, timedelta(days=1))
MINUTE = timedelta(minutes=1)
BORN = make.NOW - timedelta(days=3)
NODES = ("node-a0", "node-a1")


def there(at: datetime, node: str, *, now: datetime, born: datetime = BORN, assigned: str = "True") -> Snapshot:
    """The cluster with A on that node since then, and healthy unless said otherwise; only its CPIC has a history."""
    interfaces = {"node-a0": "eni-a0", "node-a1": "eni-a1"}

    def secondary(interface_id: str, addresses: tuple[IPv4Address, ...]) -> tuple[IPv4Address, ...]:
        own = tuple(address for address in addresses if str(address) != A)
        return (*own, address_a) if interface_id == interfaces[node] else own

    address_a = next(iter(make.policy("x", A).addresses))
    return replace(
        HEALTHY,
        taken_at=now,
        egress_ips=tuple(
            replace(eip, items=tuple((a, node if a == A else n) for a, n in eip.items))
            for eip in known(HEALTHY.egress_ips)
        ),
        cpics=tuple(
            replace(c, spec_node=node, status_node=node, changed_at=at, created_at=born, assigned=assigned)
            if c.address == A
            else c
            for c in known(HEALTHY.cpics)
        ),
        interfaces=tuple(replace(i, addresses=secondary(i.id, i.addresses)) for i in known(HEALTHY.interfaces)),
    )


class Watch:
    """Visits by the minute with what they remember, and what people hear."""

    def __init__(self) -> None:
        self.memory, self.alerts, self.writes = FakeMemory(), FakeAlerts(), 0

    def visit(self, observed: Snapshot) -> Plan:
        records = self.memory.fetch_findings("demo")
        planned = plan(observed, DESIRED, remembered(records))
        tell(
            Place("demo", "eu-central-1", "https://example.org"), planned.findings, records,
            complete=True, done=frozenset(), run_id="r", now=observed.taken_at, memory=self.memory,
            alerts=self.alerts, timing=TIMING, notes=planned.notes,
        )  # fmt: skip
        return planned

    def moves(self, number: int, *, every: timedelta = 5 * MINUTE, start: datetime = make.NOW) -> datetime:
        """So many moves to and fro, each seen twice; returns when the last one was."""
        at = start
        for count in range(number):
            at = start + count * every
            for later in (MINUTE, 2 * MINUTE):
                self.planned = self.visit(there(at, NODES[count % 2], now=at + later))
        return at

    def told(self) -> list[str]:
        return [alert.subject for alert in self.alerts.sent]


def flapping(planned: Plan) -> list[Finding]:
    return [finding for finding in planned.findings if finding.kind is Kind.ADDRESS_FLAPPING]


def test_d8_fewer_moves_than_four_stay_quiet() -> None:
    """A failover, and a rolling upgrade: no finding is shown and nobody hears of one; the memory alone knows."""
    watch = Watch()
    watch.moves(3)
    assert watch.planned.findings == ()
    assert [note.severity for note in watch.planned.notes] == [Severity.INFO]
    assert watch.told() == []


def test_d8_the_fourth_move_within_the_hour_is_told_once() -> None:
    """It names the nodes and what to look at; nothing is done about it."""
    watch = Watch()
    watch.moves(4)
    (found,) = flapping(watch.planned)
    assert (found.severity, found.subject) == (Severity.WARNING, f"address {A} of ns")
    assert "moved 4 times within an hour, between node-a0, node-a1" in found.summary
    assert "reachabilityTotalTimeoutSeconds" in found.todo
    assert "oc describe node" in found.todo
    assert len(found.evidence) == 4
    assert (watch.planned.actions, watch.planned.notes) == ((), ())
    assert len(watch.told()) == 1


def test_d8_it_is_over_when_the_address_has_kept_still_for_an_hour() -> None:
    """Until then it stays the same warning, however few of its moves are still within the hour; then it is over."""
    watch = Watch()
    last = watch.moves(5)
    for minutes in (30, 50, 59):
        assert flapping(watch.visit(there(last, NODES[0], now=last + minutes * MINUTE)))
    for minutes in (60, 61, 62):
        planned = watch.visit(there(last, NODES[0], now=last + minutes * MINUTE))
        assert planned.findings == planned.notes == ()
    assert len(watch.told()) == 2
    assert watch.told()[-1].startswith("RESOLVED")
    again = last + timedelta(hours=5)
    planned = watch.visit(there(again, NODES[1], now=again + MINUTE))
    assert (planned.findings, len(planned.notes)) == ((), 1), "one move on the next day is one move"


def test_d8_slow_moves_never_add_up() -> None:
    """Four moves in four hours are four healthy moves."""
    watch = Watch()
    watch.moves(8, every=timedelta(minutes=25))
    assert watch.told() == []


def test_d8_a_first_assignment_is_no_move_nor_is_a_condition_written_anew() -> None:
    """A new address comes to a node, and a restart of the controller rewrites what is as it was."""
    now = make.NOW
    assert plan(there(now - MINUTE, NODES[0], now=now, born=now - 2 * MINUTE), DESIRED).notes == ()
    watch = Watch()
    for count in range(6):
        at = now + count * 5 * MINUTE
        planned = watch.visit(there(at, NODES[0], now=at + MINUTE))
    assert len(planned.notes[0].evidence) == 1
    assert watch.told() == []


def test_d8_a_lost_table_starts_anew() -> None:
    """Without memory the last move is all there is, and nothing is made up."""
    watch = Watch()
    last = watch.moves(4)
    planned = Watch().visit(there(last, NODES[1], now=last + 3 * MINUTE))
    assert planned.findings == ()
    assert len(planned.notes[0].evidence) == 1


def test_d8_what_is_no_list_of_moves_is_passed_over() -> None:
    """A record of another version must not stop the planning of repairs."""
    memo = Memo(make.NOW, make.NOW, evidence=("moved about", "2026: moved to node-a0"))
    memory = Remembered({fingerprint_of("demo", Kind.ADDRESS_FLAPPING, f"address {A} of ns"): memo})
    planned = plan(there(make.NOW - MINUTE, NODES[0], now=make.NOW), DESIRED, memory)
    assert len(planned.notes[0].evidence) == 1


def test_d8_moves_are_remembered_while_the_address_is_under_way() -> None:
    """A visit that meets it between two nodes forgets nothing."""
    watch = Watch()
    last = watch.moves(3)
    between = there(last, NODES[0], now=last + 4 * MINUTE, assigned="Unknown")
    assert len(watch.visit(between).notes[0].evidence) == 3
    assert flapping(watch.visit(there(last + 5 * MINUTE, NODES[1], now=last + 6 * MINUTE)))


@given(st.lists(st.integers(0, 40), max_size=8))
def test_d8_a_note_is_written_once_a_move_and_goes_within_the_hour(gaps: list[int]) -> None:
    """However the moves come: what is remembered is at most an hour old, and a quiet cluster stores nothing."""
    watch, at = Watch(), make.NOW
    for count, gap in enumerate(gaps):
        at += (gap + 1) * MINUTE
        planned = watch.visit(there(at, NODES[count % 2], now=at))
        evidence = [line for found in (*planned.notes, *flapping(planned)) for line in found.evidence]
        assert all(line >= f"{at - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}" for line in evidence)
        before = [(record.fingerprint, record.version) for record in watch.memory.fetch_findings("demo")]
        if planned.notes:
            watch.visit(there(at, NODES[count % 2], now=at + timedelta(seconds=20)))
            assert [(r.fingerprint, r.version) for r in watch.memory.fetch_findings("demo")] == before
    for minutes in (61, 63, 65):
        planned = watch.visit(there(at, NODES[0], now=at + minutes * MINUTE))
    assert planned.notes == planned.findings == ()
    assert not any(record.open_since for record in watch.memory.fetch_findings("demo"))
