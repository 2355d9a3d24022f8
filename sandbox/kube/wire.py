"""Requests and responses as values, and what a client asks to be sent.

Belongs here: the query, the body and content negotiation. Sockets are in ``server``, resources in ``api``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import parse_qs

import yaml

from sandbox.kube import protobuf
from sandbox.kube.errors import ApiError, Cause, bad_request, invalid
from sandbox.kube.resources import Resource
from sandbox.listening import HttpRequest

JSON, YAML, TEXT = "application/json", "application/yaml", "text/plain; charset=utf-8"

JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
APPLY_PATCH, STRATEGIC_PATCH = "application/apply-patch+yaml", "application/strategic-merge-patch+json"

_OFFERED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
_FALSE = ("", "false", "False", "0")


def patch_types(resource: Resource) -> tuple[str, ...]:
    """The media types PATCH takes: custom resources have no strategic merge."""
    return (JSON_PATCH, MERGE_PATCH, *(() if resource.custom else (STRATEGIC_PATCH,)), APPLY_PATCH)


class Shape(Enum):
    """How objects are shown."""

    OBJECT = "objects as they are"
    METADATA = "PartialObjectMetadata"
    TABLE = "Table"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the client wants to read.

    Attributes:
        version: of the meta group, for shapes other than OBJECT.
        kind: the kind asked for by name: metadata has one for objects and one for lists, which must fit.
        include: of a table: what goes with each row (``Metadata``, ``Object`` or ``None``).
    """

    shape: Shape = Shape.OBJECT
    media_type: str = JSON
    version: str = "v1"
    kind: str = ""
    include: str = "Metadata"


@dataclass(frozen=True, slots=True)
class Request(HttpRequest):
    """One HTTP request; header names are in lower case."""

    @property
    def query(self) -> dict[str, str]:
        """The parameters; of a repeated one the first."""
        return {name: values[0] for name, values in parse_qs(self.raw_query, keep_blank_values=True).items()}

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def user_agent(self) -> str:
        """As sent; empty if not."""
        return self.headers.get("user-agent", "")

    def flag(self, name: str) -> bool:
        """Whether a parameter is set to something other than false."""
        return self.query.get(name, "") not in _FALSE

    def integer(self, name: str) -> int | None:
        """A parameter that is a number; ApiError 400 for one that is not."""
        text = self.query.get(name, "")
        try:
            return int(text) if text else None
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None

    def parsed_body(self) -> Any:
        """The body read as its media type says; ApiError 400 if it cannot be read."""
        if self.content_type == protobuf.MEDIA_TYPE:
            return protobuf.parse(self.body)
        return parse_yaml(self.body) if self.content_type in (YAML, APPLY_PATCH) else parse_json(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back: a body, or (*stream*) pieces sent one by one as they come."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Sequence[tuple[str, str]] = ()
    stream: Iterator[bytes] | None = None


def parse_json(body: bytes) -> Any:
    """JSON, or ApiError 400 in words close to the server's."""
    try:
        return json.loads(body)
    except ValueError:
        shown = body.decode(errors="replace")
        problem = "invalid character in" if shown.strip() else "unexpected end of"
        raise bad_request(
            f"couldn't get version/kind; json parse error: {problem} JSON input ({shown[:100] or '<empty>'})"
        ) from None


def parse_yaml(body: bytes) -> Any:
    """YAML (or JSON, which is YAML), or ApiError 400; times stay text, as they do on the server."""
    try:
        return yaml.load(body, Loader=_TextTimes)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        problem = str(error).replace("\n", " ")
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: yaml: {problem}") from None


class _TextTimes(yaml.SafeLoader):
    """A SafeLoader that leaves time stamps alone."""


_TextTimes.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def negotiate(request: Request) -> Accepted:
    """What to send, by the ``Accept`` header: the first offer that can be met; ApiError 406 if there is none.

    Protobuf, which a real server offers too, is never chosen; clients that prefer it name JSON as well.
    """
    offers = [offer.strip() for offer in request.headers.get("accept", "").split(",") if offer.strip()]
    if not offers:
        return Accepted()
    for offer in offers:
        media_type, *parameters = (part.strip() for part in offer.split(";"))
        wanted = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        accepted = _match(media_type, wanted)
        if accepted is not None:
            return replace(accepted, include=request.query.get("includeObject") or "Metadata")
    raise ApiError(406, "NotAcceptable", f"only the following media types are accepted: {_OFFERED}")


def _match(media_type: str, wanted: Mapping[str, str]) -> Accepted | None:
    if media_type in (JSON, "application/*", "*/*"):
        media_type = JSON
    elif media_type not in (YAML, "text/yaml", "application/x-yaml"):
        return None
    kind = wanted.get("as", "")
    if not kind:
        return Accepted(media_type=media_type)
    version = wanted.get("v", "")
    if wanted.get("g") != "meta.k8s.io" or version not in ("v1", "v1beta1"):
        return None
    if kind == "Table":
        return Accepted(Shape.TABLE, media_type, version, kind)
    return Accepted(Shape.METADATA, media_type, version, kind) if kind.startswith("PartialObjectMetadata") else None


def render(value: Any, accepted: Accepted = Accepted(), status: int = 200) -> Response:
    """A JSON value as the client wants to read it."""
    return respond(json.dumps(value, separators=(",", ":")).encode(), accepted, status)


def respond(body: bytes, accepted: Accepted, status: int = 200) -> Response:
    """A JSON text as the client wants to read it."""
    if accepted.media_type != JSON:
        text = yaml.safe_dump(json.loads(body), default_flow_style=False, sort_keys=True)
        return Response(status, text.encode(), YAML)
    return Response(status, body, JSON)


def render_error(error: ApiError) -> Response:
    """A refusal."""
    body = json.dumps(error.status(), separators=(",", ":")).encode()
    return Response(error.code, body, JSON, tuple(error.headers.items()))


def text(status: int, message: str) -> Response:
    """Plain text, as the health endpoints and unknown paths give."""
    return Response(status, message.encode(), TEXT)


def write_parameters(request: Request, options_kind: str, *, applying: bool = False) -> None:
    """Refuse parameters of a write that make no sense.

    Args:
        options_kind: ``CreateOptions``, ``UpdateOptions``, ``PatchOptions`` or ``DeleteOptions``.
        applying: the request is a Server-Side Apply, which must name its manager.
    """
    causes: list[Cause] = []
    query = request.query
    if query.get("dryRun") not in (None, "", "All"):
        value = json.dumps([query["dryRun"]])
        causes.append(Cause("FieldValueNotSupported", f'Unsupported value: {value}: supported values: "All"', "dryRun"))
    if applying and not query.get("fieldManager"):
        causes.append(Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager"))
    if options_kind == "PatchOptions" and not applying and "force" in query:
        causes.append(Cause("FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force"))
    if len(query.get("fieldManager", "")) > 128:
        causes.append(Cause("FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager"))
    if query.get("fieldValidation", "") not in ("", "Ignore", "Strict", "Warn"):
        supported = ", ".join(json.dumps(value) for value in ("", "Ignore", "Strict", "Warn"))
        problem = f"Unsupported value: {json.dumps(query['fieldValidation'])}: supported values: {supported}"
        causes.append(Cause("FieldValueNotSupported", problem, "fieldValidation"))
    if causes:
        raise invalid("meta.k8s.io", options_kind, "", causes)
