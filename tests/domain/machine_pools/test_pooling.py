"""Machine pools in a plan: labelled beside their labels, made as wished or told why not, never fought over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Network
from typing import Any

import pytest

from chalicelib.domain.actions import CreatePool, LabelPool, PoolAction
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.machine_pools.pooling import second_writer_subject
from chalicelib.domain.plan import Plan
from chalicelib.domain.planning import plan
from chalicelib.domain.pools import NewPool, OcmView, Scaling, Taint
from chalicelib.domain.remembered import NOTHING_REMEMBERED, Memo, Remembered
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL, MARK_LABEL, Node, Snapshot, Unknown
from chalicelib.domain.spec import ClusterSpec, PoolCreation, PoolSpec
from tests import factories as make
from tests.domain.reading import found
from tests.domain.world import apply_plan
from tests.factories import known

MARKED = {ASSIGNABLE_LABEL: "", MARK_LABEL: "egress-keeper"}
UNLABELLED = make.pool("a", labels={"team": "net", "tier": "front"})
ONE = Scaling(1, 1, auto=False)


def fleet(*pools: PoolSpec) -> ClusterSpec:
    return make.cluster(infra_id=make.ocm_cluster().id, machine_pools=pools)


def wish(**changes: Any) -> PoolSpec:
    creation = PoolCreation("m5.xlarge", ONE, zones=("eu-central-1a",))
    return PoolSpec("egress", replace(creation, **changes))


def seen(view: OcmView | Unknown | None, **changes: Any) -> Snapshot:
    return make.snapshot(**{"ocm": view, **changes})


def in_ocm(planned: Plan) -> tuple[PoolAction, ...]:
    return tuple(action for action in planned.actions if isinstance(action, CreatePool | LabelPool))


def one(planned: Plan, kind: Kind) -> Finding:
    (finding,) = found(planned, kind)
    return finding


# Labels


def test_a_pool_gets_the_label_beside_those_it_has() -> None:
    """The whole map is replaced, so the whole map is in the action: every label that is there stays."""
    planned = plan(seen(make.ocm_view(UNLABELLED)), fleet(PoolSpec("egress-a")))
    (action,) = in_ocm(planned)
    assert isinstance(action, LabelPool)
    assert action.after == {"team": "net", "tier": "front", **MARKED}
    assert action.summary == f"label machine pool egress-a: +{ASSIGNABLE_LABEL}, 2 other labels kept"
    assert one(planned, Kind.POOL_LABEL_MISSING).repaired_by == action.summary


@pytest.mark.parametrize(
    ("listed", "labelled", "said"),
    [
        (("10.10.100.253",), False, ", and so do its nodes, though addresses were assigned there before."),
        (("10.10.150.253",), False, " in OCM."),
        (("10.10.100.253",), True, ", though its nodes have it: somebody took it off."),
    ],
)
def test_a_pool_that_lost_its_label_with_its_nodes_is_told_at_once(
    listed: tuple[str, ...], labelled: bool, said: str
) -> None:
    """Once it is put back nothing would show why the addresses were out; not for one that is new to the fleet file."""
    there = make.snapshot("ab")
    nodes = tuple(node if labelled else unlabelled(node, "a") for node in known(there.nodes))
    observed = replace(there, ocm=make.ocm_view(UNLABELLED), nodes=nodes, egress_ips=(make.egress_ip("ns", *listed),))
    desired = replace(fleet(PoolSpec("egress-a")), policies=(make.policy("ns", *listed),))
    finding = one(plan(observed, desired), Kind.POOL_LABEL_MISSING)
    assert finding.summary.endswith(said)
    assert finding.settles is said.endswith("OCM.")
    assert ("Find who writes" in finding.todo) is not finding.settles


def unlabelled(node: Node, zone: str) -> Node:
    return replace(node, assignable=None) if node.zone == make.zone_name(zone) else node


@pytest.mark.parametrize("value", ["", "true", "false"])
def test_a_label_that_is_there_stays_as_it_is(value: str) -> None:
    """Any value counts, and nothing is sent: not even our mark, for the label is somebody else's."""
    pool = make.pool("a", labels={ASSIGNABLE_LABEL: value})
    planned = plan(seen(make.ocm_view(pool)), fleet(PoolSpec("egress-a")))
    assert in_ocm(planned) == ()
    assert found(planned, Kind.POOL_LABEL_MISSING) == ()


