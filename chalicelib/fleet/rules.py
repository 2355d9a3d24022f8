"""How the fields of the fleet file fit together: what takes more than one place to judge.

Belongs here: rules over the plain values. Does not belong here: single fields (`model`).

The rules work on the values as they were read, not on the checked model, and pass over whatever has the wrong shape:
one mistyped field must not hide that an address was given away twice. Everything wrong is told at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from chalicelib.fleet.forms import DATE_TIME, OCM_ID, TIME_OF_DAY, WALL_CLOCK, ZONE
from chalicelib.fleet.problems import Path, field_path, shown

Found: TypeAlias = Iterator[tuple[Path, str]]

EACH = "*"


def broken_rules(values: object) -> Found:
    """Every rule that the file breaks, as the path to blame and what is allowed."""
    yield from _once(values, ("clusters", EACH, "name"), "cluster name")
    yield from _clusters_apart(values)
    for path, cluster in select(values, ("clusters", EACH)):
        if isinstance(cluster, dict):
            yield from _cluster_rules(values, path, cluster)
    for pattern in (("defaults", "maintenance", EACH), ("clusters", EACH, "maintenance", EACH)):
        for path, window in select(values, pattern):
            yield from _window(path, window)
    for selector in ("namespaces", "pods"):
        for path, requirement in select(
            values, ("clusters", EACH, "policies", EACH, selector, "matchExpressions", EACH)
        ):
            yield from _requirement(path, requirement)


def select(values: object, pattern: Path, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Places that match *pattern*, `*` standing for every item of a list; what has another shape matches nothing."""
    if len(at) == len(pattern):
        yield at, values
        return
    element = pattern[len(at)]
    if element == EACH:
        for index, item in enumerate(values if isinstance(values, list) else ()):
            yield from select(item, pattern, (*at, index))
    elif isinstance(element, int):
        if isinstance(values, list):
            yield from select(values[element], pattern, (*at, element))
    elif isinstance(values, dict) and element in values:
        yield from select(values[element], pattern, (*at, element))


def _texts(values: object, pattern: Path) -> Iterator[tuple[Path, str]]:
    return ((path, value) for path, value in select(values, pattern) if isinstance(value, str))


def _once(values: object, pattern: Path, what: str) -> Found:
    """No two places have the same text."""
    first: dict[str, Path] = {}
    for path, value in _texts(values, pattern):
        if value in first:
            yield path, f"{shown(path, value)} is at {field_path(first[value])} already: allowed is each {what} once"
        else:
            first[value] = path


def _cluster_rules(values: object, path: Path, cluster: dict[str, Any]) -> Found:
    if "region" not in cluster and not any(select(values, ("defaults", "region"))):
        yield path, "region is missing: allowed is an AWS Region here or in defaults"
    yield from _infra_id_known(path, cluster)
    yield from _once(values, (*path, "machine_pools", EACH, "name"), "machine pool")
    yield from _once(values, (*path, "policies", EACH, "name"), "policy name of a cluster")
    yield from _once(values, (*path, "policies", EACH, "addresses", EACH), "address of a cluster")
    yield from _pools_to_make(values, path, cluster)
    for at, policy in select(values, (*path, "policies", EACH)):
        if isinstance(policy, dict) and ("addresses" in policy) == ("per_zone" in policy):
            have = "both are there" if "addresses" in policy else "neither is there"
            yield at, f"{have}: allowed is either addresses or per_zone"


def _pools_to_make(values: object, path: Path, cluster: dict[str, Any]) -> Found:
    """What is made over OCM needs its credentials; where and how many is said once each; no name is given twice."""
    region = next((r for _, r in (*_texts(cluster, ("region",)), *_texts(values, ("defaults", "region")))), None)
    credentials = [*select(cluster, ("ocm", "credentials")), *select(values, ("defaults", "ocm", "credentials"))]
    names = {name for _, name in _texts(cluster, ("machine_pools", EACH, "name"))}
    for at, pool in select(values, (*path, "machine_pools", EACH)):
        create = pool.get("create") if isinstance(pool, dict) else None
        if not isinstance(create, dict):
            continue
        if "ocm" not in cluster or not credentials:
            yield (*at, "create"), "a machine pool is made over OCM: allowed only with ocm and its credentials"
        for one, other in (("zones", "subnets"), ("replicas", "autoscaling")):
            if (one in create) == (other in create):
                have = "both are there" if one in create else "neither is there"
                yield (*at, "create"), f"{have}: allowed is either {one} or {other}"
        yield from _bounds((*at, "create", "autoscaling"), create.get("autoscaling"))
        yield from _once(values, (*at, "create", "zones", EACH), "zone")
        yield from _once(values, (*at, "create", "subnets", EACH), "subnet")
        for where, zone in _texts(create, ("zones", EACH)):
            place = (*at, "create", *where)
            if not re.fullmatch(ZONE, zone):
                continue
            if region is not None and not zone.startswith(region):
                yield place, f"{shown(place, zone)} is in another Region: allowed is a zone of {region}"
            elif f"{pool.get('name')}-{zone[-1:]}" in names:
                # On HCP the zones of one entry become pools of these names.
                taken = f"{pool.get('name')}-{zone[-1:]}"
                yield place, f"{shown(place, zone)} becomes pool {taken} on HCP, which is listed too: allowed is once"


