"""The verbs that write: create, replace, patch, apply, delete, with all the checks a write passes before it is stored.

Belongs here: the order of those checks. What each check says is in its own module, the rules of changing an object in
``writing``, HTTP in ``api``. Every public method takes the store's lock by itself and tells subscribers after
releasing it.
"""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sandbox.kube import admission, core_rules, decoding, managed_fields, metadata, validation, writing
from sandbox.kube.decoding import Decoded
from sandbox.kube.errors import Cause, already_exists, bad_request, conflict, internal, invalid, not_found
from sandbox.kube.managed_fields import APPLY, UPDATE, Manager, Ownership, Writer
from sandbox.kube.resources import NAMESPACES, RESOURCES, Resource, by_plural
from sandbox.kube.store import Store, Version, key_of
from sandbox.kube.writing import ANYTHING, MADE_BY_SERVER, MANAGED_FIELDS, Outcome, Preconditions, Target, Write


class Registry:
    """Writes objects into a store by the rules of the API."""

    def __init__(self, store: Store, clock: Callable[[], float], *, openshift_admission: bool) -> None:
        self._store = store
        self._clock = clock
        self._openshift_admission = openshift_admission

    def now(self) -> str:
        """The time stamp of a write, to the second, as the API writes times."""
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def find(self, target: Target) -> Version:
        """The current version; ApiError 404 without one."""
        version = self._store.find(target.resource, target.key)
        if version is None:
            raise not_found(target.resource, target.name)
        return version

    def create(self, target: Target, body: Mapping[str, Any], write: Write) -> Outcome:
        """POST: a new object, named by its body or by its ``generateName``."""
        decoded = decoding.decode(target.resource, body, write.field_validation)
        decoding.check_namespace(target.resource, decoded.obj["metadata"], target.namespace)
        if decoded.obj["metadata"].get("resourceVersion") and not write.dry_run:
            raise internal("resourceVersion should not be set on objects to be created")
        obj, resource = decoded.obj, target.resource
        obj["metadata"].pop(MANAGED_FIELDS, None)
        nobody = managed_fields.read(None)
        writer = self._writer(resource, write, UPDATE)
        empty = decoding.empty_object(resource)
        ownership = managed_fields.after_update(resource.schema, empty, obj, nobody, writer)
        with self._store.changed:
            outcome = self._insert(target, Decoded(obj, decoded.warnings), ownership, write)
        self._store.deliver()
        return outcome

    def replace(self, target: Target, body: Mapping[str, Any], write: Write) -> Outcome:
        """PUT: the object as sent."""
        decoded = decoding.decode(target.resource, body, write.field_validation)
        meta = decoded.obj["metadata"]
        decoding.check_name(meta, target.name)
        decoding.check_namespace(target.resource, meta, target.namespace)
        with self._store.changed:
            live = self.find(target)
            writing.check_put(target, meta, live)
            outcome = self._update(target, live, decoded, write)
        self._store.deliver()
        return outcome

    def patch(self, target: Target, change: Callable[[dict[str, Any]], Any], write: Write) -> Outcome:
        """PATCH: what *change* makes of the object; it is given a copy."""
        with self._store.changed:
            live = self.find(target)
            patched = change(live.copy())
            if not isinstance(patched, Mapping):
                raise bad_request("error decoding patch: the result is no object")
            decoded = decoding.decode_patched(target.resource, patched, write.field_validation)
            decoding.check_name(decoded.obj["metadata"], target.name)
            outcome = self._update(target, live, decoded, write)
        self._store.deliver()
        return outcome

    def apply(self, target: Target, config: Any, write: Write, *, force: bool = False) -> Outcome:
        """PATCH by Server-Side Apply: *config* is all that the manager wants of this object."""
        resource = target.resource
        named = decoding.check_applied(resource, config, target.namespace, target.name)
        with self._store.changed:
            live = self._store.find(resource, target.key)
            if live is None:
                if write.subresource:
                    raise not_found(resource, target.name)
                outcome = self._apply_new(target, named, write)
            else:
                obj, ownership = self._merged(resource, live.obj, named, write, force=force)
                outcome = self._store_update(target, live, Decoded(obj), ownership, write)
        self._store.deliver()
        return outcome

    def _apply_new(self, target: Target, named: dict[str, Any], write: Write) -> Outcome:
        uid = named["metadata"].get("uid")
        if uid:
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise conflict(target.resource, target.name, why)
        named["metadata"].pop("resourceVersion", None)
        obj, ownership = self._merged(target.resource, decoding.empty_object(target.resource), named, write, force=True)
        return self._insert(target, Decoded(obj), ownership, write)

    def _merged(
        self, resource: Resource, live: Mapping[str, Any], config: dict[str, Any], write: Write, *, force: bool
    ) -> tuple[dict[str, Any], Ownership]:
        """The object and its owners after *config* was applied to *live*."""
        recorded = live.get("metadata", {}).get(MANAGED_FIELDS)
        merged, ownership = managed_fields.applied(
            resource.schema,
            _without_owners(live),
            config,
            managed_fields.read(recorded),
            self._writer(resource, write, APPLY),
            force=force,
            empty=decoding.empty_object(resource),
        )
        merged = merged if resource.custom else decoding.without_nulls(merged)
        return decoding.normal_form(resource, merged), ownership

    def _writer(self, resource: Resource, write: Write, operation: str) -> Writer:
        manager = Manager(write.manager, operation, resource.api_version, write.subresource)
        return Writer(manager, self.now(), writing.never_stored(resource, write.subresource))

    def _insert(self, target: Target, decoded: Decoded, ownership: Ownership, write: Write) -> Outcome:
        """Everything a new object passes, whichever verb brings it."""
        resource, obj, meta = target.resource, decoded.obj, decoded.obj["metadata"]
        if resource.namespaced:
            self._check_namespace_exists(target.namespace)
            meta["namespace"] = target.namespace
        self._fill_in(resource, obj)
        _refuse_if_any(target, meta.get("name", ""), self._faults_of_new(target, obj))
        if self._openshift_admission:
            admission.check_mark(resource, None, obj, write.user)
        named = replace(target, name=meta["name"])
        if self._store.find(resource, named.key) is not None:
            raise already_exists(resource, named.name)
        _record_owners(obj, ownership)
        if write.dry_run:
            return Outcome(Version(resource, obj, self._store.revision), created=True, warnings=decoded.warnings)
        return Outcome(self._store.put(resource, named.key, obj), created=True, warnings=decoded.warnings)

    def _check_namespace_exists(self, namespace: str) -> None:
        namespaces = by_plural(NAMESPACES)
        if self._store.find(namespaces, key_of("", namespace)) is None:
            raise not_found(namespaces, namespace)

    def _fill_in(self, resource: Resource, obj: dict[str, Any]) -> None:
        """What the server says of a new object, in place."""
        meta = obj["metadata"]
        for name in (*MADE_BY_SERVER, "generation", "selfLink"):
            meta.pop(name, None)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + _random_suffix()
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = self.now()
        if resource.has_generation:
            meta["generation"] = 1
        if resource.has_status and not resource.status_on_create:
            obj.pop("status", None)
        if not resource.custom:
            core_rules.prepare_for_create(resource, obj)

    def _faults_of_new(self, target: Target, obj: dict[str, Any]) -> list[Cause]:
        found = metadata.faults(target.resource, obj["metadata"])
        if target.resource.custom:
            return found + validation.violations(target.resource.schema, obj, "")
        return found + core_rules.faults(target.resource, obj, target.namespace)

    def _update(self, target: Target, live: Version, decoded: Decoded, write: Write) -> Outcome:
        """A PUT or PATCH: who owns what follows from what differs."""
        resource, obj, old = target.resource, decoded.obj, live.obj
        sent = obj["metadata"].pop(MANAGED_FIELDS, None)
        recorded = old["metadata"].get(MANAGED_FIELDS) if write.subresource or not sent else sent
        if recorded == [{}]:  # the way to forget all owners
            recorded = None
        ownership = managed_fields.after_update(
            resource.schema,
            _without_owners(old),
            obj,
            managed_fields.read(recorded),
            self._writer(resource, write, UPDATE),
        )
        return self._store_update(target, live, decoded, ownership, write)

    def _store_update(
        self, target: Target, live: Version, decoded: Decoded, ownership: Ownership, write: Write
    ) -> Outcome:
        """Everything a changed object passes, whichever verb brings it."""
        resource, old = target.resource, live.obj
        writing.check_version(target, decoded.obj["metadata"].get("resourceVersion", ""), live)
        obj = writing.prepared(resource, old, decoded.obj, write.subresource)
        _record_owners(obj, ownership)
        _refuse_if_any(target, target.name, writing.faults_of_changed(target, old, obj, write.subresource))
        if self._openshift_admission:
            admission.check_mark(resource, old, obj, write.user)
        if writing.without_times(obj) == writing.without_times(old):
            return Outcome(live, warnings=decoded.warnings)
        if write.dry_run:
            return Outcome(Version(resource, obj, live.revision), warnings=decoded.warnings)
        if obj["metadata"].get("deletionTimestamp") and not obj["metadata"].get("finalizers"):
            return Outcome(self._store.remove(resource, target.key, obj), warnings=decoded.warnings)
        return Outcome(self._store.put(resource, target.key, obj), warnings=decoded.warnings)

    def delete(
        self, target: Target, preconditions: Preconditions = ANYTHING, *, dry_run: bool = False
    ) -> tuple[Version, bool]:
        """DELETE: (last version, whether the object is gone); one with finalizers is only marked as being deleted."""
        with self._store.changed:
            live = self.find(target)
            writing.check_preconditions(target, live, preconditions)
            gone = not live.obj["metadata"].get("finalizers")
            last = live if dry_run else self._delete(target, live, gone=gone)
        self._store.deliver()
        return last, gone

    def _delete(self, target: Target, live: Version, *, gone: bool) -> Version:
        obj = live.copy()
        meta = obj["metadata"]
        if gone:
            if core_rules.is_namespace(target.resource):
                self._empty_namespace(target.name)
                obj["status"] = {"phase": "Terminating"}
                meta["deletionTimestamp"] = self.now()
            return self._store.remove(target.resource, target.key, obj)
        if meta.get("deletionTimestamp"):
            return live
        meta["deletionTimestamp"] = self.now()
        meta["deletionGracePeriodSeconds"] = 0
        if target.resource.has_generation:
            meta["generation"] += 1
        return self._store.put(target.resource, target.key, obj)

    def _empty_namespace(self, namespace: str) -> None:
        """What the namespace controller does on a real cluster, which takes seconds there."""
        for resource in RESOURCES:
            if resource.namespaced:
                for version in self._store.versions(resource, key_of(namespace, "")):
                    key = key_of(namespace, version.obj["metadata"]["name"])
                    self._store.remove(resource, key, version.copy())


def _refuse_if_any(target: Target, name: str, faults: list[Cause]) -> None:
    if faults:
        raise invalid(target.resource.group, target.resource.kind, name, faults)


def _record_owners(obj: dict[str, Any], ownership: Ownership) -> None:
    entries = managed_fields.write(ownership)
    if entries:
        obj["metadata"][MANAGED_FIELDS] = entries
    else:
        obj["metadata"].pop(MANAGED_FIELDS, None)


def _random_suffix() -> str:
    letters = "".join(letter for letter in string.ascii_lowercase + string.digits if letter not in "aeiou013")
    return "".join(secrets.choice(letters) for _ in range(5))


def _without_owners(obj: Mapping[str, Any]) -> dict[str, Any]:
    meta = obj.get("metadata") or {}
    return {**obj, "metadata": {name: value for name, value in meta.items() if name != MANAGED_FIELDS}}
