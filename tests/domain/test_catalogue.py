"""The drift catalogue, D1–D28: what each is told as, on what, how badly, and what is done about it.

One line each, on a snapshot in which nothing else is wrong; the modules' own tests have the details, and
`tests/sandbox/virtual/test_remedies.py` the healing. D8 and D28 are no faults: they are here to stay quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from chalicelib.domain.actions import TAG_CLUSTER, ApplyEgressIp
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.planning import plan
from chalicelib.domain.remembered import Remembered
from chalicelib.domain.snapshot import EgressIpConfig, Snapshot
from tests import factories as make
from tests.domain.reading import foreign
from tests.domain.world import converge, settle
from tests.factories import known

A, B = "10.10.100.253", "10.10.150.253"
DESIRED = make.cluster(make.policy("ns", A, B))
ADDRESS, ZONE = f"address {A} of ns", "zone eu-central-1a (10.10.100.0/24)"
VOUCHED = Remembered(vouched=True)
WARNING, CRITICAL, INFO = Severity.WARNING, Severity.CRITICAL, Severity.INFO


@cache
def healthy() -> Snapshot:
    return converge(make.snapshot(nodes_per_zone=2), DESIRED)


def nodes(observed: Snapshot, prefix: str, **changes: Any) -> Snapshot:
    made = tuple(replace(n, **changes) if n.name.startswith(prefix) else n for n in known(observed.nodes))
    return replace(observed, nodes=made)


def cpic(**changes: Any) -> Callable[[Snapshot], Snapshot]:
    """A's CloudPrivateIPConfig with these changes."""
    old = {"changed_at": make.NOW.replace(hour=1)}
    return lambda observed: replace(
        observed,
        cpics=tuple(replace(c, **{**old, **changes}) if c.address == A else c for c in known(observed.cpics)),
    )


def without_cpic(observed: Snapshot) -> Snapshot:
    return replace(observed, cpics=tuple(c for c in known(observed.cpics) if c.address != A))


def unclaimed(observed: Snapshot) -> Snapshot:
    (there,) = known(observed.egress_ips)
    return replace(observed, egress_ips=(replace(there, items=tuple(i for i in there.items if i[0] != A)),))


def off_ec2(observed: Snapshot, *, onto: str = "") -> Snapshot:
    """A leaves its interface, for another one if so said."""
    stranger = make.interface("a", 9, id="eni-x", instance_id=None, addresses=(), holder="load balancer app/x")
    made = tuple(
        replace(
            i,
            addresses=(*(a for a in i.addresses if str(a) != A), *((IPv4Address(A),) if i.id == onto else ())),
        )
        for i in (*known(observed.interfaces), stranger)
    )
    return replace(observed, interfaces=made)


def onto_a_stranger(observed: Snapshot) -> Snapshot:
    return off_ec2(observed, onto="eni-x")


def failed(message: str) -> Callable[[Snapshot], Snapshot]:
    return cpic(assigned="False", message=f"Error processing cloud assignment request, err: {message}")


def spec(*addresses: str, manager: str = "kubectl-edit") -> Callable[[Snapshot], Snapshot]:
    def edited(observed: Snapshot) -> Snapshot:
        (there,) = known(observed.egress_ips)
        owned = there.owned_fields - {".spec.egressIPs"}
        others = {".spec.egressIPs": manager}
        changed = replace(
            there, spec=replace(there.spec, addresses=addresses), owned_fields=owned, other_managers=others
        )
        return replace(observed, egress_ips=(changed,))

    return edited


def no_zone_a(observed: Snapshot) -> Snapshot:
    """Its pool is at zero."""
    return settle(
        replace(
            observed,
            nodes=tuple(n for n in known(observed.nodes) if not n.name.startswith("node-a")),
            instances=tuple(i for i in known(observed.instances) if not i.id.startswith("i-a")),
            interfaces=tuple(i for i in known(observed.interfaces) if not i.id.startswith("eni-a")),
        )
    )


def full_zone_a(observed: Snapshot) -> Snapshot:
    """As many addresses there as its nodes take, and A waits for a place."""
    tight = nodes(observed, "node-a", egress_config=EgressIpConfig("eni-a0", IPv4Network(make.ZONES["a"]), 0))
    return without_cpic(unclaimed(off_ec2(tight)))


