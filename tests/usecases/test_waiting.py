"""Waiting for machine pools: what is shown, when it ends, and what each node lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.machine_pools.waiting import named_pools
from chalicelib.domain.pools import MachinePool, Scaling
from chalicelib.domain.snapshot import Snapshot, Unknown
from chalicelib.domain.spec import PoolCreation, PoolSpec
from chalicelib.problems import BadInput
from chalicelib.usecases.waiting import Patience, Waited, wait
from tests import factories as make

TWO = Scaling(2, 2, auto=False)
DESIRED = make.cluster(machine_pools=(PoolSpec("egress-a"),))


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def patience(self, timeout: float = 100.0) -> Patience:
        return Patience(timeout, 10.0, lambda: self.now, self.sleep)


def seen(pool: MachinePool | None = None, **changes: Any) -> Snapshot:
    view = make.ocm_view(pool or make.pool("a", scaling=TWO))
    made = make.snapshot("a", nodes_per_zone=2, ocm=view)
    return replace(made, **changes)


def waited(*snapshots: Snapshot, names: tuple[str, ...] = (), time: Time | None = None) -> tuple[Waited, list[str]]:
    """Wait while the cluster goes through *snapshots*, the last for ever."""
    steps, shown = iter(snapshots[:-1]), list[str]()
    observe: Callable[[], Snapshot] = lambda: next(steps, snapshots[-1])  # noqa: E731 - two lines would say no more
    return wait(DESIRED, observe, names, (time or Time()).patience(), shown.append), shown


def test_a_pool_that_can_carry_ends_the_wait_at_once() -> None:
    """Nothing missing: no pause, one line."""
    time = Time()
    result, shown = waited(seen(), time=time)
    assert result.complete
    assert time.slept == []
    assert shown == ["egress-a: 2 of 2 seen, 2 registered, 2 ready, 2 labelled, 2 able to carry"]


def test_progress_is_shown_when_it_changes_and_only_then() -> None:
    """A node that is born: machine, registration, readiness, label."""
    whole = seen()
    nodes = whole.nodes
    assert not isinstance(nodes, Unknown)
    first, second = nodes
    launched = replace(whole, nodes=(first,))
    registered = replace(whole, nodes=(first, replace(second, ready=False, assignable=None)))
    ready = replace(whole, nodes=(first, replace(second, assignable=None)))
    result, shown = waited(launched, launched, registered, ready, whole)
    assert result.complete
    assert [line.partition("\n")[0] for line in shown] == [
        "egress-a: 2 of 2 seen, 1 registered, 1 ready, 1 labelled, 1 able to carry",
        "egress-a: 2 of 2 seen, 2 registered, 1 ready, 1 labelled, 1 able to carry",
        "egress-a: 2 of 2 seen, 2 registered, 2 ready, 1 labelled, 1 able to carry",
        "egress-a: 2 of 2 seen, 2 registered, 2 ready, 2 labelled, 2 able to carry",
    ]
    assert "i-a1: instance is running and has not registered as a node" in shown[0]
    assert "node-a1: label k8s.ovn.org/egress-assignable is missing; not Ready" in shown[1]


def test_the_time_is_up_with_a_reason_for_each() -> None:
    """The wait ends by itself, and says what is missing where."""
    time = Time()
    one = seen(make.pool("a", labels={}, scaling=TWO), instances=(make.instance("a"),), nodes=())
    result, _ = waited(one, time=time)
    assert not result.complete
    assert time.now == 100
    (pool,) = result.pools
    assert pool.reasons == (
        "machine pool egress-a: it lacks the label in OCM",
        "machine pool egress-a: 1 of 2 machines are there",
        "i-a0: instance is running and has not registered as a node",
    )


def test_a_pool_that_is_not_made_yet_is_waited_for() -> None:
    """It is in the fleet file and not in OCM: not an error, but not there."""
    view = make.ocm_view(make.pool("b"))
    result, _ = waited(make.snapshot("b", ocm=view))
    (pool,) = result.pools
    assert pool.missing == ("OCM has no such machine pool yet", "it has no machine yet")


def test_without_ocm_machines_count() -> None:
    """What OCM does not say is not guessed: the machines that are there must be able, and there must be one."""
    result, _ = waited(seen(ocm=None))
    assert result.complete
    assert (result.pools[0].wanted, result.pools[0].labelled) == (None, None)
    empty, _ = waited(seen(ocm=None, instances=(), nodes=()))
    assert not empty.complete


@pytest.mark.parametrize("section", ["nodes", "instances"])
def test_what_cannot_be_read_is_waited_out(section: str) -> None:
    """An API server that does not answer for a while ends no wait; unknown is never complete."""
    changes: dict[str, Any] = {section: Unknown(section, "503", "cluster API")}
    blind = seen(**changes)
    result, shown = waited(blind, seen())
    assert result.complete
    assert shown[0] == f"{section} could not be read: 503"
    never, _ = waited(blind)
    assert (never.complete, never.pools) == (False, ())


def test_an_unknown_pool_is_named_with_those_there_are() -> None:
    """One clear error: field, value, allowed."""
    with pytest.raises(BadInput, match="--pool: 'egres' is no machine pool of demo; it has egress-a"):
        waited(seen(), names=("egres",))


@pytest.mark.parametrize("section", ["instances", "ocm"])
def test_a_pool_is_called_unknown_only_when_everything_could_be_read(section: str) -> None:
    """A pool that the fleet file does not list is known by its machines, or in OCM: not while these cannot be read."""
    changes: dict[str, Any] = {"instances": (), section: Unknown(section, "503", "")}
    blind = seen(**changes)
    listed = replace(seen(), ocm=make.ocm_view(make.pool("a"), make.pool("b")))
    others = replace(DESIRED, machine_pools=())
    assert named_pools(blind, others, ["egress-b"]) == ("egress-b",)
    assert named_pools(listed, others, ["egress-b"]) == ("egress-b",)
    with pytest.raises(BadInput, match=r"it has egress-a$"):
        waited(blind, seen(), names=("egress-x",))


def test_without_any_pool_there_is_nothing_to_wait_for() -> None:
    """Nothing is not "all can carry"."""
    time = Time()
    with pytest.raises(BadInput, match="the fleet file lists no machine pool of demo"):
        wait(make.cluster(machine_pools=()), seen, (), time.patience(), print)


def test_pools_are_named_by_entry_or_by_themselves() -> None:
    """An entry that became a pool a zone stands for all of them; a pool that only the cluster knows is a name too."""
    creation = PoolCreation("m5.xlarge", TWO, zones=("eu-central-1a", "eu-central-1b"))
    desired = make.cluster(machine_pools=(PoolSpec("egress", creation),))
    observed = make.snapshot(ocm=make.ocm_view(make.pool("z")))
    assert named_pools(observed, desired, ["egress"]) == ("egress-a", "egress-b")
    assert named_pools(observed, desired, ["egress-b", "egress-z"]) == ("egress-b", "egress-z")
    assert named_pools(observed, desired, []) == ("egress-a", "egress-b")