def test_applying_a_plan_leaves_nothing_to_plan() -> None:
    """Labelled and made once, whatever is asked again."""
    desired = fleet(PoolSpec("egress-a"), replace(wish(zones=("eu-central-1b",)), name="new"))
    before = seen(make.ocm_view(UNLABELLED))
    after = apply_plan(before, plan(before, desired))
    assert in_ocm(plan(before, desired))
    assert plan(after, desired).actions == ()


def test_without_ocm_no_pool_is_looked_at() -> None:
    """Not configured is neither unknown nor empty: nothing planned, nothing told."""
    planned = plan(seen(None), fleet(PoolSpec("egress-a"), PoolSpec("nowhere")))
    assert in_ocm(planned) == ()
    assert planned.findings == ()


def test_an_unknown_ocm_stops_nothing_but_pools() -> None:
    """No address depends on OCM: reservations, objects and nodes' labels go on, and people hear of it."""
    desired = replace(fleet(PoolSpec("egress-a")), policies=(make.policy("ns", "10.10.100.253"),))
    bare = make.snapshot(nodes=(make.node("a", assignable=None), make.node("b")))
    blind = replace(bare, ocm=Unknown("machine pools", "503", "OCM"))
    known, unknown = plan(bare, desired), plan(blind, desired)
    assert [a for a in known.actions if a not in in_ocm(known)] == list(unknown.actions) != []
    finding = one(unknown, Kind.SECTION_UNKNOWN)
    assert (finding.severity, finding.subject) == (Severity.WARNING, "machine pools")
    assert "ocm.credentials" in finding.todo


@pytest.mark.parametrize("state", ["hibernating", "powering_down", "error", "uninstalling", "unknown"])
def test_nothing_is_written_to_a_cluster_that_is_not_ready(state: str) -> None:
    """OCM refuses it, or worse, takes it and never finishes; the state is said, and what was not done."""
    planned = plan(seen(make.ocm_view(UNLABELLED, state=state)), fleet(PoolSpec("egress-a"), wish()))
    assert in_ocm(planned) == ()
    assert state in one(planned, Kind.OCM_CLUSTER_NOT_READY).summary
    assert {item.what for item in planned.withheld} == {"machine pool egress-a", "machine pool egress"}


def test_a_cluster_that_sleeps_wakes_nobody() -> None:
    """While OCM says that it hibernates, an API that does not answer is as it should be."""
    unknown = Unknown("nodes", "connection refused", "cluster API")
    awake = plan(seen(make.ocm_view(), nodes=unknown), fleet(PoolSpec("egress-a")))
    asleep = plan(seen(make.ocm_view(state="hibernating"), nodes=unknown), fleet(PoolSpec("egress-a")))
    assert one(awake, Kind.SECTION_UNKNOWN).severity is Severity.CRITICAL
    assert one(asleep, Kind.SECTION_UNKNOWN).severity is Severity.INFO
    assert one(asleep, Kind.OCM_CLUSTER_NOT_READY)
    assert asleep.actions == ()


@pytest.mark.parametrize("hosted", [True, False])
def test_pools_of_another_cluster_are_left_alone(hosted: bool) -> None:
    """One wrong id in the fleet file must not label somebody else's pools."""
    desired = replace(fleet(PoolSpec("egress-a"), wish()), infra_id="other-x7k2p")
    planned = plan(seen(make.ocm_view(UNLABELLED, hosted=hosted)), desired)
    assert in_ocm(planned) == ()
    assert "other-x7k2p" in one(planned, Kind.OCM_CLUSTER_MISMATCH).summary


