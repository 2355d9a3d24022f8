"""HTTP to a cluster's API server: one request with its repeats, time-outs, token and errors in our words.

The one module that knows the `kubernetes` package, and of it only the REST client and its configuration: the typed
models cost 1–2 s of a cold start and 500 MB for 5,000 nodes (measured with version 37). The packaged zip therefore
keeps only `kubernetes.client.{configuration,rest,exceptions}` and `kubernetes.utils.{retry,_retry_base,keepalive}`,
under empty `__init__` modules; nothing else of the package may be imported here.

Every request that is sent is safe to repeat: reads, server-side applies, and deletes that name a uid.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.cluster_answers import SOURCE, TryAgain, connection_failure, tls_failure, understand
from chalicelib.adapters.errors import Rejected, Unreachable
from chalicelib.adapters.secrets import TokenSource

CHUNK_BYTES = 1 << 16
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often. All in seconds but `attempts`.

    Attributes:
        attempts: Tries of one request, the first included.
        overall: For one operation with its pages, repeats and pauses; no try begins and no answer is read after it.
        pause: Upper bound of the first random pause; it doubles with each try, up to `longest_pause`.
        longest_pause: Also the most that a Retry-After of the server is obeyed.
    """

    connect: float = 3.0
    read: float = 15.0
    overall: float = 60.0
    attempts: int = 5
    pause: float = 0.25
    longest_pause: float = 10.0


@dataclass(frozen=True, slots=True)
class Operation:
    """What is being done, for messages and counters, and until when (on the wire's clock)."""

    name: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` is already quoted, `body` becomes JSON whatever the content type says.

    Attributes:
        accept: What the answer is to be: the objects, or only their metadata (`METADATA`).
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content_type: str = "application/json"
    accept: str = "application/json"


class ClusterWire:
    """Requests to one API server.

    Args:
        url: `https://host[:port]`; plain `http` on loopback only, because every request carries the token.
        token: Read before every try; read anew, once, when the server answers 401.
        ca: PEM certificates to trust beside the public ones.
        clock, sleep: Seconds, monotonic. draw: A random number in 0–1.
    """

    def __init__(
        self,
        url: str,
        token: TokenSource,
        *,
        ca: str | None = None,
        calls: CallCounter | None = None,
        patience: Patience = Patience(),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._ca = ca
        self._calls = calls or CallCounter()
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._rest: Any = None

    def begin(self, name: str, *, most_seconds: float | None = None) -> Operation:
        """Start an operation: its time runs from now, and is no more than *most_seconds*."""
        overall = self._patience.overall
        return Operation(name, self._clock() + (overall if most_seconds is None else min(overall, most_seconds)))

    def send(self, operation: Operation, request: Request) -> dict[str, Any]:
        """Send one request, repeat it while that may help, and return the JSON object of the answer.

        Raises:
            AdapterError: As `cluster_answers` says; Gone for 410.
        """
        fresh = False
        attempt = 0
        while True:
            token = self._token(force=fresh)
            try:
                status, headers, content = self._exchange(operation, request, token)
                if status == 401 and not fresh:
                    fresh = True  # expired or rotated since it was read; does not count as a try
                    continue
                return understand(operation.name, status, headers, content)
            except TryAgain as failed:
                attempt += 1
                fresh = False
                self._pause_or_give_up(operation, attempt, failed)

    def _pause_or_give_up(self, operation: Operation, attempt: int, failed: TryAgain) -> None:
        patience = self._patience
        pause = self._draw() * min(patience.longest_pause, patience.pause * 2 ** (attempt - 1))
        pause = max(pause, min(failed.after_seconds, patience.longest_pause))
        if attempt >= patience.attempts or self._clock() + pause >= operation.deadline:
            raise failed.error from failed.__cause__
        self._sleep(pause)

    def _exchange(self, operation: Operation, request: Request, token: str) -> tuple[int, Mapping[str, str], bytes]:
        """One try: status, headers and body; TryAgain where there is no complete answer."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        left = operation.deadline - self._clock()
        if left <= 0:
            raise self._too_late(operation)
        client = self._client(operation)
        self._calls.add(SOURCE, operation.name)
        try:
            response = client.request(
                request.method,
                self._url + request.path + (f"?{urlencode(request.query)}" if request.query else ""),
                headers=_headers(request, token),
                body=request.body,
                _request_timeout=(min(self._patience.connect, left), min(self._patience.read, left)),
            ).response
            return response.status, response.headers, self._read(operation, response)
        except ApiException as error:  # what the REST client makes of TLS failures
            raise tls_failure(operation.name, _tls_cause(error)) from error
        except HTTPError as error:
            raise connection_failure(operation.name, error) from error

    def _read(self, operation: Operation, response: Any) -> bytes:
        content = bytearray()
        for chunk in response.stream(CHUNK_BYTES):
            content += chunk
            if self._clock() > operation.deadline:  # the read time-out alone would let a trickle go on for ever
                response.close()
                raise self._too_late(operation)
        return bytes(content)

    def _too_late(self, operation: Operation) -> Unreachable:
        return Unreachable(SOURCE, operation.name, f"no complete answer within {self._patience.overall:g} s")

    def _client(self, operation: Operation) -> Any:
        """The REST client, built on first use: importing it and reading certificates costs a cold start 0.1–0.2 s."""
        if self._rest is None:
            host = urlsplit(self._url)
            local = host.hostname in LOOPBACK
            if not (host.scheme == "https" or (host.scheme == "http" and local)):
                raise Rejected(SOURCE, operation.name, "the API's url must begin with https://")
            self._rest = self._new_client(local=local)
        return self._rest

    def _new_client(self, *, local: bool) -> Any:
        import certifi
        from kubernetes.client.configuration import Configuration
        from kubernetes.client.rest import RESTClientObject

        configuration = Configuration(
            host=self._url,
            retries=False,  # ours know the deadline; without them redirects are not followed either, token and all
            ssl_ca_cert=certifi.where(),
            ca_cert_data=self._ca,
            no_proxy="*" if local else None,
        )
        return RESTClientObject(configuration)


def _headers(request: Request, token: str) -> dict[str, str]:
    headers = {"Accept": request.accept, "Authorization": f"Bearer {token}", "User-Agent": "egress-keeper"}
    return headers if request.body is None else {**headers, "Content-Type": request.content_type}


def _tls_cause(error: BaseException) -> object:
    """The `ssl` module's own error, under urllib3's and the REST client's wrappings."""
    wrapped = error.__context__
    return wrapped.args[0] if wrapped is not None and wrapped.args else wrapped
