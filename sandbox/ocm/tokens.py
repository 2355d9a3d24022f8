"""Who may ask: service accounts, offline tokens, and the access tokens that they are given. No HTTP.

Access tokens are JSON Web Tokens in form, because `rosa` reads when they end; nobody checks their signature.
"""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

ACCOUNT = ("sandbox", "sandbox-secret")
"""Client id and secret of the service account that is always there."""

ACCOUNT_SECRET = json.dumps({"client_id": ACCOUNT[0], "client_secret": ACCOUNT[1]})
"""The same as it is kept in Secrets Manager."""

TOKEN_PATH = "/auth/realms/redhat-external/protocol/openid-connect/token"


class Refused(Exception):
    """The token endpoint's no: HTTP status, OAuth error and its description."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


class Accounts:
    """Accounts and the tokens given to them.

    Args:
        clock: Seconds since the epoch.
        lifetime_seconds: Of the access tokens; may be changed at any time.
    """

    def __init__(self, clock: Callable[[], float], lifetime_seconds: int = 900) -> None:
        self.lifetime_seconds = lifetime_seconds
        self.offline_tokens: set[str] = set()
        self._clock = clock
        self._secrets: dict[str, str] = {}
        self._given: dict[str, tuple[str, float]] = {}
        self._numbers = itertools.count(1)

    def add(self, client_id: str, client_secret: str) -> None:
        """A service account, or a new secret for it."""
        self._secrets[client_id] = client_secret

    def revoke(self) -> None:
        """End every token that was given, whatever its time: the next request with one gets a 401."""
        self._given.clear()

    def user_of(self, authorization: str) -> str | None:
        """Whose token an `Authorization` header carries; None if it is none of ours, or over."""
        scheme, _, token = authorization.partition(" ")
        user, ends = self._given.get(token, ("", 0.0)) if scheme == "Bearer" else ("", 0.0)
        return user if self._clock() < ends else None

    def grant(self, authorization: str, form: Mapping[str, str]) -> dict[str, Any]:
        """The token endpoint's answer to a form. Raises Refused."""
        match form.get("grant_type"):
            case "client_credentials":
                return self._give(self._client(authorization, form))
            case "refresh_token":
                if form.get("refresh_token") not in self.offline_tokens:
                    raise Refused(400, "invalid_grant", "Invalid refresh token")
                return {**self._give("person"), "refresh_token": form["refresh_token"]}
            case _:
                raise Refused(400, "unsupported_grant_type", "Unsupported grant_type")

    def _client(self, authorization: str, form: Mapping[str, str]) -> str:
        """The service account: from Basic authentication, or from the form."""
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            try:
                client_id, _, secret = base64.b64decode(authorization[6:], validate=True).decode().partition(":")
            except ValueError:
                secret = ""
        if not secret or not hmac.compare_digest(self._secrets.get(client_id, "").encode(), secret.encode()):
            raise Refused(401, "invalid_client", "Invalid client or Invalid client credentials")
        return client_id

    def _give(self, user: str) -> dict[str, Any]:
        ends = self._clock() + self.lifetime_seconds
        claims = {"typ": "Bearer", "sub": user, "username": user, "exp": int(ends), "jti": str(next(self._numbers))}
        parts = ({"alg": "RS256", "typ": "JWT"}, claims, "sandbox")
        token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        self._given[token] = (user, ends)
        return {"access_token": token, "expires_in": self.lifetime_seconds, "token_type": "Bearer", "scope": "openid"}
