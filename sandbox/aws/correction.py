"""How moto is changed: one record per changed attribute, put in place
for as long as a sandbox runs, then taken out again.

The records themselves live with their subject (addresses,
reservations, instances, queues) and are listed in `moto_corrections`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Correction:
    """Replace attribute *name* of the moto class or module *owner* by what *make* builds from the original.

    *why* is the difference from AWS that it removes, in one line. The replacement of a method must be a plain function:
    moto finds the operations of a service with `inspect.isfunction`.
    """

    owner: Any
    name: str
    make: Callable[[Any], Any]
    why: str


def install(corrections: Iterable[Correction]) -> Callable[[], None]:
    """Put every correction in place and return the function that takes them all out again, last in first out."""
    undo: list[tuple[Any, str, Any]] = []
    for correction in corrections:
        original = vars(correction.owner)[correction.name]
        setattr(correction.owner, correction.name, correction.make(original))
        undo.append((correction.owner, correction.name, original))

    def restore() -> None:
        while undo:
            owner, name, original = undo.pop()
            setattr(owner, name, original)

    return restore
