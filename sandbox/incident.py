"""`python -m sandbox incident`: one bad night, told. A pool is replaced node by node, and each time an address is left
over.

Belongs here: the story, sampled and told. What happens is the platform's and the product's doing: OVN-Kubernetes counts
capacity by the wrong number, so that it puts one address more on a small node than EC2 lets it have, and never looks
again. The clock is the stage's.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from chalicelib import telemetry
from sandbox.narrating import say, scene, show
from sandbox.picture import MOVING, OPEN, SERVING, Mark, draw, stretches
from sandbox.rosa import PoolSpec, Scenario
from sandbox.stage import Mail, Stage

EGRESS = {"k8s.ovn.org/egress-assignable": ""}
ZONE = "eu-central-1a"
SCENARIO = Scenario(
    name="night",
    zones={ZONE: "10.10.100.0/24"},
    pools=(
        PoolSpec(name="egress-large", zones=(ZONE,), replicas=2, labels=EGRESS),
        PoolSpec(name="egress-small", zones=(ZONE,), replicas=1, instance_type="t3.small", labels=EGRESS),
    ),
)
PARTNERS = tuple(f"partner-{letter}" for letter in "abcdefgh")
ADDRESSES = {name: f"10.10.100.{240 + number}" for number, name in enumerate(PARTNERS)}
POLICIES = tuple(
    line
    for name, address in ADDRESSES.items()
    for line in (
        f"      - name: {name}",
        f"        namespaces: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}",
        f"        addresses: [{address}]",
    )
)
SAMPLE_SECONDS = 10.0
LONGEST_SECONDS = 3600.0


@dataclass
class Seen:
    """What the incident looked like: samples by policy, the messages, and what happened when."""

    samples: dict[str, list[tuple[float, str, str]]] = field(default_factory=lambda: {name: [] for name in PARTNERS})
    mail: list[tuple[float, Mail]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    failed: dict[str, None] = field(default_factory=dict)
    """Policies whose address could not be assigned for a while, in the order in which that happened."""

    @property
    def jammed(self) -> list[str]:
        """Those that people were told of; the others healed by themselves."""
        return [name for name in self.failed if self.mail_about(name)]

    def mail_about(self, name: str) -> list[Mail]:
        """Messages that name its address."""
        return [mail for _, mail in self.mail if f"{ADDRESSES[name]} " in mail.body]


def main(argv: Sequence[str]) -> int:
    """Play it and return 0 if everything serves at the end."""
    parser = argparse.ArgumentParser(prog="python -m sandbox incident", description="One bad night, told.")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the picture of it there")
    options = parser.parse_args(argv)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    telemetry.logger.setLevel(logging.CRITICAL)
    return 0 if play("An incident: a machine pool is replaced, and not every address comes along", options.svg) else 1


def play(title: str, svg: Path | None) -> bool:
    """Play the incident, tell it, and say whether it ended well."""
    scene(title)
    say(
        "Eight partners know one address each. Machine pool egress-large has two m5.xlarge, egress-small one t3.small,"
        " which may hold three egress addresses. Tonight the large ones are replaced, the old node going before the new"
        " one comes."
    )
    with Stage(SCENARIO, POLICIES) as stage:
        incident = Incident(stage)
        incident.come_to_rest()
        begin = stage.timeline.now()
        incident.replace_large_nodes()
        incident.wait_until_all_serve()
        end = stage.timeline.now()
        good = incident.serving() == len(PARTNERS)
        seen = incident.seen
    _tell_what_was_seen(seen, begin)
    if svg is not None:
        lanes = {f"{ADDRESSES[n]} {n}": stretches(seen.samples[n], end) for n in PARTNERS}
        title = "Eight egress addresses while a machine pool is replaced"
        svg.parent.mkdir(parents=True, exist_ok=True)
        svg.write_text(draw(title, lanes, seen.marks, begin, end), encoding="utf-8")
        say(f"The picture of it is in {svg}.")
    return good and bool(seen.jammed)


class Incident:
    """The steps, on one stage, sampled every few seconds."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.seen = Seen()
        self._minute = 0.0

    def come_to_rest(self) -> None:
        """The wishes have come true, and nothing is left to say."""
        for _ in range(5):
            self._pass(60.0)
        self.seen = Seen()
        self.stage.read_mail()
        self._sample()

    def replace_large_nodes(self) -> None:
        """One after the other: the old one leaves, then the new one joins."""
        for number in (1, 2):
            self._mark(f"node {number} of egress-large is drained and its instance ends")
            self.stage.rosa.retire_oldest("egress-large")
            self._pass(150.0)
            self.stage.rosa.scale_pool("egress-large", 2)
            self._pass(330.0)
            self._mark(f"its successor has joined ({self.serving()} of {len(PARTNERS)} addresses serve)")

    def wait_until_all_serve(self) -> None:
        """Until the night is over."""
        passed = 0.0
        while passed < LONGEST_SECONDS and self.serving() < len(PARTNERS):
            self._pass(SAMPLE_SECONDS)
            passed += SAMPLE_SECONDS
        self._mark("every address serves again")
        self._pass(240.0)

    def serving(self) -> int:
        """How many of the addresses serve."""
        return sum(self._state(name)[0] == SERVING for name in PARTNERS)

    # Inside

    def _pass(self, seconds: float) -> None:
        """Let time pass, the schedule firing each minute, and note what can be seen."""
        with redirect_stdout(StringIO()):
            while seconds > 0:
                if self.stage.timeline.now() >= self._minute:
                    self._minute = self.stage.timeline.now() + 60.0
                    self.stage.plumbing.tick_schedules()
                self.stage.run_for(min(SAMPLE_SECONDS, seconds))
                seconds -= SAMPLE_SECONDS
                self._sample()

    def _sample(self) -> None:
        now = self.stage.timeline.now()
        for name in PARTNERS:
            state, node = self._state(name)
            self.seen.samples[name].append((now, state, node))
        for mail in self.stage.read_mail():
            self.seen.mail.append((now, mail))
            self._mark(f"message: {mail.subject}")

    def _mark(self, text: str) -> None:
        self.seen.marks.append(Mark(self.stage.timeline.now(), text))

    def _state(self, name: str) -> tuple[str, str]:
        """What `oc` would show of one address: served by a node, on its way, or neither."""
        kube, address = self.stage.rosa.kube, ADDRESSES[name]
        items = (_get(kube, "egressips", name).get("status") or {}).get("items", [])
        cpic = _get(kube, "cloudprivateipconfigs", address)
        condition: dict[str, Any] = next(iter((cpic.get("status") or {}).get("conditions", [])), {})
        if items and condition.get("status") == "True":
            return SERVING, str(items[0]["node"]).split(".", 1)[0]
        if condition.get("status") == "False":
            self.seen.failed.setdefault(name)
            return OPEN, ""
        return (MOVING, "") if cpic else (OPEN, "")


