"""A sandbox cluster in OCM: its document, and its pools, whose machines really come and go."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from sandbox.ocm.cluster import OcmCluster
from sandbox.ocm.errors import API
from sandbox.rosa import Flavour, PoolSpec, PoolState, Rosa, Scenario


def rosa_in_ocm(rosa: Rosa) -> OcmCluster:
    """The cluster *rosa*, which must be running, as OCM knows it."""
    zone_by_subnet = {subnet: zone for zone, subnet in rosa.machines.subnet_ids.items()}
    document = cluster_document(rosa.scenario, rosa.api_url, tuple(zone_by_subnet), rosa.aws.account_id)
    return OcmCluster(document, rosa.scenario.flavour, RosaPools(rosa), zone_by_subnet)


def cluster_document(
    scenario: Scenario, api_url: str, subnet_ids: tuple[str, ...], account_id: str = "123456789012"
) -> dict[str, Any]:
    """What GET of the cluster shows. Without *subnet_ids* the installer made the VPC (classic only)."""
    hcp = scenario.flavour is Flavour.HCP
    version, region = scenario.openshift_version, scenario.region
    role = f"arn:aws:iam::{account_id}:role/ManagedOpenShift-{'HCP-ROSA-' if hcp else ''}Installer-Role"
    return {
        "kind": "Cluster",
        "id": scenario.cluster_id,
        "href": f"{API}/clusters/{scenario.cluster_id}",
        "name": scenario.name,
        "external_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, scenario.cluster_id)),
        "infra_id": scenario.infra_id,
        "state": "ready",
        "product": {"kind": "ProductLink", "id": "rosa", "href": f"{API}/products/rosa"},
        "cloud_provider": {"kind": "CloudProviderLink", "id": "aws", "href": f"{API}/cloud_providers/aws"},
        "region": {"kind": "CloudRegionLink", "id": region, "href": f"{API}/cloud_providers/aws/regions/{region}"},
        "multi_az": len(scenario.zones) > 1,
        "hypershift": {"enabled": hcp},
        "openshift_version": version,
        "version": {
            "kind": "Version",
            "id": f"openshift-v{version}",
            "href": f"{API}/versions/openshift-v{version}",
            "raw_id": version,
            "channel_group": "stable",
        },
        "api": {"url": api_url, "listening": "external"},
        "network": {
            "type": "OVNKubernetes",
            "machine_cidr": str(scenario.vpc),
            "pod_cidr": "10.128.0.0/14",
            "service_cidr": "172.30.0.0/16",
            "host_prefix": 23,
        },
        "aws": {
            "account_id": account_id,
            "private_link": False,
            "subnet_ids": list(subnet_ids),
            "sts": {"role_arn": role, "operator_role_prefix": scenario.name},
        },
        "nodes": {"availability_zones": list(scenario.zones)},
        "external_auth_config": {"enabled": False},
        "properties": {"rosa_creator_arn": f"arn:aws:iam::{account_id}:user/creator"},
    }


class RosaPools:
    """`Pools` over a sandbox cluster. A launch that EC2 refuses leaves the pool short, as on ROSA: OCM says yes."""

    def __init__(self, rosa: Rosa) -> None:
        self._rosa = rosa

    def pool_names(self) -> tuple[str, ...]:
        """The names of the pools, oldest first."""
        return self._rosa.pool_names()

    def pool_state(self, pool: str) -> PoolState:
        """What is wanted of a pool, and how many machines it has."""
        return self._rosa.pool_state(pool)

    def add_pool(self, spec: PoolSpec) -> None:
        """A new pool; its machines are launched."""
        with contextlib.suppress(ClientError):
            self._rosa.add_pool(spec)

    def scale_pool(self, pool: str, replicas: int) -> None:
        """Launch machines or let the newest leave."""
        with contextlib.suppress(ClientError):
            self._rosa.scale_pool(pool, replicas)

    def set_pool_labels(self, pool: str, labels: Mapping[str, str]) -> None:
        """Replace the labels; what becomes of the nodes depends on the flavour."""
        self._rosa.set_pool_labels(pool, labels)

    def remove_pool(self, pool: str) -> None:
        """Delete a pool; its machines leave."""
        self._rosa.remove_pool(pool)
