"""Machine pools in whole visits: labelled and made once, and told of what stands against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.adapters.errors import AdapterError, Denied, NotFound, Rejected, Throttled, Unreachable
from chalicelib.domain.actions import POOL_LABELS
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.pools import MachinePool, Scaling
from chalicelib.domain.spec import Mode, OcmSpec, PoolCreation, PoolSpec, SecretRef
from chalicelib.usecases.visit import Outcome
from tests import factories, worlds
from tests.fakes import FakeOcm
from tests.usecases.other_writers import THEIRS, at_request

NEW = PoolSpec("new", PoolCreation("m5.xlarge", Scaling(2, 2, auto=False), subnets=("subnet-a",)))


class World(worlds.World):
    """A healthy HCP cluster whose pool egress-a has two labels, none of them ours, and unlabelled nodes."""

    ocm: FakeOcm

    def __init__(self, *pools: PoolSpec) -> None:
        bare = tuple(factories.node(zone, assignable=None if zone == "a" else "") for zone in "abc")
        view = factories.ocm_view(factories.pool("a", labels=THEIRS), factories.pool("b"))
        desired = factories.cluster(
            infra_id=view.cluster.id,
            ocm=OcmSpec(view.cluster.id, SecretRef(env="OCM")),
            machine_pools=pools or (PoolSpec("egress-a"),),
        )
        super().__init__(desired, factories.snapshot(nodes=bare))
        self.ocm = FakeOcm(view.cluster, *view.pools)

    @property
    def labels(self) -> Mapping[str, str]:
        return self.ocm.pools["egress-a"].labels


def kinds(outcome: Outcome) -> set[Kind]:
    return {finding.kind for finding in outcome.findings}


def test_a_visit_labels_pool_and_nodes_and_tells_nobody() -> None:
    """The first labelling is what was asked for, not drift."""
    world = World()
    outcome = world.visit()
    assert outcome.status == "done"
    assert world.labels == {**THEIRS, **POOL_LABELS}
    assert world.ocm.writes == [("set_pool_labels", "egress-a", {**THEIRS, **POOL_LABELS})]
    assert world.cluster.nodes["node-a0"].assignable == ""
    assert outcome.revisit_in is not None
    again = world.visit()
    assert again.look.planned.actions == ()
    assert len(world.ocm.writes) == 1


def test_observe_mode_writes_nothing_to_ocm() -> None:
    """A dry run is the absence of the executor."""
    world = World(PoolSpec("egress-a"), NEW)
    world.desired = replace(world.desired, mode=Mode.OBSERVE)
    for operation in ("set_pool_labels", "create_pool"):
        world.ocm.fail(operation)
    outcome = world.visit()
    assert {type(action).__name__ for action in outcome.look.planned.actions} >= {"LabelPool", "CreatePool"}
    assert world.ocm.writes == []


def test_a_pool_is_made_once() -> None:
    """Asking again creates nothing, and the visit comes back for the machines."""
    world = World(NEW)
    first, second = world.visit(), world.visit()
    assert [write[0] for write in world.ocm.writes] == ["create_pool"]
    assert world.ocm.pools["new"].labels == POOL_LABELS
    assert first.revisit_in is not None
    assert "machine pool new has 0 of 2 nodes" in second.look.planned.moving


def test_a_pool_whose_answer_was_lost_is_found_and_not_made_twice() -> None:
    """A lost answer is followed by a look."""
    world = World(NEW)
    original = world.ocm.create_pool

    def lost(cluster, pool):  # type: ignore[no-untyped-def]
        original(cluster, pool)
        raise Unreachable("OCM", "create machine pool", "connection cut")

    world.ocm.create_pool = lost  # type: ignore[method-assign]
    assert world.visit().status == "done"
    assert world.visit().look.planned.actions == ()


def test_a_pool_that_somebody_else_makes_meanwhile_is_left_as_it_is() -> None:
    """Between plan and write: theirs stays, and is compared at the next visit."""
    world = World(NEW)
    theirs = MachinePool("new", {}, "m5.large", Scaling(1, 1, auto=False))

    def between(operation: str) -> None:
        if operation == "fetch_pool":
            world.ocm.pools.setdefault("new", theirs)

    world.ocm.between = between
    assert world.visit().status == "done"
    assert world.ocm.pools["new"] == theirs
    assert Kind.POOL_DIFFERENT in kinds(world.visit())


@pytest.mark.parametrize("operation", ["fetch_cluster", "fetch_pools"])
def test_an_unreadable_ocm_stops_no_address(operation: str) -> None:
    """Policies get their addresses, nodes their labels; people hear that OCM does not answer."""
    world = World()
    world.desired = replace(world.desired, policies=(factories.policy("ns", "10.10.150.253"),))
    world.ocm.fail(operation, Denied("OCM", "get cluster", "401: wrong client id or secret"))
    outcome = world.visit()
    assert [write[0] for write in world.ec2.writes] == ["reserve_cidr"]
    assert {write[0] for write in world.cluster.writes} == {"apply_egress_ip", "label_node"}
    assert world.ocm.writes == []
    assert outcome.status == "failed"
    finding = next(f for f in outcome.findings if f.kind is Kind.SECTION_UNKNOWN)
    assert "401: wrong client id or secret" in finding.summary
    assert "ocm.credentials" in finding.todo


def test_a_cluster_that_ocm_does_not_know_names_field_and_value() -> None:
    """The commonest slip: a name, or another organisation's credentials."""
    world = World()
    world.desired = replace(world.desired, ocm=OcmSpec("typo", SecretRef(env="OCM")))
    finding = next(f for f in world.visit().findings if f.kind is Kind.SECTION_UNKNOWN)
    assert "ocm.cluster: 'typo'" in finding.summary


