"""AWS's protocols, as far as the sandbox speaks them itself: which call a request is, and how a refusal looks.

No state and no moto here; everything is a function of the WSGI environment.
"""

from __future__ import annotations

import io
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from sandbox.aws.faults import Refusal

Environ = dict[str, Any]


@dataclass(frozen=True)
class Incoming:
    """A request as it came: what is asked, by whom (`User-Agent`), and with what body."""

    service: str
    operation: str
    agent: str
    body: bytes


_CREDENTIAL = re.compile(r"Credential=[^/]*/[^/]*/[^/]*/([^/]+)/")
_RPC_PATH = re.compile(r"/operation/(\w+)$")


def identify(environ: Environ) -> tuple[str, str]:
    """The (service, operation) of a request; for REST protocols (S3) the operation is "METHOD /path".

    The service is the signing name; an unsigned request has none. The body stays readable for whoever comes next.
    """
    credential = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    service = credential.group(1) if credential else ""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return service, target.rpartition(".")[2]
    if rpc := _RPC_PATH.search(environ.get("PATH_INFO", "")):
        return service, rpc.group(1)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        actions = parse_qs(_body(environ).decode()).get("Action")
        if actions:
            return service, actions[0]
    return service, f"{environ.get('REQUEST_METHOD', '')} {environ.get('PATH_INFO', '')}"


def incoming(environ: Environ) -> Incoming:
    """The request as a value. The body stays readable for whoever comes next."""
    service, operation = identify(environ)
    return Incoming(service, operation, environ.get("HTTP_USER_AGENT", ""), _body(environ))


def _body(environ: Environ) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def refusal_body(environ: Environ, service: str, refusal: Refusal) -> tuple[str, bytes]:
    """Content type and body of *refusal* in the protocol of the
    request: AWS JSON, EC2's XML, S3's XML or the query XML.
    """
    code, message, request_id = refusal.code, refusal.message, str(uuid.uuid4())
    if refusal.html:
        return "text/html", f"<html><body><h1>{refusal.status} {escape(message)}</h1></body></html>".encode()
    if "HTTP_X_AMZ_TARGET" in environ:
        return "application/x-amz-json-1.0", json.dumps({"__type": code, "message": message}).encode()
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    elif service == "s3":
        text = f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
    else:
        kind = "Sender" if refusal.status < 500 else "Receiver"
        error = f"<Error><Type>{kind}</Type>{error}</Error>"
        text = f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return "text/xml", f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
