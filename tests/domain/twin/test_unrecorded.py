"""Rules of the platform that no recording exercises: mixtures of releases, small types, odd entries, many zones."""

from __future__ import annotations

import pytest

from chalicelib.domain.twin import outside
from chalicelib.domain.twin.behaviours import OVNK_RELEASES, behaviours_of
from chalicelib.domain.twin.ec2 import Interface, Plane, Subnet
from chalicelib.domain.twin.tables import Table
from chalicelib.domain.twin.values import Assigned, Node
from chalicelib.domain.twin.world import running
from tests.domain.twin.clusters import (
    applied,
    assigned,
    carried,
    cluster,
    cpic,
    empty,
    events,
    free,
    held,
    kicked,
    settled,
    status,
    with_node,
)

ADDRESS = "10.0.1.100"


@pytest.mark.parametrize("ovnk", OVNK_RELEASES)
@pytest.mark.parametrize("cncc", ["4.18", "main"])
def test_who_heals_an_assignment_whose_node_is_gone(ovnk: str, cncc: str) -> None:
    """A kick does from OVN-Kubernetes 1.2 with a CNCC of 4.21 on, and only then; a cycle always does."""
    world = cluster("a1", "a2", behaviours=behaviours_of(ovnk, cncc))
    world = settled(applied(held(world, ADDRESS), "web", ADDRESS))
    gone = cpic(world, ADDRESS).spec_node
    world = settled(outside.delete_node(world, gone)[0], seconds=400)
    assert cpic(world, ADDRESS).assigned is (Assigned.FALSE if cncc == "main" else Assigned.UNKNOWN)
    world = settled(kicked(free(world), "web"), seconds=60)
    by_kick = ovnk != "1.1" and cncc == "main"
    assert (ADDRESS in status(world, "web")) is by_kick
    if not by_kick:
        world = settled(applied(world, "web"))
        world = settled(applied(world, "web", ADDRESS))
    (other,) = {"a1", "a2"} - {gone}
    assert status(world, "web") == {ADDRESS: other}


@pytest.mark.parametrize(("ovnk", "jams"), [("1.1", False), ("1.2", True), ("1.3", True), ("master", True)])
@pytest.mark.parametrize("cncc", ["4.18", "main"])
@pytest.mark.parametrize(("kind", "room"), [("t3.nano", 1), ("t3.small", 3), ("t3.medium", 5)])
def test_a_small_type_takes_one_too_many_unless_ipv4_counts(
    ovnk: str, jams: bool, cncc: str, kind: str, room: int
) -> None:
    """The IPv6 number is one higher, and from 1.2 on it is the limit; EC2 refuses that one."""
    world = with_node(empty(behaviours_of(ovnk, cncc)), "a1", kind=kind)
    addresses = [f"10.0.1.{100 + n}" for n in range(room + 2)]
    for number, address in enumerate(addresses):
        world = assigned(world, f"web{number}", address)
    assert carried(world, "a1") == sorted(addresses[:room])
    assert (addresses[room] in world.objects.cpics) is jams
    assert addresses[room + 1] not in world.objects.cpics
    assert "NoMatchingNodeFound" in events(world, f"web{room + 1}")


def test_an_address_of_a_family_that_no_subnet_has_finds_no_node() -> None:
    """And does not keep the others of its object from being served."""
    world = assigned(cluster("a1"), "web", "fc00:f853:ccd:e793::54", ADDRESS)
    assert status(world, "web") == {ADDRESS: "a1"}
    assert "UnassignedRequest" in events(world, "web")


def test_zones_are_independent_however_many_there_are() -> None:
    """Six subnets, one node each; losing one of them costs the address of that one."""
    subnets = Table((z, Subnet(z, f"10.0.{n}.0/24")) for n, z in enumerate("abcdef", start=1))
    world = settled(running(behaviours_of("master"), Plane(subnets=subnets)))
    for zone, number in zip("abcdef", range(1, 7), strict=True):
        host = f"10.0.{number}.11"
        world = outside.launch_instance(world, f"i-{zone}1", "m5.xlarge", Interface(f"eni-{zone}1", zone, (host,)))
        world = settled(
            outside.put_node(world, Node(f"{zone}1", f"i-{zone}1", labelled=True, host_cidrs=(f"{host}/24",)))[0]
        )
    wanted = tuple(f"10.0.{number}.100" for number in range(1, 7))
    world = assigned(world, "web", *wanted)
    assert len(status(world, "web")) == 6
    world = settled(outside.delete_node(world, "d1")[0])
    assert set(wanted) - set(status(world, "web")) == {"10.0.4.100"}


def test_an_entry_listed_twice_is_one_address() -> None:
    """The object is looked at again with every node that joins, and nothing comes of it."""
    world = assigned(cluster("a1"), "web", ADDRESS, ADDRESS)
    assert status(world, "web") == {ADDRESS: "a1"}
    assert status(with_node(world, "a2"), "web") == {ADDRESS: "a1"}
