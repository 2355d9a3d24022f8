"""What a drift of the catalogue is in the sandbox: how it comes about, how it ends where no tool may end it.

The causes are in the modules of their families; `sandbox.drift.DRIFTS` has them all by their number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.drift.play import Play
from sandbox.rosa import PoolSpec, Scenario

LABEL = "k8s.ovn.org/egress-assignable"
ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")

CLUSTER = Scenario(
    name="payments",
    pools=tuple(PoolSpec(name=f"egress-{zone[-1]}", zones=(zone,), replicas=2, labels={LABEL: ""}) for zone in ZONES),
)
"""Three zones, two labelled nodes in each: every address has a peer to fail over to."""

POLICIES = (
    "      - name: demo-egress-ns",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-ns}}",
    "        addresses: [10.10.100.253, 10.10.150.253, 10.10.200.253]",
    "      - name: demo-egress-pod",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-pod}}",
    "        pods: {matchLabels: {run: demo-egress-pod}}",
    "        per_zone: 1",
)
"""One policy with listed addresses, one whose addresses are chosen."""

LISTED = "10.10.200.253"
"""The address, in zone c, to which most drifts happen."""

POLICY = "demo-egress-ns"

Act = Callable[[Play], None]


def nothing(_play: Play) -> None:
    """Nobody does anything."""


@dataclass(frozen=True)
class Drift:
    """One drift, as it comes about in life.

    Attributes:
        number: Its number in the catalogue (`D7`), with a word after it where there are several ways (`D7-move`).
        condition: What is the case, in the catalogue's words.
        cause: Brings it about on a stage where everything serves.
        end: What a person or the platform does when the tool must not or cannot repair it.
        minutes: How long the cause is left alone with the tool before `end`.
        after: How long it takes at most, after `end`, until all is well again.
        ocm: Whether the fleet file says how OCM is reached.
        shared: Whether it leaves a stage behind that another drift may be played on.
    """

    number: str
    condition: str
    cause: Act
    end: Act = nothing
    minutes: int = 4
    after: int = 20
    scenario: Scenario = CLUSTER
    policies: tuple[str, ...] = POLICIES
    mode: str = "enforce"
    ocm: bool = False
    shared: bool = True
