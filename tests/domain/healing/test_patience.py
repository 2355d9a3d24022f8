"""For how long an address may ail before people are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.findings import Kind
from chalicelib.domain.healing.treatment import LONGEST_SILENCE
from chalicelib.domain.planning import plan
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
def test_an_address_waits_two_minutes_for_a_node_that_joins(changes: dict[str, Any]) -> None:
    """While a young node lacks host-cidrs nothing is assigned; OVN-Kubernetes looks again when it is Ready."""
    observed, lately = broken(**UNASSIGNED), make.NOW - timedelta(minutes=1)
    nodes = (*known(observed.nodes), make.node("b", 7, created_at=lately, **changes))
    instances = (*known(observed.instances), make.instance("b", 7, launched_at=lately))
    assert told(plan(replace(observed, nodes=nodes, instances=instances), DESIRED)).patience_seconds == 120
