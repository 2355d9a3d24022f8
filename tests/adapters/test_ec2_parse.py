"""EC2's words as ours: pools, holders, and items with fields left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from chalicelib.adapters.ec2_parse import holder_of, parse_instance, parse_interface, pool_of
from chalicelib.domain.snapshot import Instance, Interface


@pytest.mark.parametrize(
    ("tags", "pool"),
    [
        pytest.param({"api.openshift.com/nodepool-ocm": "egress-a"}, "egress-a", id="HCP tag"),
        pytest.param(
            {"api.openshift.com/nodepool-ocm": "egress-a", "Name": "prod-x7k2p-other-eu-central-1a-abcde"},
            "egress-a",
            id="the tag wins",
        ),
        pytest.param({"api.openshift.com/nodepool-ocm": ""}, None, id="empty tag"),
        pytest.param({"Name": "prod-x7k2p-egress-a-eu-central-1a-h7rv2"}, "egress-a", id="classic name"),
        pytest.param({"Name": "prod-x7k2p-eu-central-1a-eu-central-1a-h7rv2"}, "eu-central-1a", id="pool like a zone"),
        pytest.param({"Name": "prod-x7k2p-egress-a-eu-central-1b-h7rv2"}, None, id="another zone in the name"),
        pytest.param({"Name": "prod-x7k2p-egress-a-eu-cent-h7rv2"}, None, id="name cut by its generator"),
        pytest.param({"Name": "prod-x7k2p-master-0"}, None, id="master"),
        pytest.param({"Name": "prod-x7k2p-infra-eu-central-1a-h7rv2"}, None, id="infra"),
        pytest.param({"Name": "prodXx7k2p-egress-eu-central-1a-h7rv2"}, None, id="another cluster's name"),
        pytest.param({"Name": ""}, None, id="empty name"),
        pytest.param({}, None, id="no tags"),
    ],
)
def test_pool(tags: dict[str, str], pool: str | None) -> None:
    """The pool is told by the HCP tag or the classic name, and left open where neither is clear."""
    assert pool_of(tags, "prod-x7k2p", "eu-central-1a") == pool


def test_a_name_without_a_zone_to_split_at() -> None:
    """An instance without placement does not get a pool by accident."""
    assert pool_of({"Name": "prod-x7k2p-a--h7rv2"}, "prod-x7k2p", "") is None


@pytest.mark.parametrize(
    ("raw", "holder"),
    [
        pytest.param({"Attachment": {"InstanceId": "i-1"}, "Description": "x"}, "instance i-1", id="instance"),
        pytest.param(
            {"InterfaceType": "vpc_endpoint", "Description": "VPC Endpoint Interface vpce-0a1"},
            "interface endpoint vpce-0a1",
            id="endpoint",
        ),
        pytest.param({"Description": "Interface for NAT Gateway nat-0b2"}, "NAT gateway nat-0b2", id="NAT"),
        pytest.param({"Description": "ELB net/prod-ext/9f"}, "load balancer net/prod-ext/9f", id="NLB"),
        pytest.param(
            {
                "InterfaceType": "lambda",
                "Description": "AWS Lambda VPC ENI-keeper-0a1b2c3d-1111-2222-3333-444455556666",
            },
            "Lambda function keeper",
            id="Lambda",
        ),
        pytest.param({"Description": "EFS mount target for fs-1 (fsmt-0c3)"}, "EFS mount target fsmt-0c3", id="EFS"),
        pytest.param({"Description": "by hand"}, "network interface “by hand”", id="described"),
        pytest.param({"InterfaceType": "efa"}, "efa eni-1", id="kind alone"),
        pytest.param(
            {"InterfaceType": "transit_gateway", "RequesterId": "amazon-x"},
            "transit gateway of amazon-x",
            id="requester",
        ),
        pytest.param({}, "network interface eni-1", id="nothing known"),
    ],
)
def test_holder(raw: dict[str, Any], holder: str) -> None:
    """A person who finds a wanted address taken is told by whom."""
    assert holder_of({"NetworkInterfaceId": "eni-1", **raw}) == holder


def test_an_instance_on_its_way_out() -> None:
    """EC2 leaves out what a shutting-down instance has no longer; times come as UTC."""
    launched = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    raw = {"InstanceId": "i-1", "State": {"Name": "shutting-down"}, "LaunchTime": launched}
    assert parse_instance(raw, "prod") == Instance(
        "i-1", "shutting-down", "", "", "", "", datetime(2026, 3, 1, 12, tzinfo=UTC), None, None
    )


def test_the_first_interface_is_the_one_as_returned() -> None:
    """The cloud network controller takes the first in EC2's order, whatever its device index."""
    raw = {
        "InstanceId": "i-1",
        "State": {"Name": "running"},
        "LaunchTime": datetime(2026, 3, 1, tzinfo=UTC),
        "NetworkInterfaces": [
            {"NetworkInterfaceId": "eni-z", "Attachment": {"DeviceIndex": 1}},
            {"NetworkInterfaceId": "eni-a", "Attachment": {"DeviceIndex": 0}},
        ],
    }
    assert parse_instance(raw, "prod").interface_id == "eni-z"


def test_an_interface_with_prefixes() -> None:
    """The primary address comes first, and delegated prefixes count as taken ranges."""
    raw = {
        "NetworkInterfaceId": "eni-1",
        "SubnetId": "subnet-1",
        "PrivateIpAddresses": [
            {"PrivateIpAddress": "10.0.0.9", "Primary": False},
            {"PrivateIpAddress": "10.0.0.5", "Primary": True},
        ],
        "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.0.16/28"}],
    }
    assert parse_interface(raw) == Interface(
        "eni-1",
        "subnet-1",
        None,
        (IPv4Address("10.0.0.5"), IPv4Address("10.0.0.9")),
        (IPv4Network("10.0.0.16/28"),),
        "network interface eni-1",
        tags={},
    )
