"""A cluster behind a real API server, with the verbs of `KubeCluster`: so the sandbox's platform can act on one.

What others wrote is heard of through watches, as by any controller. A stepped timeline, though, must not go on before
its controllers have seen what is there: so each write returns after its own event has come, and `settle` waits for
everything that a consistent list shows. Subscribers are called in the thread that writes or settles, in the order of
the server's revisions.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import urllib3

from sandbox.kube.errors import ApiError, Cause
from sandbox.kube.resources import Resource, by_plural
from sandbox.kube.verbs import Subscriber

WATCHED = ("nodes", "egressips", "cloudprivateipconfigs")
PATIENCE_SECONDS = 20.0
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_APPLY, _MERGE, _JSON_PATCH = (
    "application/apply-patch+yaml",
    "application/merge-patch+json",
    "application/json-patch+json",
)


class RemoteCluster:
    """One cluster over HTTPS.

    Args:
        token: A cluster administrator's, who is OVN-Kubernetes' control plane where an admission policy asks for it.
        clock: Seconds since the epoch, for the time stamps that the platform's programs write themselves. The server's
            own (creation, deletion, owners) are the wall clock's.
    """

    def __init__(self, url: str, token: str, ca_pem: str, *, clock: Callable[[], float] = time.time) -> None:
        self.url = url
        self.ca_pem = ca_pem
        self.clock = clock
        self._headers = {"Authorization": f"Bearer {token}"}
        self._tls = ssl.create_default_context(cadata=ca_pem)
        self._pool = urllib3.PoolManager(retries=False, timeout=30.0, ssl_context=self._tls)
        self._subscribers: list[Subscriber] = []
        self._mirrors: dict[str, _Mirror] = {}
        self._delivering = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the watches and the connections."""
        for mirror in self._mirrors.values():
            mirror.close()
        self._mirrors.clear()
        self._pool.clear()

    def get(self, plural: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object."""
        return self._send("GET", _path(by_plural(plural), namespace, name))

    def list(self, plural: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """All objects, of one namespace or of all, in the order of their names."""
        resource = by_plural(plural)
        found = self._send("GET", _path(resource, namespace, everywhere=namespace is None))
        named = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**named, **item} for item in found["items"]]

    def create(
        self, plural: str, obj: Mapping[str, Any], *, manager: str, namespace: str | None = None
    ) -> dict[str, Any]:
        """POST."""
        resource = by_plural(plural)
        path = _path(resource, namespace or _namespace_of(obj))
        return self._write(resource, "POST", path, {"fieldManager": manager}, _named(resource, obj))

    def patch(
        self,
        plural: str,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        manager: str,
        namespace: str | None = None,
        subresource: str = "",
    ) -> dict[str, Any]:
        """PATCH: a mapping is a merge patch, a list a JSON patch."""
        resource = by_plural(plural)
        path = _path(resource, namespace, name) + (f"/{subresource}" if subresource else "")
        kind = _MERGE if isinstance(patch, Mapping) else _JSON_PATCH
        return self._write(resource, "PATCH", path, {"fieldManager": manager}, patch, kind=kind)

    def apply(
        self, plural: str, obj: Mapping[str, Any], *, manager: str, force: bool = False, namespace: str | None = None
    ) -> dict[str, Any]:
        """Server-Side Apply; ``apiVersion`` and ``kind`` may be left out here."""
        resource = by_plural(plural)
        path = _path(resource, namespace or _namespace_of(obj), obj["metadata"]["name"])
        query = {"fieldManager": manager, **({"force": "true"} if force else {})}
        return self._write(resource, "PATCH", path, query, _named(resource, obj), kind=_APPLY)

    def delete(self, plural: str, name: str, *, namespace: str | None = None) -> None:
        """DELETE; an object with finalizers stays, marked as being deleted."""
        resource = by_plural(plural)
        self._send("DELETE", _path(resource, namespace, name))
        if plural in self._mirrors:
            self.settle()

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Have *callback* called after each change of what is `WATCHED`, whoever made it; what is returned ends that.

        It is called by whoever writes through this object or settles it, and must not raise.
        """
        for plural in WATCHED:
            if plural not in self._mirrors:
                self._mirrors[plural] = self._watch(by_plural(plural))
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def settle(self) -> None:
        """Return when subscribers have heard of everything that was written before this call, by anybody.

        Raises:
            TimeoutError: A watch did not bring what a list shows.
        """
        for plural, mirror in self._mirrors.items():
            found = self._send("GET", _path(by_plural(plural), None, everywhere=True), accept=METADATA)
            mirror.wait_for(_versions(found), listed_at=int(found["metadata"]["resourceVersion"]))
        self._deliver()

    def _write(
        self,
        resource: Resource,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any,
        *,
        kind: str = "application/json",
    ) -> dict[str, Any]:
        written = self._send(method, f"{path}?{urlencode(query)}", body, kind=kind)
        mirror = self._mirrors.get(resource.plural)
        if mirror is not None:
            metadata = written["metadata"]
            if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
                self.settle()  # that was its last finalizer: the object is gone, under a version that no answer names
            else:
                mirror.wait_for({metadata["name"]: int(metadata["resourceVersion"])})
                self._deliver()
        return written

    def _deliver(self) -> None:
        """Tell subscribers what has come, oldest first."""
        with self._delivering:
            events = sorted((event for mirror in self._mirrors.values() for event in mirror.take()), key=_Event.order)
            for event in events:
                for subscriber in tuple(self._subscribers):
                    subscriber(event.kind, event.plural, event.obj)

    def _watch(self, resource: Resource) -> _Mirror:
        path = _path(resource, None, everywhere=True)
        found = self._send("GET", path)
        mirror = _Mirror(resource.plural, _versions(found))
        mirror.start(self.url, path, found["metadata"]["resourceVersion"], self._headers, self._tls)
        return mirror

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        headers = {**self._headers, "Accept": accept, "User-Agent": "sandbox"}
        if body is not None:
            headers["Content-Type"] = kind
        answer = self._pool.request(
            method, self.url + path, headers=headers, body=None if body is None else json.dumps(body)
        )
        content = answer.json()
        if answer.status >= 400:
            raise _error(answer.status, content)
        return dict(content)


@dataclass(frozen=True, slots=True)
class _Event:
    kind: str
    plural: str
    obj: Mapping[str, Any]
    revision: int

    def order(self) -> int:
        """By the server's revision, which counts over all kinds."""
        return self.revision


@dataclass
class _Mirror:
    """What a watch has shown so far of one kind: the version of each object, and events not delivered yet."""

    plural: str
    versions: dict[str, int]
    gone: dict[str, int] = field(default_factory=dict)
    events: list[_Event] = field(default_factory=list)
    broken: str = ""

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._connection: http.client.HTTPSConnection | None = None
        self._closing = False

    def start(self, url: str, path: str, version: str, headers: Mapping[str, str], tls: ssl.SSLContext) -> None:
        """Watch from *version* on, in a thread."""
        address = urlsplit(url)
        connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=tls)
        connection.request("GET", f"{path}?watch=true&resourceVersion={version}", headers=dict(headers))
        self._connection = connection
        answer = connection.getresponse()
        thread = threading.Thread(target=self._read, args=(answer,), name=f"watch-{self.plural}", daemon=True)
        thread.start()
        self._thread = thread

    def close(self) -> None:
        """End the watch and wait for its thread."""
        self._closing = True
        if self._connection is not None:
            if self._connection.sock is not None:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
            self._thread.join(5)
            self._connection.close()

    def take(self) -> list[_Event]:
        """The events that came since the last time."""
        with self._changed:
            events, self.events = self.events, []
            return events

    def wait_for(self, there: Mapping[str, int], *, listed_at: int | None = None) -> None:
        """Return when each object has been seen in that version or a later one, or gone later; if *there* is all there
        was at revision *listed_at*, also when everything else from before then has been seen going.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.broken or self._has(there, listed_at), PATIENCE_SECONDS):
                raise TimeoutError(f"the watch of {self.plural} did not bring what is there")
            if self.broken:
                raise TimeoutError(f"the watch of {self.plural} ended: {self.broken}")

    def _has(self, there: Mapping[str, int], listed_at: int | None) -> bool:
        if any(max(self.versions.get(name, 0), self.gone.get(name, 0)) < at for name, at in there.items()):
            return False
        return listed_at is None or all(name in there or at > listed_at for name, at in self.versions.items())

    def _read(self, answer: http.client.HTTPResponse) -> None:
        try:
            for line in answer:
                self._note(json.loads(line))
            reason = "the server closed it"
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
            reason = type(error).__name__
        with self._changed:
            self.broken = "" if self._closing else reason
            self._changed.notify_all()

    def _note(self, event: Mapping[str, Any]) -> None:
        obj = event["object"]
        with self._changed:
            if event["type"] == "ERROR":
                self.broken = str(obj.get("message"))
            else:
                name, revision = obj["metadata"]["name"], int(obj["metadata"]["resourceVersion"])
                if event["type"] == "DELETED":
                    self.versions.pop(name, None)
                    self.gone[name] = revision
                else:
                    self.versions[name] = revision
                self.events.append(_Event(event["type"], self.plural, obj, revision))
            self._changed.notify_all()


def _versions(found: Mapping[str, Any]) -> dict[str, int]:
    return {item["metadata"]["name"]: int(item["metadata"]["resourceVersion"]) for item in found["items"] or ()}


def _path(resource: Resource, namespace: str | None, name: str = "", *, everywhere: bool = False) -> str:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = f"/namespaces/{namespace or 'default'}" if resource.namespaced and not everywhere else ""
    return f"{root}{scope}/{resource.plural}" + (f"/{name}" if name else "")


def _named(resource: Resource, obj: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def _namespace_of(obj: Mapping[str, Any]) -> str | None:
    namespace = (obj.get("metadata") or {}).get("namespace")
    return str(namespace) if namespace else None


def _error(status: int, content: Any) -> ApiError:
    body = content if isinstance(content, dict) else {}
    details = dict(body.get("details") or {})
    causes = [Cause(c.get("reason", ""), c.get("message", ""), c.get("field", "")) for c in details.pop("causes", ())]
    return ApiError(status, body.get("reason", ""), str(body.get("message", status)), causes=causes, details=details)
