"""Kubernetes objects, as the API server sends them, as snapshot values. Pure; sending the requests is `cluster`.

Other programs write most of what is read here, in several versions and sometimes by hand: whatever form a field has,
the object still becomes a value that says so. Only an object without identity raises, and then the whole list is
unknown.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, ip_interface
from typing import Any, TypeVar

from chalicelib.adapters.errors import Unreachable
from chalicelib.domain.actions import OWNER
from chalicelib.domain.snapshot import (
    ASSIGNABLE_LABEL,
    MARK_LABEL,
    UNINITIALIZED_TAINT,
    Cpic,
    EgressIp,
    EgressIpConfig,
    EgressIpSpec,
    Labelled,
    Node,
    Unreadable,
)

T = TypeVar("T")

EGRESS_CONFIG = "cloud.network.openshift.io/egress-ipconfig"
HOST_CIDRS = "k8s.ovn.org/host-cidrs"
NETWORKED_BY = ("k8s.ovn.org/node-primary-ifaddr", "k8s.ovn.org/node-subnets")
OWNER_REFERENCE = "k8s.ovn.org/egressip-owner-ref"
AUTONODE_LABEL = "karpenter.sh/nodepool"
POOL_LABEL = "hypershift.openshift.io/nodePool"
TYPE_LABEL = "node.kubernetes.io/instance-type"
ZONE_LABEL = "topology.kubernetes.io/zone"

PROVIDER_ID = re.compile(r"aws://[^/]*/(?:(?P<zone>[^/]*)/)?(?P<instance>i-[0-9a-f]+)")


class _NotUnderstood(Exception):
    """What is wrong with an annotation, in words."""


def parse_node(raw: Any) -> Node:
    """One Node. Raises Unreachable where the object has no name or no creation time."""
    return _identified("list nodes", raw, _node)


def parse_egress_ip(raw: Any) -> EgressIp:
    """One EgressIP. Raises Unreachable where the object has no name or no uid."""
    return _identified("list egressips", raw, _egress_ip)


def parse_cpic(raw: Any) -> Cpic:
    """One CloudPrivateIPConfig. Raises Unreachable where the object has no name."""
    return _identified("list cloudprivateipconfigs", raw, _cpic)


def parse_labelled(operation: str, raw: Any, keys: Collection[str]) -> Labelled:
    """Name and labels of one object, those of *keys* alone. Raises Unreachable where it has no name."""
    return _identified(operation, raw, lambda found, name: Labelled(name, _labels_of(found, keys)))


def _labels_of(raw: Mapping[str, Any], keys: Collection[str]) -> Mapping[str, str]:
    labels = _mapping(raw, "metadata", "labels")
    return {key: str(labels[key]) for key in sorted(keys) if key in labels}


def parse_egress_config(annotation: str | None) -> EgressIpConfig | Unreadable:
    """Read the node annotation `cloud.network.openshift.io/egress-ipconfig`: its first element, as OVN-Kubernetes does.

    A capacity that is missing is None and one that is 0 or negative stays so: all three occur. A capacity that is not
    a whole number makes the whole annotation unreadable, here as in OVN-Kubernetes (Go's JSON decoder refuses it).
    """
    try:
        return _egress_config(annotation)
    except _NotUnderstood as error:
        return Unreadable(str(error))


def parse_host_addresses(annotation: str | None) -> tuple[IPv4Address, ...] | None:
    """Read the node annotation `k8s.ovn.org/host-cidrs`, IPv4 only; None where it is missing or not understood."""
    try:
        cidrs = json.loads(annotation or "")
        interfaces = [ip_interface(cidr) for cidr in cidrs if isinstance(cidr, str)]
    except (ValueError, TypeError):
        return None
    if not isinstance(cidrs, list) or len(interfaces) != len(cidrs):
        return None
    return tuple(sorted(interface.ip for interface in interfaces if isinstance(interface.ip, IPv4Address)))


def canonical(selector: Any) -> str:
    """A LabelSelector as text that is the same for the same selector: keys sorted, no blanks."""
    return json.dumps(selector, sort_keys=True, separators=(",", ":"))


def _node(raw: Mapping[str, Any], name: str) -> Node:
    labels = _mapping(raw, "metadata", "labels")
    annotations = _mapping(raw, "metadata", "annotations")
    spec = _mapping(raw, "spec")
    provider = PROVIDER_ID.fullmatch(str(spec.get("providerID", "")))
    taints = {taint.get("key") for taint in _objects(spec.get("taints"))}
    return Node(
        name=name,
        created_at=_moment(_mapping(raw, "metadata").get("creationTimestamp")),
        ready=any(
            condition.get("type") == "Ready" and condition.get("status") == "True"
            for condition in _objects(_mapping(raw, "status").get("conditions"))
        ),
        assignable=_text(labels.get(ASSIGNABLE_LABEL)),
        zone=_text(labels.get(ZONE_LABEL)) or (provider["zone"] if provider else None) or None,
        instance_id=provider["instance"] if provider else None,
        instance_type=_text(labels.get(TYPE_LABEL)),
        egress_config=parse_egress_config(_text(annotations.get(EGRESS_CONFIG))),
        host_addresses=parse_host_addresses(_text(annotations.get(HOST_CIDRS))),
        networked=all(annotations.get(key) for key in NETWORKED_BY),
        uninitialized=UNINITIALIZED_TAINT in taints,
        deleting=_deleting(raw),
        pool=_text(labels.get(POOL_LABEL)),
        marked=MARK_LABEL in labels,
        autonode=_text(labels.get(AUTONODE_LABEL)),
        kubelet=_text(_mapping(raw, "status", "nodeInfo").get("kubeletVersion")),
    )


def _egress_ip(raw: Mapping[str, Any], name: str) -> EgressIp:
    metadata = _mapping(raw, "metadata")
    spec = _mapping(raw, "spec")
    owned, others = _ownership(_objects(metadata.get("managedFields")))
    items = _objects(_mapping(raw, "status").get("items"))
    pod_selector = spec.get("podSelector")
    addresses = spec.get("egressIPs")
    return EgressIp(
        name=name,
        uid=_required(metadata, "uid"),
        labels={key: str(value) for key, value in sorted(_mapping(metadata, "labels").items())},
        spec=EgressIpSpec(
            addresses=tuple(str(address) for address in addresses) if isinstance(addresses, list) else (),
            namespace_selector=canonical(spec.get("namespaceSelector") or {}),
            pod_selector=None if pod_selector is None else canonical(pod_selector),
        ),
        items=tuple((str(item.get("egressIP", "")), str(item.get("node", ""))) for item in items),
        owned_fields=owned,
        other_managers=others,
        deleting=_deleting(raw),
        version=_text(metadata.get("resourceVersion")) or "",
    )


def _cpic(raw: Mapping[str, Any], name: str) -> Cpic:
    status = _mapping(raw, "status")
    conditions = [c for c in _objects(status.get("conditions")) if c.get("type") == "Assigned"]
    condition = conditions[0] if conditions else {}
    return Cpic(
        address=name,
        spec_node=_text(_mapping(raw, "spec").get("node")) or "",
        status_node=_text(status.get("node")) or "",
        assigned=_text(condition.get("status")),
        reason=_text(condition.get("reason")) or "",
        message=_text(condition.get("message")) or "",
        owner=_text(_mapping(raw, "metadata", "annotations").get(OWNER_REFERENCE)) or None,
        deleting=_deleting(raw),
        changed_at=_moment_or_none(condition.get("lastTransitionTime")),
        created_at=_moment_or_none(_mapping(raw, "metadata").get("creationTimestamp")),
        deleted_at=_moment_or_none(_mapping(raw, "metadata").get("deletionTimestamp")),
    )


def _egress_config(annotation: str | None) -> EgressIpConfig:
    first = _first_entry(annotation)
    interface = first.get("interface")
    if not isinstance(interface, str) or not interface:
        raise _NotUnderstood("interface is missing")
    subnets = first.get("ifaddr")
    if not isinstance(subnets, dict) or not (subnets.get("ipv4") or subnets.get("ipv6")):
        raise _NotUnderstood("ifaddr names no subnet")
    capacity = first.get("capacity")
    if not isinstance(capacity, dict | None):
        raise _NotUnderstood("capacity is not an object")
    ipv4, ipv6 = (_count(capacity or {}, family) for family in ("ipv4", "ipv6"))
    return EgressIpConfig(interface, _subnet(subnets.get("ipv4")), ipv4, ipv6)


def _count(capacity: Mapping[str, Any], family: str) -> int | None:
    count = capacity.get(family)
    if count is not None and type(count) is not int:  # a bool is an int to isinstance
        raise _NotUnderstood(f"capacity.{family} is not a whole number: {_excerpt(count)}")
    return count


def _first_entry(annotation: str | None) -> dict[str, Any]:
    if annotation is None:
        raise _NotUnderstood("annotation is missing")
    if not annotation.strip():
        raise _NotUnderstood("annotation is empty")
    try:
        entries = json.loads(annotation)
    except (ValueError, RecursionError):
        raise _NotUnderstood("annotation is not JSON") from None
    if not isinstance(entries, list):
        raise _NotUnderstood("annotation is null" if entries is None else "annotation is not a list")
    if not entries:
        raise _NotUnderstood("annotation is an empty list")
    if not isinstance(entries[0], dict):
        raise _NotUnderstood("its first entry is not an object")
    return entries[0]


def _subnet(text: Any) -> IPv4Network | None:
    if not text:
        return None
    try:
        return IPv4Network(text, strict=False)
    except ValueError:
        raise _NotUnderstood(f"ifaddr.ipv4 is not a subnet: {_excerpt(text)}") from None


def _ownership(entries: Iterator[Mapping[str, Any]]) -> tuple[frozenset[str], dict[str, str]]:
    """The field paths server-side apply holds for us, and the other managers of `.spec` and the labels by path."""
    owned: set[str] = set()
    others: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        manager = str(entry.get("manager", ""))
        paths = _leaves(entry.get("fieldsV1"))
        # Our name with another operation is somebody else's write: we only ever apply.
        if manager == OWNER and entry.get("operation") == "Apply":
            owned.update(paths)
        else:
            for path in paths:
                if path.startswith((".spec", ".metadata.labels")):
                    others[path].add(manager)
    return frozenset(owned), {path: ", ".join(sorted(others[path])) for path in sorted(others)}


def _leaves(fields: Any, path: str = "") -> Iterator[str]:
    """Paths of a `fieldsV1` tree that have nothing below them; "." only says that the map itself is owned too."""
    children = [(key, value) for key, value in fields.items() if key != "."] if isinstance(fields, dict) else []
    if not children and path:
        yield path
    for key, value in children:
        kind, _, name = key.partition(":")
        yield from _leaves(value, f"{path}.{name}" if kind == "f" else f"{path}[{name}]")


def _identified(operation: str, raw: Any, parse: Callable[[Mapping[str, Any], str], T]) -> T:
    name = "an object without a name"
    try:
        name = _required(_mapping(raw, "metadata"), "name")
        return parse(raw, name)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreachable("cluster API", operation, f"cannot understand {name}: {error!r}") from error


def _required(metadata: Mapping[str, Any], key: str) -> str:
    value = metadata[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"metadata.{key} is not a text")
    return value


def _mapping(raw: Any, *path: str) -> Mapping[str, Any]:
    """The object at *path*, empty where it is missing or something else."""
    for key in path:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw if isinstance(raw, dict) else {}


def _objects(raw: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in raw if isinstance(item, dict)) if isinstance(raw, list) else iter(())


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _deleting(raw: Mapping[str, Any]) -> bool:
    return bool(_mapping(raw, "metadata").get("deletionTimestamp"))


def _moment(text: Any) -> datetime:
    """RFC 3339 as aware UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _moment_or_none(text: Any) -> datetime | None:
    try:
        return _moment(text)
    except (TypeError, ValueError):
        return None


def _excerpt(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:39] + "…"
