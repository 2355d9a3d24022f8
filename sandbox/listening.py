"""A listening socket whose connections do not outlive it: what the sandbox's own HTTP servers have in common.

Belongs here: accepting, TLS, closing, and a request as it comes. What is answered is the handler's affair.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request; header names are in lower case."""

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def segments(self) -> list[str]:
        """The parts of the path, decoded."""
        return [unquote(part) for part in self.path.strip("/").split("/")]


class Listener(ThreadingHTTPServer):
    """Accepts connections, a thread each, and remembers them, so that none outlives the server.

    Args:
        address: Host and port; port 0 = any free one.
        handler: Serves one connection.
        tls: None for plain HTTP.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(address, handler)
        self._tls = tls
        self._connections: set[socket.socket] = set()
        self._serving: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection in its own thread; the TLS handshake happens here, where it can block nobody else."""
        thread = threading.current_thread()
        try:
            connection = self._tls.wrap_socket(request, server_side=True) if self._tls else request
        except OSError:  # ssl.SSLError is one: the client does not trust us, or is not speaking TLS
            request.close()
            return
        with self._lock:
            self._connections.add(connection)
            self._serving.add(thread)
        try:
            super().process_request_thread(connection, client_address)
        finally:
            with self._lock:
                self._connections.discard(connection)
                self._serving.discard(thread)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is the client's affair; anything else is a fault of ours and is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def answered(self, sent: bytes) -> bytes:
        """What a client that sends these bytes on a connection gets, in the caller's thread and without a socket."""
        connection = _Memory(sent)
        self.finish_request(connection, (LOOPBACK, 0))  # type: ignore[arg-type] # as far as a handler can tell
        return connection.received

    def close_connections(self) -> None:
        """Close what is still open and wait for the threads that served it."""
        with self._lock:
            connections, threads = list(self._connections), list(self._serving)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=2)


class _Memory:
    """What a handler takes for a connection: it has sent everything, and keeps what it gets."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent
        self.received = b""

    def makefile(self, mode: str, *_: object) -> io.BytesIO:
        """One of the two directions."""
        return io.BytesIO(self._sent) if "r" in mode else _Kept(self)

    def setsockopt(self, *_: object) -> None:
        """There are no packets."""


class _Kept(io.BytesIO):
    """What the handler writes."""

    def __init__(self, connection: _Memory) -> None:
        super().__init__()
        self._connection = connection

    def close(self) -> None:
        """The handler has ended."""
        if not self.closed:
            self._connection.received = self.getvalue()
        super().close()


class Serving:
    """Serves *http* in a thread of its own, from construction until `close` or the end of the `with` block.

    Attributes:
        url: Where; without a path.
        listener: What answers there.
    """

    def __init__(self, http: Listener, name: str, scheme: str = "http") -> None:
        self.url = f"{scheme}://{LOOPBACK}:{http.server_address[1]}"
        self.listener = http
        self._thread = threading.Thread(
            target=http.serve_forever, kwargs={"poll_interval": 0.05}, name=name, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening and close every connection; a second call does nothing."""
        if self._thread.is_alive():
            self.listener.shutdown()
            self._thread.join()
            self.listener.server_close()
            self.listener.close_connections()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
