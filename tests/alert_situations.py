"""One situation for each kind of finding, as it comes about in life, watched by visits until somebody is told.

Belongs here: what happens on the three sides. Does not belong here: the words that follow from it, which the product
makes and `alert_texts` keeps. A name is the kind's, with one word more where the words differ by cause.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from chalicelib.adapters.errors import AdapterError, Conflict, Denied, NotFound, Unreachable
from chalicelib.domain.findings import Kind
from chalicelib.domain.pools import OcmCluster, Scaling
from chalicelib.domain.snapshot import EgressIpConfig, Subnet
from chalicelib.domain.spec import ClusterSpec, Mode, OcmSpec, PoolCreation, PoolSpec, SecretRef
from chalicelib.domain.telling.messages import Alert, Occasion
from chalicelib.usecases.visit import Outcome, Outside, visit
from tests import factories as make
from tests.fakes import FakeOcm, assign_all
from tests.situations import ADDRESSES, OCM_ID, PACE, REFUSED, World
from tests.usecases.test_credential import FakeToken, token_text

A, B, C = ADDRESSES
WITH_OCM = OcmSpec(OCM_ID, SecretRef(secret_id="egress-keeper/ocm"))
STRANGER = make.interface(
    "a", 9, id="eni-0f3a", instance_id=None, addresses=(), holder="ELB app/payments/4f1c0d7b8d9f2a11"
)


class Night(World):
    """A cluster at rest, on which something happens; visits follow as in life."""

    def __init__(self, desired: ClusterSpec | None = None, *, settled: bool = True) -> None:
        super().__init__(desired)
        self.token: FakeToken | None = None
        self.last: Outcome | None = None
        if settled:
            self.settle()

    def visit(self) -> Outcome:
        outside = Outside(
            self.cluster, self.ec2, self.clock, memory=self.memory, alerts=self.alerts, ocm=self.ocm, token=self.token
        )
        self.last = visit(self.desired, outside, PACE, run_id="demo.1")
        return self.last

    def watch(self, *pauses: float) -> Night:
        """A visit now, and one after each pause (seconds)."""
        self.visit()
        for pause in pauses or (65.0,):
            self.clock.advance(pause)
            self.visit()
        return self

    def told(self, kind: Kind) -> Alert | None:
        """The first message about that kind that does not say it is over; None where nobody was told."""
        assert self.alerts is not None
        about = (
            alert
            for alert in self.alerts.sent
            if any(item.document["kind"] == kind and item.occasion is not Occasion.RESOLVED for item in alert.told)
        )
        return next(about, None)

    @property
    def now(self) -> datetime:
        return self.clock()

    def node_is_silent(self, name: str) -> None:
        """Its kubelet does not answer any more; OVN-Kubernetes takes its addresses away, and elsewhere if it can."""
        self.cluster.nodes[name] = replace(self.cluster.nodes[name], ready=False)

    def node_goes(self, name: str) -> None:
        """Scaled in, with its instance and its network interface."""
        node = self.cluster.nodes.pop(name)
        instance = self.ec2.instances.pop(node.instance_id or "")
        self.ec2.interfaces.pop(instance.interface_id or "")

    def fails(self, address: str, node: str, message: str, *, minutes_ago: float = 5) -> None:
        """The cloud network controller could not assign it: no status, no interface, and its last word on it."""
        self.loses(address)
        self.cluster.cpics[address] = make.cpic(
            address,
            node,
            assigned="False",
            reason="CloudResponseError",
            message=f"Error processing cloud assignment request, err: {message}",
            changed_at=self.now - timedelta(minutes=minutes_ago),
        )

    def put_on(self, interface_id: str, address: str) -> None:
        """Somebody else's doing: the address is on that interface."""
        there = self.ec2.interfaces.get(interface_id, STRANGER)
        self.ec2.interfaces[there.id] = replace(there, addresses=(*there.addresses, IPv4Address(address)))

    def forgets_messages(self) -> None:
        """What was told so far is not what the situation is about."""
        assert self.alerts is not None
        self.alerts.sent.clear()


