"""Addresses as the platform writes them: text. Parsing, subnet membership, object names.

Belongs here: what Go's `net.ParseIP` accepts and prints, and the naming rule of CloudPrivateIPConfig. Addresses stay
canonical text throughout the twin, because that is what every one of the real programs compares and keys by.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


@lru_cache(maxsize=65536)
def canonical(text: str) -> str | None:
    """*text* as Go prints it after `net.ParseIP`, or None where Go refuses it (CIDR, zone, leading zeros, garbage)."""
    if "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


@lru_cache(maxsize=65536)
def number(address: str) -> tuple[int, int]:
    """A canonical address as (IP version, integer): the order in which people list addresses."""
    parsed = ip_address(address)
    return parsed.version, int(parsed)


@lru_cache(maxsize=4096)
def _bounds(subnet: str) -> tuple[int, int, int]:
    network = ip_network(subnet)
    return network.version, int(network.network_address), int(network.broadcast_address)


def contains(subnet: str | None, address: str) -> bool:
    """Whether *subnet* (CIDR, or None for none) contains the canonical *address*."""
    if subnet is None:
        return False
    version, low, high = _bounds(subnet)
    family, value = number(address)
    return family == version and low <= value <= high


def reserved_by_aws(subnet: str, address: str) -> bool:
    """Whether EC2 keeps *address* for itself: the first four addresses of an IPv4 subnet, and the last."""
    version, low, high = _bounds(subnet)
    return version == 4 and number(address)[1] in (low, low + 1, low + 2, low + 3, high)


def is_ipv4(address: str) -> bool:
    """Whether a canonical address is IPv4."""
    return ":" not in address


def host_address(cidr: str) -> str:
    """The address part of an entry of `k8s.ovn.org/host-cidrs`, canonical where it is an address at all."""
    text = cidr.partition("/")[0]
    return canonical(text) or text


def cpic_name(address: str) -> str:
    """The name of the CloudPrivateIPConfig of *address*: IPv4 as it is, IPv6 fully expanded with dots for colons."""
    parsed = ip_address(address)
    return address if isinstance(parsed, IPv4Address) else parsed.exploded.replace(":", ".")


def cpic_address(name: str) -> str:
    """The canonical address that a CloudPrivateIPConfig of this name is for. ValueError if it is no such name."""
    return str(ip_address(name if name.count(".") == 3 else name.replace(".", ":")))
