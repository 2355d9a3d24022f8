from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from chalicelib.domain.actions import ReleaseReservation, ReserveCidr, TagReservation
from chalicelib.domain.findings import Kind
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import Snapshot
from tests import factories as make
from tests.domain.world import converge
from tests.factories import known

A = "10.10.100.253"


def numbered(*numbers: int) -> list[str]:
    return [f"10.10.100.{number}" for number in numbers]


def reserved(observed: Snapshot, *addresses: str) -> list[str]:
    planned = plan(observed, make.cluster(make.policy("ns", *addresses)))
    return [str(action.cidr) for action in planned.actions if isinstance(action, ReserveCidr)]


def test_neighbouring_addresses_share_a_range() -> None:
    """Few ranges, because EC2 creates one a second; exact ones, because a neighbour belongs to the nodes."""
    assert reserved(make.snapshot(), *numbered(16, 17, 18, 19, 20, 29)) == [
        "10.10.100.16/30",
        "10.10.100.20/32",
        "10.10.100.29/32",
    ]


def test_no_range_is_larger_than_a_28() -> None:
    """Thirty-two neighbours are two ranges, so that the tags of each can say whose its addresses are."""
    nodes = make.snapshot("a", 1, interfaces=(make.interface("a", 0, addresses=(IPv4Address("10.10.100.200"),)),))
    hosts = tuple(replace(node, host_addresses=()) for node in known(nodes.nodes))
    assert reserved(replace(nodes, nodes=hosts), *numbered(*range(64, 96))) == ["10.10.100.64/28", "10.10.100.80/28"]


def test_our_reservation_is_adopted() -> None:
    """A range that carries our cluster's tag is used as it is, whatever its size, and gets the record it lacks."""
    there = make.reservation("10.10.100.240/28", tags={"egress-keeper/cluster": "demo", "team": "payments"})
    planned = plan(make.snapshot(reservations=(there,)), make.cluster(make.policy("ns", A)))
    (record,) = (a for a in planned.actions if isinstance(a, TagReservation))
    assert record.write == {"egress-keeper/owner": "egress-keeper", "egress-keeper/policy/ns": A}
    assert record.remove == ()
    assert record.after["team"] == "payments"
    assert record.policies == ("ns",)


def test_a_record_of_a_policy_that_is_gone_stays_while_its_address_is_used() -> None:
    """The tag goes last: first the object, then the CPIC, then the address on the interface."""
    both = make.cluster(make.policy("ns", per_zone=1), make.policy("old", per_zone=1))
    rested = converge(make.snapshot(), both)
    only = make.cluster(make.policy("ns", per_zone=1))
    first = plan(rested, only)
    assert [a.summary.split(":")[0] for a in first.actions] == ["delete EgressIP old"]
    assert plan(replace(rested, egress_ips=known(rested.egress_ips)[:1]), only).actions == ()
    cleared = replace(
        rested,
        egress_ips=tuple(e for e in known(rested.egress_ips) if e.name == "ns"),
        cpics=tuple(c for c in known(rested.cpics) if c.owner == "ns"),
        interfaces=tuple(make.interface(z, 0, f"10.10.{t}.224") for z, t in (("a", 100), ("b", 150), ("c", 200))),
    )
    final = plan(cleared, only)
    assert [a.remove for a in final.actions if isinstance(a, TagReservation)] == [("egress-keeper/policy/old",)] * 3


def test_a_record_follows_the_fleet_file() -> None:
    """Within one range a policy's record is what it wants now, though its old address is still in use."""
    there = make.reservation("10.10.100.240/28", tags=make.tags(ns="10.10.100.241"))
    listed = make.egress_ip("ns", "10.10.100.241")
    planned = plan(
        make.snapshot(reservations=(there,), egress_ips=(listed,)), make.cluster(make.policy("ns", "10.10.100.242"))
    )
    (record,) = (a for a in planned.actions if isinstance(a, TagReservation))
    assert record.write == {"egress-keeper/policy/ns": "10.10.100.242"}


def test_an_unused_range_of_ours_is_released() -> None:
    """Nothing wants an address in it and nothing has one: it goes, with the policies that it remembered."""
    there = make.reservation("10.10.100.240/28", tags=make.tags(old=A))
    planned = plan(make.snapshot(reservations=(there,)), make.cluster())
    (action,) = planned.actions
    assert isinstance(action, ReleaseReservation)
    assert (action.reservation_id, action.policies) == (there.id, ("old",))


