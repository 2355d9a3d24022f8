from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.actions import LABEL_MANAGED_BY, LABEL_POLICY, ApplyEgressIp, DeleteEgressIp
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.snapshot import EgressIp, Snapshot
from tests import factories as make
from tests.domain.world import converge
from tests.factories import known

A, B, C = "10.10.100.253", "10.10.150.253", "10.10.200.253"
DESIRED = make.cluster(make.policy("ns", A, B))


def rested(**changes: Any) -> Snapshot:
    """A cluster on which the policy is in force, with its object changed like this."""
    observed = converge(make.snapshot(), DESIRED)
    (there,) = known(observed.egress_ips)
    return replace(observed, egress_ips=(replace(there, **changes),))


def there() -> EgressIp:
    return known(rested().egress_ips)[0]


def edited(field: str, manager: str = "kubectl-edit", **changes: Any) -> Snapshot:
    return rested(owned_fields=there().owned_fields - {field}, other_managers={field: manager}, **changes)


def apply(planned: Plan) -> ApplyEgressIp:
    (action,) = (a for a in planned.actions if isinstance(a, ApplyEgressIp))
    return action


def kinds(planned: Plan) -> dict[Kind, Severity]:
    return {
        finding.kind: finding.severity for finding in planned.findings if finding.kind is not Kind.CAPACITY_NO_SPARE
    }


def test_a_new_object_has_our_labels_and_no_force() -> None:
    """Created by server-side apply, marked as ours and with the policy's name."""
    action = apply(plan(make.snapshot(), DESIRED))
    assert (action.before, action.force, action.policies) == (None, False, ("ns",))
    assert action.labels == {LABEL_MANAGED_BY: "egress-keeper", LABEL_POLICY: "ns"}
    assert action.reason == "the fleet file wants it"


def test_a_list_edited_by_hand_is_put_back_by_force() -> None:
    """The finding names who did it and what it was; the action takes the field back."""
    observed = edited(".spec.egressIPs", spec=replace(there().spec, addresses=(A, "10.10.100.77")))
    planned = plan(observed, DESIRED)
    action = apply(planned)
    assert action.force
    assert (action.adds, action.removes) == ((B,), ("10.10.100.77",))
    assert "kubectl-edit" in action.reason
    assert kinds(planned)[Kind.SPEC_EDITED] is Severity.CRITICAL
    (found,) = (f for f in planned.findings if f.kind is Kind.SPEC_EDITED)
    assert found.evidence == (f"is: {A}, 10.10.100.77", f"should be: {A}, {B}")


@pytest.mark.parametrize(
    ("addresses", "severity", "says"),
    [
        ((A, B, "10.10.150.2533"), Severity.WARNING, "while 10.10.150.2533 is in it"),
        ((B, A), Severity.WARNING, "another order"),
        ((A, B, A), Severity.WARNING, "more than once"),
        ((A,), Severity.CRITICAL, "its pods leave by the addresses that are left"),
        ((), Severity.CRITICAL, "its pods leave with their nodes' own addresses"),
        ((A, "10.10.150.2533"), Severity.CRITICAL, "another address than the one partners let in"),
    ],
    ids=["garbled", "order", "repeated", "one-left", "none-left", "garbled-and-missing"],
)
def test_an_edit_is_as_bad_as_what_it_does_to_traffic(
    addresses: tuple[str, ...], severity: Severity, says: str
) -> None:
    """Where the addresses are the right ones nobody leaves by another one."""
    planned = plan(edited(".spec.egressIPs", spec=replace(there().spec, addresses=addresses)), DESIRED)
    found = [f for f in planned.findings if f.kind is Kind.SPEC_EDITED]
    assert [f.severity for f in found] == ([] if addresses == (B, A) else [severity])  # an order of its own is kept
    assert all(says in f.impact for f in found)


def test_an_emptied_list_is_said_to_be_empty() -> None:
    """Evidence reads as a sentence, whatever is missing."""
    observed = edited(".spec.egressIPs", spec=replace(there().spec, addresses=()))
    (found,) = (f for f in plan(observed, DESIRED).findings if f.kind is Kind.SPEC_EDITED)
    assert found.evidence[0] == "is: no address"


def test_an_edit_is_told_even_while_it_can_not_be_put_back() -> None:
    """While something wanted waits and nothing of the policy's serves, the added address stays, but not in silence."""
    observed = edited(".spec.egressIPs", spec=replace(there().spec, addresses=(A, B, "10.10.100.77")))
    planned = plan(replace(observed, cpics=()), make.cluster(make.policy("ns", A, B, "10.10.200.3")))
    assert planned.actions == ()
    (found,) = (f for f in planned.findings if f.kind is Kind.SPEC_EDITED)
    assert (found.repaired_by, found.evidence[1]) == ("", f"should be: {A}, {B}")


