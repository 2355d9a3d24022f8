"""What a person is told to do about an address: what fits what has to come first, with commands that can be pasted."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from chalicelib.domain.actions import LABEL_KICK
from chalicelib.domain.findings import Finding, Kind
from chalicelib.domain.healing.treatment import KICK_PAUSE, MOST_CYCLES, MOST_KICKS
from chalicelib.domain.planning import plan
from chalicelib.domain.remembered import Remembered
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.spec import ClusterSpec, Mode
from tests import factories as make
from tests.domain.healing.ailing import (
    CYCLE_A,
    DESIRED,
    LOST,
    REFUSED,
    UNASSIGNED,
    A,
    B,
    broken,
    long_seen,
    told,
    tried,
)
from tests.domain.world import converge
from tests.factories import known


def said(observed: Snapshot, desired: ClusterSpec = DESIRED, memory: Remembered | None = None) -> Finding:
    return told(plan(observed, desired, memory or long_seen()))


def commands(finding: Finding) -> list[list[str]]:
    return [shlex.split(line) for line in finding.todo.split("\n")[1:]]


def classic(observed: Snapshot) -> Snapshot:
    return replace(observed, nodes=tuple(replace(node, pool=None) for node in known(observed.nodes)))


def test_a_cycle_by_hand_names_all_other_addresses() -> None:
    """Whoever pastes it takes off nobody else's address, and puts back what was there."""
    without, wait, whole = commands(said(broken(**LOST)))
    assert json.loads(without[-1]) == {"spec": {"egressIPs": [B]}}
    assert json.loads(whole[-1]) == {"spec": {"egressIPs": [A, B]}}
    assert without[:4] == whole[:4] == ["oc", "patch", "egressip", "ns"]
    assert wait[:4] == ["oc", "wait", "--for=delete", f"cloudprivateipconfig/{A}"]


@pytest.mark.parametrize("mode", Mode)
def test_who_does_it_by_hand_hears_that_a_visit_may_finish_it(mode: Mode) -> None:
    """In mode observe none does."""
    found = said(broken(**LOST), replace(DESIRED, mode=mode))
    assert ("spec-edited" in found.todo) is (mode is Mode.ENFORCE)


def test_where_nothing_else_serves_nothing_else_is_said_to() -> None:
    """The policy's only address: what is said of traffic and of the cycle is as bad as it is."""
    desired = make.cluster(make.policy("ns", A))
    healthy = converge(make.snapshot(nodes_per_zone=2), desired)
    (there,) = known(healthy.egress_ips)  # it was read
    found = said(replace(healthy, egress_ips=(replace(there, items=()),)), desired)
    assert "other addresses" not in found.todo + found.impact
    assert found.impact == "No other address of ns serves: its pods leave with their nodes' own addresses."


def test_after_kicks_in_vain_another_one_is_not_advised() -> None:
    """The next thing is to take it out and put it back."""
    labels = {LABEL_KICK: tried(Kind.ADDRESS_UNASSIGNED, MOST_KICKS, 2 * KICK_PAUSE)}
    found = said(broken(**UNASSIGNED, labels=labels))
    assert "2 kicks did not help" in found.todo
    assert [words[:2] for words in commands(found)] == [["oc", "patch"], ["oc", "wait"], ["oc", "patch"]]


@pytest.mark.parametrize("hosted", [True, False])
def test_after_cycles_in_vain_another_one_is_not_advised(hosted: bool) -> None:
    """What is left is a restart, which on HCP only Red Hat can do."""
    observed = broken(**LOST, labels={CYCLE_A: tried(Kind.STATUS_LOST, MOST_CYCLES, 24 * 60 * KICK_PAUSE)})
    found = said(observed if hosted else classic(observed))
    assert f"{MOST_CYCLES} cycles did not help" in found.todo
    assert ("ask Red Hat's support" in found.todo) is hosted
    assert commands(found) == (
        []
        if hosted
        else [["oc", "-n", "openshift-ovn-kubernetes", "rollout", "restart", "deployment/ovnkube-control-plane"]]
    )


