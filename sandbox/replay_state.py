"""A world of the twin in the words of a recording, and the comparison with what was recorded.

Belongs here: rendering state and changes, and the first difference. Does not belong here: running the world (`replay`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, zip_longest

from chalicelib.domain.twin.addressing import cpic_name, number
from chalicelib.domain.twin.behaviours import Behaviours, behaviours_of
from chalicelib.domain.twin.values import Assigned, Change, Cpic, CpicChange, EgressIp, EgressIpChange, Node, NodeChange
from chalicelib.domain.twin.world import World
from sandbox.replay_recording import Json, Recording, UnreadableRecording

Sequences = dict[str, list[Json]]


def recorded_behaviours(recording: Recording) -> Behaviours:
    """How the programs behave that were recorded.

    Raises:
        UnreadableRecording: It names a version that is not known.
    """
    try:
        return behaviours_of(recording.ovnk, recording.cncc)
    except ValueError as error:
        raise UnreadableRecording(str(error)) from error


def instance_of(node: str) -> str:
    """How recordings name the instance of a node."""
    return f"instance of {node}"


def interface_of(node: str) -> str:
    """How recordings name the first interface of a node's instance."""
    return f"eni of {node}"


def foreign_interface_of(holder: str) -> str:
    """How recordings name the interface with which somebody else holds an address."""
    return f"foreign eni {holder}"


def shown(obj: Node | EgressIp | Cpic) -> Json:
    """The fields of an object that a recording shows."""
    match obj:
        case Node():
            config = obj.egress_config
            capacity = {"ipv4": config.capacity_ipv4, "ipv6": config.capacity_ipv6} if config else {}
            return {
                "ready": obj.ready,
                "labelled": obj.labelled,
                "capacity": {k: v for k, v in capacity.items() if v is not None} if config else None,
                "interface": config.interface if config else None,
                "subnet": config.subnet if config else None,
            }
        case EgressIp():
            return {
                "spec": list(obj.spec),
                "status": _status(obj),
                "has_mark": obj.mark is not None,
                "annotations": [key for key, _ in obj.annotations],
            }
        case Cpic():
            return {
                "spec_node": obj.spec_node,
                "status_node": obj.status_node,
                "assigned": obj.assigned.value if obj.assigned else None,
                "reason": obj.reason,
                "message": obj.message,
                "owner": obj.owner,
                "finalizer": obj.finalizer,
                "deleting": obj.deleting,
            }


def _status(egress_ip: EgressIp) -> dict[str, str | list[str]]:
    nodes: dict[str, list[str]] = {}
    for address, node in egress_ip.status:
        nodes.setdefault(address, []).append(node)
    return {address: on[0] if len(on) == 1 else sorted(on) for address, on in nodes.items()}


def state_of(world: World, failing: Mapping[str, Cpic]) -> Json:
    """The whole state but its events.

    Args:
        failing: The failed form of CPICs that are shown as failed although CNCC is just trying again.
    """
    objects = world.objects
    interfaces = ((i.id, world.plane.interfaces[i.interface]) for i in world.plane.instances.values() if i.interface)
    return {
        "egressips": {name: shown(egress_ip) for name, egress_ip in objects.egress_ips.in_order()},
        "cpics": {cpic_name(name): shown(failing.get(name, cpic)) for name, cpic in objects.cpics.in_order()},
        "nodes": {name: shown(node) for name, node in objects.nodes.in_order()},
        "enis": {
            instance.removeprefix(instance_of("")): sorted(interface.addresses[1:], key=number)
            for instance, interface in interfaces
        },
    }


def state_difference(world: World, failing: Mapping[str, Cpic], expected: Json) -> str | None:
    """The first field in which a world differs from a recorded state; None if none does."""
    got = state_of(world, failing)
    for section in ("egressips", "cpics", "nodes", "enis"):
        if got[section] != expected[section]:
            return _first_difference(section, expected[section], got[section])
    return _event_difference(world, expected["events"])


def _first_difference(where: str, expected: object, got: object) -> str:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in sorted({*expected, *got}):
            if key not in got:
                return f"{where} {key}: expected {expected[key]!r}, got nothing"
            if key not in expected:
                return f"{where} {key}: expected nothing, got {got[key]!r}"
            if expected[key] != got[key]:
                return _first_difference(f"{where} {key}", expected[key], got[key])
    return f"{where}: expected {expected!r}, got {got!r}"


