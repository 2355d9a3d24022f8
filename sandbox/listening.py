"""A listening socket whose connections do not outlive it: what the sandbox's own HTTP servers have in common.

Belongs here: accepting, TLS and closing. What is answered is the handler's affair.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


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

    def close_connections(self) -> None:
        """Close what is still open and wait for the threads that served it."""
        with self._lock:
            connections, threads = list(self._connections), list(self._serving)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=2)