def _bounds(path: Path, autoscaling: object) -> Found:
    match autoscaling:
        case {"min": int(least), "max": int(most)} if least > most:
            yield path, f"min {least} is more than max {most}: allowed is a min up to max"


def _infra_id_known(path: Path, cluster: dict[str, Any]) -> Found:
    """The tag of the cluster's instances has to be known. A name in place of the id would find no instance at all."""
    if "infra_id" in cluster:
        return
    if "ocm" not in cluster:
        yield path, "infra_id is missing: allowed is to give it, or ocm.cluster (HCP)"
    for at, value in _texts(cluster, ("ocm", "cluster")):
        if not re.fullmatch(OCM_ID, value):
            allowed = "32 lower-case letters and digits (`rosa describe cluster`), or infra_id beside ocm"
            yield (*path, *at), f"{shown(at, value)} is no cluster id of OCM: allowed are {allowed}"


def _clusters_apart(values: object) -> Found:
    """Two entries for one cluster would undo each other's work, visit after visit."""
    default = next((region for _, region in _texts(values, ("defaults", "region"))), None)
    infra: dict[tuple[str, str], Path] = {}
    urls: dict[str, Path] = {}
    for path, cluster in select(values, ("clusters", EACH)):
        if not isinstance(cluster, dict):
            continue
        region = str(cluster.get("region", default))
        for at, infra_id in (*_texts(cluster, ("infra_id",)), *_texts(cluster, ("ocm", "cluster"))):
            first = infra.setdefault((infra_id, region), path)
            if first != path:
                same = f"and region {region} are those of {field_path(first)} already"
                yield (*path, *at), f"{shown(at, infra_id)} {same}: allowed is each cluster once"
        # On loopback (http) one server may stand in for many clusters.
        for at, url in _texts(cluster, ("api", "url")):
            first = urls.setdefault(url.rstrip("/").lower(), path)
            if first != path and url.startswith("https://"):
                where = field_path((*first, *at))
                yield (*path, *at), f"{shown(at, url)} is at {where} already: allowed is each cluster once"


def _window(path: Path, window: object) -> Found:
    """A window is one span between two dates, or comes on days of the week between two times."""
    if not isinstance(window, dict):
        return
    weekly = "days" in window
    form, what = (
        (TIME_OF_DAY, 'a time such as "22:00"') if weekly else (DATE_TIME, "a date with time, or days beside it")
    )
    both = {key: value for key in ("from", "until") if isinstance(value := window.get(key), str)}
    for key, value in both.items():
        if re.search(WALL_CLOCK, value) and not re.search(form, value):
            yield (
                (*path, key),
                f"{shown((*path, key), value)}: allowed {'with' if weekly else 'without'} days is {what}",
            )
    dates = not weekly and len(both) == 2 and all(re.search(DATE_TIME, value) for value in both.values())
    if dates and both["until"] <= both["from"]:
        yield (*path, "until"), f"{shown((*path, 'until'), both['until'])}: allowed is a time after from"


def _requirement(path: Path, requirement: object) -> Found:
    """In and NotIn compare with values, Exists and DoesNotExist do not (Kubernetes refuses both mistakes)."""
    if not isinstance(requirement, dict):
        return
    match requirement.get("operator"), requirement.get("values", []):
        case ("In" | "NotIn") as operator, []:
            yield path, f"values is missing or empty: allowed with {operator} is at least one value"
        case ("Exists" | "DoesNotExist") as operator, [_, *_]:
            yield (*path, "values"), f"is not empty: allowed with {operator} are no values"
