"""The three promises as predicates over virtual clusters. Each gives what breaks it, in words; empty is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from chalicelib.domain.actions import LABEL_MANAGED_BY, OWNER, TAG_CLUSTER
from chalicelib.domain.twin.choices import Choose, first
from sandbox.virtual import Chance, Keeper, VirtualRosa

Choosers: TypeAlias = Sequence[Callable[[], Choose]]

AFTERWARDS_SECONDS = 420.0
"""How long the consequences of a visit are watched: beyond the last try of the cloud network controller."""

FEW: Choosers = (lambda: first, lambda: Chance(1))
MANY: Choosers = (lambda: first, *(lambda seed=seed: Chance(seed) for seed in range(1, 6)))


def interrupted(
    keeper: Keeper,
    visit: Callable[[Keeper], object],
    meanwhile: Callable[[VirtualRosa], object],
    given: Mapping[str, frozenset[str]],
    choosers: Choosers,
) -> list[str]:
    """Addresses that serve now and would have gone on serving, had there been no visit.

    Both ways are watched for minutes, under several falls of chance; what befalls the cluster during the visit befalls
    it without one too.

    Args:
        given: Addresses that may be taken by nobody, by EgressIP; of EgressIPs that are not named all of them.
    """
    start = keeper.rosa
    trial = keeper.fork(start.fork())
    visit(trial)
    if not trial.rosa.cluster.writes and not trial.rosa.ec2.writes:
        return []
    serving = {
        (name, address)
        for name, found in start.serving().items()
        for address in found
        if name not in given or address in given[name]
    }
    for choose in choosers:
        alone = start.fork(choose())
        meanwhile(alone)
        alone.run_for(AFTERWARDS_SECONDS)
        serving = {(name, address) for name, address in serving if _kept(alone, name, address, start.now)}
    broken: list[str] = []
    for number, choose in enumerate(choosers):
        visited = keeper.fork(start.fork(choose()))
        visit(visited)
        visited.rosa.run_for(AFTERWARDS_SECONDS)
        broken += [
            f"{address} of {name} stopped serving (chance {number})"
            for name, address in sorted(serving)
            if not _kept(visited.rosa, name, address, start.now)
        ]
    return broken


def nothing(_rosa: VirtualRosa) -> None:
    """Nothing happens meanwhile."""


def _kept(rosa: VirtualRosa, egress_ip: str, address: str, since: float) -> bool:
    """Whether the address served at every moment since then, those without length included."""
    return all(address in dict(served) for served in rosa.history.served_since(egress_ip, since))


def foreign(rosa: VirtualRosa) -> dict[str, Any]:
    """Everything that is not ours, in a form that can be compared."""
    facts, world = rosa.facts, rosa.world
    ours = {name for name, known in facts.objects.items() if _value(known.fields, LABEL_MANAGED_BY) == OWNER}
    return {
        "reservations": {r.id: r for r in facts.reservations.values() if r.tags.get(TAG_CLUSTER) != rosa.name},
        "tags": {
            r.id: {k: v for k, v in r.tags.items() if not k.startswith("egress-keeper/")}
            for r in facts.reservations.values()
        },
        "objects": {name: known for name, known in facts.objects.items() if name not in ours},
        "labels": {
            (name, path): field.value
            for name, known in facts.objects.items()
            for path, field in known.fields.items()
            if path.startswith(".metadata.labels.") and field.managers - {OWNER} and "egress-keeper" not in path
            and not path.endswith(LABEL_MANAGED_BY)
        },
        "interfaces": {i: world.plane.interfaces[i] for i in facts.holders},
        "primary addresses": {i.id: i.addresses[:1] for i in world.plane.interfaces.values()},
        "nodes": {name: (known.pool_label, known.machine) for name, known in facts.nodes.items()},
    }  # fmt: skip


def _value(fields: Any, label: str) -> str:
    held = fields.get(f".metadata.labels.{label}")
    return held.value if held is not None else ""


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What is foreign and differs; what went by itself, such as a reservation of ours, is none."""
    return [
        f"{what} {key}: {there} → {after[what].get(key)}"
        for what, things in before.items()
        for key, there in things.items()
        if after[what].get(key, there if what == "tags" else None) != there
    ]
