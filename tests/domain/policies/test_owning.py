"""Whose an address is: which of several policies has it, and which a policy keeps when it wants fewer."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.findings import Kind
from chalicelib.domain.planning import plan
from tests import factories as make
from tests.domain.reading import A, B, applied, finding, given
from tests.domain.world import converge, settle
from tests.factories import known


def test_one_address_in_two_policies_serves_one() -> None:
    """The fleet file may be wrong: the address goes to the first by name, and the other is told."""
    desired = make.cluster(make.policy("one", A), make.policy("two", A, B))
    planned = plan(make.snapshot(), desired)
    assert applied(planned) == {"one": (A,), "two": (B,)}
    assert "belongs to policy one" in finding(planned, Kind.ADDRESS_DUPLICATE).summary


def test_an_address_in_two_policies_stays_where_it_serves() -> None:
    """Whoever comes first by name: what serves is not taken away."""
    rested = converge(make.snapshot(), make.cluster(make.policy("two", A)))
    planned = plan(rested, make.cluster(make.policy("one", A), make.policy("two", A)))
    assert planned.actions == ()
    assert given(planned, "two") == {A}


def test_an_address_listed_in_two_objects_of_ours_leaves_the_idle_one() -> None:
    """The object that it does not serve for keeps it only as long as the fleet file leaves it nothing else."""
    first = converge(make.snapshot(), make.cluster(make.policy("one", A)))
    second = make.egress_ip("two", A, B)
    both = settle(replace(first, egress_ips=(*known(first.egress_ips), second)))
    desired = make.cluster(make.policy("one", A), make.policy("two", per_zone=1))
    rested = converge(both, desired)
    listed = {e.name: set(e.spec.addresses) for e in known(rested.egress_ips)}
    assert A in listed["one"]
    assert A not in listed["two"]


def test_per_zone_raised_and_lowered() -> None:
    """More addresses are added beside the old ones; fewer keep those that serve."""
    observed = make.snapshot(nodes_per_zone=2)
    two = converge(observed, make.cluster(make.policy("ns", per_zone=2)))
    one = converge(two, make.cluster(make.policy("ns", per_zone=1)))
    assert [len(e.spec.addresses) for e in (*known(two.egress_ips), *known(one.egress_ips))] == [6, 3]
    idle = replace(two, cpics=tuple(c for c in known(two.cpics) if c.address != "10.10.100.224"))
    kept = applied(plan(idle, make.cluster(make.policy("ns", per_zone=1))))["ns"]
    assert "10.10.100.225" in kept
    assert "10.10.100.224" not in kept
