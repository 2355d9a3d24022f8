from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from chalicelib.domain.actions import ApplyEgressIp, ReserveCidr, TagReservation
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import EgressIp, EgressIpConfig, Snapshot
from chalicelib.domain.spec import ClusterSpec, PolicySpec
from tests import factories as make
from tests.domain.world import apply_plan, converge, settle

A, B, C = "10.10.100.253", "10.10.150.253", "10.10.200.253"


def finding(planned: Plan, kind: Kind, subject: str = "") -> Finding:
    found = [f for f in planned.findings if f.kind is kind and f.subject.startswith(subject)]
    assert len(found) == 1, [f"{f.kind}: {f.summary}" for f in planned.findings]
    return found[0]


def applied(planned: Plan) -> dict[str, tuple[str, ...]]:
    return {a.name: a.after.addresses for a in planned.actions if isinstance(a, ApplyEgressIp)}


def held(planned: Plan) -> dict[str, str]:
    return {str(a.address): a.held for a in planned.allocations if a.held}


def given(planned: Plan, policy: str = "ns") -> set[str]:
    return {str(a.address) for a in planned.allocations if a.policy == policy}


def with_nodes(*pairs: tuple[str, int], capacity: int = 14, **changes: Any) -> Snapshot:
    """A cluster of just these nodes, each with this capacity."""
    nodes = [
        make.node(z, n, egress_config=EgressIpConfig(f"eni-{z}{n}", IPv4Network(make.ZONES[z]), capacity))
        for z, n in pairs
    ]
    return make.snapshot(
        **{
            "nodes": tuple(nodes),
            "instances": tuple(make.instance(*pair) for pair in pairs),
            "interfaces": tuple(make.interface(*pair) for pair in pairs),
            **changes,
        }
    )


def foreign(name: str, *addresses: str) -> EgressIp:
    return make.egress_ip(name, *addresses, labels={}, owned_fields=frozenset(), other_managers={".spec": "kubectl"})


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
    assert {e.name: set(e.spec.addresses) for e in rested.egress_ips} == {"ns": {A, B}, "old": {C}}


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
    both = settle(replace(first, egress_ips=(*first.egress_ips, second)))
    desired = make.cluster(make.policy("one", A), make.policy("two", per_zone=1))
    rested = converge(both, desired)
    listed = {e.name: set(e.spec.addresses) for e in rested.egress_ips}
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
    more = {**changes, "egress_ips": (*rested.egress_ips, *changes.get("egress_ips", ()))}
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
        nodes=tuple(n for n in rested.nodes if n.name != "node-a0"),
        instances=tuple(i for i in rested.instances if i.id != "i-a0"),
        interfaces=tuple(i for i in rested.interfaces if i.id != "eni-a0"),
    )
    planned = plan(settle(without), desired)
    assert planned.actions == ()
    assert {f.kind for f in planned.findings if f.severity is Severity.CRITICAL} == {
        Kind.NO_ELIGIBLE_NODE,
        Kind.ADDRESS_UNASSIGNED,
    }
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
    assert [len(e.spec.addresses) for e in (*two.egress_ips, *one.egress_ips)] == [6, 3]
    idle = replace(two, cpics=tuple(c for c in two.cpics if c.address != "10.10.100.224"))
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
    instances = (*observed.instances, make.instance("a", 5), make.instance("a", 6))
    planned = plan(
        replace(observed, nodes=(*observed.nodes, *more), instances=instances),
        make.cluster(make.policy("ns", per_zone=1)),
    )
    assert [a.subnet_id for a in planned.allocations] == ["subnet-a2"]


def test_an_exhausted_subnet_is_a_shortfall() -> None:
    """Where no address can be reserved any more, the policy goes on without, and people hear of it."""
    full = make.interface("a", 9, id="eni-x", instance_id=None, prefixes=(IPv4Network("10.10.100.0/24"),), addresses=())
    observed = make.snapshot()
    planned = plan(
        replace(observed, interfaces=(*observed.interfaces, full)), make.cluster(make.policy("ns", per_zone=1))
    )
    assert "no address left that could be reserved" in finding(planned, Kind.CAPACITY_SHORTFALL).summary
    assert {a.zone for a in planned.allocations} == {"eu-central-1b", "eu-central-1c"}
    assert ("an address in eu-central-1a for ns") in {w.what for w in planned.withheld}


def test_a_block_beyond_a_28_is_never_made() -> None:
    """A wish for larger blocks is cut to /28: a tag value and the tags of a reservation hold no more."""
    planned = plan(make.snapshot(), make.cluster(make.policy("ns", per_zone=1), block_prefix=24))
    assert {a.cidr.prefixlen for a in planned.actions if isinstance(a, ReserveCidr)} == {28}


