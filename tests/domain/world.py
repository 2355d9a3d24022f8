"""What the world makes of a plan: EC2 and the cluster API do as they are asked, then the platform assigns.

Pure, like planning itself: a snapshot goes in and a snapshot comes out. The platform here is the well-behaved part of
OVN-Kubernetes: it fills nodes evenly, one address of an EgressIP a node, and does not look at capacity; EC2 does, and
then the assignment fails. The faithful model is `chalicelib.domain.twin`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any, assert_never

from chalicelib.domain.actions import (
    Action,
    ApplyEgressIp,
    AssignAddress,
    CreatePool,
    DeleteEgressIp,
    LabelNode,
    LabelPool,
    ReleaseReservation,
    ReserveCidr,
    TagReservation,
    UnlabelNode,
    UnlabelPool,
)
from chalicelib.domain.addresses import aws_reserved
from chalicelib.domain.capacity import CapacityReport, NodeCapacity, report_capacity
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.pools import MachinePool, OcmView
from chalicelib.domain.selectors import selector_leaves
from chalicelib.domain.snapshot import Cpic, EgressIp, EgressIpSpec, Interface, Reservation, Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec
from chalicelib.domain.terrain import parse_address
from tests.factories import known

MOST_ROUNDS = 8


class ConflictError(AssertionError):
    """An apply without force met a field that another manager holds with another value."""


def apply_plan(observed: Snapshot, planned: Plan, *, first: int | None = None) -> Snapshot:
    """The snapshot after the plan's actions, or the first few of them."""
    for action in planned.actions[:first]:
        observed = _apply(observed, action)
    return observed


def converge(observed: Snapshot, desired: ClusterSpec) -> Snapshot:
    """Plan, apply and let the platform settle until there is nothing left to do."""
    for _ in range(MOST_ROUNDS):
        planned = plan(observed, desired)
        if not planned.actions:
            return observed
        observed = settle(apply_plan(observed, planned))
    raise AssertionError(f"still planning after {MOST_ROUNDS} rounds: {[a.summary for a in planned.actions]}")


def _apply(observed: Snapshot, action: Action) -> Snapshot:
    assert not observed.unknown() or isinstance(observed.limits, Unknown)
    match action:
        case ReserveCidr():
            made = Reservation(f"scr-{action.cidr}", action.subnet_id, action.cidr, "explicit", "", dict(action.tags))
            return replace(observed, reservations=(*known(observed.reservations), made))
        case TagReservation():
            changed = [
                replace(r, tags={k: v for k, v in {**r.tags, **action.write}.items() if k not in action.remove})
                if r.id == action.reservation_id
                else r
                for r in known(observed.reservations)
            ]
            return replace(observed, reservations=tuple(changed))
        case ReleaseReservation():
            left = tuple(r for r in known(observed.reservations) if r.id != action.reservation_id)
            return replace(observed, reservations=left)
        case LabelNode():
            return _with_node(observed, action.node, assignable="", marked=True)
        case UnlabelNode():
            return _with_node(observed, action.node, assignable=None, marked=False)
        case LabelPool() | UnlabelPool():
            view = observed.ocm
            assert isinstance(view, OcmView)
            pools = tuple(replace(p, labels=action.after) if p.name == action.pool else p for p in view.pools)
            return replace(observed, ocm=replace(view, pools=pools))
        case CreatePool():
            view, new = observed.ocm, action.pool
            assert isinstance(view, OcmView)
            subnets = (new.subnet,) if new.subnet else ()
            pool = MachinePool(new.name, new.labels, new.instance_type, new.scaling, action.zones, subnets, new.taints)
            return replace(observed, ocm=replace(view, pools=(*view.pools, pool)))
        case AssignAddress():
            changed_interfaces = tuple(
                replace(i, addresses=(*i.addresses, action.address)) if i.id == action.interface_id else i
                for i in known(observed.interfaces)
            )
            return replace(observed, interfaces=changed_interfaces)
        case ApplyEgressIp():
            others = tuple(e for e in known(observed.egress_ips) if e.name != action.name)
            before = next((e for e in known(observed.egress_ips) if e.name == action.name), None)
            return replace(observed, egress_ips=(*others, server_side_apply(before, action)))
        case DeleteEgressIp():
            staying = tuple(e for e in known(observed.egress_ips) if e.uid != action.uid)
            return replace(observed, egress_ips=staying)
        case _:
            assert_never(action)


