"""What the search has found, each kept as a life of its own: the events that led there, and what was wrong."""

from __future__ import annotations

from sandbox.rosa.scenario import Flavour
from tests.model.happenings import Event
from tests.model.life import Life, Shape


def settled(shape: Shape, *events: Event) -> list[str]:
    """What is missing at the end of that life, and what would still change."""
    life = Life(shape)
    for event in events:
        life.befall(*event)
    return life.settles() or life.is_kept()


def test_a_stray_address_gives_its_node_back_to_an_address_of_the_policy() -> None:
    """Somebody adds an address by hand while another zone is down, and the policy is incomplete: the stray one stayed,
    on the node that one of the policy's own addresses waited for.
    """
    shape = Shape((2, 1, 2), ((2, False),), release="1.3", cncc="4.15", instance_type="t3.nano", seed=2)
    assert not settled(
        shape, ("visit",), ("raced", 3, ("stop cncc",)), ("add stray", 4), ("lose zone", 10), ("visit",), ("cordon", 3),
        ("wait", 60.0), ("add stray", 11), ("killed", 5),
    )  # fmt: skip


def test_addresses_that_no_node_can_have_take_no_room_from_others() -> None:
    """A node is lost, and two policies list more addresses of its zone than it has nodes. A third one, whose object was
    emptied by hand, was refused the room that those can never use.
    """
    shape = Shape((3, 2), ((1, True), (2, False), (2, True)), Flavour.CLASSIC, "1.1", "4.15", "t3.small")
    assert not settled(shape, ("visit",), ("wait", 20.0), ("delete node", 4), ("empty list", 0), ("visit",))


def test_a_cycle_that_ovn_kubernetes_forgets_is_begun_again() -> None:
    """The status is lost, and one of its addresses is on a node that is gone. OVN-Kubernetes gives up the pass at that
    one's CPIC and never releases the others that the cycle took out: the tool waited for them for ever.
    """
    shape = Shape((3, 3, 3), ((1, True), (1, False), (2, False)), Flavour.HCP, "1.2", "4.18", "t3.nano", seed=2)
    assert not settled(
        shape, ("visit",), ("delete object", 2), ("visit",), ("wait", 90.0), ("visit",), ("networks",), ("killed", 5),
        ("terminate", 8), ("claim", 1, 5),
    )  # fmt: skip


def test_a_failed_assignment_on_its_sibling_s_node_is_healed() -> None:
    """EC2 refuses assignments while a node goes. The rehearsal took the failed address for allocated beside its
    sibling, saw the sibling lose its place for it, and held the remedy back.
    """
    shape = Shape((3,), ((2, False), (2, True), (2, True)), release="1.2", seed=3)
    assert not settled(
        shape, ("visit",), ("accept",), ("refuse", 0, False), ("terminate slowly", 3), ("wait", 400.0), ("heal",),
        ("killed", 1), ("visit",), ("visit",), ("add label", 2), ("wait", 3.0), ("cordon", 11),
    )  # fmt: skip


def test_a_failed_address_keeps_its_place_and_the_others_serve() -> None:
    """A stranger takes a listed address: it is left failing and told, and nothing else waits for it."""
    shape = Shape((2, 1, 3), ((2, True), (2, False)), release="1.2", cncc="4.15", instance_type="t3.nano", seed=3)
    assert not settled(shape, ("hold", 9), ("visit",), ("wait", 90.0), ("visit",))
