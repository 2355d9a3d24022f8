"""What a sandbox cluster consists of, and reading it from a YAML file.

::

    name: payments                      # the cluster's name; everything below may be left out
    flavour: hcp                        # or classic
    zones: {eu-central-1a: 10.10.100.0/24, eu-central-1b: 10.10.150.0/24}
    pools:
      - {name: workers-a, zones: [eu-central-1a], replicas: 2, instance_type: m5.xlarge}
      - {name: egress-b, zones: [eu-central-1b], replicas: 1, labels: {k8s.ovn.org/egress-assignable: ""}}
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

POOL_NAME = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"  # OCM's rule for ids of machine pools


class ScenarioError(Exception):
    """A scenario file that cannot be read or used; the message names file, field and what is wrong."""


class Flavour(StrEnum):
    """The two kinds of ROSA, which tag, name and label differently."""

    HCP = "hcp"
    CLASSIC = "classic"


class PoolSpec(BaseModel):
    """One machine pool. HCP pools lie in one zone; classic ones may span several, with their replicas spread evenly."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=POOL_NAME, max_length=54)]
    zones: Annotated[tuple[str, ...], Field(min_length=1)]
    replicas: Annotated[int, Field(ge=0)] = 1
    instance_type: str = "m5.xlarge"
    labels: dict[str, str] = {}


_GUIDE_ZONES = {
    "eu-central-1a": IPv4Network("10.10.100.0/24"),
    "eu-central-1b": IPv4Network("10.10.150.0/24"),
    "eu-central-1c": IPv4Network("10.10.200.0/24"),
}
"""The three subnets of Red Hat's guide on egress IPs."""


class Scenario(BaseModel):
    """One cluster. Without pools there is one of two nodes in each zone (HCP) or one over all zones (classic)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=POOL_NAME, max_length=54)] = "sandbox"
    flavour: Flavour = Flavour.HCP
    openshift_version: str = "4.20.3"
    kubernetes_version: str = "v1.33.5"
    vpc: IPv4Network = IPv4Network("10.10.0.0/16")
    zones: Annotated[dict[str, IPv4Network], Field(min_length=1)] = _GUIDE_ZONES
    pools: tuple[PoolSpec, ...] = ()
    node_bytes: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Pad every Node object to about this many bytes of JSON; about 13,000 is what a real one has."""

    @model_validator(mode="after")
    def _pools_fit(self) -> Self:
        names = [pool.name for pool in self.pools]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"pools: {', '.join(repeated)} is there twice")
        for pool in self.pools:
            if unknown := sorted(set(pool.zones) - set(self.zones)):
                raise ValueError(f"pools: {pool.name} is in {', '.join(unknown)}, which is not among the zones")
            if self.flavour is Flavour.HCP and len(pool.zones) > 1:
                raise ValueError(f"pools: {pool.name}: an HCP pool lies in one zone")
        for zone, network in self.zones.items():
            if not network.subnet_of(self.vpc):
                raise ValueError(f"zones: {zone}: {network} is not in the VPC {self.vpc}")
        return self

    @property
    def region(self) -> str:
        """The region of the zones."""
        return next(iter(self.zones)).rstrip("abcdef")

    @property
    def all_pools(self) -> tuple[PoolSpec, ...]:
        """The pools, or the default ones."""
        if self.pools:
            return self.pools
        if self.flavour is Flavour.CLASSIC:
            return (PoolSpec(name="worker", zones=tuple(self.zones), replicas=2 * len(self.zones)),)
        return tuple(PoolSpec(name=f"workers-{i}", zones=(zone,), replicas=2) for i, zone in enumerate(self.zones))

    @property
    def cluster_id(self) -> str:
        """OCM's id: 32 lower-case letters and digits, always the same for one name."""
        digest = hashlib.sha256(f"cluster {self.name}".encode()).digest()
        alphabet = "0123456789abcdefghijklmnopqrstuv"
        return "2" + "".join(alphabet[byte % 32] for byte in digest)[:31]

    @property
    def infra_id(self) -> str:
        """What tags and names on AWS are built from: OCM's id on HCP, `<name>-<5>` on classic."""
        if self.flavour is Flavour.HCP:
            return self.cluster_id
        return f"{self.name[:21].rstrip('-')}-{hashlib.sha256(self.name.encode()).hexdigest()[:5]}"


def load_scenario(path: Path) -> Scenario:
    """The scenario in the YAML file *path*. Raises ScenarioError with one line for each thing that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict | None):
        raise ScenarioError(f"{path}: a mapping is expected, not {type(content).__name__}")
    try:
        return Scenario.model_validate(content or {})
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, fault['loc'])) or 'scenario'}: {fault['msg']}" for fault in error.errors()]
        raise ScenarioError("\n".join(f"{path}: {line}" for line in lines)) from error
