"""OCM on a socket: HTTP/1.1 with keep-alive and chunked requests, and injected faults.

Belongs here: connections and bytes. What is answered is decided in `api`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from sandbox.kube import Fault
from sandbox.listening import LOOPBACK, Listener, Serving
from sandbox.ocm.api import Ocm
from sandbox.ocm.errors import OcmError
from sandbox.ocm.tokens import TOKEN_PATH
from sandbox.ocm.wire import JSON, Request, Response, record


class OcmServer(Serving):
    """Serves *ocm* on loopback over plain HTTP."""

    def __init__(self, ocm: Ocm, port: int = 0) -> None:
        super().__init__(_Listener((LOOPBACK, port), ocm), "ocm-server")
        self.token_url = self.url + TOKEN_PATH


class _Listener(Listener):
    def __init__(self, address: tuple[str, int], ocm: Ocm) -> None:
        super().__init__(address, _Connection)
        self.ocm = ocm


class _Connection(BaseHTTPRequestHandler):
    """Reads requests off one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, *_: object) -> None:
        """Exchanges are kept in `Ocm.exchanges` instead."""

    def _serve(self) -> None:
        ocm, request = self.server.ocm, self._read()
        fault = ocm.intercept(request) or ocm.faults.take(request.method, request.path, request.raw_query)
        if fault is None:
            response: Response | None = ocm.answer(request)
            if response is not None:
                ocm.overhear(request, response)
            ocm.exchanges.add(record(request, response, injected=False))
        else:
            response = self._meet(fault, request)
            replaced = response is None or fault.status is not None
            ocm.exchanges.add(record(request, response, injected=replaced))
        if response is None:
            self.close_connection = True
        else:
            self._send(response, truncate=fault is not None and fault.truncate)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve  # noqa: N815 - the base's names

    def _meet(self, fault: Fault, request: Request) -> Response | None:
        """The answer that *fault* makes of it: late, an error, disguised, or (None) no answer at all."""
        if fault.delay_seconds:
            time.sleep(fault.delay_seconds)
        response = None
        if fault.after_commit or not (fault.drop or fault.status):
            response = self.server.ocm.answer(request)
        if fault.drop:
            return None
        if response is None or fault.status:
            response = self._error(fault)
        content_type = response.content_type if fault.content_type is None else fault.content_type
        return replace(response, headers=(*response.headers, *fault.headers), content_type=content_type)

    def _error(self, fault: Fault) -> Response:
        status = fault.status or 500
        headers = () if fault.retry_after is None else (("Retry-After", str(fault.retry_after)),)
        if fault.body is None:
            refusal = self.server.ocm.refusal(OcmError(status, "injected fault"))
            return replace(refusal, headers=(*refusal.headers, *headers))
        start = fault.body.lstrip()[:1]
        kind = {"<": "text/html", "{": JSON}.get(start, "text/plain; charset=utf-8")
        return Response(status, headers=headers, raw=fault.body.encode(), content_type=kind)

    def _read(self) -> Request:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, parts.path, parts.query, headers, self._body(headers))

    def _body(self, headers: dict[str, str]) -> bytes:
        """The body, whether its length is given or it comes in chunks, as `rosa` sends it."""
        if headers.get("transfer-encoding", "").lower() != "chunked":
            length = int(headers.get("content-length") or 0)
            return self.rfile.read(length) if length else b""
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return body

    def _send(self, response: Response, *, truncate: bool) -> None:
        body = response.body
        self.send_response(response.status)
        if response.content_type and response.status != 204:
            self.send_header("Content-Type", response.content_type)
        for name, value in response.headers:
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if truncate else body)
        self.wfile.flush()
        self.close_connection = self.close_connection or truncate
