"""The two custom resources of OVN-Kubernetes on AWS: EgressIP and CloudPrivateIPConfig.

The types say what the CRDs installed by OpenShift's cluster-network-operator admit, in our own words: EgressIP is
checked for types and required members only, its selectors are granular maps, and its ``status`` is an ordinary member.
"""

from __future__ import annotations

from dataclasses import replace

from sandbox.kube.metadata_types import OBJECT_META
from sandbox.kube.schema import STRING, Schema, atomic_list, list_map, map_of, struct

_SELECTOR_REQUIREMENT = struct(
    {"key": STRING, "operator": STRING, "values": atomic_list(STRING)},
    required=("key", "operator"),
)

_LABEL_SELECTOR = struct({"matchExpressions": atomic_list(_SELECTOR_REQUIREMENT), "matchLabels": map_of(STRING)})

EGRESS_IP: Schema = struct(
    {
        "apiVersion": STRING,
        "kind": STRING,
        "metadata": OBJECT_META,
        "spec": struct(
            {
                "egressIPs": atomic_list(STRING),
                "namespaceSelector": _LABEL_SELECTOR,
                "podSelector": _LABEL_SELECTOR,
            },
            required=("egressIPs", "namespaceSelector"),
        ),
        "status": struct(
            {"items": atomic_list(struct({"egressIP": STRING, "node": STRING}, required=("egressIP", "node")))},
            required=("items",),
        ),
    },
    required=("spec",),
)

_CONDITION = struct(
    {
        "lastTransitionTime": Schema("string", format="date-time"),
        "message": Schema("string", max_length=32768),
        "observedGeneration": Schema("integer", minimum=0),
        "reason": Schema("string", min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
        "status": Schema("string", enum=("True", "False", "Unknown")),
        "type": Schema(
            "string",
            max_length=316,
            pattern=(
                r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
                r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
            ),
        ),
    },
    required=("lastTransitionTime", "message", "reason", "status", "type"),
)

# The object's name is the address: IPv4 as written, IPv6 fully expanded with dots for colons.
_ADDRESS_NAME = Schema(
    "string",
    any_of=(Schema("string", format="ipv4"), Schema("string", pattern=r"^[0-9a-f]{4}(\.[0-9a-f]{4}){7}$")),
)

CLOUD_PRIVATE_IP_CONFIG: Schema = struct(
    {
        "apiVersion": STRING,
        "kind": STRING,
        "metadata": replace(OBJECT_META, fields={**OBJECT_META.fields, "name": _ADDRESS_NAME}),
        "spec": struct({"node": STRING}),
        "status": struct(
            {"conditions": replace(list_map(_CONDITION, "type"), merge_key=""), "node": STRING},
            required=("conditions",),
        ),
    },
    required=("spec",),
)
