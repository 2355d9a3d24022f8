"""What if: which addresses would serve, from where, and what room is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.rehearsing.what_if import Answer, NotPossible, Question, ZoneSums, what_if
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.terrain import all_known
from tests import factories as make
from tests.domain.rehearsing.test_rehearsal import apply

ADDRESSES = ("10.10.100.100", "10.10.150.100", "10.10.200.100")
ITEMS = dict(zip(ADDRESSES, ("node-a0", "node-b0", "node-c0"), strict=True))
LIMITS = {"m5.xlarge": 15}


def serving(**changes: Any) -> Snapshot:
    """Two nodes in zone a, one in b and c; one policy with an address in each, all on the first node."""
    pairs = (("a", 0), ("a", 1), ("b", 0), ("c", 0))
    made = make.snapshot(
        nodes=tuple(make.node(*pair) for pair in pairs),
        instances=tuple(make.instance(*pair) for pair in pairs),
        interfaces=(
            make.interface("a", 0, ADDRESSES[0]),
            make.interface("a", 1),
            make.interface("b", 0, ADDRESSES[1]),
            make.interface("c", 0, ADDRESSES[2]),
        ),
        egress_ips=(make.egress_ip("ns", *ADDRESSES, items=ITEMS),),
        cpics=tuple(make.cpic(address, node) for address, node in ITEMS.items()),
    )
    return replace(made, **changes)


def ask(observed: Snapshot | None = None, **question: Any) -> Answer:
    known = all_known(observed or serving())
    assert known is not None
    return what_if(Question(**question), known, LIMITS)


def ends(answer: Answer) -> dict[str, tuple[str, ...]]:
    return {fate.address: fate.after for fate in answer.fates}


def test_a_lost_node_with_a_peer_costs_nothing() -> None:
    """The address moves to the other node of its zone, the others stay."""
    answer = ask(lose_nodes=("node-a0",))
    assert ends(answer) == {ADDRESSES[0]: ("node-a1",), ADDRESSES[1]: ("node-b0",), ADDRESSES[2]: ("node-c0",)}
    assert answer.lost == ()
    assert answer.sentences == ("node node-a0 is lost",)


def test_a_lost_zone_without_a_peer_costs_its_address_and_its_room() -> None:
    """No node of another zone can have it; the sums say what is left."""
    answer = ask(lose_zones=("eu-central-1b",))
    (lost,) = answer.lost
    assert (lost.address, lost.before, lost.after, lost.certain) == (ADDRESSES[1], "node-b0", (), True)
    assert "no node can have it" in lost.why
    assert answer.zones[1] == ZoneSums("eu-central-1b", 1, 0, 14, 0, 13, 0, 1, 0)
    assert answer.zones[0] == ZoneSums("eu-central-1a", 2, 2, 28, 28, 27, 27, 1, 1)


def test_a_pool_that_shrinks_loses_the_nodes_that_carry_most() -> None:
    """Which nodes go is not ours to say, so the worst is shown."""
    assert ends(ask(scale=(("egress-a", 1),)))[ADDRESSES[0]] == ("node-a1",)
    assert ends(ask(scale=(("egress-a", 0),)))[ADDRESSES[0]] == ()


def test_new_nodes_of_a_pool_make_room_and_move_nothing() -> None:
    """The platform never rebalances; afterwards the first node may go."""
    answer = ask(scale=(("egress-b", 2),))
    assert ends(answer)[ADDRESSES[1]] == ("node-b0",)
    assert (answer.zones[1].nodes_after, answer.zones[1].capacity_after) == (2, 28)
    assert ends(ask(scale=(("egress-b", 2),), lose_nodes=("node-b0",)))[ADDRESSES[1]] == ("egress-b-new-1",)


def test_an_upgrade_reboots_node_by_node() -> None:
    """What has no peer comes back after its node; what has one may stay where it went."""
    answer = ask(upgrade="4.20")
    assert answer.lost == ()
    assert set(ends(answer)[ADDRESSES[0]]) <= {"node-a0", "node-a1"}
    assert ends(answer)[ADDRESSES[1]] == ("node-b0",)
    assert "OpenShift 4.20" in answer.versions


def test_an_added_policy_is_placed_before_anything_is_lost() -> None:
    """Its addresses count as lost where they would not serve."""
    added = apply("extra", "10.10.100.50", "10.10.150.50")
    answer = ask(add=(added,), policies=("extra",), lose_zones=("eu-central-1b",))
    assert {(fate.policy, fate.address) for fate in answer.lost} == {("ns", ADDRESSES[1]), ("extra", "10.10.150.50")}
    assert ends(answer)["10.10.100.50"] != ()
    assert answer.sentences == ("policy extra is added", "zone eu-central-1b is lost")


def test_versions_that_differ_are_told() -> None:
    """A failover while a node lacks host-cidrs ends badly in most releases, and well in later ones."""
    nodes = (*(make.node(z, n) for z, n in (("a", 0), ("a", 1), ("b", 0))), make.node("c", 0, host_addresses=None))
    fate = ask(serving(nodes=nodes), lose_nodes=("node-a0",)).fates[0]
    assert (fate.after, fate.certain, fate.lost) == (("node-a1",), False, True)
    assert "silent_abort" in fate.why


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"lose_zones": ("x",)}, "'x' is no zone with nodes of this cluster; there are eu-central-1a, eu-central-1b"),
        ({"lose_nodes": ("x",)}, "'x' is no node of this cluster; there are node-a0"),
        ({"scale": (("x", 3),)}, "'x' is no machine pool with nodes of this cluster; there are egress-a"),
    ],
)
def test_what_is_not_there_cannot_be_lost(question: dict[str, Any], message: str) -> None:
    """One clear sentence that names what there is."""
    with pytest.raises(NotPossible, match=message):
        ask(**question)
