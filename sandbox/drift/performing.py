"""Plays a drift from beginning to end and writes down what came of it: what a test judges and a person reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.state import items
from sandbox.drift.catalogue import Drift
from sandbox.drift.play import Play
from sandbox.drift.sides import foreign_state, serving, wanted_addresses
from sandbox.stage import Mail, Stage

AT_REST_MINUTES = 30
"""A cluster that has stood for as long as a node may take to join: nothing about it is young any more."""

_PLATFORM_SECONDS = 5.0
"""The platform reacts within seconds; the next visit is later."""
_FINGERPRINT = re.compile(r"Finding: +([0-9a-f]{16})")
"""In the body of an alert."""


@dataclass
class Seen:
    """What the visits of one stretch of time reported and did.

    Attributes:
        findings: The last version of each finding, by fingerprint, in the order of their first appearance.
        versions: All versions of each.
        applied: Summaries of the actions, in the order in which they were applied.
        failed: The same of those that failed, with the reason.
        mail: What people received.
        open: Fingerprints in the last visit, of what is more than worth knowing.
        disturbed: Addresses that this drift is not about, whose CloudPrivateIPConfig was written to all the same.
    """

    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    mail: list[Mail] = field(default_factory=list)
    open: tuple[str, ...] = ()
    disturbed: set[str] = field(default_factory=set)


@dataclass
class Performance:
    """A drift that was played.

    Attributes:
        before: Serving addresses and their nodes before the cause.
        broken: The same when the cause had taken effect, before the tool had looked.
        left_alone: The same after `Drift.minutes` with the tool.
        after: The same at the end.
        foreign_before, foreign_alone: What is not ours, before and after the tool had its time alone.
        alone: What was seen before a person or the platform ended it.
        ended: What was seen after that.
    """

    drift: Drift
    play: Play
    before: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    left_alone: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()
    foreign_before: dict[str, Any] = field(default_factory=dict)
    foreign_alone: dict[str, Any] = field(default_factory=dict)
    alone: Seen = field(default_factory=Seen)
    ended: Seen = field(default_factory=Seen)


def bring_to_rest(stage: Stage) -> None:
    """Let the tool set the cluster up, let it grow old, and read the mail of that time."""
    play = Play(stage)
    play.minutes(3)
    play.unseen(AT_REST_MINUTES * 60)
    play.minutes(1)
    stage.read_mail()


def perform(stage: Stage, drift: Drift, on_act: Callable[[str], None] = lambda _act: None) -> Performance:
    """Play *drift* on a *stage* at rest. *on_act* hears of each part as it begins: "cause", "alone", "end", "over"."""
    play = Play(stage)
    performance = Performance(drift, play, before=serving(stage), foreign_before={})
    watcher = _Watcher(stage, play)
    on_act("cause")
    drift.cause(play)
    play.unseen(_PLATFORM_SECONDS)
    performance.broken = serving(stage)
    performance.foreign_before = foreign_state(stage)
    watcher.guard(performance.broken)
    on_act("alone")
    watcher.minutes(drift.minutes, performance.alone)
    performance.left_alone, performance.foreign_alone = serving(stage), foreign_state(stage)
    on_act("end")
    drift.end(play)
    watcher.minutes(drift.after, performance.ended, until_well=True)
    performance.after, performance.wanted = serving(stage), wanted_addresses(stage)
    watcher.close()
    on_act("over")
    return performance


class _Watcher:
    """Lets minutes pass and notes what the visits say, what people hear, and which bystanders are disturbed."""

    def __init__(self, stage: Stage, play: Play) -> None:
        self._stage = stage
        self._play = play
        self._last_run = ""
        self._new_visits()
        self._bystanders: frozenset[str] = frozenset()
        self._disturbed: set[str] = set()
        self._alarmed: set[str] = set()
        self._unsubscribe = stage.rosa.kube.subscribe(self._note)

    def guard(self, serving_now: dict[str, str]) -> None:
        """From now on nothing may happen to what serves and is none of this drift's business."""
        self._bystanders = frozenset(set(serving_now) - self._play.addresses)

    def minutes(self, number: int, seen: Seen, *, until_well: bool = False) -> None:
        """Let *number* minutes pass, or fewer if all is well for two in a row and people know of it."""
        well = 0
        for _ in range(number):
            self._play.minutes(1)
            self._read(seen)
            if until_well:
                well = well + 1 if not seen.open and set(serving(self._stage)) == set(self._wanted()) else 0
                if well >= 2 and not self._alarmed:
                    break

    def close(self) -> None:
        """Stop watching."""
        self._unsubscribe()

    def _wanted(self) -> tuple[str, ...]:
        return wanted_addresses(self._stage)

    def _note(self, _kind: str, plural: str, obj: Mapping[str, Any]) -> None:
        if plural == "cloudprivateipconfigs" and obj["metadata"]["name"] in self._bystanders:
            self._disturbed.add(obj["metadata"]["name"])

    def _new_visits(self) -> list[dict[str, Any]]:
        """Documents of the visits that ended since the last time, oldest first."""
        table = self._stage.resources.refs["FindingsTable"]
        ended = [
            item
            for item in items(self._stage.scenario.region, table)
            if item["sk"]["S"].startswith("RUN#")
            and item["sk"]["S"] > self._last_run
            and item["status"]["S"] not in ("queued", "running")
        ]
        self._last_run = max((item["sk"]["S"] for item in ended), default=self._last_run)
        documents = (json.loads(item["document"]["S"]) for item in ended)
        return [part for document in documents for part in document.get("clusters", ())]

    def _read(self, seen: Seen) -> None:
        """The visits since the last time, oldest first, and the mail."""
        seen.disturbed |= self._disturbed
        for mail in self._stage.read_mail():
            seen.mail.append(mail)
            about = set(_FINGERPRINT.findall(mail.body))
            self._alarmed = self._alarmed - about if mail.subject.startswith("RESOLVED") else self._alarmed | about
        for document in self._new_visits():
            self._take(seen, document)

    def _take(self, seen: Seen, document: dict[str, Any]) -> None:
        for finding in document["findings"]:
            seen.findings[finding["fingerprint"]] = finding
            seen.versions.setdefault(finding["fingerprint"], []).append(finding)
        seen.applied.extend(document["applied"] or ())
        seen.failed.extend(f"{failure['action']}: {failure['why']}" for failure in document["failed"] or ())
        seen.open = tuple(f["fingerprint"] for f in document["findings"] if f["severity"] != "info")
