"""The cluster API on a socket: HTTP/1.1 with keep-alive, TLS if wanted, and injected faults.

Belongs here: connections and bytes. What is answered is decided in ``api``.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.kube.api import Api
from sandbox.kube.cluster import KubeCluster
from sandbox.kube.errors import ApiError, reason_for
from sandbox.kube.faults import Fault, RequestRecord
from sandbox.kube.wire import JSON, Request, Response, render_error
from sandbox.listening import LOOPBACK, Listener, Serving


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of the server's certificate (with its chain) and key."""

    certificate: Path
    key: Path


class KubeServer(Serving):
    """Serves one cluster on loopback.

    Args:
        cluster: what is served; several servers may serve the same.
        port: TCP port; 0 = any free one.
        tls: serve HTTPS with this certificate.
    """

    def __init__(self, cluster: KubeCluster, port: int = 0, tls: TlsFiles | None = None) -> None:
        self._closing = threading.Event()
        self._cluster = cluster
        listener = _Listener((LOOPBACK, port), Api(cluster, self._closing.is_set), cluster, tls)
        super().__init__(listener, "kube-server", "https" if tls else "http")

    def close(self) -> None:
        """Stop listening, end watches, close every connection; a second call does nothing."""
        self._closing.set()
        with self._cluster.store.changed:
            self._cluster.store.changed.notify_all()
        super().close()


class _Listener(Listener):
    """Accepts connections for one cluster's API."""

    def __init__(self, address: tuple[str, int], api: Api, cluster: KubeCluster, tls: TlsFiles | None) -> None:
        super().__init__(address, _Connection, _tls_context(tls))
        self.api = api
        self.cluster = cluster


class _Connection(BaseHTTPRequestHandler):
    """Reads requests off one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, *_: object) -> None:
        """Requests are kept in the cluster's request log instead."""

    def _serve(self) -> None:
        request = self._read()
        cluster = self.server.cluster
        fault = cluster.intercept(request) or cluster.faults.take(request.method, request.path, request.raw_query)
        if fault is None:
            response, user = self.server.api.answer(request)
            self._record(request, user, response.status)
            cluster.overhear(request, response)
            self._send(response)
            return
        self._serve_with(fault, request)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - the base's names

    def _read(self) -> Request:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, parts.path, parts.query, headers, self.rfile.read(length) if length else b"")

    def _serve_with(self, fault: Fault, request: Request) -> None:
        """Answer as *fault* says: late, by an error, cut off, or not at all."""
        if fault.delay_seconds:
            time.sleep(fault.delay_seconds)
        response, user = None, ""
        if fault.after_commit or not (fault.drop or fault.status):
            response, user = self.server.api.answer(request)
        if fault.drop:
            self._record(request, user, None)
            self.close_connection = True
            return
        if response is None or fault.status:
            response = _faulty_response(fault)
        self._record(request, user, response.status)
        self._send(disguised(response, fault), truncate=fault.truncate)

    def _record(self, request: Request, user: str, status: int | None) -> None:
        self.server.cluster.requests.add(
            RequestRecord(
                request.method, request.path, request.query, request.user_agent, user, request.content_type, status
            )
        )

    def _send(self, response: Response, *, truncate: bool = False) -> None:
        self.send_response(response.status)
        if response.content_type:
            self.send_header("Content-Type", response.content_type)
        for name, value in response.headers:
            self.send_header(name, value)
        if response.stream is not None:
            self._stream(response.stream, truncate=truncate)
            return
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body[: len(response.body) // 2] if truncate else response.body)
        self.wfile.flush()
        self.close_connection = self.close_connection or truncate

    def _stream(self, pieces: Iterator[bytes], *, truncate: bool) -> None:
        """Send *pieces* as chunks as they come; a truncated stream ends in the middle of its first one."""
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for piece in pieces:
            self.wfile.write(b"%x\r\n" % len(piece))
            if truncate:
                self.wfile.write(piece[: len(piece) // 2])
                self.close_connection = True
                break
            self.wfile.write(piece + b"\r\n")
            self.wfile.flush()
        else:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


def _tls_context(tls: TlsFiles | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    return context


def disguised(response: Response, fault: Fault) -> Response:
    """*response* with the headers and the content type that *fault* gives it."""
    content_type = response.content_type if fault.content_type is None else fault.content_type
    return replace(response, headers=(*response.headers, *fault.headers), content_type=content_type)


def _faulty_response(fault: Fault) -> Response:
    headers = () if fault.retry_after is None else (("Retry-After", str(fault.retry_after)),)
    code = fault.status or 500
    if fault.body is not None:
        kind = "text/html" if fault.body.lstrip().startswith("<") else "text/plain; charset=utf-8"
        return Response(code, fault.body.encode(), JSON if fault.body.lstrip().startswith("{") else kind, headers)
    details = {} if fault.retry_after is None else {"retryAfterSeconds": fault.retry_after}
    return render_error(ApiError(code, reason_for(code), "injected fault", details=details, headers=dict(headers)))
