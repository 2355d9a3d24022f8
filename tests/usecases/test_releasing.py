"""Release: everything of ours goes, nothing else does, and every step may be the last of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.adapters.errors import Unreachable
from chalicelib.domain.actions import POOL_LABELS
from chalicelib.domain.plan import Plan
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL
from chalicelib.domain.spec import Mode, OcmSpec, SecretRef
from chalicelib.problems import BadInput
from chalicelib.usecases.releasing import Released, release
from chalicelib.usecases.visit import Outside, visit
from chalicelib.usecases.waiting import Patience
from tests import factories
from tests.fakes import Clock, FakeCluster, FakeEc2, FakeOcm, assign_all
from tests.worlds import ADDRESSES, PACE

THEIRS = {"team": "net", "tier": "front", "zone": "x"}


class World:
    """A cluster that was brought to its wish by visits, and is to be released now.

    Pool egress-a was labelled by us; egress-b had the label before; pool egress-c too, with the value of somebody else.
    """

    def __init__(self) -> None:
        nodes = tuple(factories.node(zone, assignable=None if zone == "a" else "") for zone in "abc")
        start = factories.snapshot(nodes=nodes)
        view = factories.ocm_view(
            factories.pool("a", labels=THEIRS),
            factories.pool("b", labels={**THEIRS, ASSIGNABLE_LABEL: ""}),
            factories.pool("c", labels={ASSIGNABLE_LABEL: "true"}),
        )
        self.desired = factories.cluster(
            factories.policy("ns", *ADDRESSES), factories.policy("pod", per_zone=1, pods=factories.PODS),
            infra_id=view.cluster.id, ocm=OcmSpec(view.cluster.id, SecretRef(env="OCM")),
        )  # fmt: skip
        self.cluster, self.ec2, self.clock = FakeCluster(start), FakeEc2(start), Clock()
        self.ocm = FakeOcm(view.cluster, *view.pools)
        self.cluster.egress_ips["theirs"] = factories.egress_ip("theirs", labels={"who": "else"})
        foreign = factories.reservation("10.10.100.64/28", cluster=None)
        self.ec2.reservations[foreign.id] = foreign
        for _ in range(3):
            visit(self.desired, self.outside, PACE, run_id="demo.1")
            assign_all(self.cluster, self.ec2)
        self.desired = replace(self.desired, mode=Mode.OBSERVE)
        self.forget_writes()
        self.slept = 0.0

    @property
    def outside(self) -> Outside:
        return Outside(self.cluster, self.ec2, self.clock, ocm=self.ocm)

    @property
    def writes(self) -> list[tuple[object, ...]]:
        return [*self.cluster.writes, *self.ec2.writes, *self.ocm.writes]

    def forget_writes(self) -> None:
        for fake in (self.cluster, self.ec2, self.ocm):
            fake.writes.clear()

    def pass_time(self, seconds: float) -> None:
        """While a release pauses, the platform lets go of what nobody asks for any more."""
        self.slept += seconds
        assign_all(self.cluster, self.ec2)

    def release(
        self,
        approve: Callable[[Plan], bool] = lambda _: True,
        *,
        timeout: float = 100.0,
        sleep: Callable[[float], None] | None = None,
    ) -> Released:
        patience = Patience(timeout, 10.0, lambda: self.slept, sleep or self.pass_time)
        return release(self.desired, self.outside, approve, patience, lambda _: None)

    @property
    def left(self) -> tuple[object, ...]:
        """Everything that anybody could call ours, or theirs."""
        return (
            sorted(self.cluster.egress_ips),
            sorted(self.ec2.reservations),
            {name: dict(pool.labels) for name, pool in self.ocm.pools.items()},
            {name: node.assignable for name, node in self.cluster.nodes.items()},
        )


EMPTY = (
    ["theirs"],
    ["scr-10.10.100.64/28"],
    {
        "egress-a": THEIRS,
        "egress-b": {**THEIRS, ASSIGNABLE_LABEL: ""},
        "egress-c": {ASSIGNABLE_LABEL: "true"},
    },
    {"node-a0": None, "node-b0": "", "node-c0": ""},
)


def test_everything_of_ours_goes_and_nothing_else() -> None:
    """EgressIPs, reservations, and the label where we put it; other labels, objects and reservations stay."""
    world = World()
    assert world.ocm.pools["egress-a"].labels == {**THEIRS, **POOL_LABELS}
    released = world.release()
    assert released.complete
    assert world.left == EMPTY
    kept = {item.what for item in released.plan.withheld}
    assert kept == {"label of machine pool egress-b", "label of machine pool egress-c"}


def test_the_order_protects_what_serves() -> None:
    """Objects, then reservations once nothing has their addresses, then labels: pool before nodes."""
    world = World()
    order: list[str] = []
    for fake in (world.cluster, world.ec2, world.ocm):
        original = fake._wrote
        fake._wrote = lambda operation, *a, original=original: (order.append(operation), original(operation, *a))[1]  # type: ignore[method-assign]
    world.release()
    assert list(dict.fromkeys(order)) == ["delete_egress_ip", "release_reservation", "set_pool_labels", "unlabel_node"]


def test_nothing_is_released_while_its_addresses_are_in_use() -> None:
    """A platform that does not let go ends the wait, not the reservation."""
    world = World()
    released = world.release(sleep=lambda seconds: setattr(world, "slept", world.slept + seconds), timeout=50)
    assert not released.complete
    assert "the time is up" in released.stopped
    assert any("is being released" in item for item in released.waiting)
    assert {write[0] for write in world.writes} == {"delete_egress_ip"}
    assert world.release().complete, "another release goes on"
    assert world.left == EMPTY


def test_without_approval_nothing_is_written() -> None:
    """The whole plan is shown first."""
    world, asked = World(), list[Plan]()
    released = world.release(lambda plan: bool(asked.append(plan)))
    assert world.writes == []
    assert released.applied is None
    assert len(asked[0].actions) == len(released.plan.actions) > 4


def test_a_cluster_whose_visits_change_things_is_refused() -> None:
    """The schedule would put back what the release takes away: one clear error, nothing written."""
    world = World()
    world.desired = replace(world.desired, mode=Mode.ENFORCE)
    with pytest.raises(BadInput, match=r"clusters.demo.mode: enforce: .*allowed is observe"):
        world.release()
    assert world.writes == []


def test_a_release_may_be_killed_before_any_write_and_repeated() -> None:
    """Every prefix of the writes, followed by a whole release, ends where one whole release ends."""
    writes = World()
    writes.release()
    total = len(writes.writes)
    assert total > 6
    for stop in range(total):
        world, count = World(), iter(range(1000))
        original = {fake: fake._wrote for fake in (world.cluster, world.ec2, world.ocm)}

        def killed(operation, *arguments, fake, count=count, stop=stop, original=original):  # type: ignore[no-untyped-def]
            if next(count) >= stop:
                raise KeyboardInterrupt
            original[fake](operation, *arguments)

        for fake in original:
            fake._wrote = lambda *a, fake=fake, killed=killed: killed(*a, fake=fake)  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            world.release()
        for fake, wrote in original.items():
            fake._wrote = wrote  # type: ignore[method-assign]
        assert world.release().complete
        assert world.left == EMPTY


@pytest.mark.parametrize(
    "operation", ["fetch_nodes", "fetch_cpics", "fetch_interfaces", "fetch_reservations", "fetch_pools"]
)
def test_a_release_that_cannot_see_everything_takes_nothing_away(operation: str) -> None:
    """Unknown is not empty, least of all when things are taken away."""
    world = World()
    for fake in (world.cluster, world.ec2, world.ocm):
        fake.fail(operation)
    released = world.release()
    assert released.applied is None
    assert "could not be read" in released.stopped
    assert world.writes == []


def test_a_failed_step_ends_the_release_and_the_next_goes_on() -> None:
    """What failed is told; nothing after it is tried."""
    world = World()
    world.ec2.fail("release_reservation", Unreachable("EC2", "DeleteSubnetCidrReservation", "503"))
    released = world.release()
    assert released.failed
    assert not world.ocm.writes
    world.ec2.heal()
    assert world.release().complete
    assert world.left == EMPTY


def test_a_release_that_goes_blind_on_its_way_stops_there() -> None:
    """What was done is reported, and nothing more is taken away."""
    world = World()

    def go_blind(seconds: float) -> None:
        world.pass_time(seconds)
        world.cluster.fail("fetch_cpics")

    released = world.release(sleep=go_blind)
    assert released.applied
    assert not released.complete
    assert "could not be read" in released.stopped


@pytest.mark.parametrize("change", [{"state": "hibernating"}, {"id": "other", "infra_id": "other-x"}])
def test_nothing_is_released_of_a_cluster_that_is_not_ready_or_another(change: dict[str, Any]) -> None:
    """No write to OCM that it would refuse, and none to somebody else's pools."""
    world = World()
    world.ocm.cluster = replace(world.ocm.cluster, **change)
    world.desired = replace(world.desired, ocm=OcmSpec(world.ocm.cluster.id, SecretRef(env="OCM")))
    released = world.release()
    assert released.applied is None
    assert "nothing is written to OCM meanwhile" in released.stopped
    assert world.writes == []