def test_a_cause_that_is_still_there_is_to_be_removed_after_cycles_in_vain() -> None:
    """A restart does not heal a failed assignment; once the cause is gone, a cycle does."""
    observed = broken(**REFUSED, labels={CYCLE_A: tried(Kind.ASSIGNMENT_FAILED, MOST_CYCLES, 24 * 60 * KICK_PAUSE)})
    found = said(observed)
    assert f"{MOST_CYCLES} cycles did not help. Remove the cause that EC2 names below." in found.todo
    assert [words[:2] for words in commands(found)] == [["oc", "patch"], ["oc", "wait"], ["oc", "patch"]]


def test_what_a_node_of_ours_has_left_over_can_be_taken_off() -> None:
    """With the interface that has it, not the one that should."""
    found = said(broken(**{**REFUSED, "on": "eni-a1"}))
    assert "eni-a1" in found.todo
    (command,) = commands(found)
    assert command[1:3] == ["ec2", "unassign-private-ip-addresses"]
    assert command[command.index("--network-interface-id") + 1] == "eni-a1"


@pytest.mark.parametrize("state", ["shutting-down", "terminated"])
def test_what_goes_by_itself_is_waited_for(state: str) -> None:
    """Before that, nothing done by hand helps."""
    observed = broken(**{**REFUSED, "on": "eni-a1"})
    instances = [replace(i, state=state) if i.id == "i-a1" else i for i in known(observed.instances)]
    found = said(replace(observed, instances=tuple(instances)))
    assert found.todo.startswith("Nothing yet: it waits until instance i-a1, which is on its way out")
    assert commands(found) == []


def test_another_finding_in_the_way_says_what_to_do() -> None:
    """Two pieces of advice about one address would contradict each other."""
    observed = broken(**UNASSIGNED)
    other = make.egress_ip("team-b", A, labels={})
    planned = plan(replace(observed, egress_ips=(*known(observed.egress_ips), other)), DESIRED, long_seen())
    (found,) = (f for f in planned.findings if f.kind is Kind.ADDRESS_UNASSIGNED)
    assert "while address-duplicate stands" in found.todo
    assert commands(found) == []


def test_what_a_foreign_interface_has_is_not_taken_off() -> None:
    """It is named, whatever its description is, and no command touches it."""
    observed = broken(**{**REFUSED, "on": "eni-x"})
    there = [replace(i, holder="{x}") if i.id == "eni-x" else i for i in known(observed.interfaces)]
    found = said(replace(observed, interfaces=tuple(there)))
    assert "eni-x ({x})" in found.todo
    assert commands(found) == []


@pytest.mark.parametrize("hosted", [True, False])
def test_a_controller_that_does_not_run_is_looked_at_where_it_runs(hosted: bool) -> None:
    """On HCP nobody but Red Hat sees its pods."""
    silent = {"assigned": None, "status_node": "", "message": ""}
    observed = broken(cpic=silent, claimed="", on="")
    found = said(observed if hosted else classic(observed))
    assert ("ask Red Hat's support" in found.todo) is hosted
    assert bool(commands(found)) is not hosted


def test_in_mode_observe_nothing_is_said_to_be_under_way() -> None:
    """A person has to do it, and is told how."""
    found = said(broken(**UNASSIGNED), replace(DESIRED, mode=Mode.OBSERVE))
    assert found.todo.startswith("Mode observe leaves it to people. ")
    assert commands(found)[0][:4] == ["oc", "label", "egressip", "ns"]


def test_commands_whose_names_are_not_known_are_left_out() -> None:
    """No command has a gap in it: here the interface to put the address on is not known."""
    observed = broken(cpic={}, claimed="node-a0", on="")
    blind = [replace(n, egress_config=make.unreadable()) if n.name == "node-a0" else n for n in known(observed.nodes)]
    found = said(replace(observed, nodes=tuple(blind)))
    assert found.todo.endswith("put it back on the first network interface of its node.")


def test_what_may_serve_is_no_matter_for_the_night() -> None:
    """A warning, and an hour is chosen for what interrupts it."""
    found = said(broken(cpic=None, claimed="node-a0", on="eni-a0"))
    assert found.severity == "warning"
    assert "There is no hurry." in found.todo
    assert "is on node-a0 and the EgressIP's status says so" in found.summary
