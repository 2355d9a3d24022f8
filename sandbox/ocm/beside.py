"""What `rosa` asks besides pools: regions, machine types, quota, flavour, versions. All of it is fixed."""

from __future__ import annotations

from typing import Any

from sandbox.ocm.errors import API

ORGANIZATION = "1organization2of3the4sandbox"

_REGIONS = ("eu-central-1", "eu-west-1", "us-east-1", "us-east-2", "us-west-2")
_GIBIBYTE = 1 << 30
_MACHINE_TYPES = {  # cores and GiB
    "m5.xlarge": (4, 16),
    "m5.2xlarge": (8, 32),
    "m5.4xlarge": (16, 64),
    "m6i.xlarge": (4, 16),
    "m7i.xlarge": (4, 16),
    "c5.2xlarge": (8, 16),
    "r5.xlarge": (4, 32),
}


def regions() -> list[dict[str, Any]]:
    """The Regions of AWS that ROSA is offered in, some of them."""
    return [
        {
            "kind": "CloudRegion",
            "id": region,
            "href": f"{API}/cloud_providers/aws/regions/{region}",
            "name": region,
            "display_name": region,
            "cloud_provider": {"kind": "CloudProviderLink", "id": "aws", "href": f"{API}/cloud_providers/aws"},
            "enabled": True,
            "supports_hypershift": True,
            "supports_multi_az": True,
        }
        for region in _REGIONS
    ]


def machine_types() -> list[dict[str, Any]]:
    """A few instance types; OCM takes others too."""
    return [
        {
            "kind": "MachineType",
            "id": name,
            "href": f"{API}/machine_types/{name}",
            "name": name,
            "generic_name": name,
            "category": "general_purpose",
            "cpu": {"value": cores, "unit": "vCPU"},
            "memory": {"value": gibibytes * _GIBIBYTE, "unit": "B"},
            "cloud_provider": {"kind": "CloudProviderLink", "id": "aws", "href": f"{API}/cloud_providers/aws"},
        }
        for name, (cores, gibibytes) in _MACHINE_TYPES.items()
    ]


def flavour(name: str) -> dict[str, Any]:
    """The one set of defaults that `rosa` reads."""
    return {
        "kind": "Flavour",
        "id": name,
        "href": f"{API}/flavours/{name}",
        "name": name,
        "aws": {"compute_instance_type": "m5.xlarge", "worker_volume": {"size": 300}},
        "network": {"machine_cidr": "10.0.0.0/16", "pod_cidr": "10.128.0.0/14", "service_cidr": "172.30.0.0/16"},
    }


def versions(raw_id: str) -> list[dict[str, Any]]:
    """The one version there is."""
    return [
        {
            "kind": "Version",
            "id": f"openshift-v{raw_id}",
            "href": f"{API}/versions/openshift-v{raw_id}",
            "raw_id": raw_id,
            "channel_group": "stable",
            "enabled": True,
            "rosa_enabled": True,
            "hosted_control_plane_enabled": True,
            "default": True,
        }
    ]


def current_account(user: str) -> dict[str, Any]:
    """Who asks, in accounts_mgmt's words."""
    return {
        "kind": "Account",
        "id": f"account-of-{user}",
        "username": user,
        "organization": {"kind": "Organization", "id": ORGANIZATION},
    }


def quota_costs() -> list[dict[str, Any]]:
    """Accelerators that the organization may use: none."""
    return []
