"""Our capacity report of one cluster, as a process of its own: `python -m bench.capacity_ours URL`.

The adapters, the use case and the text of the product. EC2 is out of reach here, as it is for the command it is
compared with: its sections are unknown, and the report says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from chalicelib.adapters.cluster import KubernetesApi
from chalicelib.adapters.cluster_wire import ClusterWire
from chalicelib.adapters.errors import Unreachable
from chalicelib.domain.spec import ApiSpec, ClusterSpec, SecretRef
from chalicelib.text import capacity_text
from chalicelib.usecases.documents import capacity_document
from chalicelib.usecases.visit import Outside, look


class NoEc2:
    """The EC2 port where EC2 can't be reached."""

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def fail(*_arguments: Any, **_named: Any) -> Any:
            raise Unreachable("EC2", operation, "not part of this measurement")

        return fail


def main() -> None:
    """Print the report."""
    url = sys.argv[1]
    cluster = ClusterSpec(
        name="bench",
        region="eu-central-1",
        infra_id="bench",
        api=ApiSpec(url, SecretRef(env="TOKEN")),
        policies=(),
    )
    api = KubernetesApi(ClusterWire(url, _token))
    seen = look(cluster, Outside(api, NoEc2(), lambda: datetime.now(UTC)))
    sys.stdout.write(capacity_text(capacity_document(seen)))


def _token(*, force: bool = False) -> str:  # noqa: ARG001 - the shape of a token source
    return "bench"


if __name__ == "__main__":
    main()
