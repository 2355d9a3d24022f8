"""OCM's JSON as values of `domain.pools`, and new pools as the JSON that `rosa` would send. Pure functions.

What is absent, null or empty is the same to OCM. What has another type than it should is not: a map of labels that
cannot be read must not look like no labels, or the next PATCH would drop them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.pools import MachinePool, NewPool, OcmCluster, Scaling, Taint


class Unreadable(Exception):
    """The answer does not have the form that OCM's API defines; the text names the field."""


def parse_cluster(item: Mapping[str, Any]) -> OcmCluster:
    """A `Cluster`. Raises Unreadable."""
    cluster_id = _text(item, "id")
    if item.get("kind") != "Cluster" or not cluster_id:
        raise Unreadable("it is not a Cluster")
    hosted = _object(item, "hypershift").get("enabled") is True
    version = _text(item, "openshift_version") or _text(_object(item, "version"), "raw_id")
    return OcmCluster(
        id=cluster_id,
        name=_text(item, "name"),
        infra_id=_text(item, "infra_id") or (cluster_id if hosted else ""),
        hosted=hosted,
        state=_text(item, "state") or "unknown",
        multi_az=item.get("multi_az") is True,
        region=_text(_object(item, "region"), "id"),
        version=version,
        subnet_ids=_texts(_object(item, "aws"), "subnet_ids"),
        zones=_texts(_object(item, "nodes"), "availability_zones"),
    )


def parse_pool(item: Mapping[str, Any], *, hosted: bool) -> MachinePool:
    """A `NodePool` (*hosted*) or a `MachinePool`. Raises Unreadable."""
    kind, name = ("NodePool" if hosted else "MachinePool"), _text(item, "id")
    if item.get("kind") != kind or not name:
        raise Unreadable(f"it is not a {kind}")
    if hosted:
        instance_type = _text(_object(item, "aws_node_pool"), "instance_type")
        zones, subnets = _single(item, "availability_zone"), _single(item, "subnet")
    else:
        instance_type = _text(item, "instance_type")
        zones, subnets = _texts(item, "availability_zones"), _texts(item, "subnets")
    return MachinePool(
        name=name,
        labels=_labels(item),
        instance_type=instance_type,
        scaling=_scaling(item, hosted=hosted),
        zones=zones,
        subnets=subnets,
        taints=_taints(item),
    )


def pool_body(pool: NewPool, *, hosted: bool) -> dict[str, Any]:
    """The body that makes *pool*, field by field as the recorded `rosa create machinepool` sends it.

    Raises:
        ValueError: An HCP pool without a subnet, or with a zone beside it.
    """
    body: dict[str, Any] = {
        "kind": "NodePool" if hosted else "MachinePool",
        "id": pool.name,
        "labels": dict(pool.labels),
        "taints": [{"key": t.key, "value": t.value, "effect": t.effect} for t in pool.taints],
        **_scaling_body(pool.scaling, hosted=hosted),
    }
    if hosted:
        if pool.subnet is None or pool.zone is not None:
            raise ValueError(f"{pool.name}: an HCP pool is made in one subnet, not in a zone")
        aws = {"kind": "AWSNodePool", "instance_type": pool.instance_type}
        return {**body, "aws_node_pool": aws, "auto_repair": True, "subnet": pool.subnet}
    place: dict[str, Any] = {}
    if pool.subnet is not None:
        place = {"subnets": [pool.subnet]}
    elif pool.zone is not None:
        place = {"availability_zones": [pool.zone]}
    return {**body, "aws": {"kind": "AWSMachinePool"}, "instance_type": pool.instance_type, **place}


def _scaling_body(scaling: Scaling, *, hosted: bool) -> dict[str, Any]:
    if not scaling.auto:
        return {"replicas": scaling.least}
    least, most = _bounds(hosted=hosted)
    kind = "NodePoolAutoscaling" if hosted else "MachinePoolAutoscaling"
    return {"autoscaling": {"kind": kind, least: scaling.least, most: scaling.most}}


def _bounds(*, hosted: bool) -> tuple[str, str]:
    """The members of `autoscaling`: singular on HCP."""
    return ("min_replica", "max_replica") if hosted else ("min_replicas", "max_replicas")


def _scaling(item: Mapping[str, Any], *, hosted: bool) -> Scaling:
    """`autoscaling` wins where it is present, even empty; OCM shows `replicas` only without it."""
    if item.get("autoscaling") is not None:
        limits = _object(item, "autoscaling")
        least, most = (_count(limits, name) for name in _bounds(hosted=hosted))
        return Scaling(least, most, auto=True)
    replicas = _count(item, "replicas")
    return Scaling(replicas, replicas, auto=False)


def _labels(item: Mapping[str, Any]) -> dict[str, str]:
    labels = _object(item, "labels")
    for key, value in labels.items():
        if not isinstance(value, str):
            raise Unreadable(f"the value of label {key} is not a text")
    return dict(sorted(labels.items()))


def _taints(item: Mapping[str, Any]) -> tuple[Taint, ...]:
    taints = item.get("taints") or []
    if not isinstance(taints, list) or not all(isinstance(taint, dict) for taint in taints):
        raise Unreadable("taints is not a list of objects")
    return tuple(sorted(Taint(_text(t, "key"), _text(t, "value"), _text(t, "effect")) for t in taints))


def _object(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = item.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is not an object")
    return value


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{name} is not a text")
    return value


def _single(item: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = _text(item, name)
    return (value,) if value else ()


def _texts(item: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = item.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Unreadable(f"{name} is not a list of texts")
    return tuple(values)


def _count(item: Mapping[str, Any], name: str) -> int:
    value = item.get(name)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Unreadable(f"{name} is not a number of 0 or more")
    return value
