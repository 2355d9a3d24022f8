"""The cluster as the controllers of the sandbox and the tests see it: the API without HTTP.

Belongs here: the in-process face of the registry and the store. The same objects are served over HTTP by ``server``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.kube import patches
from sandbox.kube.errors import ApiError, not_found
from sandbox.kube.faults import Fault, Faults, RequestLog
from sandbox.kube.registry import Registry
from sandbox.kube.resources import NAMESPACES, by_plural
from sandbox.kube.store import Store, Subscriber, key_of
from sandbox.kube.tokens import Tokens
from sandbox.kube.wire import Request, Response
from sandbox.kube.writing import Target, Write

_FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_HISTORY_LIMIT = 20_000


class KubeCluster:
    """The state of one cluster and the verbs on it.

    All verbs raise :class:`ApiError` as the HTTP API would answer, return objects that the caller may change, and take
    the namespace from the object, then ``default``, where a namespaced resource is given none. Writes made here count
    as those of OVN-Kubernetes' control plane, the only user the admission policy lets set an EgressIP's mark.

    Attributes:
        faults: what goes wrong with HTTP requests; in-process calls are never met.
        intercept: asked for a fault of an HTTP request before those.
        overhear: told of each HTTP request and the answer that is sent in full.
        requests: the HTTP requests that came.
        tokens: bearer tokens and their users.
        clock: seconds since the epoch, for every time stamp.
    """

    def __init__(
        self,
        *,
        tokens: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        openshift_admission: bool = True,
    ) -> None:
        self.clock = clock
        self.faults = Faults()
        self.intercept: Callable[[Request], Fault | None] = lambda _request: None
        self.overhear: Callable[[Request, Response], None] = lambda _request, _answer: None
        self.requests = RequestLog()
        self.tokens = Tokens(tokens, clock)
        self.store = Store(_HISTORY_LIMIT)
        self.registry = Registry(self.store, clock, openshift_admission=openshift_admission)
        for name in _FIRST_NAMESPACES:
            self.create(NAMESPACES, {"metadata": {"name": name}}, manager="kube-apiserver")

    @property
    def resource_version(self) -> int:
        """The revision of the latest write."""
        return self.store.revision

    def get(self, plural: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object."""
        with self.store.changed:
            return self.registry.find(_target(plural, name, namespace)).copy()

    def list(self, plural: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """All objects, of one namespace or of all, in the order of their names."""
        resource = by_plural(plural)
        prefix = key_of(namespace, "") if resource.namespaced and namespace else ""
        with self.store.changed:
            versions = self.store.versions(resource, prefix)
        return [version.copy() for version in versions]

    def create(
        self, plural: str, obj: Mapping[str, Any], *, manager: str, namespace: str | None = None
    ) -> dict[str, Any]:
        """POST."""
        target = _target(plural, "", namespace, obj)
        return self.registry.create(target, _own_copy(obj), Write(manager)).version.copy()

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
        target, write = _writing(plural, name, namespace, manager, subresource)
        change = patches.merge_patch if isinstance(patch, Mapping) else patches.json_patch
        wanted = _own_copy(patch)
        return self.registry.patch(target, lambda obj: change(obj, wanted), write).version.copy()

    def replace(
        self,
        plural: str,
        name: str,
        obj: Mapping[str, Any],
        *,
        manager: str,
        namespace: str | None = None,
        subresource: str = "",
    ) -> dict[str, Any]:
        """PUT."""
        target, write = _writing(plural, name, namespace, manager, subresource)
        return self.registry.replace(target, _own_copy(obj), write).version.copy()

    def apply(
        self, plural: str, obj: Mapping[str, Any], *, manager: str, force: bool = False, namespace: str | None = None
    ) -> dict[str, Any]:
        """Server-Side Apply; ``apiVersion`` and ``kind`` may be left out here."""
        resource = by_plural(plural)
        named = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        target = _target(plural, obj["metadata"]["name"], namespace, obj)
        return self.registry.apply(target, _own_copy(named), Write(manager), force=force).version.copy()

    def delete(self, plural: str, name: str, *, namespace: str | None = None) -> None:
        """DELETE; an object with finalizers stays, marked as being deleted."""
        self.registry.delete(_target(plural, name, namespace))

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Have *callback* called as ``(type, plural, object)`` after each commit; the function returned ends that.

        Calls come in the order of the commits, outside the lock, in the thread of one of the writers; a callback may
        write. It must not raise: what it raises reaches that writer, whose write has happened.
        """
        return self.store.subscribe(callback)

    def settle(self) -> None:
        """Nothing to wait for: subscribers hear of each write before it returns."""

    def compact(self) -> None:
        """Forget all history, as etcd does every few minutes: continue tokens and watches from before are answered
        410.
        """
        with self.store.changed:
            self.store.compact()


def _own_copy(value: Any) -> Any:
    """*value* as plain JSON that the caller cannot change later."""
    return json.loads(json.dumps(value))


def _target(plural: str, name: str, namespace: str | None, obj: Mapping[str, Any] | None = None) -> Target:
    resource = by_plural(plural)
    if not resource.namespaced:
        return Target(resource, "", name)
    sent = ((obj or {}).get("metadata") or {}).get("namespace")
    return Target(resource, namespace or sent or "default", name)


def _writing(plural: str, name: str, namespace: str | None, manager: str, subresource: str) -> tuple[Target, Write]:
    target = _target(plural, name, namespace)
    if subresource and not (subresource == "status" and target.resource.has_status):
        raise _no_subresource(target)
    return target, Write(manager, subresource=subresource)


def _no_subresource(target: Target) -> ApiError:
    return not_found(target.resource, target.name)
