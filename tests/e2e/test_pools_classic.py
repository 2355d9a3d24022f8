"""Machine pools on an embedded classic ROSA: OCM's pool is ours to label, the nodes are the platform's."""

from __future__ import annotations

import pytest

from chalicelib.domain.actions import POOL_LABELS
from sandbox.rosa import Flavour, PoolSpec, Scenario
from sandbox.stage import Stage
from tests.e2e.test_pools import POLICIES, TEAM, Run, command_line, labelled, labels

__all__ = ["command_line"]

pytestmark = pytest.mark.slow


def test_on_classic_the_platform_brings_the_label_to_the_nodes(run: Run) -> None:
    """OCM's pool is labelled, the nodes are left to the platform, and the visit says what it waits for."""
    pool = PoolSpec(name="egress-a", zones=("eu-central-1a",), replicas=2, labels=TEAM)
    with Stage(Scenario(name="classic", flavour=Flavour.CLASSIC, pools=(pool,)), POLICIES, ocm=True) as stage:
        code, out, _ = run(stage, "apply")
        assert labels(stage, "egress-a") == {**TEAM, **POOL_LABELS}
        assert labelled(stage, "egress-a") == [False, False]
        code, out, _ = run(stage, "plan")
        assert code == 2
        assert out.count("waits for the label of its machine pool egress-a") == 2
        stage.run_for(90)
        assert labelled(stage, "egress-a") == [True, True]
        code, out, _ = run(stage, "wait", "--timeout", "0")
        assert code == 0, out
