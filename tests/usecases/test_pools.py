"""Machine pools in whole visits, and with another writer of the same pool in between: nothing is lost unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters.errors import Denied, NotFound, Rejected, Unreachable
from chalicelib.domain.actions import POOL_LABELS, LabelPool, UnlabelPool
from chalicelib.domain.capacity import CapacityReport, report_capacity
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.machine_pools.pooling import plan_pools
from chalicelib.domain.plan import Plan
from chalicelib.domain.pools import MachinePool, OcmCluster, OcmView, Scaling
from chalicelib.domain.remembered import NOTHING_REMEMBERED
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL
from chalicelib.domain.spec import ClusterSpec, Mode, OcmSpec, PoolCreation, PoolSpec, SecretRef
from chalicelib.domain.terrain import Terrain, all_known
from chalicelib.usecases.act import Report, execute
from chalicelib.usecases.pools import PoolConflict, PoolWriter
from chalicelib.usecases.tell import Timing
from chalicelib.usecases.visit import Outcome, Outside, Pace, visit
from tests import factories
from tests.fakes import Clock, FakeAlerts, FakeCluster, FakeEc2, FakeMemory, FakeOcm

PACE = Pace(Timing(timedelta(seconds=60), timedelta(days=1)), timedelta(seconds=20))
THEIRS = {"team": "net", "tier": "front"}
NEW = PoolSpec("new", PoolCreation("m5.xlarge", Scaling(2, 2, auto=False), subnets=("subnet-a",)))


class World:
    """A healthy HCP cluster whose pool egress-a has two labels, none of them ours, and unlabelled nodes."""

    def __init__(self, *pools: PoolSpec) -> None:
        bare = tuple(factories.node(zone, assignable=None if zone == "a" else "") for zone in "abc")
        start = factories.snapshot(nodes=bare)
        view = factories.ocm_view(factories.pool("a", labels=THEIRS), factories.pool("b"))
        self.desired: ClusterSpec = factories.cluster(
            infra_id=view.cluster.id,
            ocm=OcmSpec(view.cluster.id, SecretRef(env="OCM")),
            machine_pools=pools or (PoolSpec("egress-a"),),
        )
        self.cluster, self.ec2 = FakeCluster(start), FakeEc2(start)
        self.ocm = FakeOcm(view.cluster, *view.pools)
        self.memory, self.alerts, self.clock = FakeMemory(), FakeAlerts(), Clock()

    def visit(self) -> Outcome:
        outside = Outside(self.cluster, self.ec2, self.clock, memory=self.memory, alerts=self.alerts, ocm=self.ocm)
        return visit(self.desired, outside, PACE, run_id="demo.1")

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


# The write itself, with another writer in between


@dataclass
class Other:
    """Somebody who writes the whole map of labels, at given requests of ours.

    Attributes:
        moves: (before which of our requests, keeps what is there, label it adds).
        persistent: Writes its labels again when it finds them missing, as Terraform does at its next run.
    """

    ocm: FakeOcm
    moves: list[tuple[int, bool, str]]
    persistent: bool
    requests: int = 0
    wants: dict[str, str] = field(default_factory=lambda: dict(THEIRS))
    seen: dict[str, str] = field(default_factory=lambda: dict(THEIRS))
    in_window: set[str] = field(default_factory=set)

    def between(self, operation: str) -> None:
        for at, keeps, label in self.moves:
            if at == self.requests:
                self.wants[label] = "x"
                there = self.ocm.pools["egress-a"].labels
                self.ocm.write_labels("egress-a", {**(there if keeps else self.seen), **self.wants})
                if operation == "set_pool_labels":
                    self.in_window.add(label)
        self.requests += 1
        if not self.persistent or self.requests % 3 == 0:
            self.seen = dict(self.ocm.pools["egress-a"].labels)

    def look_again(self) -> None:
        there = self.ocm.pools["egress-a"].labels
        if self.persistent and any(there.get(key) != value for key, value in self.wants.items()):
            self.ocm.write_labels("egress-a", {**there, **self.wants})


START = factories.snapshot("a", subnets=(factories.subnet("a"),))
CLUSTER, EC2 = FakeCluster(START), FakeEc2(START)
DESIRED = factories.cluster(infra_id=factories.ocm_cluster().id, machine_pools=(PoolSpec("egress-a"),))


def small_visit(ocm: FakeOcm, terrain: Terrain) -> Report:
    """The part of a visit that is about pools: a whole one a thousand times over would take a minute."""
    cluster = ocm.fetch_cluster(ocm.cluster.id)
    terrain.observed = replace(terrain.observed, ocm=OcmView(cluster, ocm.fetch_pools(cluster)))
    pooling = plan_pools(terrain, NOTHING_REMEMBERED)
    return execute(Plan("demo", tuple(pooling.label)), CLUSTER, EC2, PoolWriter(ocm, cluster))


def a_terrain() -> Terrain:
    known, capacity = all_known(START), report_capacity(START)
    assert known is not None
    assert isinstance(capacity, CapacityReport)
    return Terrain(known, DESIRED, capacity)


TERRAIN = a_terrain()


moves = st.lists(st.tuples(st.integers(0, 14), st.booleans(), st.sampled_from(["a", "b", "team2"])), max_size=4)


def survives_or_is_named(moves: list[tuple[int, bool, str]], persistent: bool) -> None:
    """Each of their labels is there in the end, or a finding names pool and key.

    One gap is left, and OCM gives nothing to close it with: a key written for the first time between our last read and
    our write, by somebody who never looks again.
    """
    ocm = FakeOcm(factories.ocm_cluster(), factories.pool("a", labels=THEIRS))
    other = Other(ocm, moves, persistent)
    ocm.between = other.between
    named: set[str] = set()
    for _ in range(4):
        for finding in small_visit(ocm, TERRAIN).findings:
            assert finding.subject == "labels of machine pool egress-a"
            named |= {key for key in other.wants if key in finding.todo}
        other.look_again()
    survived = {key for key, value in ocm.pools["egress-a"].labels.items() if other.wants.get(key) == value}
    lost = set(other.wants) - survived - named
    assert lost <= (set() if persistent else other.in_window)


@settings(max_examples=150)
@given(moves, st.booleans())
def test_every_foreign_label_survives_or_is_named(moves: list[tuple[int, bool, str]], persistent: bool) -> None:
    """Interleavings with the console or Terraform, which replace the whole map with our label or without."""
    survives_or_is_named(moves, persistent)


@pytest.mark.slow
@settings(max_examples=1000)
@given(moves, st.booleans())
def test_in_a_thousand_interleavings_too(moves: list[tuple[int, bool, str]], persistent: bool) -> None:
    """Rare orders of reads and writes come up among many."""
    survives_or_is_named(moves, persistent)


def writer(*labels: tuple[str, str]) -> tuple[PoolWriter, FakeOcm]:
    cluster: OcmCluster = factories.ocm_cluster()
    ocm = FakeOcm(cluster, factories.pool("a", labels=dict(labels)))
    return PoolWriter(ocm, cluster), ocm


def at_request(ocm: FakeOcm, operation: str, number: int, labels: Mapping[str, str]) -> None:
    """Somebody replaces the map just before the request of that number (from 1) of its kind; 0: before each."""
    count = iter(range(1, 100))

    def between(name: str) -> None:
        if name == operation and (next(count) == number or number == 0):
            ocm.write_labels("egress-a", labels)

    ocm.between = between


LABEL = LabelPool("egress-a", THEIRS, (), "")


def test_labels_that_changed_since_the_plan_are_not_overwritten() -> None:
    """Somebody is writing now: look again instead."""
    pools, ocm = writer(*THEIRS.items(), ("new", "x"))
    with pytest.raises(PoolConflict, match="changed since they were read: new") as raised:
        pools.perform(LABEL)
    assert raised.value.keys == ("new",)
    assert ocm.writes == []


def test_a_label_that_somebody_set_meanwhile_is_enough() -> None:
    """Done is done, whoever did it: nothing is sent."""
    pools, ocm = writer(*THEIRS.items(), (ASSIGNABLE_LABEL, "true"))
    pools.perform(LABEL)
    assert ocm.writes == []


def test_a_write_that_is_overwritten_at_once_is_made_once_more() -> None:
    """Terraform wrote at the same moment, without our label: merged into what is there then."""
    pools, ocm = writer(*THEIRS.items())
    at_request(ocm, "fetch_pool", 2, {**THEIRS, "new": "x"})
    pools.perform(LABEL)
    assert ocm.pools["egress-a"].labels == {**THEIRS, "new": "x", **POOL_LABELS}


def test_a_label_that_vanished_meanwhile_is_named() -> None:
    """Ours is there, and one of theirs is not any more: not ours to put back, but people must know."""
    pools, ocm = writer(*THEIRS.items())
    at_request(ocm, "fetch_pool", 2, {"tier": "front", **POOL_LABELS})
    with pytest.raises(PoolConflict) as raised:
        pools.perform(LABEL)
    assert raised.value.keys == ("team",)
    assert raised.value.lost, "told at once"


def test_a_pool_that_is_overwritten_each_time_is_given_up_for_now() -> None:
    """Twice is enough for one visit."""
    pools, ocm = writer(*THEIRS.items())
    at_request(ocm, "fetch_pool", 0, THEIRS)
    with pytest.raises(PoolConflict, match="each time overwritten") as raised:
        pools.perform(LABEL)
    assert raised.value.keys == (ASSIGNABLE_LABEL,)
    assert len(ocm.writes) == 2


def test_a_label_that_somebody_takes_over_while_it_is_taken_away_stays() -> None:
    """Terraform wrote the whole map at the same moment, with the label and without our mark: it is theirs now."""
    pools, ocm = writer(*THEIRS.items(), *POOL_LABELS.items())
    theirs = {**THEIRS, ASSIGNABLE_LABEL: ""}
    at_request(ocm, "fetch_pool", 2, theirs)
    pools.perform(UnlabelPool("egress-a", {**THEIRS, **POOL_LABELS}, (), ""))
    assert ocm.pools["egress-a"].labels == theirs
    assert len(ocm.writes) == 1


def test_a_pool_that_is_gone_is_told() -> None:
    """Between plan and write: nothing is made of it."""
    pools, ocm = writer()
    ocm.pools.clear()
    with pytest.raises(NotFound, match="machine pool egress-a is gone"):
        pools.perform(LABEL)


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
