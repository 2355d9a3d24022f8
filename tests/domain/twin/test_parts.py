"""The small parts: tables, choices, addresses, versions, the object store, the work queue."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.twin import api
from chalicelib.domain.twin.addressing import (
    canonical,
    contains,
    cpic_address,
    cpic_name,
    host_address,
    reserved_by_aws,
)
from chalicelib.domain.twin.allocator import Allocator, EgressNode
from chalicelib.domain.twin.api import CreateCpic, DeleteCpic, PatchEgressIp, SetFinalizer
from chalicelib.domain.twin.behaviours import OVNK_RELEASES, behaviours_of, possible_behaviours
from chalicelib.domain.twin.choices import Choose, Found, any_order, every_outcome, first
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Cpic, CpicChange, EgressConfig, EgressIp, Objects
from chalicelib.domain.twin.workqueue import MAX_REQUEUES, WorkQueue

edits = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.one_of(st.none(), st.integers(0, 3))), max_size=30)


@given(edits)
def test_a_table_is_a_dictionary_that_never_changes(steps: list[tuple[str, int | None]]) -> None:
    """Content, equality and hash are those of a dict of the same pairs; earlier tables stay as they were."""
    table, expected = Table[str, int](), dict[str, int]()
    for key, value in steps:
        before, size = table, len(table)
        if value is None:
            table = table.drop(key)
            expected.pop(key, None)
        else:
            table = table.put(key, value)
            expected[key] = value
        assert len(before) == size
        assert (len(table), dict(table.items()), sorted(table)) == (len(expected), expected, sorted(expected))
    again = Table(reversed(list(expected.items())))
    assert (table, hash(table)) == (again, hash(again))
    assert table.in_order() == sorted(expected.items())
    assert all(table[key] == table.get(key) == value and key in table for key, value in expected.items())


def test_a_table_tells_what_is_missing() -> None:
    """As a dict does."""
    table = Table([("a", 1)])
    assert (table.get("b"), table.get("b", 7), "b" in table, table == {"a": 1}) == (None, 7, False, False)
    with pytest.raises(KeyError):
        table["b"]
    assert repr(table) == "Table({'a': 1})"


def test_every_outcome_is_every_combination() -> None:
    """Later questions may depend on earlier answers."""

    def run(choose: Choose) -> str:
        letter = choose("letter", "ab")
        return letter + (choose("digit", "123") if letter == "a" else "")

    assert sorted(every_outcome(run)) == ["a1", "a2", "a3", "b"]
    assert next(every_outcome(run)) == run(first) == "a1"
    assert sorted(every_outcome(lambda c: "".join(any_order(c, "order", "xyz")))) == sorted(
        ["xyz", "xzy", "yxz", "yzx", "zxy", "zyx"]
    )


def test_options_are_looked_for_only_as_far_as_asked() -> None:
    """The default needs the first one of a thousand."""
    asked = []
    found = Found(asked.append(n) or n for n in range(3))
    assert (bool(found), found[0], asked) == (True, 0, [0])
    assert (len(found), found[-1], found[0:2], asked) == (3, 2, [0, 1], [0, 1, 2])
    assert not Found(iter(()))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("10.0.1.5", "10.0.1.5"),
        ("010.0.1.5", None),
        ("10.0.1.5/24", None),
        ("10.0.1.300", None),
        ("", None),
        ("FD00:0::1", "fd00::1"),
        ("::ffff:10.0.1.5", "10.0.1.5"),
        ("fe80::1%eth0", None),
    ],
)
def test_addresses_are_parsed_as_go_parses_them(text: str, parsed: str | None) -> None:
    """One bad entry stops an object, so what counts as bad matters."""
    assert canonical(text) == parsed


def test_names_of_cpics() -> None:
    """IPv4 verbatim, IPv6 fully expanded with dots, and back."""
    expanded = "fc00.f853.0ccd.e793.0000.0000.0000.0054"
    assert (cpic_name("10.0.1.5"), cpic_name("fc00:f853:ccd:e793::54")) == ("10.0.1.5", expanded)
    assert (cpic_address("10.0.1.5"), cpic_address(expanded)) == ("10.0.1.5", "fc00:f853:ccd:e793::54")


def test_subnets() -> None:
    """The five addresses that EC2 keeps belong to the subnet, not to each /24 of it."""
    kept = ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.255"]
    assert [a for a in [*kept, "10.0.0.4", "10.0.0.255", "10.0.1.0"] if reserved_by_aws("10.0.0.0/23", a)] == kept
    assert (contains("10.0.0.0/23", "10.0.1.9"), contains("10.0.0.0/23", "::1"), contains(None, "::1")) == (
        True,
        False,
        False,
    )
    assert (host_address("10.0.1.5/24"), host_address("FD00::0:1/64"), host_address("x")) == (
        "10.0.1.5",
        "fd00::1",
        "x",
    )


def test_versions() -> None:
    """A known pair is one variant, an unknown one all that there are, each once."""
    assert possible_behaviours("1.2", "4.18") == (behaviours_of("1.2", "4.18"),)
    assert len(possible_behaviours(None, "4.18")) == len(possible_behaviours("9.9", "4.18")) == len(OVNK_RELEASES)
    assert len(possible_behaviours("1.2", None)) == len(possible_behaviours("1.2", "nightly")) == 3
    assert len(set(possible_behaviours())) == 3 * len(OVNK_RELEASES)
    for ovnk, cncc in (("9.9", "main"), ("1.2", "nightly")):
        with pytest.raises(ValueError, match=ovnk if cncc == "main" else cncc):
            behaviours_of(ovnk, cncc)


def test_what_each_release_does_at_a_restart() -> None:
    """Only 1.2 places everything anew; a duplicate may change hands in 1.1 and 1.2."""
    assert [name for name, b in OVNK_RELEASES.items() if b.restart_replaces] == ["1.2"]
    assert [name for name, b in OVNK_RELEASES.items() if b.restart_duplicate] == ["1.1", "1.2"]


def test_the_object_store() -> None:
    """Writes to what is not there, and writes that change nothing, make no change; finalizers hold deletions."""
    empty = Objects()
    for write in (DeleteCpic("1.1.1.1"), PatchEgressIp("x", ()), SetFinalizer("1.1.1.1", present=True)):
        assert api.apply(empty, write) == (empty, None)
    cpic = Cpic("1.1.1.1", spec_node="a1", owner="web")
    one, change = api.apply(empty, CreateCpic("1.1.1.1", "a1", "web"))
    assert change == CpicChange(None, cpic)
    assert api.apply(one, CreateCpic("1.1.1.1", "a2", "web")) == (one, None)
    assert api.apply(one, DeleteCpic("1.1.1.1")) == (empty, CpicChange(cpic, None))
    held, _ = api.apply(one, SetFinalizer("1.1.1.1", present=True))
    going, change = api.apply(held, DeleteCpic("1.1.1.1"))
    assert change is not None
    assert going.cpics["1.1.1.1"].deleting
    assert api.apply(going, DeleteCpic("1.1.1.1")) == (going, None)
    assert api.apply(going, SetFinalizer("1.1.1.1", present=False))[0] == empty


def test_an_allocation_takes_the_place_of_another_ones() -> None:
    """An address is allocated once on a node, to whom it was given last; freeing it asks not for whom it is."""
    node = EgressNode("a1", EgressConfig("eni", "10.0.1.0/24", 14, 15), assignable=True, ready=True, reachable=True)
    cache = Allocator().put(node).allocate("a1", "10.0.1.9", "one").allocate("a1", "10.0.1.9", "two")
    assert (cache.nodes["a1"].allocations, cache.placed["10.0.1.9"]) == ((("10.0.1.9", "two"),), ("a1",))
    assert cache.usable["10.0.1.0/24"] == ((1, "a1"),)
    assert cache.free("a1", "10.0.1.9") == Allocator().put(node)
    assert cache.drop("a1") == Allocator().drop("a1") == Allocator()


def test_the_mark_comes_alone() -> None:
    """A patch with the mark erases annotations, one without leaves them, a mark alone leaves the status."""
    web = EgressIp("web", ("1.1.1.1",), status=(("1.1.1.1", "a1"),), annotations=(("x", "1"),))
    objects = Objects(egress_ips=Table([("web", web)]))
    plain = api.apply(objects, PatchEgressIp("web", ()))[0].egress_ips["web"]
    marked = api.apply(objects, PatchEgressIp("web", None, 50000))[0].egress_ips["web"]
    assert plain == replace(web, status=())
    assert marked == replace(web, mark=50000, annotations=())


def test_a_key_waits_once_and_comes_back_if_it_was_added_meanwhile() -> None:
    """Client-go's work queue: no key is worked on twice at the same time, and no addition is lost."""
    empty: WorkQueue[str] = WorkQueue()
    queue = empty.add("k").add("k")
    assert queue.ready == ("k",)
    queue = queue.take("k").work("k", "…").add("k").add("k")
    assert not queue.ready
    assert set(queue.again) == {"k"}
    assert queue.succeed("k").ready == ("k",)
    assert queue.fail("k", 0.0).next_due() == pytest.approx(0.005)


def test_failures_back_off_until_they_are_dropped() -> None:
    """Sixteen requeues, each twice as late as the one before; success forgets them."""
    empty: WorkQueue[str] = WorkQueue()
    queue, delays = empty.add("k"), []
    while queue.ready:
        queue = queue.take("k").fail("k", 0.0)
        due = queue.next_due()
        if due is not None:
            delays.append(due)
            queue = queue.wake(due)
    assert delays == pytest.approx([0.005 * 2**n for n in range(MAX_REQUEUES)])
    assert empty.add("k").take("k").fail("k", 0.0).wake(1.0).take("k").succeed("k") == empty
