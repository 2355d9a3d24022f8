"""Names, tags and labels of machines and nodes, exactly as the two kinds of ROSA give them. Pure functions.

Sources: `machine-api-provider-aws` and the installer (classic),
`cluster-api-provider-aws` and HyperShift (HCP), OCM's own node pool tags.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sandbox.rosa.scenario import Flavour, PoolSpec, Scenario

EGRESS_LABEL = "k8s.ovn.org/egress-assignable"
HCP_POOL_LABEL = "hypershift.openshift.io/nodePool"
HCP_LABELS_SYNCED = "hypershift.openshift.io/labelsSynced"
CLASSIC_POOL_KEYS = "managed.openshift.com/customlabels"

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' alphabet for generated names


def machine_name(scenario: Scenario, pool: PoolSpec, zone: str, number: int) -> str:
    """The Machine's name, which is also the instance's `Name`: `<infra>-<pool>-<zone>-<5>` or
    `<cluster>-<pool>-<hash>-<5>`.

    *number* makes it unique; the same number gives the same name.
    """
    suffix = _letters(f"{scenario.name} {pool.name} {zone} {number}", 5)
    if scenario.flavour is Flavour.CLASSIC:
        return f"{scenario.infra_id}-{pool.name}-{zone}-{suffix}"
    return f"{scenario.name}-{pool.name}-{_letters(f'{scenario.name} {pool.name}', 9)}-{suffix}"


def instance_tags(scenario: Scenario, pool: PoolSpec, machine: str) -> dict[str, str]:
    """The tags of the instance and its volume; on HCP of the network
    interface too, on classic the interface has none.
    """
    common = {
        "Name": machine,
        f"kubernetes.io/cluster/{scenario.infra_id}": "owned",
        "red-hat-managed": "true",
        "red-hat-clustertype": "rosa",
    }
    if scenario.flavour is Flavour.CLASSIC:
        return common
    return {
        **common,
        f"sigs.k8s.io/cluster-api-provider-aws/cluster/{scenario.infra_id}": "owned",
        "sigs.k8s.io/cluster-api-provider-aws/role": "node",
        "MachineName": f"{control_plane_namespace(scenario)}/{machine}",
        "api.openshift.com/id": scenario.cluster_id,
        "api.openshift.com/name": scenario.name,
        "api.openshift.com/environment": "production",
        "api.openshift.com/legal-entity-id": _letters(f"entity {scenario.name}", 27),
        "api.openshift.com/nodepool-ocm": pool.name,
        "api.openshift.com/nodepool-hypershift": f"{scenario.name}-{pool.name}",
    }


def control_plane_namespace(scenario: Scenario) -> str:
    """Where the hosted control plane lives in its management cluster."""
    return f"ocm-production-{scenario.cluster_id}-{scenario.name}"


def security_group_name(scenario: Scenario) -> str:
    """The workers' security group."""
    return f"{scenario.infra_id}-{'node' if scenario.flavour is Flavour.CLASSIC else 'default-sg'}"


def pool_labels(scenario: Scenario, pool: str, labels: Mapping[str, str]) -> dict[str, str]:
    """The node labels that come from the pool named *pool* with these *labels*."""
    own = {HCP_POOL_LABEL: f"{scenario.name}-{pool}"} if scenario.flavour is Flavour.HCP else {}
    return {**labels, **own}


def pool_annotations(scenario: Scenario, machine: str, labels: Mapping[str, str]) -> dict[str, str]:
    """The node annotations that say where those labels came from.

    On HCP `labelsSynced` means that pool labels are never applied again;
    on classic `customlabels` lists the keys that follow the pool.
    """
    if scenario.flavour is Flavour.HCP:
        return {"cluster.x-k8s.io/machine": machine, HCP_LABELS_SYNCED: "true"}
    keys = {CLASSIC_POOL_KEYS: ",".join(sorted(labels))} if labels else {}
    return {"machine.openshift.io/machine": f"openshift-machine-api/{machine}", **keys}


def _letters(seed: str, count: int) -> str:
    digest = hashlib.sha256(seed.encode()).digest()
    return "".join(_SUFFIX_ALPHABET[byte % len(_SUFFIX_ALPHABET)] for byte in digest)[:count]
