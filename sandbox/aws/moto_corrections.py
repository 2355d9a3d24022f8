"""The one place where moto is changed: the complete list of what is put right while a sandbox runs.

Each entry says itself what was wrong, and has a test in `tests/sandbox/aws`. Those of `quickening` change no answer,
only how long it takes. What is not listed is moto as it is.
"""

from __future__ import annotations

from sandbox.aws import address_plane, paging, quickening, reservations
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
        *quickening.CORRECTIONS,
    )
