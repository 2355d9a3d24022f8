"""What is desired: the fleet as values, already checked for shape.

Reading and checking the fleet file is `chalicelib.fleet`; whether a wish fits the cluster is `planning`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address

from chalicelib.domain.pools import Scaling, Taint
from chalicelib.domain.quiet import Maintenance


class Mode(StrEnum):
    """What a visit may do: `enforce` repairs, `observe` plans and alerts and changes nothing."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """One desired EgressIP. Either `addresses` or `per_zone` is set, never both.

    Attributes:
        name: Becomes the name of the EgressIP object and part of reservation tags: at most 63 characters.
        namespace_selector: LabelSelector as canonical JSON text (`domain.snapshot.EgressIpSpec`).
        pod_selector: The same for pods, or None for all pods of the namespaces.
        addresses: The addresses to use, in the order of the file.
        per_zone: How many addresses to choose, and then keep, in each zone that has labelled nodes.
    """

    name: str
    namespace_selector: str
    pod_selector: str | None = None
    addresses: tuple[IPv4Address, ...] = ()
    per_zone: int | None = None


@dataclass(frozen=True, slots=True)
class PoolCreation:
    """What a machine pool is made like where there is none of its name. Either `zones` or `subnets` is set.

    Attributes:
        zones, subnets: Where its nodes are. On HCP a pool has one subnet: several places become one pool each
            (`creating.wished_pools`). On classic they are places of one pool.
        scaling: As OCM counts: nodes of each pool.
        labels: Beside the egress-assignable label, by key, sorted.
    """

    instance_type: str
    scaling: Scaling
    zones: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    taints: tuple[Taint, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """One machine pool whose nodes are to carry egress addresses; `create` is None where somebody else makes it."""

    name: str
    create: PoolCreation | None = None


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is kept: exactly one of the three.

    Attributes:
        file: Path of a file that holds it.
        env: Name of an environment variable that holds it.
        secret_id: Name or ARN in AWS Secrets Manager.
    """

    file: str | None = None
    env: str | None = None
    secret_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApiSpec:
    """How the cluster's API is reached. `ca` is PEM text; None means the public certificate authorities."""

    url: str
    token: SecretRef
    ca: str | None = None


@dataclass(frozen=True, slots=True)
class OcmSpec:
    """How the cluster is known to OCM. `cluster` is the OCM cluster id."""

    cluster: str
    credentials: SecretRef | None = None
    url: str = "https://api.openshift.com"
    token_url: str = "https://sso.redhat.com/auth/realms/redhat-external/protocol/openid-connect/token"  # noqa: S105 - an address, not a secret


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """One cluster and what is wished for it.

    Attributes:
        infra_id: Value in the EC2 tag `kubernetes.io/cluster/<infra_id>`; on HCP the OCM cluster id.
        max_change_share: Share (0–1) of the cluster's serving addresses that one visit may take away unattended.
        block_prefix: Prefix length of the ranges reserved for chosen addresses, 28 to 32; a larger range than /28 is
            never made (`actions.LARGEST_RANGE`).
        maintenance: Planned work in which findings of some kinds are not told.
    """

    name: str
    region: str
    infra_id: str
    api: ApiSpec
    policies: tuple[PolicySpec, ...]
    machine_pools: tuple[PoolSpec, ...] = ()
    mode: Mode = Mode.ENFORCE
    ocm: OcmSpec | None = None
    role_arn: str | None = None
    max_change_share: float = 0.25
    block_prefix: int = 28
    maintenance: tuple[Maintenance, ...] = ()


@dataclass(frozen=True, slots=True)
class Fleet:
    """All clusters, by name, in the order of the file."""

    clusters: Mapping[str, ClusterSpec] = field(default_factory=dict)
