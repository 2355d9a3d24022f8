"""HTTP to OCM: one request with its repeats, its token and errors in our words.

The retry policy is that of the official SDK: two repeats after 1 s and 2 s (± 20 %), for any verb where OCM has not
begun (429, 503), for reads alone where it may have (other 5xx, cut connections). Beyond the SDK, a Retry-After of at
most ten seconds is obeyed, and a 401 is answered by one new token.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.errors import Unreachable
from chalicelib.adapters.exchange import Answer, Http, NoAnswer
from chalicelib.adapters.ocm_answers import SOURCE, TryAgain, understand
from chalicelib.adapters.ocm_token import OcmToken

RETRIES = 2
FIRST_PAUSE_SECONDS = 1.0
JITTER = 0.2
LONGEST_PAUSE_SECONDS = 10.0
"""The most that a Retry-After is obeyed."""

OPERATION_SECONDS = 20.0
"""For one operation with its pages, repeats and pauses: an OCM that hangs must not make a visit late, and a REST answer
has 29 s in all."""

ANNOUNCEMENTS = ("Warning", "Deprecation", "X-OCM-Deprecation-Message")
"""Headers by which OCM says what will change."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operation:
    """What is being done, for messages and counters, and until when (on the wire's clock)."""

    name: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` begins below OCM's url and has no part that needs quoting."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


class OcmWire:
    """Requests to one OCM with one service account.

    Args:
        url: `https://host`; plain `http` on loopback only, because every request carries the token.
        warn: Told each announcement of OCM once.
        retries: How often a request is repeated where that is safe.
        clock, sleep: Seconds, monotonic. draw: A random number in 0–1.
    """

    def __init__(
        self,
        url: str,
        token: OcmToken,
        http: Http,
        *,
        calls: CallCounter | None = None,
        retries: int = RETRIES,
        warn: Callable[[str], None] = _log.warning,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._http = http
        self._calls = calls or CallCounter()
        self._retries = retries
        self._warn = warn
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._announced: set[str] = set()

    def begin(self, name: str) -> Operation:
        """Start an operation: its time runs from now."""
        return Operation(name, self._clock() + OPERATION_SECONDS)

    def send(self, operation: Operation, request: Request) -> dict[str, Any]:
        """Send one request, repeat it where that is safe and may help, and return the JSON object of the answer.

        Raises:
            AdapterError: As `ocm_answers` and `OcmToken` say.
        """
        renewed = False
        attempt = 0
        while True:
            token = self._token.current()
            try:
                answer = self._exchange(operation, request, token)
                if answer.status == 401 and not renewed:
                    renewed = True  # ended or revoked since it was given; does not count as a try
                    self._token.refuse(token)
                    continue
                return understand(operation.name, answer.status, answer.headers, answer.content)
            except TryAgain as failed:
                attempt += 1
                self._pause_or_give_up(operation, request, attempt, failed)

    def _pause_or_give_up(self, operation: Operation, request: Request, attempt: int, failed: TryAgain) -> None:
        safe = failed.untouched or request.method == "GET"
        pause = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * (1 - JITTER + 2 * JITTER * self._draw())
        pause = max(pause, min(failed.after_seconds, LONGEST_PAUSE_SECONDS))
        if not safe or attempt > self._retries or self._clock() + pause >= operation.deadline:
            raise failed.error from failed.__cause__
        self._sleep(pause)

    def _exchange(self, operation: Operation, request: Request, token: str) -> Answer:
        """One try; TryAgain where there is no complete answer, Unreachable where there will be none."""
        headers = {"Accept": "application/json", "Authorization": f"Bearer {token}", "User-Agent": "egress-keeper"}
        body = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(request.body).encode()
        url = self._url + request.path + (f"?{urlencode(request.query)}" if request.query else "")
        self._calls.add(SOURCE, operation.name)
        try:
            answer = self._http.exchange(request.method, url, headers=headers, body=body, deadline=operation.deadline)
        except NoAnswer as error:
            failure = Unreachable(SOURCE, operation.name, str(error))
            if error.may_help:
                raise TryAgain(failure) from error
            raise failure from error
        self._pass_on_announcements(operation, answer.headers)
        return answer

    def _pass_on_announcements(self, operation: Operation, headers: Mapping[str, str]) -> None:
        for name in ANNOUNCEMENTS:
            text = " ".join(headers.get(name, "").split())[:300]
            if text and text not in self._announced:
                self._announced.add(text)
                self._warn(f"{SOURCE}: {operation.name}: {name}: {text}")
