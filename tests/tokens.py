"""Tokens of a service account, as a cluster issues them and a secret holds them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.drift.credential import IssuedToken, ServiceAccount

DAY = timedelta(days=1)
ISSUED = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "system:serviceaccount:egress-keeper:egress-keeper"


def jwt(claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


def token_text(days: float, *, from_day: float = 0, subject: str = ACCOUNT) -> str:
    start = (ISSUED + timedelta(days=from_day)).timestamp()
    return jwt({"sub": subject, "iat": start, "exp": start + days * 86400})


class FakeToken:
    """A token in a secret; `stored` is what the secret holds, `kept` what a warm function remembers of it."""

    where = "secret keeper/prod"

    def __init__(self, text: str, *, storable: bool = True) -> None:
        self.stored = self.kept = text
        self.storable = storable
        self.calls: list[str] = []
        self.errors: dict[str, AdapterError] = {}
        self.asked_for: timedelta | None = None

    def read(self, *, fresh: bool = False) -> str:
        if "read" in self.errors:
            raise self.errors["read"]
        if fresh:
            self.kept = self.stored
        return self.kept

    def request(self, account: ServiceAccount, life: timedelta, now: object) -> IssuedToken:
        self.calls.append("request")
        if "request" in self.errors:
            raise self.errors["request"]
        self.asked_for = life
        return IssuedToken(token_text(life / DAY, from_day=60), ISSUED + 60 * DAY + life)

    def store(self, issued: IssuedToken) -> None:
        self.calls.append("store")
        if "store" in self.errors:
            raise self.errors["store"]
        self.stored = self.kept = issued.text
