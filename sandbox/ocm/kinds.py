"""Machine pools (classic) and node pools (HCP): their fields, and what OCM accepts in them. Pure functions.

Where OCM's own answer to nonsense is not known, this refuses: the product should never send it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.ocm.errors import bad_request
from sandbox.rosa.scenario import POOL_NAME, Flavour

_LABEL_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_EFFECTS = frozenset({"NoSchedule", "NoExecute", "PreferNoSchedule"})


@dataclass(frozen=True)
class PoolKind:
    """What differs between the two.

    Attributes:
        collection: Last part of the list's path.
        words: In sentences.
        least, most: The members of `autoscaling`.
        fields: What a request may carry.
        fixed: What a PATCH cannot change.
    """

    flavour: Flavour
    collection: str
    kind: str
    words: str
    least: str
    most: str
    fields: frozenset[str]
    fixed: frozenset[str]


_BOTH = {"kind", "id", "href", "labels", "taints", "replicas", "autoscaling"}

CLASSIC = PoolKind(
    Flavour.CLASSIC,
    "machine_pools",
    "MachinePool",
    "Machine pool",
    "min_replicas",
    "max_replicas",
    frozenset(
        {*_BOTH, "aws", "availability_zones", "instance_type", "root_volume", "security_group_filters", "subnets"}
    ),
    frozenset({"instance_type", "availability_zones", "subnets", "root_volume"}),
)
HCP = PoolKind(
    Flavour.HCP,
    "node_pools",
    "NodePool",
    "Node pool",
    "min_replica",
    "max_replica",
    frozenset(
        {
            *_BOTH,
            "auto_repair",
            "availability_zone",
            "aws_node_pool",
            "image_type",
            "kubelet_configs",
            "management_upgrade",
            "node_drain_grace_period",
            "subnet",
            "tuning_configs",
            "version",
        }
    ),
    frozenset({"availability_zone", "subnet", "image_type"}),
)
KINDS = {kind.flavour: kind for kind in (CLASSIC, HCP)}


@dataclass(frozen=True)
class Size:
    """How many machines a pool is to have: `least` = `most` where nothing scales it."""

    least: int
    most: int
    automatic: bool

    def replicas(self, now: int) -> int:
        """The number of machines, where there are *now* so many."""
        return min(max(now, self.least), self.most)


def check_fields(kind: PoolKind, body: Any) -> Mapping[str, Any]:
    """*body* as an object with fields of *kind* only. Raises OcmError 400."""
    if not isinstance(body, dict):
        raise bad_request("The request body isn't a JSON object")
    if unknown := sorted(body.keys() - kind.fields):
        raise bad_request(f"{kind.kind} has no field '{unknown[0]}'")
    if "labels" in body:
        _check_labels(body["labels"])
    if "taints" in body:
        _check_taints(body["taints"])
    return body


def check_id(kind: PoolKind, pool_id: Any) -> str:
    """The id of a new pool. Raises OcmError 400."""
    if not isinstance(pool_id, str) or not re.fullmatch(POOL_NAME, pool_id):
        raise bad_request(f"{kind.words} id '{pool_id}' isn't valid: it must match {POOL_NAME}")
    return pool_id


def size_in(kind: PoolKind, body: Mapping[str, Any], zone_count: int) -> Size | None:
    """The size that *body* asks for, None where it says nothing about it.

    Raises:
        OcmError: 400 for `replicas` beside `autoscaling`, for numbers that make no sense, and on classic for a pool of
            several zones that cannot be spread evenly.
    """
    if "replicas" in body and "autoscaling" in body:
        raise bad_request("Attributes 'replicas' and 'autoscaling' cannot be used together")
    if "replicas" in body:
        replicas = _count(body["replicas"], "replicas")
        size = Size(replicas, replicas, automatic=False)
    elif "autoscaling" in body:
        limits = body["autoscaling"]
        if not isinstance(limits, dict):
            raise bad_request("Attribute 'autoscaling' must be an object")
        least, most = (_count(limits.get(name), f"autoscaling.{name}") for name in (kind.least, kind.most))
        if least > most:
            raise bad_request(f"'autoscaling.{kind.least}' must not be above 'autoscaling.{kind.most}'")
        size = Size(least, most, automatic=True)
    else:
        return None
    if kind is CLASSIC and zone_count > 1 and (size.least % zone_count or size.most % zone_count):
        raise bad_request(f"A multi AZ machine pool needs a multiple of {zone_count} replicas")
    return size


def instance_type_in(kind: PoolKind, body: Mapping[str, Any]) -> str:
    """The instance type. Raises OcmError 400 where there is none."""
    holder = body if kind is CLASSIC else body.get("aws_node_pool")
    found = holder.get("instance_type") if isinstance(holder, dict) else None
    if not isinstance(found, str) or not found:
        raise bad_request(f"Attribute '{'' if kind is CLASSIC else 'aws_node_pool.'}instance_type' is mandatory")
    return found


def _check_labels(labels: Any) -> None:
    """A map of Kubernetes labels; null is not one (what OCM makes of it is not known)."""
    if not isinstance(labels, dict):
        raise bad_request("Attribute 'labels' must be an object")
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if not _LABEL_NAME.fullmatch(name) or (slash and not _LABEL_PREFIX.fullmatch(prefix)):
            raise bad_request(f"Label key '{key}' isn't valid")
        if not isinstance(value, str) or (value and not _LABEL_NAME.fullmatch(value)):
            raise bad_request(f"Value '{value}' of label '{key}' isn't valid")


def _check_taints(taints: Any) -> None:
    if not isinstance(taints, list) or not all(isinstance(taint, dict) for taint in taints):
        raise bad_request("Attribute 'taints' must be a list of objects")
    for taint in taints:
        if not taint.get("key") or taint.get("effect") not in _EFFECTS:
            raise bad_request(f"Taint '{taint.get('key')}' needs a key, and one of {', '.join(sorted(_EFFECTS))}")


def _count(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise bad_request(f"Attribute '{name}' must be a number of 0 or more")
    return value
