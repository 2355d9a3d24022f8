"""What the real programs leave to chance, made an argument.

Belongs here: the chooser, its deterministic default, and the enumeration of every outcome. Does not belong here: what
there is to choose (the modules that ask).

Go iterates maps in random order and sorts ties arbitrarily; watches and workers race. Wherever that can change what
happens, the model calls `choose(what, options)`. Passing `first` makes it a function; `every_outcome` runs it once for
each combination of answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar, overload

T = TypeVar("T")
R = TypeVar("R")


class Choose(Protocol):
    """Picks one of *options* (one or more); *what* says in words what is being chosen."""

    def __call__(self, what: str, options: Sequence[T], /) -> T:
        """Return one of *options*."""


def first(_what: str, options: Sequence[T], /) -> T:
    """The default: always the first option. Askers put the likeliest one there, or sort."""
    return options[0]


def any_order(choose: Choose, what: str, items: Iterable[T]) -> Iterator[T]:
    """Yield *items* in an order picked one by one, as a loop over a Go map would."""
    remaining = list(items)
    while len(remaining) > 1:
        picked = choose(what, remaining)
        remaining.remove(picked)
        yield picked
    yield from remaining


class Found(Sequence[T]):
    """Options that are looked for only as far as they are asked for: among a thousand nodes `first` needs one."""

    def __init__(self, options: Iterator[T]) -> None:
        self._rest = options
        self._found: list[T] = []

    def __bool__(self) -> bool:
        self._look(1)
        return bool(self._found)

    def __len__(self) -> int:
        self._look(None)
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        self._look(index + 1 if isinstance(index, int) and index >= 0 else None)
        return self._found[index]

    def _look(self, count: int | None) -> None:
        while count is None or len(self._found) < count:
            try:
                self._found.append(next(self._rest))
            except StopIteration:
                return


class _Scripted:
    """Answers by index from a script, then with the first option; remembers how many options each question had."""

    __slots__ = ("arities", "script")

    def __init__(self, script: tuple[int, ...]) -> None:
        self.script = script
        self.arities: list[int] = []

    def __call__(self, _what: str, options: Sequence[T], /) -> T:
        asked = len(self.arities)
        self.arities.append(len(options))
        return options[self.script[asked] if asked < len(self.script) else 0]


def every_outcome(run: Callable[[Choose], R]) -> Iterator[R]:
    """Run *run* once for every combination of choices it can meet, the default one first.

    Yields each result, equal ones as often as they occur. *run* must be a function of its choices alone.
    """
    scripts: list[tuple[int, ...]] = [()]
    while scripts:
        script = scripts.pop()
        chooser = _Scripted(script)
        yield run(chooser)
        for asked in range(len(script), len(chooser.arities)):
            taken = script + (0,) * (asked - len(script))
            scripts.extend((*taken, other) for other in range(1, chooser.arities[asked]))
