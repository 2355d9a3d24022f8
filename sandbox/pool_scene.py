"""A scene of the demo: one more label on a machine pool, by us, and by the guide's command. `python -m sandbox pools`.

Two pools of one HCP cluster, alike: three labels, two nodes each. The product labels the one; on the other somebody
types what the guide says. Then a node of each is replaced. Belongs here: the story and the side by side.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from chalicelib import telemetry
from chalicelib.domain.snapshot import ASSIGNABLE_LABEL as LABEL
from chalicelib.domain.snapshot import MARK_LABEL as MARK
from chalicelib.text import table
from sandbox.narrating import say, scene, show
from sandbox.rosa import PoolSpec, RosaTiming, Scenario
from sandbox.stage import Stage, fleet_text

TEAM = {"team": "network", "tier": "front", "cost-centre": "4711"}
OURS, GUIDES = "egress-a", "egress-b"
SCENARIO = Scenario(
    name="labels",
    pools=(
        PoolSpec(name=OURS, zones=("eu-central-1a",), replicas=2, labels=TEAM),
        PoolSpec(name=GUIDES, zones=("eu-central-1b",), replicas=2, labels=TEAM),
    ),
)


def main(argv: Sequence[str]) -> int:
    """Play the scene alone and return 0 if it ended as it should."""
    argparse.ArgumentParser(prog="python -m sandbox pools", description=__doc__.splitlines()[0]).parse_args(argv)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    telemetry.logger.setLevel(logging.CRITICAL)
    return 0 if play("A machine pool gets one more label") else 1


def play(title: str) -> bool:
    """Tell the scene; True if every label survived, and every node of our pool carries the new one."""
    scene(title)
    with redirect_stdout(StringIO()):
        stage = Stage(SCENARIO, ("      []",), ocm=True, timing=RosaTiming.brisk()).__enter__()
    try:
        return _Scene(stage).play()
    finally:
        stage.__exit__(None, None, None)


class _Scene:
    """The steps of the scene on one stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.first = {pool: self._nodes(pool) for pool in (OURS, GUIDES)}

    def play(self) -> bool:
        """All of it."""
        stage = self.stage
        say(
            f"A hosted cluster with two machine pools of two nodes each. Each pool has three labels: {_words(TEAM)}."
            f" Nodes of {OURS} are to carry egress addresses, so the fleet file lists it, and where OCM is:"
        )
        fleet = fleet_text(
            stage.scenario,
            stage.rosa.api_url,
            (),
            token=f"secretsmanager:egress-keeper/{stage.scenario.name}",
            pools=f"[{{name: {OURS}}}]",
            ocm=stage.ocm_server,
            ocm_credentials="secretsmanager:egress-keeper/ocm",
            ca_pem=stage.rosa.ca_pem,
        ).replace("    policies:", "    policies: []")
        stage.put_fleet(fleet)
        show(fleet)
        self._quietly(60)
        print()
        say("The schedule fires. The visit reads the pool, adds the label to those it has, and reads it back:")
        self._visit()
        show("\n".join(self._written()))
        print()
        say("On the other pool somebody types what the guide says, which sends the whole map of labels anew:")
        show(f'$ rosa edit machinepool --cluster labels --labels "{LABEL}=" {GUIDES}')
        stage.ocm_cluster.change_pool(GUIDES, {"kind": "NodePool", "id": GUIDES, "labels": {LABEL: ""}, "replicas": 2})
        self._quietly(120)
        print()
        say("Then one node of each pool is replaced, and the new one joins:")
        for pool in (OURS, GUIDES):
            stage.rosa.retire_oldest(pool)
            stage.rosa.scale_pool(pool, 2)
        self._quietly(120)
        show(self._side_by_side())
        print()
        say(
            "On hosted clusters a node gets its pool's labels once, when it is born. The visit labelled the nodes that"
            f" were there as well; the guide's `watch oc get nodes -l {LABEL}` would have waited for ever."
        )
        say(f"Beside the label stands our mark ({MARK}): `egress-keeper release` takes away what carries it, no more.")
        return self._labels(OURS) >= TEAM.items() and all(LABEL in self._node(name) for name in self._nodes(OURS))

    def _visit(self) -> None:
        self.stage.plumbing.tick_schedules()
        self._quietly(60)

    def _quietly(self, seconds: float) -> None:
        with redirect_stdout(StringIO()):
            self.stage.run_for(seconds)

    def _written(self) -> list[str]:
        """What was asked of OCM that changes something."""
        pools = [x for x in self.stage.ocm.exchanges if "/node_pools" in x.path]
        return [
            f"{x.method} …{x.path[x.path.index('/node_pools') :]}" + (f"\n  {json.dumps(x.body)}" if x.body else "")
            for x in pools[:4]
        ]

    def _side_by_side(self) -> str:
        rows = []
        for pool, who in ((OURS, "egress-keeper"), (GUIDES, "the guide's command")):
            rows.append((f"pool {pool}", who, _words(dict(self._labels(pool)))))
            for name in self._nodes(pool):
                age = "was there" if name in self.first[pool] else "replacement"
                kept = {key: value for key, value in self._node(name).items() if key in {*TEAM, LABEL, MARK}}
                rows.append((f"  node {name}", age, _words(kept)))
        return table(("", "", "LABELS"), rows)

    def _labels(self, pool: str) -> Any:
        return self.stage.ocm_cluster.pool(pool)["labels"].items()

    def _nodes(self, pool: str) -> list[str]:
        machines = self.stage.rosa.pool_machines(pool)
        return [self.stage.rosa.node_name(machine) for machine in machines]

    def _node(self, name: str) -> dict[str, str]:
        for node in self.stage.rosa.kube.list("nodes"):
            if node["metadata"]["name"] == name:
                return dict(node["metadata"].get("labels") or {})
        return {}


def _words(labels: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "none"
