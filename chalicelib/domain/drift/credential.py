"""When a cluster's token ends, when it is time for the next one, and what people are told when there is none.

Only what a token says of itself is read here (the claims of a JWT, unchecked: the API server checks them). Asking for
the next token and keeping it is `usecases.credential`.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.domain.findings import Finding, Kind, Severity

SHORTEST_LIFE = timedelta(minutes=10)
"""Kubernetes issues no token for less (TokenRequest API)."""

LAST_DAY = timedelta(days=1)
"""Less than this is left: a person has to act today."""

_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Whose token it is."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token with an end says of itself.

    Attributes:
        account: None where it is the token of something else than a service account.
    """

    account: ServiceAccount | None
    issued_at: datetime
    expires_at: datetime

    @property
    def life(self) -> timedelta:
        """How long it was issued for."""
        return self.expires_at - self.issued_at

    def renewal_due(self, now: datetime) -> bool:
        """Whether half of its life is over: the other half is for the attempts that fail."""
        return now >= self.issued_at + self.life / 2

    def nearly_over(self, now: datetime) -> bool:
        """Whether three quarters of its life are over: somebody who renews it elsewhere is late by now."""
        return now >= self.issued_at + self.life * 3 / 4


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token; `expires_at` is what the server said, which may be sooner than was asked for."""

    text: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Without the token."""
        return f"IssuedToken(expires_at={self.expires_at.isoformat()})"


def read_claims(token: str) -> TokenClaims | None:
    """The claims of a JWT; None for a token that names no end.

    None: opaque tokens (OpenShift's `sha256~…`), and those of long-lived Secrets, which have no `exp`. `iat` is missing
    from no token that Kubernetes issues; without it the token counts as issued at its end, so as due.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        issued_at = datetime.fromtimestamp(claims.get("iat", claims["exp"]), UTC)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, binascii.Error):
        return None
    return TokenClaims(_account(claims.get("sub")), issued_at, expires_at)


def _account(subject: object) -> ServiceAccount | None:
    if not isinstance(subject, str) or not subject.startswith(_ACCOUNT):
        return None
    namespace, _, name = subject.removeprefix(_ACCOUNT).partition(":")
    return ServiceAccount(namespace, name) if namespace and name else None


def _todo(where: str, account: ServiceAccount) -> str:
    create = f"oc create token {account.name} -n {account.namespace} --duration=8760h > token"
    secret = where.removeprefix("secret ")
    if secret == where:
        return f"Remove what is named above, or put a new token into {where}:\n{create}"
    return (
        "Remove what is named above: the next visit then renews it. Or store a new token by hand (into the field token,"
        f" where the secret is a JSON object):\n{create}\naws secretsmanager put-secret-value --secret-id {secret}"
        " --secret-string file://token\nrm token"
    )


def ending_finding(where: str, claims: TokenClaims, why: str, now: datetime) -> Finding:
    """The token at *where* ends and there is no next one, because of *why*."""
    left = claims.expires_at - now
    moment = f"{claims.expires_at:%Y-%m-%d %H:%M} UTC"
    ends = f"ends on {moment}" if left > timedelta(0) else f"ended on {moment}"
    account = claims.account or ServiceAccount("egress-keeper", "egress-keeper")
    return Finding(
        Kind.CREDENTIAL_ENDING,
        f"token in {where}",
        Severity.CRITICAL if left < LAST_DAY else Severity.WARNING,
        f"The cluster API's token in {where} {ends} and was not renewed: {why}.",
        impact="None. But without a token nothing of this cluster is seen, repaired or told any more.",
        todo=_todo(where, account),
        evidence=(f"issued: {claims.issued_at.isoformat()}", f"ends: {claims.expires_at.isoformat()}"),
    )