def test_people_and_other_keepers_keep_their_ranges() -> None:
    """Unused or not, a range without our cluster's tag is none of our business."""
    theirs = (make.reservation("10.10.100.240/28", cluster="other"), make.reservation("10.10.100.16/28", cluster=None))
    assert plan(make.snapshot(reservations=theirs), make.cluster()).actions == ()


def test_a_block_is_shared_with_nobody() -> None:
    """A lost block is made again only where it is clear; beside somebody else's address it becomes an exact range."""
    rested = converge(make.snapshot(), make.cluster(make.policy("ns", per_zone=1)))
    stranger = make.interface("a", 9, id="eni-x", instance_id=None, addresses=(IPv4Address("10.10.100.230"),))
    barred = make.reservation("10.10.150.232/29", "b", cluster=None)
    lost = replace(rested, reservations=(barred,), interfaces=(*known(rested.interfaces), stranger))
    planned = plan(lost, make.cluster(make.policy("ns", per_zone=1)))
    assert [str(a.cidr) for a in planned.actions if isinstance(a, ReserveCidr)] == [
        "10.10.100.224/32",
        "10.10.150.224/32",
        "10.10.200.224/28",
    ]


def test_awss_own_addresses_are_never_reserved() -> None:
    """An object that lists one is told off, and EC2 is not asked for what it can't give."""
    there = make.egress_ip("ns", "10.10.100.3", "10.10.100.241")
    planned = plan(make.snapshot(egress_ips=(there,)), make.cluster(make.policy("ns", "10.10.100.3", "10.10.100.241")))
    assert [str(a.cidr) for a in planned.actions if isinstance(a, ReserveCidr)] == ["10.10.100.241/32"]


def test_a_lost_reservation_is_a_finding() -> None:
    """An address that was given and that nothing protects: said once a range, and repaired."""
    desired = make.cluster(make.policy("ns", A))
    rested = converge(make.snapshot(), desired)
    planned = plan(replace(rested, reservations=()), desired)
    (found,) = (f for f in planned.findings if f.kind is Kind.RESERVATION_MISSING)
    assert found.summary == f"No reservation protects {A} (ns) in subnet subnet-a."
    assert found.repaired_by == f"reserve {A}/32 in subnet-a"


def test_tags_of_a_large_adopted_range_stay_within_ec2s_limits() -> None:
    """Handed to us by its tags, a /24 may hold more than they can record: what fits is recorded, always the same."""
    people = {f"team-{number}": "x" for number in range(30)}
    there = make.reservation("10.10.100.0/24", tags={**make.tags(), **people})
    many = make.policy("many", *numbered(*range(100, 130)))
    singles = [make.policy(f"p{number}", f"10.10.100.{number}") for number in range(20, 50)]
    desired = make.cluster(many, *singles)
    observed = make.snapshot("a", 1, reservations=(there,))
    nodes = [make.node("a", n, host_addresses=()) for n in range(40)]
    grown = replace(observed, nodes=tuple(nodes), instances=tuple(make.instance("a", n) for n in range(40)))
    planned = plan(grown, desired)
    (record,) = (a for a in planned.actions if isinstance(a, TagReservation))
    assert len(record.after) == 50
    value = record.after["egress-keeper/policy/many"]
    assert len(value) <= 256
    assert value.split() == numbered(*range(100, 100 + len(value.split())))
    recorded = replace(grown, reservations=(replace(there, tags=dict(record.after)),))
    assert not any(isinstance(a, TagReservation) for a in plan(recorded, desired).actions)


def test_a_range_says_whose_addresses_it_keeps() -> None:
    """The reason and the tags of a new range name policies and addresses; the tags fit EC2's limits."""
    policies = [make.policy(f"a-policy-with-a-rather-long-name-{n:02}", f"10.10.100.{n}") for n in range(240, 255)]
    planned = plan(make.snapshot(nodes_per_zone=2), make.cluster(*policies))
    made = [a for a in planned.actions if isinstance(a, ReserveCidr)]
    assert made[0].cidr == IPv4Network("10.10.100.240/29")
    assert made[0].policies == tuple(p.name for p in policies[:8])
    assert all(len(a.tags) <= 50 and all(len(v) <= 256 for v in a.tags.values()) for a in made)
    assert "10.10.100.240, 10.10.100.241" in made[0].reason
