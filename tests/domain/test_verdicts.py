from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest

from chalicelib.domain.findings import Finding, Kind
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.verdicts import LONGEST_TRANSIT, State, Verdict
from tests import factories as make
from tests.domain.world import converge
from tests.factories import known

A = "10.10.100.253"
DESIRED = make.cluster(make.policy("ns", A))
LONG_AGO = make.NOW - LONGEST_TRANSIT - timedelta(seconds=1)
JUST_NOW = make.NOW - LONGEST_TRANSIT
MOVING = {"spec_node": "node-a1", "status_node": "node-a0", "assigned": "Unknown"}
FAILED = {"assigned": "False", "message": "Error: PrivateIpAddressLimitExceeded"}


def world(
    *, cpic: dict[str, Any] | None = None, claimed: str | None = "node-a0", on: str = "eni-a0", listed: bool = True
) -> Snapshot:
    """The policy in force, with its CPIC, its status and its place in EC2 changed like this."""
    observed = converge(make.snapshot(nodes_per_zone=2), DESIRED)
    (there,) = known(observed.egress_ips)
    stranger = make.interface("a", 9, id="eni-x", instance_id=None, addresses=())
    moved = tuple(
        replace(
            i,
            addresses=tuple(a for a in i.addresses if str(a) != A) + ((IPv4Address(A),) if i.id == on else ()),
        )
        for i in (*known(observed.interfaces), stranger)
    )
    return replace(
        observed,
        egress_ips=(replace(there, items=((A, claimed),) if claimed else ()),) if listed else (),
        cpics=() if cpic is None else (make.cpic(A, **cpic),),
        interfaces=moved,
    )


@pytest.mark.parametrize(
    ("observed", "state"),
    [
        (world(cpic={}), State.SERVING),
        (world(cpic=None, claimed=None, on=""), State.UNASSIGNED),
        (world(cpic=None, on=""), State.STATUS_UNBACKED),
        (world(cpic={"owner": "gone"}), State.STALE_CPIC),
        (world(cpic={"owner": None}), State.SERVING),
        (world(cpic=FAILED), State.FAILED),
        (world(cpic=MOVING, claimed=None), State.MOVING),
        (world(cpic=MOVING | {"changed_at": JUST_NOW}), State.MOVING),
        (world(cpic=MOVING | {"changed_at": LONG_AGO}), State.FAILED),
        (world(cpic={"deleting": True}), State.MOVING),
        (world(cpic={"status_node": ""}), State.MOVING),
        (world(cpic={"assigned": None}), State.MOVING),
        (world(cpic={}, on=""), State.EC2_MISSING),
        (world(cpic={}, on="eni-a1"), State.ELSEWHERE),
        (world(cpic={}, on="eni-x"), State.ELSEWHERE),
        (world(cpic={}, claimed=None), State.STATUS_LOST),
        (world(cpic={}, claimed="node-a1"), State.MOVING),
        (world(cpic={"changed_at": LONG_AGO}, claimed="node-a1"), State.STATUS_UNBACKED),
        (world(cpic={"changed_at": LONG_AGO}), State.SERVING),
        (world(cpic=None, on="", listed=False), State.ABSENT),
    ],
    ids=lambda value: value if isinstance(value, State) else "",
)
def test_the_decision_table(observed: Snapshot, state: State) -> None:
    """What object, CPIC and EC2 say together, most telling first; what takes too long is no movement any more."""
    (verdict,) = plan(observed, DESIRED).verdicts
    assert verdict.state is state
    assert verdict.serving_node == ("node-a0" if state is State.SERVING else "")


def verdict(**changes: Any) -> Verdict:
    return plan(world(**changes), DESIRED).verdicts[0]


def test_a_verdict_names_all_sides() -> None:
    """Address → policy → zone → node → interface → reservation, in one line."""
    assert verdict(cpic={}) == Verdict(
        policy="ns",
        address=A,
        zone="eu-central-1a",
        state=State.SERVING,
        in_spec=True,
        claimed_node="node-a0",
        cpic="True on node-a0",
        interface="eni-a0",
        interface_node="node-a0",
        reservation=f"{A}/32",
    )


@pytest.mark.parametrize(
    ("cpic", "words"),
    [
        (None, "none"),
        (FAILED, "False: Error: PrivateIpAddressLimitExceeded"),
        ({"deleting": True}, "being deleted on node-a0"),
        ({"assigned": None, "status_node": ""}, "new on node-a0"),
    ],
)
def test_the_cpic_in_words(cpic: dict[str, Any] | None, words: str) -> None:
    """Short enough for a table, and with EC2's own message where it failed."""
    assert verdict(cpic=cpic).cpic == words


def test_what_is_no_address_gets_a_verdict_too() -> None:
    """Garbage in the list is shown last, in no zone."""
    listed = make.egress_ip("ns", "10.10.100.256", A)
    verdicts = plan(make.snapshot(egress_ips=(listed,)), DESIRED).verdicts
    assert [(v.address, v.zone) for v in verdicts] == [(A, "eu-central-1a"), ("10.10.100.256", "unknown")]


def test_objects_that_are_to_go_are_judged() -> None:
    """Until it is deleted, what it carries is shown."""
    verdicts = plan(world(cpic={}), make.cluster()).verdicts
    assert [(v.policy, v.state) for v in verdicts] == [("ns", State.SERVING)]


def findings(observed: Snapshot) -> list[Finding]:
    return [f for f in plan(observed, DESIRED).findings if f.subject == f"address {A} of ns"]


@pytest.mark.parametrize(
    ("observed", "kind"),
    [
        (world(cpic=None, claimed=None, on=""), Kind.ADDRESS_UNASSIGNED),
        (world(cpic=FAILED), Kind.ASSIGNMENT_FAILED),
        (world(cpic={}, claimed=None), Kind.STATUS_LOST),
        (world(cpic=None, on=""), Kind.STATUS_UNBACKED),
        (world(cpic={}, on=""), Kind.EC2_ADDRESS_MISSING),
        (world(cpic={}, on="eni-x"), Kind.EC2_ADDRESS_MISSING),
        (world(cpic={"owner": "gone"}), Kind.CPIC_STALE),
    ],
)
def test_each_bad_state_is_a_finding(observed: Snapshot, kind: Kind) -> None:
    """One finding an address, with its evidence from all sides and what to do; told once it has settled."""
    (found,) = findings(observed)
    assert found.kind is kind
    assert found.settles
    assert found.todo
    assert [line.split(":")[0] for line in found.evidence] == [
        "status.items",
        "CloudPrivateIPConfig",
        "network interface",
        "reservation",
    ]


@pytest.mark.parametrize("observed", [world(cpic={}), world(cpic=MOVING), world(cpic=None, on="", listed=False)])
def test_service_movement_and_absence_are_none(observed: Snapshot) -> None:
    """Nobody is told of an address that serves, that is on its way, or that is not asked for yet."""
    assert findings(observed) == []
