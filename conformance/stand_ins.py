"""CRDs and an admission policy that stand in for OpenShift's where the platform's files are not at hand.

The CRDs are written from the schemas that the sandbox itself checks with (`sandbox.kube.custom_types`), the policy from
its three rules (`sandbox.kube.admission`). A run with them shows that simulator and server agree on these; that these
agree with OpenShift is shown by a run with the platform's own files only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.kube.admission import CONTROL_PLANE_USER, MARK
from sandbox.kube.custom_types import CLOUD_PRIVATE_IP_CONFIG, EGRESS_IP
from sandbox.kube.schema import Schema

_POLICY = "egressip-mark-annotation-validation"
_COLUMNS = {
    "EgressIPs": ".spec.egressIPs[*]",
    "Assigned Node": ".status.items[*].node",
    "Assigned EgressIPs": ".status.items[*].egressIP",
}


def objects() -> tuple[Mapping[str, Any], ...]:
    """Both CRDs, the policy and its binding."""
    egress_ip = _crd("EgressIP", "k8s.ovn.org", EGRESS_IP, short_names=["eip"])
    (version,) = egress_ip["spec"]["versions"]
    version["additionalPrinterColumns"] = [
        {"name": name, "type": "string", "jsonPath": path} for name, path in _COLUMNS.items()
    ]
    cpic = _crd("CloudPrivateIPConfig", "cloud.network.openshift.io", CLOUD_PRIVATE_IP_CONFIG)
    cpic["spec"]["versions"][0]["subresources"] = {"status": {}}
    return (egress_ip, cpic, *_admission())


def _crd(kind: str, group: str, schema: Schema, *, short_names: list[str] | None = None) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    described = _described(schema)
    described["properties"]["metadata"] = _metadata(schema.fields["metadata"])
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": described}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {**names, **({"shortNames": short_names} if short_names else {})},
            "versions": [version],
        },
    }


def _metadata(schema: Schema) -> dict[str, Any]:
    """A CRD may restrict an object's name, and nothing else of its metadata."""
    name = schema.fields["name"]
    return {"type": "object", **({"properties": {"name": _described(name)}} if name.any_of else {})}


def _described(schema: Schema, *, typed: bool = True) -> dict[str, Any]:
    """A schema as a CRD writes it; the branches of `anyOf` must not name a type."""
    words: dict[str, Any] = {"type": schema.type} if typed else {}
    if schema.fields:
        words["properties"] = {name: _described(member) for name, member in schema.fields.items()}
    if schema.values is not None:
        words["additionalProperties"] = _described(schema.values)
    if schema.type == "array":
        words["items"] = _described(schema.element)
    if schema.keys:
        words |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(schema.keys)}
    if schema.any_of:
        words["anyOf"] = [_described(branch, typed=False) for branch in schema.any_of]
    plain = {
        "required": list(schema.required),
        "enum": list(schema.enum),
        "pattern": schema.pattern,
        "format": schema.format,
        "minimum": schema.minimum,
        "minLength": schema.min_length,
        "maxLength": schema.max_length,
    }
    return words | {word: value for word, value in plain.items() if value not in (None, "", [])}


def _admission() -> tuple[Mapping[str, Any], ...]:
    managed = "This annotation is managed by the system."
    new, old = _has("object"), _has("oldObject")
    unchanged = f'{new} && object.metadata.annotations["{MARK}"] == oldObject.metadata.annotations["{MARK}"]'
    control_plane = f'request.userInfo.username == "{CONTROL_PLANE_USER}"'
    rules = {
        f'request.operation != "CREATE" || !({new})': (
            f'EgressIP resources cannot be created with the "{MARK}" annotation. {managed}'
        ),
        f'request.operation != "UPDATE" || !({old}) || ({unchanged})': (
            f'The "{MARK}" annotation cannot be modified or removed once set. {managed}'
        ),
        f'request.operation != "UPDATE" || !({new}) || ({old}) || {control_plane}': (
            f'A regular user must not add "{MARK}" annotation to an EgressIP custom resource.'
        ),
    }
    watched = {"apiGroups": ["k8s.ovn.org"], "apiVersions": ["v1"], "resources": ["egressips"]}
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": _POLICY},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{**watched, "operations": ["CREATE", "UPDATE"]}]},
            "validations": [{"expression": rule, "message": text, "reason": "Invalid"} for rule, text in rules.items()],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": f"{_POLICY}-binding"},
        "spec": {"policyName": _POLICY, "validationActions": ["Deny"]},
    }
    return (policy, binding)


def _has(which: str) -> str:
    return f'has({which}.metadata.annotations) && "{MARK}" in {which}.metadata.annotations'
