"""The cluster in memory: time, machines, chance, what serves."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.actions import OWNER
from chalicelib.domain.capacity import report_capacity
from chalicelib.domain.snapshot import EgressIpSpec, Unknown
from chalicelib.domain.terrain import Terrain, all_known
from chalicelib.domain.verdicts import judge
from chalicelib.usecases.observe import observe
from sandbox.rosa.naming import EGRESS_LABEL
from sandbox.rosa.scenario import Flavour
from sandbox.rosa.timing import RosaTiming
from sandbox.virtual import Chance, Interval, Keeper, VirtualRosa
from sandbox.virtual.life import NoFreeAddress
from sandbox.virtual.serving import History
from tests.sandbox.virtual.fleets import A, B, policy, served, standing, wish

ONE = ("10.10.100.250",)
WEB = '{"matchLabels":{"app":"web"}}'


def test_a_cluster_begins_with_grown_up_nodes_that_can_carry() -> None:
    """Nothing is joining any more, and the platform has taken every node up."""
    rosa = standing()
    nodes = rosa.cluster.fetch_nodes()
    assert len(nodes) == 6
    assert all(node.ready and node.networked and node.assignable == "" for node in nodes)
    assert {(rosa.clock() - node.created_at).days for node in nodes} == {1}
    assert Keeper(rosa, wish()).visit().findings == ()


def test_a_wish_comes_true_and_is_kept() -> None:
    """Reserved, applied, assigned; a visit after that changes nothing."""
    keeper = served(Keeper(standing(3, 3, 3), wish(policy("web", per_zone=2), policy("db", *ONE))))
    assert {name: len(found) for name, found in keeper.rosa.serving().items()} == {"web": 6, "db": 1}
    outcome = keeper.visit()
    assert outcome.look.planned.actions == ()
    assert outcome.findings == ()


def test_a_machine_takes_every_step_at_its_time() -> None:
    """Instance, node, provider id, label, annotations, readiness: each when the timing says, and not before."""
    rosa = standing(1)
    timing = RosaTiming(100.0, 10.0, 5.0, 20.0, 7.0)
    rosa.scale_pool("egress-a", 2, timing=timing)
    machine = rosa.life.machines("egress-a")[-1]
    seen = []
    for moment in (19, 21, 121, 131, 136, 156, 163):
        rosa.run(float(moment))
        node = next((node for node in rosa.cluster.fetch_nodes() if node.name == machine.node), None)
        state = next(i.state for i in rosa.ec2.fetch_instances(rosa.infra_id) if i.id == machine.id)
        seen.append((state, node and (bool(node.instance_id), node.assignable, node.host_addresses, node.ready)))
    own = (IPv4Address(machine.address),)
    assert seen == [
        ("pending", None),
        ("running", None),
        ("running", (False, None, None, False)),
        ("running", (True, None, None, False)),
        ("running", (True, "", None, False)),
        ("running", (True, "", own, False)),
        ("running", (True, "", own, True)),
    ]


def test_a_machine_leaves_and_its_address_is_free_once_ec2_lets_go() -> None:
    """Drain, shutting-down, terminated: the interface goes with the instance, not before."""
    rosa = standing(2)
    leaving = rosa.life.machines("egress-a")[-1]
    rosa.scale_pool("egress-a", 1, timing=RosaTiming(drain_seconds=45, unreachable_seconds=40, deleted_seconds=60))
    rosa.run(46)
    assert [i.state for i in rosa.ec2.fetch_instances(rosa.infra_id)] == ["running", "shutting-down"]
    assert leaving.address in rosa.world.plane.holders
    rosa.run(86)
    assert len(rosa.ec2.fetch_instances(rosa.infra_id)) == 1
    assert leaving.address not in rosa.world.plane.holders
    assert leaving.node in rosa.nodes
    rosa.run(146)
    assert leaving.node not in rosa.nodes
    assert [state for _, name, state in rosa.told.instances if name == leaving.id] == ["shutting-down", "terminated"]


def test_ec2_gives_new_machines_no_reserved_address() -> None:
    """Reservations of either kind steer automatic assignment away."""
    rosa = standing(1)
    rosa.accidents.reserve("10.10.100.5/32")
    rosa.accidents.reserve("10.10.100.6/31")
    rosa.scale_pool("egress-a", 2)
    assert rosa.life.machines("egress-a")[-1].address == "10.10.100.8"
    rosa.accidents.reserve("10.10.100.8/29")
    rosa.accidents.reserve("10.10.100.16/28", kind="prefix")
    rosa.scale_pool("egress-a", 3)
    assert rosa.life.machines("egress-a")[-1].address == "10.10.100.32"


def test_a_full_subnet_takes_no_machine() -> None:
    """EC2 refuses a launch for which no address is left."""
    rosa = VirtualRosa(zones={A: "10.10.100.0/28"})
    rosa.accidents.reserve("10.10.100.8/29")
    rosa.scale_pool("egress-a", 4)
    with pytest.raises(NoFreeAddress):
        rosa.scale_pool("egress-a", 5)


@pytest.mark.parametrize(("flavour", "follows"), [(Flavour.HCP, False), (Flavour.CLASSIC, True)])
def test_pool_labels_reach_existing_nodes_on_classic_only(flavour: Flavour, follows: bool) -> None:
    """HCP labels nodes when they are born and never again."""
    rosa = standing(1, flavour=flavour)
    rosa.set_pool_labels("egress-a", {})
    assert (rosa.cluster.fetch_nodes()[0].assignable is None) is follows
    rosa.set_pool_labels("egress-a", {EGRESS_LABEL: ""})
    rosa.scale_pool("egress-a", 2)
    rosa.run_for(400)
    assert [node.assignable for node in rosa.cluster.fetch_nodes()] == ["", ""]
    assert {node.pool for node in rosa.cluster.fetch_nodes()} == {"demo-egress-a" if flavour is Flavour.HCP else None}


def test_who_holds_a_field_is_asked_before_it_is_written() -> None:
    """Server-side apply: another manager's value is a conflict that names both, unless forced."""
    rosa = standing(1)
    spec, labels = EgressIpSpec(ONE, WEB, "{}"), {"a": "1"}
    rosa.cluster.apply_egress_ip("web", spec, labels, force=False)
    made = rosa.cluster.fetch_egress_ips()[0]
    assert made.spec == spec
    assert made.owned_fields == {
        ".spec.egressIPs",
        ".spec.namespaceSelector.matchLabels.app",
        ".spec.podSelector",
        ".metadata.labels.a",
    }
    rosa.accidents.edit_addresses("web", "10.10.100.251")
    rosa.accidents.edit_selector("web", "tier", "front")
    rosa.accidents.edit_label("web", "b", "2")
    edited = rosa.cluster.fetch_egress_ips()[0]
    assert edited.other_managers == {
        ".metadata.labels.b": "kubectl-edit",
        ".spec.egressIPs": "kubectl-edit",
        ".spec.namespaceSelector.matchLabels.tier": "kubectl-edit",
    }
    assert edited.spec.namespace_selector == '{"matchLabels":{"app":"web","tier":"front"}}'
    with pytest.raises(Exception, match="conflict") as refused:
        rosa.cluster.apply_egress_ip("web", spec, labels, force=False)
    assert refused.value.managers == {".spec.egressIPs": "kubectl-edit"}  # type: ignore[attr-defined]
    rosa.cluster.apply_egress_ip("web", spec, {}, force=True)
    forced = rosa.cluster.fetch_egress_ips()[0]
    assert forced.spec.addresses == ONE
    assert forced.labels == {"b": "2"}, "what we no longer name goes, what others hold stays"
    assert forced.uid == made.uid