def test_somebody_who_puts_things_back_is_not_fought() -> None:
    """Functions that read another fleet file still enforce: the release notices and stops."""
    world = World()

    def enforce(seconds: float) -> None:
        world.pass_time(seconds)
        visit(replace(world.desired, mode=Mode.ENFORCE), world.outside, PACE, run_id="demo.2")

    # An object made anew has another uid in life.
    original = world.cluster.apply_egress_ip

    def apply(name, spec, labels, **named):  # type: ignore[no-untyped-def]
        original(name, spec, labels, **named)
        world.cluster.egress_ips[name] = replace(world.cluster.egress_ips[name], uid=f"uid-{name}-again")

    world.cluster.apply_egress_ip = apply  # type: ignore[method-assign]
    released = world.release(sleep=enforce)
    assert not released.complete
    assert "somebody makes anew what is to go: delete EgressIP ns" in released.stopped


def test_labels_that_other_peoples_addresses_need_stay() -> None:
    """Without its label a node gives up every egress address, whoever's: theirs must go on serving."""
    world = World()
    there = factories.egress_ip("theirs", "10.10.100.9", items={"10.10.100.9": "node-a0"}, labels={"who": "else"})
    world.cluster.egress_ips["theirs"] = there
    assign_all(world.cluster, world.ec2)
    released = world.release()
    assert released.complete
    assert world.ocm.pools["egress-a"].labels == {**THEIRS, **POOL_LABELS}
    assert world.cluster.nodes["node-a0"].assignable == ""
    assert "its nodes carry addresses of theirs, not ours" in {item.why for item in released.plan.withheld}