def with_pools(*pools: PoolSpec, **changes: Any) -> Night:
    """A cluster whose machine pools are looked after in OCM, where egress-a to egress-c are as they should be."""
    listed = (PoolSpec("egress-a"), PoolSpec("egress-b"), PoolSpec("egress-c"), *pools)
    names = [pool.name for pool in listed]
    desired = make.cluster(
        make.policy("ns", *ADDRESSES),
        infra_id=OCM_ID,
        ocm=WITH_OCM,
        machine_pools=tuple(dict(zip(names, listed, strict=True)).values()),
    )
    night = Night(replace(desired, **changes), settled=False)
    there = (make.pool(zone, scaling=Scaling(2, 2, auto=False)) for zone in make.ZONES)
    night.ocm = FakeOcm(make.ocm_cluster(), *there)
    night.ec2.limits = {**night.ec2.limits, "m5.2xlarge": 15, "m5.large": 10}
    night.settle()
    return night


def for_policy(*addresses: str, name: str = "ns", **changes: Any) -> Night:
    return Night(make.cluster(make.policy(name, *addresses), **changes), settled=False)


# Credentials, and what could not be read


def credential_ending() -> Night:
    """The secret may be read and not written."""
    night = Night()
    night.token = FakeToken(token_text(60))
    night.token.errors["store"] = Denied("Secrets Manager", "PutSecretValue", "AccessDeniedException")
    return night.watch()


def cannot_read(error: AdapterError, *operations: str) -> Night:
    night = Night()
    for operation in operations:
        night.cluster.fail(operation, error)
        night.ec2.fail(operation, error)
    return night.watch()


READS = ("fetch_egress_ips", "fetch_cpics", "fetch_nodes")


def api_silent() -> Night:
    return cannot_read(Unreachable("cluster API", "list", "connection timed out"), *READS)


def token_expired() -> Night:
    return cannot_read(Denied("cluster API", "list", "401 Unauthorized"), *READS)


def secret_missing() -> Night:
    return cannot_read(NotFound("secrets", "read", "environment variable DEMO_TOKEN is not set"), *READS)


def ec2_denies() -> Night:
    return cannot_read(Denied("EC2", "DescribeInstances", "UnauthorizedOperation"), "fetch_instances")


def ocm_silent() -> Night:
    night = with_pools()
    assert night.ocm is not None
    night.ocm.fail("fetch_cluster", Denied("OCM", "get token", "401: invalid_client"))
    return night.watch()


# Machine pools


def ocm_cluster_not_ready() -> Night:
    night = with_pools()
    assert night.ocm is not None
    night.ocm.cluster = replace(night.ocm.cluster, state="error")
    return night.watch()


def ocm_cluster_mismatch() -> Night:
    return with_pools(infra_id="demo-x7k2p-old").watch()


def pool_missing() -> Night:
    return with_pools(PoolSpec("egress-d")).watch()


def pool_impossible() -> Night:
    creation = PoolCreation("m5.large", Scaling(1, 3, auto=True), subnets=("subnet-z",))
    return with_pools(PoolSpec("egress-d", creation)).watch()


def pool_different() -> Night:
    creation = PoolCreation("m5.2xlarge", Scaling(3, 3, auto=False), zones=("eu-central-1c",))
    return with_pools(PoolSpec("egress-c", creation)).watch()


def takes_label(night: Night, pool: str = "egress-a") -> None:
    """What Terraform does: the map of labels as it knows it."""
    assert night.ocm is not None
    night.ocm.write_labels(pool, {"team": "payments"})


class Overwritten(FakeOcm):
    """Somebody else writes the whole map of labels at the same moment, without one that was there."""

    def set_pool_labels(self, cluster: OcmCluster, name: str, labels: Mapping[str, str]) -> None:
        super().set_pool_labels(cluster, name, {key: value for key, value in labels.items() if key != "team"})


