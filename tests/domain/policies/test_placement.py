"""Addresses of policies in a plan: asked for, waited for, moved and replaced."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.actions import ApplyEgressIp
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.planning import plan
from tests import factories as make
from tests.domain.healing.ailing import CYCLE_A, DESIRED, FAILED, broken, tried
from tests.domain.reading import A, B, C, applied, finding, held
from tests.domain.world import converge, settle
from tests.factories import known


def test_listed_addresses_are_reserved_and_asked_for() -> None:
    """The guide's example: three addresses, one a zone, become three reservations and one EgressIP."""
    planned = plan(make.snapshot(), make.cluster(make.policy("ns", A, B, C)))
    assert [action.summary for action in planned.actions] == [
        f"reserve {A}/32 in subnet-a",
        f"reserve {B}/32 in subnet-b",
        f"reserve {C}/32 in subnet-c",
        f"create EgressIP ns: +{A} +{B} +{C}",
    ]
    assert {a.source for a in planned.allocations} == {"fleet"}


def test_an_address_still_being_released_is_waited_for() -> None:
    """An object that asks for an address whose CPIC is on its way out could end up with neither."""
    observed = make.snapshot(
        cpics=(make.cpic(A, deleting=True),),
        interfaces=(make.interface("a", 0, A), make.interface("b"), make.interface("c")),
    )
    planned = plan(observed, make.cluster(make.policy("ns", A)))
    assert held(planned) == {A: "it is still being released on node node-a0"}
    assert planned.moving == (f"{A} is being released",)
    assert Kind.ADDRESS_TAKEN not in {f.kind for f in planned.findings}


def test_an_address_moves_between_policies_in_two_steps() -> None:
    """The new policy waits, without alarm, until the old one has let go of the address."""
    first = converge(make.snapshot(), make.cluster(make.policy("old", A)))
    desired = make.cluster(make.policy("ns", A, B), make.policy("old", C))
    planned = plan(first, desired)
    assert held(planned) == {A: "EgressIP old has it until this plan has been applied"}
    assert not {f.kind for f in planned.findings} & {Kind.ADDRESS_DUPLICATE, Kind.ADDRESS_TAKEN}
    assert applied(planned) == {"ns": (B,), "old": (C,)}
    rested = converge(first, desired)
    assert {e.name: set(e.spec.addresses) for e in known(rested.egress_ips)} == {"ns": {A, B}, "old": {C}}


def test_an_address_whose_subnet_is_gone_is_replaced_once_it_is_dead() -> None:
    """Chosen addresses follow their zone into another subnet only when the old one is gone and nothing serves there."""
    dead = make.egress_ip("ns", "10.10.99.253")
    planned = plan(make.snapshot(egress_ips=(dead,)), make.cluster(make.policy("ns", per_zone=1)))
    assert "10.10.99.253" not in applied(planned)["ns"]
    assert len(applied(planned)["ns"]) == 3


def test_a_zone_without_nodes_keeps_its_addresses() -> None:
    """Scaling a pool to zero changes no address; the zone is what is wrong, not each of its addresses."""
    desired = make.cluster(make.policy("ns", A, B))
    rested = converge(make.snapshot(), desired)
    without = replace(
        rested,
        nodes=tuple(n for n in known(rested.nodes) if n.name != "node-a0"),
        instances=tuple(i for i in known(rested.instances) if i.id != "i-a0"),
        interfaces=tuple(i for i in known(rested.interfaces) if i.id != "eni-a0"),
    )
    planned = plan(settle(without), desired)
    assert planned.actions == ()
    assert {f.kind for f in planned.findings if f.severity is Severity.CRITICAL} == {Kind.NO_ELIGIBLE_NODE}
    assert finding(planned, Kind.ADDRESS_UNASSIGNED).severity is Severity.WARNING, "the policy's other one serves"
    assert len({f.group for f in planned.findings if f.severity is Severity.CRITICAL}) == 1


@pytest.mark.parametrize(("minutes", "adds"), [(9, ()), (10, (A,))])
@pytest.mark.parametrize("cpic", [{}, FAILED], ids=["healthy", "failed"])
def test_an_address_whose_release_was_forgotten_is_put_back(
    cpic: dict[str, Any], minutes: float, adds: tuple[str, ...]
) -> None:
    """A cycle took it out, and its CPIC stands there untouched: OVN-Kubernetes will not release it by itself any more.

    One that is still carried comes back to its own place, one that is not finds room again.
    """
    mark = tried(Kind.ASSIGNMENT_FAILED, 1, timedelta(minutes=minutes))
    out = broken(cpic=cpic, claimed="", on="eni-a0" if not cpic else "", listed=False, labels={CYCLE_A: mark})
    planned = plan(out, DESIRED)
    assert tuple(a for action in planned.actions if isinstance(action, ApplyEgressIp) for a in action.adds) == adds
