"""EgressIP objects: what to apply, what to delete, who else has been writing.

Only fields that are ours: `spec.egressIPs`, the selectors as far as we wish them, and our labels. Taking a field back
from another manager is `force`, and is planned only on objects that carry our label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from chalicelib.domain.actions import (
    LABEL_MANAGED_BY,
    LABEL_POLICY,
    OWNER,
    ApplyEgressIp,
    DeleteEgressIp,
)
from chalicelib.domain.findings import Finding, Kind, Severity, some_of
from chalicelib.domain.healing.remedies import Remedies
from chalicelib.domain.plan import Withheld
from chalicelib.domain.policies.placement import Placement
from chalicelib.domain.selectors import SpecDifference, compare_selectors, manager_of
from chalicelib.domain.snapshot import EgressIp, EgressIpSpec
from chalicelib.domain.spec import PolicySpec
from chalicelib.domain.terrain import Terrain, is_our_object
from chalicelib.domain.tried import is_remedy_label


@dataclass(frozen=True, slots=True)
class Objects:
    """Changes of EgressIP objects, sorted by name."""

    apply: tuple[ApplyEgressIp, ...] = ()
    delete: tuple[DeleteEgressIp, ...] = ()
    findings: tuple[Finding, ...] = ()
    withheld: tuple[Withheld, ...] = ()


def plan_objects(terrain: Terrain, placement: Placement, remedies: Remedies) -> Objects:
    """Compare the objects that are there with the allocations, and write remedies into them."""
    applied: list[ApplyEgressIp] = []
    findings: list[Finding] = []
    withheld: list[Withheld] = []
    by_policy: dict[str, list[str]] = {}
    for allocation in placement.allocations:
        if not allocation.held:
            by_policy.setdefault(allocation.policy, []).append(str(allocation.address))
    for policy in sorted(terrain.desired.policies, key=lambda policy: policy.name):
        there = terrain.egress_ip_by_name.get(policy.name)
        wanted = by_policy.get(policy.name, [])
        if there is None:
            if wanted:
                applied.append(_create(terrain, policy, wanted))
            if terrain.asked_before(policy.name):
                findings.append(_lost_object(policy, applied[-1].summary if wanted else ""))
        elif not is_our_object(there):
            findings.append(_foreign_object(there))
            withheld.append(Withheld(f"apply EgressIP {policy.name}", "the object is not ours"))
        elif there.deleting:
            withheld.append(Withheld(f"apply EgressIP {policy.name}", "the object is being deleted; wait for it"))
        else:
            _update(
                there,
                policy,
                wanted,
                placement,
                remedies,
                recorded=frozenset(map(str, terrain.recorded_in_tags(policy.name))),
                serves=any(terrain.is_carried(policy.name, address) for address in wanted),
                cycling=frozenset(a for a in terrain.cycles[policy.name] if terrain.is_out(policy.name, a)),
                out=(applied, findings, withheld),
            )
    deleted = tuple(_deletions(terrain))
    return Objects(tuple(applied), deleted, tuple(findings), tuple(withheld))


def _create(terrain: Terrain, policy: PolicySpec, wanted: list[str]) -> ApplyEgressIp:
    gone = terrain.asked_before(policy.name)
    reason = "the object is gone; its addresses were remembered" if gone else "the fleet file wants it"
    return ApplyEgressIp(
        policy.name,
        None,
        EgressIpSpec(tuple(wanted), policy.namespace_selector, policy.pod_selector),
        _labels(policy),
        force=False,
        policies=(policy.name,),
        reason=reason,
    )


def _update(
    there: EgressIp,
    policy: PolicySpec,
    allocated: list[str],
    placement: Placement,
    remedies: Remedies,
    *,
    recorded: frozenset[str],
    serves: bool,
    cycling: frozenset[str],
    out: tuple[list[ApplyEgressIp], list[Finding], list[Withheld]],
) -> None:
    """Put back what differs. While something wanted can't be placed, nothing that serves is taken away.

    A stray one is, once an address of the policy's own serves: it may have the very node that one of those waits for.
    Whatever leaves an address of the policy's own out goes to the version that was read, or nowhere: another visit may
    have put it back, or settled on it.

    Args:
        cycling: Addresses that a cycle has taken out, not put back yet.
    """
    applied, findings, withheld = out
    listed = list(dict.fromkeys(there.spec.addresses))
    extra = [address for address in listed if address not in allocated]
    unrecorded = tuple(a for a in extra if a not in recorded)
    staying = [a for a in extra if _is_address(a) and not (serves and a in unrecorded)]
    staying = staying if policy.name in placement.incomplete else []
    if staying:
        what = f"remove {some_of(staying)} from EgressIP {policy.name}"
        withheld.append(Withheld(what, "what is wanted instead can't be placed yet"))
    kept = [address for address in listed if address in allocated or address in staying]
    addresses = tuple(kept + [address for address in allocated if address not in kept])
    wish = EgressIpSpec(addresses, policy.namespace_selector, policy.pod_selector)
    selectors = compare_selectors(wish, there)
    labels = _labels(policy)
    label_paths = tuple(f".metadata.labels.{key}" for key in labels if there.labels.get(key) != labels[key])
    address_path = (".spec.egressIPs",) if addresses != there.spec.addresses else ()
    differing = (*address_path, *selectors.ours, *label_paths)
    if selectors.foreign:
        findings.append(_foreign_selector(there, selectors))
    cycled = tuple(a for a in remedies.taken_out(policy.name) if a in listed)
    marks = remedies.marks.get(policy.name, {})
    remedying = (*((".spec.egressIPs",) if cycled else ()), *_differing_marks(marks, there))
    if not differing and staying and (editor := manager_of(".spec.egressIPs", there)):
        findings.append(_edited(there, (".spec.egressIPs",), [editor], allocated, ""))
    if not differing and not remedying:
        return
    others = sorted({manager_of(path, there) for path in differing} - {""})
    reasons = [_reason(differing, others, break_before_make=len(extra) > len(staying))] if differing else []
    strays = unrecorded if manager_of(".spec.egressIPs", there) else ()
    remaining = tuple(a for a in addresses if a not in cycled)
    left_out = {*listed, *cycling} - {*remaining, *strays}
    action = ApplyEgressIp(
        policy.name,
        there.spec,
        replace(wish, addresses=remaining),
        labels,
        force=any(manager_of(path, there) for path in (*differing, *remedying)),
        policies=(policy.name,),
        reason="; ".join([*reasons, *remedies.reasons(policy.name)]) or "what was tried is over and need not be kept",
        strays=strays,
        marks=marks,
        cycled=cycled,
        kick=remedies.kicks(policy.name),
        version=there.version if left_out else "",
    )
    applied.append(action)
    if others:
        findings.append(_edited(there, differing, others, allocated, action.summary))


def _reason(differing: tuple[str, ...], others: list[str], *, break_before_make: bool) -> str:
    fields = ", ".join(differing)
    if others:
        return f"{fields} was changed by {', '.join(others)}; the fleet file says otherwise"
    if break_before_make:
        return f"the fleet file now says otherwise in {fields}; the platform removes before it adds"
    return f"{fields} differs from the fleet file"


def _labels(policy: PolicySpec) -> dict[str, str]:
    """Our labels but those of remedies, complete: one that we leave out of an apply is removed."""
    return {LABEL_MANAGED_BY: OWNER, LABEL_POLICY: policy.name}


def _differing_marks(marks: Mapping[str, str], there: EgressIp) -> tuple[str, ...]:
    """Paths of remedy labels to write, and of those to drop: somebody else's stays."""
    prefix = ".metadata.labels."
    written = [f"{prefix}{key}" for key, value in marks.items() if there.labels.get(key) != value]
    dropped = [
        path
        for path in there.owned_fields
        if path.startswith(prefix) and is_remedy_label(key := path.removeprefix(prefix)) and key not in marks
    ]
    return tuple(sorted([*written, *dropped]))


