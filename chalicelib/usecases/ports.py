"""What the use cases need from outside, as protocols: the adapters implement them, the tests' fakes too.

Every method may raise a subclass of `chalicelib.adapters.errors.AdapterError`, and nothing else for outside trouble.
Reads return complete sections: a page that could not be fetched is an error, never a shorter tuple.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from chalicelib.domain.drift.credential import IssuedToken, ServiceAccount
from chalicelib.domain.pools import MachinePool, NewPool, OcmCluster
from chalicelib.domain.quiet import Silence
from chalicelib.domain.records import ApprovedPlan, FindingRecord, RunRecord
from chalicelib.domain.snapshot import (
    Cpic,
    EgressIp,
    EgressIpSpec,
    Instance,
    Interface,
    Labelled,
    Node,
    Reservation,
    Subnet,
)
from chalicelib.domain.telling.messages import Alert


class ClusterApi(Protocol):
    """The cluster's API server. Writes go by server-side apply as field manager `egress-keeper`."""

    def fetch_nodes(self) -> tuple[Node, ...]:
        """All nodes, sorted by name."""
        ...

    def fetch_egress_ips(self) -> tuple[EgressIp, ...]:
        """All EgressIP objects, ours or not, sorted by name."""
        ...

    def fetch_cpics(self) -> tuple[Cpic, ...]:
        """All CloudPrivateIPConfig objects, sorted by name; IPv6 ones included under their object name."""
        ...

    def fetch_namespaces(self, keys: Collection[str]) -> tuple[Labelled, ...]:
        """All namespaces, sorted by name, each with its labels of these keys."""
        ...

    def fetch_pods(self, namespaces: Collection[str], keys: Collection[str]) -> Mapping[str, tuple[Labelled, ...]]:
        """Pods of these namespaces that have not ended, sorted by name, each with its labels of these keys."""
        ...

    def apply_egress_ip(
        self, name: str, spec: EgressIpSpec, labels: Mapping[str, str], *, force: bool, version: str = ""
    ) -> None:
        """Create the object or set exactly our fields of it. Raises `Conflict` with the other managers.

        With *version* it must still have that resourceVersion, or `Conflict` without managers is raised.
        """
        ...

    def delete_egress_ip(self, name: str, uid: str) -> None:
        """Delete the object with that uid; already gone is success."""
        ...

    def label_node(self, name: str, labels: Mapping[str, str]) -> None:
        """Set labels on a node by server-side apply; nothing else of the node is sent."""
        ...

    def unlabel_node(self, name: str, keys: Collection[str]) -> None:
        """Take labels off a node, whoever set them; a node that is gone, or has none of them, is success."""
        ...


class ClusterToken(Protocol):
    """The token that a cluster's API is asked with, and the place where it is kept."""

    @property
    def where(self) -> str:
        """The place, in words."""
        ...

    @property
    def storable(self) -> bool:
        """Whether a new token can be put there."""
        ...

    def read(self, *, fresh: bool = False) -> str:
        """The present token; with *fresh*, read now."""
        ...

    def request(self, account: ServiceAccount, life: timedelta, now: datetime) -> IssuedToken:
        """A new token of the account, for about that long, that the API takes."""
        ...

    def store(self, issued: IssuedToken) -> None:
        """Put it in the present one's place. An error does not say that it is not there."""
        ...


