"""Which remedy fits which trouble, and when: on snapshots, without a platform that answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from ipaddress import IPv4Address
from typing import Any

import pytest

from chalicelib.domain.actions import LABEL_CYCLE_PREFIX, LABEL_KICK, ApplyEgressIp, AssignAddress
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.guard import UnsafePlan, refuse_if_unsafe
from chalicelib.domain.healing.treatment import (
    CYCLE_PAUSE,
    KICK_PAUSE,
    LONGEST_SILENCE,
    MOST_ASSIGNS,
    MOST_CYCLES,
    MOST_KICKS,
    RETRIES,
)
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.remembered import Memo, Remembered
from chalicelib.domain.snapshot import EgressIpConfig, Node, Snapshot
from chalicelib.domain.spec import ClusterSpec, Mode
from chalicelib.domain.tried import Tried
from chalicelib.domain.verdicts import State
from tests import factories as make
from tests.domain.world import apply_plan, converge
from tests.factories import known

A, B = "10.10.100.253", "10.10.150.253"
DESIRED = make.cluster(make.policy("ns", A, B))
SUBJECT = f"address {A} of ns"
CYCLE_A = f"{LABEL_CYCLE_PREFIX}{A}"
LONG_AGO = make.NOW - timedelta(hours=1)


def with_capacity(node: Node, number: int) -> Node:
    assert isinstance(node.egress_config, EgressIpConfig)
    return replace(node, egress_config=replace(node.egress_config, capacity_ipv4=number))


@cache
def served() -> Snapshot:
    """Both addresses of the policy serve; two nodes in each zone."""
    return converge(make.snapshot(nodes_per_zone=2), DESIRED)


def broken(
    *,
    cpic: Mapping[str, Any] | None = None,
    claimed: str = "node-a0",
    on: str = "eni-a0",
    labels: Mapping[str, str] | None = None,
    listed: bool = True,
    **changes: Any,
) -> Snapshot:
    """The same with A's CPIC (None: there is none), its status and its interface changed like this; B serves."""
    observed = served()
    (there,) = known(observed.egress_ips)
    items = tuple(pair for pair in there.items if pair[0] != A) + (((A, claimed),) if claimed else ())
    marks = dict(labels or {})
    owned = there.owned_fields | {f".metadata.labels.{key}" for key in marks}
    spec = there.spec if listed else replace(there.spec, addresses=(B,))
    stranger = make.interface("a", 9, id="eni-x", instance_id=None, addresses=(), holder="load balancer app/x")
    interfaces = tuple(
        replace(i, addresses=(*(a for a in i.addresses if str(a) != A), *((IPv4Address(A),) if i.id == on else ())))
        for i in (*known(observed.interfaces), stranger)
    )
    others = tuple(c for c in known(observed.cpics) if c.address != A)
    return replace(
        observed,
        egress_ips=(replace(there, spec=spec, items=items, labels={**there.labels, **marks}, owned_fields=owned,
                            version="7"),),
        cpics=others if cpic is None else (*others, make.cpic(A, **{"changed_at": LONG_AGO, **cpic})),
        interfaces=interfaces,
        **changes,
    )  # fmt: skip


FAILED = {"assigned": "False", "message": "Error processing cloud assignment request, err: InternalError"}
UNASSIGNED: dict[str, Any] = {"cpic": None, "claimed": "", "on": ""}
LOST: dict[str, Any] = {"cpic": {}, "claimed": ""}
REFUSED: dict[str, Any] = {"cpic": FAILED, "claimed": "", "on": ""}


def seen_since(kind: Kind, since: datetime, subject: str = SUBJECT) -> Remembered:
    finding = Finding(kind, subject, Severity.CRITICAL, "")
    return Remembered({finding.fingerprint("demo"): Memo(since, make.NOW)})


def long_seen(*kinds: Kind) -> Remembered:
    """All findings have settled long ago."""
    return Remembered({k: m for kind in kinds or Kind for k, m in seen_since(kind, LONG_AGO).memos.items()})


def apply(planned: Plan) -> ApplyEgressIp:
    (action,) = planned.actions
    assert isinstance(action, ApplyEgressIp)
    return action


def told(planned: Plan) -> Finding:
    (found,) = (f for f in planned.findings if f.subject == SUBJECT)
    return found


def tried(kind: Kind, tries: int, ago: timedelta = timedelta()) -> str:
    return Tried(kind, tries, make.NOW - ago).value


