"""Which remedy fits which trouble, and what is left to people: on snapshots, without a platform that answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address

import pytest

from chalicelib.domain.actions import LABEL_KICK, ApplyEgressIp
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.healing.treatment import KICK_PAUSE, MOST_KICKS
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.spec import ClusterSpec, Mode
from tests import factories as make
from tests.domain.healing.ailing import (
    DESIRED,
    FAILED,
    LOST,
    UNASSIGNED,
    A,
    apply,
    broken,
    long_seen,
    told,
    tried,
    with_capacity,
)
from tests.factories import known


def without_node_a0(observed: Snapshot, *, node_stays: bool = False) -> Snapshot:
    """Its instance is gone, and its Node object too, unless it stays a little longer."""
    left = tuple(n for n in known(observed.nodes) if n.name != "node-a0")
    return replace(
        observed,
        nodes=observed.nodes if node_stays else left,
        instances=tuple(i for i in known(observed.instances) if i.id != "i-a0"),
        interfaces=tuple(i for i in known(observed.interfaces) if i.id != "eni-a0"),
    )


def test_observe_mode_says_what_it_would_do() -> None:
    """The plan proposes it all the same; and as nobody will do it, the finding is critical."""
    planned = plan(broken(**LOST), replace(DESIRED, mode=Mode.OBSERVE), long_seen())
    assert apply(planned).cycled == (A,)
    assert told(planned).severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("observed", "person"),
    [
        (broken(cpic=FAILED | {"message": "assigned, but move is not allowed."}, claimed="", on="eni-x"), "eni-x"),
        (broken(cpic={}, claimed="node-a0", on="eni-x"), "eni-x"),
        (broken(cpic={"assigned": "Unknown"}, claimed="", on=""), "does not act on it"),
    ],
    ids=["d07", "d14-elsewhere", "d06-controller-down"],
)
def test_what_takes_a_person_is_left_alone(observed: Snapshot, person: str) -> None:
    """Denied, held by somebody else's interface, or not answered at all: no remedy, and the finding says why."""
    planned = plan(observed, DESIRED, long_seen())
    assert planned.actions == ()
    assert person in told(planned).todo
    assert told(planned).severity is Severity.CRITICAL


def test_d10_a_denied_assignment_is_told_and_tried_again() -> None:
    """Only a person can give the permission; once it is there, nothing but a cycle makes the platform look again."""
    denied = broken(cpic=FAILED | {"message": "err: UnauthorizedOperation"}, claimed="", on="")
    planned = plan(denied, DESIRED, long_seen())
    assert apply(planned).cycled == (A,)
    assert told(planned).severity is Severity.CRITICAL
    assert told(planned).todo.startswith("A person is needed: EC2 does not allow")
    assert told(planned).cause == "EC2 denies assignments"


def test_d10_nothing_is_tried_while_the_tag_is_missing() -> None:
    """On HCP the controller may not touch an interface without it: EC2 would deny the next try as well."""
    denied = broken(cpic=FAILED | {"message": "err: UnauthorizedOperation"}, claimed="", on="")
    bare = tuple(replace(i, tags={}) if i.id == "eni-a0" else i for i in known(denied.interfaces))
    planned = plan(replace(denied, interfaces=bare), DESIRED, long_seen())
    assert planned.actions == ()
    assert "lacks the tag red-hat-managed=true" in told(planned).todo


@pytest.mark.parametrize(
    ("labels", "assigned", "done"),
    [
        ({}, "False", "kick"),
        ({LABEL_KICK: tried(Kind.ASSIGNMENT_FAILED, 1, timedelta(minutes=1))}, "False", ""),
        ({LABEL_KICK: tried(Kind.ASSIGNMENT_FAILED, MOST_KICKS, 2 * KICK_PAUSE)}, "False", f"cycle {A}"),
        ({}, "Unknown", f"cycle {A}"),
    ],
)
def test_d06_an_assignment_to_a_node_that_is_gone_is_kicked_then_cycled(
    labels: dict[str, str], assigned: str, done: str
) -> None:
    """Newer releases look again when the object changes; with older ones, which leave it unknown, a cycle helps."""
    cpic = {"assigned": assigned, "message": 'Node "node-a0" does not exist'}
    observed = without_node_a0(broken(cpic=cpic, claimed="", on="", labels=labels))
    planned = plan(observed, DESIRED, long_seen())
    assert [a.summary.removeprefix("apply EgressIP ns: ") for a in planned.actions] == [done] * bool(done)
    waits = 360 if assigned == "False" else 0  # every replacement of a node passes through the one; the other stays
    assert told(planned).patience_seconds == waits