class Ec2(Protocol):
    """EC2 in the cluster's account and region."""

    def fetch_instances(self, infra_id: str) -> tuple[Instance, ...]:
        """Instances tagged `kubernetes.io/cluster/<infra_id>` that are not terminated, sorted by id."""
        ...

    def fetch_subnets(self, vpc_ids: Collection[str]) -> tuple[Subnet, ...]:
        """Every subnet of these VPCs, sorted by id."""
        ...

    def fetch_interfaces(self, subnet_ids: Collection[str]) -> tuple[Interface, ...]:
        """Every network interface in these subnets, whoever's, sorted by id."""
        ...

    def fetch_reservations(self, subnet_ids: Collection[str]) -> tuple[Reservation, ...]:
        """Every IPv4 CIDR reservation of these subnets, sorted by subnet and range."""
        ...

    def fetch_address_limits(self, instance_types: Collection[str]) -> Mapping[str, int]:
        """IPv4 addresses per network interface by instance type; cached for the life of the process."""
        ...

    def reserve_cidr(self, subnet_id: str, cidr: IPv4Network, tags: Mapping[str, str], description: str) -> Reservation:
        """Create an explicit reservation, or adopt the one with the same range and our tags that is there already."""
        ...

    def tag_reservation(self, reservation_id: str, write: Mapping[str, str], remove: Collection[str]) -> None:
        """Set and drop tags of a reservation."""
        ...

    def release_reservation(self, reservation_id: str) -> None:
        """Delete a reservation; already gone is success."""
        ...

    def assign_address(self, interface_id: str, address: IPv4Address) -> None:
        """Put a secondary address on an interface; there already is success. Taken from no other interface."""
        ...

    def fetch_cluster_tags(self, instance_ids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Tags by instance id, for those of the ids that EC2 knows. One call for up to 200 ids."""
        ...


class Ocm(Protocol):
    """OCM, for one account of it. Every write goes to one cluster; one visit at a time writes to it."""

    def fetch_cluster(self, cluster_id: str) -> OcmCluster:
        """One cluster by its id. Raises `NotFound` where OCM knows none, or shows us none, of that id."""
        ...

    def fetch_pools(self, cluster: OcmCluster) -> tuple[MachinePool, ...]:
        """All pools of the cluster, sorted by name."""
        ...

    def fetch_pool(self, cluster: OcmCluster, name: str) -> MachinePool | None:
        """One pool as it is now; None where there is none of that name."""
        ...

    def set_pool_labels(self, cluster: OcmCluster, name: str, labels: Mapping[str, str]) -> None:
        """Replace the whole map of labels, and nothing else of the pool."""
        ...

    def create_pool(self, cluster: OcmCluster, pool: NewPool) -> MachinePool:
        """Make a pool. Raises `Conflict` where one of that name is there already."""
        ...


class Alerts(Protocol):
    """Where people are told."""

    def publish(self, alert: Alert) -> None:
        """Send it or raise: an alert that could not be sent must fail the visit."""
        ...


class Memory(Protocol):
    """What is remembered between visits. Losing it loses no address, only who was told what, and what is approved."""

    def fetch_findings(self, cluster: str) -> tuple[FindingRecord, ...]:
        """All stored findings of the cluster, resolved ones included, sorted by fingerprint."""
        ...

    def store_finding(self, record: FindingRecord) -> bool:
        """Write the record if its version is the stored one (or none is stored); False if someone else was first."""
        ...

    def drop_finding(self, record: FindingRecord) -> bool:
        """Forget a finding, under the same condition."""
        ...

    def fetch_silences(self, cluster: str) -> tuple[Silence, ...]:
        """All silences of the cluster, sorted by fingerprint; some may be over."""
        ...

    def store_silence(self, silence: Silence) -> None:
        """Write or replace the silence of one finding."""
        ...

    def fetch_good_visits(self) -> Mapping[str, datetime]:
        """When each cluster's last good visit ended, or it was first missed, by cluster."""
        ...

    def store_good_visit(self, cluster: str, at: datetime) -> None:
        """Remember that a visit came to its good end."""
        ...

    def store_run(self, record: RunRecord) -> None:
        """Write or replace a run summary; it expires after 30 days."""
        ...

    def fetch_run(self, run_id: str) -> RunRecord | None:
        """One run, or None."""
        ...

    def fetch_runs(self, cluster: str, limit: int) -> tuple[RunRecord, ...]:
        """The latest runs of a cluster, newest first."""
        ...

    def fetch_approved(self, cluster: str, digest: str) -> ApprovedPlan | None:
        """What was noted of the plan with that digest when it was begun, or None."""
        ...

    def store_approved(self, plan: ApprovedPlan) -> None:
        """Write or replace the note of one plan."""
        ...


class Queues(Protocol):
    """The two queues between the functions."""

    def send_events(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        """Put messages on the standard events queue, in batches of ten; raises if any was not accepted."""
        ...

    def send_work(self, body: str, *, group: str, deduplication_id: str) -> None:
        """Put one message on the FIFO work queue."""
        ...