def _with_node(observed: Snapshot, name: str, **changes: Any) -> Snapshot:
    nodes = tuple(replace(node, **changes) if node.name == name else node for node in known(observed.nodes))
    return replace(observed, nodes=nodes)


def server_side_apply(before: EgressIp | None, action: ApplyEgressIp) -> EgressIp:
    """Field by field, as the API server owns them with OpenShift's CRD: the list as a whole, selectors by label."""
    wanted = fields_of(action.after, {**action.labels, **action.marks})
    if before is None:
        spec, labels = _rebuilt(wanted)
        return EgressIp(action.name, f"uid-{action.name}", labels, spec, (), frozenset(wanted))
    there, others = fields_of(before.spec, before.labels), dict(before.other_managers)
    for path, value in wanted.items():
        if path in others and there.get(path) != value:
            if not action.force:
                raise ConflictError(f"{action.name}: {others[path]} holds {path}")
            del others[path]
    dropped = {path for path in before.owned_fields if path not in wanted and path not in others}
    spec, labels = _rebuilt({**{path: value for path, value in there.items() if path not in dropped}, **wanted})
    return replace(before, spec=spec, labels=labels, owned_fields=frozenset(wanted), other_managers=others)


def fields_of(spec: EgressIpSpec, labels: Iterable[tuple[str, str]] | Mapping[str, str]) -> dict[str, Any]:
    """Every field under management by path, with its value."""
    return {
        ".spec.egressIPs": spec.addresses,
        **selector_leaves(spec.namespace_selector, ".spec.namespaceSelector"),
        **selector_leaves(spec.pod_selector, ".spec.podSelector"),
        **{f".metadata.labels.{key}": value for key, value in dict(labels).items()},
    }


def _rebuilt(fields: dict[str, Any]) -> tuple[EgressIpSpec, dict[str, str]]:
    prefix = ".metadata.labels."
    labels = {path.removeprefix(prefix): str(value) for path, value in fields.items() if path.startswith(prefix)}
    addresses = fields[".spec.egressIPs"]
    assert isinstance(addresses, tuple)
    pods = _selector(fields, ".spec.podSelector")
    return EgressIpSpec(addresses, _selector(fields, ".spec.namespaceSelector"), None if pods == "{}" else pods), labels


def _selector(fields: dict[str, Any], path: str) -> str:
    prefix = f"{path}.matchLabels."
    labels = {key.removeprefix(prefix): value for key, value in fields.items() if key.startswith(prefix)}
    selector: dict[str, Any] = {"matchLabels": labels} if labels else {}
    if f"{path}.matchExpressions" in fields:
        selector["matchExpressions"] = json.loads(str(fields[f"{path}.matchExpressions"]))
    return json.dumps(selector, sort_keys=True, separators=(",", ":"))


# The platform


def settle(observed: Snapshot) -> Snapshot:
    """What OVN-Kubernetes, the cloud network controller and EC2 make of it, once everything has come to rest."""
    report = report_capacity(observed)
    assert isinstance(report, CapacityReport)
    observed = _released(observed, {row.node for row in report.nodes if row.eligible})
    blind = any(node.host_addresses is None for node in known(observed.nodes))
    return _stated(observed if blind else _assigned(observed, report))


