"""What speaks against an address: it is left out with a finding, or kept with a warning where it serves."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from chalicelib.domain.actions import ReserveCidr
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.planning import plan
from chalicelib.domain.spec import PolicySpec
from tests import factories as make
from tests.domain.reading import A, C, applied, finding, foreign
from tests.domain.world import converge
from tests.factories import known


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