# Kick


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


# Cycle


@pytest.mark.parametrize(
    ("observed", "kind"),
    [
        (broken(**REFUSED), Kind.ASSIGNMENT_FAILED),
        (broken(**LOST), Kind.STATUS_LOST),
        (broken(cpic={"owner": "gone"}, claimed=""), Kind.CPIC_STALE),
    ],
)
def test_d06_d11_d13_a_stuck_address_is_taken_out_alone(observed: Snapshot, kind: Kind) -> None:
    """The object's other address stays in the list; the label that brings it back comes with the same apply."""
    action = apply(plan(observed, DESIRED, long_seen()))
    assert action.cycled == (A,)
    assert action.after.addresses == (B,)
    assert action.marks == {CYCLE_A: tried(kind, 1)}
    assert action.version == "7"
    assert action.summary == f"apply EgressIP ns: cycle {A}"


@pytest.mark.parametrize("trouble", [UNASSIGNED, LOST, REFUSED])
def test_nothing_is_done_before_it_has_settled(trouble: dict[str, Any]) -> None:
    """Every failover passes through these states; a visit without a memory does nothing about them either."""
    for memory in (Remembered(), seen_since(told(plan(broken(**trouble), DESIRED)).kind, make.NOW)):
        planned = plan(broken(**trouble), DESIRED, memory)
        assert planned.actions == ()
        assert told(planned).remedy.endswith("once it has settled")


@pytest.mark.parametrize(
    ("changed", "since", "waits"),
    [
        (timedelta(seconds=30), LONG_AGO, True),
        (timedelta(minutes=2), make.NOW - timedelta(minutes=3), True),
        (timedelta(minutes=2), make.NOW - RETRIES, False),
        (LONGEST_SILENCE, make.NOW - timedelta(minutes=2), False),
    ],
)
def test_d06_the_controllers_own_tries_come_first(changed: timedelta, since: datetime, waits: bool) -> None:
    """It has stopped when its condition stands still for longer than its longest pause, or its time is over."""
    cpic = FAILED | {"changed_at": make.NOW - changed}
    planned = plan(broken(cpic=cpic, claimed="", on=""), DESIRED, seen_since(Kind.ASSIGNMENT_FAILED, since))
    assert (planned.actions == ()) is waits
    assert waits is (told(planned).remedy == "cycle, once the cloud network controller has stopped trying")


def test_d06_without_a_time_memory_alone_decides() -> None:
    """A condition that does not say when it changed is given the controller's whole time."""
    cpic = FAILED | {"changed_at": None}
    recent = seen_since(Kind.ASSIGNMENT_FAILED, make.NOW - timedelta(minutes=2))
    assert plan(broken(cpic=cpic, claimed="", on=""), DESIRED, recent).actions == ()
    assert apply(plan(broken(cpic=cpic, claimed="", on=""), DESIRED, long_seen())).cycled == (A,)


@pytest.mark.parametrize(
    ("label", "cycles", "person"),
    [
        (tried(Kind.ASSIGNMENT_FAILED, 1, CYCLE_PAUSE - timedelta(seconds=1)), False, False),
        (tried(Kind.ASSIGNMENT_FAILED, 1, CYCLE_PAUSE), True, False),
        (tried(Kind.ASSIGNMENT_FAILED, 2, CYCLE_PAUSE), False, False),
        (tried(Kind.ASSIGNMENT_FAILED, MOST_CYCLES, 4 * CYCLE_PAUSE), False, True),
        (tried(Kind.CPIC_STALE, 1), True, False),
        (tried(Kind.CPIC_STALE, MOST_CYCLES), False, True),
        (tried(Kind.ASSIGNMENT_FAILED, 9999), False, False),
        (tried(Kind.ASSIGNMENT_FAILED, 9999, timedelta(days=1)), False, True),
        (tried(Kind.ASSIGNMENT_FAILED, 1, timedelta(days=-1)), True, False),
    ],
)
def test_cycles_end(label: str, cycles: bool, person: bool) -> None:
    """Growing pauses; another trouble than before is progress and need not wait; in the end it takes a person."""
    planned = plan(broken(**REFUSED, labels={CYCLE_A: label}), DESIRED, long_seen())
    assert [isinstance(a, ApplyEgressIp) and a.cycled for a in planned.actions] == [(A,)] * cycles
    assert ("A person is needed: 3 cycles did not help" in told(planned).todo) is person
    assert told(planned).severity is (Severity.CRITICAL if person else Severity.WARNING)


