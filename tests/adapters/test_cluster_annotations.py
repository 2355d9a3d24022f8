"""The two node annotations that decide about egress, in every form people and programs give them."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.cluster_parse import parse_egress_config, parse_host_addresses
from chalicelib.domain.snapshot import EgressIpConfig, Unreadable

GOOD = [{"interface": "eni-1", "ifaddr": {"ipv4": "10.0.128.0/18"}, "capacity": {"ipv4": 14, "ipv6": 15}}]


def entry(**changes: Any) -> str:
    """The usual annotation with some keys changed; None drops the key."""
    changed = {**GOOD[0], **changes}
    return json.dumps([{key: value for key, value in changed.items() if value is not None}])


SUBNET = IPv4Network("10.0.128.0/18")


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        pytest.param(json.dumps(GOOD), EgressIpConfig("eni-1", SUBNET, 14, 15), id="the usual"),
        pytest.param(
            json.dumps([*GOOD, {"interface": "eni-2"}]), EgressIpConfig("eni-1", SUBNET, 14, 15), id="first counts"
        ),
        pytest.param(entry(capacity={"ipv6": 15}), EgressIpConfig("eni-1", SUBNET, None, 15), id="ipv4 absent"),
        pytest.param(entry(capacity={"ipv4": None}), EgressIpConfig("eni-1", SUBNET, None), id="ipv4 null"),
        pytest.param(entry(capacity=None), EgressIpConfig("eni-1", SUBNET, None), id="capacity absent"),
        pytest.param(entry(capacity={"ipv4": 0}), EgressIpConfig("eni-1", SUBNET, 0), id="zero"),
        pytest.param(entry(capacity={"ipv4": -2}), EgressIpConfig("eni-1", SUBNET, -2), id="negative"),
        pytest.param(entry(ifaddr={"ipv6": "fd00::/64"}), EgressIpConfig("eni-1", None, 14, 15), id="IPv6 only"),
        pytest.param(
            entry(ifaddr={"ipv4": "10.0.130.7/18"}), EgressIpConfig("eni-1", SUBNET, 14, 15), id="host bits in it"
        ),
        pytest.param(None, Unreadable("annotation is missing"), id="missing"),
        pytest.param("", Unreadable("annotation is empty"), id="empty"),
        pytest.param("  ", Unreadable("annotation is empty"), id="blank"),
        pytest.param("null", Unreadable("annotation is null"), id="null"),
        pytest.param("[{", Unreadable("annotation is not JSON"), id="not JSON"),
        pytest.param("[" * 100_000, Unreadable("annotation is not JSON"), id="nested beyond reason"),
        pytest.param(json.dumps(GOOD[0]), Unreadable("annotation is not a list"), id="object"),
        pytest.param("7", Unreadable("annotation is not a list"), id="number"),
        pytest.param("[]", Unreadable("annotation is an empty list"), id="empty list"),
        pytest.param("[null]", Unreadable("its first entry is not an object"), id="list of null"),
        pytest.param(entry(interface=None), Unreadable("interface is missing"), id="no interface"),
        pytest.param(entry(interface=""), Unreadable("interface is missing"), id="empty interface"),
        pytest.param(entry(ifaddr=None), Unreadable("ifaddr names no subnet"), id="no ifaddr"),
        pytest.param(entry(ifaddr={}), Unreadable("ifaddr names no subnet"), id="empty ifaddr"),
        pytest.param(entry(ifaddr="10.0.0.0/8"), Unreadable("ifaddr names no subnet"), id="ifaddr a text"),
        pytest.param(
            entry(ifaddr={"ipv4": "x"}), Unreadable('ifaddr.ipv4 is not a subnet: "x"'), id="subnet not an address"
        ),
        pytest.param(entry(capacity=[14]), Unreadable("capacity is not an object"), id="capacity a list"),
        pytest.param(
            entry(capacity={"ipv4": "14"}), Unreadable('capacity.ipv4 is not a whole number: "14"'), id="text"
        ),
        pytest.param(
            entry(capacity={"ipv4": 14.0}), Unreadable("capacity.ipv4 is not a whole number: 14.0"), id="float"
        ),
        pytest.param(
            entry(capacity={"ipv4": True}), Unreadable("capacity.ipv4 is not a whole number: true"), id="boolean"
        ),
    ],
)
def test_egress_config(annotation: str | None, expected: EgressIpConfig | Unreadable) -> None:
    """Every form of the annotation gives a value, or the reason in words: no form stops a visit."""
    assert parse_egress_config(annotation) == expected


@given(st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                                lambda inner: st.lists(inner) | st.dictionaries(
                                    st.sampled_from(["interface", "ifaddr", "capacity", "ipv4", "ipv6"]), inner),
                                max_leaves=8).map(json.dumps))  # fmt: skip
def test_no_egress_config_raises(annotation: str) -> None:
    """Whatever people write into the annotation, reading it gives a value."""
    assert isinstance(parse_egress_config(annotation), EgressIpConfig | Unreadable)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        pytest.param('["10.0.0.5/18","fd00::5/64","10.0.0.4/18"]', ("10.0.0.4", "10.0.0.5"), id="both families"),
        pytest.param('["fd00::5/64"]', (), id="IPv6 only"),
        pytest.param("[]", (), id="empty list"),
        pytest.param('["10.0.0.5"]', ("10.0.0.5",), id="no prefix length"),
        pytest.param(None, None, id="missing"),
        pytest.param("", None, id="empty"),
        pytest.param("null", None, id="null"),
        pytest.param("10.0.0.5/18", None, id="not JSON"),
        pytest.param('["10.0.0.5/18","x"]', None, id="one not an address"),
        pytest.param('["10.0.0.5/18",7]', None, id="one not a text"),
        pytest.param('{"10.0.0.5/18":1}', None, id="object"),
        pytest.param("7", None, id="number"),
    ],
)
def test_host_addresses(annotation: str | None, expected: tuple[str, ...] | None) -> None:
    """Host addresses are all of them or none: half a list would let an egress address collide with the other half."""
    parsed = parse_host_addresses(annotation)
    assert (None if parsed is None else tuple(str(address) for address in parsed)) == expected
