"""What one visit observed: values only, each section either read completely or `Unknown`.

Belongs here: the shape of the world as the planner sees it, already in our words. Does not belong here: how it was
read (adapters), what is wanted (`spec`), what follows from it (`capacity`, `planning`).

A failed read is never an empty tuple. `Unknown` says what could not be read and why, and everything that depends on the
section is left alone: an empty list of reservations would be a reason to create some, an unknown one is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import TypeAlias, TypeVar

from chalicelib.domain.pools import OcmView

T = TypeVar("T")

ASSIGNABLE_LABEL = "k8s.ovn.org/egress-assignable"
"""OVN-Kubernetes looks for this key; any value counts, even "false" (observed on the real cluster manager)."""

MARK_LABEL = "egress-keeper/assignable-by"
"""Stands beside the egress-assignable label wherever we put that one, on pools and nodes; value `egress-keeper`."""

UNINITIALIZED_TAINT = "node.cloudprovider.kubernetes.io/uninitialized"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A section that could not be read.

    Attributes:
        what: The section, in the reader's words ("nodes", "subnet CIDR reservations").
        why: The cause, short enough for one line of an alert.
        source: The outside system that did not answer ("cluster API", "EC2"); findings are grouped by it.
        may_pass: It may end without anybody's help: no answer, an error of the server's, a request too many.
    """

    what: str
    why: str
    source: str
    may_pass: bool = False


Known: TypeAlias = T | Unknown