OUT: dict[str, Any] = {"listed": False, "labels": {CYCLE_A: tried(Kind.ASSIGNMENT_FAILED, 1, timedelta(minutes=1))}}


@pytest.mark.parametrize(
    "observed",
    [
        broken(**OUT, cpic={"deleting": True}, claimed="", on=""),
        broken(**OUT, cpic=FAILED, claimed="", on=""),
        broken(**OUT, cpic=None, claimed="node-a0", on=""),
    ],
)
def test_a_cycled_address_stays_out_until_nothing_is_left_of_it(observed: Snapshot) -> None:
    """Its CPIC gone, its claim gone; till then it is neither put back nor given away, and its finding stays open."""
    planned = plan(observed, DESIRED)
    assert planned.actions == ()
    assert [(v.address, v.state) for v in planned.verdicts] == [(A, State.CYCLING), (B, State.SERVING)]
    assert told(planned).kind is Kind.ASSIGNMENT_FAILED
    assert f"{A} is out of EgressIP ns for a cycle" in planned.moving


def test_a_cycled_address_is_put_back_without_any_memory() -> None:
    """The label says all that is needed: a lost table or another machine's command line finishes the cycle."""
    observed = broken(**OUT, cpic=None, claimed="", on="")
    planned = plan(observed, DESIRED)
    action = apply(planned)
    assert action.adds == (A,)
    assert action.marks == {CYCLE_A: tried(Kind.ASSIGNMENT_FAILED, 1)}
    assert told(planned).repaired_by == action.summary
    after = apply_plan(observed, planned)
    back = plan(after, DESIRED, long_seen())
    assert back.actions == ()
    assert told(back).kind is Kind.ASSIGNMENT_FAILED
    assert told(back).remedy == "cycle under way: put back, and the platform is at work on it"


def test_a_chosen_address_that_is_out_is_not_replaced() -> None:
    """Even with its reservation's tags lost: the object's label remembers it."""
    desired = make.cluster(make.policy("ns", per_zone=1), machine_pools=())
    observed = replace(broken(**OUT, cpic=None, claimed="", on=""), reservations=())
    given = {str(a.address) for a in plan(observed, desired).allocations}
    assert {A, B} <= given


def test_a_late_apply_cannot_take_out_again_what_another_visit_has_put_back() -> None:
    """While one is out, or goes, the apply names the version that it was made from; a kick or a return need not."""
    out = broken(**OUT, cpic={"deleting": True}, claimed="", on="")
    beside = plan(out, make.cluster(make.policy("ns", A, B, "10.10.200.253")), long_seen())
    (applied,) = (action for action in beside.actions if isinstance(action, ApplyEgressIp))
    assert (applied.after.addresses, applied.version) == ((B, "10.10.200.253"), "7")
    (fewer,) = plan(broken(cpic={}), make.cluster(make.policy("ns", A))).actions[-1:]
    assert isinstance(fewer, ApplyEgressIp)
    assert (fewer.removes, fewer.version) == ((B,), "7")
    assert apply(plan(broken(**OUT, cpic=None, claimed="", on=""), DESIRED)).version == ""
    assert apply(plan(broken(**UNASSIGNED), DESIRED, long_seen())).version == ""


def test_what_the_fleet_file_no_longer_wants_is_not_put_back() -> None:
    """The cycle is over, and its label goes."""
    planned = plan(broken(**OUT, cpic=None, claimed="", on=""), make.cluster(make.policy("ns", B)))
    applied = [action for action in planned.actions if isinstance(action, ApplyEgressIp)]
    assert [(action.after.addresses, action.marks) for action in applied] == [((B,), {})]


def test_an_address_that_is_out_keeps_its_room() -> None:
    """What is wanted anew has to wait behind it."""
    observed = broken(**OUT, cpic=None, claimed="", on="")
    tight = tuple(
        with_capacity(n, 1) if n.name == "node-a0" else n for n in known(observed.nodes) if n.name != "node-a1"
    )
    desired = make.cluster(make.policy("a", "10.10.100.20"), make.policy("ns", A, B))
    planned = plan(replace(observed, nodes=tight), desired)
    assert [a.name for a in planned.actions if isinstance(a, ApplyEgressIp)] == ["ns"]
    assert {str(a.address): bool(a.held) for a in planned.allocations} == {A: False, B: False, "10.10.100.20": True}