# What is remembered


def remembered(**losses: Any) -> tuple[Snapshot, ClusterSpec, Snapshot]:
    desired = make.cluster(make.policy("ns", per_zone=1))
    rested = converge(make.snapshot(), desired)
    return rested, desired, replace(rested, **losses)


def test_tags_bring_back_a_deleted_object() -> None:
    """Deleting the EgressIP by hand brings back the same addresses, as soon as they are off the nodes."""
    rested, desired, lost = remembered(egress_ips=())
    again = converge(settle(lost), desired)
    assert again.egress_ips[0].spec == rested.egress_ips[0].spec
    planned = plan(settle(lost), desired)
    assert finding(planned, Kind.OBJECT_MISSING).repaired_by == planned.actions[-1].summary
    assert {a.source for a in planned.allocations} == {"reservation"}


def test_the_object_brings_back_lost_reservations() -> None:
    """Reservations deleted by hand are made again around the addresses that the object lists."""
    rested, desired, lost = remembered(reservations=())
    planned = plan(lost, desired)
    assert [a.summary for a in planned.actions] == [f"reserve {r.cidr} in {r.subnet_id}" for r in rested.reservations]
    assert {f.repaired_by for f in planned.findings if f.kind is Kind.RESERVATION_MISSING} == {
        a.summary for a in planned.actions
    }
    assert {a.source for a in planned.allocations} == {"object"}


def test_the_object_brings_back_lost_tags() -> None:
    """A wiped tag is written again, and nothing else happens."""
    rested, desired, _ = remembered()
    wiped = replace(rested, reservations=tuple(replace(r, tags=make.tags()) for r in rested.reservations))
    planned = plan(wiped, desired)
    assert [a.write for a in planned.actions if isinstance(a, TagReservation)] == [
        {"egress-keeper/policy/ns": str(r.cidr[0])} for r in rested.reservations
    ]
    assert len(planned.actions) == 3


def test_tags_win_over_a_list_edited_by_hand() -> None:
    """What somebody wrote over our list is no wish; the remembered addresses are put back."""
    rested, desired, _ = remembered()
    there = rested.egress_ips[0]
    edited = replace(
        there,
        spec=replace(there.spec, addresses=("10.10.100.77", *there.spec.addresses[1:])),
        owned_fields=there.owned_fields - {".spec.egressIPs"},
        other_managers={".spec.egressIPs": "kubectl-edit"},
    )
    planned = plan(replace(rested, egress_ips=(edited,)), desired)
    (action,) = planned.actions
    assert isinstance(action, ApplyEgressIp)
    assert set(action.after.addresses) == set(there.spec.addresses)
    assert action.force
    assert "kubectl-edit" in finding(planned, Kind.SPEC_EDITED).summary


def test_what_serves_in_an_edited_list_is_kept_where_nothing_is_remembered() -> None:
    """A lost tag and a hand edit together don't cost a serving address."""
    rested, desired, _ = remembered()
    there = rested.egress_ips[0]
    edited = replace(there, owned_fields=frozenset(), other_managers={".spec.egressIPs": "kubectl-edit"})
    partly = tuple(replace(r, tags=make.tags()) if r.subnet_id == "subnet-a" else r for r in rested.reservations)
    planned = plan(replace(rested, egress_ips=(edited,), reservations=partly), desired)
    assert given(planned) == set(there.spec.addresses)


def test_a_garbled_tag_is_passed_over() -> None:
    """People may write anything into a tag: what is no address, or not of this range, is not remembered."""
    garbled = make.reservation("10.10.100.224/28", tags=make.tags(ns="10.10.100.225 soon 10.10.150.9 10.10.100.230/31"))
    planned = plan(make.snapshot(reservations=(garbled,)), make.cluster(make.policy("ns", per_zone=1)))
    assert {a for a in given(planned) if a.startswith("10.10.100.")} == {"10.10.100.225"}


def test_a_remembered_address_that_is_taken_stays_remembered() -> None:
    """Once given, always given: while somebody else sits on it, it is held, its tag and reservation stay."""
    _, desired, lost = remembered(egress_ips=())
    squatter = make.interface(
        "a", 9, id="eni-x", instance_id=None, addresses=(IPv4Address("10.10.100.224"),), holder="x"
    )
    observed = settle(lost)
    planned = plan(replace(observed, interfaces=(*observed.interfaces, squatter)), desired)
    assert held(planned) == {"10.10.100.224": finding(planned, Kind.ADDRESS_TAKEN).summary}
    assert applied(planned) == {"ns": ("10.10.150.224", "10.10.200.224")}
    assert not any(isinstance(a, TagReservation) for a in planned.actions)