@pytest.mark.parametrize("ocm", [None, make.ocm_view()])
def test_another_cluster_is_told_even_when_nothing_else_can_be(ocm: OcmView | None) -> None:
    """With a section unknown nothing is planned; what OCM says about the cluster is told all the same."""
    unknown = Unknown("nodes", "503", "cluster API")
    planned = plan(seen(ocm, nodes=unknown), replace(fleet(), infra_id="other-x7k2p"))
    assert len(found(planned, Kind.OCM_CLUSTER_MISMATCH)) == (1 if ocm else 0)


def test_a_pool_that_is_not_there_is_told_with_those_that_are() -> None:
    """One error: the field, the value, and what is allowed."""
    planned = plan(seen(make.ocm_view(UNLABELLED)), fleet(PoolSpec("egres-a")))
    assert in_ocm(planned) == ()
    assert one(planned, Kind.POOL_MISSING).summary == (
        "machine_pools: 'egres-a': the cluster has no such machine pool in OCM; it has egress-a."
    )


# A second writer


def remembering(kind: Kind, subject: str, **memo: Any) -> Remembered:
    fingerprint = Finding(kind, subject, Severity.INFO, "").fingerprint("demo")
    times = {"first_seen": make.NOW - timedelta(hours=3), "last_seen": make.NOW, **memo}
    return Remembered({fingerprint: Memo(**times)})


def tried(tries: int, minutes_ago: float) -> Remembered:
    at = make.NOW - timedelta(minutes=minutes_ago)
    return remembering(
        Kind.SECOND_WRITER, second_writer_subject("egress-a"), tries=tries, tried_at=at if tries else None
    )


@pytest.mark.parametrize(
    ("tries", "minutes_ago", "acts", "severity"),
    [
        pytest.param(0, 0, True, Severity.INFO, id="never set"),
        pytest.param(1, 5, False, Severity.INFO, id="a slip: waits ten minutes"),
        pytest.param(1, 11, True, Severity.INFO, id="a slip: put back"),
        pytest.param(2, 15, False, Severity.WARNING, id="twice: waits twice as long"),
        pytest.param(2, 21, True, Severity.WARNING, id="twice: put back, and said"),
        pytest.param(5, 120, False, Severity.WARNING, id="five times: waits hours"),
        pytest.param(5, 161, True, Severity.WARNING, id="five times: put back"),
        pytest.param(60, 719, False, Severity.WARNING, id="at most half a day"),
        pytest.param(60, 721, True, Severity.WARNING, id="and then again"),
    ],
)
def test_a_label_that_somebody_takes_away_is_put_back_ever_more_rarely(
    tries: int, minutes_ago: float, acts: bool, severity: Severity
) -> None:
    """Two writers that undo each other each minute help nobody: back off, and say that there is another."""
    planned = plan(seen(make.ocm_view(UNLABELLED)), fleet(PoolSpec("egress-a")), tried(tries, minutes_ago))
    assert bool(in_ocm(planned)) == acts
    assert one(planned, Kind.SECOND_WRITER).severity is severity
    assert bool(planned.withheld) != acts
    assert bool(one(planned, Kind.POOL_LABEL_MISSING).repaired_by) == acts


@pytest.mark.parametrize(
    ("tries", "hours_ago", "severity"),
    [(1, 1, Severity.INFO), (2, 1, Severity.INFO), (3, 1, Severity.WARNING), (3, 25, None), (0, 0, None)],
)
def test_a_label_that_was_put_back_is_watched_for_a_day(
    tries: int, hours_ago: float, severity: Severity | None
) -> None:
    """Forgetting at once would make every disappearance the first one."""
    planned = plan(seen(make.ocm_view(make.pool("a"))), fleet(PoolSpec("egress-a")), tried(tries, hours_ago * 60))
    expected = [] if severity is None else [severity]
    assert [finding.severity for finding in found(planned, Kind.SECOND_WRITER)] == expected
    assert in_ocm(planned) == ()


