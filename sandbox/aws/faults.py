"""What can go wrong with a call to AWS, on demand, and the record of every call that came in.

Works on (service, operation) as the AWS SDKs name them (`ec2`, `DescribeInstances`), before moto sees the request. Also
EC2's token buckets, which are faults with a rule. How a fault looks on the wire is in `wire`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

ANY = "*"


@dataclass(frozen=True)
class Refusal:
    """Answer with an error. Constructors below give the usual ones;
    *code* depends on the service, so None picks its own.
    """

    status: int
    code: str
    message: str
    html: bool = False
    """As a load balancer in between says it: with a page, not in the service's protocol."""


@dataclass(frozen=True)
class Delay:
    """Answer properly, *seconds* of real time late."""

    seconds: float


@dataclass(frozen=True)
class Drop:
    """Close the connection without an answer; the caller cannot know whether anything was done."""

    after_effect: bool = False
    """Do what is asked first."""


@dataclass(frozen=True)
class Truncate:
    """Do what is asked and send the first half of the answer."""


@dataclass(frozen=True)
class Replay:
    """Do nothing and send this answer, one of earlier: what a replica that lags behind would say."""

    status: int
    content_type: str
    body: bytes


Fault = Refusal | Delay | Drop | Truncate | Replay


def throttled(service: str = "ec2") -> Refusal:
    """The service's way of saying "too fast"."""
    if service == "ec2":
        return Refusal(503, "RequestLimitExceeded", "Request limit exceeded.")
    return Refusal(400, "ThrottlingException", "Rate exceeded")


def denied(service: str = "ec2") -> Refusal:
    """The service's way of saying "not allowed"."""
    if service == "ec2":
        return Refusal(403, "UnauthorizedOperation", "You are not authorized to perform this operation.")
    return Refusal(403, "AccessDeniedException", "User is not authorized to perform this operation.")


def broken(status: int = 500) -> Refusal:
    """An error of AWS itself: 500 InternalError, 503 Unavailable."""
    return Refusal(status, "Unavailable" if status == 503 else "InternalError", "An internal error has occurred.")


@dataclass
class _Planned:
    service: str
    operation: str
    fault: Fault
    left: int | None

    def applies(self, service: str, operation: str) -> bool:
        return self.service in (ANY, service) and self.operation in (ANY, operation)


class Faults:
    """The faults in force. The one injected first wins; several may hit one operation one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[_Planned] = []

    def inject(self, service: str, operation: str, fault: Fault, *, times: int | None = None) -> Callable[[], None]:
        """Let *fault* hit calls of *operation* of *service* (`"*"`
        means any), *times* times or, with None, until healed.

        Returns the function that heals this one fault.
        """
        planned = _Planned(service, operation, fault, times)
        with self._lock:
            self._planned.append(planned)

        def heal() -> None:
            with self._lock:
                self._planned = [entry for entry in self._planned if entry is not planned]

        return heal

    def heal(self, service: str = ANY, operation: str = ANY) -> None:
        """Take away the faults of exactly this service and operation; with the defaults, all of them."""
        with self._lock:
            everything = (service, operation) == (ANY, ANY)
            self._planned = [
                p for p in self._planned if not everything and (p.service, p.operation) != (service, operation)
            ]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let calls through meanwhile, whatever is in force: for looking at what is there."""
        with self._lock:
            planned, self._planned = self._planned, []
        try:
            yield
        finally:
            with self._lock:
                self._planned = planned

    def take(self, service: str, operation: str) -> Fault | None:
        """The fault that hits this call, counted down; None if it goes through."""
        with self._lock:
            for planned in self._planned:
                if planned.applies(service, operation):
                    if planned.left is not None:
                        planned.left -= 1
                        if planned.left <= 0:
                            self._planned.remove(planned)
                    return planned.fault
        return None


@dataclass(frozen=True)
class Call:
    """One request that reached the sandbox's AWS, refused or not, at
    *when* (epoch seconds on the sandbox's timeline).
    """

    service: str
    operation: str
    when: float
    status: int
    """HTTP status of the answer; 0 when the connection was dropped."""


class CallLog:
    """The last calls, oldest first; bounded, so that a sandbox may run for days."""

    def __init__(self, limit: int = 20_000) -> None:
        self._calls: deque[Call] = deque(maxlen=limit)

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: Call) -> None:
        """Note one call."""
        self._calls.append(call)

    def of(self, service: str, operation: str = ANY) -> list[Call]:
        """The calls of one service, or of one of its operations."""
        return [call for call in self if call.service == service and operation in (ANY, call.operation)]

    def operations(self, service: str) -> list[str]:
        """The names of one service's calls in the order they came."""
        return [call.operation for call in self.of(service)]

    def clear(self) -> None:
        """Forget them all."""
        self._calls.clear()


@dataclass(frozen=True)
class Bucket:
    """A token bucket: at most *size* calls at once, *refill_per_second* more every second."""

    size: float
    refill_per_second: float


EC2_BUCKETS: Mapping[str, Bucket] = {
    "CreateSubnetCidrReservation": Bucket(5, 1),
    "DeleteSubnetCidrReservation": Bucket(5, 1),
    "AssignPrivateIpAddresses": Bucket(100, 5),
    "UnassignPrivateIpAddresses": Bucket(100, 5),
    "CreateNetworkInterface": Bucket(100, 5),
    "RunInstances": Bucket(5, 2),
    "TerminateInstances": Bucket(100, 5),
    "CreateTags": Bucket(100, 10),
    "DeleteTags": Bucket(100, 10),
}
"""By account and Region ("Request throttling for the Amazon EC2 API", Amazon EC2 Developer Guide)."""

READS, OTHER_CHANGES = Bucket(100, 20), Bucket(50, 5)
"""For whatever has none of its own. Reads with neither filter nor paging have half of this; here they are not told
apart."""


def bucket_of(operation: str) -> Bucket:
    """The bucket that a call of EC2's takes its token from; each operation has one to itself."""
    reads = operation.startswith(("Describe", "Get", "List", "Search"))
    return EC2_BUCKETS.get(operation, READS if reads else OTHER_CHANGES)


class TokenBuckets:
    """EC2's request budget, one bucket an operation; off unless `enabled`."""

    def __init__(self, now: Callable[[], float], of: Callable[[str], Bucket] = bucket_of) -> None:
        self.enabled = False
        self._now = now
        self._of = of
        self._state: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def admits(self, operation: str) -> bool:
        """Take one token for *operation*; False when there is none."""
        if not self.enabled:
            return True
        bucket = self._of(operation)
        with self._lock:
            now = self._now()
            tokens, since = self._state.get(operation, (bucket.size, now))
            tokens = min(bucket.size, tokens + (now - since) * bucket.refill_per_second)
            admitted = tokens >= 1
            self._state[operation] = (tokens - 1 if admitted else tokens, now)
            return admitted

    def refill(self) -> None:
        """Fill every bucket."""
        with self._lock:
            self._state.clear()
