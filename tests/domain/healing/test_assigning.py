"""Re-assign: an address that EC2 lost is put back on its interface."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.actions import AssignAddress
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.healing.treatment import KICK_PAUSE, MOST_ASSIGNS
from chalicelib.domain.planning import plan
from chalicelib.domain.remembered import Memo, Remembered
from tests import factories as make
from tests.domain.healing.ailing import DESIRED, LONG_AGO, SUBJECT, A, apply, broken, long_seen, seen_since, told
from tests.factories import known

GONE: dict[str, Any] = {"cpic": {}, "on": ""}


def remembered_tries(tries: int, ago: timedelta) -> Remembered:
    finding = Finding(Kind.EC2_ADDRESS_MISSING, SUBJECT, Severity.CRITICAL, "")
    return Remembered({finding.fingerprint("demo"): Memo(LONG_AGO, make.NOW, tries, make.NOW - ago)})


def test_d14_an_address_that_ec2_lost_is_put_back_on_its_interface() -> None:
    """On the first interface of the node that the cluster believes it to be on; the object is not touched."""
    (action,) = plan(broken(**GONE), DESIRED, long_seen(Kind.EC2_ADDRESS_MISSING)).actions
    assert isinstance(action, AssignAddress)
    assert (action.interface_id, str(action.address), action.node) == ("eni-a0", A, "node-a0")
    assert told(plan(broken(**GONE), DESIRED, long_seen(Kind.EC2_ADDRESS_MISSING))).repaired_by == action.summary
    assert plan(broken(**GONE), DESIRED).actions == ()


@pytest.mark.parametrize(
    ("memory", "done"),
    [
        (remembered_tries(1, timedelta(minutes=1)), ""),
        (remembered_tries(1, KICK_PAUSE), "assign"),
        (remembered_tries(1, timedelta(days=-1)), "assign"),
        (remembered_tries(MOST_ASSIGNS, KICK_PAUSE), "apply"),
        (long_seen(Kind.EC2_ADDRESS_MISSING), "assign"),
    ],
)
def test_d14_assigning_ends_in_a_cycle(memory: Remembered, done: str) -> None:
    """Twice at most, with a pause; then the whole assignment is made anew."""
    assert [a.summary.split()[0] for a in plan(broken(**GONE), DESIRED, memory).actions] == [done] * bool(done)


def test_d14_a_refused_assignment_is_a_cycle() -> None:
    """Without the permission for it, or where EC2 says no, the platform does it."""
    (refused,) = plan(broken(**GONE), DESIRED, long_seen(Kind.EC2_ADDRESS_MISSING)).actions
    failed = seen_since(Kind.ACTION_FAILED, make.NOW, f"action {refused.summary}")
    memory = Remembered({**long_seen(Kind.EC2_ADDRESS_MISSING).memos, **failed.memos})
    assert apply(plan(broken(**GONE), DESIRED, memory)).cycled == (A,)


@pytest.mark.parametrize("interface", ["eni-other", None])
def test_d14_which_interface_must_be_certain(interface: str | None) -> None:
    """Where EC2 and the node's annotation do not name the same one, nothing is assigned."""
    observed = broken(**GONE)
    instances = tuple(replace(i, interface_id=interface) if i.id == "i-a0" else i for i in known(observed.instances))
    memory = long_seen(Kind.EC2_ADDRESS_MISSING)
    assert apply(plan(replace(observed, instances=instances), DESIRED, memory)).cycled == (A,)
