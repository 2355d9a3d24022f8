"""What people, the cloud and programs that are not modelled do to a world.

Belongs here: creating, changing and deleting objects as the API server would have it, with its HTTP status, and
EC2's own events. Does not belong here: what the programs make of it (`world`).

Every function takes a world and gives the world after it (and, for requests to the cluster API, the HTTP status);
nothing has been done about it yet: that is `world.settle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chalicelib.domain.twin import api, cluster_manager, ec2
from chalicelib.domain.twin.choices import first
from chalicelib.domain.twin.ec2 import Ec2Error, Interface
from chalicelib.domain.twin.values import MARK_ANNOTATION, Cpic, EgressIp, Labels, Node, StatusItems
from chalicelib.domain.twin.world import Changes, World, told

CREATED, OK, NOT_FOUND, DENIED = 201, 200, 404, 422

Outcome = tuple[World, int, Changes]
"""The world after a request, its HTTP status, and the change it made, if any."""


def _changed(world: World, old: Node | EgressIp | Cpic | None, new: Node | EgressIp | Cpic | None) -> Outcome:
    objects, change = api.store(world.objects, old, new)
    status = CREATED if old is None else OK
    if change is None:
        return world, status, ()
    return told(replace(world, objects=objects), change), status, (change,)


def node_answers(world: World, name: str, *, answers: bool) -> World:
    """From now on the cluster manager's probe of a node succeeds, or fails; a restarted one expects every answer."""
    if world.manager is None:
        return world
    manager, _ = cluster_manager.step(
        world.manager,
        cluster_manager.Probed(name, answers),
        objects=world.objects,
        now=world.now,
        behaviours=world.behaviours,
        choose=first,
    )
    return replace(world, manager=manager)


def put_node(world: World, node: Node) -> Outcome:
    """Create a Node, or replace what is there."""
    return _changed(world, world.objects.nodes.get(node.name), node)


def delete_node(world: World, name: str) -> Outcome:
    """Delete the Node object; its instance lives on."""
    node = world.objects.nodes.get(name)
    return _changed(world, node, None) if node else (world, NOT_FOUND, ())


def apply_egress_ip(
    world: World,
    name: str,
    spec: tuple[str, ...],
    *,
    selectors: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Outcome:
    """Server-side apply by one field manager, forced: spec, selectors, labels and annotations.

    Labels and annotations that the manager applied before and leaves out now are removed. OpenShift's admission policy
    denies setting the mark.
    """
    old = world.objects.egress_ips.get(name)
    wanted = dict(annotations or {})
    mark = wanted.pop(MARK_ANNOTATION, None)
    if mark is not None and (old is None or mark != str(old.mark)):
        return world, DENIED, ()
    known = old if old is not None else EgressIp(name, spec)
    kept = {key: value for key, value in known.annotations if key not in known.applied}
    new = replace(
        known,
        spec=spec,
        selectors=selectors,
        labels=_merged(known.labels, labels or {}),
        annotations=_sorted({**kept, **wanted}),
        applied=frozenset(wanted),
    )
    return _changed(world, old, new)


def label_egress_ip(world: World, name: str, labels: Mapping[str, str]) -> Outcome:
    """Merge labels into an EgressIP: with a new value, the kick."""
    old = world.objects.egress_ips.get(name)
    return _changed(world, old, replace(old, labels=_merged(old.labels, labels))) if old else (world, NOT_FOUND, ())


def put_egress_ip_without_status(world: World, name: str, *, drop_annotations: bool = False) -> Outcome:
    """GET, take the status (and the annotations) out, PUT. The admission policy keeps the mark from being dropped."""
    old = world.objects.egress_ips.get(name)
    if old is None:
        return world, NOT_FOUND, ()
    if drop_annotations and old.mark is not None:
        return world, DENIED, ()
    new = replace(old, status=())
    return _changed(world, old, replace(new, annotations=()) if drop_annotations else new)


def edit_egress_ip_status(world: World, name: str, items: StatusItems) -> Outcome:
    """Merge patch of `status.items`, which replaces the list."""
    old = world.objects.egress_ips.get(name)
    return _changed(world, old, replace(old, status=tuple(sorted(items)))) if old else (world, NOT_FOUND, ())


def delete_egress_ip(world: World, name: str) -> Outcome:
    """Delete an EgressIP."""
    old = world.objects.egress_ips.get(name)
    return _changed(world, old, None) if old else (world, NOT_FOUND, ())


def delete_cpic(world: World, address: str) -> Outcome:
    """Delete a CloudPrivateIPConfig; with CNCC's finalizer on, it stays until that is off."""
    old = world.objects.cpics.get(address)
    if old is None:
        return world, NOT_FOUND, ()
    return _changed(world, old, replace(old, deleting=True) if old.finalizer else None)


def edit_cpic_node(world: World, address: str, node: str) -> Outcome:
    """Set `spec.node` of a CloudPrivateIPConfig by hand."""
    old = world.objects.cpics.get(address)
    return _changed(world, old, replace(old, spec_node=node)) if old else (world, NOT_FOUND, ())


def _merged(known: Labels, more: Mapping[str, str]) -> Labels:
    return _sorted({**dict(known), **more})


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def launch_instance(world: World, instance: str, kind: str, interface: Interface) -> World:
    """RunInstances: one instance with its first interface."""
    return replace(world, plane=ec2.launch(world.plane, instance, kind, interface))


def terminate_instance(world: World, instance: str, *, release_after_seconds: float = 0.0) -> World:
    """TerminateInstances; interface and addresses stay for that long."""
    plane = ec2.terminate(world.plane, instance, world.now + release_after_seconds)
    return replace(world, plane=ec2.free_due(plane, world.now))


def hold_address(world: World, interface: Interface) -> World:
    """A foreign interface appears with its addresses."""
    return replace(world, plane=ec2.add_interface(world.plane, interface))


def release_interface(world: World, interface: str) -> World:
    """A foreign interface goes, and its addresses with it."""
    return replace(world, plane=ec2.remove_interface(world.plane, interface))


def put_address(world: World, instance: str, address: str) -> World:
    """Somebody else assigns an address to the first interface of an instance; checked by nobody."""
    interface = world.plane.instances[instance].interface
    return world if interface is None else replace(world, plane=ec2.put_address(world.plane, interface, address))


def take_address(world: World, instance: str, address: str) -> World:
    """Somebody else takes an address off the first interface of an instance."""
    interface = world.plane.instances[instance].interface
    return world if interface is None else replace(world, plane=ec2.take_address(world.plane, interface, address))


def fail_calls(world: World, operation: str, error: Ec2Error) -> World:
    """From now on EC2 refuses every call of one operation."""
    return replace(world, plane=replace(world.plane, failures=world.plane.failures.put(operation, error)))


def heal_calls(world: World, operation: str | None = None) -> World:
    """EC2 refuses calls of that operation no more; None for all."""
    empty = world.plane.failures
    for name in list(empty) if operation is None else [operation]:
        empty = empty.drop(name)
    return replace(world, plane=replace(world.plane, failures=empty))