def reserved(observed: Snapshot, **changes: Any) -> Snapshot:
    made = tuple(replace(r, **changes) if A in str(r.cidr) else r for r in known(observed.reservations))
    return replace(observed, reservations=made)


def unreserved(observed: Snapshot) -> Snapshot:
    return replace(observed, reservations=tuple(r for r in known(observed.reservations) if A not in str(r.cidr)))


def listed_twice(observed: Snapshot) -> Snapshot:
    return replace(observed, egress_ips=(*known(observed.egress_ips), foreign("theirs", A)))


def overlapping(observed: Snapshot) -> Snapshot:
    theirs = foreign("theirs")
    theirs = replace(theirs, spec=replace(theirs.spec, namespace_selector=make.NAMESPACES))
    return replace(observed, egress_ips=(*known(observed.egress_ips), theirs))


def stray(observed: Snapshot) -> Snapshot:
    made = tuple(
        replace(i, addresses=(*i.addresses, IPv4Address("10.10.200.77"))) if i.id == "eni-c0" else i
        for i in known(observed.interfaces)
    )
    return replace(observed, interfaces=made)


def then(*steps: Callable[[Snapshot], Snapshot]) -> Callable[[Snapshot], Snapshot]:
    def all_of_them(observed: Snapshot) -> Snapshot:
        for step in steps:
            observed = step(observed)
        return observed

    return all_of_them


@dataclass(frozen=True)
class Drift:
    """One line of the catalogue.

    Attributes:
        done: How the plan's actions begin, one each.
        says: In the finding's remedy or to-do, where nothing is done now.
    """

    broken: Callable[[Snapshot], Snapshot]
    kind: Kind
    subject: str
    severity: Severity
    done: tuple[str, ...] = ()
    says: str = ""