def _is_address(text: str) -> bool:
    """Whether it can serve at all. What is no address can't, and OVN-Kubernetes ignores the whole object for it."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _lost_object(policy: PolicySpec, repair: str) -> Finding:
    return Finding(
        Kind.OBJECT_MISSING,
        f"EgressIP {policy.name}",
        Severity.CRITICAL,
        f"EgressIP {policy.name} does not exist, though it has been given addresses: somebody deleted it,"
        " or the visit that was to create it was cut short.",
        impact="Its pods leave with their nodes' addresses.",
        todo="Find out who deleted it (audit log of the cluster), and tell them that the fleet file decides.",
        repaired_by=repair,
    )


def _foreign_object(there: EgressIp) -> Finding:
    managers = ", ".join(sorted(set(there.other_managers.values()))) or "unknown"
    return Finding(
        Kind.OBJECT_FOREIGN,
        f"EgressIP {there.name}",
        Severity.CRITICAL,
        f"An EgressIP named {there.name} exists that is not ours (written by {managers}).",
        impact="The policy of that name is not in force; the object does what its author wrote.",
        todo=f"Hand it over with `oc label egressip {there.name} {LABEL_MANAGED_BY}={OWNER} --overwrite`, or rename the"
        " policy in the fleet file.",
    )


def _foreign_selector(there: EgressIp, difference: SpecDifference) -> Finding:
    fields = some_of(difference.foreign)
    managers = sorted({manager_of(path, there) for path in difference.foreign} - {""})
    return Finding(
        Kind.FIELD_CONFLICT,
        f"selector of EgressIP {there.name}",
        Severity.CRITICAL,
        f"{', '.join(managers) or 'Somebody else'} added {fields} to EgressIP {there.name}.",
        impact="It matches fewer pods than the fleet file says; the others leave with their nodes' addresses.",
        todo=f"Remove it with `oc edit egressip {there.name}`, or write it into the fleet file.",
        evidence=tuple(f"field: {path}" for path in difference.foreign),
    )


def _edited(
    there: EgressIp, differing: tuple[str, ...], others: list[str], allocated: list[str], repair: str
) -> Finding:
    severity, impact = _edit_in_traffic(there, differing, allocated)
    return Finding(
        Kind.SPEC_EDITED,
        f"EgressIP {there.name}",
        severity,
        f"EgressIP {there.name} was edited by {', '.join(others)}: {some_of(differing)}.",
        impact=impact,
        todo="Make the change in the fleet file if it was meant; otherwise nothing.",
        repaired_by=repair,
        evidence=(
            f"is: {some_of(there.spec.addresses) or 'no address'}",
            f"should be: {some_of(allocated) or 'no address'}",
        ),
    )


def _edit_in_traffic(there: EgressIp, differing: tuple[str, ...], allocated: list[str]) -> tuple[Severity, str]:
    """How bad an edit is, and what it means until it is put back."""
    paths = {path for path in differing if path.startswith(".spec")}
    if not paths:
        return Severity.INFO, "None: only labels differ."
    junk = [address for address in there.spec.addresses if not _is_address(address)]
    if paths == {".spec.egressIPs"} and {*there.spec.addresses} - {*junk} == {*allocated}:
        if junk:
            return Severity.WARNING, (
                f"What serves goes on serving. OVN-Kubernetes does nothing more for the object while {some_of(junk)} is"
                " in it: no address of it would be moved off a node that fails."
            )
        return Severity.WARNING, "None yet: the addresses are the right ones, in another order or more than once."
    if paths == {".spec.egressIPs"} and {*there.spec.addresses} < {*allocated}:
        left = "by the addresses that are left" if there.spec.addresses else "with their nodes' own addresses"
        return Severity.CRITICAL, f"Until it is put back, its pods leave {left}."
    return Severity.CRITICAL, "Until it is put back, pods may leave with another address than the one partners let in."


def _deletions(terrain: Terrain) -> Iterable[DeleteEgressIp]:
    wanted = {policy.name for policy in terrain.desired.policies}
    healthy = {cpic.address for cpic in terrain.observed.cpics if cpic.healthy}
    for egress_ip in sorted(terrain.observed.egress_ips, key=lambda egress_ip: egress_ip.name):
        if is_our_object(egress_ip) and egress_ip.name not in wanted and not egress_ip.deleting:
            yield DeleteEgressIp(
                egress_ip.name,
                egress_ip.uid,
                egress_ip.spec,
                (egress_ip.name,),
                "the fleet file no longer names it",
                tuple(address for address in egress_ip.spec.addresses if address in healthy),
            )
