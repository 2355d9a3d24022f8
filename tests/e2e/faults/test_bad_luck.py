"""Bad luck that has a name: the visit says so, changes nothing on a guess, and the next one finishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from sandbox.aws.faults import Refusal, broken, denied, throttled
from sandbox.faults.acts import edit_by_hand
from sandbox.faults.calls import CallName, Trouble
from sandbox.faults.lab import Lab
from sandbox.kube.faults import Fault
from sandbox.stage import Mail

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture
def lab(shared: Lab) -> Iterator[Lab]:
    """The lab at rest; whatever a test broke is whole again, and all serves, or the next test would not mean much."""
    shared.forget()
    shared.calls.begin()
    yield shared
    shared.calls.heal()
    shared.stage.aws.faults.heal()
    shared.kube.faults.clear()
    shared.skew = timedelta(0)
    shared.minutes(3)
    assert len(shared.end_state().serving) == 4


def kinds(mail: list[Mail]) -> list[str]:
    return [("RESOLVED " if m.subject.startswith("RESOLVED") else "") + m.attributes["kind"] for m in mail]


def is_finished(lab: Lab) -> bool:
    state = lab.end_state()
    return len(state.serving) == 4 and not state.findings and state.labelled == {"egress-a": 2, "egress-b": 2}


def test_ec2_throttled_for_minutes(lab: Lab) -> None:
    """One message that names EC2; nothing is changed meanwhile; when it is over the drift is repaired."""
    edit_by_hand(lab)
    lab.stage.aws.faults.inject("ec2", "*", throttled())
    lab.calls.begin()
    lab.minutes(7)
    assert (
        lab.calls.writes_done == [call for call in lab.calls.made if call.what == "CreateSubnetCidrReservation"] == []
    )
    mail = lab.read_mail()
    assert kinds(mail) == ["section-unknown"]
    assert "EC2" in mail[0].body
    lab.stage.aws.faults.heal()
    lab.minutes(3)
    assert is_finished(lab)
    assert "RESOLVED section-unknown" in kinds(lab.read_mail())


def test_the_api_server_goes_down_in_the_middle_of_a_visit(lab: Lab) -> None:
    """What was read is still true; what could not be written is said, and done by the next visit."""
    edit_by_hand(lab)
    lab.kube.faults.add(Fault(method="PATCH", drop=True))
    lab.minutes(3)
    assert "action-failed" in kinds(lab.read_mail())
    lab.kube.faults.clear()
    lab.minutes(3)
    assert is_finished(lab)
    assert "RESOLVED action-failed" in kinds(lab.read_mail())


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "always"])
def test_the_list_of_nodes_grows_too_old_while_it_is_read(lab: Lab, lasts: bool) -> None:
    """410 on page two: the list is begun again, and if that never ends it is unknown, not half."""
    kube = lab.kube
    note = {"annotations": {"k8s.ovn.org/host-cidrs": "[]"}}
    for number in range(120):
        kube.create("nodes", {"metadata": {"name": f"other-{number:03}", **note}}, manager="kubelet")
    body = json.dumps({"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired", "message": "too old"})
    kube.faults.add(Fault(path="/nodes", query="continue=", status=410, body=body, times=None if lasts else 1))
    lab.minutes(7)
    told = kinds(lab.read_mail())
    kube.faults.clear()
    for number in range(120):
        kube.delete("nodes", f"other-{number:03}")
    assert told == (["section-unknown"] if lasts else [])
    lab.minutes(2)
    assert is_finished(lab)


def test_the_token_has_expired_and_is_renewed(lab: Lab) -> None:
    """It is said that the credentials are no good; a new one in Secrets Manager is taken up without a restart."""
    edit_by_hand(lab)
    old, name = next(iter(lab.stage.rosa.tokens)), f"egress-keeper/{lab.stage.scenario.name}"
    lab.kube.tokens.revoke(old)
    lab.calls.begin()
    lab.minutes(3)
    mail = lab.read_mail()
    assert kinds(mail) == ["section-unknown"]
    assert lab.calls.writes_done == []
    lab.kube.tokens.grant("renewed", "system:admin")
    lab.stage.aws.client("secretsmanager").put_secret_value(SecretId=name, SecretString="renewed")
    lab.minutes(3)
    assert is_finished(lab)
    lab.kube.tokens.grant(old, "system:admin")


@pytest.mark.parametrize("minutes", [-30, 30], ids=["behind", "ahead"])
def test_the_functions_clock_jumps(lab: Lab, minutes: int) -> None:
    """A clock that is wrong for a while makes no storm of messages and loses no recovery."""
    lab.stage.aws.faults.inject("ec2", "GetSubnetCidrReservations", throttled())
    lab.minutes(7)
    assert kinds(lab.read_mail()) == ["section-unknown"]
    lab.skew = timedelta(minutes=minutes)
    lab.minutes(2)
    lab.skew = timedelta(0)
    lab.minutes(2)
    assert kinds(lab.read_mail()) == []
    lab.stage.aws.faults.heal()
    lab.minutes(2)
    assert kinds(lab.read_mail()) == ["RESOLVED section-unknown"]


def test_an_object_is_deleted_between_reading_and_writing(lab: Lab) -> None:
    """Its addresses are remembered elsewhere: the next visit makes it again with the same ones."""
    edit_by_hand(lab)
    lab.calls.meanwhile = lambda: lab.play.delete_egress_ip("demo-egress-ns")
    lab.calls.begin(CallName("reconcile", "cluster", "PATCH egressips/demo-egress-ns"), Trouble.MEANWHILE)
    lab.minutes(4)
    assert lab.calls.happened
    assert is_finished(lab)
    assert {"10.10.100.253", "10.10.150.253"} <= set(lab.end_state().serving)


def test_a_node_is_deleted_between_reading_and_labelling(lab: Lab) -> None:
    """No Node without a machine is made by an apply that comes too late."""
    node = lab.play.nodes_of("egress-a")[0]
    there = lab.stage.rosa.kube.get("nodes", node)
    lab.play.take_label(node)
    lab.calls.meanwhile = lambda: lab.stage.rosa.kube.delete("nodes", node)
    lab.calls.begin(CallName("reconcile", "cluster", "PATCH nodes/*"), Trouble.MEANWHILE)
    lab.stage.plumbing.tick_schedules()
    lab.stage.run_for(50)
    assert lab.calls.happened
    assert node not in [n["metadata"]["name"] for n in lab.stage.rosa.kube.list("nodes")]
    del there["metadata"]["resourceVersion"], there["metadata"]["uid"]
    lab.stage.rosa.kube.create("nodes", there, manager="kubelet")
    conditions = {"status": there["status"]}
    lab.stage.rosa.kube.patch("nodes", node, conditions, manager="kubelet", subresource="status")
    lab.minutes(3)
    assert is_finished(lab)


@pytest.mark.parametrize("fault", [denied("sns"), broken()], ids=["denied", "500"])
def test_sns_refuses_the_message(lab: Lab, fault: Refusal) -> None:
    """Repairs do not wait for it; nothing is lost: when it works again people hear of it, once."""
    edit_by_hand(lab)
    lab.stage.aws.faults.inject("sns", "Publish", fault)
    lab.minutes(2)
    assert lab.read_mail() == []
    assert len(lab.end_state().serving) == 4
    lab.stage.aws.faults.heal()
    lab.stage.run_for(160)
    lab.minutes(3)
    told = kinds(lab.read_mail())
    assert "spec-edited" in {kind.removeprefix("RESOLVED ") for kind in told}
    assert len(told) == len(set(told))
    assert is_finished(lab)


def test_the_next_visit_cannot_be_ordered(lab: Lab) -> None:
    """SQS refuses: the visit counts as failed and comes again, and the schedule is there besides."""
    edit_by_hand(lab)
    lab.stage.aws.faults.inject("sqs", "SendMessageBatch", broken())
    lab.minutes(3)
    lab.stage.aws.faults.heal()
    lab.minutes(4)
    assert is_finished(lab)


def test_an_event_that_never_arrives(lab: Lab) -> None:
    """Events are hints: a change of which nobody told is found by the schedule."""
    rules = lab.stage.plumbing.wiring
    lab.stage.plumbing.wiring = replace(rules, rules=())  # EventBridge loses them
    lab.stage.rosa.set_pool_labels("egress-a", {})
    lab.stage.rosa.scale_pool("egress-a", 3)
    lab.minutes(8)
    labelled = lab.end_state().labelled["egress-a"]
    lab.stage.plumbing.wiring = rules
    lab.stage.rosa.scale_pool("egress-a", 2)
    lab.minutes(6)
    assert labelled == 3
