"""The judges, judged: each law sees what breaks it, and the oracle agrees with plain enumeration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Network
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.virtual import Keeper, VirtualRosa
from tests.model import laws
from tests.model.oracle import Carrier, Demand, most
from tests.sandbox.virtual.fleets import policy, served, standing, wish

ADDRESSES = ("10.10.100.250", "10.10.150.250")
NET = IPv4Network("10.10.100.0/24")


@pytest.fixture
def keeper() -> Keeper:
    return served(Keeper(standing(), wish(policy("web", *ADDRESSES))))


def _drops_one(keeper: Keeper) -> None:
    there = next(e for e in keeper.rosa.cluster.fetch_egress_ips() if e.name == "web")
    spec = type(there.spec)(ADDRESSES[:1], there.spec.namespace_selector, None)
    keeper.rosa.cluster.apply_egress_ip("web", spec, there.labels, force=True)


def _blinks(keeper: Keeper) -> None:
    there = next(e for e in keeper.rosa.cluster.fetch_egress_ips() if e.name == "web")
    _drops_one(keeper)
    keeper.rosa.cluster.apply_egress_ip("web", there.spec, there.labels, force=True)


@pytest.mark.parametrize("visit", [_drops_one, _blinks])
def test_an_address_that_stops_is_seen_even_if_it_comes_back_at_once(
    keeper: Keeper, visit: Callable[[Keeper], None]
) -> None:
    """The first law: also where the loss takes no time."""
    given = {"web": frozenset(ADDRESSES)}
    broken = laws.interrupted(keeper, visit, laws.nothing, given, laws.FEW)
    assert broken
    assert all(ADDRESSES[1] in line for line in broken)


def test_what_the_fleet_file_gives_up_or_the_cluster_loses_anyhow_is_no_loss(keeper: Keeper) -> None:
    """The first law asks nothing of addresses that would have stopped without the visit too."""
    assert not laws.interrupted(keeper, _drops_one, laws.nothing, {"web": frozenset(ADDRESSES[:1])}, laws.FEW)

    def zone_goes(rosa: VirtualRosa) -> None:
        rosa.accidents.lose_zone("eu-central-1b")

    def visit(keeper: Keeper) -> None:
        zone_goes(keeper.rosa)
        _drops_one(keeper)

    assert not laws.interrupted(keeper, visit, zone_goes, {"web": frozenset(ADDRESSES)}, laws.FEW)


def test_a_foreign_thing_that_changes_is_seen(keeper: Keeper) -> None:
    """The third law: reservations, objects, tags and labels of others."""
    rosa = keeper.rosa
    theirs = rosa.accidents.reserve("10.10.100.9/32", tags={"team": "a"})
    rosa.accidents.make_object("theirs", "10.10.100.9")
    rosa.accidents.edit_label("web", "team", "a")
    before = laws.foreign(rosa)
    assert laws.changed(before, laws.foreign(rosa)) == []
    for harm in (
        lambda other: other.accidents.delete_reservation(theirs.id),
        lambda other: other.accidents.edit_addresses("theirs"),
        lambda other: other.accidents.delete_object("theirs"),
        lambda other: other.accidents.edit_label("web", "team", None),
    ):
        other = rosa.fork()
        harm(other)
        assert laws.changed(before, laws.foreign(other))


demands = st.sets(
    st.tuples(st.sampled_from(["p", "q"]), st.sampled_from([f"10.10.100.{n}" for n in range(9, 12)])), max_size=4
)
capacities = st.lists(st.integers(0, 2), max_size=3)


@settings(max_examples=30)
@given(demands, capacities)
def test_the_oracle_agrees_with_trying_everything(demands: set[Demand], capacities: list[int]) -> None:
    """Maximum flow is the most that any placement serves."""
    nodes = [Carrier(f"n{number}", NET, capacity) for number, capacity in enumerate(capacities)]
    best = 0
    for placed in product([None, *nodes], repeat=len(demands)):
        chosen = [(name, node) for (name, _), node in zip(sorted(demands), placed, strict=True) if node is not None]
        loads = Counter(node for _, node in chosen)
        if len(set(chosen)) == len(chosen) and all(load <= node.capacity for node, load in loads.items()):
            best = max(best, len(chosen))
    assert most(demands, nodes) == best
