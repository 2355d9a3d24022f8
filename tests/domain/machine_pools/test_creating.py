"""New pools: made as wished and where they can be, or told why not."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from chalicelib.domain.actions import CreatePool
from chalicelib.domain.findings import Kind
from chalicelib.domain.planning import plan
from chalicelib.domain.pools import NewPool, Scaling
from chalicelib.domain.snapshot import Unknown
from tests import factories as make
from tests.domain.machine_pools.pooled import MARKED, fleet, in_ocm, seen, wish
from tests.domain.reading import finding as one
from tests.factories import known


def test_a_pool_is_made_with_what_it_will_carry() -> None:
    """The plan says it before a machine is paid for: an m5.xlarge has 15 addresses an interface, one its own."""
    desired = fleet(wish(scaling=Scaling(2, 2, auto=False), labels=(("team", "net"),)))
    planned = plan(seen(make.ocm_view()), desired)
    (action,) = in_ocm(planned)
    assert isinstance(action, CreatePool)
    assert action.pool == NewPool(
        "egress", "m5.xlarge", Scaling(2, 2, auto=False), {"team": "net", **MARKED}, (), subnet="subnet-a"
    )
    assert action.summary == (
        "create machine pool egress: 2 x m5.xlarge in subnet-a, eu-central-1a, to carry 28 egress addresses"
    )


def test_an_autoscaled_pool_says_both_ends() -> None:
    """What it carries depends on what the autoscaler makes of it."""
    planned = plan(seen(make.ocm_view()), fleet(wish(scaling=Scaling(1, 3, auto=True))))
    (action,) = in_ocm(planned)
    assert "1 to 3 x m5.xlarge" in action.summary
    assert "carry 14 to 42" in action.summary


def test_on_hcp_several_zones_are_several_pools() -> None:
    """A node pool has one subnet: one entry becomes one pool a zone, told apart by the zone's letter."""
    zones = tuple(make.zone_name(zone) for zone in "abc")
    planned = plan(seen(make.ocm_view(make.pool("z"))), fleet(wish(zones=zones)))
    assert [(a.pool.name, a.pool.subnet) for a in in_ocm(planned) if isinstance(a, CreatePool)] == [
        ("egress-a", "subnet-a"),
        ("egress-b", "subnet-b"),
        ("egress-c", "subnet-c"),
    ]


def test_on_hcp_several_subnets_are_named_by_their_zones() -> None:
    """The same by subnets; two in one zone are told apart by their ids."""
    extra = make.subnet("b", id="subnet-0b2", cidr=IPv4Network("10.10.151.0/24"))
    base = make.snapshot(ocm=make.ocm_view(make.pool("z")))
    observed = replace(base, subnets=(*known(base.subnets), extra))
    three = ("subnet-a", "subnet-b", "subnet-0b2")
    planned = plan(observed, fleet(wish(zones=(), subnets=three)))
    assert [a.pool.name for a in in_ocm(planned) if isinstance(a, CreatePool)] == [
        "egress-a",
        "egress-net-b",
        "egress-t-0b2",
    ]


@pytest.mark.parametrize(
    ("zones", "subnets", "made"),
    [
        (("eu-central-1a",), (), (None, "eu-central-1a")),
        (("eu-central-1a", "eu-central-1b", "eu-central-1c"), (), (None, None)),
        ((), ("subnet-b",), ("subnet-b", None)),
    ],
)
def test_on_classic_an_entry_is_one_pool(
    zones: tuple[str, ...], subnets: tuple[str, ...], made: tuple[str | None, str | None]
) -> None:
    """One subnet, one zone, or all of them, which is what OCM fills in itself."""
    spec = wish(zones=zones, subnets=subnets, scaling=Scaling(3, 3, auto=False))
    view = make.ocm_view(hosted=False, infra_id=make.ocm_cluster().id)
    (action,) = in_ocm(plan(seen(view), fleet(spec)))
    assert isinstance(action, CreatePool)
    assert (action.pool.name, action.pool.subnet, action.pool.zone) == ("egress", *made)


ALL_ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")


