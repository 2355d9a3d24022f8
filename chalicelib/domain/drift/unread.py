"""Sections that could not be read: what that means, and what a person can do, by the system that did not give them.

Belongs here: words and severity. Does not belong here: reading (`usecases.observe`), what is planned without a section
(nothing, `planning`), labels of namespaces and pods (`overlaps`).
"""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain.findings import Finding, Kind, Severity, seconds
from chalicelib.domain.pools import ASLEEP, OcmView
from chalicelib.domain.snapshot import Snapshot, Unknown

OUTAGE_TIME = timedelta(minutes=5)
"""An API server that starts anew, or EC2 that has too many requests while machines are replaced, answers again within
this. Egress goes on meanwhile."""

OCM_OUTAGE_TIME = timedelta(minutes=15)
"""Nothing depends on OCM so soon."""

_AWS = (
    "See that the role for the cluster's account can be assumed and has the rights of its policy; or, when it is"
    " throttled, what uses up EC2's request budget of the account (CloudTrail)."
)
_REFERENCE = (
    "Put in its place what is missing above: the fleet file says where it is looked for (api.token, ocm.credentials)."
)
_BY_SOURCE = {
    "cluster API": "If 401 or 403 stands above, the token has ended or lost its rights: the runbook says how to store a"
    " new one. Else see whether the API answers you (Look); if it does, the way from the functions to it is cut.",
    "EC2": _AWS,
    "STS": _AWS,
    "secrets": _REFERENCE,
    "Secrets Manager": _REFERENCE,
}


def unread_finding(section: Unknown, observed: Snapshot) -> Finding:
    """One section. What is down on purpose, and OCM, on which no traffic depends, weigh less."""
    patience = OUTAGE_TIME
    if section is observed.ocm:
        patience = OCM_OUTAGE_TIME
        severity = Severity.WARNING
        impact = "Egress is looked after as ever; machine pools are neither labelled nor made."
        todo = (
            f"See that {section.source} answers, and that ocm.cluster and ocm.credentials of the fleet file are right."
        )
    else:
        severity = Severity.INFO if _asleep(observed) else Severity.CRITICAL
        impact = "Egress goes on as it is. Nothing of it is checked or repaired until this can be read again."
        todo = _BY_SOURCE.get(section.source, f"See that {section.source} answers, and that its credentials are valid.")
    return Finding(
        Kind.SECTION_UNKNOWN,
        section.what,
        severity,
        f"{section.what[:1].upper()}{section.what[1:]} could not be read: {section.why}.",
        impact=impact,
        todo=todo,
        remedy="the next visit tries again",
        cause=f"{section.source} does not answer",
        patience_seconds=seconds(patience) if section.may_pass else 0,
    )


def _asleep(observed: Snapshot) -> bool:
    """OCM says that the cluster is switched off: its API does not answer then, and nobody needs to be woken."""
    return isinstance(observed.ocm, OcmView) and observed.ocm.cluster.state in ASLEEP