def pool_conflict() -> Night:
    night = with_pools()
    takes_label(night)
    assert night.ocm is not None
    night.ocm = Overwritten(night.ocm.cluster, *night.ocm.pools.values())
    return night.watch()


def second_writer() -> Night:
    """A pipeline takes the label off whenever it runs."""
    night = with_pools()
    for _ in range(4):
        takes_label(night)
        night.watch(3600)
    return night


def pool_label_missing() -> Night:
    night = with_pools()
    takes_label(night)
    return night.watch()


def pool_label_refused() -> Night:
    night = with_pools()
    takes_label(night)
    assert night.ocm is not None
    night.ocm.fail("set_pool_labels", Denied("OCM", "edit machine pool", "403: ACCT-MGMT-11: not allowed"))
    return night.watch()


def pool_short() -> Night:
    night = with_pools()
    assert night.ocm is not None
    night.ocm.pools["egress-a"] = replace(night.ocm.pools["egress-a"], scaling=Scaling(3, 3, auto=False))
    return night.watch(600, 600, 600)


# Nodes and zones


def node_outside_pools() -> Night:
    """Labelled by hand, in a pool of nobody."""
    night = Night()
    night.ec2.instances["i-a1"] = replace(night.ec2.instances["i-a1"], pool=None)
    return night.watch()


def node_unusable() -> Night:
    """The cloud network controller never wrote its annotation."""
    night = Night()
    night.cluster.nodes["node-b1"] = replace(night.cluster.nodes["node-b1"], egress_config=make.unreadable())
    return night.watch()


def node_without_host_cidrs() -> Night:
    night = Night()
    night.cluster.nodes["node-b1"] = replace(night.cluster.nodes["node-b1"], host_addresses=None)
    return night.watch()


def node_not_ready() -> Night:
    night = Night()
    night.node_is_silent("node-b1")
    return night.watch(65, 400, 400, 400)


def node_label_missing() -> Night:
    night = Night()
    night.cluster.nodes["node-b1"] = replace(night.cluster.nodes["node-b1"], assignable=None)
    return night.watch()


def node_label_not_ours_to_set() -> Night:
    """On classic, without OCM."""
    night = Night()
    for name, node in night.cluster.nodes.items():
        night.cluster.nodes[name] = replace(node, pool=None)
    night.cluster.nodes["node-b1"] = replace(night.cluster.nodes["node-b1"], assignable=None)
    return night.watch()


def no_eligible_node() -> Night:
    """The zone fails: its nodes fall silent, its addresses are taken off."""
    night = Night()
    for name in ("node-c0", "node-c1"):
        night.node_is_silent(name)
    for address in [cpic.address for cpic in night.cluster.cpics.values() if cpic.spec_node in ("node-c0", "node-c1")]:
        night.loses(address)
    return night.watch(65, 400)


def capacity_shortfall() -> Night:
    """Two addresses of one policy in a zone that is scaled in to one node."""
    night = for_policy(A, "10.10.100.252", B)
    night.settle()
    gone = dict(night.cluster.egress_ips["ns"].items)["10.10.100.252"]
    night.loses("10.10.100.252")
    night.node_goes(gone)
    return night.watch(65, 400, 400)


def capacity_no_spare() -> Night:
    night = Night()
    for address in [cpic.address for cpic in night.cluster.cpics.values() if cpic.spec_node == "node-b1"]:
        night.loses(address)
    night.node_goes("node-b1")
    night.settle()
    return night.watch(65, 400, 400, 400)


def subnet_changed() -> Night:
    """The pool of a zone was replaced by one in another subnet."""
    night = Night()
    other = Subnet("subnet-c2", "vpc-1", "eu-central-1c", IPv4Network("10.10.210.0/24"), available=250)
    night.ec2.subnets = (*night.ec2.subnets, other)
    for address in [cpic.address for cpic in night.cluster.cpics.values() if cpic.spec_node in ("node-c0", "node-c1")]:
        night.loses(address)
    for number in (0, 1):
        node = night.cluster.nodes[f"node-c{number}"]
        host = IPv4Address(f"10.10.210.1{number}")
        config = EgressIpConfig(f"eni-c{number}", other.cidr, 14, 15)
        night.cluster.nodes[node.name] = replace(node, egress_config=config, host_addresses=(host,))
        night.ec2.instances[f"i-c{number}"] = replace(night.ec2.instances[f"i-c{number}"], subnet_id=other.id)
        there = night.ec2.interfaces[f"eni-c{number}"]
        night.ec2.interfaces[there.id] = replace(there, subnet_id=other.id, addresses=(host,))
    return night.watch(65, 400)


