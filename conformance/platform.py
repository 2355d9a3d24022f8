"""What OpenShift adds to the API server for EgressIP: two CRDs and, from 4.22, an admission policy.

They are the platform's own files and not part of this project: they are read from `KEEPER_SHARED_DATA`, or from
`../shared/data` beside the project. Where they are absent, objects of our own making stand in (`stand_ins`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from conformance import stand_ins

PROJECT = Path(__file__).resolve().parent.parent
FILES = ("egressips.crd.yaml", "cloudprivateipconfigs.crd.yaml", "egressip-admission-policy.yaml")


@dataclass(frozen=True)
class Platform:
    """The objects to create on a fresh server, and where they come from in words."""

    objects: tuple[Mapping[str, Any], ...]
    origin: str


def find_platform(environment: Mapping[str, str] = os.environ) -> Platform:
    """The platform's own objects, or the stand-ins where their files are not there."""
    directory = Path(environment.get("KEEPER_SHARED_DATA") or PROJECT.parent / "shared" / "data")
    if not all((directory / name).is_file() for name in FILES):
        origin = f"STAND-INS of our own: the platform's CRDs and admission policy are not in {directory}"
        return Platform(stand_ins.objects(), origin)
    texts = [(directory / name).read_text(encoding="utf-8") for name in FILES]
    found = tuple(document for text in texts for document in yaml.safe_load_all(text) if document)
    return Platform(found, f"OpenShift's CRDs and admission policy from {directory}")