def test_an_object_of_that_name_that_is_not_ours_is_left_alone() -> None:
    """Nothing is chosen for a policy whose name is taken, but what it was given before stays reserved."""
    wish = make.cluster(make.policy("ns", per_zone=1))
    fresh = plan(make.snapshot(egress_ips=(foreign("ns", A),)), wish)
    assert (fresh.actions, fresh.allocations) == ((), ())
    assert "written by kubectl" in finding(fresh, Kind.OBJECT_FOREIGN).summary
    _, _, taken = remembered(egress_ips=(foreign("ns", A),))
    later = plan(settle(taken), wish)
    assert later.actions == ()
    assert set(held(later).values()) == {"an EgressIP ns exists that is not ours"}


def test_an_object_handed_over_keeps_its_addresses() -> None:
    """With our label on it an object of that name is ours, and what it lists is what it was given."""
    observed = settle(make.snapshot(egress_ips=(foreign("ns", A, B),)))
    (there,) = observed.egress_ips
    labelled = replace(there, labels={"app.kubernetes.io/managed-by": "egress-keeper"})
    planned = plan(replace(observed, egress_ips=(labelled,)), make.cluster(make.policy("ns", per_zone=1)))
    assert {A, B} <= given(planned)
    assert not any(a.removes for a in planned.actions if isinstance(a, ApplyEgressIp))


# Room


def test_one_address_of_an_object_a_node() -> None:
    """With one eligible node a zone, the second address waits: reserved, recorded as held, and said."""
    planned = plan(make.snapshot(), make.cluster(make.policy("ns", per_zone=2)))
    assert [len(addresses) for addresses in applied(planned).values()] == [3]
    assert set(held(planned).values()) == {
        f"a node carries at most one address of an EgressIP, and the only eligible node in eu-central-1{zone}"
        " has one of ns already"
        for zone in "abc"
    }
    made = [a.tags for a in planned.actions if isinstance(a, ReserveCidr)]
    assert made[0] == make.tags(ns="10.10.100.224") | {"egress-keeper/held/ns": "10.10.100.225"}


def test_held_addresses_are_asked_for_when_a_node_comes() -> None:
    """The address that was reserved is the one that is used, and nobody is told that an object is missing."""
    desired = make.cluster(make.policy("ns", "10.10.100.9"))
    waiting = converge(with_nodes(nodes=(), instances=(make.instance(),)), desired)
    assert waiting.egress_ips == ()
    assert waiting.reservations[0].tags == {**make.tags(), "egress-keeper/held/ns": "10.10.100.9"}
    ready = replace(waiting, nodes=(make.node(),))
    planned = plan(ready, desired)
    assert [a.summary for a in planned.actions] == [
        "record on reservation 10.10.100.9/32: ns = 10.10.100.9, no longer ns (held)",
        "create EgressIP ns: +10.10.100.9",
    ]
    assert Kind.OBJECT_MISSING not in {f.kind for f in planned.findings}


def test_demand_never_passes_nodes_times_the_smallest_capacity() -> None:
    """The platform fills nodes evenly and past their capacity, so the smallest of them counts for all."""
    observed = with_nodes(("a", 0), ("a", 1), capacity=2)
    small = make.node("a", 1, egress_config=EgressIpConfig("eni-a1", IPv4Network(make.ZONES["a"]), 1))
    desired = make.cluster(*(make.policy(f"p{n}", f"10.10.100.{n}") for n in range(20, 23)))
    planned = plan(replace(observed, nodes=(observed.nodes[0], small)), desired)
    assert sorted(applied(planned)) == ["p20", "p21"]
    assert "take 2 at most (1 each" in held(planned)["10.10.100.22"]
    assert "1 each" in finding(planned, Kind.CAPACITY_SHORTFALL).summary


def test_the_node_that_would_be_chosen_must_have_room() -> None:
    """A second address of an object must go to another node: if that is full, it waits although the zone has room."""
    desired = make.cluster(*(make.policy(f"p{n}", f"10.10.100.{n}") for n in (20, 21)))
    full = converge(with_nodes(("a", 0), capacity=2), desired)
    second = with_nodes(("a", 0), ("a", 1), capacity=2)
    grown = replace(
        full,
        nodes=second.nodes,
        instances=second.instances,
        interfaces=(*full.interfaces, make.interface("a", 1)),
    )
    planned = plan(grown, make.cluster(*desired.policies, make.policy("q", "10.10.100.30", "10.10.100.31")))
    assert applied(planned)["q"] == ("10.10.100.30",)
    assert held(planned) == {
        "10.10.100.31": "node node-a0, which OVN-Kubernetes would choose for it, has 2 of 2 addresses already"
    }