def subnet_nearly_full() -> Night:
    night = Night()
    first, *others = night.ec2.subnets
    # 16 of a /28 and each single one that a reservation holds back are still free for EC2.
    night.ec2.subnets = (replace(first, available=20), *others)
    return night.watch()


def interface_untagged() -> Night:
    night = Night()
    for there in night.ec2.interfaces.values():
        tags = {"red-hat-managed": "true"} if there.id != "eni-b1" else {}
        night.ec2.interfaces[there.id] = replace(there, tags=tags)
    return night.watch()


def address_leftover() -> Night:
    """Somebody put a secondary address on a node's interface by hand: the annotation does not know."""
    night = Night()
    night.put_on("eni-b1", "10.10.150.77")
    return night.watch(65, 400, 400)


def capacity_odd() -> Night:
    """The instance became a smaller one in place; nothing works the number out anew."""
    night = Night()
    night.ec2.instances["i-b1"] = replace(night.ec2.instances["i-b1"], type="m5.large")
    night.ec2.limits = {**night.ec2.limits, "m5.large": 10}
    night.cluster.nodes["node-b1"] = replace(night.cluster.nodes["node-b1"], instance_type="m5.large")
    return night.watch(65, 400, 400)


# Addresses that something speaks against


def wants(address: str) -> Night:
    """Somebody adds an address to the fleet file."""
    night = for_policy(A, B)
    night.settle()
    night.desired = make.cluster(make.policy("ns", A, B, address))
    return night


def address_outside() -> Night:
    return wants("10.99.0.1").watch()


def address_reserved_by_aws() -> Night:
    return wants("10.10.200.1").watch()


def address_is_host() -> Night:
    return wants(str(make.host("c", 0))).watch()


def address_taken() -> Night:
    night = wants(C)
    night.put_on(STRANGER.id, C)
    return night.watch()


def address_duplicate() -> Night:
    night = wants(C)
    night.cluster.egress_ips["team-b"] = make.egress_ip("team-b", C, labels={})
    return night.watch()


def address_duplicate_serving() -> Night:
    night = Night()
    night.cluster.egress_ips["team-b"] = make.egress_ip("team-b", C, labels={})
    return night.watch()


def reservation_foreign() -> Night:
    night = wants(C)
    night.ec2.reservations["scr-0b7e"] = make.reservation(
        "10.10.200.240/28", "c", cluster=None, description="printers", id="scr-0b7e"
    )
    return night.watch()


# Addresses that do not serve


def address_unassigned() -> Night:
    """A failover fell into a moment in which OVN-Kubernetes drops everything."""
    night = Night()
    night.loses(A)
    return night.watch()


def address_unassigned_for_good() -> Night:
    """Two kicks did not help: told again, as worse."""
    night = Night()
    night.loses(A)
    night.watch(65, 125, 125)
    night.forgets_messages()
    return night.watch(125)


def address_unassigned_observed() -> Night:
    """The only address of its policy, on a cluster that is only watched."""
    night = for_policy(A)
    night.settle()
    night.desired = replace(night.desired, mode=Mode.OBSERVE)
    night.loses(A)
    return night.watch()


def address_unassigned_no_room() -> Night:
    """The zone's last free node went."""
    night = for_policy(A, "10.10.100.252", B)
    night.settle()
    lost = "10.10.100.252"
    silent = dict(night.cluster.egress_ips["ns"].items)[lost]
    night.loses(lost)
    night.node_is_silent(silent)
    return night.watch(65, 400, 400, 400)