def test_an_object_made_again_is_another_one() -> None:
    """A namesake is not deleted in its predecessor's place."""
    rosa = standing(1)
    rosa.accidents.make_object("web", *ONE)
    uid = rosa.cluster.fetch_egress_ips()[0].uid
    rosa.accidents.delete_object("web")
    rosa.accidents.make_object("web", *ONE)
    with pytest.raises(Exception, match="uid"):
        rosa.cluster.delete_egress_ip("web", uid)
    assert rosa.cluster.fetch_egress_ips()[0].other_managers[".spec.egressIPs"] == "kubectl-edit"
    assert OWNER not in str(rosa.cluster.fetch_egress_ips()[0].owned_fields)


def test_failing_open_is_recorded() -> None:
    """Without any serving address pods leave with their nodes' addresses: from when, until when."""
    keeper = served(Keeper(standing(1, 1), wish(policy("web", *ONE))))
    rosa, start = keeper.rosa, keeper.rosa.now
    node = next(iter(rosa.serving()["web"].values()))
    rosa.accidents.not_ready(node)
    rosa.run_for(30)
    rosa.accidents.ready(node)
    rosa.run_for(60)
    (down,) = rosa.history.fail_open("web", start, rosa.now)
    assert down.since == start
    assert down.seconds == pytest.approx(30, abs=6), "the reachability probe comes every 5 s"
    assert rosa.history.not_serving("web", ONE[0], start, rosa.now) == (down,)
    assert rosa.history.fail_open("never made", 0, 10) == (Interval(0, 10),)