def test_the_guard_lets_a_dead_address_be_cycled() -> None:
    """Its CPIC may be healthy: what the status does not claim serves nobody, so nothing is lost."""
    desired = replace(DESIRED, max_change_share=0.0)
    observed = broken(**LOST)
    refuse_if_unsafe(plan(observed, desired, long_seen()), observed, desired)


def test_the_guard_does_not_believe_a_plan_that_cycles_what_serves() -> None:
    """It looks for itself."""
    planned = plan(broken(**LOST), DESIRED, long_seen())
    with pytest.raises(UnsafePlan):
        refuse_if_unsafe(planned, served(), replace(DESIRED, max_change_share=0.0))


def test_the_digest_of_a_cycle_does_not_depend_on_the_time() -> None:
    """A person may approve what another plan, a minute later, still proposes."""
    later = replace(broken(**LOST), taken_at=make.NOW + timedelta(minutes=1))
    assert plan(broken(**LOST), DESIRED, long_seen()).digest == plan(later, DESIRED, long_seen()).digest


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


GONE: dict[str, Any] = {"cpic": {}, "on": ""}


def test_d14_an_address_that_ec2_lost_is_put_back_on_its_interface() -> None:
    """On the first interface of the node that the cluster believes it to be on; the object is not touched."""
    (action,) = plan(broken(**GONE), DESIRED, long_seen(Kind.EC2_ADDRESS_MISSING)).actions
    assert isinstance(action, AssignAddress)
    assert (action.interface_id, str(action.address), action.node) == ("eni-a0", A, "node-a0")
    assert told(plan(broken(**GONE), DESIRED, long_seen(Kind.EC2_ADDRESS_MISSING))).repaired_by == action.summary
    assert plan(broken(**GONE), DESIRED).actions == ()


def remembered_tries(tries: int, ago: timedelta) -> Remembered:
    finding = Finding(Kind.EC2_ADDRESS_MISSING, SUBJECT, Severity.CRITICAL, "")
    return Remembered({finding.fingerprint("demo"): Memo(LONG_AGO, make.NOW, tries, make.NOW - ago)})


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


def without_node_a0(observed: Snapshot, *, node_stays: bool = False) -> Snapshot:
    """Its instance is gone, and its Node object too, unless it stays a little longer."""
    left = tuple(n for n in known(observed.nodes) if n.name != "node-a0")
    return replace(
        observed,
        nodes=observed.nodes if node_stays else left,
        instances=tuple(i for i in known(observed.instances) if i.id != "i-a0"),
        interfaces=tuple(i for i in known(observed.interfaces) if i.id != "eni-a0"),
    )


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


def test_d18_what_speaks_against_an_address_comes_first() -> None:
    """While a host has it no remedy helps; the finding about that says what to do."""
    observed = broken(**UNASSIGNED)
    host = replace(known(observed.nodes)[-1], host_addresses=(IPv4Address(A),))  # it was read
    planned = plan(replace(observed, nodes=(*known(observed.nodes)[:-1], host)), DESIRED, long_seen())
    assert planned.actions == ()
    (found,) = (f for f in planned.findings if f.kind is Kind.ADDRESS_UNASSIGNED)
    assert "while address-is-host stands, no remedy can help" in found.todo


def test_a_policy_that_serves_is_patient_while_its_nodes_come_and_go() -> None:
    """One node of two restarts and an address has to wait for it: partners still see an address they let in."""
    observed = broken(**UNASSIGNED)
    restarts = tuple(replace(n, ready=n.name != "node-a0") for n in known(observed.nodes))
    assert told(plan(replace(observed, nodes=restarts), DESIRED)).patience_seconds == 600
    lost = tuple(replace(n, ready=not n.name.startswith("node-a")) for n in known(observed.nodes))
    assert told(plan(replace(observed, nodes=lost), DESIRED)).patience_seconds == 0, "told with its zone"


def test_an_address_waits_two_minutes_for_a_node_that_joins() -> None:
    """While a young node lacks host-cidrs nothing is assigned; OVN-Kubernetes looks again when it is Ready."""
    observed = broken(**UNASSIGNED)
    young = make.node("b", 7, host_addresses=None, created_at=make.NOW - timedelta(minutes=1))
    planned = plan(replace(observed, nodes=(*known(observed.nodes), young)), DESIRED)
    assert told(planned).patience_seconds == 120


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
