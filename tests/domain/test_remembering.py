from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from chalicelib.domain.actions import ApplyEgressIp, TagReservation
from chalicelib.domain.findings import Kind
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import Snapshot
from chalicelib.domain.spec import ClusterSpec
from tests import factories as make
from tests.domain.reading import A, B, applied, finding, foreign, given, held
from tests.domain.world import converge, settle
from tests.factories import known


def remembered(**losses: Any) -> tuple[Snapshot, ClusterSpec, Snapshot]:
    desired = make.cluster(make.policy("ns", per_zone=1))
    rested = converge(make.snapshot(), desired)
    return rested, desired, replace(rested, **losses)


def test_tags_bring_back_a_deleted_object() -> None:
    """Deleting the EgressIP by hand brings back the same addresses, as soon as they are off the nodes."""
    rested, desired, lost = remembered(egress_ips=())
    again = converge(settle(lost), desired)
    assert known(again.egress_ips)[0].spec == known(rested.egress_ips)[0].spec
    planned = plan(settle(lost), desired)
    assert finding(planned, Kind.OBJECT_MISSING).repaired_by == planned.actions[-1].summary
    assert {a.source for a in planned.allocations} == {"reservation"}


def test_the_object_brings_back_lost_reservations() -> None:
    """Reservations deleted by hand are made again around the addresses that the object lists."""
    rested, desired, lost = remembered(reservations=())
    planned = plan(lost, desired)
    assert [a.summary for a in planned.actions] == [
        f"reserve {r.cidr} in {r.subnet_id}" for r in known(rested.reservations)
    ]
    assert {f.repaired_by for f in planned.findings if f.kind is Kind.RESERVATION_MISSING} == {
        a.summary for a in planned.actions
    }
    assert {a.source for a in planned.allocations} == {"object"}


def test_the_object_brings_back_lost_tags() -> None:
    """A wiped tag is written again, and nothing else happens."""
    rested, desired, _ = remembered()
    wiped = replace(rested, reservations=tuple(replace(r, tags=make.tags()) for r in known(rested.reservations)))
    planned = plan(wiped, desired)
    assert [a.write for a in planned.actions if isinstance(a, TagReservation)] == [
        {"egress-keeper/policy/ns": str(r.cidr[0])} for r in known(rested.reservations)
    ]
    assert len(planned.actions) == 3


def test_tags_win_over_a_list_edited_by_hand() -> None:
    """What somebody wrote over our list is no wish; the remembered addresses are put back."""
    rested, desired, _ = remembered()
    there = known(rested.egress_ips)[0]
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
    there = known(rested.egress_ips)[0]
    edited = replace(there, owned_fields=frozenset(), other_managers={".spec.egressIPs": "kubectl-edit"})
    partly = tuple(replace(r, tags=make.tags()) if r.subnet_id == "subnet-a" else r for r in known(rested.reservations))
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
    planned = plan(replace(observed, interfaces=(*known(observed.interfaces), squatter)), desired)
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
    (there,) = known(observed.egress_ips)
    labelled = replace(there, labels={"app.kubernetes.io/managed-by": "egress-keeper"})
    planned = plan(replace(observed, egress_ips=(labelled,)), make.cluster(make.policy("ns", per_zone=1)))
    assert {A, B} <= given(planned)
    assert not any(a.removes for a in planned.actions if isinstance(a, ApplyEgressIp))