@dataclass(frozen=True, slots=True)
class EgressIpConfig:
    """The node annotation `cloud.network.openshift.io/egress-ipconfig`, first element: the one OVN-Kubernetes reads.

    Attributes:
        interface: Id of the network interface that carries the egress addresses.
        subnet: IPv4 CIDR of that interface's subnet; None on an IPv6-only node.
        capacity_ipv4: Egress addresses the node may carry in total, those it carries included; may be 0 or
            negative. None where the key is absent, which older controllers write for 0.
        capacity_ipv6: The same for IPv6. No address of ours, but most releases of OVN-Kubernetes mistake it for the
            limit of IPv4.
    """

    interface: str
    subnet: IPv4Network | None
    capacity_ipv4: int | None
    capacity_ipv6: int | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An annotation that is there (or should be) and says nothing we can use; `why` is for a person."""

    why: str


@dataclass(frozen=True, slots=True)
class Node:
    """One Node object, reduced to what decides about egress.

    Attributes:
        assignable: Value of the egress-assignable label; None where the key is absent.
        pool: OCM node pool by `hypershift.openshift.io/nodePool` (`<cluster>-<pool>`); None on classic.
        instance_id: Last element of `spec.providerID`; None before the cloud controller has set it.
        host_addresses: IPv4 addresses of the host itself (annotation `k8s.ovn.org/host-cidrs`, prefix lengths
            dropped); None while it is missing, which makes OVN-Kubernetes give up every new assignment in the
            cluster without a word.
        networked: Both other annotations the allocator needs (primary-ifaddr, node-subnets) are there.
        marked: It carries our mark: the egress-assignable label came from us, on the node itself or by its pool.
        autonode: Karpenter's NodePool that made it (AutoNode); None on nodes of machine pools.
        kubelet: Version of its kubelet ("v1.31.6"); None where the node does not say.
    """

    name: str
    created_at: datetime
    ready: bool
    assignable: str | None
    zone: str | None
    instance_id: str | None
    instance_type: str | None
    egress_config: EgressIpConfig | Unreadable
    host_addresses: tuple[IPv4Address, ...] | None
    networked: bool
    uninitialized: bool = False
    deleting: bool = False
    pool: str | None = None
    marked: bool = False
    autonode: str | None = None
    kubelet: str | None = None


@dataclass(frozen=True, slots=True)
class EgressIpSpec:
    """The part of an EgressIP object that people wish for. Selectors are canonical: sorted keys, plain JSON values.

    Attributes:
        addresses: `spec.egressIPs` as written, in order; not necessarily valid addresses.
        namespace_selector: A LabelSelector as canonical JSON text.
        pod_selector: The same, or None where the object has none (all pods of the namespaces).
    """

    addresses: tuple[str, ...]
    namespace_selector: str
    pod_selector: str | None


@dataclass(frozen=True, slots=True)
class EgressIp:
    """One EgressIP object.

    Attributes:
        items: `status.items` as (address, node) pairs. A claim, not a proof: only the CPIC tells what is true.
        owned_fields: Field paths that server-side apply holds for us, such as `.spec.egressIPs`.
        other_managers: Other field managers by the path they own under `.spec` or `.metadata.labels`.
        version: `metadata.resourceVersion`, opaque.
    """

    name: str
    uid: str
    labels: Mapping[str, str]
    spec: EgressIpSpec
    items: tuple[tuple[str, str], ...]
    owned_fields: frozenset[str] = frozenset()
    other_managers: Mapping[str, str] = field(default_factory=dict)
    deleting: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True)
class Cpic:
    """One CloudPrivateIPConfig: what the cloud network controller does, or fails to do, for one address.

    Attributes:
        assigned: Status of the one condition: "True", "False", "Unknown", or None before there is any.
        owner: EgressIP that OVN-Kubernetes created it for (`k8s.ovn.org/egressip-owner-ref`); may be gone.
        changed_at: `lastTransitionTime` of the condition; each try of the cloud network controller rewrites it.
        created_at: When OVN-Kubernetes made it. All that tells the age of one that nobody has answered.
        deleted_at: When its deletion was asked for; it stays until the cloud network controller has released it.
    """

    address: str
    spec_node: str
    status_node: str
    assigned: str | None
    reason: str
    message: str
    owner: str | None
    deleting: bool = False
    changed_at: datetime | None = None
    created_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def healthy(self) -> bool:
        """The address is on the interface of the node that the cluster wants it on, as far as the cluster knows."""
        return self.assigned == "True" and self.spec_node == self.status_node != "" and not self.deleting

    @property
    def in_transit(self) -> bool:
        """The cloud network controller is at work: being added, moved or released. Not the same as failed."""
        return not self.healthy and self.assigned != "False"


@dataclass(frozen=True, slots=True)
class Instance:
    """One EC2 instance of the cluster.

    Attributes:
        pool: OCM pool id, from the tag (HCP) or the name (classic); None where neither tells.
        interface_id: The first network interface in EC2's order, the one the cloud network controller uses.
    """

    id: str
    state: str
    type: str
    zone: str
    subnet_id: str
    vpc_id: str
    launched_at: datetime
    pool: str | None
    interface_id: str | None


@dataclass(frozen=True, slots=True)
class Subnet:
    """One subnet of the cluster's VPC. `available` is EC2's AvailableIpAddressCount (explicit reservations count as
    available until their addresses are assigned).
    """

    id: str
    vpc_id: str
    zone: str
    cidr: IPv4Network
    available: int


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface in a subnet of the cluster, whoever's it is.

    Attributes:
        addresses: All private IPv4 addresses, the primary first.
        prefixes: Delegated IPv4 prefixes: every address in them is taken.
        holder: Who it belongs to, in words ("instance i-…", "interface endpoint vpce-…").
        tags: None where they are not known.
    """

    id: str
    subnet_id: str
    instance_id: str | None
    addresses: tuple[IPv4Address, ...]
    prefixes: tuple[IPv4Network, ...] = ()
    holder: str = ""
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """One subnet CIDR reservation (IPv4)."""

    id: str
    subnet_id: str
    cidr: IPv4Network
    type: str
    description: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A namespace, or a pod of one, with those of its labels that selectors of EgressIPs ask about."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Selected:
    """What selectors of EgressIPs select from.

    Attributes:
        pods: Running pods by namespace, of those namespaces alone where nothing else tells whether two objects meet.
        skipped: How many more such namespaces there are, whose pods were not read.
    """

    namespaces: tuple[Labelled, ...]
    pods: Known[Mapping[str, tuple[Labelled, ...]]] = field(default_factory=dict)
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything one visit saw, at one moment.

    Attributes:
        taken_at: Start of the reading, UTC. The only "now" that planning knows.
        limits: IPv4 addresses per network interface by instance type (DescribeInstanceTypes): types of the instances
            and of machine pools to be made. One that is missing is not known to EC2.
        ocm: None where the fleet file gives no credentials for OCM: nobody asked, so nothing is known and nothing
            failed.
        selected: None where nobody had to ask, because no two EgressIPs can meet. Not among the sections that
            `unknown` tells of: only the finding about overlaps depends on it.
    """

    taken_at: datetime
    nodes: Known[tuple[Node, ...]]
    egress_ips: Known[tuple[EgressIp, ...]]
    cpics: Known[tuple[Cpic, ...]]
    instances: Known[tuple[Instance, ...]]
    subnets: Known[tuple[Subnet, ...]]
    interfaces: Known[tuple[Interface, ...]]
    reservations: Known[tuple[Reservation, ...]]
    limits: Known[Mapping[str, int]]
    ocm: Known[OcmView] | None = None
    selected: Known[Selected] | None = None

    @property
    def overlaps_known(self) -> bool:
        """Whether all was read that tells which EgressIPs select the same pods."""
        pods = self.selected.pods if isinstance(self.selected, Selected) else self.selected
        return not isinstance(pods, Unknown)

    @property
    def addresses_known(self) -> bool:
        """Whether every section was read that says something about addresses: all of them but OCM."""
        return all(section is self.ocm for section in self.unknown())

    def unknown(self) -> tuple[Unknown, ...]:
        """The sections that could not be read, in the order of the fields."""
        sections = (
            self.nodes,
            self.egress_ips,
            self.cpics,
            self.instances,
            self.subnets,
            self.interfaces,
            self.reservations,
            self.limits,
            self.ocm,
        )
        return tuple(section for section in sections if isinstance(section, Unknown))