def _released(observed: Snapshot, eligible: set[str]) -> Snapshot:
    """Assignments that nobody wants any more, or whose node can't carry them, go, and their addresses come off."""
    listed = {(eip.name, address) for eip in known(observed.egress_ips) for address in eip.spec.addresses}
    cpics = tuple(c for c in known(observed.cpics) if (c.owner, c.address) in listed and c.spec_node in eligible)
    gone = {parse_address(cpic.address) for cpic in known(observed.cpics) if cpic not in cpics}
    interfaces = tuple(
        replace(i, addresses=tuple(a for n, a in enumerate(i.addresses) if n == 0 or a not in gone))
        for i in known(observed.interfaces)
    )
    return replace(observed, cpics=cpics, interfaces=interfaces)


def _assigned(observed: Snapshot, report: CapacityReport) -> Snapshot:
    cpics, interfaces = list(known(observed.cpics)), {i.id: i for i in known(observed.interfaces)}
    interface_by_node = {
        node.name: interface_id
        for node in known(observed.nodes)
        for interface_id, i in interfaces.items()
        if i.instance_id == node.instance_id
    }
    load = Counter(cpic.spec_node for cpic in cpics)
    hosts = {address for node in known(observed.nodes) for address in node.host_addresses or ()}
    taken = {cpic.address for cpic in cpics}
    for eip in sorted(known(observed.egress_ips), key=lambda e: e.name):
        if any(parse_address(text) is None for text in eip.spec.addresses):
            continue  # one entry that is no address, and the whole object is ignored
        for text in sorted(set(eip.spec.addresses) - taken):
            address = IPv4Address(text)
            used = {cpic.spec_node for cpic in cpics if cpic.owner == eip.name}
            row = _least_loaded(report.nodes, address, load, used)
            if row is None or address in hosts:
                continue
            taken.add(text)
            load[row.node] += 1
            failure = _refusal(address, row, load[row.node], list(interfaces.values()))
            cpics.append(_cpic(text, row.node, eip.name, failure))
            if not failure:
                own = interfaces[interface_by_node[row.node]]
                interfaces[own.id] = replace(own, addresses=tuple(dict.fromkeys((*own.addresses, address))))
    return replace(observed, cpics=tuple(cpics), interfaces=tuple(interfaces.values()))


def _least_loaded(
    rows: tuple[NodeCapacity, ...], address: IPv4Address, load: Counter[str], used: set[str]
) -> NodeCapacity | None:
    able = [r for r in rows if r.eligible and r.subnet and address in r.subnet and r.node not in used]
    return min(able, key=lambda row: (load[row.node], row.node), default=None)


def _refusal(address: IPv4Address, row: NodeCapacity, load: int, interfaces: list[Interface]) -> str:
    """What EC2 answers, "" for success."""
    if row.subnet is not None and address in aws_reserved(row.subnet):
        return "InvalidParameterValue"
    if load > row.capacity:
        return "PrivateIpAddressLimitExceeded"
    if any(address in i.addresses or any(address in p for p in i.prefixes) for i in interfaces):
        return "InvalidParameterValue: assigned, but move is not allowed"
    return ""


def _cpic(address: str, node: str, owner: str, failure: str) -> Cpic:
    if failure:
        return Cpic(address, node, node, "False", "CloudResponseError", failure, owner)
    return Cpic(address, node, node, "True", "CloudResponseSuccess", "IP address successfully added", owner)


def _stated(observed: Snapshot) -> Snapshot:
    healthy = {(cpic.owner, cpic.address): cpic.spec_node for cpic in known(observed.cpics) if cpic.healthy}
    stated = tuple(
        replace(
            eip,
            items=tuple(
                (a, healthy[eip.name, a]) for a in dict.fromkeys(eip.spec.addresses) if (eip.name, a) in healthy
            ),
        )
        for eip in known(observed.egress_ips)
    )
    return replace(observed, egress_ips=stated)


def serving(observed: Snapshot) -> dict[str, set[str]]:
    """Addresses that serve, by EgressIP."""
    found: dict[str, set[str]] = {}
    for cpic in known(observed.cpics):
        if cpic.healthy and cpic.owner:
            found.setdefault(cpic.owner, set()).add(cpic.address)
    return found