def assignment_denied() -> Night:
    night = Night()
    night.fails(B, "node-b0", REFUSED.partition("err: ")[2])
    return night.watch()


def assignment_untagged() -> Night:
    night = Night()
    for there in night.ec2.interfaces.values():
        tags = {"red-hat-managed": "true"} if there.id != "eni-b0" else {}
        night.ec2.interfaces[there.id] = replace(there, tags=tags)
    night.fails(B, "node-b0", REFUSED.partition("err: ")[2])
    return night.watch()


def assignment_held() -> Night:
    night = Night()
    night.fails(B, "node-b0", f"InvalidParameterValue: [{B}] assigned, but move is not allowed.", minutes_ago=1)
    night.put_on(STRANGER.id, B)
    return night.watch()


def assignment_full() -> Night:
    """OVN-Kubernetes goes by the IPv6 number of the annotation: it placed one more than fits."""
    night = Night()
    for number in range(13):
        night.put_on("eni-b0", f"10.10.150.{60 + number}")
    night.fails(B, "node-b0", "PrivateIpAddressLimitExceeded: Number of private addresses will exceed limit.")
    return night.watch(65, 65)


def assignment_throttled() -> Night:
    night = Night()
    night.fails(B, "node-b0", "RequestLimitExceeded: Request limit exceeded.", minutes_ago=5)
    return night.watch()


def assignment_refused() -> Night:
    night = Night()
    night.fails(B, "node-b0", "InternalError: An internal error has occurred", minutes_ago=6)
    return night.watch()


def assignment_node_gone() -> Night:
    night = Night()
    gone = dict(night.cluster.egress_ips["ns"].items)[B]
    night.node_goes(gone)
    night.loses(B)
    night.cluster.cpics[B] = make.cpic(
        B,
        gone,
        assigned="False",
        reason="CloudResponseError",
        message=f'Node "{gone}" does not exist',
        changed_at=night.now - timedelta(minutes=5),
    )
    return night.watch(65, 400)


def assignment_unanswered() -> Night:
    """The cloud network controller does not run: nobody answers."""
    night = Night()
    night.loses(B)
    night.cluster.cpics[B] = make.cpic(
        B, "node-b0", assigned=None, reason="", message="", status_node="", created_at=night.now - timedelta(minutes=11)
    )
    return night.watch()


def status_lost() -> Night:
    """Somebody replaced the object: its status went with it."""
    night = Night()
    there = night.cluster.egress_ips["ns"]
    night.cluster.egress_ips["ns"] = replace(there, items=tuple(item for item in there.items if item[0] != C))
    return night.watch()


def status_unbacked() -> Night:
    night = Night()
    night.loses(C, status=False)
    return night.watch()


def status_unbacked_may_serve() -> Night:
    """Its CPIC went, the address stayed where it was."""
    night = Night()
    del night.cluster.cpics[C]
    return night.watch()


def cpic_stale() -> Night:
    """An EgressIP was deleted while the cluster manager was down."""
    night = Night()
    night.cluster.cpics["10.10.150.88"] = make.cpic("10.10.150.88", "node-b1", owner="team-b")
    night.put_on("eni-b1", "10.10.150.88")
    return night.watch(65, 400, 400)


def cpic_stale_in_the_way() -> Night:
    """And a policy of ours wants its address."""
    night = Night()
    night.loses(C)
    night.cluster.cpics[C] = make.cpic(C, "node-c1", owner="team-b")
    night.put_on("eni-c1", C)
    return night.watch()


def cpic_stuck() -> Night:
    """Being deleted for long: EC2 refuses to release its address."""
    night = Night()
    night.cluster.cpics["10.10.150.88"] = make.cpic(
        "10.10.150.88",
        "node-b1",
        owner="team-b",
        assigned="False",
        reason="CloudResponseError",
        message="Error processing cloud release request, err: UnauthorizedOperation",
        deleting=True,
        deleted_at=night.now - timedelta(minutes=12),
    )
    night.put_on("eni-b1", "10.10.150.88")
    return night.watch(65, 400, 400)