def test_a_label_that_somebody_has_taken_over_stays() -> None:
    """Terraform writes the whole map with the label and without our mark: it is theirs now."""
    world = World()
    world.ocm.write_labels("egress-a", {**THEIRS, ASSIGNABLE_LABEL: ""})
    assert world.release().complete
    assert world.ocm.pools["egress-a"].labels == {**THEIRS, ASSIGNABLE_LABEL: ""}


def test_on_classic_the_platform_takes_the_label_off_the_nodes() -> None:
    """By hand it would come off sibling nodes too: the release waits for it."""
    world = World()
    world.ocm.cluster = replace(world.ocm.cluster, hosted=False)
    for name, node in list(world.cluster.nodes.items()):
        world.cluster.nodes[name] = replace(node, pool=None)

    def propagate(seconds: float) -> None:
        world.pass_time(seconds)
        if ASSIGNABLE_LABEL not in world.ocm.pools["egress-a"].labels and world.slept > 60:
            world.cluster.nodes["node-a0"] = replace(world.cluster.nodes["node-a0"], assignable=None, marked=False)

    released = world.release(sleep=propagate)
    assert released.complete
    assert world.slept > 60
    assert world.left == EMPTY
    assert "unlabel_node" not in {write[0] for write in world.writes}


def test_releasing_twice_writes_nothing() -> None:
    """Nothing of ours left: nothing to approve, nothing to do."""
    world = World()
    world.release()
    world.forget_writes()
    released = world.release(lambda _: False)
    assert released.complete
    assert world.writes == []
