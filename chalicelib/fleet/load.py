"""The fleet file: read, checked, and turned into what the domain works with.

Belongs here: the two ways in (text, location) and the step from the file's model to domain values. Does not belong
here: the checks (`check` and what it uses).

YAML and pydantic are imported at the first call: functions that read no fleet file must not wait for them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.findings import Kind, Severity
from chalicelib.domain.pools import Scaling, Taint
from chalicelib.domain.quiet import Maintenance
from chalicelib.domain.spec import ApiSpec, ClusterSpec, Fleet, Mode, OcmSpec, PolicySpec, PoolSpec, SecretRef
from chalicelib.domain.spec import PoolCreation as PoolCreationSpec
from chalicelib.fleet.forms import DAYS, NONE
from chalicelib.fleet.problems import FleetError

if TYPE_CHECKING:
    from chalicelib.fleet.files import Files
    from chalicelib.fleet.model import Cluster, Defaults, LabelSelector, Policy, PoolCreation
    from chalicelib.fleet.model import Maintenance as Window

T = TypeVar("T")
D = TypeVar("D", ClusterSpec, OcmSpec)

S3 = "s3://"


def parse_fleet(text: str, origin: str, *, base_dir: Path | None) -> Fleet:
    """Read the text of a fleet file.

    Args:
        origin: How messages call the file.
        base_dir: What paths in the file are relative to; None for a file that is not on disk.

    Raises:
        FleetError: Every problem at once, one line each: `origin:line: field: value …: allowed …`.
    """
    from chalicelib.fleet.check import check_fleet
    from chalicelib.fleet.files import Files

    files = Files(base_dir)
    read = check_fleet(text, origin, files)
    return Fleet({cluster.name: _cluster(cluster, read.defaults, files) for cluster in read.clusters})


def parse_policies(text: str, origin: str) -> tuple[PolicySpec, ...]:
    """Read policies as a fleet file has them: one, a list of them, or both below the key `policies`.

    Raises:
        FleetError: The text is no such thing; every problem at once.
    """
    import yaml

    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FleetError(origin, f"is no YAML: {' '.join(str(error).split())}") from None
    read = read.get("policies", read) if isinstance(read, dict) else read
    policies = [read] if isinstance(read, dict) else read
    if not isinstance(policies, list) or not policies:
        raise FleetError(origin, "holds no policy: allowed is one policy of a fleet file, or a list of them")
    around = {
        "name": "what-if",
        "region": "us-east-1",
        "infra_id": "what-if",
        "api": {"url": "https://what-if.example:443", "token": "env:NONE"},
        "policies": policies,
    }
    fleet = parse_fleet(json.dumps({"clusters": [around]}, default=str, indent=1), origin, base_dir=None)
    return fleet.clusters["what-if"].policies


def load_fleet(location: str, fetch_s3: Callable[[str, str], str]) -> Fleet:
    """Read the fleet file at *location*, a path or `s3://bucket/key`.

    Args:
        fetch_s3: Gives the text of an object, by bucket and key.

    Raises:
        FleetError: The file is missing, may not be read, or is wrong.
        AdapterError: S3 could not be reached or asked us to slow down; later it may work.
    """
    if location.startswith(S3):
        return parse_fleet(_from_s3(location, fetch_s3), location, base_dir=None)
    path = Path(location)
    return parse_fleet(_from_disk(path, location), location, base_dir=path.parent)


def fleet_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the fleet file, as published in `docs/schemas/fleet-1.json`."""
    from chalicelib.fleet import schema as published

    return published.fleet_schema()


def _from_s3(location: str, fetch_s3: Callable[[str, str], str]) -> str:
    bucket, _, key = location.removeprefix(S3).partition("/")
    if not bucket or not key:
        raise FleetError(location, "is no place in S3: allowed is s3://BUCKET/KEY")
    try:
        return fetch_s3(bucket, key)
    except AdapterError as error:
        if error.retryable:
            raise
        raise FleetError(location, f"can't be read: {error.detail}") from error
    except UnicodeDecodeError:
        raise FleetError(location, "is no fleet file: allowed is YAML in UTF-8, at most 1 MiB") from None


def _from_disk(path: Path, location: str) -> str:
    from chalicelib.fleet.files import read_text

    try:
        return read_text(path)
    except OSError as error:
        raise FleetError(location, f"can't be read: {error.strerror}") from error
    except ValueError:
        raise FleetError(location, "is no fleet file: allowed is YAML in UTF-8, at most 1 MiB") from None