def test_other_peoples_addresses_take_room_too() -> None:
    """A foreign EgressIP counts like ours, and the shortfall is told."""
    observed = settle(with_nodes(("a", 0), capacity=1, egress_ips=(foreign("x", "10.10.100.40"),)))
    planned = plan(observed, make.cluster(make.policy("ns", "10.10.100.41")))
    assert applied(planned) == {}
    assert "2 addresses are wanted there and its nodes can carry 1" in finding(planned, Kind.CAPACITY_SHORTFALL).summary


def test_what_nobody_lists_takes_room_until_it_is_gone() -> None:
    """A stale CPIC holds its place on the node."""
    stale = make.cpic("10.10.100.40", owner="gone")
    observed = with_nodes(("a", 0), capacity=1, cpics=(stale,))
    assert applied(plan(observed, make.cluster(make.policy("ns", "10.10.100.41")))) == {}


def test_nothing_is_added_while_a_node_joins() -> None:
    """Any young node without host-cidrs, in whatever zone, makes the platform drop new assignments without a word."""
    joining = make.node("c", 1, host_addresses=None, created_at=make.NOW - timedelta(minutes=3), assignable=None)
    observed = make.snapshot()
    planned = plan(replace(observed, nodes=(*observed.nodes, joining)), make.cluster(make.policy("ns", A)))
    assert applied(planned) == {}
    assert held(planned)[A].startswith("node node-c1 is joining")
    assert not {f.kind for f in planned.findings} & {Kind.CAPACITY_SHORTFALL, Kind.NODE_UNUSABLE}


def test_a_node_that_never_gets_host_cidrs_does_not_hold_up_the_rest_for_ever() -> None:
    """After the platform's own patience the node is a finding of its own, and additions go ahead."""
    broken = make.node("c", 1, host_addresses=None, assignable=None)
    observed = make.snapshot()
    planned = plan(replace(observed, nodes=(*observed.nodes, broken)), make.cluster(make.policy("ns", A)))
    assert applied(planned) == {"ns": (A,)}
    assert "drops every new assignment" in finding(planned, Kind.NODE_UNUSABLE).impact


# Replacing


def test_a_replacement_is_made_at_once_where_it_has_a_place() -> None:
    """The old address makes room for the new one: on a full zone too, replacing is one apply."""
    rested = converge(with_nodes(("a", 0), capacity=1), make.cluster(make.policy("ns", "10.10.100.20")))
    planned = plan(rested, make.cluster(make.policy("ns", "10.10.100.21")))
    assert applied(planned) == {"ns": ("10.10.100.21",)}
    (action,) = (a for a in planned.actions if isinstance(a, ApplyEgressIp))
    assert action.reason.endswith("the platform removes before it adds")


def test_nothing_is_taken_away_while_its_replacement_has_no_place() -> None:
    """The address in the object stays until all that is wanted instead can be asked for."""
    rested = converge(make.snapshot(), make.cluster(make.policy("ns", A)))
    planned = plan(rested, make.cluster(make.policy("ns", "10.10.100.3")))
    assert applied(planned) == {}
    assert f"remove {A} from EgressIP ns" in {w.what for w in planned.withheld}


def test_an_address_that_stays_makes_no_room() -> None:
    """What can't be given up yet is counted, so that another policy is not put in its place."""
    rested = converge(with_nodes(("a", 0), capacity=1), make.cluster(make.policy("ns", "10.10.100.20")))
    desired = make.cluster(make.policy("ns", "10.10.100.3"), make.policy("other", "10.10.100.21"))
    assert applied(plan(rested, desired)) == {}


def test_what_is_no_address_goes_even_then() -> None:
    """OVN-Kubernetes ignores an object with one bad entry: it serves nobody and is dropped, whatever waits."""
    there = make.egress_ip("ns", A, "10.10.100.256")
    planned = plan(make.snapshot(egress_ips=(there,)), make.cluster(make.policy("ns", A, "10.10.100.3")))
    assert applied(planned) == {"ns": (A,)}


def test_applied_and_settled_a_fresh_fleet_is_at_rest() -> None:
    """Listed and chosen policies on a healthy cluster need exactly one plan."""
    desired = make.cluster(make.policy("ns", A, B, C), make.policy("pod", per_zone=2))
    observed = make.snapshot(nodes_per_zone=3)
    again = plan(settle(apply_plan(observed, plan(observed, desired))), desired)
    assert (again.actions, again.withheld, again.findings) == ((), (), ())
    assert {v.state.value for v in again.verdicts} == {"serving"}
