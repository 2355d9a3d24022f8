"""The HTTP API without sockets: from a request to a response.

Belongs here: which path and method mean what, and who may do it. The verbs themselves are in ``registry``,
``listing`` and ``watching``; how a response is sent is up to ``server``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sandbox.kube import decoding, discovery, openapi, patches, protobuf, wire
from sandbox.kube.cluster import KubeCluster
from sandbox.kube.errors import (
    ApiError,
    bad_request,
    forbidden,
    forbidden_path,
    internal,
    method_not_allowed,
    no_such_path,
    not_found,
    unsupported_media_type,
)
from sandbox.kube.listing import check_not_ahead, list_page, predicate, revision_of
from sandbox.kube.resources import NAMESPACES, by_path
from sandbox.kube.store import Version, key_of
from sandbox.kube.strategic import strategic_merge
from sandbox.kube.tokens import ANONYMOUS
from sandbox.kube.views import show_list, show_object
from sandbox.kube.watching import Watch
from sandbox.kube.wire import Accepted, Request, Response, negotiate, render, render_error
from sandbox.kube.writing import Outcome, Preconditions, Target, Write

_BODY_TYPES = (wire.JSON, wire.YAML, protobuf.MEDIA_TYPE)
_HEALTH = ("healthz", "livez", "readyz")
_UNDELETABLE = ("default", "kube-public", "kube-system")


@dataclass(frozen=True, slots=True)
class Call:
    """A request together with what it is about, who makes it and what they want to read."""

    request: Request
    target: Target
    subresource: str
    user: str
    accepted: Accepted

    @property
    def write(self) -> Write:
        """Who writes, and how, by the parameters of the request."""
        query = self.request.query
        return Write(
            manager=query.get("fieldManager") or self.request.user_agent.split("/")[0] or "unknown",
            user=self.user,
            subresource=self.subresource,
            dry_run=query.get("dryRun") == "All",
            field_validation=query.get("fieldValidation") or decoding.WARN,
        )


class Api:
    """Answers requests to one cluster.

    Args:
        closing: whether the server is shutting down, which ends watches.
    """

    def __init__(self, cluster: KubeCluster, closing: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._store = cluster.store
        self._registry = cluster.registry
        self._closing = closing

    def answer(self, request: Request) -> tuple[Response, str]:
        """The response, and the user who asked (empty if unknown)."""
        user = ""
        try:
            open_to_all = self._public(request)
            if open_to_all is not None:
                return open_to_all, user
            user = self._cluster.tokens.user_of(request.headers.get("authorization", ""))
            return self._described(request, user) or self._resource(request, user), user
        except ApiError as error:
            return render_error(error), user

    def _public(self, request: Request) -> Response | None:
        """What OpenShift tells everybody: health and version."""
        segments = request.segments
        if segments[0] in _HEALTH:
            return wire.text(200, "ok")
        return render(discovery.VERSION) if segments == ["version"] else None

    def _described(self, request: Request, user: str) -> Response | None:
        """Discovery and OpenAPI; None for a path that is about a resource."""
        match request.segments:
            case ["api"]:
                body: Any = discovery.core_versions(request.headers.get("host", ""))
            case ["apis"]:
                body = discovery.groups()
            case ["api", version]:
                body = discovery.resources("", version)
            case ["apis", group]:
                body = discovery.group(group)
            case ["apis", group, version]:
                body = discovery.resources(group, version)
            case ["openapi", "v3"]:
                body = openapi.index()
            case ["openapi", "v3", *path]:
                body = openapi.document("/".join(path))
            case ["api" | "apis", *_]:
                return None
            case _:
                body = None
        if user == ANONYMOUS:
            raise forbidden_path(user, request.path)
        return wire.text(404, "404 page not found\n") if body is None else render(body)

    def _resource(self, request: Request, user: str) -> Response:
        kind, *path = request.segments
        group = path.pop(0) if kind == "apis" else ""
        version, rest = path[0], path[1:]
        namespace = ""
        if len(rest) > 2 and rest[0] == NAMESPACES and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        plural, name, subresource = (*rest, "", "")[:3]
        resource = by_path(group, version, plural)
        if resource is None or (namespace and not resource.namespaced):
            if group:
                return wire.text(404, "404 page not found\n")
            raise no_such_path()
        target = Target(resource, namespace, name)
        if subresource and not self._serves(target, subresource):
            raise not_found(resource, name) if resource.custom else no_such_path()
        call = Call(request, target, subresource, user, negotiate(request))
        return self._dispatch(call)

    def _serves(self, target: Target, subresource: str) -> bool:
        resource = target.resource
        return subresource in resource.subresources or (subresource == "status" and resource.has_status)

    def _dispatch(self, call: Call) -> Response:
        verb, handler = self._handler(call)
        target = call.target
        path = target.resource.plural + (f"/{call.subresource}" if call.subresource else "")
        if call.user == ANONYMOUS or self._cluster.faults.denied(verb, path, call.user):
            raise forbidden(
                target.resource,
                verb=verb,
                user=call.user,
                name=target.name,
                namespace=target.namespace,
                subresource=call.subresource,
            )
        return handler(call)

    def _handler(self, call: Call) -> tuple[str, Callable[[Call], Response]]:
        """The verb of a request and what does it, or ApiError 405."""
        target, method = call.target, call.request.method
        if target.resource.custom and method == "POST" and not call.subresource:
            return "create", self._post  # the server's handler for custom resources overlooks a name in the URL
        if call.subresource == "token":
            if method != "POST":
                raise method_not_allowed()
            return "create", self._token
        if target.name:
            found = {
                "GET": ("get", self._get),
                "PUT": ("update", self._put),
                "PATCH": ("patch", self._patch),
                "DELETE": ("delete", self._delete),
            }.get(method)
            if found is None or (call.subresource and method == "DELETE"):
                raise method_not_allowed()
            return found
        if target.resource.custom and method in ("PUT", "PATCH"):
            raise bad_request("name must be provided")
        if method == "GET":
            return ("watch", self._watch) if call.request.flag("watch") else ("list", self._list)
        everywhere = target.resource.namespaced and not target.namespace
        if method == "POST" and not everywhere:
            return "create", self._post
        if method == "DELETE" and not everywhere and "deletecollection" in target.resource.verbs:
            return "deletecollection", self._delete_collection
        raise method_not_allowed()

    def _get(self, call: Call) -> Response:
        with self._store.changed:
            check_not_ahead(self._store, revision_of(call.request.query.get("resourceVersion", "")))
            version = self._registry.find(call.target)
        return self._show(call, version)

    def _show(self, call: Call, version: Version, status: int = 200) -> Response:
        return show_object(version, call.accepted, self._cluster.clock(), status)

    def _list(self, call: Call) -> Response:
        with self._store.changed:
            page = list_page(self._store, call.target.resource, _prefix(call.target), call.request)
        return show_list(call.target.resource, page, call.accepted, self._cluster.clock())

    def _watch(self, call: Call) -> Response:
        watch = Watch(
            self._store, call.target, call.request, call.accepted, clock=self._cluster.clock, closing=self._closing
        )
        return Response(200, stream=iter(watch))

    def _post(self, call: Call) -> Response:
        wire.write_parameters(call.request, "CreateOptions")
        return self._written(call, self._registry.create(call.target, _sent_object(call), call.write))

    def _put(self, call: Call) -> Response:
        wire.write_parameters(call.request, "UpdateOptions")
        return self._written(call, self._registry.replace(call.target, _sent_object(call), call.write))

    def _patch(self, call: Call) -> Response:
        kind, resource = call.request.content_type, call.target.resource
        accepted = wire.patch_types(resource)
        if kind not in accepted:
            if resource.custom:
                raise unsupported_media_type(accepted)
            raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
        wire.write_parameters(call.request, "PatchOptions", applying=kind == wire.APPLY_PATCH)
        body = call.request.parsed_body()
        if kind == wire.APPLY_PATCH:
            force = call.request.flag("force")
            return self._written(call, self._registry.apply(call.target, body, call.write, force=force))
        if kind != wire.JSON_PATCH and not isinstance(body, Mapping):
            what = "json: cannot unmarshal array into Go value of type map[string]interface {}"
            raise bad_request(f"error decoding patch: {what}")
        changes: dict[str, Callable[[dict[str, Any]], Any]] = {
            wire.JSON_PATCH: lambda obj: patches.json_patch(obj, body),
            wire.MERGE_PATCH: lambda obj: patches.merge_patch(obj, body),
            wire.STRATEGIC_PATCH: lambda obj: strategic_merge(resource.schema, obj, body),
        }
        return self._written(call, self._registry.patch(call.target, changes[kind], call.write))

    def _written(self, call: Call, outcome: Outcome) -> Response:
        response = self._show(call, outcome.version, 201 if outcome.created else 200)
        if not outcome.warnings:
            return response
        quoted = (warning.replace("\\", "\\\\").replace('"', '\\"') for warning in outcome.warnings)
        return replace(response, headers=[("Warning", f'299 - "{text}"') for text in quoted])

    def _delete(self, call: Call) -> Response:
        wire.write_parameters(call.request, "DeleteOptions")
        target, resource = call.target, call.target.resource
        if resource.plural == NAMESPACES and target.name in _UNDELETABLE:
            message = f'namespaces "{target.name}" is forbidden: this namespace may not be deleted'
            raise ApiError(403, "Forbidden", message, details={"name": target.name, "kind": NAMESPACES})
        options = _delete_options(call.request)
        preconditions = options.get("preconditions") or {}
        last, gone = self._registry.delete(
            target,
            Preconditions(preconditions.get("uid") or "", preconditions.get("resourceVersion") or ""),
            dry_run=call.write.dry_run or options.get("dryRun") == ["All"],
        )
        if not gone or resource.returns_deleted:
            return self._show(call, last)
        details = {
            "name": target.name,
            "group": resource.group,
            "kind": resource.plural,
            "uid": last.obj["metadata"]["uid"],
        }
        return render(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {name: value for name, value in details.items() if value},
            },
            call.accepted,
        )

    def _delete_collection(self, call: Call) -> Response:
        wire.write_parameters(call.request, "DeleteOptions")
        dry_run = call.write.dry_run or _delete_options(call.request).get("dryRun") == ["All"]
        resource, matches = call.target.resource, predicate(call.target.resource, call.request)
        with self._store.changed:
            page = list_page(self._store, resource, _prefix(call.target), call.request)
        for version in page.versions:
            if matches(version.obj):
                self._registry.delete(replace(call.target, name=version.obj["metadata"]["name"]), dry_run=dry_run)
        return show_list(resource, page, call.accepted, self._cluster.clock())

    def _token(self, call: Call) -> Response:
        target = call.target
        with self._store.changed:
            account = self._registry.find(target)
        body = call.request.parsed_body() if call.request.body else {}
        uid = account.obj["metadata"]["uid"]
        answer = self._cluster.tokens.request(target.namespace, target.name, uid, body, call.write.manager)
        return render(answer, call.accepted, 201)


def _prefix(target: Target) -> str:
    return key_of(target.namespace, "") if target.namespace else ""


def _sent_object(call: Call) -> dict[str, Any]:
    """The object a POST or PUT brings."""
    kind = call.request.content_type
    if kind not in ("", *_BODY_TYPES):
        raise unsupported_media_type(_BODY_TYPES)
    try:
        body = call.request.parsed_body()
    except ApiError as error:
        raise bad_request(
            f"the object provided is unrecognized (must be of type {call.target.resource.kind}): {error.message}"
        ) from error
    decoding.check_sent_kind(call.target.resource, body, call.request.body.decode(errors="replace"))
    return dict(body)


def _delete_options(request: Request) -> Mapping[str, Any]:
    if not request.body.strip():
        return {}
    try:
        options = request.parsed_body()
    except ApiError as error:
        raise internal(error.message) from error
    if not isinstance(options, Mapping) or options.get("kind", "DeleteOptions") != "DeleteOptions":
        raise internal("the body of a DELETE request must be DeleteOptions")
    return options
