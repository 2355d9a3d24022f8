"""Random choices that a seed reproduces, for what the platform leaves to chance."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

RACE = "which comes first"
"""The question asked when several programs could take the next step."""

RACES_LOST = 0.25
"""How often somebody else than the usual one is quicker."""


class Chance:
    """A chooser (`chalicelib.domain.twin.choices.Choose`): evenly among the options, in races mostly the first."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible, not secret

    def __call__(self, what: str, options: Sequence[T], /) -> T:
        """One of the options."""
        if what == RACE and self._random.random() > RACES_LOST:
            return options[0]
        return options[self._random.randrange(len(options))]
