"""The fleet file: read, checked, and turned into what the domain works with.

Belongs here: the two ways in (text, location) and the step from the file's model to domain values. Does not belong here:
the checks (`fleet_check` and what it uses).

YAML and pydantic are imported at the first call: the command line and the functions import this module for its error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.spec import ApiSpec, ClusterSpec, Fleet, Mode, OcmSpec, PolicySpec, PoolSpec, SecretRef
from chalicelib.fleet_problems import FleetError, Problem
from chalicelib.fleet_problems import Path as FieldPath

if TYPE_CHECKING:
    from chalicelib.fleet_files import Files
    from chalicelib.fleet_model import Api, Cluster, Defaults, LabelSelector, Ocm, Policy

T = TypeVar("T")

S3 = "s3://"
MAX_BYTES = 1 << 20


def parse_fleet(text: str, origin: str, *, base_dir: Path | None) -> Fleet:
    """Read the text of a fleet file.

    Args:
        origin: How messages call the file.
        base_dir: What paths in the file are relative to; None for a file that is not on disk.

    Raises:
        FleetError: Every problem at once, one line each: `origin:line: field: value …: allowed …`.
    """
    from chalicelib.fleet_check import check_fleet
    from chalicelib.fleet_files import Files

    files = Files(base_dir)
    read, document = check_fleet(text, origin, files)
    del document
    defaults = read.defaults
    return Fleet({cluster.name: _cluster(cluster, defaults, files) for cluster in read.clusters})


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
    from chalicelib import fleet_schema as published

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
        raise FleetError(location, "is no text: allowed is YAML in UTF-8") from None


def _from_disk(path: Path, location: str) -> str:
    try:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise FleetError(location, f"is larger than {MAX_BYTES} bytes: allowed is at most 1 MiB")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise FleetError(location, f"can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise FleetError(location, "is no text: allowed is YAML in UTF-8") from None
