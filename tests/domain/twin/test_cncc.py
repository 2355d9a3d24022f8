"""What CNCC does to CPICs and Nodes, and when it stops trying."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.twin import cncc, outside
from chalicelib.domain.twin.behaviours import behaviours_of
from chalicelib.domain.twin.cncc import Answered, Begin, Cncc, Key, Kind, SawChange
from chalicelib.domain.twin.ec2 import AssignAddress, DescribeInstance, Done, Ec2Error, InstanceView, Interface
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import UNINITIALIZED_TAINT, Assigned, Cpic, CpicChange, Node, Objects
from chalicelib.domain.twin.world import World, advance, at, next_timer, settle, start_cncc, start_manager
from tests.domain.twin.clusters import (
    applied,
    assigned,
    carried,
    cluster,
    cpic,
    denied,
    edited,
    free,
    held,
    kicked,
    messages,
    settled,
    status,
    with_node,
    without_node,
)

OLD = behaviours_of("master", "4.18")
REFUSED = (
    "Error processing cloud assignment request, err: InvalidParameterValue: "
    "[10.0.1.100] assigned, but move is not allowed.\n\tstatus code: 400, request id: <id>"
)


def attempts(world: World, *, seconds: float) -> list[float]:
    """When CNCC tried to assign within that time."""
    moments, end = [], world.now + seconds
    while (timer := next_timer(world)) is not None and timer <= end:
        world, changes = settle(at(world, max(timer, world.now)))
        moments += [world.now] * messages(changes, "10.0.1.100").count("Adding IP address")
    return moments


def test_seventeen_attempts_and_then_never_again() -> None:
    """Back-off of 5 ms·2ⁿ, sixteen times; afterwards neither the cleared cause, a kick nor a manager restart helps."""
    start = held(cluster("a1"), "10.0.1.100")
    first, changes = settle(applied(start, "web", "10.0.1.100"))
    assert messages(changes, "10.0.1.100")[-1] == REFUSED
    later = attempts(first, seconds=2000)
    assert len(later) + 1 == 17
    assert later[-1] - start.now == pytest.approx(0.005 * (2**16 - 1))
    world = kicked(free(settled(first, seconds=330)), "web")
    world = settled(start_manager(world), seconds=120)
    assert (cpic(world, "10.0.1.100").assigned, status(world, "web")) == (Assigned.FALSE, {})


def test_a_restart_of_cncc_begins_anew() -> None:
    """It enqueues everything and has forgotten its failures."""
    world = settled(applied(held(cluster("a1"), "10.0.1.100"), "web", "10.0.1.100"), seconds=330)
    assert status(settled(start_cncc(free(world))), "web") == {"10.0.1.100": "a1"}


def test_a_failure_heals_by_itself_while_it_is_still_retried() -> None:
    """Once the cause is gone, at the next attempt."""
    world = settled(applied(held(cluster("a1"), "10.0.1.100"), "web", "10.0.1.100"))
    assert status(settled(free(world), seconds=10), "web") == {"10.0.1.100": "a1"}


def test_a_move_releases_before_it_assigns() -> None:
    """AWS has no move: status.node becomes empty in between, and the address is on no interface."""
    world = with_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a2")
    world, _, _ = outside.put_node(world, replace(world.objects.nodes["a1"], labelled=False))
    world, changes = settle(world)
    forms = [c.new.status_node for c in changes if isinstance(c, CpicChange) and c.new]
    assert forms == ["a1", "a1", "", "a2", "a2"]
    assert messages(changes, "10.0.1.100")[1:] == [
        "Deleting IP address",
        "IP address successfully deleted",
        "Adding IP address",
        "IP address successfully added",
    ]
    assert (carried(world, "a1"), carried(world, "a2")) == ([], ["10.0.1.100"])


def test_a_release_from_a_node_that_is_gone_is_skipped() -> None:
    """The CPIC moves on while EC2 still has the address on the old interface, and the peer is refused."""
    world = with_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a2")
    world = without_node(world, "a1")
    assert carried(world, "a1") == ["10.0.1.100"]
    assert (cpic(world, "10.0.1.100").status_node, cpic(world, "10.0.1.100").message) == ("a2", REFUSED)
    world = settled(outside.terminate_instance(world, "i-a1"), seconds=20)
    assert status(world, "web") == {"10.0.1.100": "a2"}


def test_without_a_peer_the_address_is_left_behind() -> None:
    """The CPIC goes, the address stays on the interface of the instance that lives on."""
    world = without_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a1")
    assert ("10.0.1.100" in world.objects.cpics, carried(world, "a1")) == (False, ["10.0.1.100"])


def test_a_terminating_instance_keeps_its_addresses_for_a_while() -> None:
    """The peer fails until EC2 frees the address, and heals at the next attempt."""
    world = with_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a2")
    world = without_node(outside.terminate_instance(world, "i-a1", release_after_seconds=15), "a1")
    assert cpic(world, "10.0.1.100").assigned is Assigned.FALSE
    assert status(settled(world, seconds=30), "web") == {"10.0.1.100": "a2"}


@pytest.mark.parametrize(
    ("cncc_version", "outcome"),
    [("main", (Assigned.FALSE, 'Node "gone" does not exist')), ("4.18", (Assigned.UNKNOWN, "Adding IP address"))],
)
def test_an_assignment_to_a_node_that_does_not_exist(cncc_version: str, outcome: tuple[Assigned, str]) -> None:
    """Newer CNCC fails and does not retry; older ones retry and leave the condition Unknown."""
    state = Cncc()
    objects = Objects(cpics=Table([("10.0.1.9", Cpic("10.0.1.9", spec_node="gone"))]))
    world = World(behaviours_of("master", cncc_version), objects=objects, cncc=cncc.started(objects))
    world, _ = settle(world)
    found = cpic(world, "10.0.1.9")
    assert (found.assigned, found.message) == outcome
    assert (next_timer(world) is None) == (cncc_version == "main")
    assert state == Cncc()


def test_a_failing_release_of_a_deleted_cpic_is_tried_without_end() -> None:
    """Each status write enqueues it again: about two attempts a second, no give-up."""
    world = denied(assigned(cluster("a1"), "web", "10.0.1.100"), "UnassignPrivateIpAddresses")
    world, _, _ = outside.delete_egress_ip(world, "web")
    world = settled(world, seconds=400)
    _, changes = advance(world, world.now + 10)
    assert 10 <= messages(changes, "10.0.1.100").count("Deleting IP address") <= 40
    assert "10.0.1.100" not in settled(outside.heal_calls(world), seconds=2).objects.cpics


def test_a_failing_release_inside_a_move_backs_off_and_ends() -> None:
    """It stays on the old node, with the error of a release."""
    world = with_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a2")
    world = edited(denied(world, "UnassignPrivateIpAddresses"), "a1", labelled=False)
    found = cpic(world, "10.0.1.100")
    assert (found.spec_node, found.status_node, found.assigned) == ("a2", "a1", Assigned.FALSE)
    assert "Error processing cloud release request, err: UnauthorizedOperation" in (found.message or "")
    given_up = settled(world, seconds=400)
    assert cpic(settled(outside.heal_calls(given_up), seconds=400), "10.0.1.100").assigned is Assigned.FALSE
    assert status(settled(outside.heal_calls(world), seconds=20), "web") == {"10.0.1.100": "a2"}


def test_an_address_that_is_there_already_is_adopted() -> None:
    """Somebody assigned it to the right interface before; it is released with the CPIC."""
    world = outside.put_address(cluster("a1"), "i-a1", "10.0.1.100")
    world = assigned(world, "web", "10.0.1.100")
    assert status(world, "web") == {"10.0.1.100": "a1"}
    assert carried(settled(outside.delete_egress_ip(world, "web")[0]), "a1") == []


def test_success_is_never_looked_at_again() -> None:
    """An address taken away in EC2 is noticed by nobody: not by a kick, not by a restart of either program."""
    world = outside.take_address(assigned(cluster("a1"), "web", "10.0.1.100"), "i-a1", "10.0.1.100")
    world = settled(start_manager(settled(start_cncc(kicked(world, "web")))), seconds=400)
    assert (status(world, "web"), carried(world, "a1")) == ({"10.0.1.100": "a1"}, [])


def test_throttled_calls_are_repeated_by_the_sdk_first() -> None:
    """One attempt of CNCC's takes about ten seconds, during which the CPIC is Unknown."""
    throttled = Ec2Error("RequestLimitExceeded", "Request limit exceeded.", 503)
    start = outside.fail_calls(cluster("a1"), "AssignPrivateIpAddresses", throttled)
    world, _ = advance(applied(start, "web", "10.0.1.100"), start.now + 9)
    assert cpic(world, "10.0.1.100").assigned is Assigned.UNKNOWN
    world, _ = advance(world, start.now + 10.5)
    assert cpic(world, "10.0.1.100").assigned is not Assigned.TRUE
    world, changes = advance(world, start.now + 100)
    assert 8 <= messages(changes, "10.0.1.100").count("Adding IP address") <= 12
    assert status(settled(outside.heal_calls(world), seconds=20), "web") == {"10.0.1.100": "a1"}


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("DescribeInstances", "err: error: cannot list ec2 instance for node: a1, err: UnauthorizedOperation"),
        ("AssignPrivateIpAddresses", "assignment request, err: UnauthorizedOperation"),
    ],
)
def test_the_message_says_which_call_was_refused(operation: str, message: str) -> None:
    """The two are worded differently; both carry EC2's code."""
    world = assigned(denied(cluster("a1"), operation), "web", "10.0.1.100")
    assert message in (cpic(world, "10.0.1.100").message or "")