def ec2_address_missing() -> Night:
    night = Night()
    night.loses(A, status=False, cpic=False)
    return night.watch()


def ec2_address_elsewhere() -> Night:
    night = Night()
    night.loses(A, status=False, cpic=False)
    night.put_on(STRANGER.id, A)
    return night.watch()


def address_flapping() -> Night:
    """A node that now and then does not answer in time."""
    night = Night()
    for number in range(1, 7):
        node = f"node-a{number % 2}"
        night.loses(A)
        night.put_on(f"eni-a{number % 2}", A)
        night.cluster.cpics[A] = make.cpic(A, node, changed_at=night.now, created_at=night.now - timedelta(days=3))
        there = night.cluster.egress_ips["ns"]
        night.cluster.egress_ips["ns"] = replace(there, items=((A, node), *there.items))
        night.watch(300)
    return night


# Objects


def spec_edited() -> Night:
    night = Night()
    night.cluster.edit("ns", A, B, "10.10.200.99")
    return night.watch()


def spec_garbled() -> Night:
    """A slip of the hand: OVN-Kubernetes gives up on the whole object."""
    night = Night()
    night.cluster.edit("ns", A, B, C, "10.10.200.2533")
    return night.watch()


def object_missing() -> Night:
    night = Night()
    del night.cluster.egress_ips["ns"]
    assign_all(night.cluster, night.ec2)
    return night.watch()


def object_foreign() -> Night:
    night = Night()
    others = {".spec.egressIPs": "kubectl-create"}
    night.cluster.egress_ips["other"] = make.egress_ip("other", "10.10.200.9", labels={}, other_managers=others)
    night.desired = replace(night.desired, policies=(*night.desired.policies, make.policy("other", "10.10.100.77")))
    return night.watch()


def selector_overlap() -> Night:
    """Somebody else's object selects the same namespace, with fewer pods."""
    night = Night()
    there = make.egress_ip("team-b", "10.10.100.77", labels={})
    spec = replace(there.spec, namespace_selector=make.NAMESPACES, pod_selector=make.PODS)
    night.cluster.egress_ips["team-b"] = replace(there, spec=spec)
    return night.watch()


def selector_overlap_by_labels() -> Night:
    """Nothing in common in words; one namespace has both labels."""
    night = for_policy(A, B, C)
    night.settle()
    there = make.egress_ip("team-b", "10.10.100.77", labels={})
    legacy = '{"matchLabels":{"team":"legacy"}}'
    night.cluster.egress_ips["team-b"] = replace(there, spec=replace(there.spec, namespace_selector=legacy))
    night.cluster.namespaces["demo-egress-ns"] = {
        "kubernetes.io/metadata.name": "demo-egress-ns", "team": "legacy",
    }  # fmt: skip
    return night.watch()


def field_conflict() -> Night:
    """The fleet file changes, and a GitOps controller holds the list."""
    night = wants(C)
    error = Conflict("cluster API", "apply EgressIP", "conflict", {".spec.egressIPs": "argocd"})
    night.cluster.fail("apply_egress_ip", error)
    return night.watch()


def selector_narrowed() -> Night:
    night = Night()
    there = night.cluster.egress_ips["ns"]
    narrowed = '{"matchLabels":{"env":"prod","kubernetes.io/metadata.name":"demo-egress-ns"}}'
    night.cluster.egress_ips["ns"] = replace(
        there,
        spec=replace(there.spec, namespace_selector=narrowed),
        other_managers={".spec.namespaceSelector.matchLabels.env": "kubectl-edit"},
    )
    return night.watch()


def reservation_missing() -> Night:
    night = Night()
    del night.ec2.reservations[f"scr-{A}/32"]
    return night.watch()


# The keeper's own work


def plan_refused() -> Night:
    """A policy was deleted from the fleet file."""
    night = Night()
    night.desired = replace(night.desired, policies=night.desired.policies[1:])
    return night.watch()


