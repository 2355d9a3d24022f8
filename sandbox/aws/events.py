"""EC2's word to EventBridge: the instance state-change notification. No delivery here, only what is said."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class InstanceStateChange:
    """One instance entered one state (pending, running, stopping,
    stopped, shutting-down, terminated) at *when* (epoch seconds).
    """

    instance_id: str
    state: str
    account: str
    region: str
    when: float

    def to_event(self) -> dict[str, Any]:
        """The event as EventBridge delivers it ("EC2 Instance
        State-change Notification", EventBridge Events Reference, EC2).

        It carries neither tags nor type nor subnet, and `time` has whole seconds.
        """
        moment = datetime.fromtimestamp(self.when, UTC)
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "EC2 Instance State-change Notification",
            "source": "aws.ec2",
            "account": self.account,
            "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.region,
            "resources": [f"arn:aws:ec2:{self.region}:{self.account}:instance/{self.instance_id}"],
            "detail": {"instance-id": self.instance_id, "state": self.state},
        }