def test_credentials_that_are_not_found_are_not_taken_for_a_cluster_that_is_not_there() -> None:
    """The secret is missing, not the cluster: the text names what is."""
    world = World()
    world.ocm.fail("fetch_cluster", NotFound("secrets", "read", "file ocm.json does not exist"))
    finding = next(f for f in world.visit().findings if f.kind is Kind.SECTION_UNKNOWN)
    assert finding.summary == "Machine pools could not be read: file ocm.json does not exist."


@pytest.mark.parametrize("operation", ["fetch_cluster", "fetch_pools"])
@pytest.mark.parametrize(("error", "minutes"), [(Unreachable, 15), (Throttled, 15), (Denied, 0)])
def test_nothing_depends_on_ocm_so_soon(operation: str, error: type[AdapterError], minutes: int) -> None:
    """An outage of its is told after a quarter of an hour, a refusal as soon as it has settled."""
    world = World()
    world.ocm.fail(operation, error("OCM", operation, "it did not answer"))
    (finding,) = (f for f in world.visit().findings if f.kind is Kind.SECTION_UNKNOWN)
    assert finding.patience_seconds == minutes * 60


def test_findings_of_pools_outlive_a_visit_without_ocm() -> None:
    """What could not be seen may still be so; what could be seen ends all the same."""
    world = World(PoolSpec("nowhere"))
    world.visit()
    world.clock.advance(61)
    world.visit()
    (told,) = world.alerts.sent
    assert told.attributes["kind"] == "pool-missing"
    world.ocm.fail("fetch_pools")
    world.clock.advance(61)
    world.visit()
    assert len(world.alerts.sent) == 1
    world.ocm.heal()
    world.desired = replace(world.desired, machine_pools=())
    for _ in range(2):  # an end, too, is told when two visits agree
        world.clock.advance(61)
        world.visit()
    assert [alert for alert in world.alerts.sent[1:] if "RESOLVED" in alert.subject and "nowhere" in alert.subject]


def test_a_write_that_ocm_refuses_is_told_and_keeps_nothing_else() -> None:
    """One clear error; addresses and nodes are served all the same."""
    world = World()
    world.ocm.fail("set_pool_labels", Rejected("OCM", "edit machine pool", "400: label key is not allowed"))
    outcome = world.visit()
    assert "400: label key is not allowed" in next(f.summary for f in outcome.findings if f.kind is Kind.ACTION_FAILED)
    assert world.cluster.nodes["node-a0"].assignable == ""
    assert world.labels == THEIRS


def test_a_second_writer_is_named_and_not_fought() -> None:
    """Somebody takes the label away every five minutes for a day: a handful of writes, one alert that says so."""
    world = World()
    for _ in range(24 * 12):
        world.visit()
        world.ocm.write_labels("egress-a", THEIRS)
        world.clock.advance(300)
    assert len(world.ocm.writes) <= 9
    told = [alert for alert in world.alerts.sent if alert.attributes["kind"] == "second-writer"]
    assert len(told) <= 2
    assert "Somebody keeps taking" in told[0].body
    quiet = world.clock.now + timedelta(hours=40)
    while world.clock.now < quiet:
        world.visit()
        world.clock.advance(3600)
    assert world.labels == {**THEIRS, **POOL_LABELS}, "once the other one stops, the label comes back and stays"
    assert Kind.SECOND_WRITER not in kinds(world.visit())


def test_a_pool_that_ocm_does_not_make_is_told() -> None:
    """A refusal with nothing of the name there afterwards is a failure."""
    world = World(NEW)
    world.ocm.fail("create_pool", Unreachable("OCM", "create machine pool", "503"))
    assert world.visit().status == "failed"


def test_a_conflict_becomes_a_finding_with_pool_and_keys() -> None:
    """Told when it lasts, in words, with what to check."""
    world = World()
    at_request(world.ocm, "fetch_pool", 1, {**THEIRS, "new": "x"})
    outcome = world.visit()
    finding = next(f for f in outcome.findings if f.kind is Kind.POOL_CONFLICT)
    assert (finding.subject, finding.severity) == ("labels of machine pool egress-a", Severity.WARNING)
    assert finding.todo == "See that machine pool egress-a has all the labels it should: new."
    assert finding.settles, "one edit at the same moment is nobody's business"
    assert world.visit().status == "done"
    assert world.labels == {**THEIRS, "new": "x", **POOL_LABELS}


def test_a_pool_that_is_being_made_wakes_nobody_before_its_time() -> None:
    """Its zone has no node yet, and nothing is asked of it: machines may take 25 minutes."""
    world = World(NEW)
    world.desired = replace(world.desired, policies=(factories.policy("ns", "10.10.100.20"),))
    for name in [name for name in world.cluster.nodes if name.startswith("node-a")]:
        del world.cluster.nodes[name]
    world.ec2.instances = {key: i for key, i in world.ec2.instances.items() if i.subnet_id != "subnet-a"}
    for _ in range(25):
        world.visit()
        world.clock.advance(60)
    assert [alert for alert in world.alerts.sent if alert.attributes["severity"] == "critical"] == []
    world.visit()
    world.clock.advance(60)
    world.visit()
    assert {alert.attributes["kind"] for alert in world.alerts.sent} >= {Kind.NO_ELIGIBLE_NODE}
