"""The stage of the end-to-end tests: on the simulator, or on a real API server where `make conformance` started one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.rosa import Scenario
from sandbox.stage import RealCluster, Stage
from tests.conformance.harness import from_environment


@contextmanager
def staged(scenario: Scenario, policies: Iterable[str], **options: Any) -> Iterator[Stage]:
    """A stage with everything on it, where only the product asks AWS over a socket.

    On a real server the platform's programs write as OVN-Kubernetes' control plane, and the product is whoever
    `deploy/rbac.yaml` makes it, with a token that the page on deploying tells how to get.
    """
    with tempfile.TemporaryDirectory() as directory:
        options.setdefault("short", True)
        real = from_environment(Path(directory))
        if real is None:
            with Stage(scenario, policies, **options) as stage:
                yield stage
            return
        real.wipe()
        token = real.install()
        with (
            real.remote() as remote,
            Stage(scenario, policies, real=RealCluster(remote, token, real.admin_token), **options) as stage,
        ):
            yield stage
        real.wipe()