def _cluster(read: Cluster, defaults: Defaults, files: Files) -> ClusterSpec:
    """One cluster, with what it does not say taken from the defaults, and from the domain where they are silent too."""
    ocm = _ocm(read, defaults, files)
    role_arn = read.role_arn or defaults.role_arn
    cluster = ClusterSpec(
        name=read.name,
        region=read.region or defaults.region or "",
        infra_id=read.infra_id or (ocm.cluster if ocm else ""),
        api=_api(read, defaults, files),
        policies=tuple(_policy(policy) for policy in read.policies),
        machine_pools=tuple(PoolSpec(pool.name, _creation(pool.create)) for pool in read.machine_pools or ()),
        ocm=ocm,
        role_arn=None if role_arn == NONE else role_arn,
    )
    mode = read.mode or defaults.mode
    return _with(
        cluster,
        mode=None if mode is None else Mode(mode),
        max_change_share=_first(read.max_change_share, defaults.max_change_share),
        block_prefix=_first(read.block_prefix, defaults.block_prefix),
        maintenance=tuple(_maintenance(window) for window in _first(read.maintenance, defaults.maintenance) or ()),
    )


def _api(read: Cluster, defaults: Defaults, files: Files) -> ApiSpec:
    ca = read.api.ca or (defaults.api.ca if defaults.api else None)
    return ApiSpec(read.api.url.rstrip("/"), _secret(read.api.token, files), files.authorities(ca))


def _ocm(read: Cluster, defaults: Defaults, files: Files) -> OcmSpec | None:
    if read.ocm is None:
        return None
    shared = defaults.ocm
    credentials = read.ocm.credentials or (shared.credentials if shared else None)
    return _with(
        OcmSpec(read.ocm.cluster, None if credentials is None else _secret(credentials, files)),
        url=read.ocm.url or (shared.url if shared else None),
        token_url=read.ocm.token_url or (shared.token_url if shared else None),
    )


def _creation(read: PoolCreation | None) -> PoolCreationSpec | None:
    if read is None:
        return None
    if read.autoscaling is not None:
        scaling = Scaling(read.autoscaling.min, read.autoscaling.max, auto=True)
    else:
        scaling = Scaling(read.replicas or 0, read.replicas or 0, auto=False)
    return PoolCreationSpec(
        read.instance_type,
        scaling,
        zones=tuple(read.zones or ()),
        subnets=tuple(read.subnets or ()),
        taints=tuple(Taint(taint.key, taint.value, taint.effect) for taint in read.taints or ()),
        labels=tuple(sorted((read.labels or {}).items())),
    )


def _policy(read: Policy) -> PolicySpec:
    # A pod selector that selects every pod says the same as none, and the API server keeps none.
    pods = None if read.pods is None else _canonical(read.pods)
    return PolicySpec(
        name=read.name,
        namespace_selector=_canonical(read.namespaces),
        pod_selector=None if pods == "{}" else pods,
        addresses=tuple(IPv4Address(address) for address in read.addresses or ()),
        per_zone=read.per_zone,
    )


def _maintenance(read: Window) -> Maintenance:
    from zoneinfo import ZoneInfo

    def moment(text: str) -> datetime | time:
        return datetime.fromisoformat(text) if "T" in text else time.fromisoformat(text)

    return Maintenance(
        why=read.why.strip(),
        zone=ZoneInfo(read.time_zone or "UTC"),
        starts=moment(read.starts),
        ends=moment(read.until),
        days=frozenset(DAYS.index(day) for day in read.days or ()),
        kinds=frozenset(Kind(kind) for kind in read.kinds or ()),
        severities=frozenset(Severity(severity) for severity in read.severities or ()),
    )


def _canonical(selector: LabelSelector) -> str:
    """The selector as `EgressIpSpec` keeps it: sorted keys, no blanks, conditions in the order of the file."""
    values = selector.model_dump(by_alias=True, exclude_none=True)
    for requirement in values.get("matchExpressions", ()):
        if not requirement.get("values"):  # the API server does not keep an empty list
            requirement.pop("values", None)
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def _secret(place: str, files: Files) -> SecretRef:
    scheme, _, rest = place.partition(":")
    match scheme:
        case "file":
            return SecretRef(file=str(files.locate(rest)))
        case "env":
            return SecretRef(env=rest)
        case _:
            return SecretRef(secret_id=rest)


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)


def _with(spec: D, **values: Any) -> D:
    """The spec with those of *values* that are not None."""
    return replace(spec, **{name: value for name, value in values.items() if value is not None})
