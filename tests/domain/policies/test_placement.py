from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from chalicelib.domain.actions import ReserveCidr, TagReservation
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import EgressIpConfig
from chalicelib.domain.spec import PolicySpec
from tests import factories as make
from tests.domain.reading import A, B, C, applied, finding, foreign, given, held
from tests.domain.world import converge, settle
from tests.factories import known

# Listed addresses


def test_listed_addresses_are_reserved_and_asked_for() -> None:
    """The guide's example: three addresses, one a zone, become three reservations and one EgressIP."""
    planned = plan(make.snapshot(), make.cluster(make.policy("ns", A, B, C)))
    assert [action.summary for action in planned.actions] == [
        f"reserve {A}/32 in subnet-a",
        f"reserve {B}/32 in subnet-b",
        f"reserve {C}/32 in subnet-c",
        f"create EgressIP ns: +{A} +{B} +{C}",
    ]
    assert {a.source for a in planned.allocations} == {"fleet"}


def objections() -> list[Any]:
    lb = make.interface("a", 9, id="eni-lb", instance_id=None, addresses=(IPv4Address(A),), holder="load balancer x")
    mute = replace(lb, holder="")
    leftover = make.interface("a", 0, A)
    gone = make.interface("a", 7, A)
    stale = make.cpic(A, "node-a0", owner="gone")
    nameless = make.cpic(A, "node-a0", owner=None)
    other_vpc = make.reservation("10.10.100.240/28", cluster="other")
    described = make.reservation("10.10.100.240/28", cluster=None, description="for the mainframe")
    return [
        pytest.param(
            "10.99.0.9", {}, Kind.ADDRESS_OUTSIDE, "eu-central-1b: 10.10.150.0/24", True, id="outside the VPC"
        ),
        pytest.param(
            A,
            {"nodes": (make.node("b"),), "instances": ()},
            Kind.ADDRESS_OUTSIDE,
            "those are",
            True,
            id="no nodes there",
        ),
        pytest.param(A, {"nodes": (), "instances": ()}, Kind.ADDRESS_OUTSIDE, "no node is labelled", True, id="none"),
        pytest.param("10.10.100.0", {}, Kind.ADDRESS_RESERVED_BY_AWS, "10.10.100.0/24", True, id="AWS's first"),
        pytest.param("10.10.100.3", {}, Kind.ADDRESS_RESERVED_BY_AWS, "10.10.100.0/24", True, id="AWS's fourth"),
        pytest.param("10.10.100.255", {}, Kind.ADDRESS_RESERVED_BY_AWS, "10.10.100.0/24", True, id="AWS's last"),
        pytest.param("10.10.100.10", {}, Kind.ADDRESS_IS_HOST, "host node-a0", True, id="a host"),
        pytest.param(
            A, {"egress_ips": (foreign("x", A),)}, Kind.ADDRESS_DUPLICATE, "EgressIP x", True, id="in another"
        ),
        pytest.param(A, {"interfaces": (lb,)}, Kind.ADDRESS_TAKEN, "eni-lb (load balancer x)", False, id="taken"),
        pytest.param(A, {"interfaces": (mute,)}, Kind.ADDRESS_TAKEN, "does not say whose", False, id="taken by nobody"),
        pytest.param(A, {"interfaces": (leftover,)}, Kind.ADDRESS_TAKEN, "running instance i-a0", True, id="leftover"),
        pytest.param(A, {"interfaces": (gone,)}, Kind.ADDRESS_TAKEN, "instance i-a7", False, id="unknown instance"),
        pytest.param(
            A,
            {"interfaces": (leftover,), "cpics": (stale,)},
            Kind.ADDRESS_TAKEN,
            "of EgressIP gone",
            True,
            id="stale CPIC",
        ),
        pytest.param(
            A,
            {"interfaces": (leftover,), "cpics": (nameless,)},
            Kind.ADDRESS_TAKEN,
            "(none named)",
            True,
            id="whose CPIC",
        ),
        pytest.param(
            A, {"reservations": (other_vpc,)}, Kind.RESERVATION_FOREIGN, "belongs to cluster other", True, id="reserved"
        ),
        pytest.param(
            A, {"reservations": (described,)}, Kind.RESERVATION_FOREIGN, "'for the mainframe'", True, id="described"
        ),
        pytest.param(
            A,
            {"reservations": (make.reservation(f"{A}/32", cluster=None, type="prefix"),)},
            Kind.RESERVATION_FOREIGN,
            "/32, prefix), which is not ours.",
            True,
            id="a prefix",
        ),
        pytest.param(
            A,
            {"reservations": (make.reservation(f"{A}/32", cluster="other"),)},
            Kind.RESERVATION_FOREIGN,
            "belongs to cluster other",
            True,
            id="another keeper's",
        ),
    ]


