"""Clients of this process, answered without a socket: the same door, the same bytes, in a third of the time.

For whoever makes thousands of calls one after the other. Between door and client there is then no server thread, no
connection and no time-out; requests are signed, written and parsed as ever, and faults look as they do on the wire: a
dropped call has no answer, a truncated one has half of it.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

from sandbox.aws.wire import Environ

Door = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class _Body(io.BytesIO):
    """A body as botocore reads those of urllib3."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """All of it."""
        yield self.read()


def attach(client: Any, door: Door) -> None:
    """Have the botocore client's requests answered by *door*, a WSGI application, from now on."""

    def send(request: Any, **_: Any) -> AWSResponse:
        return _exchange(request, door)

    client.meta.events.register_last("before-send", send)
    # How a client calls itself is put together twice for each request, which takes as long as signing it.
    naming = client._user_agent_creator
    naming.to_string = functools.cache(naming.to_string)


def _exchange(request: Any, door: Door) -> AWSResponse:
    """The answer to a prepared request. Raises what botocore raises where a connection is closed on it."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], None]:
        started.append((status, headers))
        return written.append

    try:
        written.extend(door(_environ(request), start_response))
    except ConnectionAbortedError as error:
        if not written:
            raise ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error
    status, headers = started[-1]
    return AWSResponse(request.url, int(status.split(maxsplit=1)[0]), dict(headers), _Body(b"".join(written)))


def _environ(request: Any) -> Environ:
    """The request as a WSGI server would hand it on."""
    url = urlsplit(request.url)
    body = _bytes(request.body)
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path, "latin-1") or "/",
        "QUERY_STRING": url.query,
        "RAW_URI": request.url,
        "REQUEST_URI": request.url,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # an affair of sockets
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _bytes(body: Any) -> bytes:
    """A body, which botocore has as text, bytes or something to read."""
    content = body.read() if hasattr(body, "read") else body or b""
    return content.encode() if isinstance(content, str) else bytes(content)
