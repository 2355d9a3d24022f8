"""The token that a cluster's API is asked with: reading it, asking for the next one, and putting that into its secret.

When to do so is `usecases.credential`. No token ever stands in a message.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import quote

from chalicelib.adapters.cluster_answers import SOURCE
from chalicelib.adapters.cluster_wire import ClusterWire, Request
from chalicelib.adapters.errors import Unreachable
from chalicelib.adapters.secrets import Secrets, TokenSource, describe
from chalicelib.domain.drift.credential import IssuedToken, ServiceAccount, read_claims
from chalicelib.domain.spec import SecretRef

PROOF = "/apis/k8s.ovn.org/v1/egressips"
"""Read with a new token before it is stored: one may be refused, for its audience or by a clock that differs."""


class ClusterTokenStore:
    """The `ClusterToken` port.

    Args:
        wire_with: Makes the wire to the cluster's API that uses a given token source.
    """

    def __init__(self, secrets: Secrets, ref: SecretRef, wire_with: Callable[[TokenSource], ClusterWire]) -> None:
        self._secrets = secrets
        self._ref = ref
        self._wire_with = wire_with
        self._unsaved: IssuedToken | None = None

    @property
    def where(self) -> str:
        """The reference in words."""
        return describe(self._ref)

    @property
    def storable(self) -> bool:
        """Only Secrets Manager is written to: files and variables belong to whoever provides them."""
        return self._ref.secret_id is not None

    def read(self, *, fresh: bool = False) -> str:
        """The present token, read at most five minutes ago; read now with *fresh*."""
        return self._secrets.token(self._ref, force=fresh)

    def request(self, account: ServiceAccount, life: timedelta, now: datetime) -> IssuedToken:
        """A new token of *account*, proven by one read. One that could not be stored before is given again while it is
        good, so that a secret that cannot be written does not make a cluster issue a token a minute.

        Raises:
            Denied: The account may not ask for tokens of its own, or the new token is refused.
            NotFound: There is no such account any more.
            Unreachable: The answer holds no token that will last.
        """
        claims = read_claims(self._unsaved.text) if self._unsaved is not None else None
        if self._unsaved is not None and claims is not None and not claims.renewal_due(now):
            return self._unsaved
        wire = self._wire_with(self._secrets.token_source(self._ref))
        operation = wire.begin("request token")
        path = f"/api/v1/namespaces/{quote(account.namespace, safe='')}/serviceaccounts/{quote(account.name, safe='')}"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": int(life.total_seconds())},
        }
        answer = wire.send(operation, Request("POST", f"{path}/token", body=body))
        issued = _issued(answer, now)
        if issued is None:
            raise Unreachable(SOURCE, operation.name, "the answer holds no token that is good for a while")
        self._prove(issued)
        self._unsaved = issued
        return issued

    def store(self, issued: IssuedToken) -> None:
        """Put it into the secret, in the form in which the present one stands there.

        Raises:
            AdapterError: It may or may not have been written; the present token is good all the same.
        """
        self._secrets.store_token(self._ref, issued.text)
        self._unsaved = None

    def _prove(self, issued: IssuedToken) -> None:
        def token(*, force: bool = False) -> str:
            del force  # there is no other
            return issued.text

        wire = self._wire_with(token)
        wire.send(wire.begin("try the new token"), Request("GET", PROOF, {"limit": "1"}))


def _issued(answer: dict[str, object], now: datetime) -> IssuedToken | None:
    """The token of a TokenRequest's answer; its end is what the server says, not what was asked for."""
    status = answer.get("status")
    if not isinstance(status, dict):
        return None
    text, end = status.get("token"), status.get("expirationTimestamp")
    try:
        expires_at = datetime.fromisoformat(str(end))
    except ValueError:
        return None
    if not isinstance(text, str) or not text or expires_at.tzinfo is None or expires_at <= now:
        return None
    return IssuedToken(text, expires_at)
