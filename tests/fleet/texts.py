"""Fleet files for the tests: a small good one, changed by path, as text."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from chalicelib.domain.spec import Fleet
from chalicelib.fleet import FleetError, parse_fleet

GONE = object()
"""In place of a value: the field is taken away."""

OCM_ID = "2bh6ffvmaaai0bmkt7g179hsl02163f3"
PEM = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(b'certificate').decode()}\n-----END CERTIFICATE-----\n"

Changes = dict[tuple[str | int, ...], Any]


def cluster(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "region": "eu-central-1",
        "infra_id": f"{name}-x7k2p",
        "api": {"url": f"https://api.{name}.example.com:6443", "token": "env:TOKEN"},
        "policies": [policy()],
        **fields,
    }


def policy(name: str = "p", **fields: Any) -> dict[str, Any]:
    chosen = {} if "per_zone" in fields else {"addresses": ["10.0.0.9"]}
    return {"name": name, "namespaces": {"matchLabels": {"team": "red"}}, **chosen, **fields}


def fleet(*clusters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**fields, "clusters": list(clusters)}


def changed(changes: Changes) -> dict[str, Any]:
    """The small good file with values set, or taken away, by path."""
    made = fleet(cluster())
    for path, value in changes.items():
        place: Any = made
        for element in path[:-1]:
            place = place.setdefault(element, {}) if isinstance(place, dict) else place[element]
        if value is GONE:
            del place[path[-1]]
        elif isinstance(place, list) and path[-1] == len(place):
            place.append(value)
        else:
            place[path[-1]] = value
    return made


def parse(document: Any, *, base_dir: Path | None = None) -> Fleet:
    """Parse a document; JSON is YAML, with every text in quotes."""
    return parse_fleet(document if isinstance(document, str) else json.dumps(document), "f", base_dir=base_dir)


def problems(document: Any, *, base_dir: Path | None = None) -> list[str]:
    """The messages for a document, without the file's name; none for a good one."""
    try:
        parse(document, base_dir=base_dir)
    except FleetError as error:
        return [line.removeprefix("f:") for line in str(error).splitlines()]
    return []