def test_a_blink_is_kept_though_it_takes_no_time() -> None:
    """What serves is recorded change by change, within one moment too."""
    history = History()
    for pairs in ({"10.0.0.9": "n1"}, {}, {"10.0.0.9": "n2"}):
        history.note(5.0, {"web": pairs})
    assert [sorted(pairs) for pairs in history.served_since("web", 5.0)] == [
        [("10.0.0.9", "n1")], [], [("10.0.0.9", "n2")]
    ]  # fmt: skip
    assert history.served_since("web", 6.0) == [frozenset({("10.0.0.9", "n2")})]
    assert history.served_since("web", 4.0)[0] == frozenset()
    assert history.fail_open_seconds("web", 5.0, 9.0) == 0


def test_zones_are_lost_and_come_back() -> None:
    """All nodes of the zone and no others."""
    rosa = standing(2, 2)
    rosa.accidents.lose_zone(B)
    assert [node.ready for node in rosa.cluster.fetch_nodes()] == [True, True, False, False]
    rosa.accidents.restore_zone(B)
    assert all(node.ready for node in rosa.cluster.fetch_nodes())


def test_a_node_without_host_cidrs_holds_everything_up_until_it_has_them() -> None:
    """The platform's silent abort: nothing is assigned anywhere, then all."""
    rosa = standing(1, 1)
    made = rosa.accidents.join_without_network("egress-a", A)
    rosa.run_for(300)
    rosa.accidents.make_object("web", *ONE)
    rosa.run_for(30)
    assert rosa.serving() == {"web": {}}
    rosa.accidents.network(made.node)
    rosa.run_for(30)
    assert ONE[0] in rosa.serving()["web"]


def test_ec2_frees_the_addresses_of_an_ended_instance_after_a_while() -> None:
    """Until then the peer cannot have them, and the platform retries."""
    keeper = served(Keeper(standing(2), wish(policy("web", *ONE))))
    rosa = keeper.rosa
    lost = rosa.serving()["web"][ONE[0]]
    rosa.accidents.delete_node(lost)
    rosa.accidents.terminate(lost, release_after_seconds=60)
    rosa.run_for(50)
    assert rosa.serving() == {"web": {}}
    assert rosa.cluster.fetch_cpics()[0].assigned == "False"
    rosa.run_for(120)
    assert rosa.serving()["web"][ONE[0]] != lost


