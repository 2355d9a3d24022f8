"""Small clusters of the twin, settled, and a few words to work on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chalicelib.domain.twin import ec2, outside
from chalicelib.domain.twin.behaviours import Behaviours
from chalicelib.domain.twin.ec2 import Ec2Error, Interface, Plane, Subnet
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Change, Cpic, CpicChange, EgressIp, Node
from chalicelib.domain.twin.world import World, advance, running

CIDRS = {"a": "10.0.1.0/24", "b": "10.0.2.0/24", "c": "10.0.3.0/24"}
SETTLE_SECONDS = 6.0
"""Long enough for the reachability loop, too short for the tick of the retry books."""

DENIED = Ec2Error("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)


def empty(behaviours: Behaviours | None = None) -> World:
    """Both programs running, three subnets, nothing else."""
    return running(behaviours or Behaviours(), Plane(subnets=Table((z, Subnet(z, c)) for z, c in CIDRS.items())))


def with_node(
    world: World, name: str, *, kind: str = "m5.xlarge", labelled: bool = True, host_cidrs: bool = True
) -> World:
    """A node in the zone of its first letter: "a1" has 10.0.1.11."""
    host = f"{CIDRS[name[0]].removesuffix('0/24')}{10 + int(name[1:])}"
    world = outside.launch_instance(world, f"i-{name}", kind, Interface(f"eni-{name}", name[0], (host,)))
    cidrs = (f"{host}/24",) if host_cidrs else None
    world, _, _ = outside.put_node(world, Node(name, f"i-{name}", labelled=labelled, host_cidrs=cidrs))
    return settled(world)


def cluster(*names: str, behaviours: Behaviours | None = None) -> World:
    """A settled cluster of labelled, Ready nodes."""
    world = settled(empty(behaviours))
    for name in names:
        world = with_node(world, name)
    return world


def settled(world: World, *, seconds: float = SETTLE_SECONDS) -> World:
    """The world that much later."""
    return advance(world, world.now + seconds)[0]


def applied(world: World, name: str, *addresses: str) -> World:
    """An EgressIP applied, and nothing done about it yet."""
    return outside.apply_egress_ip(world, name, addresses)[0]


def assigned(world: World, name: str, *addresses: str) -> World:
    """An EgressIP applied, and settled."""
    return settled(applied(world, name, *addresses))


def kicked(world: World, name: str) -> World:
    """A label of the EgressIP changed, and settled."""
    kicks = dict(world.objects.egress_ips[name].labels).get("kick", "0")
    return settled(outside.label_egress_ip(world, name, {"kick": str(int(kicks) + 1)})[0])


def edited(world: World, name: str, **fields: Any) -> World:
    """A Node with some fields changed, and settled."""
    return settled(outside.put_node(world, replace(world.objects.nodes[name], **fields))[0])


def without_node(world: World, name: str) -> World:
    """The Node object deleted, and settled."""
    return settled(outside.delete_node(world, name)[0])


def held(world: World, address: str) -> World:
    """A foreign interface holds the address."""
    zone = next(zone for zone, cidr in CIDRS.items() if address.startswith(cidr.removesuffix("0/24")))
    return outside.hold_address(world, Interface("foreign", zone, (address,)))


def denied(world: World, operation: str) -> World:
    """EC2 refuses that operation from now on."""
    return outside.fail_calls(world, operation, DENIED)


def status(world: World, name: str) -> dict[str, str]:
    """Node by address in an EgressIP's status."""
    return dict(world.objects.egress_ips[name].status)


def cpic(world: World, address: str) -> Cpic:
    """The CPIC of an address."""
    return world.objects.cpics[address]


def carried(world: World, node: str) -> list[str]:
    """Secondary addresses on a node's interface, as EC2 has them."""
    return sorted(world.plane.interfaces[f"eni-{node}"].addresses[1:])


def events(world: World, name: str) -> dict[str, int]:
    """How many Events of each reason there were on an EgressIP."""
    return {reason: count for (reason, on), count in world.events.items() if on == name}


def messages(changes: tuple[Change, ...], address: str) -> list[str | None]:
    """The messages a CPIC's condition went through."""
    seen = (change.new for change in changes if isinstance(change, CpicChange) and change.new)
    return [form.message for form in seen if form.address == address]


def unchanged(before: World, after: World) -> bool:
    """Nothing but labels differs between the objects and addresses of two worlds."""
    return _bare(before) == _bare(after)


def _bare(world: World) -> object:
    egress_ips: dict[str, EgressIp] = {n: replace(e, labels=()) for n, e in world.objects.egress_ips.items()}
    return egress_ips, world.objects.cpics, world.objects.nodes, world.plane.interfaces


def free(world: World) -> World:
    """The foreign interface is gone."""
    return replace(world, plane=ec2.remove_interface(world.plane, "foreign"))
