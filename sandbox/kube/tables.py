"""Tables: the columns ``kubectl get`` prints, made by the server.

Belongs here: which columns a kind has and what stands in them. Ages are given as text, as the server does for core
kinds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.kube.resources import Resource

_NAME_DESCRIPTION = "Name must be unique within a namespace. Cannot be updated."
_NONE, _UNKNOWN = "<none>", "<unknown>"

Object = Mapping[str, Any]
Cells = Callable[[Object, float], list[Any]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column; *wide* ones are printed with ``-o wide`` only."""

    name: str
    wide: bool = False
    type: str = "string"
    format: str = ""
    description: str = ""

    def definition(self) -> dict[str, Any]:
        """As the Table object describes it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": 1 if self.wide else 0,
        }


_NAME = Column("Name", format="name", description=_NAME_DESCRIPTION)
_AGE = Column("Age", description="Time since the object was created.")


def columns(resource: Resource) -> Sequence[Column]:
    """The columns of a kind."""
    return _TABLES.get(resource.plural, _DEFAULT)[0]


def row(resource: Resource, obj: Object, shown: bytes, now: float) -> bytes:
    """One row as JSON; *shown* is the JSON of the object that goes with it, *now* in seconds since the epoch."""
    cells = _TABLES.get(resource.plural, _DEFAULT)[1](obj, now)
    return b'{"cells":%s,"object":%s}' % (json.dumps(cells, separators=(",", ":")).encode(), shown)


def human_duration(seconds: float) -> str:
    """A span of time as kubectl prints ages: two units while they matter, then one."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole >= -1 else "<invalid>"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    years = days // 365
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def _since(stamp: str | None, now: float) -> str:
    if not stamp:
        return _UNKNOWN
    try:
        then = datetime.fromisoformat(stamp)
    except ValueError:
        return _UNKNOWN
    return human_duration(now - then.astimezone(UTC).timestamp())


def _age(obj: Object, now: float) -> str:
    return _since(obj["metadata"].get("creationTimestamp"), now)


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _first(items: Iterable[Any]) -> Any:
    """What a printer column with ``[*]`` shows: the first of several, which surprises people on a real cluster too."""
    return next(iter(items), None)


def _egress_ip(obj: Object, now: float) -> list[Any]:
    del now  # an EgressIP has no age column
    assigned = obj.get("status", {}).get("items", [])
    return [
        _name(obj),
        _first(obj["spec"]["egressIPs"]),
        _first(item["node"] for item in assigned),
        _first(item["egressIP"] for item in assigned),
    ]


def _node(obj: Object, now: float) -> list[Any]:
    status = obj["status"]
    info = status.get("nodeInfo", {})
    addresses = {address["type"]: address["address"] for address in reversed(status.get("addresses") or [])}
    return [
        _name(obj),
        _node_status(obj),
        ",".join(_node_roles(obj)) or _NONE,
        _age(obj, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", _NONE),
        addresses.get("ExternalIP", _NONE),
        info.get("osImage") or _UNKNOWN,
        info.get("kernelVersion") or _UNKNOWN,
        info.get("containerRuntimeVersion") or _UNKNOWN,
    ]


def _node_status(obj: Object) -> str:
    ready = next((c["status"] for c in obj["status"].get("conditions") or [] if c.get("type") == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    return ",".join([*words, *(["SchedulingDisabled"] if obj["spec"].get("unschedulable") else [])])


def _node_roles(obj: Object) -> list[str]:
    prefix = "node-role.kubernetes.io/"
    labels: Mapping[str, str] = obj["metadata"].get("labels") or {}
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)} | {
        labels.get("kubernetes.io/role", "")
    }
    return sorted(role for role in roles if role)


def _pod(obj: Object, now: float) -> list[Any]:
    status, spec = obj.get("status", {}), obj["spec"]
    containers = status.get("containerStatuses") or []
    ready = sum(1 for container in containers if container.get("ready"))
    restarts = sum(container.get("restartCount", 0) for container in containers)
    return [
        _name(obj),
        f"{ready}/{len(spec['containers'])}",
        "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("reason") or status.get("phase", ""),
        str(restarts),
        _age(obj, now),
        status.get("podIP") or _NONE,
        spec.get("nodeName") or _NONE,
        status.get("nominatedNodeName") or _NONE,
        _NONE,
    ]


def _event(obj: Object, now: float) -> list[Any]:
    about = obj["involvedObject"]
    first, last = obj.get("firstTimestamp"), obj.get("lastTimestamp")
    subject = about.get("kind", "").lower() + (f"/{about['name']}" if about.get("name") else "")
    source = obj.get("source", {})
    sender = ", ".join(part for part in (source.get("component"), source.get("host")) if part)
    return [
        _since(last or first or obj.get("eventTime"), now),
        obj.get("type", ""),
        obj.get("reason", ""),
        subject,
        about.get("fieldPath", ""),
        sender,
        obj.get("message", "").strip(),
        _since(first or obj.get("eventTime"), now),
        obj.get("count", 1),
        _name(obj),
    ]


_DEFAULT: tuple[Sequence[Column], Cells] = (
    (_NAME, Column("Age", type="date", description=_AGE.description)),
    lambda obj, now: [_name(obj), _age(obj, now)],
)


def _printer_column(name: str, path: str) -> Column:
    return Column(name, description=f"Custom resource definition column (in JSONPath format): {path}")


_TABLES: Mapping[str, tuple[Sequence[Column], Cells]] = {
    "egressips": (
        (
            _NAME,
            _printer_column("EgressIPs", ".spec.egressIPs[*]"),
            _printer_column("Assigned Node", ".status.items[*].node"),
            _printer_column("Assigned EgressIPs", ".status.items[*].egressIP"),
        ),
        _egress_ip,
    ),
    "nodes": (
        (
            _NAME,
            Column("Status"),
            Column("Roles"),
            _AGE,
            Column("Version"),
            Column("Internal-IP", wide=True),
            Column("External-IP", wide=True),
            Column("OS-Image", wide=True),
            Column("Kernel-Version", wide=True),
            Column("Container-Runtime", wide=True),
        ),
        _node,
    ),
    "namespaces": (
        (_NAME, Column("Status"), _AGE),
        lambda obj, now: [_name(obj), obj["status"].get("phase", ""), _age(obj, now)],
    ),
    "pods": (
        (
            _NAME,
            Column("Ready"),
            Column("Status"),
            Column("Restarts"),
            _AGE,
            Column("IP", wide=True),
            Column("Node", wide=True),
            Column("Nominated Node", wide=True),
            Column("Readiness Gates", wide=True),
        ),
        _pod,
    ),
    "events": (
        (
            Column("Last Seen"),
            Column("Type"),
            Column("Reason"),
            Column("Object"),
            Column("Subobject", wide=True),
            Column("Source", wide=True),
            Column("Message"),
            Column("First Seen", wide=True),
            Column("Count", wide=True, type="integer"),
            Column("Name", wide=True, format="name", description=_NAME_DESCRIPTION),
        ),
        _event,
    ),
    "serviceaccounts": (
        (_NAME, Column("Secrets"), _AGE),
        lambda obj, now: [_name(obj), len(obj.get("secrets") or []), _age(obj, now)],
    ),
    "secrets": (
        (_NAME, Column("Type"), Column("Data", type="integer"), _AGE),
        lambda obj, now: [_name(obj), obj.get("type", ""), len(obj.get("data") or {}), _age(obj, now)],
    ),
}
