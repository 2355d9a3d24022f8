"""From broken to healed: what ails an address is caused as in life, and visits as deployed repair it.

The platform here is the twin, with the behaviours of the release named in the test; `D..` are the drift catalogue's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.findings import Kind
from sandbox.virtual import Keeper, Killed
from tests.sandbox.virtual.fleets import policy, served, standing, wish

W, X = "10.10.100.250", "10.10.150.250"
MINUTES = 60.0


def keeper(*nodes: int, **changes: Any) -> Keeper:
    """The policy web, with one address in each of two zones, serves."""
    return served(Keeper(standing(*nodes or (2, 2, 2), **changes), wish(policy("web", W, X))))


def heals(keeper: Keeper, within: float, *, address: str = W) -> list[str]:
    """Let the keeper work until the address serves; summaries of all it did. X never stopped serving meanwhile."""
    since = keeper.rosa.now
    assert address not in keeper.rosa.serving()["web"]
    keeper.run(since + within)
    assert address in keeper.rosa.serving()["web"]
    keeper.run(keeper.rosa.now + 5 * MINUTES)
    last = keeper.outcomes[-1][1]
    assert last.look.planned.actions == ()
    assert [f for f in last.findings if f.kind is not Kind.CAPACITY_NO_SPARE] == []
    return [a.summary for at, o in keeper.outcomes if at >= since and o.report for a in o.report.applied]


def undisturbed(keeper: Keeper, since: float, address: str = X) -> bool:
    return keeper.rosa.history.not_serving("web", address, since, keeper.rosa.now) == ()


CYCLED = [f"apply EgressIP web: cycle {W}", f"apply EgressIP web: +{W}", "apply EgressIP web: labels"]


def test_d05_a_silent_abort_is_kicked() -> None:
    """An address added while a node had no host-cidrs stays unassigned without an event; a kick serves it."""
    made = served(Keeper(standing(), wish(policy("web", X))))
    node = made.rosa.accidents.join_without_network("egress-c", "eu-central-1c").node
    made.rosa.run_for(4 * MINUTES)
    made.rosa.accidents.unlabel(node)
    made.rosa.accidents.edit_addresses("web", W, X, manager="egress-keeper")
    made.rosa.accidents.network(node)
    made.wishes(wish(policy("web", W, X), pools=("egress-a", "egress-b")))
    since = made.rosa.now
    done = heals(made, 4 * MINUTES)
    assert "apply EgressIP web: kick" in done
    assert undisturbed(made, since)


def stuck_behind_a_foreign_interface(made: Keeper) -> None:
    """The controller has given up on W, which a foreign interface had meanwhile, and has no longer."""
    accidents = made.rosa.accidents
    accidents.take_address(W)
    foreign = accidents.hold(W)
    accidents.unlabel(made.rosa.serving()["web"].get(W, made.rosa.nodes[0]))
    accidents.edit_cpic(W, made.rosa.nodes[1])
    made.rosa.run_for(10 * MINUTES)
    accidents.label(made.rosa.nodes[0])
    accidents.let_go(foreign)


def lost_status(made: Keeper) -> None:
    made.rosa.accidents.edit_status("web", ((X, made.rosa.serving()["web"][X]),))


@pytest.mark.parametrize("release", ["1.1", "master"])
@pytest.mark.parametrize(
    ("breaks", "within"),
    [(stuck_behind_a_foreign_interface, 6 * MINUTES), (lost_status, 4 * MINUTES)],
    ids=["d06_d07", "d11"],
)
def test_d06_d07_d11_a_stuck_address_is_cycled(release: str, breaks: Callable[[Keeper], None], within: float) -> None:
    """On every release: taken out alone, put back once nothing is left of it, and the other serves throughout."""
    made = keeper(release=release)
    since = made.rosa.now
    breaks(made)
    done = [summary for summary in heals(made, within) if not summary.startswith("label node")]
    assert done == CYCLED
    assert undisturbed(made, since)


def test_d13_a_stale_assignment_is_cycled_twice() -> None:
    """Deleted while the cluster manager was down, it holds the address for ever; the second cycle heals the status."""
    made = served(Keeper(standing(), wish(policy("web", X))))
    accidents = made.rosa.accidents
    accidents.make_object("old", W)
    made.rosa.run_for(30)
    accidents.stop_manager()
    accidents.delete_object("old")
    accidents.edit_addresses("web", X, W, manager="egress-keeper")
    accidents.restart_manager()
    made.wishes(wish(policy("web", W, X)))
    made.rosa.run_for(30)
    done = heals(made, 8 * MINUTES)
    assert done.count(f"apply EgressIP web: cycle {W}") == 2


def test_d14_an_address_that_ec2_lost_is_assigned_again() -> None:
    """The cluster believes that all is well: only EC2 shows it, and there it is repaired."""
    made = keeper()
    since = made.rosa.now
    made.rosa.accidents.take_address(W)
    done = heals(made, 4 * MINUTES)
    assert [summary.split()[:2] for summary in done] == [["assign", W]]
    assert undisturbed(made, since)


def test_d10_an_address_that_was_denied_serves_once_it_is_allowed() -> None:
    """The controller has given up long before somebody mends the permission."""
    made = keeper()
    accidents, node = made.rosa.accidents, made.rosa.serving()["web"][W]
    accidents.refuse("AssignPrivateIpAddresses")
    accidents.terminate(node)
    made.run(made.rosa.now + 20 * MINUTES)
    accidents.accept()
    heals(made, 25 * MINUTES)


def test_d12_a_claim_without_assignment_is_kicked_or_cycled() -> None:
    """The status names a node, and no CPIC stands behind it."""
    made = keeper()
    claim = tuple(made.rosa.serving()["web"].items())
    accidents = made.rosa.accidents
    accidents.stop_manager()
    accidents.delete_cpic(W)
    made.rosa.run_for(5)
    accidents.restart_manager()
    accidents.edit_status("web", claim)
    if W not in made.rosa.serving()["web"]:
        heals(made, 10 * MINUTES)


@pytest.mark.parametrize("cut", range(4))
def test_a_cycle_cut_short_before_any_write_is_finished_by_the_next_visit(cut: int) -> None:
    """Killed between any two writes, with the table lost as well: the object's label brings the address back."""
    made = keeper()
    since = made.rosa.now
    lost_status(made)
    writes = 0

    def kill(_operation: str) -> None:
        nonlocal writes
        writes += 1
        if writes == cut + 1:
            raise Killed

    made.rosa.before_write = kill
    for _ in range(12):
        try:
            made.visit()
        except Killed:
            made.memory.findings.clear()
        made.rosa.run_for(40)
    made.rosa.before_write = None
    assert W in made.rosa.serving()["web"]
    assert made.visit().look.planned.actions == ()
    assert undisturbed(made, since)


def test_a_command_line_without_a_table_finishes_a_cycle_that_a_visit_began() -> None:
    """Nothing but the cluster is needed to know that an address is out and has to come back."""
    made = keeper()
    lost_status(made)
    while not any("cycle" in a.summary for _, o in made.outcomes if o.report for a in o.report.applied):
        made.visit()
        made.rosa.run_for(40)
    forgetful = Keeper(made.rosa, made.desired)
    forgetful.run(made.rosa.now + 3 * MINUTES)
    assert W in made.rosa.serving()["web"]