@pytest.mark.parametrize(("address", "changes", "kind", "says", "settles"), objections())
def test_what_can_not_be_had_is_not_asked_for(
    address: str, changes: dict[str, Any], kind: Kind, says: str, settles: bool
) -> None:
    """An address that is somebody else's is left out with a finding that names them; the rest goes ahead."""
    observed = make.snapshot(**changes)
    planned = plan(observed, make.cluster(make.policy("ns", address, C)))
    made = finding(planned, kind, f"address {address}")
    assert says in made.summary
    assert made.severity is Severity.CRITICAL
    assert made.todo
    assert made.settles is (settles and kind is Kind.ADDRESS_TAKEN)
    assert address not in applied(planned).get("ns", ())
    assert not any(isinstance(a, ReserveCidr) and IPv4Address(address) in a.cidr for a in planned.actions)
    assert any(w.what == f"{address} for ns" for w in planned.withheld)


def test_a_reservation_made_by_hand_for_the_address_is_used() -> None:
    """An explicit /32 without tags of ours, as the guide has people make it, protects the address and stays theirs."""
    byhand = make.reservation(f"{A}/32", cluster=None, tags={"team": "payments"}, description="egress")
    planned = plan(make.snapshot(reservations=(byhand,)), make.cluster(make.policy("ns", A)))
    assert [action.summary for action in planned.actions] == [f"create EgressIP ns: +{A}"]


def test_an_address_on_its_own_cpic_may_come_back() -> None:
    """Where the EgressIP was deleted and its CPIC still stands, the address on the interface is our own."""
    observed = make.snapshot(
        cpics=(make.cpic(A),), interfaces=(make.interface("a", 0, A), make.interface("b"), make.interface("c"))
    )
    assert applied(plan(observed, make.cluster(make.policy("ns", A)))) == {"ns": (A,)}


def test_an_address_still_being_released_is_waited_for() -> None:
    """An object that asks for an address whose CPIC is on its way out could end up with neither."""
    observed = make.snapshot(
        cpics=(make.cpic(A, deleting=True),),
        interfaces=(make.interface("a", 0, A), make.interface("b"), make.interface("c")),
    )
    planned = plan(observed, make.cluster(make.policy("ns", A)))
    assert held(planned) == {A: "it is still being released on node node-a0"}
    assert planned.moving == (f"{A} is being released",)
    assert Kind.ADDRESS_TAKEN not in {f.kind for f in planned.findings}


def test_an_address_moves_between_policies_in_two_steps() -> None:
    """The new policy waits, without alarm, until the old one has let go of the address."""
    first = converge(make.snapshot(), make.cluster(make.policy("old", A)))
    desired = make.cluster(make.policy("ns", A, B), make.policy("old", C))
    planned = plan(first, desired)
    assert held(planned) == {A: "EgressIP old has it until this plan has been applied"}
    assert not {f.kind for f in planned.findings} & {Kind.ADDRESS_DUPLICATE, Kind.ADDRESS_TAKEN}
    assert applied(planned) == {"ns": (B,), "old": (C,)}
    rested = converge(first, desired)
    assert {e.name: set(e.spec.addresses) for e in known(rested.egress_ips)} == {"ns": {A, B}, "old": {C}}


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


# Addresses in the object, whatever speaks against them


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"reservations": (make.reservation("10.10.100.240/28", cluster="other"),)}, Kind.RESERVATION_FOREIGN),
        ({"egress_ips": (foreign("x", A),)}, Kind.ADDRESS_DUPLICATE),
        (
            {"nodes": (make.node(host_addresses=(IPv4Address(A),)), make.node("b"), make.node("c"))},
            Kind.ADDRESS_IS_HOST,
        ),
        ({"subnets": (make.subnet("b"), make.subnet("c"))}, Kind.ADDRESS_OUTSIDE),
    ],
    ids=["foreign reservation", "another object", "leaked into host-cidrs", "subnet not listed"],
)
@pytest.mark.parametrize("wish", [make.policy("ns", A), make.policy("ns", per_zone=1)], ids=["listed", "chosen"])
def test_what_serves_stays_and_the_finding_says_so(changes: dict[str, Any], kind: Kind, wish: PolicySpec) -> None:
    """An objection to an address that serves is a warning, and takes nothing away."""
    rested = converge(make.snapshot(), make.cluster(make.policy("ns", A)))
    more = {**changes, "egress_ips": (*known(rested.egress_ips), *changes.get("egress_ips", ()))}
    observed = replace(rested, **({"reservations": ()} | more))
    planned = plan(observed, make.cluster(wish))
    made = finding(planned, kind)
    assert made.severity is Severity.WARNING
    assert made.impact.startswith("It serves now")
    assert A in applied(planned).get("ns", (A,))


def test_an_address_whose_subnet_is_gone_is_replaced_once_it_is_dead() -> None:
    """Chosen addresses follow their zone into another subnet only when the old one is gone and nothing serves there."""
    dead = make.egress_ip("ns", "10.10.99.253")
    planned = plan(make.snapshot(egress_ips=(dead,)), make.cluster(make.policy("ns", per_zone=1)))
    assert "10.10.99.253" not in applied(planned)["ns"]
    assert len(applied(planned)["ns"]) == 3