def test_a_stray_address_goes_as_soon_as_one_of_the_policy_serves() -> None:
    """It may have the very node that an address of the policy waits for."""
    observed = edited(".spec.egressIPs", spec=replace(there().spec, addresses=(A, B, "10.10.100.77")))
    action = apply(plan(observed, make.cluster(make.policy("ns", A, B, "10.10.200.3"))))
    assert (action.removes, action.strays) == (("10.10.100.77",), ("10.10.100.77",))


def test_an_address_of_ours_that_waits_to_be_replaced_is_no_edit() -> None:
    """A changed fleet file is not somebody's edit."""
    planned = plan(rested(), make.cluster(make.policy("ns", A, "10.10.150.3")))
    assert planned.actions == ()
    assert Kind.SPEC_EDITED not in kinds(planned)


def test_repeated_addresses_are_written_once() -> None:
    """OVN-Kubernetes never comes to rest with an address listed twice."""
    observed = rested(spec=replace(there().spec, addresses=(A, B, A)))
    assert apply(plan(observed, DESIRED)).after.addresses == (A, B)


def test_the_order_in_the_object_is_kept() -> None:
    """The order means nothing to the platform: it is no reason to write."""
    assert plan(rested(spec=replace(there().spec, addresses=(B, A))), DESIRED).actions == ()


def test_a_changed_wish_is_no_edit() -> None:
    """A new selector in the fleet file is applied without force and without a finding."""
    desired = make.cluster(make.policy("ns", A, B, pods=make.PODS))
    planned = plan(rested(), desired)
    assert (apply(planned).force, apply(planned).removes) == (False, ())
    assert apply(planned).reason == ".spec.podSelector.matchLabels.run differs from the fleet file"
    assert kinds(planned) == {}


def test_a_selector_label_added_by_somebody_is_a_conflict() -> None:
    """We can't remove it, it narrows the policy, and its author is named."""
    more = there().spec.namespace_selector.replace("}}", ',"team":"x"}}')
    path = ".spec.namespaceSelector.matchLabels.team"
    planned = plan(
        rested(spec=replace(there().spec, namespace_selector=more), other_managers={path: "argocd"}), DESIRED
    )
    assert planned.actions == ()
    (found,) = (f for f in planned.findings if f.kind is Kind.FIELD_CONFLICT)
    assert found.summary == f"argocd added {path} to EgressIP ns."
    nobody = plan(rested(spec=replace(there().spec, namespace_selector=more)), DESIRED)
    assert any(f.summary.startswith("Somebody else added") for f in nobody.findings)


def test_a_label_of_ours_changed_by_hand_is_put_back_quietly() -> None:
    """Labels do nothing to traffic: worth knowing, no reason to wake anybody."""
    path = f".metadata.labels.{LABEL_POLICY}"
    observed = edited(path, "kubectl-label", labels={**there().labels, LABEL_POLICY: "x"})
    planned = plan(observed, DESIRED)
    assert apply(planned).labels[LABEL_POLICY] == "ns"
    assert apply(planned).force
    assert kinds(planned) == {Kind.SPEC_EDITED: Severity.INFO}


def test_an_object_without_our_label_is_never_touched() -> None:
    """Not changed, not deleted; the finding says how to hand it over."""
    planned = plan(rested(labels={}), DESIRED)
    assert planned.actions == ()
    assert kinds(planned) == {Kind.OBJECT_FOREIGN: Severity.CRITICAL}
    (found,) = (f for f in planned.findings if f.kind is Kind.OBJECT_FOREIGN)
    assert "oc label egressip ns app.kubernetes.io/managed-by=egress-keeper" in found.todo
    assert "written by unknown" in found.summary


def test_an_object_on_its_way_out_is_waited_for() -> None:
    """An apply to an object that is being deleted would be lost."""
    planned = plan(rested(deleting=True, spec=replace(there().spec, addresses=(A,))), DESIRED)
    assert not any(isinstance(a, ApplyEgressIp) for a in planned.actions)
    assert "EgressIP ns is being deleted" in planned.moving
    assert plan(rested(deleting=True), make.cluster()).actions == ()


def test_an_object_of_ours_that_nothing_names_is_deleted() -> None:
    """With its uid, so that a namesake made meanwhile is safe, and with what it costs."""
    (action,) = plan(rested(), make.cluster()).actions
    assert isinstance(action, DeleteEgressIp)
    assert (action.uid, action.serving, action.removes) == ("uid-ns", (A, B), (A, B))


def test_a_deleted_object_waits_for_room_like_a_new_one() -> None:
    """Its absence is a finding all the same, with nothing yet that repairs it."""
    gone = replace(converge(make.snapshot(), DESIRED), egress_ips=(), cpics=(), nodes=())
    planned = plan(replace(gone, interfaces=()), DESIRED)
    assert not any(isinstance(a, ApplyEgressIp) for a in planned.actions)
    (found,) = (f for f in planned.findings if f.kind is Kind.OBJECT_MISSING)
    assert (found.repaired_by, found.severity) == ("", Severity.CRITICAL)
    assert not any("held" in a.summary for a in planned.actions)