def test_d06_a_release_from_an_instance_that_is_gone_waits_for_its_node_to_go() -> None:
    """Until the Node object is deleted the release fails again and again; a cycle would only add to that."""
    cpic = FAILED | {"spec_node": "node-a1", "message": "no retrievable network interface"}
    planned = plan(without_node_a0(broken(cpic=cpic, claimed="", on=""), node_stays=True), DESIRED, long_seen())
    assert planned.actions == ()
    assert told(planned).remedy == "waits until node node-a0, whose instance is gone, is gone too"
    assert told(planned).patience_seconds == 600


def test_d18_what_speaks_against_an_address_comes_first() -> None:
    """While a host has it no remedy helps; the finding about that says what to do."""
    observed = broken(**UNASSIGNED)
    host = replace(known(observed.nodes)[-1], host_addresses=(IPv4Address(A),))  # it was read
    planned = plan(replace(observed, nodes=(*known(observed.nodes)[:-1], host)), DESIRED, long_seen())
    assert planned.actions == ()
    (found,) = (f for f in planned.findings if f.kind is Kind.ADDRESS_UNASSIGNED)
    assert "while address-is-host stands, no remedy can help" in found.todo


def test_d07_an_interface_that_is_leaving_is_waited_for() -> None:
    """The old node's instance is shutting down: its addresses become free with it."""
    gone = make.instance("a", 9, state="shutting-down")
    observed = broken(cpic=FAILED | {"message": "move is not allowed"}, claimed="", on="eni-x")
    held = tuple(replace(i, instance_id=gone.id) if i.id == "eni-x" else i for i in known(observed.interfaces))
    planned = plan(
        replace(observed, interfaces=held, instances=(*known(observed.instances), gone)), DESIRED, long_seen()
    )
    assert planned.actions == ()
    assert "which is on its way out" in told(planned).remedy


@pytest.mark.parametrize(("other_load", "cycles"), [(1, True), (2, False)])
def test_d09_a_full_interface_is_left_only_for_one_that_is_sure_to_be_chosen(other_load: int, cycles: bool) -> None:
    """OVN-Kubernetes takes the node with fewest addresses, and among equals any: also the full one again."""
    observed = broken(cpic=FAILED | {"message": "PrivateIpAddressLimitExceeded"}, claimed="", on="")
    config = {"node-a0": 2, "node-a1": 14}
    nodes = tuple(with_capacity(n, config.get(n.name, 14)) for n in known(observed.nodes))
    load = [make.cpic(f"10.10.100.{n}", "node-a0", owner="x") for n in (30, 31)]
    load += [make.cpic(f"10.10.100.{40 + n}", "node-a1", owner="x") for n in range(other_load)]
    planned = plan(replace(observed, nodes=nodes, cpics=(*known(observed.cpics), *load)), DESIRED, long_seen())
    assert (planned.actions != ()) is cycles


def test_nothing_foreign_is_remedied() -> None:
    """An EgressIP without our label is not kicked or cycled, whatever ails it."""
    observed = broken(**LOST)
    theirs = replace(known(observed.egress_ips)[0], labels={})  # it was read
    assert plan(replace(observed, egress_ips=(theirs,)), DESIRED, long_seen()).actions == ()


def test_remedies_of_a_policy_that_goes_are_not_begun() -> None:
    """Its object is to be deleted."""
    desired: ClusterSpec = make.cluster()
    assert not any(isinstance(a, ApplyEgressIp) for a in plan(broken(**LOST), desired, long_seen()).actions)
