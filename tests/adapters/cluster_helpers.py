"""Short words for the tests of the cluster adapter: an adapter on a scripted server, and recorded-like answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.cluster import KubernetesApi
from chalicelib.adapters.cluster_wire import ClusterWire, Patience
from tests.adapters.wire import FakeTime, Reply, ScriptedServer

PATIENCE = Patience(connect=1.0, read=1.0, attempts=3)


@dataclass
class Token:
    """A token source that remembers how it was asked; each forced read gives the next token."""

    tokens: list[str] = field(default_factory=lambda: ["first-token", "second-token"])
    asked: list[bool] = field(default_factory=list)

    def __call__(self, *, force: bool = False) -> str:
        self.asked.append(force)
        if force and len(self.tokens) > 1:
            self.tokens.pop(0)
        return self.tokens[0]


def api(
    server: ScriptedServer | str,
    time: FakeTime,
    *,
    token: Token | None = None,
    calls: CallCounter | None = None,
    patience: Patience = PATIENCE,
    draw: float = 1.0,
    ca: str | None = None,
) -> KubernetesApi:
    url = server if isinstance(server, str) else server.url
    wire = ClusterWire(
        url,
        token or Token(),
        ca=ca,
        calls=calls,
        patience=patience,
        clock=time.clock,
        sleep=time.sleep,
        draw=lambda: draw,
    )
    return KubernetesApi(wire)


def page(*items: Mapping[str, Any], more: str = "") -> dict[str, Any]:
    return {"kind": "List", "metadata": {"continue": more} if more else {}, "items": list(items)}


def named(name: str, **changes: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-{name}", "creationTimestamp": "2026-03-01T12:00:00Z"}
    return {"metadata": metadata, "spec": {}, **changes}


def status(code: int, message: str, **more: Any) -> Reply:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, **more}
    return Reply(code, body)


HTML = "<!DOCTYPE html><html><body>503 upstream secret-host.internal</body></html>"