def test_a_zone_without_nodes_keeps_its_addresses() -> None:
    """Scaling a pool to zero changes no address; the zone is what is wrong, not each of its addresses."""
    desired = make.cluster(make.policy("ns", A, B))
    rested = converge(make.snapshot(), desired)
    without = replace(
        rested,
        nodes=tuple(n for n in known(rested.nodes) if n.name != "node-a0"),
        instances=tuple(i for i in known(rested.instances) if i.id != "i-a0"),
        interfaces=tuple(i for i in known(rested.interfaces) if i.id != "eni-a0"),
    )
    planned = plan(settle(without), desired)
    assert planned.actions == ()
    assert {f.kind for f in planned.findings if f.severity is Severity.CRITICAL} == {Kind.NO_ELIGIBLE_NODE}
    assert finding(planned, Kind.ADDRESS_UNASSIGNED).severity is Severity.WARNING, "the policy's other one serves"
    assert len({f.group for f in planned.findings if f.severity is Severity.CRITICAL}) == 1


# Chosen addresses


def test_chosen_addresses_come_one_a_zone_from_one_block_each() -> None:
    """`per_zone` takes the next free addresses of a /28 near the top of each zone's subnet, recorded in tags."""
    planned = plan(make.snapshot(), make.cluster(make.policy("ns", per_zone=1)))
    assert [action.summary for action in planned.actions] == [
        "reserve 10.10.100.224/28 in subnet-a",
        "reserve 10.10.150.224/28 in subnet-b",
        "reserve 10.10.200.224/28 in subnet-c",
        "create EgressIP ns: +10.10.100.224 +10.10.150.224 +10.10.200.224",
    ]
    made = planned.actions[0]
    assert isinstance(made, ReserveCidr)
    assert made.tags == make.tags(ns="10.10.100.224")
    assert {a.source for a in planned.allocations} == {"chosen"}


def test_a_second_policy_shares_the_block() -> None:
    """A block holds the addresses of many policies; its tags say whose is which."""
    first = converge(make.snapshot(), make.cluster(make.policy("ns", per_zone=1)))
    planned = plan(first, make.cluster(make.policy("ns", per_zone=1), make.policy("pod", per_zone=1)))
    recorded = [a for a in planned.actions if isinstance(a, TagReservation)]
    assert [dict(a.write) for a in recorded] == [
        {"egress-keeper/policy/pod": f"10.10.{third}.225"} for third in (100, 150, 200)
    ]
    assert not any(isinstance(a, ReserveCidr) for a in planned.actions)


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


def test_the_subnet_with_most_eligible_nodes_is_chosen() -> None:
    """A zone may have several subnets: new addresses go where they have most nodes to move to."""
    second = make.subnet("a", id="subnet-a2", cidr=IPv4Network("10.10.101.0/24"))
    node = make.node("a", 5, egress_config=EgressIpConfig("eni-a5", second.cidr, 14))
    observed = make.snapshot("a", subnets=(make.subnet("a"), second))
    more = tuple(
        replace(node, name=f"node-a{n}", instance_id=f"i-a{n}", host_addresses=(IPv4Address(f"10.10.101.{n}"),))
        for n in (5, 6)
    )
    instances = (*known(observed.instances), make.instance("a", 5), make.instance("a", 6))
    planned = plan(
        replace(observed, nodes=(*known(observed.nodes), *more), instances=instances),
        make.cluster(make.policy("ns", per_zone=1)),
    )
    assert [a.subnet_id for a in planned.allocations] == ["subnet-a2"]


def test_an_exhausted_subnet_is_a_shortfall() -> None:
    """Where no address can be reserved any more, the policy goes on without, and people hear of it."""
    full = make.interface("a", 9, id="eni-x", instance_id=None, prefixes=(IPv4Network("10.10.100.0/24"),), addresses=())
    observed = make.snapshot()
    planned = plan(
        replace(observed, interfaces=(*known(observed.interfaces), full)), make.cluster(make.policy("ns", per_zone=1))
    )
    assert "no address left that could be reserved" in finding(planned, Kind.CAPACITY_SHORTFALL).summary
    assert {a.zone for a in planned.allocations} == {"eu-central-1b", "eu-central-1c"}
    assert ("an address in eu-central-1a for ns") in {w.what for w in planned.withheld}


def test_a_block_beyond_a_28_is_never_made() -> None:
    """A wish for larger blocks is cut to /28: a tag value and the tags of a reservation hold no more."""
    planned = plan(make.snapshot(), make.cluster(make.policy("ns", per_zone=1), block_prefix=24))
    assert {a.cidr.prefixlen for a in planned.actions if isinstance(a, ReserveCidr)} == {28}
