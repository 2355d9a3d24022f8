"""OpenShift's admission policy for the annotation ``k8s.ovn.org/egressip-mark`` (4.22 and later).

Three rules: nobody creates an EgressIP with the mark; a mark that is set is neither changed nor removed; only
OVN-Kubernetes' control plane adds it. The sentences are the policy's own, for clients show them to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.kube.errors import ApiError, Cause
from sandbox.kube.resources import Resource

CONTROL_PLANE_USER = "system:serviceaccount:openshift-ovn-kubernetes:ovn-kubernetes-control-plane"

MARK = "k8s.ovn.org/egressip-mark"

_POLICY = "egressip-mark-annotation-validation"
_MANAGED = "This annotation is managed by the system."


def check_mark(resource: Resource, old: Mapping[str, Any] | None, new: Mapping[str, Any], user: str) -> None:
    """Refuse a write that breaks one of the three rules; *old* is None when the object is being created.

    Raises:
        ApiError: 422 with reason ``Invalid``, worded as a ValidatingAdmissionPolicy's denial.
    """
    if resource.plural != "egressips":
        return
    mark = _mark(new)
    if old is None:
        if mark is not None:
            raise _denied(
                resource, new, f'EgressIP resources cannot be created with the "{MARK}" annotation. {_MANAGED}'
            )
        return
    before = _mark(old)
    if before is not None and mark != before:
        raise _denied(resource, new, f'The "{MARK}" annotation cannot be modified or removed once set. {_MANAGED}')
    if before is None and mark is not None and user != CONTROL_PLANE_USER:
        raise _denied(resource, new, f'A regular user must not add "{MARK}" annotation to an EgressIP custom resource.')


def _mark(obj: Mapping[str, Any]) -> str | None:
    annotations: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    return annotations.get(MARK)


def _denied(resource: Resource, obj: Mapping[str, Any], sentence: str) -> ApiError:
    name = obj["metadata"]["name"]
    verdict = f"ValidatingAdmissionPolicy '{_POLICY}' with binding '{_POLICY}-binding' denied request: {sentence}"
    return ApiError(
        422,
        "Invalid",
        f'{resource.qualified} "{name}" is forbidden: {verdict}',
        causes=[Cause("", verdict)],
        details={"name": name, "group": resource.group, "kind": resource.plural},
    )
