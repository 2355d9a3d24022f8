"""What CNCC's two kinds of work have in common: a piece of work that waits for EC2, and the SDK's own retries.

Belongs here: the state of one synchronisation between its EC2 calls. Does not belong here: what a synchronisation does
(`cncc_cpics`, `cncc_nodes`), when it happens (`cncc`, `workqueue`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias

from chalicelib.domain.twin.api import CnccWrite
from chalicelib.domain.twin.ec2 import DescribeInstance, Ec2Error, InstanceView, Request, TypeLimits, operation

NO_INTERFACE = "no retrievable network interface"

SDK_RETRIES = 3
SDK_FIRST_DELAY_SECONDS = {"AssignPrivateIpAddresses": 1.5}
SDK_DEFAULT_FIRST_DELAY_SECONDS = 0.75
"""Mean of the first, jittered delay of the AWS SDK for Go v1 before it sends a throttled call again: 1–2 s for the one
call that it treats apart, 0.5–1 s for the others. It doubles with each of the three retries, so that a throttled
assignment takes about ten seconds per attempt of CNCC's, as observed."""

THROTTLING_CODES = frozenset(
    {
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)


class Stage(Enum):
    """Which answer a piece of work waits for."""

    LOOK = auto()
    CHANGE = auto()
    CONFIRM = auto()
    LIMITS = auto()
    SUBNET = auto()


@dataclass(frozen=True, slots=True)
class Work:
    """One synchronisation that waits for EC2.

    Attributes:
        node: Name of the Node it is about, `instance` that node's EC2 instance.
        request: The call that is out, or that goes out at `send_at` (seconds of the world's time) if that is set.
        retries: How often the SDK has sent this call again.
        deadline: When polling for confirmation ends.
        releasing: An address is being released, not assigned.
        deleting: The CPIC was being deleted when the work began; that decides at its end, whatever happens meanwhile.
        owned: Addresses that CPICs hold on the node, for its capacity; `view` and `limits` are answers kept for later.
    """

    node: str
    instance: str
    stage: Stage
    request: Request
    send_at: float | None = None
    retries: int = 0
    deadline: float = 0.0
    releasing: bool = False
    deleting: bool = False
    owned: frozenset[str] = frozenset()
    view: InstanceView | None = None
    limits: TypeLimits | None = None

    def ask(self, stage: Stage, request: Request, *, send_at: float | None = None) -> Work:
        """This work, now waiting for the answer to *request*."""
        return replace(self, stage=stage, request=request, send_at=send_at, retries=0)


@dataclass(frozen=True, slots=True)
class Ended:
    """The work is over; *failed* work comes back with back-off."""

    failed: bool = False


Progress: TypeAlias = tuple[Work | Ended, tuple[CnccWrite, ...]]


def sent_again(work: Work, error: Ec2Error, now: float) -> Work | None:
    """The work after the SDK took a refusal as a reason to try the same call again later; None if it did not."""
    retryable = error.code in THROTTLING_CODES or (error.status >= 500 and error.status != 501)
    if not retryable or work.retries >= SDK_RETRIES:
        return None
    delay = SDK_FIRST_DELAY_SECONDS.get(operation(work.request), SDK_DEFAULT_FIRST_DELAY_SECONDS)
    return replace(work, retries=work.retries + 1, send_at=now + delay * 2.0**work.retries)


def described(work: Work, error: Ec2Error) -> str:
    """The refusal of a call as CNCC words it."""
    if isinstance(work.request, DescribeInstance):
        return f"error: cannot list ec2 instance for node: {work.node}, err: {error}"
    return str(error)