def test_a_visit_can_be_killed_before_any_write_and_finished_by_the_next() -> None:
    """The first visit makes a few writes; wherever it dies, the following one completes them."""
    desired = wish(policy("web", per_zone=1), policy("db", *ONE))
    whole = served(Keeper(standing(), desired))
    writes = len(whole.rosa.ec2.writes) + len(whole.rosa.cluster.writes)
    assert writes > 3
    for number in range(writes):
        keeper = Keeper(standing(), desired)
        assert keeper.visit_killed_before(number)
        served(keeper)
        assert keeper.rosa.serving() == whole.rosa.serving(), f"killed before write {number}"
    assert not Keeper(standing(), desired).visit_killed_before(writes)


def test_a_lost_answer_is_a_failure_that_took_effect() -> None:
    """The reservation is there, the visit does not know, the next one adopts it."""
    keeper = Keeper(standing(2), wish(policy("web", *ONE)))
    keeper.rosa.ec2.fail_late("reserve_cidr")
    assert keeper.visit().status == "failed"
    keeper.rosa.ec2.heal()
    assert served(keeper).visit().findings == ()
    reservations = keeper.rosa.ec2.fetch_reservations(["subnet-00000000000000001"])
    assert [r.cidr for r in reservations] == [IPv4Network("10.10.100.250/32")]


def test_a_seed_reproduces_a_run_and_a_fork_repeats_it() -> None:
    """Addresses, ties and races: all of them from the chooser."""

    def run(rosa: VirtualRosa) -> VirtualRosa:
        keeper = Keeper(rosa, wish(policy("web", per_zone=1)))
        keeper.run(130)
        rosa.scale_pool("egress-a", 4)
        rosa.accidents.terminate(rosa.nodes[0])
        keeper.run(700)
        return rosa

    first, again, other = (run(standing(choose=Chance(seed))) for seed in (7, 7, 8))
    assert (first.world, first.facts) == (again.world, again.facts)
    assert first.facts != other.facts
    left, right = first.fork(), first.fork()
    for fork in (left, right):
        fork.scale_pool("egress-b", 5)
        fork.run_for(600)
    assert (left.world, left.facts) == (right.world, right.facts)
    assert first.facts != left.facts
    assert len(first.nodes) < len(left.nodes)


accidents = st.lists(
    st.tuples(st.sampled_from(["not_ready", "ready", "unlabel", "label", "terminate", "delete_node", "restore_node"]),
              st.integers(0, 5), st.sampled_from([0.0, 3.0, 40.0, 400.0])),
    max_size=6,
)  # fmt: skip
spoiled = st.lists(st.sampled_from(["take_address", "delete_cpic", "put_without_status"]), max_size=2)


@settings(max_examples=15)
@given(st.integers(0, 3), accidents, spoiled)
def test_serving_means_the_same_here_and_in_a_verdict(
    seed: int, happen: list[tuple[str, int, float]], spoil: list[str]
) -> None:
    """One definition, whatever befalls the cluster."""
    keeper = served(Keeper(standing(choose=Chance(seed)), wish(policy("web", per_zone=1), policy("db", *ONE))))
    rosa = keeper.rosa
    names = rosa.nodes
    for what, number, seconds in happen:
        getattr(rosa.accidents, what)(names[number])
        rosa.run_for(seconds)
    for what in spoil:
        getattr(rosa.accidents, what)("web" if what == "put_without_status" else ONE[0])
    observed = observe(keeper.desired, rosa.cluster, rosa.ec2, rosa.clock())
    known, capacity = all_known(observed), report_capacity(observed)
    assert known is not None
    assert not isinstance(capacity, Unknown)
    verdicts = judge(Terrain(known, keeper.desired, capacity), ("db", "web"), {})
    by_verdict = {(v.policy, v.address): v.serving_node for v in verdicts if v.serving_node}
    assert by_verdict == {(p, a): node for p, found in rosa.serving().items() for a, node in found.items()}
