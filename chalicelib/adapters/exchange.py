"""One HTTP exchange over urllib3: connect, send, read the whole answer before a deadline. No retries, no meaning.

Belongs here: time-outs, TLS, proxies, and what a broken connection is. What an answer means is its adapter's affair.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chalicelib.adapters.connections import failure_words, is_untrusted, tls_words

CHUNK_BYTES = 1 << 16
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class NoAnswer(Exception):
    """There is no complete answer; the text says why, without host or path.

    Attributes:
        may_help: Another try may succeed: not with a certificate that does not verify.
    """

    def __init__(self, words: str, *, may_help: bool = True) -> None:
        super().__init__(words)
        self.may_help = may_help


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (found whatever their case) and the whole body."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Http:
    """Requests to hosts that present a publicly trusted certificate, or stand on loopback.

    Connections are kept. A write that meets one which the other side has closed meanwhile fails as any cut connection
    does; it always follows a read of the same visit, so that this is rare.

    Args:
        connect, read: Time-outs in seconds; *read* is for each piece of an answer.
        clock: Seconds, as deadlines are given.
    """

    def __init__(
        self, *, connect: float = 3.0, read: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect = connect
        self._read = read
        self._clock = clock
        self._pools: dict[str, Any] = {}

    def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, deadline: float
    ) -> Answer:
        """Send one request and read its answer. Redirects are not followed: they would carry the token along.

        Raises:
            NoAnswer: Refused, cut, too late, or not trusted.
        """
        from urllib3 import Timeout, exceptions

        left = deadline - self._clock()
        if left <= 0:
            raise NoAnswer("no complete answer in time", may_help=False)
        try:
            response = self._pool(url).request(
                method,
                url,
                headers=dict(headers),
                body=body,
                timeout=Timeout(connect=min(self._connect, left), read=min(self._read, left)),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            return Answer(response.status, response.headers, self._content(response, deadline))
        except exceptions.SSLError as error:
            cause = error.args[0] if error.args else error
            raise NoAnswer(tls_words(cause), may_help=not is_untrusted(cause)) from error
        except exceptions.HTTPError as error:
            raise NoAnswer(failure_words(error)) from error

    def _content(self, response: Any, deadline: float) -> bytes:
        content = bytearray()
        for chunk in response.stream(CHUNK_BYTES):
            content += chunk
            if self._clock() > deadline:  # the read time-out alone would let a trickle go on for ever
                response.close()
                raise NoAnswer("no complete answer in time", may_help=False)
        response.release_conn()
        return bytes(content)

    def _pool(self, url: str) -> Any:
        """The connections to the host of *url*, made on first use: reading the authorities costs 20 ms and more."""
        parts = urlsplit(url)
        local = parts.hostname in LOOPBACK
        if not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise NoAnswer("the url must begin with https://", may_help=False)
        if parts.netloc not in self._pools:
            self._pools[parts.netloc] = _new_pool(str(parts.hostname), local=local)
        return self._pools[parts.netloc]


def _new_pool(host: str, *, local: bool) -> Any:
    from urllib.request import getproxies, proxy_bypass

    import certifi
    from urllib3 import PoolManager, ProxyManager

    proxy = None if local or proxy_bypass(host) else getproxies().get("https")
    options: dict[str, Any] = {"ca_certs": certifi.where(), "cert_reqs": "CERT_REQUIRED"}
    return ProxyManager(proxy, **options) if proxy else PoolManager(**options)