# New pools


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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"instance_type": "m5.large"}, "instance_type is m5.large, not m5.xlarge"),
        ({"scaling": Scaling(2, 2, auto=False)}, "it has 2 nodes, not 1 node"),
        ({"scaling": Scaling(1, 4, auto=True)}, "it has 1 to 4 nodes by autoscaling, not 1 node"),
        ({"taints": (Taint("a", "", "NoSchedule"),)}, "its taints are other ones"),
        ({"labels": {ASSIGNABLE_LABEL: "", "team": "x"}}, "label team is 'x', not 'net'"),
        ({"labels": {ASSIGNABLE_LABEL: ""}}, "label team is 'missing', not 'net'"),
        ({"zones": ("eu-central-1b",), "subnets": ("subnet-b",)}, "it is in eu-central-1b, not eu-central-1a"),
        ({"zones": (), "subnets": ("subnet-b",)}, "it is in eu-central-1b, not eu-central-1a"),
    ],
)
def test_a_pool_with_other_values_is_told_and_not_changed(changes: dict[str, Any], said: str) -> None:
    """We never scale, edit or delete a pool: what differs is a finding."""
    as_wished = make.pool("a", name="egress", labels={ASSIGNABLE_LABEL: "", "team": "net"})
    desired = fleet(wish(labels=(("team", "net"),)))
    instance = make.instance("a", pool="egress")
    assert found(plan(seen(make.ocm_view(as_wished)), desired), Kind.POOL_DIFFERENT) == ()
    planned = plan(seen(make.ocm_view(replace(as_wished, **changes)), instances=(instance,)), desired)
    assert in_ocm(planned) == ()
    assert said in one(planned, Kind.POOL_DIFFERENT).summary


def test_a_subnet_other_than_wished_is_told() -> None:
    """Where both are named, they are compared by name."""
    planned = plan(seen(make.ocm_view(make.pool("b", name="egress"))), fleet(wish(zones=(), subnets=("subnet-a",))))
    assert "it is in subnet-b, not subnet-a" in one(planned, Kind.POOL_DIFFERENT).summary


# Machines that do not come


@pytest.mark.parametrize(
    ("first_seen", "severity"),
    [
        (None, Severity.INFO),
        (make.NOW - timedelta(minutes=5), Severity.INFO),
        (make.NOW - timedelta(minutes=26), Severity.WARNING),
    ],
)
def test_machines_that_do_not_come_are_told_when_they_are_late(first_seen: datetime | None, severity: Severity) -> None:
    """A pool that grows is in motion; one that can't is a finding."""
    pool = make.pool("a", scaling=Scaling(2, 2, auto=False))
    memory = (
        remembering(Kind.POOL_SHORT, "machine pool egress-a", first_seen=first_seen)
        if first_seen
        else NOTHING_REMEMBERED
    )
    planned = plan(seen(make.ocm_view(pool)), fleet(PoolSpec("egress-a")), memory)
    finding = one(planned, Kind.POOL_SHORT)
    assert (finding.summary, finding.severity) == ("Machine pool egress-a has 1 of 2 nodes.", severity)
    assert bool(planned.moving) == (severity is Severity.INFO)


def test_a_pool_that_is_short_once_more_has_its_time_once_more() -> None:
    """It had all its machines in between: what is remembered of the last time makes nothing late."""
    pool = make.pool("a", scaling=Scaling(2, 2, auto=False))
    memory = remembering(Kind.POOL_SHORT, "machine pool egress-a", open=False)
    planned = plan(seen(make.ocm_view(pool)), fleet(PoolSpec("egress-a")), memory)
    assert one(planned, Kind.POOL_SHORT).severity is Severity.INFO
