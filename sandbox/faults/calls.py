"""The product's calls as they reach the wire: named, remembered, and met by one fault at one of them.

Sits behind `intercept` of AWS, the cluster's API and OCM. Calls of others (controllers, pollers, people) are told
from the product's by their `User-Agent` and let through.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from sandbox.aws import faults as aws
from sandbox.aws.wire import Incoming
from sandbox.kube import faults as kube
from sandbox.kube.wire import Request, Response
from sandbox.listening import HttpRequest
from sandbox.ocm import TOKEN_PATH
from sandbox.ocm.wire import Request as OcmRequest
from sandbox.ocm.wire import Response as OcmResponse

AGENT = "egress-keeper"
CLUSTER = "cluster"
OCM = "ocm"
OCM_TOKEN = "POST token"
_READS = ("Describe", "Get", "Query", "List", "Assume")
_HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"


class Trouble(StrEnum):
    """What can happen at one call. The values are the columns of the matrix."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    THROTTLED = "throttled"
    BROKEN = "502 page"
    NOT_DONE = "no answer"
    DONE = "done, no answer"
    CUT = "answer cut"
    STALE = "stale answer"
    MEANWHILE = "edited just then"


@dataclass(frozen=True, order=True)
class CallName:
    """One call of a visit: the function that makes it, the system, what is asked, and which of its kind it is."""

    function: str
    system: str
    what: str
    nth: int = 1

    @property
    def is_read(self) -> bool:
        """Whether it leaves everything as it is."""
        return self.what.startswith(("GET ", *_READS)) or self.what == OCM_TOKEN

    def __str__(self) -> str:
        """As the matrix prints it."""
        return f"{self.function}: {self.system} {self.what}" + (f" #{self.nth}" if self.nth > 1 else "")


class ProcessEnded(BaseException):
    """The function's process is gone. No `except Exception` of the product may keep it alive."""


