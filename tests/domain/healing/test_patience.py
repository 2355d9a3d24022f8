"""For how long an address may ail before people are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.findings import Kind
from chalicelib.domain.healing.treatment import LONGEST_SILENCE
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import Interface, Snapshot
from tests import factories as make
from tests.domain.healing.ailing import DESIRED, FAILED, UNASSIGNED, broken, seen_since, told
from tests.factories import known


@pytest.mark.parametrize(
    ("message", "ago", "seconds"),
    [
        ("InternalError", timedelta(seconds=40), 360),
        ("RequestLimitExceeded", timedelta(seconds=40), 480),
        ("InternalError", LONGEST_SILENCE, 0),
        ("UnauthorizedOperation", timedelta(seconds=40), 0),
    ],
)
def test_nobody_is_woken_while_the_controller_still_tries(message: str, ago: timedelta, seconds: int) -> None:
    """After its last word people hear at once; what trying cannot mend they hear as soon as it has settled."""
    cpic = FAILED | {"message": message, "changed_at": make.NOW - ago}
    recent = seen_since(Kind.ASSIGNMENT_FAILED, make.NOW - timedelta(seconds=90))
    assert told(plan(broken(cpic=cpic, claimed="", on=""), DESIRED, recent)).patience_seconds == seconds


def test_a_policy_that_serves_is_patient_while_its_nodes_come_and_go() -> None:
    """One node of two restarts and an address has to wait for it: partners still see an address they let in."""
    observed = broken(**UNASSIGNED)
    restarts = tuple(replace(n, ready=n.name != "node-a0") for n in known(observed.nodes))
    assert told(plan(replace(observed, nodes=restarts), DESIRED)).patience_seconds == 600
    lost = tuple(replace(n, ready=not n.name.startswith("node-a")) for n in known(observed.nodes))
    assert told(plan(replace(observed, nodes=lost), DESIRED)).patience_seconds == 0, "told with its zone"


@pytest.mark.parametrize("changes", [{"host_addresses": None}, {"ready": False}])
@pytest.mark.parametrize(("others_serve", "seconds"), [(True, 600), (False, 120)])
def test_an_address_waits_for_a_node_that_joins(changes: dict[str, Any], others_serve: bool, seconds: int) -> None:
    """While a young node lacks host-cidrs nothing is assigned; OVN-Kubernetes looks again when it is Ready."""
    observed = broken(**UNASSIGNED)
    there = (replace(known(observed.egress_ips)[0], items=()),)
    alone = observed if others_serve else replace(observed, egress_ips=there, cpics=(), interfaces=bare(observed))
    assert told(plan(with_young(alone, "b", **changes), DESIRED)).patience_seconds == seconds


@pytest.mark.parametrize(("zone", "seconds"), [("a", 600), ("b", 0)])
def test_an_address_waits_for_a_node_that_has_just_joined(zone: str, seconds: int) -> None:
    """It is put there within seconds, or at the next trigger: a visit in between must not begin to count anew."""
    observed = broken(**UNASSIGNED)
    assert told(plan(with_young(observed, zone), DESIRED)).patience_seconds == seconds


def with_young(observed: Snapshot, zone: str, **changes: Any) -> Snapshot:
    """One more node of that zone, a minute old."""
    lately = make.NOW - timedelta(minutes=1)
    return replace(
        observed,
        nodes=(*known(observed.nodes), make.node(zone, 7, created_at=lately, **changes)),
        instances=(*known(observed.instances), make.instance(zone, 7, launched_at=lately)),
    )


def bare(observed: Snapshot) -> tuple[Interface, ...]:
    return tuple(replace(interface, addresses=interface.addresses[:1]) for interface in known(observed.interfaces))