def test_an_instance_without_interface() -> None:
    """Terminated, and the Node still there: the release fails until the Node goes."""
    world = with_node(assigned(cluster("a1"), "web", "10.0.1.100"), "a2")
    world = edited(outside.terminate_instance(world, "i-a1"), "a1", ready=False)
    wanted = "Error processing cloud release request, err: no retrievable network interface"
    assert cpic(world, "10.0.1.100").message == wanted
    assert status(settled(without_node(world, "a1"), seconds=20), "web") == {"10.0.1.100": "a2"}


def test_confirmation_is_polled_for_a_minute() -> None:
    """After the assignment CNCC looks until the interface shows the address, then fails if it never does."""
    node = Node("a1", "i-a1")
    wanted = Cpic("10.0.1.100", spec_node="a1")
    objects = Objects(nodes=Table([("a1", node)]), cpics=Table([(wanted.address, wanted)]))
    key = Key(Kind.CPIC, wanted.address)
    state, now = Cncc(), 0.0

    def step(event: cncc.CnccEvent) -> tuple[object, ...]:
        nonlocal state
        state, writes = cncc.step(state, event, objects=objects, now=now, behaviours=OLD)
        return writes

    step(SawChange(CpicChange(None, wanted)))
    step(Begin(key))
    unseen = InstanceView("m5.xlarge", Interface("eni-a1", "a", ("10.0.1.11",)))
    assert list(cncc.calls(state)) == [(key, DescribeInstance("i-a1"))]
    step(Answered(key, unseen))
    assert list(cncc.calls(state)) == [(key, AssignAddress("eni-a1", "10.0.1.100"))]
    step(Answered(key, Done()))
    looks = 0
    while list(cncc.calls(state)):
        looks += 1
        writes = step(Answered(key, unseen))
        if writes:
            break
        now = cncc.next_due(state) or now
        for event in cncc.runnable(state, now):
            step(event)
    assert (looks, now) == (31, 60.0)
    assert "context deadline exceeded" in str(writes)