def _event_difference(world: World, expected: list[Json]) -> str | None:
    allowed = {(event["reason"], event["egressip"]): event["count_at_least"] for event in expected}
    for pair, least in sorted(allowed.items()):
        count = world.events.get(pair, 0)
        if count < least:
            return f"events {pair[0]} on {pair[1]}: expected at least {least}, got {count}"
    for pair, count in world.events.in_order():
        if pair not in allowed:
            return f"events {pair[0]} on {pair[1]}: expected none, got {count}"
    return None


def change_sequences(
    changes: Iterable[Change], failing_before: Mapping[str, Cpic], failing_after: Mapping[str, Cpic]
) -> Sequences:
    """What each object went through, as recordings show it.

    Args:
        failing_before: The failed form of CPICs that were shown as failed when these changes began, though CNCC was
            just trying them again; `failing_after` the same at the end. An attempt that goes on beyond the end counts
            to what follows.
    """
    forms: dict[str, list[Node | EgressIp | Cpic | None]] = {}
    for change in changes:
        name, old, new = _subject(change)
        if name not in forms:
            forms[name] = [old]
            if isinstance(old, Cpic) and old.address in failing_before:
                forms[name] = [failing_before[old.address], old]
        forms[name].append(new)
    for address in failing_after:
        unfinished = forms.get(f"cpic {cpic_name(address)}")
        if unfinished:
            unfinished.pop()
    return {name: steps for name, seen in forms.items() if (steps := _steps(without_repeats(seen)))}


def _subject(change: Change) -> tuple[str, Node | EgressIp | Cpic | None, Node | EgressIp | Cpic | None]:
    match change:
        case NodeChange(old, new):
            return f"node {(new or old).name}", old, new  # type: ignore[union-attr]  # one of the two is there
        case EgressIpChange(old, new):
            return f"egressip {(new or old).name}", old, new  # type: ignore[union-attr]  # as above
        case CpicChange(old, new):
            return f"cpic {cpic_name((new or old).address)}", old, new  # type: ignore[union-attr]  # as above


def without_repeats(forms: Sequence[Node | EgressIp | Cpic | None]) -> list[Node | EgressIp | Cpic | None]:
    """Without the attempts that repeat a failure: False, Unknown, the same False again."""
    kept: list[Node | EgressIp | Cpic | None] = []
    for form in forms:
        kept.append(form)
        if len(kept) >= 3 and kept[-1] == kept[-3] and _trying_again(kept[-3], kept[-2]):
            del kept[-2:]
    return kept


def _trying_again(before: object, between: object) -> bool:
    return (
        isinstance(before, Cpic)
        and isinstance(between, Cpic)
        and before.assigned is Assigned.FALSE
        and between.assigned is Assigned.UNKNOWN
    )


def _steps(forms: Sequence[Node | EgressIp | Cpic | None]) -> list[Json]:
    steps: list[Json] = []
    for old, new in pairwise(forms):
        if new is None:
            steps.append({"deleted": True})
            continue
        before, after = shown(old) if old is not None else None, shown(new)
        if before is None:
            steps.append({"created": True, **after})
        elif changed := {field: value for field, value in after.items() if before[field] != value}:
            steps.append(changed)
    return steps


def changes_difference(
    got: Sequences, recorded: Sequence[tuple[str, Json]], vary: frozenset[str], several: frozenset[str]
) -> str | None:
    """The first object whose changes differ from the recorded ones; None if none does.

    Args:
        vary: Objects whose changes were not recorded.
        several: EgressIPs with several addresses: they get them in any order, so their status in between is free.
    """
    expected: Sequences = {}
    for name, change in recorded:
        expected.setdefault(name, []).append(change)
    for name in sorted({*expected, *got} - vary):
        wanted, seen = expected.get(name, []), got.get(name, [])
        if name in several:
            wanted, seen = _without_status(wanted), _without_status(seen)
        for place, (one, other) in enumerate(zip_longest(wanted, seen), start=1):
            if one != other:
                return f"changes of {name}, number {place}: expected {one!r}, got {other!r}"
    return None


def _without_status(steps: Iterable[Json]) -> list[Json]:
    return [rest for step in steps if (rest := {k: v for k, v in step.items() if k != "status"})]


def several_addresses(*worlds: World) -> frozenset[str]:
    """EgressIPs with several addresses in any of these worlds, as `changes_difference` wants them."""
    egress_ips = (egress_ip for world in worlds for egress_ip in world.objects.egress_ips.values())
    return frozenset(f"egressip {egress_ip.name}" for egress_ip in egress_ips if len(set(egress_ip.spec)) > 1)
