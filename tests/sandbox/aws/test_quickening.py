"""Quicker is not different: moto's own answers, with and without what quickens them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto.core.serialize import EC2Serializer
from moto.core.utils import get_service_model

from sandbox.aws import AwsSandbox
from sandbox.aws.correction import Correction, install
from sandbox.aws.quickening import CORRECTIONS
from tests.sandbox.aws.conftest import Net

MOTO_S_OWN = {c.name: vars(c.owner)[c.name] for c in CORRECTIONS}

NAMES = st.sampled_from(["item", "Code", "a1", "tagSet", "strange name", "@xmlns", "#text", "né", "x-y"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just("")
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4) | st.tuples(inner),
    max_leaves=12,
)


def told(write: Any, body: Any) -> str:
    serializer = EC2Serializer(get_service_model("ec2").operation_model("DescribeSubnets"))
    try:
        return str(write(serializer, body))
    except (ValueError, TypeError, AttributeError) as error:
        return repr(error)


@given(st.dictionaries(NAMES, BODIES, max_size=2))
def test_an_answer_is_written_letter_by_letter_as_moto_writes_it(body: dict[str, Any]) -> None:
    """Names, order, empty elements and escapes; what moto refuses is refused in its words."""
    own = MOTO_S_OWN["_serialize_body"]
    quick = next(c for c in CORRECTIONS if c.name == "_serialize_body").make(own)
    assert told(quick, body) == told(own, body)


def answers(aws: AwsSandbox, net: Net) -> list[Any]:
    ec2 = aws.client("ec2")
    calls = [
        ec2.describe_instances,
        ec2.describe_network_interfaces,
        ec2.describe_subnets,
        ec2.describe_vpcs,
        ec2.describe_tags,
        ec2.describe_security_groups,
        lambda: ec2.describe_instance_types(InstanceTypes=["m5.large"]),
        lambda: ec2.get_subnet_cidr_reservations(SubnetId=net.subnet),
    ]
    return [{key: value for key, value in call().items() if key != "ResponseMetadata"} for call in calls]


def given_back(correction: Correction) -> Correction:
    """moto's own again."""
    own = MOTO_S_OWN[correction.name]
    return replace(correction, make=lambda _quick: own)


def refusal(aws: AwsSandbox) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        aws.client("ec2").describe_subnets(SubnetIds=["subnet-0123456789abcdef0"])
    return dict(caught.value.response["Error"])


def test_members_are_found_where_moto_finds_them(aws: AwsSandbox, net: Net) -> None:
    """Every member of every answer, asked again when its place is known, and a refusal."""
    net.launch(TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "<b> & c"}]}])
    aws.client("ec2").create_subnet_cidr_reservation(SubnetId=net.subnet, Cidr="10.0.1.16/28", ReservationType="prefix")
    quick = answers(aws, net)
    aws.kept.let_go()
    quick_again, refused = answers(aws, net), refusal(aws)
    aws.kept.let_go()
    restore = install(map(given_back, CORRECTIONS))
    try:
        assert answers(aws, net) == quick == quick_again
        assert refusal(aws) == refused
    finally:
        restore()
        aws.kept.let_go()
    assert answers(aws, net) == quick
