"""What the parts of the sandbox ask of a cluster: the simulator answers in process, a real server over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Subscriber = Callable[[str, str, Mapping[str, Any]], None]
"""Called as ``(type, plural, object)``, with the types of a watch: ADDED, MODIFIED, DELETED."""


class Kube(Protocol):
    """The verbs on one cluster; see `KubeCluster` for what each means. All raise `ApiError` as the HTTP API answers."""

    clock: Callable[[], float]

    def get(self, plural: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object."""
        ...

    def list(self, plural: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """All objects, in the order of their names."""
        ...

    def create(
        self, plural: str, obj: Mapping[str, Any], *, manager: str, namespace: str | None = None
    ) -> dict[str, Any]:
        """POST."""
        ...

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
        ...

    def apply(
        self, plural: str, obj: Mapping[str, Any], *, manager: str, force: bool = False, namespace: str | None = None
    ) -> dict[str, Any]:
        """Server-Side Apply."""
        ...

    def delete(self, plural: str, name: str, *, namespace: str | None = None) -> None:
        """DELETE; an object with finalizers stays, marked as being deleted."""
        ...

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Have *callback* called after each change of nodes, EgressIPs and CloudPrivateIPConfigs, whoever made it."""
        ...

    def settle(self) -> None:
        """Return when subscribers have heard of everything that was written before this call, by anybody."""
        ...
