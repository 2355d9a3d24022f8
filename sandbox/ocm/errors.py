"""Refusals as OCM words them: one JSON object with a code, a reason and the id of the operation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

API = "/api/clusters_mgmt/v1"


class OcmError(Exception):
    """A request that OCM refuses. *status* is the HTTP status, *reason* the sentence for people."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

    def body(self, operation_id: str, now: float) -> dict[str, Any]:
        """The error object; ids are text here, whatever the published schema says."""
        return {
            "kind": "Error",
            "id": str(self.status),
            "href": f"{API}/errors/{self.status}",
            "code": f"CLUSTERS-MGMT-{self.status}",
            "reason": self.reason,
            "operation_id": operation_id,
            "timestamp": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
        }


def bad_request(reason: str) -> OcmError:
    """400."""
    return OcmError(400, reason)


def not_found(what: str) -> OcmError:
    """404 for something that is named, such as `Cluster 'x'`."""
    return OcmError(404, f"{what} not found")
