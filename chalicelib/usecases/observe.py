"""Observe: read every section once, turn each failed read into `Unknown`, and never stop at the first.

The cluster API, EC2 and OCM are read side by side: none waits for another. What cannot even be asked for, because it
depends on a section that is unknown, is unknown for that reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from chalicelib.adapters.errors import AdapterError, NotFound
from chalicelib.adapters.ocm_answers import SOURCE as OCM
from chalicelib.domain.drift.contenders import (
    MOST_NAMESPACES,
    any_may_meet,
    contenders_of,
    label_keys,
    namespaces_in_question,
)
from chalicelib.domain.pools import OcmView
from chalicelib.domain.snapshot import (
    Cpic,
    EgressIp,
    Instance,
    Known,
    Labelled,
    Node,
    Selected,
    Snapshot,
    Subnet,
    Unknown,
)
from chalicelib.domain.spec import ClusterSpec
from chalicelib.usecases.ports import ClusterApi, Ec2, Ocm

T = TypeVar("T")


def observe(desired: ClusterSpec, cluster: ClusterApi, ec2: Ec2, now: datetime, ocm: Ocm | None = None) -> Snapshot:
    """Read the cluster, its AWS side, and OCM where it is configured.

    Raises nothing for outside trouble: it is in the snapshot.
    """
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="observe") as pool:
        cluster_side = pool.submit(_read_cluster, desired, cluster)
        ocm_side = pool.submit(_read_ocm, desired, ocm)
        instances = _read("instances", lambda: ec2.fetch_instances(desired.infra_id))
        subnets = _read_subnets(instances, ec2)
        interfaces = _per_subnet("network interfaces", subnets, ec2.fetch_interfaces)
        reservations = _per_subnet("subnet CIDR reservations", subnets, ec2.fetch_reservations)
        limits = _read_limits(instances, desired, ec2)
        nodes, egress_ips, cpics, selected = cluster_side.result()
        view = ocm_side.result()
    return Snapshot(now, nodes, egress_ips, cpics, instances, subnets, interfaces, reservations, limits, view, selected)


def _read_cluster(
    desired: ClusterSpec, cluster: ClusterApi
) -> tuple[Known[tuple[Node, ...]], Known[tuple[EgressIp, ...]], Known[tuple[Cpic, ...]], Known[Selected] | None]:
    """Objects before CPICs before nodes: whatever an earlier list names, a later one has seen at least as fresh."""
    egress_ips = _read("EgressIP objects", cluster.fetch_egress_ips)
    cpics = _read("CloudPrivateIPConfig objects", cluster.fetch_cpics)
    nodes = _read("nodes", cluster.fetch_nodes)
    dark = isinstance(nodes, Unknown) or isinstance(cpics, Unknown)  # then nothing will be said of overlaps either
    return nodes, egress_ips, cpics, None if dark else _read_selected(desired, cluster, egress_ips)


def _read_selected(
    desired: ClusterSpec, cluster: ClusterApi, egress_ips: Known[tuple[EgressIp, ...]]
) -> Known[Selected] | None:
    """Labels of namespaces, and of pods where only they tell; None where no two EgressIPs can select the same pod."""
    if isinstance(egress_ips, Unknown) or len(egress_ips) < 2:
        return None
    contenders = contenders_of(egress_ips, desired.policies)
    if not any_may_meet(contenders):
        return None
    namespace_keys, pod_keys = label_keys(contenders)
    namespaces = _read("namespaces", lambda: cluster.fetch_namespaces(namespace_keys))
    if isinstance(namespaces, Unknown):
        return namespaces
    asked = namespaces_in_question(contenders, namespaces)
    read = asked[:MOST_NAMESPACES]
    pods: Known[Mapping[str, tuple[Labelled, ...]]] = {}
    if read:
        pods = _read("pods", lambda: cluster.fetch_pods(read, pod_keys))
    return Selected(namespaces, pods, skipped=len(asked) - len(read))


def _read_ocm(desired: ClusterSpec, ocm: Ocm | None) -> Known[OcmView] | None:
    """The cluster and its pools in OCM; None where it is not configured. A cluster that is not ready has its pools."""
    if ocm is None or desired.ocm is None:
        return None
    cluster_id = desired.ocm.cluster

    try:
        cluster = ocm.fetch_cluster(cluster_id)
    except AdapterError as error:
        why = error.detail
        if isinstance(error, NotFound) and error.source == OCM:  # the credentials' secret may be what is not found
            why = f"ocm.cluster: {cluster_id!r}: OCM has no such cluster, or does not show it with these credentials"
        return Unknown("machine pools", why, error.source, error.retryable)
    return _read("machine pools", lambda: OcmView(cluster, ocm.fetch_pools(cluster)))


def _read_subnets(instances: Known[tuple[Instance, ...]], ec2: Ec2) -> Known[tuple[Subnet, ...]]:
    """Every subnet of the VPC, not only those with nodes: an address once given is found where nodes are gone."""
    if isinstance(instances, Unknown):
        return replace(instances, what="subnets")
    vpc_ids = sorted({instance.vpc_id for instance in instances} - {""})  # an instance on its way out has none
    if not vpc_ids:
        return Unknown("subnets", "no instance of the cluster runs, so its VPC is not known", "EC2")
    return _read("subnets", lambda: ec2.fetch_subnets(vpc_ids))


def _per_subnet(
    what: str, subnets: Known[tuple[Subnet, ...]], fetch: Callable[[list[str]], tuple[T, ...]]
) -> Known[tuple[T, ...]]:
    if isinstance(subnets, Unknown):
        return replace(subnets, what=what)
    return _read(what, lambda: fetch([subnet.id for subnet in subnets]))


def _read_limits(instances: Known[tuple[Instance, ...]], desired: ClusterSpec, ec2: Ec2) -> Known[Mapping[str, int]]:
    """Of the types that run, and of those that machine pools are to be made with."""
    if isinstance(instances, Unknown):
        return replace(instances, what="address limits of instance types")
    wished = {pool.create.instance_type for pool in desired.machine_pools if pool.create is not None}
    types = sorted({instance.type for instance in instances} - {""} | wished)
    return _read("address limits of instance types", lambda: ec2.fetch_address_limits(types))


def _read(what: str, fetch: Callable[[], T]) -> Known[T]:
    """The section, or why it could not be read."""
    try:
        return fetch()
    except AdapterError as error:
        return Unknown(what, error.detail, error.source, error.retryable)
