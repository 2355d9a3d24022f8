"""Short words for the tests of the OCM adapter: an adapter on a server, and answers as OCM words them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.exchange import Http
from chalicelib.adapters.ocm import OcmApi
from chalicelib.adapters.ocm_token import OcmToken
from chalicelib.adapters.ocm_wire import OcmWire
from chalicelib.adapters.secrets import ClientCredentials
from chalicelib.domain.pools import OcmCluster
from tests.adapters.wire import FakeTime, Reply, ScriptedServer

ID = "2bh6ffvmaaai0bmkt7g179hsl02163f3"
HCP = OcmCluster(ID, "prod", ID, hosted=True, state="ready")
CLASSIC = OcmCluster(ID, "prod", "prod-x7k2p", hosted=False, state="ready", multi_az=True)
TOKEN_PATH = "/token"
HTML = "<!DOCTYPE html><html><body>upstream secret-host.internal</body></html>"
JSON = {"Content-Type": "application/json"}


@dataclass
class Credentials:
    """A source of credentials that remembers how it was asked; each forced read gives the next secret."""

    secrets: list[str] = field(default_factory=lambda: ["hunter2"])
    asked: list[bool] = field(default_factory=list)

    def __call__(self, *, force: bool = False) -> ClientCredentials:
        self.asked.append(force)
        if force and len(self.secrets) > 1:
            self.secrets.pop(0)
        return ClientCredentials("keeper", self.secrets[0], "secret egress-keeper/ocm")


def ocm_token(
    server: ScriptedServer, time: FakeTime, credentials: Credentials | None = None, calls: CallCounter | None = None
) -> OcmToken:
    return OcmToken(
        server.url + TOKEN_PATH,
        credentials or Credentials(),
        Http(connect=1.0, read=1.0, clock=time.clock),
        calls=calls,
        clock=time.clock,
        monotonic=time.clock,
        sleep=time.sleep,
    )


def ocm_api(
    server: ScriptedServer,
    time: FakeTime,
    *,
    credentials: Credentials | None = None,
    calls: CallCounter | None = None,
    warn: Callable[[str], None] = lambda _text: None,
    draw: float = 0.5,
) -> OcmApi:
    """An adapter that talks to *server* for both API and tokens; the first thing asked is a token."""
    wire = OcmWire(
        server.url,
        ocm_token(server, time, credentials, calls),
        Http(connect=1.0, read=1.0, clock=time.clock),
        calls=calls,
        warn=warn,
        clock=time.clock,
        sleep=time.sleep,
        draw=lambda: draw,
    )
    return OcmApi(wire)


def token(text: str = "t-1", lifetime: int = 900) -> Reply:
    return ok({"access_token": text, "expires_in": lifetime, "token_type": "Bearer"})


def ok(body: Any, status: int = 200) -> Reply:
    return Reply(status, body, JSON)


def error(status: int, reason: str = "no", **headers: str) -> Reply:
    body = {
        "kind": "Error",
        "id": str(status),
        "code": f"CLUSTERS-MGMT-{status}",
        "reason": reason,
        "operation_id": "op-1",
    }
    return Reply(status, body, {**JSON, **headers})


def html(status: int) -> Reply:
    return Reply(status, HTML, {"Content-Type": "text/html"})


def node_pool(name: str = "egress-a", **changes: Any) -> dict[str, Any]:
    body = {
        "kind": "NodePool",
        "id": name,
        "replicas": 2,
        "aws_node_pool": {"kind": "AWSNodePool", "instance_type": "m5.xlarge"},
        "availability_zone": "eu-central-1a",
        "subnet": "subnet-a",
    }
    return {**body, **changes}


def pool_list(*items: Any, total: int | None = None, kind: str = "NodePoolList", page: int = 1) -> Reply:
    count = len(items) if total is None else total
    return ok({"kind": kind, "page": page, "size": len(items), "total": count, "items": list(items)})
