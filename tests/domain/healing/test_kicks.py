"""Kick: when an address that nothing looks at is looked at again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.actions import LABEL_KICK, ApplyEgressIp, AssignAddress
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.healing.treatment import KICK_PAUSE, MOST_KICKS
from chalicelib.domain.planning import plan
from tests.domain.healing.ailing import (
    CYCLE_A,
    DESIRED,
    FAILED,
    SUBJECT,
    UNASSIGNED,
    apply,
    broken,
    long_seen,
    served,
    told,
    tried,
    with_capacity,
)
from tests.domain.world import apply_plan
from tests.factories import known


def test_d05_an_unassigned_address_is_kicked() -> None:
    """A label of ours changes and nothing else: OVN-Kubernetes looks again, and what serves does not move."""
    action = apply(plan(broken(**UNASSIGNED), DESIRED, long_seen()))
    assert action.kick
    assert action.before is not None
    assert action.after == action.before
    assert action.marks == {LABEL_KICK: tried(Kind.ADDRESS_UNASSIGNED, 1)}
    assert action.summary == "apply EgressIP ns: kick"


@pytest.mark.parametrize(
    ("label", "kicks", "person"),
    [
        (tried(Kind.ADDRESS_UNASSIGNED, 1, KICK_PAUSE - timedelta(seconds=1)), False, False),
        (tried(Kind.ADDRESS_UNASSIGNED, 1, KICK_PAUSE), True, False),
        (tried(Kind.ADDRESS_UNASSIGNED, MOST_KICKS, KICK_PAUSE), False, False),
        (tried(Kind.ADDRESS_UNASSIGNED, MOST_KICKS, 2 * KICK_PAUSE), False, True),
        ("by hand", True, False),
        (tried(Kind.ADDRESS_UNASSIGNED, 9999), False, False),
        (tried(Kind.ADDRESS_UNASSIGNED, 9999, timedelta(days=1)), False, True),
        ("address-unassigned.9999.99991231T235959Z", True, False),
    ],
)
def test_d05_kicks_end(label: str, kicks: bool, person: bool) -> None:
    """A pause after each, a longer one after the second, and then it is a matter for a person."""
    planned = plan(broken(**UNASSIGNED, labels={LABEL_KICK: label}), DESIRED, long_seen())
    assert [isinstance(a, ApplyEgressIp) and a.kick for a in planned.actions] == [True] * kicks
    assert ("A person is needed" in told(planned).todo) is person
    assert told(planned).severity is (Severity.CRITICAL if person else Severity.WARNING)


def test_d05_no_kick_while_a_node_lacks_host_cidrs() -> None:
    """OVN-Kubernetes would drop that too, without a word."""
    observed = broken(**UNASSIGNED)
    blind = replace(known(observed.nodes)[0], host_addresses=None)  # it was read
    planned = plan(replace(observed, nodes=(blind, *known(observed.nodes)[1:])), DESIRED, long_seen())
    assert planned.actions == ()
    assert told(planned).remedy.startswith("waits for host-cidrs of node node-a0")
    assert told(planned).todo.startswith("Nothing yet: it waits for host-cidrs of node node-a0")
    assert "scale up" not in told(planned).todo


@pytest.mark.parametrize(
    "cpic",
    [None, {"owner": "renamed"}, FAILED, {"deleting": True}, {"spec_node": "node-a1", "status_node": "node-a1"}],
    ids=["none", "another-object's", "failed", "going", "elsewhere"],
)
def test_what_may_serve_is_never_treated(cpic: dict[str, Any] | None) -> None:
    """OVN-Kubernetes sends out by the node that the status names: with the address there it serves."""
    kicks = {LABEL_KICK: tried(Kind.STATUS_UNBACKED, MOST_KICKS, 2 * KICK_PAUSE)}
    planned = plan(broken(cpic=cpic, claimed="node-a0", on="eni-a0", labels=kicks), DESIRED, long_seen())
    assert not any(isinstance(a, AssignAddress) or (isinstance(a, ApplyEgressIp) and a.cycled) for a in planned.actions)
    found = [f for f in planned.findings if f.subject == SUBJECT]
    assert all("it is on node node-a0, as the status says" in f.todo for f in found)
    assert all(f.impact.startswith("It may serve for now") for f in found)


def test_d05_no_kick_where_no_node_has_room() -> None:
    """OVN-Kubernetes would place it all the same, and EC2 refuse it: then it would be stuck."""
    observed = broken(**UNASSIGNED)
    full = tuple(with_capacity(n, 0) for n in known(observed.nodes))
    planned = plan(replace(observed, nodes=full), DESIRED, long_seen())
    assert planned.actions == ()
    assert "which has none" in told(planned).remedy
    assert "scale up machine pool egress-a" in told(planned).todo


def test_what_was_tried_is_dropped_once_it_is_over() -> None:
    """With all of it as it should be, the labels go, and counting begins anew next time."""
    labels = {LABEL_KICK: tried(Kind.ADDRESS_UNASSIGNED, 2), CYCLE_A: tried(Kind.STATUS_LOST, 3)}
    planned = plan(broken(cpic={}, labels=labels), DESIRED)
    assert apply(planned).marks == {}
    after = apply_plan(broken(cpic={}, labels=labels), planned)
    assert set(known(after.egress_ips)[0].labels) & set(labels) == set()  # it was read
    assert plan(after, DESIRED).actions == ()


def test_a_kick_label_of_somebody_else_stays() -> None:
    """What we do not hold we do not drop."""
    observed = broken(cpic={}, labels={LABEL_KICK: "7"})
    theirs = replace(known(observed.egress_ips)[0], owned_fields=known(served().egress_ips)[0].owned_fields)
    assert plan(replace(observed, egress_ips=(theirs,)), DESIRED).actions == ()
