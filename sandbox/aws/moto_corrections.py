"""The one place where moto is changed: the complete list of what is put right while a sandbox runs.

Each entry says itself what was wrong, and what differed from AWS has a test in `tests/sandbox/aws`. The entries made
here change no answer, only how long it takes. What is not listed is moto as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import moto.backends as moto_backends
import moto.core.responses as moto_responses
from moto.ec2.models.amis import AmiBackend
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from sandbox.aws import address_plane, paging, reservations
from sandbox.aws.correction import Correction
from sandbox.aws.instances import InstanceLife
from sandbox.aws.queues import QueueRules


def all_corrections(life: InstanceLife, queues: QueueRules) -> tuple[Correction, ...]:
    """Every correction, for one sandbox whose instances live by *life* and whose queues obey *queues*."""
    return (
        *address_plane.CORRECTIONS,
        *reservations.CORRECTIONS,
        *paging.CORRECTIONS,
        *life.corrections(),
        *queues.corrections(),
        Correction(
            TaggedEC2Resource, "get_tags", _tags_by_id, "searched the tags of everything: quadratic in instances"
        ),
        Correction(
            moto_responses, "method_names_from_class", functools.cache, "reflects on 900 methods in every request"
        ),
        Correction(
            moto_backends, "list_of_moto_modules", _listed_once, "reads a directory of 180 entries in every request"
        ),
        Correction(AmiBackend, "_load_amis", _no_images, "0.1 s a reset for 1,285 images that nobody asks for"),
    )


def _tags_by_id(_original: Any) -> Any:
    def get_tags(self: Any) -> list[dict[str, str]]:
        kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(self.id), "")
        own = self.ec2_backend.tags.get(self.id, {})
        return [
            {"resource_id": self.id, "key": key, "value": value, "resource_type": kind} for key, value in own.items()
        ]

    return get_tags


def _listed_once(original: Callable[[], Iterable[str]]) -> Any:
    names = tuple(original())
    return lambda: names


def _no_images(_original: Any) -> Any:
    return lambda self: None  # noqa: ARG005 - a method