class Calls:
    """Names the product's calls since `begin`, keeps their answers, and lets one trouble happen at one of them.

    Attributes:
        function: The function that runs now; "" between runs.
        made: The calls since `begin`, in the order of their arrival.
        dead: The process that made the calls is gone: whatever it still asks is refused, see `Gate`.
        meanwhile: What somebody else does at the moment of a `MEANWHILE` call.
        on_arrival: Told of each call before anything comes of it, if no other thread works for the product just then.
        writes_done: Calls that changed something in the cluster, on EC2 or in OCM since `begin`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._answers: dict[tuple[str, str], aws.Replay] = {}
        self._armed: tuple[CallName, Trouble] | None = None
        self._lasting = False
        self.function = ""
        self.made: list[CallName] = []
        self.writes_done: list[CallName] = []
        self.dead = False
        self.happened = False
        self.had_no_earlier_answer = False
        self._recording = False
        self.meanwhile: Callable[[], None] = lambda: None
        self.on_arrival: Callable[[CallName], None] = lambda _call: None
        self._threads: frozenset[threading.Thread] = frozenset()

    def begin(self, call: CallName | None = None, trouble: Trouble | None = None, *, lasting: bool = False) -> None:
        """Count from here; with *call*, let *trouble* happen to it once, or *lasting* to every call of its kind."""
        with self._lock:
            self._lasting = lasting
            self._threads = frozenset(threading.enumerate())
            self._counts.clear()
            self.made, self.writes_done, self.happened, self.had_no_earlier_answer = [], [], False, False
            self._armed = None if call is None or trouble is None else (call, trouble)

    def arm(self, call: CallName, trouble: Trouble) -> None:
        """Let *trouble* happen to *call*, which has not come yet or is coming just now."""
        with self._lock:
            self._armed = (call, trouble)

    def heal(self) -> None:
        """No trouble any more."""
        with self._lock:
            self._armed = None

    def record(self) -> None:
        """Keep the first answer to each request from now on, for `STALE`; what was kept before is forgotten."""
        with self._lock:
            self._answers.clear()
            self._recording = True

    def stop_recording(self) -> None:
        """Keep what is kept."""
        self._recording = False

    # On the wire

    def of_aws(self, request: Incoming) -> aws.Fault | None:
        """The fault of one request to AWS, if any."""
        if AGENT not in request.agent or not self.function:
            return None
        name = self._arrived(request.service, request.operation)
        match self._trouble_at(name):
            case Trouble.KILLED_BEFORE | Trouble.NOT_DONE:
                return aws.Drop()
            case Trouble.KILLED_AFTER | Trouble.DONE:
                return aws.Drop(after_effect=True)
            case Trouble.THROTTLED:
                return aws.throttled(request.service)
            case Trouble.BROKEN:
                return aws.Refusal(502, "BadGateway", "Bad Gateway", html=True)
            case Trouble.CUT:
                return aws.Truncate()
            case Trouble.STALE:
                return self._earlier(_aws_key(request))
            case _:
                return None

    def of_cluster(self, request: Request) -> kube.Fault | None:
        """The fault of one request to the cluster API, if any."""
        if AGENT not in request.user_agent or not self.function:
            return None
        name = self._arrived(CLUSTER, f"{request.method} {_thing(request)}")
        return self._http_fault(name, _http_key(request))

    def of_ocm(self, request: OcmRequest) -> kube.Fault | None:
        """The fault of one request to OCM, if any."""
        if AGENT not in request.headers.get("user-agent", "") or not self.function:
            return None
        name = self._arrived(OCM, f"{request.method} {_thing_in_ocm(request)}")
        return self._http_fault(name, _http_key(request))

    def heard_aws(self, request: Incoming, answer: aws.Replay) -> None:
        """Keep an answer."""
        if self._recording and AGENT in request.agent:
            self._answers.setdefault(_aws_key(request), answer)

    def heard_cluster(self, request: Request, answer: Response) -> None:
        """Keep an answer."""
        if self._recording and AGENT in request.user_agent:
            kept = aws.Replay(answer.status, answer.content_type, answer.body)
            self._answers.setdefault(_http_key(request), kept)

    def heard_ocm(self, request: OcmRequest, answer: OcmResponse) -> None:
        """Keep an answer."""
        if self._recording and AGENT in request.headers.get("user-agent", ""):
            kept = aws.Replay(answer.status, answer.content_type, answer.body)
            self._answers.setdefault(_http_key(request), kept)

    # Inside

    def _http_fault(self, name: CallName, key: tuple[str, str]) -> kube.Fault | None:
        match self._trouble_at(name):
            case Trouble.KILLED_BEFORE | Trouble.NOT_DONE:
                return kube.Fault(drop=True)
            case Trouble.KILLED_AFTER | Trouble.DONE:
                return kube.Fault(drop=True, after_commit=True)
            case Trouble.THROTTLED:
                return kube.Fault(status=429, retry_after=1)
            case Trouble.BROKEN:
                return kube.Fault(status=502, body=_HTML)
            case Trouble.CUT:
                return kube.Fault(truncate=True)
            case Trouble.STALE:
                earlier = self._earlier(key)
                return None if earlier is None else kube.Fault(status=earlier.status, body=earlier.body.decode())
            case _:
                return None

    def _earlier(self, key: tuple[str, str]) -> aws.Replay | None:
        answer = self._answers.get(key)
        self.had_no_earlier_answer = answer is None
        return answer

    def _arrived(self, system: str, what: str) -> CallName:
        with self._lock:
            key = (self.function, system, what)
            self._counts[key] += 1
            name = CallName(*key, self._counts[key])
            self.made.append(name)
            if system in ("ec2", CLUSTER, OCM) and not name.is_read:
                self.writes_done.append(name)
        if self._threads.issuperset(threading.enumerate()):
            self.on_arrival(name)
        return name

    def _trouble_at(self, name: CallName) -> Trouble | None:
        with self._lock:
            if self._armed is None or (self.happened and not self._lasting):
                return None
            if self._armed[0] != (replace(name, nth=self._armed[0].nth) if self._lasting else name):
                return None
            self.happened = True
            trouble = self._armed[1]
            self.dead = trouble in (Trouble.KILLED_BEFORE, Trouble.KILLED_AFTER)
        if trouble is Trouble.MEANWHILE:
            self.meanwhile()
        return trouble


def _thing(request: Request) -> str:
    """`nodes`, `egressips/NAME`: the path without group and version; one node is `nodes/*`: names differ by case."""
    parts = request.segments
    kept = parts[2:] if parts[0] == "api" else parts[3:]
    return "nodes/*" if kept[0] == "nodes" and len(kept) > 1 else "/".join(kept)


def _thing_in_ocm(request: OcmRequest) -> str:
    """`token`, `cluster`, `node_pools/NAME`: the path below the cluster."""
    if request.path == TOKEN_PATH:
        return OCM_TOKEN.partition(" ")[2]
    return "/".join(request.segments[5:]) or "cluster"


def _aws_key(request: Incoming) -> tuple[str, str]:
    return (f"{request.service} {request.operation}", request.body.decode(errors="replace"))


def _http_key(request: HttpRequest) -> tuple[str, str]:
    return (f"{request.method} {request.path}", request.raw_query)