def action_refused() -> Night:
    night = wants(C)
    night.ec2.fail("reserve_cidr", Denied("EC2", "CreateSubnetCidrReservation", "UnauthorizedOperation"))
    return night.watch()


def action_unanswered() -> Night:
    night = wants(C)
    night.ec2.fail("reserve_cidr", Unreachable("EC2", "CreateSubnetCidrReservation", "no answer in time"))
    return night.watch()


SITUATIONS: dict[str, Callable[[], Night]] = {
    "credential-ending": credential_ending,
    "section-unknown": api_silent,
    "section-unknown.token": token_expired,
    "section-unknown.secret": secret_missing,
    "section-unknown.ec2": ec2_denies,
    "section-unknown.ocm": ocm_silent,
    "ocm-cluster-not-ready": ocm_cluster_not_ready,
    "ocm-cluster-mismatch": ocm_cluster_mismatch,
    "pool-missing": pool_missing,
    "pool-impossible": pool_impossible,
    "pool-different": pool_different,
    "pool-conflict": pool_conflict,
    "second-writer": second_writer,
    "pool-label-missing": pool_label_missing,
    "pool-label-missing.refused": pool_label_refused,
    "pool-short": pool_short,
    "node-outside-pools": node_outside_pools,
    "node-unusable": node_unusable,
    "node-unusable.host-cidrs": node_without_host_cidrs,
    "node-unusable.not-ready": node_not_ready,
    "node-label-missing": node_label_missing,
    "node-label-missing.classic": node_label_not_ours_to_set,
    "no-eligible-node": no_eligible_node,
    "capacity-shortfall": capacity_shortfall,
    "capacity-no-spare": capacity_no_spare,
    "subnet-changed": subnet_changed,
    "subnet-nearly-full": subnet_nearly_full,
    "interface-untagged": interface_untagged,
    "capacity-odd": capacity_odd,
    "address-leftover": address_leftover,
    "address-outside": address_outside,
    "address-reserved-by-aws": address_reserved_by_aws,
    "address-taken": address_taken,
    "address-is-host": address_is_host,
    "address-duplicate": address_duplicate,
    "address-duplicate.serving": address_duplicate_serving,
    "address-unassigned": address_unassigned,
    "address-unassigned.person": address_unassigned_for_good,
    "address-unassigned.observed": address_unassigned_observed,
    "address-unassigned.no-room": address_unassigned_no_room,
    "assignment-failed": assignment_denied,
    "assignment-failed.untagged": assignment_untagged,
    "assignment-failed.held": assignment_held,
    "assignment-failed.full": assignment_full,
    "assignment-failed.throttled": assignment_throttled,
    "assignment-failed.refused": assignment_refused,
    "assignment-failed.node-gone": assignment_node_gone,
    "assignment-failed.unanswered": assignment_unanswered,
    "status-lost": status_lost,
    "status-unbacked": status_unbacked,
    "status-unbacked.may-serve": status_unbacked_may_serve,
    "cpic-stale": cpic_stale,
    "cpic-stale.in-the-way": cpic_stale_in_the_way,
    "cpic-stale.stuck": cpic_stuck,
    "ec2-address-missing": ec2_address_missing,
    "ec2-address-missing.elsewhere": ec2_address_elsewhere,
    "address-flapping": address_flapping,
    "spec-edited": spec_edited,
    "spec-edited.garbled": spec_garbled,
    "object-missing": object_missing,
    "object-foreign": object_foreign,
    "selector-overlap": selector_overlap,
    "selector-overlap.by-labels": selector_overlap_by_labels,
    "field-conflict": field_conflict,
    "field-conflict.selector": selector_narrowed,
    "reservation-missing": reservation_missing,
    "reservation-foreign": reservation_foreign,
    "plan-refused": plan_refused,
    "action-failed": action_refused,
    "action-failed.unanswered": action_unanswered,
}
"""By name of the text: at least one a kind, more where the cause decides on what a person has to do."""


def kind_of(name: str) -> Kind:
    return Kind(name.partition(".")[0])
