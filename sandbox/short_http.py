"""HTTP to the sandbox's own servers without a socket: the same bytes both ways, by urllib3 on one side and the server's
handler on the other.

For whoever makes thousands of requests one after the other, and for a process that is forked: a connection, and the
thread that serves it, do not come along. Faults look as they do on the wire: a dropped request has no answer, a
truncated one half of it. The same for AWS is `sandbox.aws.shortcut`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection

from sandbox.listening import Listener, Serving


class ShortPools(PoolManager):
    """A pool manager that reaches *servers*, by the ports of their URLs, and nothing else. Raises KeyError elsewhere.

    Further options are a pool manager's.
    """

    def __init__(self, servers: Iterable[Serving], **options: Any) -> None:
        super().__init__(**options)
        self._listeners = {urlsplit(server.url).port: server.listener for server in servers}

    def _new_pool(
        self, scheme: str, host: str, port: int, request_context: dict[str, Any] | None = None
    ) -> HTTPConnectionPool:
        pool = super()._new_pool(scheme, host, port, request_context)
        listener = self._listeners[port]

        def connect(**options: Any) -> _Connection:
            connection = _Connection(**options)
            connection.listener = listener
            return connection

        pool.ConnectionCls = connect  # type: ignore[assignment] # called, and nothing else
        return pool


class _Connection(HTTPConnection):
    """urllib3's connection, over memory."""

    listener: Listener

    @property
    def is_connected(self) -> bool:
        """Whether the server has left it open; it closes nothing later."""
        return self.sock is not None

    def _new_conn(self) -> Any:
        return _Line(self.listener)


class _Line:
    """What urllib3 takes for a socket: what is sent is answered when somebody wants to read."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._sent = bytearray()

    def sendall(self, data: bytes) -> None:
        """Keep it for the server."""
        self._sent += data

    def makefile(self, *_: object, **__: object) -> io.BytesIO:
        """The server's answer to what was sent since the last one."""
        sent, self._sent = bytes(self._sent), bytearray()
        return io.BytesIO(self._listener.answered(sent))

    def settimeout(self, seconds: float | None) -> None:
        """Nothing takes time."""

    def shutdown(self, how: int) -> None:
        """There is nothing to end."""

    def close(self) -> None:
        """There is nothing to give back."""