@pytest.mark.parametrize(
    ("cncc_version", "moving", "settled_capacity"), [("main", 14, 14), ("4.18", 14, 14), ("4.15", 13, 14)]
)
def test_capacity_counts_only_what_is_not_ours(cncc_version: str, moving: int, settled_capacity: int) -> None:
    """Total egress capacity, whatever is carried; before 4.16 an address in transit made it one too low."""
    world = assigned(cluster("a1", behaviours=behaviours_of("master", cncc_version)), "web", "10.0.1.100")
    world = edited(world, "a1", taints=(("x", "NoSchedule"),))
    assert _capacity(world) == settled_capacity
    world = edited(denied(world, "UnassignPrivateIpAddresses"), "a1", labelled=False)
    assert _capacity(edited(world, "a1", taints=())) == moving


def _capacity(world: World) -> int | None:
    config = world.objects.nodes["a1"].egress_config
    return config.capacity_ipv4 if config else None


def test_an_address_that_a_new_cpic_claims_is_not_foreign() -> None:
    """It is on the interface before CNCC has written any status: by owner it does not count as used."""
    world = outside.put_address(cluster("a1"), "i-a1", "10.0.1.100")
    claimed = Cpic("10.0.1.100", spec_node="a1", owner="web")
    objects = replace(world.objects, cpics=world.objects.cpics.put("10.0.1.100", claimed))
    only_nodes = Cncc(nodes=cncc.started(objects).nodes)
    world, _ = settle(replace(world, objects=objects, manager=None, cncc=only_nodes))
    assert cpic(world, "10.0.1.100").status_node == ""
    assert _capacity(world) == 14


def test_capacity_is_only_read_again_when_taints_change() -> None:
    """A foreign secondary address lowers it, but not before a taint comes or goes."""
    world = settled(outside.put_address(cluster("a1"), "i-a1", "10.0.1.200"))
    world = edited(world, "a1", ready=False)
    assert _capacity(world) == 14
    assert _capacity(edited(world, "a1", taints=(("x", "NoSchedule"),))) == 13


def test_an_uninitialized_node_is_left_alone() -> None:
    """Until the cloud controller takes its taint off."""
    world = outside.launch_instance(cluster(), "i-a1", "m5.xlarge", Interface("eni-a1", "a", ("10.0.1.11",)))
    node = Node("a1", "i-a1", labelled=True, taints=((UNINITIALIZED_TAINT, "NoSchedule"),))
    world = settled(outside.put_node(world, node)[0])
    assert world.objects.nodes["a1"].egress_config is None
    assert _capacity(edited(world, "a1", taints=())) == 14


def test_a_node_whose_instance_cannot_be_read_gets_its_annotation_later() -> None:
    """Nodes are retried like CPICs."""
    world = with_node(denied(cluster(), "DescribeInstances"), "a1")
    assert world.objects.nodes["a1"].egress_config is None
    assert _capacity(settled(outside.heal_calls(world), seconds=20)) == 14


def test_ten_workers() -> None:
    """The eleventh CPIC waits while ten are being worked on."""
    cpics = [Cpic(f"10.0.1.{n}", spec_node="a1") for n in range(100, 112)]
    objects = Objects(Table([("a1", Node("a1", "i-a1"))]), cpics=Table((c.address, c) for c in cpics))
    state = replace(cncc.started(objects), nodes=Cncc().nodes)
    while (event := next(cncc.runnable(state, 0.0), None)) is not None:
        state, _ = cncc.step(state, event, objects=objects, now=0.0, behaviours=OLD)
    assert (len(list(cncc.calls(state))), len(state.cpics.ready)) == (10, 2)