STUCK = then(unclaimed, off_ec2)
CYCLE = (f"apply EgressIP ns: cycle {A}",)
CATALOGUE = {
    "d01": Drift(no_zone_a, Kind.NO_ELIGIBLE_NODE, ZONE, CRITICAL, says="Bring a Ready, labelled node"),
    "d02": Drift(full_zone_a, Kind.CAPACITY_SHORTFALL, ZONE, CRITICAL, says="Scale up"),
    "d03": Drift(
        lambda o: nodes(o, "node-c0", assignable=None), Kind.NODE_LABEL_MISSING, "node node-c0", WARNING,
        ("label node node-c0",),
    ),
    "d04": Drift(
        lambda o: nodes(o, "node-c0", egress_config=make.unreadable()), Kind.NODE_UNUSABLE, "node node-c0", WARNING,
        says="oc adm cordon node-c0",
    ),
    "d05": Drift(
        then(STUCK, without_cpic), Kind.ADDRESS_UNASSIGNED, ADDRESS, WARNING, ("apply EgressIP ns: kick",)
    ),
    "d06": Drift(then(STUCK, failed("InternalError")), Kind.ASSIGNMENT_FAILED, ADDRESS, WARNING, CYCLE),
    "d07": Drift(
        then(unclaimed, onto_a_stranger, failed("assigned, but move is not allowed")),
        Kind.ASSIGNMENT_FAILED, ADDRESS, CRITICAL, says="load balancer app/x",
    ),
    "d09": Drift(
        then(STUCK, failed("PrivateIpAddressLimitExceeded"),
             lambda o: nodes(o, "node-a", egress_config=EgressIpConfig("eni-a0", IPv4Network(make.ZONES["a"]), 0))),
        Kind.ASSIGNMENT_FAILED, ADDRESS, WARNING, says="waits for room",
    ),
    "d10": Drift(
        then(STUCK, failed("UnauthorizedOperation")), Kind.ASSIGNMENT_FAILED, ADDRESS, CRITICAL, CYCLE,
        says="A person is needed: EC2 does not allow",
    ),
    "d11": Drift(unclaimed, Kind.STATUS_LOST, ADDRESS, WARNING, CYCLE),
    "d12": Drift(
        then(off_ec2, without_cpic), Kind.STATUS_UNBACKED, ADDRESS, WARNING, ("apply EgressIP ns: kick",)
    ),
    "d13": Drift(then(unclaimed, cpic(owner="gone")), Kind.CPIC_STALE, ADDRESS, WARNING, CYCLE),
    "d14": Drift(off_ec2, Kind.EC2_ADDRESS_MISSING, ADDRESS, WARNING, (f"assign {A} to eni-a0",)),
    "d14-elsewhere": Drift(
        onto_a_stranger, Kind.EC2_ADDRESS_MISSING, ADDRESS, CRITICAL, says="load balancer app/x"
    ),
    "d15": Drift(
        stray, Kind.ADDRESS_LEFTOVER, "address 10.10.200.77 on eni-c0", WARNING, says="unassign-private-ip-addresses"
    ),
    "d17": Drift(listed_twice, Kind.ADDRESS_DUPLICATE, ADDRESS, WARNING, says="Remove it from one of them"),
    "d18": Drift(
        lambda o: nodes(o, "node-c0", host_addresses=(make.host("c", 0), IPv4Address(A))),
        Kind.ADDRESS_IS_HOST, ADDRESS, WARNING, says="leftover",
    ),
    "d19": Drift(
        spec(A, B, "not an address"), Kind.SPEC_EDITED, "EgressIP ns", WARNING,
        ("apply EgressIP ns: -not an address",),
    ),
    "d20": Drift(spec(A), Kind.SPEC_EDITED, "EgressIP ns", CRITICAL, (f"apply EgressIP ns: +{B}",)),
    "d21": Drift(
        overlapping, Kind.SELECTOR_OVERLAP, "EgressIP ns and EgressIP theirs", CRITICAL, says="exclude each other"
    ),
    "d22": Drift(lambda o: nodes(o, "node-c0", ready=False), Kind.NODE_UNUSABLE, "node node-c0", WARNING,
                 says="keeps it from being Ready"),
    "d23": Drift(
        unreserved, Kind.RESERVATION_MISSING, f"range {A}/32 in subnet-a", WARNING, (f"reserve {A}/32",)
    ),
    "d24": Drift(
        lambda o: reserved(o, type="prefix", tags={}), Kind.RESERVATION_FOREIGN, ADDRESS, WARNING,
        says="delete-subnet-cidr-reservation",
    ),
    "d24-foreign": Drift(
        lambda o: reserved(o, cidr=IPv4Network("10.10.100.240/28"), tags={TAG_CLUSTER: "another"}),
        Kind.RESERVATION_FOREIGN, ADDRESS, WARNING, says="Choose another address",
    ),
    "d27": Drift(
        lambda o: nodes(o, "node-c0", egress_config=EgressIpConfig("eni-c0", IPv4Network(make.ZONES["c"]), 15)),
        Kind.CAPACITY_ODD, "node node-c0", WARNING, says="oc adm cordon",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CATALOGUE)
def test_dnn_each_drift_is_told_and_treated(name: str) -> None:
    """The right kind, subject and severity, and what a person can do; the remedy in the plan, nothing else there."""
    drift = CATALOGUE[name]
    planned = plan(drift.broken(healthy()), DESIRED, VOUCHED)
    (found,) = (f for f in planned.findings if (f.kind, f.subject) == (drift.kind, drift.subject))
    assert found.severity is drift.severity
    assert drift.says in f"{found.remedy} {found.todo}"
    assert found.todo or found.repaired_by
    assert len(planned.actions) == len(drift.done)
    for action, begins in zip(planned.actions, drift.done, strict=True):
        assert action.summary.startswith(begins)
        assert found.repaired_by == action.summary


def test_d16_an_address_outside_every_subnet_is_told() -> None:
    """There is nothing that could carry it."""
    desired = make.cluster(make.policy("ns", "10.99.0.9", B))
    (found,) = (f for f in plan(make.snapshot(), desired, VOUCHED).findings if f.kind is Kind.ADDRESS_OUTSIDE)
    assert (found.subject, found.severity) == ("address 10.99.0.9 of ns", CRITICAL)


def test_d28_lost_annotations_are_no_fault() -> None:
    """OVN-Kubernetes wipes them; what an object of ours has to remember is in its labels, and is still there."""
    planned = plan(healthy(), DESIRED, VOUCHED)
    assert (planned.actions, planned.findings, planned.moving) == ((), (), ())


def test_no_remedy_of_the_catalogue_takes_an_address_that_serves() -> None:
    """Whatever is done, B, which serves in each of them, stays in its list."""
    for name, drift in CATALOGUE.items():
        for action in plan(drift.broken(healthy()), DESIRED, VOUCHED).actions:
            assert not isinstance(action, ApplyEgressIp) or B in action.after.addresses, name
