"""The type of ``metadata``, common to every kind (``metav1.ObjectMeta``)."""

from __future__ import annotations

from sandbox.kube.schema import (
    ANY,
    BOOLEAN,
    INTEGER,
    STRING,
    TIME,
    Schema,
    atomic_list,
    list_map,
    map_of,
    string_set,
    struct,
)

_OWNER_REFERENCE = struct(
    {
        "apiVersion": STRING,
        "blockOwnerDeletion": BOOLEAN,
        "controller": BOOLEAN,
        "kind": STRING,
        "name": STRING,
        "uid": STRING,
    },
    required=("apiVersion", "kind", "name", "uid"),
    atomic=True,
)

_MANAGED_FIELDS_ENTRY = struct(
    {
        "apiVersion": STRING,
        "fieldsType": STRING,
        "fieldsV1": ANY,
        "manager": STRING,
        "operation": STRING,
        "subresource": STRING,
        "time": TIME,
    }
)

OBJECT_META: Schema = struct(
    {
        "annotations": map_of(STRING),
        "creationTimestamp": TIME,
        "deletionGracePeriodSeconds": INTEGER,
        "deletionTimestamp": TIME,
        "finalizers": string_set(),
        "generateName": STRING,
        "generation": INTEGER,
        "labels": map_of(STRING),
        "managedFields": atomic_list(_MANAGED_FIELDS_ENTRY),
        "name": STRING,
        "namespace": STRING,
        "ownerReferences": list_map(_OWNER_REFERENCE, "uid"),
        "resourceVersion": STRING,
        "selfLink": STRING,
        "uid": STRING,
    }
)
