"""Somebody else who writes the labels of the same machine pool, in between our requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes import FakeOcm

THEIRS = {"team": "net", "tier": "front"}


@dataclass
class Other:
    """Somebody who writes the whole map of labels, at given requests of ours.

    Attributes:
        moves: (before which of our requests, keeps what is there, label it adds).
        persistent: Writes its labels again when it finds them missing, as Terraform does at its next run.
    """

    ocm: FakeOcm
    moves: list[tuple[int, bool, str]]
    persistent: bool
    requests: int = 0
    wants: dict[str, str] = field(default_factory=lambda: dict(THEIRS))
    seen: dict[str, str] = field(default_factory=lambda: dict(THEIRS))
    in_window: set[str] = field(default_factory=set)

    def between(self, operation: str) -> None:
        for at, keeps, label in self.moves:
            if at == self.requests:
                self.wants[label] = "x"
                there = self.ocm.pools["egress-a"].labels
                self.ocm.write_labels("egress-a", {**(there if keeps else self.seen), **self.wants})
                if operation == "set_pool_labels":
                    self.in_window.add(label)
        self.requests += 1
        if not self.persistent or self.requests % 3 == 0:
            self.seen = dict(self.ocm.pools["egress-a"].labels)

    def look_again(self) -> None:
        there = self.ocm.pools["egress-a"].labels
        if self.persistent and any(there.get(key) != value for key, value in self.wants.items()):
            self.ocm.write_labels("egress-a", {**there, **self.wants})


def at_request(ocm: FakeOcm, operation: str, number: int, labels: Mapping[str, str]) -> None:
    """Somebody replaces the map just before the request of that number (from 1) of its kind; 0: before each."""
    count = iter(range(1, 100))

    def between(name: str) -> None:
        if name == operation and (next(count) == number or number == 0):
            ocm.write_labels("egress-a", labels)

    ocm.between = between