def _get(kube: Any, plural: str, name: str) -> dict[str, Any]:
    """The object, or an empty one."""
    return next((o for o in kube.list(plural) if o["metadata"]["name"] == name), {})


def _tell_what_was_seen(seen: Seen, begin: float) -> None:
    say("What happened, in minutes and seconds, and what the person on call saw of it:")
    for mark in seen.marks:
        passed = mark.at - begin
        show(f"{int(passed // 60):3d}:{int(passed % 60):02d}  {mark.text}")
    healed = len(seen.failed) - len(seen.jammed)
    if healed:
        say(
            f"Of {healed} other addresses an assignment failed for a minute or two, while the instance that goes still"
            " had them; the platform tried again, and nobody was told."
        )
    for number, name in enumerate(seen.jammed):
        _tell_of_one(seen, name, first=number == 0)


def _tell_of_one(seen: Seen, name: str, *, first: bool) -> None:
    address = ADDRESSES[name]
    out = sum(SAMPLE_SECONDS for _, state, _ in seen.samples[name] if state == OPEN)
    why = (
        " OVN-Kubernetes never looks at a failed assignment again, and the cloud network controller gives up after six"
        " minutes; what was told of it:"
    )
    say(
        f"{address} ({name}) was {'the one too many' if first else 'one too many as well'}: its pods left with their"
        f" node's address for about {out / 60:.0f} minutes.{why if first else ' What was told of it:'}"
    )
    for mail in seen.mail_about(name):
        show(f"{'-' * 60}\nSubject: {mail.subject}\n\n{mail.body}")
