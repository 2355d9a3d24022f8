"""OCM's access token: fetched with the service account's credentials, kept, renewed before it ends or when refused.

Lambda keeps a container for hours and a token lives fifteen minutes, so its end is known by the wall clock: that goes
on while the container is frozen.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.errors import AdapterError, Denied, Rejected, Throttled, Unreachable
from chalicelib.adapters.exchange import Answer, Http, NoAnswer
from chalicelib.adapters.ocm_answers import SOURCE
from chalicelib.adapters.secrets import ClientCredentials, CredentialSource, is_word

OPERATION = "get token"

RENEW_BEFORE_SECONDS = 60.0
"""A token with less left is renewed; the SDK's rule."""

PATIENCE_SECONDS = 15.0

FIRST_PAUSE, LONGEST_PAUSE = 0.3, 6.0
EXCHANGE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    ends: float


class OcmToken:
    """The token of one service account.

    Args:
        url: The token endpoint.
        credentials: Read on first use; read anew, once, when the endpoint refuses them.
        patience_seconds: So long is an endpoint asked again that answers 5xx or nothing; 4xx is final (the SDK's rule).
        clock: Seconds since the epoch. sleep: Seconds.
    """

    def __init__(
        self,
        url: str,
        credentials: CredentialSource,
        http: Http,
        *,
        calls: CallCounter | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._credentials = credentials
        self._http = http
        self._calls = calls or CallCounter()
        self._patience = patience_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._kept: _Token | None = None

    def current(self) -> str:
        """A token with at least a minute left, unless the endpoint gives shorter ones.

        Raises:
            Denied: The endpoint refuses the credentials.
            Unreachable, Throttled, Rejected: It gave none.
        """
        if self._kept is None or self._kept.ends - self._clock() < RENEW_BEFORE_SECONDS:
            self._kept = self._fetch()
        return self._kept.text

    def refuse(self, token: str) -> None:
        """OCM has refused *token*: the next `current` is another one."""
        if self._kept is not None and self._kept.text == token:
            self._kept = None

    def _fetch(self) -> _Token:
        credentials = self._credentials()
        try:
            return self._ask(credentials)
        except Denied:
            anew = self._credentials(force=True)  # rotated since it was read, perhaps
            if anew == credentials:
                raise
            return self._ask(anew)

    def _ask(self, credentials: ClientCredentials) -> _Token:
        until, pause = self._monotonic() + self._patience, FIRST_PAUSE
        while True:
            try:
                answer = self._exchange(credentials)
                if answer.status < 500:
                    return self._understand(answer, credentials)
                failure = Unreachable(SOURCE, OPERATION, f"the token endpoint answers {answer.status}")
            except NoAnswer as error:
                failure = Unreachable(SOURCE, OPERATION, f"the token endpoint: {error}")
                failure.__cause__ = error
                if not error.may_help:
                    raise failure from error
            if self._monotonic() + pause >= until:
                raise failure
            self._sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _exchange(self, credentials: ClientCredentials) -> Answer:
        """The request that the SDK sends: the id in the form and in the header, the secret in the header alone."""
        self._calls.add(SOURCE, OPERATION)
        form = {"client_id": credentials.client_id, "grant_type": "client_credentials", "scope": "openid"}
        basic = base64.b64encode(f"{credentials.client_id}:{credentials.client_secret}".encode()).decode()
        headers = {
            "Accept": "application/json",
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "egress-keeper",
        }
        deadline = self._monotonic() + EXCHANGE_SECONDS
        return self._http.exchange("POST", self._url, headers=headers, body=urlencode(form).encode(), deadline=deadline)

    def _understand(self, answer: Answer, credentials: ClientCredentials) -> _Token:
        content = _object(answer.content)
        if answer.status >= 400:
            raise _refusal(answer.status, content, credentials)
        token, lifetime = content.get("access_token"), content.get("expires_in")
        if answer.status >= 300 or not isinstance(token, str) or not is_word(token):
            raise Unreachable(SOURCE, OPERATION, f"the answer of the token endpoint ({answer.status}) holds no token")
        seconds = float(lifetime) if isinstance(lifetime, int | float) and not isinstance(lifetime, bool) else 0.0
        return _Token(token, self._clock() + seconds)


def _refusal(status: int, content: dict[str, Any], credentials: ClientCredentials) -> AdapterError:
    error = content.get("error")
    words = f"{status} {error}" if isinstance(error, str) and error.isidentifier() else str(status)
    if status == 429:
        return Throttled(SOURCE, OPERATION, f"the token endpoint answers {words}")
    if status in {400, 401, 403}:
        what = f"client_id {credentials.client_id} with its client_secret, both from {credentials.place}"
        allowed = "allowed are those of a service account that is neither deleted nor rotated"
        return Denied(SOURCE, OPERATION, f"the token endpoint refuses ({words}) {what}; {allowed}")
    return Rejected(SOURCE, OPERATION, f"the token endpoint answers {words}; is token_url right?")


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