@pytest.mark.parametrize(
    ("hosted", "changes", "problem"),
    [
        pytest.param(True, {"instance_type": "m5.xlrage"}, "create.instance_type: 'm5.xlrage'", id="instance type"),
        pytest.param(
            True, {"zones": (), "subnets": ("subnet-x",)},
            "create.subnets: 'subnet-x' is not in the cluster's VPC; allowed are subnet-a (eu-central-1a)", id="subnet",
        ),
        pytest.param(
            False, {"zones": (), "subnets": ("subnet-x",)}, "create.subnets: 'subnet-x'", id="subnet on classic"
        ),
        pytest.param(
            True, {"zones": ("eu-central-1d",)},
            "create.zones: 'eu-central-1d': the cluster has no subnet there; allowed are eu-central-1a", id="zone",
        ),
        pytest.param(False, {"zones": ("eu-central-1d",)}, "create.zones: 'eu-central-1d'", id="zone on classic"),
        pytest.param(
            False, {"zones": ALL_ZONES, "scaling": Scaling(4, 4, auto=False)},
            "create.replicas: 4: allowed in a pool over all zones are multiples of 3", id="replicas",
        ),
        pytest.param(
            False, {"zones": ALL_ZONES, "scaling": Scaling(3, 7, auto=True)}, "create.autoscaling.max: 7", id="most"
        ),
        pytest.param(
            False, {"zones": ALL_ZONES[:2]}, "create.zones: eu-central-1a, eu-central-1b: allowed on classic is one",
            id="some zones",
        ),
        pytest.param(
            False, {"zones": (), "subnets": ("subnet-a", "subnet-b")}, "create.subnets: more than one", id="subnets"
        ),
        pytest.param(
            False, {"scaling": Scaling(250, 250, auto=False)}, "create.replicas: 250: a classic cluster has at most",
            id="too many on classic",
        ),
        pytest.param(
            True, {"scaling": Scaling(1, 500, auto=True)}, "create.autoscaling.max: 500: an HCP cluster", id="too many"
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_told_and_not_sent(hosted: bool, changes: dict[str, Any], problem: str) -> None:
    """Field, value, and what is allowed, before anything is half done."""
    view = make.ocm_view(make.pool("z"), hosted=hosted, infra_id=make.ocm_cluster().id)
    planned = plan(seen(view), fleet(wish(**changes)))
    assert in_ocm(planned) == ()
    assert f"machine_pools egress: {problem}" in one(planned, Kind.POOL_IMPOSSIBLE).summary


def test_a_zone_with_two_subnets_needs_a_name() -> None:
    """Public and private subnets look alike here: a guess could put nodes where they leave another way."""
    base = make.snapshot(ocm=make.ocm_view(make.pool("z")), instances=(make.instance("b"),), nodes=())
    extra = make.subnet("a", id="subnet-public", cidr=IPv4Network("10.10.1.0/24"))
    planned = plan(replace(base, subnets=(*known(base.subnets), extra)), fleet(wish()))
    assert in_ocm(planned) == ()
    assert "subnet-a, subnet-public" in one(planned, Kind.POOL_IMPOSSIBLE).summary


def test_the_limit_of_nodes_counts_pools_made_by_the_same_plan() -> None:
    """Two pools that fit alone and not together: the second is told."""
    big = Scaling(300, 300, auto=False)
    desired = fleet(replace(wish(scaling=big), name="one"), replace(wish(scaling=big), name="two"))
    planned = plan(seen(make.ocm_view(make.pool("z"))), desired)
    assert [a.pool.name for a in in_ocm(planned) if isinstance(a, CreatePool)] == ["one"]
    assert one(planned, Kind.POOL_IMPOSSIBLE).subject == "machine pool two"


def test_no_pool_is_made_while_its_capacity_is_not_known() -> None:
    """The plan must say what it will carry."""
    unknown = Unknown("address limits of instance types", "throttled", "EC2")
    planned = plan(seen(make.ocm_view(make.pool("z")), limits=unknown), fleet(wish()))
    assert in_ocm(planned) == ()
    assert [item.what for item in planned.withheld] == ["create machine pool egress"]
