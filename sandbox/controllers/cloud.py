"""The twin's EC2 calls over the wire: one request of CNCC's becomes one call, its answer or error the twin's value."""

from __future__ import annotations

from typing import Any, assert_never

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.twin.ec2 import (
    Answer,
    AssignAddress,
    DescribeInstance,
    DescribeInstanceType,
    DescribeSubnet,
    Done,
    Ec2Error,
    InstanceView,
    Interface,
    Request,
    Subnet,
    TypeLimits,
    UnassignAddress,
)


def send(ec2: Any, request: Request) -> Answer:
    """Send one call with a boto3 client that does not retry: the twin has the SDK's retries itself."""
    try:
        return _send(ec2, request)
    except ClientError as error:
        metadata = error.response.get("ResponseMetadata", {})
        detail = error.response.get("Error", {})
        return Ec2Error(
            detail.get("Code", "InternalError"),
            detail.get("Message", ""),
            metadata.get("HTTPStatusCode", 500),
            metadata.get("RequestId", "<id>"),
        )
    except BotoCoreError as error:
        return Ec2Error("RequestError", str(error), 0)


def _send(ec2: Any, request: Request) -> Answer:
    match request:
        case DescribeInstance(instance):
            reservations = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
            found = reservations[0]["Instances"][0]
            first = next(iter(found.get("NetworkInterfaces") or ()), None)
            return InstanceView(found["InstanceType"], interface_of_answer(first) if first else None)
        case DescribeInstanceType(name):
            network = ec2.describe_instance_types(InstanceTypes=[name])["InstanceTypes"][0]["NetworkInfo"]
            return TypeLimits(network["Ipv4AddressesPerInterface"], network.get("Ipv6AddressesPerInterface", 0))
        case DescribeSubnet(name):
            subnet = ec2.describe_subnets(SubnetIds=[name])["Subnets"][0]
            ipv6: dict[str, Any] = next(iter(subnet.get("Ipv6CidrBlockAssociationSet") or ()), {})
            return Subnet(name, subnet.get("CidrBlock"), ipv6.get("Ipv6CidrBlock"))
        case AssignAddress(interface, address):
            if ":" in address:
                ec2.assign_ipv6_addresses(NetworkInterfaceId=interface, Ipv6Addresses=[address])
            else:
                ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=[address])
            return Done()
        case UnassignAddress(interface, address):
            if ":" in address:
                ec2.unassign_ipv6_addresses(NetworkInterfaceId=interface, Ipv6Addresses=[address])
            else:
                ec2.unassign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=[address])
            return Done()
        case _:
            assert_never(request)


def interface_of_answer(raw: dict[str, Any]) -> Interface:
    """An interface as DescribeInstances shows it: the primary address first, then the others, both families."""
    ordered = sorted(raw["PrivateIpAddresses"], key=lambda entry: not entry["Primary"])
    addresses = [entry["PrivateIpAddress"] for entry in ordered]
    addresses += [entry["Ipv6Address"] for entry in raw.get("Ipv6Addresses") or ()]
    return Interface(raw["NetworkInterfaceId"], raw["SubnetId"], tuple(addresses))
